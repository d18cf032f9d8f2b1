"""The hostile participant at real servers: an XMPP client of our own, with an account of its own, in the same room.

It says what Mallory says in the stub (proof/xmpp/stub.py), but Prosody carries it. It stands outside of the sealed
network and is no browser: so each contact that the witnesses see is one of the victim's.
"""

from __future__ import annotations

import base64
import contextlib
import re
import secrets
import threading
from typing import TYPE_CHECKING, Self
from xml.etree import ElementTree as ET  # what answers is our own stack
from xml.sax.saxutils import escape, quoteattr

from hardener.proof.evidence.site import HOST
from hardener.proof.xmpp import muc, stub
from hardener.proof.xmpp.stanzas import local
from hardener.proof.xmpp.stub import FRAMING, MALLORY, MUC, SASL

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.proof.evidence.relay import Real
    from hardener.proof.xmpp.stub import Mallory

_DISCO = "http://jabber.org/protocol/disco#info"
_FEATURES = ("http://jabber.org/protocol/disco#info", "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:video")


class Refused(Exception):  # noqa: N818 (a journey takes it for its end)
    """The server did not let the hostile participant in, or did not answer as expected."""


class Peer:
    """Context manager: logged in with an account; ``join`` a room, ``play`` there, and be gone at the end."""

    def __init__(self, real: Real, account: str) -> None:
        self._real, self._account = real, account
        self._room = ""
        self._occupants: dict[str, tuple[str, str]] = {}  # nick -> address and role, as the room says

    def __enter__(self) -> Self:
        self._stream = self._real.connect()
        try:
            self._log_in()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):
            if self._room:
                self._say(f"<presence xmlns='jabber:client' type='unavailable' to={quoteattr(self._seat)}/>")
            self._say(f"<close xmlns='{FRAMING}'/>")
        self._stream.close()

    @property
    def _seat(self) -> str:
        return f"{self._room}/{MALLORY}"

    def _say(self, stanza: str) -> None:
        self._stream.send(stanza)

    def _hear(self, *names: str, such: Callable[[ET.Element], bool] = lambda _element: True) -> ET.Element:
        """The next element of one of these names that is wanted; requests that come before it are answered."""
        while True:
            element = ET.fromstring(self._stream.receive())  # noqa: S314
            name = local(element)
            if name in names and such(element):
                return element
            if name in {"failure", "error"}:
                raise Refused(ET.tostring(element, "unicode")[:200])
            self._react(element)

    def _log_in(self) -> None:
        head = f"<open xmlns='{FRAMING}' to={quoteattr(self._real.domain)} version='1.0'/>"
        self._say(head)
        self._hear("features")
        bare = f"n={self._account},r={secrets.token_urlsafe(18)}"
        first = base64.b64encode(f"n,,{bare}".encode()).decode()
        self._say(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>{first}</auth>")
        challenge = base64.b64decode(self._hear("challenge").text or "").decode()
        said = dict(part.split("=", 1) for part in challenge.split(","))
        final = f"c=biws,r={said['r']}"
        password = self._real.accounts[self._account]
        proof, _server = stub.scram(password, said["s"], f"{bare},{challenge},{final}", int(said["i"]))
        response = base64.b64encode(f"{final},p={proof}".encode()).decode()
        self._say(f"<response xmlns='{SASL}'>{response}</response>")
        self._hear("success")
        self._say(head)
        self._hear("features")
        self._say("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self._hear("iq", such=lambda iq: iq.get("id") == "b" and iq.get("type") == "result")

    def join(self, room: str, mallory: Mallory) -> None:
        """Sit down in a room that somebody else has opened, with Mallory's first presence."""
        self._room = room
        self._say(self._presence(f"<x xmlns='{MUC}'/>{there(mallory.first, self._real.domain)}"))
        own = self._hear("presence", such=lambda one: one.get("from") == self._seat)
        if own.get("type") == "error":
            raise Refused(ET.tostring(own, "unicode")[:200])
        self._note(own)
        threading.Thread(target=self._attend, daemon=True).start()

    def play(self, mallory: Mallory, last: str) -> None:
        """All that Mallory does, and then one more message: whoever reads ``last`` has been sent all of it."""
        if mallory.presence_after:
            self._say(self._presence(there(mallory.first + mallory.presence_after, self._real.domain)))
        for text in (*mallory.chat, last):
            to = f"to={quoteattr(self._room)} id='{secrets.token_hex(8)}'"
            self._say(f"<message xmlns='jabber:client' type='groupchat' {to}><body>{escape(text)}</body></message>")

    def _presence(self, inside: str) -> str:
        return f"<presence xmlns='jabber:client' to={quoteattr(self._seat)}>{inside}</presence>"

    def _attend(self) -> None:
        """Answer requests as a client does, until the end."""
        with contextlib.suppress(EOFError, OSError, ValueError, ET.ParseError):
            while True:
                self._react(ET.fromstring(self._stream.receive()))  # noqa: S314

    def others(self, nick: str) -> dict[str, str]:
        """The room's list as the server tells it (nick -> role), without the focus and without one of its occupants."""
        focus = f"focus@auth.{self._real.domain}/"
        found = dict(self._occupants)
        return {one: role for one, (jid, role) in found.items() if one != nick and not jid.startswith(focus)}

    def _note(self, presence: ET.Element) -> None:
        told, nick = muc.item(presence), (presence.get("from") or "").partition("/")[2]
        if presence.get("type") == "unavailable":
            self._occupants.pop(nick, None)
        elif told is not None:
            self._occupants[nick] = (told.get("jid", ""), told.get("role", ""))

    def _react(self, element: ET.Element) -> None:
        if local(element) == "presence":
            self._note(element)
        if local(element) == "iq" and element.get("type") in {"get", "set"}:
            self._say(reply(element))


def there(claim: str, domain: str) -> str:
    """What somebody claims on our own server, with the addresses of another one.

    >>> there(f"<item jid='focus@auth.{HOST}/f'/><email>a@{HOST}</email>", "real.example")
    "<item jid='focus@auth.real.example/f'/><email>a@real.example</email>"
    """
    return re.sub(rf"(@(?:\w+\.)?){re.escape(HOST)}", rf"\g<1>{domain}", claim)


def reply(request: ET.Element) -> str:
    """What a client says to a request: which features it has, or just yes (to the offer of a call, say).

    >>> reply(ET.fromstring("<iq type='set' id='7' from='r@m/a'><jingle xmlns='urn:xmpp:jingle:1'/></iq>"))
    '<iq xmlns=\\'jabber:client\\' type=\\'result\\' id="7" to="r@m/a"></iq>'
    """
    query = request.find(f"{{{_DISCO}}}query")
    inside = ""
    if query is not None:
        node = f" node={quoteattr(query.get('node') or '')}" if query.get("node") else ""
        features = "".join(f"<feature var='{one}'/>" for one in _FEATURES)
        inside = f"<query xmlns='{_DISCO}'{node}><identity category='client' type='web'/>{features}</query>"
    address = f"id={quoteattr(request.get('id') or '')} to={quoteattr(request.get('from') or '')}"
    return f"<iq xmlns='jabber:client' type='result' {address}>{inside}</iq>"
