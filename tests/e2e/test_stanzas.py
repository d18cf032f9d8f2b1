"""What the library makes of stanzas that another participant has written. 'unpatched' is the control.

Each stanza arrives as a server delivers it: of a client's presence, the server takes away the direct children in the
room's own namespaces and appends one of its own; the rest it hands on as it is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from hardener.proof.xmpp.stub import MALLORY, Mallory

from .conftest import PREJOIN, join
from .test_lib import HELPERS, VARIANTS, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from .conftest import Visit, Xmpp

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

USER = "http://jabber.org/protocol/muc#user"
ROOM = "room@muc.x.invalid"
MALLORYS = f"{ROOM}/mallory"
FOCUS = f"{ROOM}/focus"
SERVERS = f"<x xmlns='{USER}'><item affiliation='none' role='participant' jid='mallory@x.invalid/m'/></x>"

# One conference for each list of stanzas. They take the way that a frame of the WebSocket takes, or an answer of BOSH.
ENTRANCE = """
const { createElementNS } = Document.prototype;
Document.prototype.createElementNS = function(namespace, name) { // browsers differ in the names that they read and make
    if (name === 'unmakeable') throw new DOMException(name, 'InvalidCharacterError');
    return createElementNS.call(this, namespace, name);
};
// Each conference writes hundreds of lines, which nobody reads.
for (const level of [ 'debug', 'info', 'log', 'trace', 'warn' ]) console[level] = () => undefined;
window.enter = async ({ stanzas, way, calls }) => {
    const bosh = way === 'bosh';
    const serviceUrl = bosh ? 'https://x.invalid/http-bind' : 'wss://x.invalid/xmpp-websocket';
    const connection = connectionTo({ focusUserJid: 'focus@auth.x.invalid', serviceUrl });
    if (bosh) { // nobody answers: as if the login were done
        const wire = connection.xmpp.connection._stropheConn;
        Object.assign(wire, { authenticated: true, connected: true, domain: 'x.invalid', jid: 'somebody@x.invalid/r' });
    } else {
        await login(connection, 'password');
    }
    const conference = connection.initJitsiConference('room', { hiddenDomain: 'hidden.x.invalid', p2p: { enabled: calls } });
    const { room } = conference;
    const { connection: wire } = connection.xmpp;
    const strophe = wire._stropheConn;
    const parse = text => new DOMParser().parseFromString(text, 'text/xml').documentElement;
    const heard = [];
    const sent = [];
    const answers = [];
    connection.xmpp._components.push('component.x.invalid');
    for (const emitter of new Set([ room.eventEmitter, connection.xmpp.eventEmitter ])) {
        const emit = emitter.emit;
        emitter.emit = function(event, ...words) {
            heard.push([ event, ...words.map(word => typeof word === 'object' ? null : String(word)) ].join(' '));
            return emit.call(this, event, ...words);
        };
    }
    strophe.send = stanza => sent.push((stanza.tree ? stanza.tree() : stanza).outerHTML);
    const deliver = async text => {
        const stanza = text.replaceAll('MYSELF', room.myroomjid);
        if (way === 'handler') {
            room.onPresence(parse(stanza));
        } else if (bosh) {
            const body = `<body xmlns="http://jabber.org/protocol/httpbind">${stanza}</body>`;
            const xhr = new XMLHttpRequest();
            xhr.open('GET', URL.createObjectURL(new Blob([ body ], { type: 'text/xml' })));
            await new Promise(ended => {
                xhr.onloadend = ended;
                xhr.send();
            });
            try {
                strophe._dataRecv(Object.assign(Object.create(Strophe.Request.prototype), { xhr }));
            } catch (error) {
                heard.push(`lost: ${error.name}`);
            }
        } else {
            strophe._proto._onMessage({ data: stanza });
        }
    };
    const presence = (from, jid, role, codes = '') => `<presence xmlns="jabber:client" from="${from}" to="me">
        <x xmlns="http://jabber.org/protocol/muc#user"><item affiliation="none" role="${role}" jid="${jid}"/>${codes}</x>
        </presence>`;
    await deliver(presence('room@muc.x.invalid/focus', 'focus@auth.x.invalid/f', 'moderator'));
    await deliver(presence('MYSELF', 'somebody@x.invalid/r', 'participant', '<status code="110"/>'));
    heard.length = 0;
    for (const stanza of stanzas) {
        if (stanza.startsWith('ASK ')) {
            const [ , id, to ] = stanza.split(' ');
            strophe.sendIQ(parse(`<iq xmlns="jabber:client" type="get" id="${id}" to="${to}"/>`),
                answer => answers.push(`${id} of ${answer.getAttribute('from')}`));
            strophe._dataRecv(parse('<wrapper/>')); // Strophe adds handlers when something arrives
        } else {
            await deliver(stanza);
        }
    }
    const people = conference.getParticipants();
    const mallory = conference.getParticipantById('mallory');
    const seen = {
        people: people.map(one => one.getId()).sort(),
        hidden: people.filter(one => one.isHidden()).map(one => one.getId()),
        roles: people.map(one => one.getRole()).join(' '),
        focus: room.focusMucJid,
        role: room.role,
        silent: Boolean(mallory?.isReplacing()),
        bot: mallory?.getBotType() ?? null,
        status: mallory?.getStatus() ?? null,
        name: mallory?.getDisplayName() ?? null,
        sources: Object.values(conference._signalingLayer._remoteSourceState).flatMap(Object.keys),
        global: Object.keys(Object.prototype),
        connected: strophe.connected && !strophe.disconnecting,
        heard, sent, answers
    };
    seen.global.forEach(name => delete Object.prototype[name]);
    strophe.send = () => undefined;
    bosh || strophe._proto._closeSocket();
    return seen;
};
undefined;
"""


@pytest.fixture
def entrance(visit: Callable[..., Visit], context: BrowserContext) -> Callable[..., list[dict[str, Any]]]:
    """Give each list of stanzas to a conference of its own in a variant's library; returns what the library made of
    it.
    """
    context.route_web_socket(re.compile(".*"), Server().serve)

    def enter(variant: str, lists: list[list[str]], way: str = "socket", *, calls: bool = True) -> list[dict[str, Any]]:
        seen = visit(variant, "/")
        seen.wait_for("#enter_room_field")
        seen.page.evaluate(HELPERS)
        seen.page.evaluate(ENTRANCE)
        found: list[dict[str, Any]] = seen.page.evaluate(
            """async ([ lists, way, calls ]) => {
                const found = [];
                for (const stanzas of lists) found.push(await enter({ stanzas, way, calls }));
                return found;
            }""",
            [lists, way, calls],
        )
        return found

    return enter


def _presence(inner: str, own: str = SERVERS, sender: str = MALLORYS, kind: str = "") -> str:
    kind = f" type='{kind}'" if kind else ""
    return f"<presence xmlns='jabber:client' from='{sender}' to='somebody@x.invalid/r'{kind}>{inner}{own}</presence>"


def _message(inner: str, kind: str = "groupchat", sender: str = MALLORYS) -> str:
    return f"<message xmlns='jabber:client' id='1' from='{sender}' to='somebody@x.invalid/r' type='{kind}'>{inner}</message>"


def _iq(inner: str, sender: str = MALLORYS, kind: str = "set", name: str = "1") -> str:
    return f"<iq xmlns='jabber:client' id='{name}' from='{sender}' to='somebody@x.invalid/r' type='{kind}'>{inner}</iq>"


def _item(jid: str, role: str = "moderator", inner: str = "") -> str:
    return f"<x xmlns='{USER}'><item affiliation='owner' role='{role}' jid='{jid}'>{inner}</item></x>"


# Where a client can put an element that its server leaves there.
PLACES = {
    "one down": "<z xmlns='urn:z'>{}</z>",
    "two down": "<z xmlns='urn:z'><y>{}</y></z>",
    "three down": "<z xmlns='urn:z'><y><w xmlns='urn:w'>{}</w></y></z>",
    "in a name": "<nick xmlns='http://jabber.org/protocol/nick'>{}</nick>",
    "in a status": "<status>{}</status>",
    "in features": "<features><feature var='f'>{}</feature></features>",
    "in an identity": "<identity><user><id>1</id>{}</user></identity>",
    "in properties": "<conference-properties>{}</conference-properties>",
    "in text of XHTML": "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>{}</body></html>",
    "forwarded": "<forwarded xmlns='urn:xmpp:forward:0'><presence xmlns='jabber:client'>{}</presence></forwarded>",
    "in an x of another kind": "<x xmlns='vcard-temp:x:update'>{}</x>",
    "in an x without name": "<x xmlns=''>{}</x>",
    "after comments": "<z xmlns='urn:z'><!-- --> {}<!-- --></z>",
    "twice": "<z xmlns='urn:z'>{0}</z><z xmlns='urn:z'>{0}</z>",
}
# What it says there: that she has no address, and that she is the focus, a moderator, a recorder.
CLAIMS = {
    "nobody": f"<x xmlns='{USER}'/>",
    "focus": _item("focus@auth.x.invalid/f"),
    "moderator": _item("mallory@x.invalid/m"),
    "hidden": _item("recorder@hidden.x.invalid/r"),
    "item in an item": f"<x xmlns='{USER}'><z xmlns='urn:z'><item xmlns='{USER}' role='moderator' jid='focus@auth.x.invalid/f'/></z></x>",
    "with a prefix": f"<p:x xmlns:p='{USER}'><p:item role='moderator' jid='focus@auth.x.invalid/f'/></p:x>",
}
# Inputs that were harmless, and must stay so.
HARMLESS = {
    "in characters": f"<z xmlns='urn:z'><![CDATA[{CLAIMS['focus']}]]></z>",
    "in upper case": f"<z xmlns='urn:z'><X xmlns='{USER}'><ITEM role='moderator' jid='focus@auth.x.invalid/f'/></X></z>",
    "namespace as an attribute": f"<x xmlns='urn:z' xmlns:f='urn:f' f:xmlns='{USER}'><item role='moderator' jid='focus@auth.x.invalid/f'/></x>",
    "namespace of another": f"<f:x xmlns:f='urn:f' xmlns='{USER}'><item role='moderator' jid='focus@auth.x.invalid/f'/></f:x>",
}
RIGHT = {
    "people": ["mallory"],
    "roles": "participant",
    "hidden": [],
    "focus": FOCUS,
    "role": "participant",
    "silent": False,
}


def _mistaken(seen: dict[str, Any]) -> dict[str, Any]:
    """Return what is not as it should be."""
    return {key: seen[key] for key, right in RIGHT.items() if seen[key] != right}


FORMS = {f"{claim}, {place}": PLACES[place].format(CLAIMS[claim]) for place in PLACES for claim in CLAIMS}
# What the unpatched library makes of each claim, wherever it is: in the first presence, and in a later one. Later, it
# passes over a word without an address.
UNSEEN: dict[str, Any] = {"people": [], "roles": ""}
FIRST: dict[str, dict[str, Any]] = {
    "nobody": UNSEEN,
    "focus": UNSEEN | {"focus": MALLORYS},
    "moderator": {"roles": "moderator"},
    "hidden": {"roles": "moderator", "hidden": ["mallory"]},
    "item in an item": UNSEEN | {"focus": MALLORYS},
    "with a prefix": UNSEEN,
}
LATER: dict[str, dict[str, Any]] = {
    "focus": {"roles": "moderator", "focus": MALLORYS},
    "moderator": {"roles": "moderator"},
    "hidden": {"roles": "moderator"},
    "item in an item": {"roles": "moderator", "focus": MALLORYS},
}


# No claim at all, but not what is expected either.
STRANGERS = {
    "a role that is none": _presence("", SERVERS.replace("'participant'", "'queen'")),
    "no address": _presence("", f"<x xmlns='{USER}'><item role='participant' affiliation='none'/></x>"),
    "nothing said": _presence("", f"<x xmlns='{USER}'/>"),
    "nothing at all": _presence("", ""),
}


@pytest.mark.parametrize("way", ["socket", "bosh", "handler"])
def test_a_room_shows_everybody_whom_the_server_has_let_in(
    entrance: Callable[..., list[dict[str, Any]]], way: str
) -> None:
    """As what the server says: through the entrance of either transport, and where a room itself reads the presence."""
    lists = {
        **{name: [_presence(form)] for name, form in (FORMS | HARMLESS).items()},
        **{f"later, {claim}": [_presence(""), _presence(FORMS[f"{claim}, one down"])] for claim in CLAIMS},
        **{name: [stanza] for name, stanza in STRANGERS.items()},
    }
    mistaken = {}
    for variant in VARIANTS:
        seen = dict(zip(lists, map(_mistaken, entrance(variant, list(lists.values()), way, calls=False)), strict=True))
        unseen = {name for name in STRANGERS if not seen.pop(name).get("people", [MALLORY])}
        mistaken[variant] = {name: wrong for name, wrong in seen.items() if wrong}, unseen

    first = {f"{claim}, {place}": FIRST[claim] for claim in CLAIMS for place in PLACES}
    later = {f"later, {claim}": wrong for claim, wrong in LATER.items()}
    assert mistaken["unpatched"] == (first | later, {"nothing said", "nothing at all"})
    assert mistaken["hardened"] == ({}, set())


XML = "http://www.w3.org/XML/1998/namespace"
# What a server hands on and no browser parses, in a stanza of Mallory's that says something else, too.
UNREADABLE = {
    "deep": "<a xmlns='urn:a'>" + "<a>" * 6000 + "</a>" * 6001,
    "an element of XML's namespace": f"<foo xmlns='{XML}'/>",
    "the same, nested": f"<z xmlns='urn:z'><foo xmlns='{XML}'>text</foo></z>",
    "among many": f"<foo xmlns='{XML}'/>" * 20_000,
    "with many attributes": f"<foo xmlns='{XML}' " + " ".join(f"a{number}='&gt;'" for number in range(20_000)) + "/>",
    "beside a comment and characters": f"<!-- <z> --><z xmlns='urn:z'><![CDATA[<y>]]></z><foo xmlns='{XML}' a=\"/>'\"/>",
}
BYSTANDER = _presence("<nick>Alice</nick>", sender=f"{ROOM}/alice")
HELLO = "<body>hello</body>"


@pytest.mark.parametrize("way", ["socket", "bosh"])
def test_what_no_browser_can_parse_takes_nothing_else_away(
    entrance: Callable[..., list[dict[str, Any]]], way: str
) -> None:
    """A server passes on more than browsers parse. Who sends it is in the room, and what came with it arrives."""
    form = "<nick xmlns='http://jabber.org/protocol/nick'>Bob</nick>{}"
    lists = {name: [_presence(form.format(inner)) + BYSTANDER] for name, inner in UNREADABLE.items()}
    lists["a first tag"] = [
        _presence("").replace("<presence", f"<presence a='\" from=\"x' xmlns:p='{XML}' p:a='1'") + BYSTANDER
    ]
    lists["leaves"] = [_presence(""), BYSTANDER + _presence(UNREADABLE["deep"], kind="unavailable")]
    lists["a message"] = [_presence(""), BYSTANDER + _message(HELLO + UNREADABLE["deep"])]
    if way == "socket":  # a frame holds one stanza
        lists = {
            name: [stanza for text in texts for stanza in re.split(r"(?<=</presence>)(?=<)", text)]
            for name, texts in lists.items()
        }
    found = {
        variant: dict(zip(lists, entrance(variant, list(lists.values()), way), strict=True)) for variant in VARIANTS
    }

    people = {variant: {name: seen["people"] for name, seen in found[variant].items()} for variant in VARIANTS}
    lost = {name for name in lists if people["unpatched"][name] != people["hardened"][name]}
    assert people["hardened"] == {name: ["alice"] if name == "leaves" else ["alice", "mallory"] for name in lists}
    # Of very many children, those that the server has appended are looked at.
    names = {found["hardened"][name]["name"] for name in UNREADABLE if name != "among many"}
    assert names == {"Bob"}
    assert any("hello" in said for said in found["hardened"]["a message"]["heard"])
    assert lost >= {*UNREADABLE, *(("leaves", "a message") if way == "bosh" else ())}


def test_a_presence_that_cannot_be_written_again_is_shown(entrance: Callable[..., list[dict[str, Any]]]) -> None:
    """What parses need not be makeable, and what is read need not be writable: its sender is still in the room."""
    odd = {
        "element named as a namespace": "<xmlns xmlns='urn:z'/>",
        "the same with a prefix, nested": "<z xmlns='urn:z' xmlns:p='urn:p'><p:xmlns/></z>",
        "element that the browser does not make": "<z xmlns='urn:z'><unmakeable/></z>",
        "as deep as a browser reads": "<a xmlns='urn:a'>" + "<a>" * 4900 + "</a>" * 4901,
        "JSON as deep as a server lets through": '<SourceInfo>{"mallory-v1":{"a":'
        + "[" * 60_000
        + "]" * 60_000
        + "}}</SourceInfo>",
    }
    found = entrance("hardened", [[_presence(inside)] for inside in odd.values()])

    assert {name: _mistaken(seen) for name, seen in zip(odd, found, strict=True)} == {name: {} for name in odd}


def test_a_participant_of_the_focus_name_is_shown(entrance: Callable[..., list[dict[str, Any]]]) -> None:
    """And goes again; nothing that was the focus's is hers."""
    gone = _presence("", _item("focus@auth.x.invalid/f", role="none"), FOCUS, "unavailable")
    comes = _presence("", sender=FOCUS)
    mute = _iq("<mute xmlns='http://jitsi.org/jitmeet/audio'>true</mute>", FOCUS)
    lists = [[gone, comes], [gone, comes, _presence("", sender=FOCUS, kind="unavailable")], [gone, comes, mute]]
    found = {variant: entrance(variant, lists) for variant in VARIANTS}

    people = {variant: [seen["people"] for seen in found[variant]] for variant in VARIANTS}
    muted = {variant: any("muted_by_focus" in said for said in found[variant][2]["heard"]) for variant in VARIANTS}
    assert people == {"unpatched": [[], [], []], "hardened": [["focus"], [], ["focus"]]}
    assert muted == {"unpatched": True, "hardened": False}


