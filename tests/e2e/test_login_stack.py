"""The login against real servers: what is in test_login.py for a stub holds for Prosody, too."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from hardener.proof.stack import docker
from hardener.proof.stack.containers import containers

from .test_login import DIALOG, MEDIA, WRONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.proof.stack import Stack

    from .meeting import Participant

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]


def _room() -> str:
    """Return a room of its own for each test: who left abruptly stays in a room as a ghost for a minute."""
    return "Login" + secrets.token_hex(4)


def test_wrong_password_unknown_user_and_then_the_right_one(
    stack: Stack, participant: Callable[[str], Participant]
) -> None:
    """Neither asks for the camera; the name with its domain is the same account."""
    user, password = next(iter(stack.users.items()))
    ada = participant("Ada")
    ada.page.add_init_script(MEDIA)
    ada.open(_room())
    for name, secret in ((user, password + "x"), ("nobody", password)):
        ada.log_in(name, secret)
        expect(ada.page.get_by_test_id("personal-login.problem")).to_have_text(WRONG)
    assert ada.page.evaluate("asked") == []

    ada.log_in(f"{user}@{stack.domain}", password)
    ada.greet()
    ada.wait_until_joined()
    jid = ada.page.evaluate("APP.conference._room.connection.getJid()")
    assert jid.startswith(f"{user}@{stack.domain}/")


def test_two_people_with_an_account_each_meet(stack: Stack, participant: Callable[[str], Participant]) -> None:
    room, people = _room(), []
    for name, (user, password) in zip(("Ada", "Bob"), stack.users.items(), strict=False):
        person = participant(name)
        person.join(room, user, password)
        people.append((person, user))
    for person, user in people:
        person.wait_for_others(1)
        assert person.page.evaluate("APP.conference._room.connection.getJid()").startswith(f"{user}@{stack.domain}/")
        assert not person.page.query_selector(DIALOG)


def test_logging_out_and_a_reload_ask_again(stack: Stack, participant: Callable[[str], Participant]) -> None:
    user, password = next(iter(stack.users.items()))
    ada = participant("Ada")
    ada.open(_room())
    ada.log_in(user, password)
    ada.page.get_by_role("button", name="Sign out").click()
    expect(ada.page.get_by_test_id("personal-login.status")).to_have_text("You have been signed out.")
    ada.log_in(user, password)
    ada.greet()
    ada.wait_until_joined()
    ada.page.reload()
    expect(ada.page.locator("#personal-login-user")).to_be_visible()


def test_a_connection_that_breaks_is_taken_up_again(stack: Stack, participant: Callable[[str], Participant]) -> None:
    """It has to log in again for that, without asking the user; before and after, its objects hold no password."""
    room, ada, bob = _room(), participant("Ada"), participant("Bob")
    for person, account in zip((ada, bob), stack.users.items(), strict=False):
        person.join(room, *account)
    ada.wait_until_answered()
    connection = "APP.conference._room.connection._xmpp.connection"
    jid = ada.page.evaluate(f"{connection}.jid")
    passwords = []
    for _ in range(2):
        passwords.append(ada.page.evaluate(f"{connection}._stropheConn.pass ?? null"))
        ada.page.evaluate(f"() => {{ {connection}._stropheConn.restored = false; {connection}.closeWebsocket(); }}")
        ada.page.wait_for_function(f"() => {connection}._stropheConn.restored && {connection}.connected")

    assert passwords == [None, None]
    assert ada.page.evaluate(f"{connection}.jid") == jid
    assert ada.page.evaluate("APP.conference.isJoined()")


def test_prosody_restarts_and_everybody_is_back(stack: Stack, participant: Callable[[str], Participant]) -> None:
    """Two people, in the same meeting, under the same names, who see each other; without a login."""
    room, people = _room(), []
    for name, (user, password) in zip(("Ada", "Bob"), stack.users.items(), strict=False):
        person = participant(name)
        person.join(room, user, password)
        people.append(person)
    people[0].wait_until_answered()
    for person in people:
        person.wait_until_received(frames=1, audio=1)
    connections = [person.page.evaluate_handle("APP.connection") for person in people]
    docker.output("restart", containers(stack.name)["prosody"])
    for person, before in zip(people, connections, strict=True):
        # The old stream cannot be resumed: the server has forgotten it.
        person.page.wait_for_function("before => APP.connection !== before", arg=before, timeout=120_000)
        person.wait_until_joined()
    for person, other in zip(people, ("Bob", "Ada"), strict=True):
        person.page.wait_for_function(
            "name => APP.conference._room.getParticipants().some(one => one.getDisplayName() === name)",
            arg=other,
            timeout=60_000,
        )
        expect(person.page.get_by_test_id("personal-login.waiting")).to_have_count(0)
        expect(person.page.get_by_test_id("personal-login")).to_have_count(0)
    for person in people:
        frames = person.received()["frames"]
        person.wait_until_received(frames=frames + 10, audio=1)


def test_a_focus_that_is_stopped_is_waited_for(stack: Stack, participant: Callable[[str], Participant]) -> None:
    """The page says that the meeting is not opened yet, and joins by itself when it is."""
    user, password = next(iter(stack.users.items()))
    focus = containers(stack.name)["jicofo"]
    ada = participant("Ada")
    ada.open(_room())
    ada.log_in(user, password)
    docker.output("stop", focus)
    try:
        ada.greet()
        expect(ada.page.get_by_test_id("personal-login.waiting")).to_contain_text(
            "The conference server is not ready to open the meeting.", timeout=60_000
        )
    finally:
        docker.output("start", focus)
    ada.wait_until_joined()
    expect(ada.page.get_by_test_id("personal-login.waiting")).to_have_count(0)
    assert ada.page.evaluate("APP.conference._room.connection.getJid()").startswith(f"{user}@{stack.domain}/")
