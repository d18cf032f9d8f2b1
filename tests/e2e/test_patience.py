"""How long a journey waits for the pictures of a call: as long as there is progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.proof.evidence.calls import ENOUGH

if TYPE_CHECKING:
    from playwright.sync_api import Page

# A call whose connection has decoded as many frames as `decoded` says.
CALL = """() => {
    window.decoded = 0;
    const stream = { type: 'inbound-rtp', kind: 'video', bytesReceived: 0, get framesDecoded() { return decoded; } };
    const connection = { connectionState: 'connected', getStats: async () => new Map([ [ 'stream', stream ] ]) };
    const jvbJingleSession = { peerconnection: { peerconnection: connection } };
    window.APP = { conference: { _room: { isP2PActive: () => false, jvbJingleSession } } };
}"""
START = f"""() => {{
    window.end = 'waiting';
    ({ENOUGH})([ 3, 0, 60_000 ]).then(now => {{ end = now.frames; }}, error => {{ end = error.message; }});
}}"""


@pytest.fixture
def waiting(page: Page) -> Page:
    """Provide a page in a call without a picture so far, in which a journey waits a minute at most for 3 frames."""
    page.clock.install()
    page.goto("about:blank")
    page.evaluate(CALL)
    page.evaluate(START)
    return page


def _later(page: Page, decoded: int) -> str | int:
    page.evaluate("number => { decoded = number; }", decoded)
    for _ in range(50):  # one at a time: each asks the connection again
        page.clock.run_for(1000)
    return page.evaluate("end")  # type: ignore[no-any-return]


def test_each_progress_gives_another_minute(waiting: Page) -> None:
    assert [_later(waiting, decoded) for decoded in (1, 2, 3)] == ["waiting", "waiting", 3]


def test_what_was_reached_before_gives_no_more_time(waiting: Page) -> None:
    assert [_later(waiting, decoded) for decoded in (1, 0)] == [
        "waiting",
        'only {"state":"connected","frames":0,"audio":0,"video":0,"pictures":0}, and no more in 60000 ms',
    ]