JINGLE = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'/>"
TRICK = "<x xmlns='urn:z' xmlns:f='urn:f' f:xmlns='{}'>{}</x>"
NAME = "<display-name xmlns='http://jitsi.org/protocol/display-name' source='visitor'>The boss</display-name>"
SCREEN = '<SourceInfo>{{"{}":{{"videoType":"desktop"}}}}</SourceInfo>'
PROMOTION = (
    "<visitors xmlns='jitsi:visitors' focusjid='focus@elsewhere.invalid'>"
    "<promotion-response allow='true' username='u'/></visitors>"
)
# What Mallory sends, once she is there, and what nothing that the library reports may contain.
LIES: dict[str, tuple[list[str], str]] = {
    "joins unheard": ([_presence("<flip_device/>")], '"silent": true'),
    "joins unheard, nested": ([_presence("<z xmlns='urn:z'><flip_device/></z>")], '"silent": true'),
    "status that is none": ([_presence("<z xmlns='urn:z'><status>a call</status></z>")], "a call"),
    "is a bot": ([_presence("<bot type='poltergeist'/>")], "poltergeist"),
    "a telephone number": ([_presence("<call-control phone='+1' pin='2'/>")], "phoneNumberChanged"),
    "shares somebody else's screen": ([_presence(SCREEN.format("alice-v1"))], "alice-v1"),
    "shares with a longer name": ([_presence(SCREEN.format("malloryx-v1"))], "malloryx-v1"),
    "shares under a name that begins with another's": (
        [_presence("", sender=f"{ROOM}/alice"), _presence(SCREEN.format("alice-x-v1"), sender=f"{ROOM}/alice-x")],
        "alice-x-v1",
    ),
    "sources of every object": (
        [_presence(SCREEN.format("__proto__-v1"), sender=f"{ROOM}/__proto__")],
        '"global": ["__proto__-v1"]',
    ),
    "a recording": (
        [_presence("<jibri-recording-status status='on' session_id='1'/>", sender=f"{ROOM}/autofocus")],
        "recorderStateChanged",
    ),
    "leaves unseen": (
        [_presence("<ignore xmlns='http://jitsi.org/jitmeet/'/>", kind="unavailable")],
        '"people": ["mallory"]',
    ),
    "destroys the room": ([_presence(TRICK.format(USER, "<destroy/>"), kind="unavailable")], "muc_destroyed"),
    "throws everybody out": (
        [_presence(TRICK.format(USER, "<status code='110'/>"), kind="unavailable")],
        "xmpp.muc_left",
    ),
    "was thrown out": ([_presence(TRICK.format(USER, "<status code='307'/>"), kind="unavailable")], "xmpp.kicked"),
    "an error for the room": ([_presence("<error/>", kind="error")], "room_connect_error"),
    "a subject in a message": ([_message("<subject>Lies</subject><body>b</body>")], "Lies"),
    "a subject in a thread": ([_message("<subject>Lies</subject><thread>t</thread>")], "Lies"),
    "a subject for one": ([_message("<subject>Lies</subject>", "chat")], "Lies"),
    "a subject of another kind": ([_message("<subject xmlns='urn:z'>Lies</subject>")], "Lies"),
    "a subject with a prefix": ([_message("<f:subject xmlns:f='urn:f'>Lies</f:subject>")], "Lies"),
    "somebody else's name": ([_message(f"<body>b</body>{NAME}")], "The boss"),
    "somebody else's name, for one": ([_message(f"<body>b</body>{NAME}", "chat")], "The boss"),
    "another kind of body": ([_message("<body xmlns='urn:z'>secretly</body>")], "secretly"),
    "settings that are wrong": (
        [_message("<settings-error><text>call us</text></settings-error>", "error")],
        "call us",
    ),
    "an error with a text": ([_message("<error><text>call us</text></error>", "error")], "call us"),
    "another conference": ([_iq(PROMOTION)], "elsewhere.invalid"),
    "a call from outside": ([_iq(JINGLE, "mallory@x.invalid/m")], "callincoming"),
    "a call of no occupant": ([_iq(JINGLE, f"{ROOM}/nobody")], "callincoming"),
    "an answer in the place of another": (
        ["ASK 7 focus.x.invalid", _iq("", kind="result", name="7")],
        "7 of room@muc.x.invalid/mallory",
    ),
}
# What makes a handler throw, and the stanza that the handler is to read afterwards: it shows in what is seen.
DEAFENING: dict[str, tuple[list[str], str]] = {
    "asked for nothing": (
        [
            _iq("<z xmlns='http://jabber.org/protocol/disco#info'/>", kind="get"),
            _iq("<query xmlns='http://jabber.org/protocol/disco#info'/>", kind="get", name="again"),
        ],
        'id=\\"again\\"',
    ),
    "a transcriber of no kind": (
        [
            _presence("<transcription-status status='ON'/>", _item("t@hidden.x.invalid/t"), f"{ROOM}/transcriber"),
            _presence("<nick>Late</nick>", sender=f"{ROOM}/late"),
        ],
        '"late"',
    ),
}


