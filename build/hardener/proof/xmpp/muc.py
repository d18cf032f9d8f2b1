"""What a room itself says in the stanzas of its occupants (XEP-0045)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MUC = "http://jabber.org/protocol/muc"
USER = f"{MUC}#user"


def word_of_room(element: Element) -> Element | None:
    """The room's own word in an occupant's stanza: a direct child, and of several the last, which the room adds."""
    return next(reversed(element.findall(f"{{{USER}}}x")), None)


def item(element: Element) -> Element | None:
    """What the room says about the occupant: address, role, affiliation."""
    word = word_of_room(element)
    return word.find(f"{{{USER}}}item") if word is not None else None


def codes(element: Element) -> frozenset[str]:
    """The room's status codes in a presence (XEP-0045, section 15.6)."""
    word = word_of_room(element)
    statuses = word.iterfind(f"{{{USER}}}status") if word is not None else ()
    return frozenset(one.get("code", "") for one in statuses)
