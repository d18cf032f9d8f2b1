"""mod_muc_known_stanzas on a real Prosody: what others receive of a participant, and what a service may say."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from hardener.proof.xmpp.muc import MUC, USER
from support import prosody_server
from support.people import Person, people
from support.prosody_server import CLOSED, DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.attack
CLIENT = "jabber:client"
MODULE = "muc_known_stanzas"
ALICE, BOB, CAROL = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))
NAMED = f'named_hosts = {{ "{ALICE}" }}\n'
STRICT = CLOSED.but(muc_modules=("muc_named_hosts", MODULE), muc=NAMED)
LAX = CLOSED.but(muc_modules=("muc_named_hosts",), muc=NAMED)
ITEM = f"<x xmlns='{USER}'><item jid='focus@focus.{DOMAIN}/f' role='moderator' affiliation='owner'/></x>"
# Of a participant who does not moderate: what is sent inside of a presence, and which direct children arrive.
PRESENCES = {
    "an empty item, nested": (f"<z xmlns='urn:z'><x xmlns='{USER}'/></z>", ()),
    "an item, nested": (f"<z xmlns='urn:z'>{ITEM}</z>", ()),
    "an item, nested in what is known": (f"<nick xmlns='http://jabber.org/protocol/nick'>n{ITEM}</nick>", ("nick",)),
    "an item, nested in the join": (f"<x xmlns='{MUC}'>{ITEM}</x>", ()),
    "an item in a property": (f"<jitsi_participant_a>v{ITEM}</jitsi_participant_a>", ("jitsi_participant_a",)),
    "an item in features": (f"<features><feature var='f'>{ITEM}</feature>{ITEM}</features>", ("features",)),
    "a property in features": ("<features><jitsi_participant_a>v</jitsi_participant_a></features>", ("features",)),
    "a known name in a foreign namespace": ("<nick xmlns='urn:z'>n</nick><SourceInfo xmlns='urn:z'>{}</SourceInfo>", ()),
    "a prefix": (f"<p:x xmlns:p='urn:z'><q:x xmlns:q='{USER}'/></p:x>", ()),
    "an avatar element of another protocol": ("<x xmlns='vcard-temp:x:update'><photo/></x>", ()),
    "a status with a code": ("<status code='110'>s<status code='301'/></status>", ("status",)),
    "statistics with an item": (f"<stats-id>s{ITEM}</stats-id>", ("stats-id",)),
    "a second name": ("<email>a@b</email><email>c@d</email>", ("email",)),
    "the focus' properties": ("<conference-properties><property key='a' value='b'/></conference-properties>", ()),
    "no bridge": ("<bridgeNotAvailable/>", ()),
    "versions": ("<versions xmlns='http://jitsi.org/jitmeet'><component name='focus'>1</component></versions>", ()),
    "a document": ("<etherpad>https://pad.example/p</etherpad>", ()),
    "a phone number": ("<call-control phone='1' pin='2'/>", ()),
    "a transcription": ("<transcription-status xmlns='http://jitsi.org/jitmeet/transcription-status' status='ON'/>", ()),
    "a machine": ("<bot type='poltergeist'/><jibri-sip-call-state state='on' sipaddress='s'/>", ()),
    "an identity": ("<identity><user><id>alice</id><name>Alice</name></user></identity>", ()),
    "a change of devices": ("<flip_device/>", ()),
    "a moderator's commands": (
        ("<follow-me tileViewEnabled='true'/><startmuted xmlns='http://jitsi.org/jitmeet/start-muted' audio='true'/>"
        "<mute-reactions startReactionsMuted='true'/>"),
        (),
    ),
    "permissions": ("<permissions xmlns='http://jitsi.org/jitmeet'><p name='a' val='true'/></permissions>", ()),
    "what a client sends": (
        ("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/><stats-id>Ada-x</stats-id>"
        "<features><feature var='https://jitsi.org/meet/e2ee'/></features><SourceInfo>{\"a-v0\":{}}</SourceInfo>"
        "<nick xmlns='http://jabber.org/protocol/nick'>Bob</nick><email>b@x</email><avatar-url>a</avatar-url>"
        "<silent xmlns='http://jitsi.org/protocol/silent'>true</silent><priority>1</priority><show>away</show>"
        "<jitsi_participant_codecList>av1,vp9</jitsi_participant_codecList><status>here</status>"
        "<jitsi_participant_e2ee.idKey.ed25519>k</jitsi_participant_e2ee.idKey.ed25519>"
        "<shared-video from='b' state='start' time='0' muted='false'>https://v/a.mp4</shared-video>"
        "<audiomuted xmlns='http://jitsi.org/jitmeet/audio'>true</audiomuted><videomuted>true</videomuted>"),
        (
            "c", "stats-id", "features", "SourceInfo", "nick", "email", "avatar-url", "silent", "priority", "show",
            "jitsi_participant_codecList", "status", "jitsi_participant_e2ee.idKey.ed25519", "shared-video",
            "audiomuted", "videomuted",
        ),
    ),
}  # fmt: skip
JSON = "<json-message xmlns='http://jitsi.org/jitmeet'>{}</json-message>"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2000-01-01T00:00:00Z'/>"
NAME = "<display-name xmlns='http://jitsi.org/protocol/display-name' source='visitor'>Alice</display-name>"
ADDRESSES = "<addresses xmlns='http://jabber.org/protocol/address'><address type='ofrom' jid='a@b'/></addresses>"
INVITE = f"<x xmlns='{USER}'><invite from='{ALICE}'/><status code='104'/></x>"
MESSAGES = {
    "a nested body": ("<z xmlns='urn:z'><body xmlns='jabber:client'>b</body></z>", ()),
    "an item in a body": (f"<body>b{ITEM}</body>", ("body",)),
    "another name, time and sender": (f"<body>b</body>{NAME}{DELAY}{ADDRESSES}", ("body",)),
    "a subject beside a body": ("<subject>s</subject><body>b</body>", ("body",)),
    "a subject beside a thread": ("<subject>s</subject><thread>t</thread>" + JSON, ("json-message",)),
    "a word of the room": (f"<body>b</body>{INVITE}", ("body",)),
    "settings refused": ("<settings-error><text>t</text></settings-error><body>b</body>", ("body",)),
    "services of the server": ("<services xmlns='urn:xmpp:extdisco:2'/><query/><body>b</body>", ("body",)),
    "a reaction with more inside": (
        (
            "<reactions xmlns='urn:xmpp:reactions:0' id='i'><reaction>x<z xmlns='urn:z'/></reaction></reactions>"
            "<store xmlns='urn:xmpp:hints'/>"
        ),
        ("reactions", "store"),
    ),
    "what a client sends": (f"<body>b</body><reply to='r'/>{JSON}", ("body", "reply", "json-message")),
}


def running(folder, setup) -> Iterator[tuple[Person, Person]]:
    """Alice, who moderates, and Bob, who does not, in one room."""
    for server in prosody_server.serve(folder, setup):
        with people(server, "alice", "bob") as (alice, bob):
            alice.ask_focus()
            alice.join()
            bob.join()
            alice.client.until_ping()
            yield alice, bob


@pytest.fixture(scope="module")
def strict(tmp_path_factory) -> Iterator[tuple[Person, Person]]:
    yield from running(tmp_path_factory.mktemp("strict"), STRICT)


@pytest.fixture(scope="module")
def lax(tmp_path_factory) -> Iterator[tuple[Person, Person]]:
    yield from running(tmp_path_factory.mktemp("lax"), LAX)


def heard(sender: Person, receiver: Person, stanza: str, name: str) -> list[ET.Element]:
    """Send one stanza; what arrives of this name at another person from the sender's place in the room."""
    sender.client.stream.send(stanza)
    sender.client.until_ping()
    place = f"{sender.room}/{sender.user}"
    got = receiver.client.until_ping()
    return [element for element in got if element.tag == f"{{{CLIENT}}}{name}" and element.get("from") == place]


