"""The page: everything escaped, nothing from elsewhere, and each verdict in words."""

from __future__ import annotations

import re

import pytest

from hardener.proof.evidence import report
from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.evidence.verdict import judge
from support.evidence_events import events, seen

HOSTILE = "<img src=https://evil.example/x onerror=alert(1)>"


def test_hostile_values_are_escaped() -> None:
    one = events(
        seen("browser", "request", "evil.example", url=f"https://evil.example/{HOSTILE}"), run=f"call + {HOSTILE}"
    )
    page = report.page(judge(one) | {"site": HOSTILE, "browser": HOSTILE})
    assert HOSTILE not in page
    assert "&lt;img src=https://evil.example/x" in page


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