def test_only_the_right_sender_is_heard(entrance: Callable[..., list[dict[str, Any]]]) -> None:
    lists = [([] if "joins" in name else [_presence("")]) + stanzas for name, (stanzas, _) in LIES.items()]
    lists += [[_presence(""), *stanzas] for stanzas, _ in DEAFENING.values()]
    found = {variant: entrance(variant, lists) for variant in VARIANTS}

    heard = {}
    for variant in VARIANTS:
        said = dict(zip([*LIES, *DEAFENING], map(json.dumps, found[variant]), strict=True))
        heard[variant] = {name for name, (_, sign) in LIES.items() if sign in said[name]}
        heard[variant] |= {name for name, (_, sign) in DEAFENING.items() if sign not in said[name]}
    assert heard == {"unpatched": {*LIES, *DEAFENING}, "hardened": set()}


COMPONENT = json.dumps({"type": "av_moderation", "mediaType": "audio", "enabled": True})
RECORDER = _item("recorder@hidden.x.invalid/r", "participant")
OF_FOCUS = _item("focus@auth.x.invalid/f")
SELF = (
    f"<x xmlns='{USER}'><item affiliation='none' role='moderator' jid='somebody@x.invalid/r'/><status code='110'/></x>"
)
# What has to arrive as ever, and where it shows.
TRUE: dict[str, tuple[list[str], list[str]]] = {
    "a participant": (
        [_presence("<nick xmlns='http://jabber.org/protocol/nick'>Bob</nick><status>Connected</status>")],
        ['"name": "Bob"', '"status": "Connected"'],
    ),
    "shares a screen": ([_presence(SCREEN.format("mallory-v1"))], ["mallory-v1"]),
    "becomes a moderator": (
        [_presence(""), _presence("", _item("mallory@x.invalid/m"))],
        ['"roles": "moderator"'],
    ),
    "of two, the server's": ([_presence(CLAIMS["focus"])], ['"people": ["mallory"]']),
    "properties of the focus": (
        [_presence("<conference-properties><property key='k' value='v'/></conference-properties>", OF_FOCUS, FOCUS)],
        ["conference_properties_changed"],
    ),
    "a recording of the focus": (
        [_presence("<jibri-recording-status status='on' session_id='1'/>", OF_FOCUS, FOCUS)],
        ["recorderStateChanged"],
    ),
    "no bridge": ([_presence("<bridgeNotAvailable/>", OF_FOCUS, FOCUS)], ["xmpp.bridge_down"]),
    "a recorder": (
        [_presence("<session_id>1</session_id><mode>file</mode>", RECORDER, f"{ROOM}/recorder")],
        ["recorderStateChanged", '"hidden": ["recorder"]'],
    ),
    "a transcriber": (
        [
            _presence(
                "<features><feature var='http://jitsi.org/protocol/transcriber'/></features>"
                "<transcription-status status='ON'/>",
                RECORDER,
                f"{ROOM}/transcriber",
            )
        ],
        ["transcription_status_changed"],
    ),
    "permissions": (
        [
            _presence(
                "<permissions xmlns='http://jitsi.org/jitmeet'><p name='recording' val='true'/></permissions>",
                SELF,
                "MYSELF",
            )
        ],
        ["permissions_received", '"role": "moderator"'],
    ),
    "leaves": ([_presence(""), _presence("", kind="unavailable")], ['"people": []', "xmpp.muc_member_left"]),
    "is thrown out": (
        [
            _presence(""),
            _presence(
                "",
                f"<x xmlns='{USER}'><item role='none'><actor nick='boss'/><reason>noise</reason></item>"
                "<status code='307'/></x>",
                kind="unavailable",
            ),
        ],
        ["xmpp.kicked false boss mallory noise"],
    ),
    "the room ends": (
        [
            _presence(
                "",
                f"<x xmlns='{USER}'><item role='none'/><destroy><reason>over</reason></destroy></x>",
                kind="unavailable",
            )
        ],
        ["xmpp.muc_destroyed over"],
    ),
    "the focus leaves": (
        [_presence("", _item("focus@auth.x.invalid/f", "none"), FOCUS, "unavailable")],
        ["focus_left"],
    ),
    "a password is wanted": (
        [
            _presence(
                "<error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
                "",
                "MYSELF",
                "error",
            )
        ],
        ["password_required"],
    ),
    "a subject": ([_presence(""), _message("<subject>Agenda</subject>")], ["subject_changed Agenda"]),
    "a subject of the room": ([_message("<subject>Agenda</subject>", sender=ROOM)], ["subject_changed Agenda"]),
    "a message": ([_presence(""), _message("<body>hello</body>")], ["xmpp.message_received", "hello"]),
    "a message of before": (
        [_message("<body>hello</body><delay xmlns='urn:xmpp:delay' from='x' stamp='2020-01-01T00:00:00Z'/>")],
        ["2020-01-01T00:00:00Z"],
    ),
    "a private message": ([_presence(""), _message("<body>hello</body>", "chat")], ["xmpp.private_message_received"]),
    "a visitor's message": ([_message(f"<body>hello</body>{NAME}", sender=f"{ROOM}/visitor")], ["The boss"]),
    "a reaction": (
        [_message("<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>\U0001f44d</reaction></reactions>")],
        ["reaction_received"],
    ),
    "a message of a program": (
        [
            _message(
                '<json-message xmlns="http://jitsi.org/jitmeet">{"type":"t","jitsi-meet-muc-msg-topic":"t"}</json-message>'
            )
        ],
        ["json_message_received"],
    ),
    "a message of a component": (
        [
            _message(
                f"<json-message xmlns='http://jitsi.org/jitmeet'>{COMPONENT}</json-message>",
                "chat",
                "component.x.invalid",
            )
        ],
        ["av_moderation.received"],
    ),
    "an invitation": (
        [_message(f"<x xmlns='{USER}'><invite from='boss@x.invalid'/><password>p</password></x>", "normal", ROOM)],
        ["invite_message_received", "boss@x.invalid"],
    ),
    "settings that the server refuses": (
        [_message("<settings-error xmlns='http://jitsi.org/jitmeet'><text>no</text></settings-error>", "error", ROOM)],
        ["settings_error_received no"],
    ),
    "muted": (
        [_iq("<mute xmlns='http://jitsi.org/jitmeet/audio' actor='boss'>true</mute>", FOCUS)],
        ["audio_muted_by_focus boss"],
    ),
    "a visitor let in": ([_iq(PROMOTION, ROOM)], ["connection.redirected"]),
    "a call of the focus": ([_iq(JINGLE, FOCUS)], ["callincoming"]),
    "a call of a participant": ([_presence(""), _iq(JINGLE)], ["callincoming"]),
    "asked for features": (
        [_iq("<query xmlns='http://jabber.org/protocol/disco#info' node='n#v'/>", kind="get", name="asked")],
        ['id=\\"asked\\"', "node="],
    ),
    "an answer": (["ASK 7 focus.x.invalid", _iq("", "focus.x.invalid", "result", "7")], ["7 of focus.x.invalid"]),
    "an answer of the server": (["ASK 8 x.invalid", _iq("", "x.invalid", "result", "8")], ["8 of x.invalid"]),
    "an answer of the room": (["ASK 9 Room@muc.x.invalid", _iq("", ROOM, "result", "9")], ["9 of room@muc.x.invalid"]),
}


