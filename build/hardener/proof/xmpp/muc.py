"""Rooms (XEP-0045): presences, and what a room itself says in those of its occupants."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hardener.proof.xmpp.stanzas import local

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MUC = "http://jabber.org/protocol/muc"
USER = f"{MUC}#user"


def word_of_room(element: Element) -> Element | None:
    """Return the room's own word in an occupant's stanza: a direct child, and of several the last, which the room
    adds.
    """
    return next(reversed(element.findall(f"{{{USER}}}x")), None)


def item(element: Element) -> Element | None:
    """Return what the room says about the occupant: address, role, affiliation."""
    word = word_of_room(element)
    return word.find(f"{{{USER}}}item") if word is not None else None


def codes(element: Element) -> frozenset[str]:
    """Return the room's status codes in a presence (XEP-0045, section 15.6)."""
    word = word_of_room(element)
    statuses = word.iterfind(f"{{{USER}}}status") if word is not None else ()
    return frozenset(status.get("code", "") for status in statuses)


def presence(to: str, inside: str = "", kind: str = "") -> str:
    """Return a presence stanza."""
    return f"<presence xmlns='jabber:client' to={quoteattr(to)}{f' type={kind!r}' if kind else ''}>{inside}</presence>"


def own_presence(heard: list[Element], room: str, nick: str) -> Element | None:
    """Return the last thing that a room said about one's own seat."""
    found = None
    for element in heard:
        sender = element.get("from", "")
        if local(element) == "presence" and (sender == f"{room}/{nick}" or (sender == room and element.get("type"))):
            found = element
    return found


def role(element: Element) -> tuple[str, str]:
    """Return role and affiliation in a room's presence."""
    told = item(element)
    return ("", "") if told is None else (told.get("role", ""), told.get("affiliation", ""))


def moderates(element: Element | None) -> bool:
    """Return whether this presence makes its subject a moderator, an admin or an owner."""
    if element is None:
        return False
    is_role, affiliation = role(element)
    return is_role == "moderator" or affiliation in {"owner", "admin"}