def update(sender: Person, receiver: Person, inside: str, kind: str = "") -> list[ET.Element]:
    """Update a presence."""
    attributes = f" type='{kind}'" if kind else ""
    stanza = f"<presence xmlns='{CLIENT}' to='{sender.room}/{sender.user}'{attributes}>{inside}</presence>"
    return heard(sender, receiver, stanza, "presence")


def write(sender: Person, receiver: Person, inside: str, kind: str, to: str = "") -> list[ET.Element]:
    """Write a message to the room, or to a person in it."""
    to = f"{sender.room}/{to}" if to else sender.room
    stanza = f"<message xmlns='{CLIENT}' to='{to}' type='{kind}' id='m'>{inside}</message>"
    return heard(sender, receiver, stanza, "message")


def names(element: ET.Element) -> list[str]:
    """Return the direct children, but for what Prosody itself adds."""
    added = {f"{{{USER}}}x", "{urn:xmpp:occupant-id:0}occupant-id"}
    return [child.tag.rpartition("}")[2] for child in element if child.tag not in added]


def items(element: ET.Element) -> list[str]:
    """Whose address each item anywhere in a stanza names."""
    return [item.get("jid", "") for item in element.iter(f"{{{USER}}}item")]


def same(left: ET.Element, right: ET.Element) -> bool:
    """Equal but for prefixes and the order of attributes."""
    return ET.canonicalize(ET.tostring(left)) == ET.canonicalize(ET.tostring(right))