def test_what_server_focus_and_participants_may_say_arrives(entrance: Callable[..., list[dict[str, Any]]]) -> None:
    missing = {}
    for variant in VARIANTS:
        found = entrance(variant, [stanzas for stanzas, _ in TRUE.values()])
        missing[variant] = {
            name: signs
            for (name, (_, signs)), seen in zip(TRUE.items(), found, strict=True)
            if not all(sign in json.dumps(seen, ensure_ascii=False) for sign in signs)
        }

    # Unpatched, of two elements of the room the client's own counts: that line is the control of this test.
    assert missing == {"unpatched": {"of two, the server's": TRUE["of two, the server's"][1]}, "hardened": {}}


@pytest.mark.parametrize("stanza", ["presence", "message", "iq"])
def test_no_stanza_ends_the_connection(entrance: Callable[..., list[dict[str, Any]]], stanza: str) -> None:
    """A stream's error is not a part of a stanza; the server's own still ends it."""
    error = "<error xmlns='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>"
    inside = {
        "presence": _presence(f"<z xmlns='urn:z'>{error}</z>"),
        "message": _message(f"<body>b</body>{error}"),
        "iq": _iq(f"<z xmlns='urn:z'>{error}</z>"),
    }[stanza]
    own = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    connected = {variant: [seen["connected"] for seen in entrance(variant, [[inside], [own]])] for variant in VARIANTS}

    assert connected == {"unpatched": [False, False], "hardened": [True, False]}


