"""Reading XMPP elements: parsing, names without namespaces, conditions; and the namespaces that several modules use."""

from __future__ import annotations

from xml.etree import ElementTree as ET  # expat limits entity expansion

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"  # RFC 7395
STREAMS = "http://etherx.jabber.org/streams"  # of <stream:features> and <stream:error>
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SESSION = "urn:ietf:params:xml:ns:xmpp-session"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
DISCO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"


def parse(text: str) -> ET.Element:
    """Return one message as an element; raises ParseError.

    Prosody 13.0 does not declare the prefix of its stream errors over WebSocket, as RFC 7395 (section 3.3.3) has it:

    >>> parse("<stream:error><x/></stream:error>").tag
    '{http://etherx.jabber.org/streams}error'
    """
    try:
        return ET.fromstring(text)  # noqa: S314 (see the import)
    except ET.ParseError:
        if not text.startswith("<stream:"):
            raise
        return ET.fromstring(f"<x xmlns:stream='{STREAMS}'>{text}</x>")[0]  # noqa: S314


def local(element: ET.Element) -> str:
    """Return the name without its namespace.

    >>> local(parse("<a xmlns='b'/>"))
    'a'
    """
    return element.tag.rpartition("}")[2]


def condition(element: ET.Element) -> str:
    """Return what a failure, a stream error or a stanza of type error complains of: the name of its first child that is
    not a text ("" if there is none).
    """
    holder = next((child for child in element if local(child) == "error"), element)
    return next((local(child) for child in holder if local(child) != "text"), "")
