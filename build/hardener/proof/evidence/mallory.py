"""The hostile participant at real servers: an XMPP client of our own, with an account of its own, in the same room.

It says what Mallory says in the stub (proof/xmpp/stub.py), but Prosody carries it. It is outside of the sealed
network and is not a browser: so each contact that the witnesses see is one of the victim's.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from typing import TYPE_CHECKING, Self
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from hardener.proof.evidence.site import HOST
from hardener.proof.xmpp import muc
from hardener.proof.xmpp.client import Client, Refused
from hardener.proof.xmpp.muc import MUC
from hardener.proof.xmpp.stanzas import DISCO, FRAMING, condition, local
from hardener.proof.xmpp.streams import Closed, Garbled
from hardener.proof.xmpp.stub import MALLORY

if TYPE_CHECKING:
    from hardener.proof.evidence.relay import Real
    from hardener.proof.xmpp.stub import Mallory

LOST = (Closed, Garbled, OSError)  # ways in which the stream to the servers ends
_FEATURES = (DISCO, "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:video")


class Peer(Client):
    """Context manager: logged in with an account; ``join`` a room, ``play`` there, and be gone at the end."""

    def __init__(self, real: Real, account: str) -> None:
        super().__init__(real.stream(), ET.Element("features"), real.domain)
        self._account, self._password = account, real.accounts[account]
        self._room = ""
        self._occupants: dict[str, tuple[str, str]] = {}  # nick -> address and role, as the room says

    def __enter__(self) -> Self:
        try:
            self.features = self.stream.open(self.domain)
            self.log_in(self._account, self._password)
            self.bind(secrets.token_hex(4))
        except BaseException:
            self.stream.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(*LOST):
            if self._room:
                self.stream.send(muc.presence(self._seat, kind="unavailable"))
            self.stream.send(f"<close xmlns='{FRAMING}'/>")
        self.stream.close()

    @property
    def _seat(self) -> str:
        return f"{self._room}/{MALLORY}"

    def come(self, room: str, mallory: Mallory) -> None:
        """Sit down in a room that another person has opened, with Mallory's first presence. Raises Refused."""
        self._room = room
        inside = f"<x xmlns='{MUC}'/>{there(mallory.first, self.domain)}"
        self.stream.send(muc.presence(self._seat, inside))
        own = self.wait("presence", such=lambda presence: presence.get("from") == self._seat)
        if own.get("type") == "error":
            raise Refused(condition(own))
        self._note(own)
        threading.Thread(target=self._attend, daemon=True).start()

    def play(self, mallory: Mallory, last: str) -> None:
        """Perform all of Mallory's actions, and send a last message: a client that reads ``last`` has received all."""
        if mallory.presence_after:
            inside = there(mallory.first + mallory.presence_after, self.domain)
            self.stream.send(muc.presence(self._seat, inside))
        for text in (*mallory.chat, last):
            to = f"to={quoteattr(self._room)} id='{secrets.token_hex(8)}'"
            body = f"<body>{escape(text)}</body>"
            self.stream.send(f"<message xmlns='jabber:client' type='groupchat' {to}>{body}</message>")

    def _attend(self) -> None:
        """Answer requests as a client does, until the end."""
        with contextlib.suppress(*LOST):
            while True:
                self.aside(self.stream.receive())

    def others(self, nick: str) -> dict[str, str]:
        """Return the room's list as the server sends it (nick -> role), without the focus and without one of its
        occupants.
        """
        focus = f"focus@auth.{self.domain}/"
        found = dict(self._occupants)
        return {name: role for name, (jid, role) in found.items() if name != nick and not jid.startswith(focus)}

    def _note(self, presence: ET.Element) -> None:
        told, nick = muc.item(presence), (presence.get("from") or "").partition("/")[2]
        if presence.get("type") == "unavailable":
            self._occupants.pop(nick, None)
        elif told is not None:
            self._occupants[nick] = (told.get("jid", ""), told.get("role", ""))

    def aside(self, element: ET.Element) -> None:
        """Write down who is in the room, and answer requests."""
        if local(element) == "presence":
            self._note(element)
        if local(element) == "iq" and element.get("type") in {"get", "set"}:
            self.stream.send(reply(element))


def there(claim: str, domain: str) -> str:
    """Return what a person claims on our own server, with the addresses of another one.

    >>> there(f"<item jid='focus@auth.{HOST}/f'/><email>a@{HOST}</email>", "real.example")
    "<item jid='focus@auth.real.example/f'/><email>a@real.example</email>"
    """
    return re.sub(rf"(@(?:\w+\.)?){re.escape(HOST)}", rf"\g<1>{domain}", claim)


def reply(request: ET.Element) -> str:
    """Return what a client says to a request: which features it has, or just yes (to the offer of a call, say).

    >>> reply(ET.fromstring("<iq type='set' id='7' from='r@m/a'><jingle xmlns='urn:xmpp:jingle:1'/></iq>"))
    '<iq xmlns=\\'jabber:client\\' type=\\'result\\' id="7" to="r@m/a"></iq>'
    """
    query = request.find(f"{{{DISCO}}}query")
    inside = ""
    if query is not None:
        node = f" node={quoteattr(query.get('node') or '')}" if query.get("node") else ""
        features = "".join(f"<feature var='{feature}'/>" for feature in _FEATURES)
        inside = f"<query xmlns='{DISCO}'{node}><identity category='client' type='web'/>{features}</query>"
    address = f"id={quoteattr(request.get('id') or '')} to={quoteattr(request.get('from') or '')}"
    return f"<iq xmlns='jabber:client' type='result' {address}>{inside}</iq>"