@pytest.mark.parametrize("claim", ["nobody", "focus", "moderator"])
def test_the_page_shows_a_participant_as_what_the_server_says(
    meeting: Callable[..., Visit], open_house: Xmpp, claim: str
) -> None:
    """The list of participants, their tiles and their roles."""
    form = (
        CLAIMS[claim]
        .replace("auth.x.invalid", "auth.xmpp.invalid")
        .replace("mallory@x.invalid", "mallory@xmpp.invalid")
    )
    open_house.mallory = Mallory(presence=f"<z xmlns='urn:z'>{form}</z>")
    shown = {}
    for variant in VARIANTS:
        page = meeting(variant).page
        page.wait_for_function(
            "() => APP.conference._room.room.lastPresences[APP.conference._room.room.roomjid + '/ffffffff']"
        )
        shown[variant] = page.evaluate(
            """id => [ APP.conference.membersCount, Boolean(document.getElementById(`participant_${id}`)),
                APP.store.getState()['features/base/participants'].remote.get(id)?.role ?? null ]""",
            MALLORY,
        )

    today = {"nobody": [1, False, None], "focus": [1, False, None], "moderator": [2, True, "moderator"]}[claim]
    assert shown == {"unpatched": today, "hardened": [2, True, "participant"]}


def test_the_page_draws_everybody_whatever_their_name(meeting: Callable[..., Visit], open_house: Xmpp) -> None:
    """A name in the room that the page knows as its own: each person has one tile, and the viewer's is drawn once."""
    open_house.mallory = Mallory(id="local")
    drawn = {}
    for variant in VARIANTS:
        page = meeting(variant).page
        page.wait_for_function("() => APP.conference.membersCount === 2")
        page.wait_for_selector("#participant_local, .videocontainer >> nth=1", state="attached")
        drawn[variant] = page.evaluate(
            """() => [ document.querySelectorAll('#participant_local').length,
                document.querySelectorAll('[id="localVideoContainer"]').length ]"""
        )

    assert drawn == {"unpatched": [0, 2], "hardened": [1, 1]}


