"""The declaration: the templates are valid, mistakes are named, and nothing in it can make a light green."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest

from hardener.assessment import declaration
from hardener.assessment.declaration import TOPICS
from hardener.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

TODAY = dt.date(2026, 11, 27)
HEAD = '[service]\nname = "S"\noperator = "O"\nprofile = "high"\n'


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_template_is_valid_as_it_is_and_when_all_of_it_is_used(tmp_path: Path, language: str) -> None:
    path = tmp_path / "operator.toml"
    declaration.write_template(path, language)
    assert declaration.read(path, TODAY).answers == {}
    used = re.sub(r"^# (?=\[|\w[\w-]* = )", "", path.read_text("utf-8"), flags=re.MULTILINE)
    path.write_text(used, "utf-8")
    found = declaration.read(path, TODAY)
    assert set(found.answers) == set(TOPICS)
    assert (len(found.own_hosts), list(found.waivers)) == (2, ["NET-06"])


def test_a_declaration_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "operator.toml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        declaration.write_template(path, "de")
    assert path.read_text() == "mine"


MISTAKES = {
    "an unknown topic": ('[answers.dpias]\nstate = "done"', "no topic 'dpias'"),
    "an unknown state": ('[answers.dpia]\nstate = "yes"', "state = 'yes'"),
    "done without a document": ('[answers.dpia]\nstate = "done"\ndate = 2026-01-01', "needs document and date"),
    "a date as text": ('[answers.dpia]\nstate = "done"\ndocument = "D"\ndate = "2026-01-01"', "date = "),
    "a date in the future": ('[answers.dpia]\nstate = "done"\ndocument = "D"\ndate = 2027-01-01', "in the future"),
    "a waiver without a reason": ('[[waiver]]\nid = "NET-06"\nby = "x"\nuntil = 2027-01-01', "'reason' is missing"),
    "a waiver of an unknown criterion": (
        '[[waiver]]\nid = "NET-66"\nreason = "r"\nby = "x"\nuntil = 2027-01-01', "no criterion NET-66",
    ),
    "a waiver for ever": ('[[waiver]]\nid = "NET-06"\nreason = "r"\nby = "x"\nuntil = 2099-01-01', "too far away"),
    "a host that is not an origin": ("", "own_hosts = "),
    "an unknown table": ("[colours]\nx = 1", "unknown key 'colours'"),
    "a date as in Germany": ('[answers.dpia]\nstate = "done"\ndate = 01.03.2026', "a date is written as 2026-03-01"),
    "a day that does not exist": ("[answers.dpia]\ndate = 2026-02-30", "does not have this day"),
    "a text without quotes": ("[answers.dpia]\ndocument = A memo", "a text is in straight quotes"),
    "no TOML": ("[answers.dpia", "operator.toml"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, name: str) -> None:
    text, said = MISTAKES[name]
    path = tmp_path / "operator.toml"
    head = HEAD + ('own_hosts = ["meet.example.org"]\n' if name == "a host that is not an origin" else "")
    path.write_text(head + text, "utf-8")
    with pytest.raises(ConfigError) as raised:
        declaration.read(path, TODAY)
    assert said in f"{raised.value.message} {raised.value.hint}"


def test_a_missing_declaration_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        declaration.read(tmp_path / "operator.toml", TODAY)
    assert "hardener assess init" in raised.value.hint


def test_an_answer_gets_old_after_two_years() -> None:
    answer = declaration.Answer("done", "D", TODAY)
    assert answer.holds(TODAY + dt.timedelta(days=declaration.ANSWER_DAYS))
    assert not answer.holds(TODAY + dt.timedelta(days=declaration.ANSWER_DAYS + 1))


def test_a_waiver_holds_on_its_last_day() -> None:
    waiver = declaration.Waiver("NET-06", "r", "b", TODAY)
    assert (waiver.holds(TODAY), waiver.holds(TODAY + dt.timedelta(days=1))) == (True, False)
