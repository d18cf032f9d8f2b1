"""A minimal XMPP server over WebSocket (RFC 7395) with the one conference that a client joins, and Mallory in it.

Enough for the real client to sign in, be sent to a room by the focus, and see a second participant who means no good.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.muc import MUC
from hardener.proof.xmpp.sasl import SASL
from hardener.proof.xmpp.stanzas import (
    BIND,
    DISCO,
    FRAMING,
    SESSION,
    STANZA_ERRORS,
    STREAM_ERRORS,
    STREAMS,
    local,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from xml.etree import ElementTree as ET

OWNER = f"{MUC}#owner"
FOCUS = "http://jitsi.org/protocol/focus"
LEGACY = "jabber:iq:auth"
JINGLE = "urn:xmpp:jingle:1"
LAST = "last"  # id of the request that ends what the client is sent
MALLORY = "ffffffff"  # larger than the client's own id, as a rule: then the client is the one who calls
USER = "alice"
PASSWORD = "alice-pw"  # noqa: S105 (of the one account that is always there)


@dataclass(frozen=True)
class Guest:
    """One more participant: what is in the first presence, in a later one, or in the leave. Of who is ``hidden``,
    the server's list knows, and the client never gets.
    """

    id: str
    presence: str = ""  # XML, as everywhere here
    after: str = ""
    leave: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Mallory:
    """The second participant: what is in her presence, what she says in the chat, and with what she calls.

    Two clients without a bridge call each other: who has the larger id begins.
    """

    name: str = "Mallory"
    presence: str = ""  # XML
    chat: tuple[str, ...] = ()
    presence_after: str = ""  # XML, sent some seconds later (a command, say)
    id: str = MALLORY
    call: str = ""  # XML: contents of a Jingle session (XEP-0166) that she begins some seconds later
    company: tuple[Guest, ...] = ()

    @property
    def first(self) -> str:
        """Return her first presence, as XML."""
        return f"<nick xmlns='http://jabber.org/protocol/nick'>{escape(self.name)}</nick>{self.presence}"


@dataclass(frozen=True)
class Door:
    """The logins that the server accepts.

    ``mechanisms`` are the SASL mechanisms offered; ``accounts`` are passwords by XMPP address without resource, beside
    the one of ``USER``; ``tokens`` are those that ANONYMOUS takes, or None where it takes everybody; ``failure`` is the
    condition that everybody is refused with; a ``silent`` server takes connections and never says a word;
    ``unproven`` is what an impostor puts into its success, in place of SCRAM's challenge and signature;
    ``forged`` is what one puts there that has sent a challenge and takes any answer.
    ``focus`` is how it takes a conference request: ready, busy (not ready yet), silent, or the condition of an error.
    """

    mechanisms: tuple[str, ...] = ("ANONYMOUS", "SCRAM-SHA-1")
    accounts: Mapping[str, str] = field(default_factory=dict)
    tokens: frozenset[str] | None = None
    failure: str = ""
    unproven: str | None = None
    forged: str | None = None
    silent: bool = False
    focus: str = "ready"


MEMBERS_ONLY = Door(mechanisms=("SCRAM-SHA-1",))


@dataclass
class Conversation:
    """One client's stream: takes stanzas, returns answers. No sockets."""

    domain: str
    mallory: Mallory | None = None
    features: frozenset[str] = frozenset()  # accounts: required; extdisco: STUN of its own
    door: Door | None = None  # what 'accounts' says, if there is none
    token: str = ""  # that the client has given with the address of the service
    later: list[str] = field(default_factory=list)  # what to send some seconds after the join
    joined: bool = False
    occupants: dict[str, str] = field(default_factory=dict)  # nick -> role of all others but the focus, in the end
    settled: bool = False  # the client has answered the last thing that it was sent
    heard: list[tuple[str, str]] = field(default_factory=list)  # (kind, value) of what the client gives away
    account: str = ""  # the address of who has signed in
    nonce: str = ""  # the client's own, of SCRAM
    _authenticated: bool = False
    _jid: str = ""
    _host: str = ""
    _scram: sasl.ScramServer | None = None

    def __post_init__(self) -> None:
        self._door = self.door or (MEMBERS_ONLY if "accounts" in self.features else Door())
        self._host = self.domain
        self._accounts = {f"{USER}@{self.domain}": PASSWORD, **self._door.accounts}

    def answer(self, text: str) -> Iterable[str]:
        """Answer one frame of the client."""
        if self._door.silent:
            return ()
        stanza = parse(text)
        self.heard.extend(given_away(stanza))
        handlers: dict[str, Callable[[ET.Element], Iterable[str]]] = {
            "open": self._open,
            "auth": self._auth,
            "response": self._response,
            "iq": self._iq,
            "presence": self._presence,
            "close": lambda _stanza: (f"<close xmlns='{FRAMING}'/>",),
        }
        handler = handlers.get(local(stanza))
        return handler(stanza) if handler else ()

    def _open(self, stanza: ET.Element) -> Iterable[str]:
        self._host = stanza.get("to") or self.domain
        yield f"<open xmlns='{FRAMING}' from='{self.domain}' id='{uuid.uuid4()}' version='1.0'/>"
        if self._host not in {self.domain, *(account.split("@")[1] for account in self._accounts)}:
            error = f"<host-unknown xmlns='{STREAM_ERRORS}'/>"
            yield f"<stream:error xmlns:stream='{STREAMS}'>{error}</stream:error>"
            yield f"<close xmlns='{FRAMING}'/>"
            return
        if self._authenticated:
            inner = f"<bind xmlns='{BIND}'/><session xmlns='{SESSION}'/>"
        else:
            inner = "".join(f"<mechanism>{name}</mechanism>" for name in self._door.mechanisms)
            inner = f"<mechanisms xmlns='{SASL}'>{inner}</mechanisms>"
        yield f"<stream:features xmlns:stream='{STREAMS}' xmlns='jabber:client'>{inner}</stream:features>"

    def _auth(self, stanza: ET.Element) -> Iterable[str]:  # noqa: PLR0911 (one for each way in)
        mechanism = stanza.get("mechanism")
        if mechanism not in self._door.mechanisms:
            return self._refuse("invalid-mechanism")
        given = sasl.decoded(stanza)
        if self._door.failure:
            return self._refuse(self._door.failure)
        if self._door.unproven is not None:
            return self._success("alice", self._door.unproven)
        if mechanism == "ANONYMOUS":
            if self._door.tokens is not None and self.token not in self._door.tokens:
                return self._refuse("not-allowed", "token required")
            return self._success(str(uuid.uuid4()))
        if mechanism == "PLAIN":
            _, user, password = given.split("\0")
            return self._success(user) if password == self._password_of(user) else self._refuse("not-authorized")
        self._scram = sasl.ScramServer(mechanism, self._password_of)
        self.nonce = given.rpartition("r=")[2]
        try:
            challenge = self._scram.challenge(given)
        except sasl.ScramError:
            return self._refuse("malformed-request")
        return (f"<challenge xmlns='{SASL}'>{sasl.encoded(challenge)}</challenge>",)

    def _password_of(self, user: str) -> str | None:
        return self._accounts.get(f"{user}@{self._host}")

    def _response(self, stanza: ET.Element) -> Iterable[str]:
        if self._scram is None:
            return self._refuse("malformed-request")
        if self._door.forged is not None:
            return self._success(self._scram.user, self._door.forged)
        try:
            return self._success(self._scram.user, self._scram.signature(sasl.decoded(stanza)))
        except sasl.ScramError:
            return self._refuse("not-authorized")

    def _refuse(self, condition: str, text: str = "") -> Iterable[str]:
        inner = f"<{condition}/>" + (f"<text>{escape(text)}</text>" if text else "")
        return (f"<failure xmlns='{SASL}'>{inner}</failure>",)

    def _success(self, user: str, payload: str = "") -> Iterable[str]:
        self._authenticated = True
        self.account = f"{user}@{self._host}"
        self._jid = f"{self.account}/{uuid.uuid4().hex[:8]}"
        data = sasl.encoded(payload) if payload else ""
        return (f"<success xmlns='{SASL}'>{data}</success>",)

    def _iq(self, stanza: ET.Element) -> Iterable[str]:
        self.settled = self.settled or stanza.get("id") == LAST
        if stanza.get("type") in ("result", "error") or not len(stanza):
            return
        child = stanza[0]
        space, _, name = child.tag[1:].partition("}")
        if name == "conference":
            yield from self._conference(stanza, child)
            return
        inner = None
        if space == LEGACY:
            # XEP-0078: the client asks what is wanted, and then sends it as it is.
            inner = f"<query xmlns='{LEGACY}'><username/><password/><resource/></query>"
        elif name == "bind":
            inner = f"<bind xmlns='{space}'><jid>{self._jid}</jid></bind>"
        elif name in ("session", "ping"):
            inner = ""
        elif name == "query" and space == DISCO:
            inner = self._disco(space, child, stanza.get("to") or "")
        elif name == "query" and space == OWNER:  # what it takes to set the room's password
            form = "<x xmlns='jabber:x:data' type='form'><field var='muc#roomconfig_roomsecret'/></x>"
            inner = f"<query xmlns='{OWNER}'>{form if stanza.get('type') == 'get' else ''}</query>"
        elif name == "services" and "extdisco" in self.features:
            where = f"host='{self.domain}' port='3478' transport='udp'"
            turn = f"<service type='turn' {where} username='u' password='p'/>"
            inner = f"<services xmlns='{space}'><service type='stun' {where}/>{turn}</services>"
        yield self._reply(stanza, inner)

    def _reply(self, stanza: ET.Element, inner: str | None, condition: str = "service-unavailable") -> str:
        head = f"<iq xmlns='jabber:client' id={quoteattr(stanza.get('id') or '')} to={quoteattr(self._jid)}"
        to = f" from={quoteattr(stanza.get('to') or self.domain)}"
        if inner is None:
            error = f"<error type='cancel'><{condition} xmlns='{STANZA_ERRORS}'/></error>"
            return f"{head}{to} type='error'>{error}</iq>"
        return f"{head}{to} type='result'>{inner}</iq>"

    def _conference(self, stanza: ET.Element, child: ET.Element) -> Iterable[str]:
        focus = self._door.focus
        if focus in {"ready", "busy"}:
            attributes = f"room={quoteattr(child.get('room') or '')} ready='{str(focus == 'ready').lower()}'"
            inner = f"<conference xmlns='{FOCUS}' {attributes} focusjid='focus@auth.{self.domain}'/>"
            yield self._reply(stanza, inner)
        elif focus != "silent":
            yield self._reply(stanza, None, focus)

    def _disco(self, space: str, child: ET.Element, to: str) -> str:
        kind = ("conference", "text") if to.startswith("conference.") or "@" in to else ("server", "im")
        features = ["urn:xmpp:ping", space]
        if to == self.domain and "extdisco" in self.features:
            features.append("urn:xmpp:extdisco:2")
        node = f" node={quoteattr(child.get('node') or '')}" if child.get("node") else ""
        listed = "".join(f"<feature var='{feature}'/>" for feature in features)
        return (
            f"<query xmlns='{space}'{node}><identity category='{kind[0]}' type='{kind[1]}' name='x'/>{listed}</query>"
        )

    def _presence(self, stanza: ET.Element) -> Iterable[str]:
        to = stanza.get("to") or ""
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
            mallory, jid = f"{room}/{self.mallory.id}", f"mallory@{self.domain}/m"
            yield self._occupant(mallory, jid, "", "none", "participant", self.mallory.first)
            self.later.extend(
                f"<message xmlns='jabber:client' type='groupchat' from={quoteattr(mallory)} to={quoteattr(self._jid)}"
                f" id='{uuid.uuid4()}'><body>{escape(text)}</body></message>"
                for text in self.mallory.chat
            )
            if self.mallory.presence_after:
                extra = self.mallory.first + self.mallory.presence_after
                self.later.append(self._occupant(mallory, jid, "", "none", "participant", extra))
            if self.mallory.call:
                jingle = f"<jingle xmlns='{JINGLE}' action='session-initiate' initiator={quoteattr(mallory)} sid='m'>"
                self.later.append(
                    f"<iq xmlns='jabber:client' type='set' id='{uuid.uuid4()}' from={quoteattr(mallory)}"
                    f" to={quoteattr(self._jid)}>{jingle}{self.mallory.call}</jingle></iq>"
                )
            self.occupants[self.mallory.id] = "participant"
            for guest in self.mallory.company:
                yield from self._guest(guest, room)
            self.later.append(
                f"<iq xmlns='jabber:client' type='get' id='{LAST}' from={quoteattr(f'{room}/focus')}"
                f" to={quoteattr(self._jid)}><query xmlns='{DISCO}'/></iq>"
            )
        self.settled = not self.later

    def _guest(self, guest: Guest, room: str) -> Iterable[str]:
        """Yield the answers to a guest's login; later events go to ``later``."""
        place, jid = f"{room}/{guest.id}", f"guest-{guest.id}@{self.domain}/g"
        if not guest.leave:
            self.occupants[guest.id] = "participant"
        if guest.hidden:
            return
        name = f"<nick xmlns='http://jabber.org/protocol/nick'>{escape(guest.id)}</nick>"
        yield self._occupant(place, jid, "", "none", "participant", guest.presence + name)
        if guest.after:
            self.later.append(self._occupant(place, jid, "", "none", "participant", guest.after + name))
        if guest.leave:
            self.later.append(self._occupant(place, jid, "", "none", "none", guest.leave, "unavailable"))

    def _occupant(
        self, occupant: str, jid: str, codes: str, affiliation: str, role: str, extra: str = "", kind: str = ""
    ) -> str:
        """Return a presence in Prosody's order: what the participant says comes first, and the room's own word last."""
        head = f"<presence xmlns='jabber:client'{f' type={quoteattr(kind)}' if kind else ''}"
        return (
            f"{head} from={quoteattr(occupant)} to={quoteattr(self._jid)}>{extra}"
            f"<x xmlns='{MUC}#user'><item affiliation='{affiliation}' role='{role}' jid={quoteattr(jid)}/>{codes}</x>"
            "</presence>"
        )


def given_away(stanza: ET.Element) -> list[tuple[str, str]]:
    """Return what a client's stanza says of the person or the machine, beside what has to be said: kind and value.

    >>> given_away(parse("<presence xmlns='jabber:client'><stats-id>Ada-x</stats-id><nick>A</nick></presence>"))
    [('stats-id', 'Ada-x')]
    """
    found = [("legacy password", password.text or "") for password in stanza.iter(f"{{{LEGACY}}}password")]
    found += [("machine-uid", value) for child in stanza if (value := child.get("machine-uid"))]
    if local(stanza) == "presence":
        told = {local(child): child.text or "" for child in stanza}
        found += [(tag, told[tag]) for tag in ("stats-id", "email", "avatar-url", "billingid") if tag in told]
    return found
