"""A page can call the witness itself, and with anything: it adds no facts but those of a contact."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.proof.evidence import verdict
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.witness import Watched

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = {"frame": SimpleNamespace(url="https://own.example/room")}


def told(folder: Path, *calls: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return the events that are recorded of calls of a page."""
    record = Recorder(folder / "events.ndjson")
    record.run = "room 1"
    watched = Watched(folder, record)
    for words in calls:
        with contextlib.suppress(Exception):  # Playwright gives it back to the page
            watched._spied(SOURCE, *words)
    record.close()
    return read(folder / "events.ndjson")


@pytest.mark.parametrize(
    "words",
    [
        (),
        (1, 2),
        ("hint", "{"),
        ("hint", "5"),
        (["hint"], "{}"),
        ("ice", json.dumps({"servers": 5})),
        *(
            (kind, json.dumps({"ok": True, "network": [1], "t": "x"}))
            for kind in ("start", "end", "skipped", "request")
        ),
        *((kind, json.dumps({"differences": "x", "items": 5})) for kind in ("occupants", "stored", "received", "x")),
    ],
)
def test_what_is_not_a_report_of_the_spy_is_dropped(tmp_path: Path, words: tuple[Any, ...]) -> None:
    assert told(tmp_path, words) == []


def test_a_forged_report_changes_no_other_fact_and_is_short(tmp_path: Path) -> None:
    forged = {"t": "x", "run": "canary 1", "kind": "end", "witness": "harness", "ok": True, "network": []}
    [event] = told(tmp_path, ("beacon", json.dumps(forged | {"url": "https://other.example/" + "x" * 100000})))
    assert {event[name] for name in ("run", "kind", "witness", "host")} == {
        "room 1", "beacon", "browser", "other.example",
    }  # fmt: skip
    assert not {"ok", "network"} & set(event)
    assert isinstance(event["t"], float)
    assert len(event["url"]) < 1000
    summary = verdict.judge([event])
    assert [contact["host"] for run in summary["runs"] for contact in run["contacts"]] == ["other.example"]


def test_what_is_no_address_of_a_server_does_not_hide_the_others(tmp_path: Path) -> None:
    events = told(tmp_path, ("ice", json.dumps({"servers": [1, None, "stun:other.example:3478"]})))
    assert [event["host"] for event in events if event["kind"] == "ice"] == ["other.example"]
