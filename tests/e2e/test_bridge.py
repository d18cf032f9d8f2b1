"""Calls through the videobridge, opened by Jicofo: picture, sound, and restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.proof import stack as stack_module
from hardener.proof.stack import docker
from hardener.proof.stack.containers import containers

from .conftest import SCREENSHOTS
from .meeting import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from hardener.proof.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]

NAMES = ("alice", "bob", "carol")
CHANNEL = "() => [ APP.conference._room.rtc._channel?.mode, APP.conference._room.rtc._channel?.isOpen() ]"


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
        person.wait_for_more_from(other)
        assert person.page.evaluate("APP.conference._room.isP2PActive()") == direct
        assert (f"{bridge}:10000" in person.far_end()) != direct


@pytest.fixture(scope="module")
def three(bridged: Stack, launch_browser: Callable[[], Browser], browsers: list[Browser]) -> Iterator[Call]:
    """Provide a call of three who see and hear each other; a test leaves it as it was. Its tests come last: it takes the processors."""
    call = Call(bridged, launch_browser, browsers)
    for name in NAMES:
        call.enter(name)
    call.together()
    yield call
    call.close()


def test_three_see_and_hear_each_other_through_the_bridge(three: Call) -> None:
    bridge = stack_module.address(three.stack.name, "jvb")
    for person in three.people.values():
        for other in three.people.values():
            if other is not person:
                person.wait_for_more_from(other.name)
        assert set(person.far_end()) == {f"{bridge}:10000"}
        assert person.page.evaluate(CHANNEL) == ["websocket", True]
        person.photograph(SCREENSHOTS / f"bridge-{person.name}.png")


def test_sound_of_a_muted_participant_ends(three: Call) -> None:
    """A moderator mutes; an ordinary participant cannot."""
    alice, bob, carol = three.people.values()
    muted = "() => APP.conference.isLocalAudioMuted()"
    bob.page.evaluate("id => APP.conference._room.muteParticipant(id, 'audio')", bob.identity("Carol"))
    alice.page.evaluate("id => APP.conference._room.muteParticipant(id, 'audio')", alice.identity("Bob"))
    bob.page.wait_for_function(muted)
    carol.page.wait_for_function(
        "id => APP.conference._room.getParticipantById(id).isAudioMuted()", arg=carol.identity("Bob")
    )
    assert not carol.page.evaluate(muted)
    bob.page.evaluate("() => APP.conference.muteAudio(false)")
    carol.wait_for_more_from("Bob", frames=1)


@pytest.mark.parametrize("service", ["jvb", "jicofo"])
def test_call_goes_on_after_a_restart(three: Call, service: str) -> None:
    docker.output("restart", "--time", "2", containers(three.stack.name)[service])
    for person in three.people.values():
        for other in three.people.values():
            if other is not person:
                person.wait_for_more_from(other.name)
