"""People in a call, through the stack: each in a browser of their own, logged in, over Prosody and WebRTC."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from hardener.proof.evidence.calls import ENOUGH
from support.browsers import firefox

from .conftest import PREJOIN, SCREENSHOTS
from .test_login import JOINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardener.proof.stack import Stack
    from support.browsers.firefox import FirefoxPage

    from .meeting import Participant

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]

# A room of its own for each test: who left abruptly stays in a room as a ghost for a minute.
ROOM = "Room"


def _meet(stack: Stack, participant: Callable[[str], Participant], names: tuple[str, ...]) -> list[Participant]:
    room = ROOM + secrets.token_hex(4)
    people = []
    for name in names:
        person = participant(name.title())
        person.join(room, name, stack.users[name])
        people.append(person)
    for person in people:
        person.wait_for_others(len(names) - 1)
    return people


def test_two_see_and_hear_each_other(stack: Stack, participant: Callable[[str], Participant]) -> None:
    people = _meet(stack, participant, ("alice", "bob"))
    begun = [person.wait_until_received(frames=1, audio=1) for person in people]
    for person, before in zip(people, begun, strict=True):
        after = person.wait_until_received(frames=before["frames"] + 30, audio=before["audio"] + 3000)
        assert after["state"] == "connected"
        person.wait_until_shown()
        person.photograph(SCREENSHOTS / f"call-{person.name}.png")


def test_three_are_in_a_room_and_read_what_one_writes(stack: Stack, participant: Callable[[str], Participant]) -> None:
    alice, bob, carol = _meet(stack, participant, ("alice", "bob", "carol"))
    text = f"hello {secrets.token_hex(4)}"
    bob.say(text)
    for listener in (alice, carol):
        listener.read(text)


@pytest.fixture
def foxes() -> Iterator[Callable[..., FirefoxPage]]:
    """Let a person come into a room in a Firefox of their own."""
    if not firefox.program():
        pytest.skip(f"Firefox is not installed: {firefox.HINT}")
    with ExitStack() as running:

        def enter(stack: Stack, room: str, name: str) -> FirefoxPage:
            page = running.enter_context(firefox.Firefox()).page(size=(800, 500))
            page.open(f"{stack.url}/{room}")
            page.fill("#personal-login-user", name)
            page.fill("#personal-login-password", stack.users[name])
            page.click('[data-testid="personal-login.submit"]')
            page.fill("#premeeting-name-input", name.title())
            page.click(PREJOIN)
            page.wait_until(JOINED)
            return page

        yield enter


@pytest.mark.every_browser("firefox")
def test_two_in_firefox_see_and_hear_each_other(stack: Stack, foxes: Callable[..., FirefoxPage]) -> None:
    room = ROOM + secrets.token_hex(4)
    people = [foxes(stack, room, name) for name in ("alice", "bob")]
    for page in people:
        _watch(page.evaluate)


@pytest.mark.every_browser("firefox", "chromium")
def test_firefox_and_chromium_see_and_hear_each_other(
    stack: Stack, participant: Callable[[str], Participant], foxes: Callable[..., FirefoxPage]
) -> None:
    room = ROOM + secrets.token_hex(4)
    alice = foxes(stack, room, "alice")
    bob = participant("Bob")
    bob.join(room, "bob", stack.users["bob"])
    for evaluate in (alice.evaluate, bob.page.evaluate):
        _watch(evaluate)
    bob.wait_until_shown()
    bob.photograph(SCREENSHOTS / "call-chromium-with-firefox.png")
    alice.photograph(SCREENSHOTS / "call-firefox-with-chromium.png")


def _watch(evaluate: Callable[..., Any]) -> None:
    """Wait until picture and sound come in, and go on coming in."""
    before = evaluate(ENOUGH, [1, 1, 60_000])
    after = evaluate(ENOUGH, [before["frames"] + 30, before["audio"] + 3000, 60_000])
    assert after["state"] == "connected"