@pytest.mark.parametrize("name", ["__proto__", "constructor", "hasOwnProperty"])
def test_no_name_of_a_participant_empties_the_page(
    visit: Callable[..., Visit], meeting: Callable[..., Visit], open_house: Xmpp, name: str
) -> None:
    """Each JavaScript object has properties of these names. A lax server lets people in under them."""
    open_house.mallory = Mallory(id=name)
    opened = visit("unpatched", "/HardenerTestRoom")
    opened.wait_for(PREJOIN)
    opened.page.click(PREJOIN)
    opened.page.wait_for_function("() => !document.querySelector('#react').hasChildNodes()")
    page = meeting("hardened").page
    page.wait_for_selector(".videocontainer >> nth=1", state="attached")
    page.wait_for_function("() => APP.conference.membersCount === 2")
    assert page.evaluate("() => document.querySelector('#react').hasChildNodes()")


# Puts people and things of one name into the list of participants, in each order, and looks at who is in it.
PEOPLE_AND_THINGS = """() => {
    const { dispatch, getState } = APP.store;
    const { conference } = getState()['features/base/conference'];
    const act = (type, id, fakeParticipant) =>
        dispatch({ type, participant: { conference, fakeParticipant, id, name: id } });
    const seen = {};
    for (const thing of [ 'Whiteboard', 'SharedVideo', 'RemoteScreenShare', 'LocalScreenShare' ]) {
        for (const order of [ [ undefined, thing ], [ thing, undefined ] ]) {
            const id = `${thing} ${order[0] ?? 'later'}`;
            const look = () => {
                const { fakeParticipants, localScreenShare, remote, sortedRemoteParticipants,
                    sortedRemoteVirtualScreenshareParticipants } = getState()['features/base/participants'];
                const isThing = fakeParticipants.has(id) || sortedRemoteVirtualScreenshareParticipants.has(id);
                return `${remote.has(id) ? remote.get(id).fakeParticipant ?? 'person' : 'nobody'}${isThing ? ', listed' : ''}`
                    + `${sortedRemoteParticipants.has(id) ? '' : ', unsorted'}${localScreenShare ? ', own screen' : ''}`;
            };
            order.forEach(kind => act('PARTICIPANT_JOINED', id, kind));
            const both = look();
            act('PARTICIPANT_LEFT', id, thing);
            const left = look();
            act('PARTICIPANT_LEFT', id);
            seen[id] = [ both, left, look() ];
        }
    }
    return seen;
}"""
# Before the viewer has a name in the room: an update about the viewer, and whom it has changed.
VIEWER = """() => {
    const { dispatch, getState } = APP.store;
    const people = () => getState()['features/base/participants'];
    dispatch({ type: 'PARTICIPANT_JOINED', participant: { conference: {}, id: 'local', role: 'none' } });
    dispatch({ type: 'PARTICIPANT_UPDATED', participant: { id: people().local.id, role: 'moderator' } });
    const roles = [ people().local.role, people().remote.get('local').role ];
    people().remote.delete('local');
    return roles;
}"""


def test_no_thing_takes_the_place_of_a_person(visit: Callable[..., Visit], open_house: Xmpp) -> None:
    """Screens and the whiteboard have names that a lax server gives to people, too. Who is shown is who is in."""
    seen, roles = {}, {}
    for variant in VARIANTS:
        opened = visit(variant, "/HardenerTestRoom")
        opened.wait_for(PREJOIN)
        roles[variant] = opened.page.evaluate(VIEWER)
        join(opened.page)
        seen[variant] = opened.page.evaluate(PEOPLE_AND_THINGS)

    assert roles == {"unpatched": ["none", "moderator"], "hardened": ["moderator", "none"]}
    own = ["person, own screen", "person", "nobody, unsorted"]
    right = {
        name: own if name.startswith("Local") else ["person", "person", "nobody, unsorted"] for name in seen["hardened"]
    }
    assert seen["hardened"] == right
    assert all(seen["unpatched"][name] != right[name] for name in right)
