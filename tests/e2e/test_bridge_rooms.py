"""Rooms on real Jicofo and the videobridge: roles, kick, room password, lobby and breakout rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from hardener.proof.attack.record import Account, Target
from hardener.proof.attack.session import Scene
from hardener.proof.xmpp.muc import moderates, own_presence

from .conftest import SCREENSHOTS
from .meeting import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from hardener.proof.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]


_BREAKOUT = """() => Object.values(APP.store.getState()['features/breakout-rooms'].rooms).find(
    room => !room.isMainRoom)?.jid"""
# Send a participant to a room, once the server has named the connection of this participant.
_SEND = """([ identity, breakout ]) => {
    const known = Object.values(APP.store.getState()['features/breakout-rooms'].rooms)
        .flatMap(room => Object.entries(room.participants ?? {}));
    const [ , connection ] = known.find(([ occupant ]) => occupant.endsWith(`/${identity}`)) ?? [];
    if (connection) APP.conference._room.getBreakoutRooms().sendParticipantToRoom(connection.jid, breakout);
    return Boolean(connection);
}"""


@pytest.fixture
def call(bridged: Stack, launch_browser: Callable[[], Browser], browsers: list[Browser]) -> Iterator[Call]:
    """Provide a room into which people may come."""
    room = Call(bridged, launch_browser, browsers)
    yield room
    room.close()


def test_only_a_moderator_kicks(call: Call) -> None:
    alice, bob = call.enter("alice"), call.enter("bob")
    call.together()
    assert (alice.role, bob.role) == ("moderator", "participant")
    bob.page.evaluate("id => APP.conference._room.kickParticipant(id, 'x')", bob.identity("Alice"))
    alice.page.evaluate("id => APP.conference._room.kickParticipant(id, 'x')", alice.identity("Bob"))
    expect(
        bob.page.get_by_text("You have been removed", exact=False)
        .or_(bob.page.get_by_text("kicked", exact=False))
        .first
    ).to_be_visible()
    bob.photograph(SCREENSHOTS / "bridge-kicked.png")
    alice.wait_for_others(0)
    assert alice.page.evaluate("APP.conference.isJoined()")


def test_room_password_is_asked_for(call: Call) -> None:
    alice = call.enter("alice")
    alice.page.evaluate("() => APP.conference._room.lock('right one')")
    bob = call.knock("bob")
    field = bob.page.locator("input[name='lockKey']")
    field.fill("wrong one")
    bob.page.get_by_test_id("modal-dialog-ok-button").or_(bob.page.locator("#modal-dialog-ok-button")).click()
    expect(field).to_have_value("")
    assert not bob.page.evaluate("APP.conference.isJoined()")
    bob.photograph(SCREENSHOTS / "bridge-password.png")
    field.fill("right one")
    bob.page.locator("#modal-dialog-ok-button").click()
    bob.wait_until_joined()
    call.together()


def test_lobby_holds_people_until_a_moderator_lets_them_in(call: Call) -> None:
    alice = call.enter("alice")
    alice.page.evaluate("() => APP.conference._room.enableLobby()")
    bob = call.knock("bob")
    alice.page.wait_for_function("() => APP.store.getState()['features/lobby'].knockingParticipants.length === 1")
    assert not bob.page.evaluate("APP.conference.isJoined()")
    bob.photograph(SCREENSHOTS / "bridge-lobby.png")
    alice.photograph(SCREENSHOTS / "bridge-lobby-moderator.png")
    alice.page.get_by_role("button", name="Admit", exact=True).click()
    bob.wait_until_joined()
    call.together()


def test_people_in_a_breakout_room_see_and_hear_each_other(call: Call) -> None:
    alice, bob, carol = (call.enter(name) for name in ("alice", "bob", "carol"))
    call.together()
    alice.page.evaluate("() => APP.conference._room.getBreakoutRooms().createBreakoutRoom('Group')")
    alice.page.wait_for_function(_BREAKOUT)
    breakout = alice.page.evaluate(_BREAKOUT)
    for person in (bob, carol):
        alice.page.wait_for_function(_SEND, arg=[alice.identity(person.name), breakout])
    for person, other in ((bob, "Carol"), (carol, "Bob")):
        person.page.wait_for_function("room => APP.conference._room?.room?.roomjid === room", arg=breakout)
        person.wait_until_joined()
        person.wait_for_others(1)
        person.wait_until_received_from(other, "frames", 10)
        person.wait_until_received_from(other, "audio", 1000)
        assert person.role == "participant"
    bob.photograph(SCREENSHOTS / "bridge-breakout.png")
    alice.wait_for_others(0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, [False, False], id="named-hosts.conf"),
        pytest.param({"JICOFO_ENABLE_AUTH": "1"}, [True, True], id="logged-in.conf"),
        pytest.param({"ENABLE_AUTO_OWNER": "1"}, [True, False], id="as installed"),
    ],
)
def test_first_one_in_moderates_only_with_jicofo_as_installed(
    bridged: Stack, stacks: Callable[..., Stack], settings: dict[str, str], expected: list[bool]
) -> None:
    """With the file for logged-in participants, the first one is a moderator like all the others."""
    running = stacks(suffix="-roles", flavour="debian", settings=settings, users=("alice", "bob"))
    moderators, mark, scenes = [], "", []
    try:
        for name, password in running.users.items():
            account = Account(name, password)
            target = Target(running.url, running.domain, muc=f"muc.{running.domain}", account=account, patience=30.0)
            scene = Scene(target, "websocket")
            scenes.append(scene)
            scene.mark = mark = mark or scene.mark
            client = scene.client()
            assert scene.conference(client) == "result"
            first = client.join(scene.room, name)
            assert first is not None
            assert first.get("type") != "error"
            later = own_presence(client.listen(target.listen), scene.room, name)
            moderators.append(moderates(first) or moderates(later))
    finally:
        for scene in scenes:
            scene.close()
    assert moderators == expected