def clean(got: ET.Element, expected: tuple[str, ...], jid: str) -> bool:
    """These children and no others, flat but for lists of features; one word of the room, about whom it is."""
    inner = [child for part in got if part.tag != f"{{{USER}}}x" for child in part]
    flat = all(child.tag == f"{{{CLIENT}}}feature" and not len(child) for child in inner)
    codes = [status.get("code") for status in got.iter(f"{{{CLIENT}}}status") if status.get("code")]
    return names(got) == list(expected) and items(got) == [jid] and flat and not codes


@pytest.mark.parametrize("name", PRESENCES)
def test_of_a_presence_only_known_children_arrive_and_nothing_unknown_inside_of_them(strict, name) -> None:
    alice, bob = strict
    inside, expected = PRESENCES[name]
    (got,) = update(bob, alice, inside)
    assert clean(got, expected, bob.client.jid), ET.tostring(got)


def test_control_without_the_module_all_of_it_arrives(lax) -> None:
    alice, bob = lax
    harmless = {
        name
        for name, (inside, expected) in PRESENCES.items()
        if clean(update(bob, alice, inside)[0], expected, bob.client.jid)
    }
    # What belongs to the room or to a join Prosody takes out itself, where it is a direct child.
    assert harmless == {"what a client sends", "an item, nested in the join"}


def test_the_reported_presences_come_out_as_the_room_says_and_without_the_module_they_do_not(strict, lax) -> None:
    for (alice, bob), right in ((strict, True), (lax, False)):
        for item in ("", f"<item jid='focus@focus.{DOMAIN}/f' role='moderator' affiliation='owner'/>"):
            inside = f"<x xmlns='{MUC}'/><z xmlns='urn:z'><x xmlns='{USER}'>{item}</x></z>"
            (got,) = update(bob, alice, inside)
            first = next(got.iter(f"{{{USER}}}x"))
            assert [child.get("jid") == bob.client.jid for child in first] == (
                [True] if right else [False] * bool(item)
            )


