"""Persons in a room of a test server, each with a stream of their own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hardener.proof.attack.record import Account, Target
from hardener.proof.attack.session import Scene
from hardener.proof.xmpp.muc import moderates, own_presence, role
from support.prosody_server import DOMAIN, MUC, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.proof.xmpp.client import Client

PATIENCE = 30.0


class Person:
    """A person with an account, in a room."""

    def __init__(self, scene: Scene, user: str, room: str) -> None:
        self.scene, self.user, self.room = scene, user, f"{room}@{MUC}"
        self.client: Client = scene.client()
        self.jid = f"{user}@{DOMAIN}"

    def ask_focus(self) -> str:
        """Have the focus open the room."""
        return self.scene.conference(self.client, self.room)

    def join(self) -> Person:
        """Walk in; the room's answer is in ``said``."""
        self.said = self.client.join(self.room, self.user)
        return self

    @property
    def refusal(self) -> str:
        """Return why the room does not let this person in; "" if it does."""
        return "silence" if self.said is None else self.said.get("type", "")

    @property
    def first_role(self) -> tuple[str, str]:
        """Return role and affiliation in the first presence."""
        return role(self.said)

    @property
    def moderates(self) -> bool:
        """Return whether this person is moderator by now; wait only for the answer to a ping."""
        self.said = own_presence(self.client.until_ping(), self.room, self.user) or self.said
        return moderates(self.said)

    def set(self, item: str) -> str:
        """Ask the room to change a person's role or affiliation: "result", or the error's condition."""
        payload = f"<query xmlns='http://jabber.org/protocol/muc#admin'><item {item}/></query>"
        answer = self.client.iq("set", self.room, payload)
        return (
            answer.get("type", "")
            if answer.get("type") == "result"
            else next(
                child.tag.rpartition("}")[2] for error in answer if error.tag.endswith("error") for child in error
            )
        )

    def leave(self) -> None:
        """Walk out."""
        self.client.stream.send(f"<presence xmlns='jabber:client' to='{self.room}/{self.user}' type='unavailable'/>")
        self.client.until_ping()


@contextlib.contextmanager
def people(server: Server, *users: str, room: str = "meeting") -> Iterator[tuple[Person, ...]]:
    """Provide logged-in persons, not yet in the room."""
    scenes = []
    try:
        persons = []
        for user in users:
            account = Account(user, f"{user}-pw")
            scene = Scene(Target(server.url, DOMAIN, muc=MUC, account=account, patience=PATIENCE), "websocket")
            scenes.append(scene)
            persons.append(Person(scene, user, room))
        yield tuple(persons)
    finally:
        for scene in scenes:
            scene.close()
