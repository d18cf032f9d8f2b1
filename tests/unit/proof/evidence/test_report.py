"""The page: everything escaped, nothing from elsewhere, and each verdict in words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hardener.proof.evidence import report
from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.evidence.verdict import judge
from support.evidence_events import events, seen

HOSTILE = "<img src=https://evil.example/x onerror=alert(1)>"
NAMES = ("people", "journeys", "attacks")  # tables whose keys are names
QUOTED = '"><img src=x onerror="alert(1)">'


def test_hostile_values_are_escaped() -> None:
    record = events(
        seen("browser", "request", "evil.example", url=f"https://evil.example/{HOSTILE}"), run=f"call + {HOSTILE}"
    )
    page = report.page(judge(record) | {"site": HOSTILE, "browser": HOSTILE})
    assert HOSTILE not in page
    assert "&lt;img src=https://evil.example/x" in page


def _hostile(value: Any, key: str = "") -> Any:
    """Return a summary of which each text ends with hostile markup, and so does each name of a journey or attack."""
    if isinstance(value, dict):
        return {_hostile(name) if key in NAMES else name: _hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hostile(inner, key) for inner in value]
    return value + QUOTED if isinstance(value, str) and key != "verdict" else value


def test_markup_in_any_value_of_the_summary_is_text() -> None:
    seen_here = (seen("browser", "request"), seen("harness", "occupants", differences=["a is not shown"]))
    received = {"witness": "harness", "kind": "received", "who": "alice", "state": "connected"}
    called = events(received | {"frames": 1, "audio": 1, "video": 1}, run="real-two + none")
    skipped = {"t": 0.0, "run": "a + b", "witness": "harness", "kind": "skipped", "reason": "why"}
    summary = judge([*events(*seen_here), *called, skipped], {"call + none": ("stun.example",)})
    summary |= {"site": "s", "site_sha256": "0", "browser": "b", "date": "d", "targets": ["t"], "only": ["o"]}
    summary |= {"people": {"real-two": ["alice"]}, "texts": {"journeys": {"j": "t"}, "attacks": {"a": "t"}}}
    summary["void_because"] = ["v"]
    plain, hostile = report.page(summary), report.page(_hostile(summary))
    tags = [re.findall(r"<[a-z0-9]+", page) for page in (plain, hostile)]
    assert tags[0] == tags[1]
    assert hostile.count("&lt;img src=x onerror=&#34;") > 40


def test_nothing_is_loaded_from_anywhere() -> None:
    page = report.page(judge(events(seen("browser", "request"))))
    assert not re.search(r"<(script|link|img|iframe|object|embed|base|form)\b|\ssrc=|\shref=|url\(|@import", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (judge(events()), "No third-party contact"),
        (judge(events(seen("transport", "dns"))), "Third-party contacts found"),
        (judge([]), "proves nothing"),
        (
            judge(events({"witness": "harness", "kind": "occupants", "differences": ["a is not shown"]})),
            "Not everybody",
        ),
    ],
)
def test_verdict_in_words(summary: dict[str, object], words: str) -> None:
    assert words in report.page(summary)


def test_an_incomplete_run_is_not_green() -> None:
    page = report.page(judge(events(run="call + keys-01", ok=False)))
    assert '<td class="part">(0)</td>' in page


def test_side_by_side() -> None:
    pair = judge(events()), judge(events(seen("browser", "request"), seen("transport", "dns")))
    rows, n = report.compare(*pair), len(CANARIES)
    assert ("verdict", "clean", "contacts") in rows
    assert ("canaries seen", f"{n}/{n}", f"{n}/{n}") in rows
    assert report.contacts(*pair) == [("call + none", "-", "tracker.example")]
