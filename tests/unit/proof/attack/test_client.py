"""What the attack client reads in stanzas: the room's own word, and no participant's."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest

from hardener.proof.attack.client import Client, moderates, role
from hardener.proof.xmpp.muc import USER, codes, word_of_room

OWN = f"<x xmlns='{USER}'><item jid='bob@meet.test/b' role='participant' affiliation='none'/><status code='110'/></x>"
CLAIM = f"<x xmlns='{USER}'><item jid='focus@auth/f' role='moderator' affiliation='owner'/><status code='303'/></x>"
CLAIMS = {
    "nothing": "",
    "nested": f"<z xmlns='urn:z'>{CLAIM}</z>",
    "empty, nested": f"<z xmlns='urn:z'><x xmlns='{USER}'/></z>",
    "in a name": f"<nick xmlns='http://jabber.org/protocol/nick'>n{CLAIM}</nick>",
    "beside, before": CLAIM,
    "in another namespace": "<x xmlns='urn:z'><item role='moderator' affiliation='owner'/><status code='303'/></x>",
    "without a word around it": f"<item xmlns='{USER}' role='moderator' affiliation='owner'/><status code='303'/>",
}


def presence(inside: str) -> Element:
    return fromstring(f"<presence xmlns='jabber:client' from='r@muc/b'>{inside}</presence>")


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_role_is_what_the_room_says_last_and_directly(claim: str) -> None:
    told = presence(claim + OWN)
    assert role(told) == ("participant", "none")
    assert codes(told) == {"110"}
    assert not moderates(told)


def test_a_role_of_the_rooms_own_is_read() -> None:
    assert role(presence(CLAIM)) == ("moderator", "owner")
    assert moderates(presence(CLAIM))
    assert codes(presence(CLAIM)) == {"303"}


def test_a_presence_without_a_word_of_the_room_has_no_role() -> None:
    told = presence(f"<z xmlns='urn:z'>{CLAIM}</z>")
    assert word_of_room(told) is None
    assert (role(told), codes(told), moderates(told)) == (("", ""), frozenset(), False)


class Said:
    """A stream that says one thing, whatever it is told."""

    def __init__(self, text: str) -> None:
        self.text = text

    def send(self, _text: str) -> None: ...

    def receive(self) -> Element:
        return fromstring(self.text)


def test_mechanisms_and_address_are_read_where_they_belong() -> None:
    sasl, bind = "urn:ietf:params:xml:ns:xmpp-sasl", "urn:ietf:params:xml:ns:xmpp-bind"
    offered = f"<mechanisms xmlns='{sasl}'><mechanism>PLAIN</mechanism></mechanisms>"
    features = fromstring(f"<f><z xmlns='urn:z'><mechanism>ANONYMOUS</mechanism></z>{offered}</f>")
    given = f"<bind xmlns='{bind}'><jid>bob@meet.test/b</jid></bind>"
    client = Client(
        Said(f"<iq id='iq1' type='result'><z xmlns='urn:z'><jid>alice@meet.test/a</jid></z>{given}</iq>"), features, "m"
    )
    assert client.mechanisms == ("PLAIN",)
    assert client.bind("b") == "bob@meet.test/b"
