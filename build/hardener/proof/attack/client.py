"""A client on an open stream: login, requests, rooms."""

from __future__ import annotations

import base64
import contextlib
import time
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hardener.errors import ConfigError
from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.muc import MUC, item
from hardener.proof.xmpp.stanzas import condition, local

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from hardener.proof.attack.record import Account
    from hardener.proof.xmpp.streams import Stream

PING = "urn:xmpp:ping"
SM = "urn:xmpp:sm:3"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
_DIGESTS = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}


class Client:
    """One stream whose features are there. ``jid`` is "" until ``bind`` is done."""

    def __init__(self, stream: Stream, features: Element, domain: str) -> None:
        self.stream, self.features, self.domain = stream, features, domain
        self.jid = ""
        self._number = 0

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms on offer."""
        return tuple((one.text or "").strip() for one in self.features.iterfind(f"{{{sasl.SASL}}}mechanisms/*"))

    def offers(self, name: str) -> bool:
        """Whether the features name something (``register``, say)."""
        return any(local(one) == name for one in self.features)

    def wait(self, *wanted: str) -> Element:
        """The next element with one of these names; others are passed over."""
        while True:
            element = self.stream.receive()
            if local(element) in wanted:
                return element

    def exchange(self, mechanism: str, initial: str | bytes | None, *answers: Callable[[str], str]) -> Element:
        """A SASL exchange: ``answers`` make the responses to the challenges (decoded), in order; then come empty ones.

        Returns what ends it, as a rule success or failure.
        """
        self.stream.send(sasl.auth(mechanism, initial))
        pending = list(answers)
        for _round in range(len(answers) + 3):
            element = self.wait("success", "failure", "challenge")
            if local(element) != "challenge":
                return element
            said = base64.b64decode(element.text or "").decode("utf-8", "replace")
            self.stream.send(sasl.response(pending.pop(0)(said) if pending else ""))
        return element

    def log_in(self, account: Account, authzid: str = "") -> None:
        """Log in honestly and restart the stream. Raises ConfigError where the server does not take the account."""
        scram = next((name for name in _DIGESTS if name in self.mechanisms), "")
        if account.token:
            end = self.exchange("ANONYMOUS", None)
        elif scram:
            client = sasl.Scram(account.user, account.password, _DIGESTS[scram], authzid)
            end = self.exchange(scram, client.first(), client.final)
            final = base64.b64decode(end.text or "").decode("utf-8", "replace")
            if local(end) == "success" and not client.knows(final):
                raise ConfigError(
                    f"{self.domain} says success without knowing the password of {account.user}",
                    hint="somebody stands between: look at the TLS certificate and the proxy",
                )
        else:
            end = self.exchange("PLAIN", sasl.plain(account.user, account.password, authzid))
        if local(end) != "success":
            raise ConfigError(
                f"{self.domain} does not let the account {account.user or '(token)'} in: {condition(end)}",
                hint="--user is the name without @domain; --password-file holds the password in its first line",
            )
        self.features = self.stream.open(self.domain)

    def bind(self, resource: str) -> str:
        """Get a full JID."""
        answer = self.iq("set", "", f"<bind xmlns='{_BIND}'><resource>{resource}</resource></bind>")
        self.jid = answer.findtext(f"{{{_BIND}}}bind/{{{_BIND}}}jid", "")
        return self.jid

    def ask(self, kind: str, to: str, payload: str) -> str:
        """Send an IQ and do not wait; returns its id."""
        self._number += 1
        name = f"iq{self._number}"
        address = f" to={quoteattr(to)}" if to else ""
        self.stream.send(f"<iq xmlns='jabber:client' type='{kind}' id='{name}'{address}>{payload}</iq>")
        return name

    def answer(self, name: str) -> Element:
        """The answer to an IQ."""
        while True:
            element = self.wait("iq")
            if element.get("id") == name and element.get("type") in {"result", "error"}:
                return element

    def iq(self, kind: str, to: str, payload: str) -> Element:
        """Send an IQ and wait for the answer."""
        return self.answer(self.ask(kind, to, payload))

    def until_ping(self) -> list[Element]:
        """Everything that the server had to say before it answers a ping, so that a silence needs no clock."""
        name = self.ask("get", self.domain, f"<ping xmlns='{PING}'/>")
        heard: list[Element] = []
        while True:
            element = self.stream.receive()
            if local(element) == "iq" and element.get("id") == name:
                return heard
            heard.append(element)

    def listen(self, seconds: float) -> list[Element]:
        """Everything that comes within some seconds."""
        heard: list[Element] = []
        end = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(self.stream.receive_until(end))
        return heard

    def join(self, room: str, nick: str, inside: str = "") -> Element | None:
        """Ask to be let into a room: own presence or an error; None where the room keeps silent."""
        self.stream.send(presence(f"{room}/{nick}", f"<x xmlns='{MUC}'/>{inside}"))
        return own_presence(self.until_ping(), room, nick)


def presence(to: str, inside: str = "", kind: str = "") -> str:
    """A presence stanza."""
    return f"<presence xmlns='jabber:client' to={quoteattr(to)}{f' type={kind!r}' if kind else ''}>{inside}</presence>"


def own_presence(heard: list[Element], room: str, nick: str) -> Element | None:
    """The last thing that a room said about oneself."""
    found = None
    for element in heard:
        sender = element.get("from", "")
        if local(element) == "presence" and (sender == f"{room}/{nick}" or (sender == room and element.get("type"))):
            found = element
    return found


def role(element: Element) -> tuple[str, str]:
    """Role and affiliation in a room's presence."""
    told = item(element)
    return ("", "") if told is None else (told.get("role", ""), told.get("affiliation", ""))


def moderates(element: Element | None) -> bool:
    """Whether this presence makes its subject a moderator, an admin or an owner."""
    if element is None:
        return False
    is_role, affiliation = role(element)
    return is_role == "moderator" or affiliation in {"owner", "admin"}
