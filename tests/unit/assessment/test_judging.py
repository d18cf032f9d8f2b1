"""Judging: each light of each criterion has a fixture, and profiles, waivers and missing metrics act as documented."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hardener.assessment import catalogue, judging
from hardener.assessment.declaration import Declaration, Waiver
from hardener.assessment.sensors.registry import Reading, sensor_of

# For each criterion and column: metrics that give each of its lights. Written by hand where a rule is new.
FIXTURES = json.loads(Path(__file__).with_name("lights.json").read_text("utf-8"))
TODAY = dt.date(2026, 11, 27)
CASES = [(place, light) for place, lights in FIXTURES.items() for light in lights]
CRITERIA = catalogue.load().by_id()


def readings(metrics: dict[str, int | str]) -> dict[str, Reading]:
    sensors = dict.fromkeys(map(sensor_of, metrics))
    return {
        sensor: Reading(sensor, {m: v for m, v in metrics.items() if sensor_of(m) == sensor}, {}, None, True)
        for sensor in sensors
    }


def verdict(
    place: str, metrics: dict[str, int | str], profile: str = "normal", waiver: Waiver | None = None
) -> judging.Verdict:
    criterion, column = place.split()
    declared = Declaration("x", "x", profile, (), {}, {waiver.id: waiver} if waiver else {})
    (judged,) = judging.judge([CRITERIA[criterion]], readings(metrics), profile, declared, TODAY, visited=True)
    return judged.verdicts["deployment" if column == "service" else column]


def test_each_light_that_a_rule_names_has_a_fixture() -> None:
    wanted = {
        f"{criterion.id} {column}": sorted(rule.lights)
        for criterion in CRITERIA.values()
        for column, rule in criterion.all_rules.items()
        if rule.lights
    }
    assert {place: sorted(lights) for place, lights in FIXTURES.items()} == wanted


@pytest.mark.parametrize(("place", "light"), CASES, ids=[f"{place} {light}" for place, light in CASES])
def test_a_criterion_shows_the_light_of_its_fixture(place: str, light: str) -> None:
    found = verdict(place, FIXTURES[place][light])
    assert (found.light, bool(found.reason["de"]), bool(found.condition)) == (light, True, True)


@pytest.mark.parametrize("place", FIXTURES)
def test_a_metric_that_was_not_measured_is_never_green(place: str) -> None:
    metrics = FIXTURES[place].get("green", {})
    for missing in metrics:
        found = verdict(place, {name: value for name, value in metrics.items() if name != missing})
        assert found.light == "grey", missing
    assert verdict(place, {}).light == "grey"


def test_files_and_a_visit_both_count_and_the_worse_decides() -> None:
    files, seen = FIXTURES["HDR-01 deployment"], FIXTURES["HDR-01 service"]
    lights = {
        (light, second): verdict("HDR-01 deployment", files.get(light, {}) | seen.get(second, {})).light
        for light in ("red", "yellow", "green", "grey")
        for second in ("red", "yellow", "green", "grey")
    }
    order = ("red", "yellow", "green", "grey")
    assert lights == {pair: min(pair, key=order.index) for pair in lights}


def test_a_visit_does_not_make_up_for_a_defect_in_files_whose_extent_is_unknown() -> None:
    found = verdict("HDR-01 deployment", {"server.csp-weak": 1} | FIXTURES["HDR-01 service"]["green"])
    assert (found.light, "Whether it is red is open" in found.reason["en"]) == ("grey", True)


def test_what_was_not_measured_could_be_worse_than_yellow() -> None:
    found = verdict("STO-01 bundle", {"evidence.stored": 3})
    assert (found.light, found.missing) == ("grey", ("storage",))
    assert "At best yellow: kinds of values left in the browser: 3" in found.reason["en"]


@pytest.mark.parametrize(
    ("place", "changed", "words"),
    [
        ("NET-06 service", {"config.p2p": "unclear"}, "direct connections in config.js: cannot be read"),
        ("CFG-02 service", {"config.unclear": 2}, "parts of config.js that cannot be read: 2"),
        ("AUTH-01 service", {"xmpp.attempts": 4}, "hardener assess service --attack"),
        ("AUTH-02 service", {"xmpp.not_tried": 9}, "for want of a test account: 9 (name a test account: --login-file)"),
        ("NET-05 bundle", {"evidence.peer_runs": 0}, "none of: runs with a hostile participant"),
    ],
)
def test_grey_names_what_prevents_green(place: str, changed: dict[str, int | str], words: str) -> None:
    found = verdict(place, FIXTURES[place]["green"] | changed)
    assert found.light == "grey"
    assert words in found.reason["en"]


def test_grey_for_missing_files_names_the_other_way_to_green() -> None:
    found = verdict("AUTH-06 service", FIXTURES["AUTH-01 service"]["green"] | {"xmpp.attempts": 4})
    assert found.light == "grey"
    assert "Attempts to get in: 4 (hundreds are made by hardener assess service --attack)" in found.reason["en"]


def test_grey_for_files_that_cannot_be_judged_names_the_first_places() -> None:
    place = {"id": "module-unknown", "severity": "critical", "what": "mod_x is loaded"}
    findings = [place | {"where": f"prosody.cfg.lua:{number}"} for number in range(1, 6)]
    measured = readings(FIXTURES["AUTH-01 deployment"]["green"] | {"server.module-unknown": 5})
    measured["server"] = replace(measured["server"], evidence={"findings": findings})
    (judged,) = judging.judge([CRITERIA["AUTH-01"]], measured, "normal", None, TODAY, visited=False)
    reason = judged.verdicts["deployment"].reason["de"]
    assert "unbekannte Module: 5 (prosody.cfg.lua:1: mod_x is loaded; " in reason
    assert "prosody.cfg.lua:3: mod_x is loaded; …)" in reason


@pytest.mark.parametrize(
    ("place", "profile", "light", "shown"),
    [
        ("AUTH-01 deployment", "minor", "red", "yellow"),
        ("AUTH-01 deployment", "normal", "red", "red"),
        ("AUTH-01 deployment", "high", "yellow", "red"),
        ("TRK-02 bundle", "minor", "red", "yellow"),
        ("NET-01 bundle", "minor", "red", "red"),
        ("ORG-04 organisation", "minor", "red", "grey"),
    ],
)
def test_the_profile_changes_only_what_the_criterion_says(place: str, profile: str, light: str, shown: str) -> None:
    assert verdict(place, FIXTURES[place][light], profile).light == shown


def test_a_waiver_makes_red_yellow_and_keeps_what_was_measured() -> None:
    waiver = Waiver("NET-01", "r", "b", TODAY)
    found = verdict("NET-01 bundle", FIXTURES["NET-01 bundle"]["red"], waiver=waiver)
    assert (found.light, found.measured) == ("yellow", "red")


def test_an_expired_waiver_changes_nothing() -> None:
    waiver = Waiver("NET-01", "r", "b", TODAY - dt.timedelta(days=1))
    assert verdict("NET-01 bundle", FIXTURES["NET-01 bundle"]["red"], waiver=waiver).light == "red"


@pytest.mark.parametrize("light", ["green", "grey", "yellow"])
def test_a_waiver_never_improves_another_light(light: str) -> None:
    metrics = FIXTURES["INV-01 bundle"].get(light, {})
    assert verdict("INV-01 bundle", metrics, waiver=Waiver("INV-01", "r", "b", TODAY)).light == light


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"evidence.browser": 1, "evidence.messages": 0, "evidence.transport": 0}, "red"),
        ({"evidence.browser": 0, "evidence.messages": 0}, "grey"),
        ({"evidence.browser": 0, "evidence.messages": 0, "evidence.transport": 0}, "green"),
    ],
)
def test_a_column_is_as_bad_as_its_worst_mandatory_criterion(metrics: dict[str, int | str], expected: str) -> None:
    criteria = [CRITERIA["NET-01"], CRITERIA["NET-03"], CRITERIA["INV-04"]]  # the last one is not mandatory
    judged = judging.judge(criteria, readings(metrics), "normal", None, TODAY, visited=True)
    assert judging.columns(judged)["bundle"] == expected


def test_a_column_without_a_mandatory_criterion_is_grey() -> None:
    assert judging.columns(()) == {"bundle": "grey", "deployment": "grey", "organisation": "grey"}
