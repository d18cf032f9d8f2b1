"""The XMPP client: logins and their refusals, and what it reads in stanzas: the room's own word, and no
participant's.
"""

from __future__ import annotations

import re
from typing import ClassVar
from xml.etree.ElementTree import Element, fromstring

import pytest

from hardener.proof.xmpp import sasl, stub
from hardener.proof.xmpp.client import Client, Impostor, Refused
from hardener.proof.xmpp.muc import USER, codes, moderates, role, word_of_room
from hardener.proof.xmpp.stub import Conversation, Door
from support.stub_stream import StubStream

DOMAIN = "meet.test"
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
    """A stream that says one thing, whatever it is sent."""

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


def arrived(door: Door) -> tuple[Client, StubStream]:
    """Return a client at the stub, before the login; its stream."""
    stream = StubStream(Conversation(DOMAIN, door=door))
    return Client(stream, stream.open(DOMAIN), DOMAIN), stream


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"])
def test_who_has_the_password_gets_in_and_who_has_not_does_not(mechanism: str) -> None:
    client, stream = arrived(Door((mechanism,)))
    client.log_in(stub.USER, stub.PASSWORD)
    assert client.bind("r").startswith(f"{stub.USER}@{DOMAIN}/")
    assert f"mechanism='{mechanism}'" in "".join(stream.sent)
    for user, password in ((stub.USER, "wrong"), ("nobody", stub.PASSWORD), (stub.USER, "")):
        client, stream = arrived(Door((mechanism,)))
        with pytest.raises(Refused, match=r"^not-authorized$"):
            client.log_in(user, password)
        assert not stream.talk.account


def test_the_strongest_mechanism_on_offer_is_used_whatever_comes_first() -> None:
    client, stream = arrived(Door(("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "ANONYMOUS")))
    client.log_in(stub.USER, stub.PASSWORD)
    assert re.findall(r"mechanism='([^']+)'", "".join(stream.sent)) == ["SCRAM-SHA-256"]


def test_without_a_name_the_login_is_anonymous() -> None:
    client, stream = arrived(Door(("ANONYMOUS",)))
    client.log_in()
    assert stream.talk.account.endswith(f"@{DOMAIN}")


@pytest.mark.parametrize("said", ["", "v==", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "e=other-error"])
def test_a_success_without_proof_is_an_impostors(said: str) -> None:
    client, stream = arrived(Door(("SCRAM-SHA-1",), unproven=said))
    with pytest.raises(Impostor, match="without knowing the password"):
        client.log_in(stub.USER, stub.PASSWORD)
    assert len(stream.sent) == 2, "nothing is said to an impostor"


def test_an_impostor_that_answers_the_proof_with_another_signature_is_found() -> None:
    client, stream = arrived(Door(("SCRAM-SHA-1",)))
    answer = stream.talk.answer

    def forged(text: str) -> list[str]:
        return [
            re.sub(r"(<success[^>]*>)[^<]+", rf"\1{sasl.encoded('v=' + 'A' * 27 + '=')}", said) for said in answer(text)
        ]

    stream.talk.answer = forged
    with pytest.raises(Impostor):
        client.log_in(stub.USER, stub.PASSWORD)


@pytest.mark.parametrize(
    "challenge", ["?", "", sasl.encoded("r=foreign,s=QSXCR+Q6sek8bf92,i=4096"), sasl.encoded("i=1")]
)
def test_a_challenge_that_is_not_valid_is_a_refusal_and_gets_no_proof(challenge: str) -> None:
    client, stream = arrived(Door(("SCRAM-SHA-1",)))
    stream.talk.answer = lambda _text: [f"<challenge xmlns='{sasl.SASL}'>{challenge}</challenge>"]
    with pytest.raises(Refused):
        client.log_in(stub.USER, stub.PASSWORD)
    assert len(stream.sent) == 2


def test_what_comes_while_another_element_is_waited_for_goes_aside() -> None:
    class Curious(Client):
        heard: ClassVar[list[str]] = []

        def aside(self, element: Element) -> None:
            self.heard.append(element.get("id", ""))

    stream = StubStream(Conversation(DOMAIN))
    client = Curious(stream, Element("features"), DOMAIN)
    for kind, name in (("get", "1"), ("result", "other"), ("result", "iq1")):
        stream.waiting.append(f"<iq xmlns='jabber:client' type='{kind}' id='{name}'/>")
    stream.talk.answer = lambda _text: []
    assert client.iq("get", "", "<x/>").get("id") == "iq1"
    assert client.heard == ["1", "other"]
