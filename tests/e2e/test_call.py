"""People in a call, through the stack: each in a browser of their own, logged in, over Prosody and WebRTC."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from .conftest import SCREENSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.proof.stack import Stack

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
    for person in people:
        before = person.wait_until_received(frames=1, audio=1)
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