def test_what_a_client_sends_arrives_unchanged(strict) -> None:
    alice, bob = strict
    inside, expected = PRESENCES["what a client sends"]
    (got,) = update(bob, alice, inside)
    sent = ET.fromstring(f"<presence xmlns='{CLIENT}'>{inside}</presence>")
    kept = [child for child in got if child.tag.rpartition("}")[2] in expected]
    assert all(same(child, other) for child, other in zip(kept, sent, strict=True))


def test_whoever_comes_in_is_seen_as_the_room_says_from_the_first_presence_on(prosody) -> None:
    with people(prosody(STRICT), "alice", "bob") as (alice, bob):
        alice.ask_focus()
        alice.join()
        alice.client.until_ping()
        stanza = (
            f"<presence xmlns='{CLIENT}' to='{bob.room}/bob'><z xmlns='urn:z'>{ITEM}</z><x xmlns='{MUC}'/></presence>"
        )
        (got,) = heard(bob, alice, stanza, "presence")
        assert clean(got, (), bob.client.jid)
        bob.leave()
        (gone,) = (element for element in alice.client.until_ping() if element.get("type") == "unavailable")
        assert names(gone) == []


def test_a_moderators_commands_arrive_and_only_a_moderators(strict) -> None:
    alice, bob = strict
    inside, _expected = PRESENCES["a moderator's commands"]
    (got,) = update(alice, bob, inside)
    assert names(got) == ["follow-me", "startmuted", "mute-reactions"]


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("private", [False, True], ids=["to all", "private"])
def test_of_a_message_only_known_children_arrive(strict, name, private) -> None:
    alice, bob = strict
    inside, expected = MESSAGES[name]
    (got,) = write(bob, alice, inside, "chat", "alice") if private else write(bob, alice, inside, "groupchat")
    assert names(got) == list(expected)
    assert items(got) == []
    assert not any(len(child) for part in got for child in part)


def test_control_without_the_module_a_body_carries_a_subject_and_another_time(lax) -> None:
    alice, bob = lax
    (got,) = write(bob, alice, f"<subject>s</subject><body>b</body>{DELAY}", "groupchat")
    assert names(got) == ["subject", "body", "delay"]


def test_the_subject_is_changed_by_moderators_alone(strict) -> None:
    alice, bob = strict
    assert write(bob, alice, "<subject>from Bob</subject>", "groupchat") == []
    assert write(bob, alice, "<subject>from Bob</subject>", "chat", "alice")[0].find(f"{{{CLIENT}}}subject") is None
    (got,) = write(alice, bob, f"<subject>from Alice{ITEM}</subject><z xmlns='urn:z'/>", "groupchat")
    assert [stanza.text for stanza in got] == ["from Alice"]


def test_an_error_says_its_condition_and_no_word_more(strict) -> None:
    alice, bob = strict
    condition = "<not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    text = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>The server says</text>"
    inside = (
        "<settings-error><text>t</text></settings-error><error type='cancel'>"
        f"{INVITE}{DELAY}<body>b</body><text>t</text><flip_device/>{condition}{text}</error><body>b</body>"
    )
    (got,) = write(bob, alice, inside, "error", "alice")
    assert names(got) == ["error"]
    assert [child.tag.rpartition("}")[2] for child in got[0]] == ["not-allowed"]


def test_an_invitation_holds_the_invitation_and_nothing_else(prosody) -> None:
    with people(prosody(STRICT), "alice", "carol") as (alice, carol):
        alice.ask_focus()
        alice.join()
        carol.client.stream.send(f"<presence xmlns='{CLIENT}'/>")
        carol.client.until_ping()
        x = f"<x xmlns='{USER}'><invite to='{carol.client.jid}'><reason>r{ITEM}</reason></invite><password>p</password></x>"
        invite = f"<message xmlns='{CLIENT}' to='{alice.room}'>{x}{JSON}<body>The server says</body></message>"
        alice.client.stream.send(invite)
        alice.client.until_ping()
        (got,) = (stanza for stanza in carol.client.until_ping() if stanza.get("from") == alice.room)
        assert [child.get("from") for child in got.iter(f"{{{USER}}}invite")] == [alice.client.jid]
        assert (items(got), got.find(f"{{{USER}}}x/{{{USER}}}password")) == ([], None)
        assert "The server says" not in ET.tostring(got, "unicode")
        assert "json-message" not in names(got)


