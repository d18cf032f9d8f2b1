"""The catalogue: complete, in both languages, without metrics and patches that do not exist; mistakes are named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.assessment import catalogue, wording
from hardener.assessment.sensors.registry import SENSORS, sensor_of
from hardener.errors import ConfigError
from hardener.servercheck import check as servercheck

if TYPE_CHECKING:
    from hardener.assessment.catalogue import Catalogue

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "build" / "hardener" / "assessment"
AREAS = {
    "NET": 6, "TRK": 2, "CFG": 2, "STO": 3, "AUTH": 6, "INV": 4, "APP": 3, "HDR": 4, "MED": 2, "SRV": 3, "SUP": 2, "ORG": 4,
}  # fmt: skip


def published() -> set[str]:
    """Return the names of all patches of the series."""
    return {path.stem for path in (ROOT / "patches").glob("*/*.patch")}


@pytest.fixture
def known() -> Catalogue:
    return catalogue.load()


def test_all_criteria_are_here(known: Catalogue) -> None:
    wanted = [f"{area}-{number:02}" for area, count in AREAS.items() for number in range(1, count + 1)]
    assert [criterion.id for criterion in known.criteria] == wanted


def test_the_readme_has_their_number(known: Catalogue) -> None:
    assert f"{len(known.criteria)} criteria" in (ROOT / "README.md").read_text("utf-8")


def test_each_metric_of_a_rule_is_one_that_a_sensor_delivers(known: Catalogue) -> None:
    used = {metric for criterion in known.criteria for rule in criterion.all_rules.values() for metric in rule.metrics}
    assert {metric for metric in used if metric not in SENSORS[sensor_of(metric)].metrics} == set()


def test_each_critical_finding_of_check_server_makes_a_light_red_or_prevents_green(known: Catalogue) -> None:
    rules = [criterion.rules["deployment"] for criterion in known.criteria if "deployment" in criterion.rules]
    used = {metric for rule in rules for metric in rule.metrics}
    critical = {name for name, finding in servercheck.catalogue().items() if finding["severity"] == "critical"}
    assert {name for name in critical if f"server.{name}" not in used} == set()


def test_each_metric_has_a_name_in_both_languages() -> None:
    for sensor in SENSORS.values():
        for metric in sensor.metrics:
            assert set(wording.named(metric)) == {"en", "de"}, metric


def test_each_test_that_a_criterion_rests_on_exists() -> None:
    missing = [name for name in SENSORS["e2e"].metrics if not (ROOT / "tests/e2e" / f"{name[4:]}.py").is_file()]
    assert missing == []


def test_each_patch_is_named_by_a_criterion_or_excused_with_a_reason(known: Catalogue) -> None:
    named = {patch for criterion in known.criteria for patch in criterion.patches}
    assert named | set(known.excused) == published()
    assert named & set(known.excused) == set()


def test_each_light_that_stock_jitsi_has_to_show_can_be_shown(known: Catalogue) -> None:
    for criterion in known.criteria:
        for column, light in criterion.stock.items():
            assert light in criterion.rules[column].lights, (criterion.id, column)


def test_english_and_german_differ_and_german_readers_are_addressed_formally(known: Catalogue) -> None:
    for criterion in known.criteria:
        for text in (criterion.title, criterion.why):
            assert text["en"] != text["de"], criterion.id
        assert not {"du", "dein", "deine", "dir"} & set(criterion.fix["de"].lower().split()), criterion.id


MISTAKES = {
    "unknown key": ('id = "NET-01"', 'id = "NET-01"\ncolour = "red"', "unknown key 'colour'"),
    "one language": ('title.de = "Keine Fremdverbindungen im gesamten Ablauf (HTTP, WebSocket)"\n', "", "title = "),
    "no condition": ('"evidence.transport > 0"', '"evidence.transport"', "bundle = "),
    "ordered words": ('"evidence.transport > 0"', '"evidence.transport > much"', "bundle = "),
    "unknown light": ('bundle.red = ["evidence.transport', 'bundle.blue = ["evidence.transport', "bundle = "),
    "a visit without a column": ("deployment = {}\nservice.red", "service.red", "service is a second rule"),
    "unknown document": ('doc = "lg-muenchen"', 'doc = "no-such"', "no document 'no-such'"),
    "unknown profile": ('["minor", "normal", "high"]', '["tiny"]', "mandatory = "),
    "an id twice": ('id = "NET-02"', 'id = "NET-01"', "NET-01 is listed twice"),
    "an id of another file": ('id = "NET-02"', 'id = "TRK-01"', "TRK-01 is in another file"),
    "an unknown area": ('id = "NET-02"', 'id = "XYZ-01"', "unknown area"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, name: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "assessment")
    old, new, said = MISTAKES[name]
    path = tmp_path / "assessment" / "criteria" / "net.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError) as raised:
        catalogue.read(tmp_path / "assessment")
    assert said in raised.value.message
    assert "toml:" in raised.value.message
