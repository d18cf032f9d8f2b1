"""Calls that Jicofo opens, through the videobridge: picture and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.proof import stack as stack_module

from .meeting import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from hardener.proof.stack import Stack

    from .meeting import Participant

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]


def _grows(person: Participant, other: str, frames: int = 10, audio: int = 2000) -> None:
    """Wait until that much more has come in of another participant."""
    now = person.received_from()[other]
    person.wait_until_received_from(other, "frames", now["frames"] + frames)
    person.wait_until_received_from(other, "audio", now["audio"] + audio)


@pytest.fixture
def call(bridged: Stack, launch_browser: Callable[[], Browser], browsers: list[Browser]) -> Iterator[Call]:
    """Provide a room into which people may come."""
    room = Call(bridged, launch_browser, browsers)
    yield room
    room.close()


@pytest.mark.parametrize("direct", [False, True])
def test_two_are_connected_directly_only_where_the_operator_asks_for_it(call: Call, *, direct: bool) -> None:
    settings = "config.p2p = { enabled: true, stunServers: [], codecPreferenceOrder: [ 'VP8' ] };" if direct else ""
    alice, bob = call.enter("alice", settings), call.enter("bob", settings)
    if direct:
        for person in (alice, bob):
            person.page.wait_for_function("() => APP.conference._room.isP2PActive()", timeout=60_000)
    call.together()
    bridge = stack_module.address(call.stack.name, "jvb")
    for person, other in ((alice, "Bob"), (bob, "Alice")):
        _grows(person, other)
        assert person.page.evaluate("APP.conference._room.isP2PActive()") == direct
        assert (f"{bridge}:10000" in person.far_end()) != direct
