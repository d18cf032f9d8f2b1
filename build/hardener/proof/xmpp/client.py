"""An XMPP client on a stream: login, requests, rooms. The attack suite and the hostile participant both use it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.muc import MUC, own_presence, presence
from hardener.proof.xmpp.stanzas import BIND, condition, local

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from hardener.proof.xmpp.streams import Stream

PING = "urn:xmpp:ping"
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1")  # the stronger first


class Refused(Exception):  # noqa: N818 (an answer, not always an error)
    """The server does not let the client in."""


class Impostor(Refused):
    """The server says success and has not proven that it knows the password."""


class Client:
    """One stream whose features are there. ``jid`` is "" until ``bind`` is done."""

    def __init__(self, stream: Stream, features: Element, domain: str) -> None:
        self.stream, self.features, self.domain = stream, features, domain
        self.jid = ""
        self._number = 0

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Return the SASL mechanisms on offer."""
        return tuple(
            (mechanism.text or "").strip() for mechanism in self.features.iterfind(f"{{{sasl.SASL}}}mechanisms/*")
        )

    def offers(self, name: str) -> bool:
        """Return whether the features name something (``register``, say)."""
        return any(local(feature) == name for feature in self.features)

    def wait(self, *names: str, such: Callable[[Element], bool] = lambda _element: True) -> Element:
        """Return the next element of one of these names that is wanted; the others go to ``aside``."""
        while True:
            element = self.stream.receive()
            if local(element) in names and such(element):
                return element
            self.aside(element)

    def aside(self, element: Element) -> None:
        """Take an element that comes while another is waited for. This client passes over it."""

    def exchange(self, mechanism: str, initial: str | bytes | None, *answers: Callable[[str], str]) -> Element:
        """Go through a SASL exchange: ``answers`` make the responses to the challenges (decoded), in order; then come
        empty ones.

        Returns what ends it, as a rule success or failure.
        """
        self.stream.send(sasl.auth(mechanism, initial))
        pending = list(answers)
        for _round in range(len(answers) + 3):
            element = self.wait("success", "failure", "challenge")
            if local(element) != "challenge":
                return element
            self.stream.send(sasl.response(pending.pop(0)(sasl.decoded(element)) if pending else ""))
        return element

    def log_in(self, user: str = "", password: str = "") -> None:
        """Log in honestly and restart the stream; without a name, as ANONYMOUS (a token is in the stream's address).

        Raises Refused, with the server's condition.
        """
        try:
            end = self._authenticate(user, password)
        except ValueError as error:  # SCRAM that is not valid, or a password that no server can have
            raise Refused(str(error)) from error
        if local(end) != "success":
            raise Refused(condition(end) or local(end))
        self.features = self.stream.open(self.domain)

    def _authenticate(self, user: str, password: str) -> Element:
        mechanism = next((name for name in _SCRAM if name in self.mechanisms), "")
        if not user:
            return self.exchange("ANONYMOUS", None)
        if not mechanism:
            return self.exchange("PLAIN", sasl.plain(user, password))
        scram = sasl.Scram(user, password, mechanism)
        end = self.exchange(mechanism, scram.first(), scram.final)
        if local(end) == "success" and not scram.is_proven_by(sasl.decoded(end)):
            raise Impostor(f"{self.domain} says success without knowing the password of {user}")
        return end

    def bind(self, resource: str) -> str:
        """Get a full JID."""
        answer = self.iq("set", "", f"<bind xmlns='{BIND}'><resource>{resource}</resource></bind>")
        self.jid = answer.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid", "")
        return self.jid

    def ask(self, kind: str, to: str, payload: str) -> str:
        """Send an IQ and do not wait; returns its id."""
        self._number += 1
        name = f"iq{self._number}"
        address = f" to={quoteattr(to)}" if to else ""
        self.stream.send(f"<iq xmlns='jabber:client' type='{kind}' id='{name}'{address}>{payload}</iq>")
        return name

    def answer(self, name: str) -> Element:
        """Wait for the answer to an IQ."""
        return self.wait("iq", such=lambda iq: iq.get("id") == name and iq.get("type") in {"result", "error"})

    def iq(self, kind: str, to: str, payload: str) -> Element:
        """Send an IQ and wait for the answer."""
        return self.answer(self.ask(kind, to, payload))

    def until_ping(self) -> list[Element]:
        """Return everything that the server had to say before it answers a ping, so that a silence needs no clock."""
        name = self.ask("get", self.domain, f"<ping xmlns='{PING}'/>")
        heard: list[Element] = []
        while True:
            element = self.stream.receive()
            if local(element) == "iq" and element.get("id") == name:
                return heard
            heard.append(element)

    def listen(self, seconds: float) -> list[Element]:
        """Return everything that comes within some seconds."""
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
