"""Participants who send what only the room, the focus or a moderator may say: each has to be shown as what they are."""

from __future__ import annotations

from hardener.proof.evidence.attack import Attack
from hardener.proof.evidence.occupants import CANARY, PLANTED
from hardener.proof.evidence.site import HOST
from hardener.proof.xmpp.muc import MUC, USER
from hardener.proof.xmpp.stub import Guest, Mallory

MISTAKEN = "occupants"  # what upstream as it is does under these attacks
WHO = ("who",)
BOTH = ("who", "real-mallory")
RECORDER = f"recorder.{HOST}"
_HIDDEN = f"config.hiddenDomain = '{RECORDER}';\n"


def item(jid: str = "", role: str = "moderator", affiliation: str = "owner") -> str:
    """Return a word of the room."""
    address = f"jid='{jid}' " if jid else ""
    return f"<x xmlns='{USER}'><item {address}role='{role}' affiliation='{affiliation}'/></x>"


def nested(inside: str, name: str = "z") -> str:
    """Nest an element in an unknown one."""
    return f"<{name} xmlns='urn:{name}'>{inside}</{name}>"


EMPTY = nested(f"<x xmlns='{USER}'/>")
MODERATOR = nested(item(f"mallory@{HOST}/m"))
_FOCUS = item(f"focus@auth.{HOST}/f")
_CODES = "".join(f"<status code='{code}'/>" for code in ("110", "301", "303", "307", "332"))
_NICK = "<nick xmlns='http://jabber.org/protocol/nick'>n{}</nick>"
# By nick: what a participant says in the first presence, and in a later one.
SAYINGS = {
    "a0000001": EMPTY,
    "a0000002": MODERATOR,
    "a0000003": nested(item()),
    "a0000004": nested(item(f"x@{RECORDER}/r", "participant", "none")),
    "a0000005": nested(nested(EMPTY, "y")),
    "a0000006": f"<jitsi_participant_a>v{item()}</jitsi_participant_a>",
    "a0000007": f"<stats-id>s<x xmlns='{USER}'/></stats-id>",
    "a0000008": f"<x xmlns='vcard-temp:x:update'><photo/><x xmlns='{USER}'/></x>",
    "a0000009": f"<features><feature var='f'><x xmlns='{USER}'/></feature></features>",
    "a000000a": nested(f"<x xmlns='{USER}'>{_CODES}</x>"),
    "a000000b": f"<p:z xmlns:p='urn:z'><q:x xmlns:q='{USER}'/></p:z>",
    "a000000c": "<flip_device/><z xmlns='urn:z'><flip_device xmlns='jabber:client'/></z>",
    "a000000d": _NICK.format(f"<x xmlns='{USER}'/>"),
    "a000000e": f"<x xmlns='{MUC}'><x xmlns='{USER}'/></x>",
    "a000000f": f"<x xmlns='urn:z'>{item()}</x><item xmlns='{USER}' role='moderator'/>",
    "a0000010": f"<status code='110'>s{item()}</status>",
    "a0000011": "<bot type='poltergeist'/>" + EMPTY,
    "a0000012": "<identity><user><id>alice</id></user></identity>" + MODERATOR,
}


def _guests(prefix: str, first: bool) -> tuple[Guest, ...]:
    return tuple(
        Guest(prefix + nick[1:], presence=said if first else "", after="" if first else said)
        for nick, said in SAYINGS.items()
    )


def _peer(name: str, text: str, journeys: tuple[str, ...], mallory: Mallory) -> Attack:
    return Attack(name, "peer", text, journeys, settings=_HIDDEN, mallory=mallory, expects=(MISTAKEN,))


PLANTED_OCCUPANT = Attack(
    CANARY,
    "none",
    "the server has one occupant that the page does not get",
    WHO,
    mallory=Mallory(company=(Guest(PLANTED, hidden=True),)),
)
_LEAVES = (
    Guest("c0000001", leave=nested(f"<x xmlns='{USER}'>{_CODES}<destroy/></x>")),
    Guest("c0000002", leave="<flip_device/>"),
    Guest("c0000003", leave="<status code='110'>s</status>"),
    Guest("c0000004", leave=nested("<ignore xmlns='http://jitsi.org/jitmeet/'/>")),
)
SPOOFS = (
    _peer(
        "spoofed-first",
        "participants claim to be others in their first presence",
        WHO,
        Mallory(company=_guests("a", first=True)),
    ),
    _peer("spoofed-later", "they do so in a later one", WHO, Mallory(company=_guests("b", first=False))),
    _peer("spoofed-focus", "one claims to be the focus", BOTH, Mallory(presence=nested(_FOCUS))),
    _peer("spoofed-empty", "one says nothing in the room's words", ("real-mallory",), Mallory(presence=EMPTY)),
    _peer("spoofed-moderator", "one claims to moderate", ("real-mallory",), Mallory(presence=MODERATOR)),
    Attack("spoofed-leave", "peer", "participants leave with words of the room", WHO, mallory=Mallory(company=_LEAVES)),
)
