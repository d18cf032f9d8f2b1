"""The XMPP stub's stanzas: signing in, the focus, the room, and Mallory."""

from __future__ import annotations

import base64
from xml.etree import ElementTree as ET

import pytest

from hardener.proof.xmpp import stub
from hardener.proof.xmpp.muc import USER, item, word_of_room
from hardener.proof.xmpp.sasl import SASL, encoded
from hardener.proof.xmpp.stanzas import FRAMING
from hardener.proof.xmpp.stub import Conversation, Door, Guest, Mallory

DOMAIN = "meet.example"
ROOM = f"room@conference.{DOMAIN}"
JOIN = f"<presence xmlns='jabber:client' to='{ROOM}/a1b2c3d4'><x xmlns='http://jabber.org/protocol/muc'/><stats-id>Ada-x1</stats-id></presence>"


def say(talk: Conversation, text: str) -> list[ET.Element]:
    return [ET.fromstring(stanza) for stanza in talk.answer(text)]


def signed_in(mallory: Mallory | None = None) -> Conversation:
    talk = Conversation(DOMAIN, mallory)
    say(talk, f"<open xmlns='{FRAMING}' to='{DOMAIN}'/>")
    (success,) = say(talk, f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
    assert success.tag == f"{{{SASL}}}success"
    return talk


def test_features_before_and_after_signing_in() -> None:
    talk = Conversation(DOMAIN)
    _open, features = say(talk, f"<open xmlns='{FRAMING}' to='{DOMAIN}'/>")
    assert [mechanism.text for mechanism in features.iter(f"{{{SASL}}}mechanism")] == ["ANONYMOUS", "SCRAM-SHA-1"]
    say(talk, f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
    _open, features = say(talk, f"<open xmlns='{FRAMING}' to='{DOMAIN}'/>")
    assert features[0].tag.endswith("bind")


def test_nobody_without_an_account_where_accounts_are_wanted() -> None:
    talk = Conversation(DOMAIN, features=frozenset({"accounts"}))
    _open, features = say(talk, f"<open xmlns='{FRAMING}' to='{DOMAIN}'/>")
    assert [mechanism.text for mechanism in features.iter(f"{{{SASL}}}mechanism")] == ["SCRAM-SHA-1"]
    (failure,) = say(talk, f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
    assert failure.tag.endswith("failure")


def test_unknown_mechanism_is_refused() -> None:
    (failure,) = say(Conversation(DOMAIN), f"<auth xmlns='{SASL}' mechanism='PLAIN'>x</auth>")
    assert failure[0].tag.endswith("invalid-mechanism")


def _plain(user: str, password: str) -> str:
    payload = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{payload}</auth>"


@pytest.mark.parametrize(
    ("user", "password", "ok"),
    [
        ("alice", stub.PASSWORD, True),
        ("bob", "bob-pw", True),
        ("bob", stub.PASSWORD, False),
        ("eve", "x", False),
    ],
)
def test_plain(user: str, password: str, *, ok: bool) -> None:
    talk = Conversation(DOMAIN, door=Door(("PLAIN",), {f"bob@{DOMAIN}": "bob-pw"}))
    (answer,) = say(talk, _plain(user, password))
    assert answer.tag.endswith("success" if ok else "failure")
    assert talk.account == (f"{user}@{DOMAIN}" if ok else "")


def test_a_domain_that_is_not_here_is_unknown() -> None:
    _open, error, _close = say(Conversation(DOMAIN), f"<open xmlns='{FRAMING}' to='example.org'/>")
    assert error[0].tag.endswith("host-unknown")


def test_an_account_of_a_second_domain() -> None:
    talk = Conversation(DOMAIN, door=Door(("PLAIN",), {"recorder@hidden.example": "pw"}))
    say(talk, f"<open xmlns='{FRAMING}' to='hidden.example'/>")
    (answer,) = say(talk, _plain("recorder", "pw"))
    assert answer.tag.endswith("success")
    assert talk.account == "recorder@hidden.example"


@pytest.mark.parametrize(("token", "ok"), [("good", True), ("forged", False), ("", False)])
def test_tokens(token: str, *, ok: bool) -> None:
    talk = Conversation(DOMAIN, door=Door(("ANONYMOUS",), tokens=frozenset({"good"})), token=token)
    (answer,) = say(talk, f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
    assert answer.tag.endswith("success" if ok else "failure")


def test_a_failing_and_a_silent_server() -> None:
    failing = Conversation(DOMAIN, door=Door(("PLAIN",), failure="temporary-auth-failure"))
    (answer,) = say(failing, _plain("alice", stub.PASSWORD))
    assert answer[0].tag.endswith("temporary-auth-failure")
    silent = Conversation(DOMAIN, door=Door(silent=True))
    assert say(silent, f"<open xmlns='{FRAMING}' to='{DOMAIN}'/>") == []


def test_a_password_in_legacy_authentication_is_heard() -> None:
    talk = Conversation(DOMAIN, door=Door(("ANONYMOUS",)))
    query = (
        f"<iq xmlns='jabber:client' type='set' id='1'><query xmlns='{stub.LEGACY}'><password>x</password></query></iq>"
    )
    (answer,) = say(talk, query)
    assert answer.get("type") == "result"
    assert talk.heard == [("legacy password", "x")]


def test_the_focus_is_ready() -> None:
    talk = signed_in()
    (iq,) = say(
        talk,
        f"<iq xmlns='jabber:client' type='set' id='1' to='focus.{DOMAIN}'><conference xmlns='{stub.FOCUS}'"
        f" room='{ROOM}' machine-uid='42'/></iq>",
    )
    assert (iq.get("type"), iq.get("id"), iq[0].get("ready"), iq[0].get("room")) == ("result", "1", "true", ROOM)
    assert ("machine-uid", "42") in talk.heard


def test_what_is_not_known_is_an_error() -> None:
    (iq,) = say(signed_in(), "<iq xmlns='jabber:client' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>")
    assert iq.get("type") == "error"
    assert say(signed_in(), "<iq xmlns='jabber:client' type='result' id='1'/>") == []


def test_join_alone() -> None:
    talk = signed_in()
    focus, own, subject = say(talk, JOIN)
    assert focus.get("from") == f"{ROOM}/focus"
    assert [status.get("code") for status in own.iter("{http://jabber.org/protocol/muc#user}status")] == ["110", "100"]
    assert subject.get("type") == "groupchat"
    assert ("stats-id", "Ada-x1") in talk.heard
    assert not talk.later


def test_mallory_comes_and_says_her_things_later() -> None:
    talk = signed_in(
        Mallory("<Mallory>", "<avatar-url>https://evil.example/</avatar-url>", ("gif[x]", "<b>"), "<cmd/>")
    )
    mallory = say(talk, JOIN)[-1]
    assert mallory.get("from") == f"{ROOM}/{stub.MALLORY}"
    assert mallory.findtext("{http://jabber.org/protocol/nick}nick") == "<Mallory>"
    assert mallory.findtext("{jabber:client}avatar-url") == "https://evil.example/"
    later = [ET.fromstring(stanza) for stanza in talk.later]
    assert [stanza.findtext("{jabber:client}body") for stanza in later[:2]] == ["gif[x]", "<b>"]
    assert later[2].find("{jabber:client}cmd") is not None


def test_an_update_of_the_presence_comes_back_once() -> None:
    talk = signed_in(Mallory())
    say(talk, JOIN)
    assert len(say(talk, JOIN)) == 1


def test_company_comes_in_the_rooms_own_word_last_and_the_list_holds_those_who_stay() -> None:
    claim = f"<z xmlns='urn:z'><x xmlns='{USER}'/></z>"
    company = (
        Guest("a1", presence=claim),
        Guest("a2", after=claim),
        Guest("a3", leave=claim),
        Guest("a4", hidden=True),
    )
    talk = signed_in(Mallory(company=company))
    told = {
        stanza.get("from", "").partition("/")[2]: stanza
        for stanza in say(talk, JOIN)
        if stanza.tag.endswith("presence")
    }
    assert set(told) >= {"a1", "a2", "a3"}
    assert "a4" not in told
    assert next(told["a1"].iter(f"{{{USER}}}x")) is not word_of_room(told["a1"])
    assert item(told["a1"]).get("jid") == f"guest-a1@{DOMAIN}/g"
    later = [ET.fromstring(stanza) for stanza in talk.later]
    assert [(stanza.get("from", "").partition("/")[2], stanza.get("type")) for stanza in later] == [
        ("a2", None), ("a3", "unavailable"), ("focus", "get"),
    ]  # fmt: skip
    assert set(talk.occupants) == {stub.MALLORY, "a1", "a2", "a4"}


def test_the_list_is_final_once_the_client_has_answered_the_last_question() -> None:
    talk = signed_in(Mallory())
    say(talk, JOIN)
    assert not talk.settled
    say(talk, f"<iq xmlns='jabber:client' type='result' id='{stub.LAST}'/>")
    assert talk.settled


@pytest.mark.parametrize(("kind", "fields"), [("get", ["muc#roomconfig_roomsecret"]), ("set", [])])
def test_room_can_be_locked(kind: str, fields: list[str]) -> None:
    talk = signed_in()
    (result,) = say(
        talk,
        f"<iq xmlns='jabber:client' type='{kind}' id='1' to='{ROOM}'><query xmlns='{stub.OWNER}'/></iq>",
    )
    assert result.get("type") == "result"
    assert [field.get("var") for field in result.iter("{jabber:x:data}field")] == fields


@pytest.mark.parametrize("first", ["", "n,,", "n,a=focus,n=alice,r=x", "n=alice,r=x"])
def test_scram_that_is_not_valid_is_refused(first: str) -> None:
    talk = Conversation(DOMAIN)
    (answer,) = say(talk, f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>{encoded(first)}</auth>")
    assert answer[0].tag == f"{{{SASL}}}malformed-request"


def test_a_response_that_answers_no_challenge_is_refused() -> None:
    talk = Conversation(DOMAIN)
    (answer,) = say(talk, f"<response xmlns='{SASL}'>{encoded('c=biws,r=x,p=AAAA')}</response>")
    assert answer[0].tag == f"{{{SASL}}}malformed-request"
    assert not talk.account