JINGLE = (
    "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'><content creator='initiator' name='0'>"
    "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus'/></description>"
    "{}</content></jingle>"
)


@pytest.mark.parametrize(
    ("payload", "arrives"),
    [
        ("<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>", True),
        ("<ping xmlns='urn:xmpp:ping'/>", True),
        ("<mute xmlns='http://jitsi.org/jitmeet/audio' actor='alice'>true</mute>", False),
        ("<mute xmlns='http://jitsi.org/jitmeet/video'>true</mute>", False),
        ("<jibri xmlns='http://jitsi.org/protocol/jibri' action='start'/>", False),
        ("<conference xmlns='http://jitsi.org/protocol/focus'/>", False),
        ("<query xmlns='http://jabber.org/protocol/muc#owner'/>", False),
    ],
    ids=["features", "ping", "mute", "mute picture", "record", "conference", "room"],
)
def test_participants_ask_each_other_for_features_and_calls_alone(strict, payload, arrives) -> None:
    alice, bob = strict
    ask = f"<iq xmlns='{CLIENT}' type='set' id='q' to='{bob.room}/alice'>{payload}</iq>"
    got = heard(bob, alice, ask, "iq")
    assert [len(stanza) for stanza in got] == ([1] if arrives else [])


def test_a_call_arrives_without_what_belongs_to_room_or_focus(strict) -> None:
    alice, bob = strict
    foreign = f"{ITEM}<bridge-session xmlns='http://jitsi.org/protocol/focus' id='1'/><mute xmlns='{CLIENT}'/><xml:z/>"
    ask = f"<iq xmlns='{CLIENT}' type='set' id='q' to='{bob.room}/alice'>{JINGLE.format(foreign)}</iq>"
    (got,) = heard(bob, alice, ask, "iq")
    assert same(got[0], ET.fromstring(JINGLE.format("")))


def test_no_call_is_deeper_than_a_browser_reads(strict) -> None:
    alice, bob = strict
    deep = "<a xmlns='urn:a'>" + "<a>" * 6000 + "</a>" * 6001
    ask = f"<iq xmlns='{CLIENT}' type='set' id='q' to='{bob.room}/alice'>{JINGLE.format(deep)}</iq>"
    (got,) = heard(bob, alice, ask, "iq")
    assert 0 < len(list(got.iter("{urn:a}a"))) < 40


def test_services_are_left_alone_and_so_are_requests_to_the_focus(prosody) -> None:
    server = prosody(STRICT.but(muc=f'{NAMED}known_stanzas_services = {{ "{CAROL}" }}'))
    with people(server, "alice", "carol") as (alice, carol):
        alice.ask_focus()
        alice.join()
        carol.join()
        alice.client.until_ping()
        inside = PRESENCES["a transcription"][0]
        assert names(update(carol, alice, inside)[0]) == ["transcription-status"]
        assert names(update(alice, carol, inside)[0]) == []
        mute = f"<mute xmlns='http://jitsi.org/jitmeet/audio' jid='{alice.room}/carol'>true</mute>"
        ask = f"<iq xmlns='{CLIENT}' type='set' id='q' to='{alice.room}/focus'>{mute}</iq>"
        alice.client.stream.send(ask)
        alice.client.until_ping()
        server.wait_for("election of the first one in: set")  # the stand-in logs what reaches it


