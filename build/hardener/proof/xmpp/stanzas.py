"""Names and conditions of XMPP elements, without their namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def local(element: Element) -> str:
    """The name without its namespace.

    >>> from xml.etree.ElementTree import fromstring
    >>> local(fromstring("<a xmlns='b'/>"))
    'a'
    """
    return element.tag.rpartition("}")[2]


def condition(element: Element) -> str:
    """What a failure, a stream error or a stanza of type error complains of: the name of its first child that is not
    a text ("" if there is none).
    """
    holder = next((child for child in element if local(child) == "error"), element)
    return next((local(child) for child in holder if local(child) != "text"), "")
