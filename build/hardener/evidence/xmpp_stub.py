"""A minimal XMPP server over WebSocket (RFC 7395) with the one conference that a client joins, and Mallory in it.

Enough for the real client to sign in, be sent to a room by the focus, and see a second participant who means no good.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # only our own client's stanzas are read
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
MUC = "http://jabber.org/protocol/muc"
OWNER = f"{MUC}#owner"
FOCUS = "http://jitsi.org/protocol/focus"
MALLORY = "ffffffff"  # larger than the client's own id, as a rule: then the client is the one who calls
PASSWORD = "alice-pw"  # noqa: S105 (of the one account of this stub)
ITERATIONS = 4096


@dataclass(frozen=True)
class Mallory:
    """The second participant: what stands in her presence, and what she says in the chat."""

    name: str = "Mallory"
    presence: str = ""  # XML
    chat: tuple[str, ...] = ()
    presence_after: str = ""  # XML, sent some seconds later (a command, say)

    @property
    def first(self) -> str:
        """Her first presence, as XML."""
        return f"<nick xmlns='http://jabber.org/protocol/nick'>{escape(self.name)}</nick>{self.presence}"


@dataclass
class Conversation:
    """One client's stream: takes stanzas, returns answers. No sockets."""

    domain: str
    mallory: Mallory | None = None
    features: frozenset[str] = frozenset()  # accounts: nobody without one; extdisco: STUN of its own
    later: list[str] = field(default_factory=list)  # what to send some seconds after the join
    joined: bool = False
    heard: list[tuple[str, str]] = field(default_factory=list)  # (kind, value) of what the client gives away
    _authenticated: bool = False
    _jid: str = ""
    _scram: dict[str, str] = field(default_factory=dict)

    def answer(self, text: str) -> Iterable[str]:
        """Answer one frame of the client."""
        stanza = ET.fromstring(text)  # noqa: S314
        name = stanza.tag.rsplit("}", 1)[-1]
        handlers: dict[str, Callable[[ET.Element], Iterable[str]]] = {
            "open": self._open,
            "auth": self._auth,
            "response": self._response,
            "iq": self._iq,
            "presence": self._presence,
            "close": lambda _stanza: (f"<close xmlns='{FRAMING}'/>",),
        }
        handler = handlers.get(name)
        return handler(stanza) if handler else ()

    def _open(self, _stanza: ET.Element) -> Iterable[str]:
        yield f"<open xmlns='{FRAMING}' from='{self.domain}' id='{uuid.uuid4()}' version='1.0'/>"
        if self._authenticated:
            inner = (
                "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"
            )
        else:
            names = ("SCRAM-SHA-1",) if "accounts" in self.features else ("ANONYMOUS", "SCRAM-SHA-1")
            inner = "".join(f"<mechanism>{name}</mechanism>" for name in names)
            inner = f"<mechanisms xmlns='{SASL}'>{inner}</mechanisms>"
        yield (
            "<stream:features xmlns:stream='http://etherx.jabber.org/streams'"
            f" xmlns='jabber:client'>{inner}</stream:features>"
        )

    def _auth(self, stanza: ET.Element) -> Iterable[str]:
        mechanism = stanza.get("mechanism")
        if mechanism == "ANONYMOUS" and "accounts" not in self.features:
            self._jid = f"{uuid.uuid4()}@{self.domain}/x"
            return self._success("")
        if mechanism == "SCRAM-SHA-1":
            bare = base64.b64decode(stanza.text or "").decode().split(",", 2)[2]
            parts = dict(one.split("=", 1) for one in bare.split(","))
            nonce, salt = parts["r"] + os.urandom(9).hex(), base64.b64encode(os.urandom(12)).decode()
            first = f"r={nonce},s={salt},i={ITERATIONS}"
            self._scram = {"bare": bare, "first": first, "salt": salt, "user": parts["n"]}
            return (f"<challenge xmlns='{SASL}'>{base64.b64encode(first.encode()).decode()}</challenge>",)
        return (f"<failure xmlns='{SASL}'><invalid-mechanism/></failure>",)

    def _response(self, stanza: ET.Element) -> Iterable[str]:
        final = base64.b64decode(stanza.text or "").decode()
        without, proof = final.rsplit(",p=", 1)
        message = f"{self._scram['bare']},{self._scram['first']},{without}"
        expected, signature = scram(PASSWORD, self._scram["salt"], message)
        if not hmac.compare_digest(expected, proof):
            return (f"<failure xmlns='{SASL}'><not-authorized/></failure>",)
        self._jid = f"{self._scram['user']}@{self.domain}/x"
        return self._success(base64.b64encode(f"v={signature}".encode()).decode())

    def _success(self, payload: str) -> Iterable[str]:
        self._authenticated = True
        return (f"<success xmlns='{SASL}'>{payload}</success>",)

    def _iq(self, stanza: ET.Element) -> Iterable[str]:
        if stanza.get("type") in ("result", "error") or not len(stanza):
            return
        child = stanza[0]
        space, _, name = child.tag[1:].partition("}")
        inner = None
        if name == "bind":
            inner = f"<bind xmlns='{space}'><jid>{self._jid}</jid></bind>"
        elif name in ("session", "ping"):
            inner = ""
        elif name == "conference":
            self.heard.extend(("machine-uid", value) for value in [child.get("machine-uid")] if value)
            room = quoteattr(child.get("room") or "")
            inner = f"<conference xmlns='{FOCUS}' room={room} ready='true' focusjid='focus@auth.{self.domain}'/>"
        elif name == "query" and space.endswith("disco#info"):
            inner = self._disco(space, child, stanza.get("to") or "")
        elif name == "query" and space == OWNER:  # what it takes to set the room's password
            form = "<x xmlns='jabber:x:data' type='form'><field var='muc#roomconfig_roomsecret'/></x>"
            inner = f"<query xmlns='{OWNER}'>{form if stanza.get('type') == 'get' else ''}</query>"
        elif name == "services" and "extdisco" in self.features:
            where = f"host='{self.domain}' port='3478' transport='udp'"
            turn = f"<service type='turn' {where} username='u' password='p'/>"
            inner = f"<services xmlns='{space}'><service type='stun' {where}/>{turn}</services>"
        head = f"<iq xmlns='jabber:client' id={quoteattr(stanza.get('id') or '')} to={quoteattr(self._jid)}"
        to = f" from={quoteattr(stanza.get('to') or self.domain)}"
        if inner is None:
            error = f"<error type='cancel'><service-unavailable xmlns='{STANZAS}'/></error>"
            yield f"{head}{to} type='error'>{error}</iq>"
        else:
            yield f"{head}{to} type='result'>{inner}</iq>"

    def _disco(self, space: str, child: ET.Element, to: str) -> str:
        kind = ("conference", "text") if to.startswith("conference.") or "@" in to else ("server", "im")
        features = ["urn:xmpp:ping", space]
        if to == self.domain and "extdisco" in self.features:
            features.append("urn:xmpp:extdisco:2")
        node = f" node={quoteattr(child.get('node') or '')}" if child.get("node") else ""
        listed = "".join(f"<feature var='{one}'/>" for one in features)
        return (
            f"<query xmlns='{space}'{node}><identity category='{kind[0]}' type='{kind[1]}' name='x'/>{listed}</query>"
        )

    def _presence(self, stanza: ET.Element) -> Iterable[str]:
        to = stanza.get("to") or ""
        for tag in ("stats-id", "email", "avatar-url", "billingid"):
            found = [one for one in stanza if one.tag.rsplit("}", 1)[-1] == tag]
            self.heard.extend((tag, one.text or "") for one in found)
        if "/" not in to or stanza.get("type") == "unavailable":
            return
        room = to.split("/", 1)[0]
        if self.joined:  # an update: comes back as it was
            yield self._occupant(to, self._jid, "<status code='110'/>", "owner", "moderator")
            return
        self.joined = True
        yield self._occupant(f"{room}/focus", f"focus@auth.{self.domain}/focus", "", "owner", "moderator")
        yield self._occupant(to, self._jid, "<status code='110'/><status code='100'/>", "owner", "moderator")
        subject = f"<message xmlns='jabber:client' type='groupchat' from={quoteattr(room)} to={quoteattr(self._jid)}>"
        yield f"{subject}<subject/></message>"
        if self.mallory:
            mallory, jid = f"{room}/{MALLORY}", f"mallory@{self.domain}/m"
            yield self._occupant(mallory, jid, "", "none", "participant", self.mallory.first)
            self.later.extend(
                f"<message xmlns='jabber:client' type='groupchat' from={quoteattr(mallory)} to={quoteattr(self._jid)}"
                f" id='{uuid.uuid4()}'><body>{escape(one)}</body></message>"
                for one in self.mallory.chat
            )
            if self.mallory.presence_after:
                extra = self.mallory.first + self.mallory.presence_after
                self.later.append(self._occupant(mallory, jid, "", "none", "participant", extra))

    def _occupant(self, occupant: str, jid: str, codes: str, affiliation: str, role: str, extra: str = "") -> str:
        return (
            f"<presence xmlns='jabber:client' from={quoteattr(occupant)} to={quoteattr(self._jid)}>{extra}"
            f"<x xmlns='{MUC}#user'><item affiliation='{affiliation}' role='{role}' jid={quoteattr(jid)}/>{codes}</x>"
            "</presence>"
        )


def scram(password: str, salt: str, message: str) -> tuple[str, str]:
    """The client's proof and the server's signature of SCRAM-SHA-1 (RFC 5802), as base64.

    >>> nonce = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
    >>> message = f"n=user,r=fyko+d2lbbFgONRv9qkxdawL,{nonce},s=QSXCR+Q6sek8bf92,i=4096,c=biws,{nonce}"
    >>> scram("pencil", "QSXCR+Q6sek8bf92", message)
    ('v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', 'rmF9pqV8S7suAoZWja4dJRkFsKQ=')
    """

    def sign(key: bytes, text: bytes) -> bytes:
        return hmac.new(key, text, hashlib.sha1).digest()

    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), base64.b64decode(salt), ITERATIONS)
    client = sign(salted, b"Client Key")
    signature = sign(hashlib.sha1(client, usedforsecurity=False).digest(), message.encode())
    proof = bytes(one ^ other for one, other in zip(client, signature, strict=True))
    server = sign(sign(salted, b"Server Key"), message.encode())
    return base64.b64encode(proof).decode(), base64.b64encode(server).decode()