def test_what_another_module_judges_passes_where_it_is_loaded(prosody) -> None:
    inside = PRESENCES["an identity"][0] + "<flip_device/>"
    muc_modules = (*STRICT.muc_modules, "muc_flip")
    server = prosody(STRICT.but(muc_modules=muc_modules, main_modules=("presence_identity",)))
    with people(server, "alice", "bob") as (alice, bob):
        alice.ask_focus()
        alice.join()
        alice.client.until_ping()
        stanza = f"<presence xmlns='{CLIENT}' to='{bob.room}/bob'>{inside}<x xmlns='{MUC}'/></presence>"
        (got,) = heard(bob, alice, stanza, "presence")
        assert names(got) == ["identity", "flip_device"]
        assert names(update(bob, alice, inside)[0]) == ["identity"]  # an update is not a join


def test_operators_name_further_elements(prosody) -> None:
    with people(prosody(STRICT.but(muc=f'{NAMED}known_stanzas_presence = {{ "my-own" }}')), "alice", "bob") as (
        alice,
        bob,
    ):
        alice.ask_focus()
        alice.join()
        bob.join()
        alice.client.until_ping()
        (got,) = update(bob, alice, f"<my-own a='1'>t{ITEM}</my-own><my-other/>")
        assert names(got) == ["my-own"]
        assert items(got) == [bob.client.jid]


def test_a_leave_holds_its_reason_and_cannot_be_made_ignored(prosody) -> None:
    with people(prosody(STRICT), "alice", "bob") as (alice, bob):
        alice.ask_focus()
        alice.join()
        bob.join()
        alice.client.until_ping()
        inside = (
            f"<ignore xmlns='http://jitsi.org/jitmeet/'/><status code='110'>switch_room</status><flip_device/>{ITEM}"
        )
        inside += f"<z xmlns='urn:z'><x xmlns='{USER}'><status code='307'/><destroy/></x></z>"
        (got,) = update(bob, alice, inside, "unavailable")
        assert names(got) == ["status"]
        assert [element.get("code") for element in got.iter() if element.get("code")] == []
        assert got.findtext(f"{{{CLIENT}}}status") == "switch_room"


@pytest.mark.parametrize(
    ("field", "value"), [("whois", "moderators"), ("presencebroadcast", "moderator")], ids=["addresses", "presences"]
)
def test_no_moderator_keeps_from_participants_who_is_there(prosody, field, value) -> None:
    told = {}
    for name, setup in (("strict", STRICT), ("lax", LAX)):
        with people(prosody(setup), "alice", "bob", "carol") as (alice, bob, carol):
            alice.ask_focus()
            alice.join()
            bob.join()
            form = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
            form += f"<field var='muc#roomconfig_{field}'><value>{value}</value></field>"
            query = f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'>{form}</x></query>"
            assert alice.client.iq("set", alice.room, query).get("type") == "result"
            bob.client.until_ping()
            carol.join()
            seen = [stanza for stanza in bob.client.until_ping() if stanza.get("from") == f"{bob.room}/carol"]
            told[name] = [items(stanza) for stanza in seen]
            jid = carol.client.jid
        assert told[name] == ([[jid]] if name == "strict" else [[""]] if field == "whois" else [])


def test_nobody_takes_a_name_that_pages_give_to_things_of_their_own(prosody) -> None:
    """Neither on coming in nor later; the name in each presence of hers is the one that she came with."""
    names = ("local", "Local", "whiteboard", "localScreenShare", "__proto__", "constructor", "toString", "a b", "a-v1")
    taken = {}
    for name, setup in (("strict", STRICT), ("lax", LAX)):
        with people(prosody(setup), "alice", "carol") as (alice, carol):
            alice.ask_focus()
            alice.join()
            came = {nick: carol.client.join(carol.room, nick) for nick in (*names, "abcdef01", *names)}
            taken[name] = {nick for nick, told in came.items() if told is not None and told.get("type") != "error"}
            seen = {stanza.get("from", "").partition("/")[2] for stanza in alice.client.until_ping()}
            assert seen & {*names, "abcdef01"} == taken[name]
    assert taken == {"strict": {"abcdef01"}, "lax": {*names, "abcdef01"}}
