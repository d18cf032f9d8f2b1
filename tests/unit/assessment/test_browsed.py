"""What a browser did not do is said only of journeys that came to their end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from hardener.assessment.sensors.browsed import browser
from hardener.assessment.sensors.model import Subject

NAMES = ("welcome", "room 1", "room 2", "android", "iphone", "call")
EVERYWHERE = {"contacts", "transport", "ids", "history", "others"}


def measured(*failed: str, **more: Any) -> set[str]:
    """Return the names of what is measured where some journeys failed and nothing was found."""
    journeys = [
        {"name": name, "shown": "prejoin", "requests": 1, "devices": 0, "completed": name not in failed}
        for name in NAMES
    ]
    facts = {"void": [], "journeys": journeys, "contacts": [], "stored": [], "left": None} | more
    found = browser(Subject(None, Path(), dt.date(2026, 11, 27), visited={"browser": facts})).metrics
    return {name.partition(".")[2] for name in found}


@pytest.mark.parametrize(
    ("failed", "unknown"),
    [
        ((), set()),
        (("call",), {"calls"}),
        (("android",), EVERYWHERE | {"promoted"}),
        (("room 2",), EVERYWHERE | {"devices", "sending"}),
        (("welcome", "room 1", "room 2"), EVERYWHERE | {"devices", "sending", "devices_prejoin"}),
    ],
)
def test_a_journey_that_failed_says_nothing_of_what_did_not_happen(failed: tuple[str, ...], unknown: set[str]) -> None:
    assert measured() - measured(*failed) == unknown


def test_a_contact_counts_in_a_journey_that_failed() -> None:
    contact = {"host": "x.example", "browser": ["request"], "transport": [], "in": ["android"]}
    assert "contacts" in measured("android", contacts=[contact])
