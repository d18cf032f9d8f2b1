"""Calls through the videobridge, opened by Jicofo: picture, sound, layers, encryption, screens, and restarts."""

from __future__ import annotations

from itertools import permutations
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


@pytest.fixture
def desks(bridged: Stack, full_browser: Callable[[], Browser]) -> Iterator[Call]:
    """Provide the same with Chromium itself: two headless shells do not find each other."""
    browsers: list[Browser] = []
    room = Call(bridged, full_browser, browsers)
    yield room
    for browser in browsers:
        browser.close()


@pytest.mark.parametrize("direct", [False, True])
def test_two_are_connected_directly_only_where_the_operator_asks_for_it(desks: Call, *, direct: bool) -> None:
    settings = "config.p2p = { enabled: true, stunServers: [], codecPreferenceOrder: [ 'VP8' ] };" if direct else ""
    alice, bob = desks.enter("alice", settings), desks.enter("bob", settings)
    for person in (alice, bob) if direct else ():
        person.page.wait_for_function("() => APP.conference._room.isP2PActive()")
    desks.together()
    bridge = stack_module.address(desks.stack.name, "jvb")
    for person, other in ((alice, "Bob"), (bob, "Alice")):
        person.wait_for_more_from(other)
        assert person.page.evaluate("APP.conference._room.isP2PActive()") == direct
        assert (f"{bridge}:10000" in person.far_end()) != direct


def test_bridge_forwards_the_layer_that_a_receiver_asks_for(call: Call) -> None:
    """Of a camera with 360 lines, Chromium sends layers of 180 and 90."""
    settings = "config.resolution = 360; config.constraints.video.height = { ideal: 360, max: 360 };"
    alice, bob = call.enter("alice", settings), call.enter("bob", settings)
    call.together()
    ask = "([ name, maxHeight ]) => APP.conference._room.setReceiverConstraints({ constraints: { [name]: { maxHeight } } })"
    for height in (180, 90, 180):
        bob.page.evaluate(ask, [f"{bob.identity('Alice')}-v0", height])
        bob.wait_until_height_of("Alice", height)
        bob.wait_for_more_from("Alice")
    assert alice.layers() == {90, 180}


def test_encrypted_pictures_are_seen_by_those_with_the_key_and_by_no_other(call: Call) -> None:
    """Dave comes in a client without end-to-end encryption, to which no other sends a key; without it, he sees all."""
    toggle = "enabled => APP.store.dispatch({ type: 'TOGGLE_E2EE', enabled })"
    on = "id => APP.conference._room.getParticipantById(id).getProperty('e2ee.enabled') === 'true'"
    holders = [call.enter(name) for name in NAMES]
    for person in holders:
        person.wait_for_others(2)
        person.page.evaluate(toggle, True)
    for person, other in permutations(holders, 2):
        person.page.wait_for_function(on, arg=person.identity(other.name))
        person.wait_until_seen(other.name)
    for person in holders:
        person.photograph(SCREENSHOTS / f"bridge-encrypted-{person.name}.png")

    dave = call.enter("dave", "config.e2ee = { disabled: true };")
    for other in holders:
        dave.wait_until_received_from(other.name, "audio", 2000)
        dave.wait_until_received_from(other.name, "video", 20000)
        assert dave.likeness(other.name) < 0.1
    dave.photograph(SCREENSHOTS / "bridge-without-key.png")
    holders[0].wait_for_more_from("Bob")
    holders[0].wait_until_seen("Bob")

    for person in holders:
        person.page.evaluate(toggle, False)
    for other in holders:
        dave.wait_until_seen(other.name)
    dave.photograph(SCREENSHOTS / "bridge-without-encryption.png")


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
    for person, other in permutations(three.people.values(), 2):
        person.wait_for_more_from(other.name)
    for person in three.people.values():
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


def test_screen_is_seen_by_the_others(three: Call) -> None:
    alice, bob, carol = three.people.values()
    bob.press("Start sharing your screen")
    for viewer in (alice, carol):
        viewer.wait_until_received_from("Bob", "screen", 5)
        viewer.photograph(SCREENSHOTS / f"bridge-screen-{viewer.name}.png")
    bob.press("Stop sharing your screen")
    for viewer in (alice, carol):
        viewer.page.wait_for_function(
            "id => !APP.conference._room.getParticipantById(id).getTracks().some(track =>"
            " track.getVideoType() === 'desktop' && !track.isMuted())",
            arg=viewer.identity("Bob"),
        )


@pytest.mark.parametrize("service", ["jvb", "jicofo"])
def test_call_goes_on_after_a_restart(three: Call, service: str) -> None:
    docker.output("restart", "--time", "2", containers(three.stack.name)[service])
    for person, other in permutations(three.people.values(), 2):
        person.wait_for_more_from(other.name)


def test_people_are_in_the_call_again_after_prosody_restarts(three: Call) -> None:
    """The room is gone with Prosody: the pages enter it again, under new names in the room, without a login."""
    entered = "before => APP.conference.isJoined() && APP.conference.getMyUserId() !== before"
    before = {name: person.page.evaluate("APP.conference.getMyUserId()") for name, person in three.people.items()}
    docker.output("restart", "--time", "2", containers(three.stack.name)["prosody"])
    for name, person in three.people.items():
        person.page.wait_for_function(entered, arg=before[name])
    three.together()
    for person, other in permutations(three.people.values(), 2):
        person.wait_for_more_from(other.name)
