"""What lib-jitsi-meet sends, stores and logs, driven through JitsiMeetJS in the served site. 'unpatched' is the
control.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, WebSocketRoute

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

VARIANTS = ("unpatched", "hardened")
PASSWORD = "correct horse battery staple"
STATISTICS = ("statsSessionId", "rtcstats")

# Everything that these tests need of the page: a log transport, a login, and a conference that is not joined.
HELPERS = """
window.said = [];
const keep = (...words) => said.push(words.map(word => {
    try {
        return typeof word === 'string' ? word : word instanceof Error ? word.stack : JSON.stringify(word);
    } catch (error) {
        return String(word);
    }
}).join(' '));
JitsiMeetJS.setLogLevel('trace');
JitsiMeetJS.addGlobalLogTransport({ trace: keep, debug: keep, info: keep, log: keep, warn: keep, error: keep });
window.connectionTo = (options = {}, token = null) => new JitsiMeetJS.JitsiConnection(null, token, {
    hosts: { domain: 'x.invalid', muc: 'muc.x.invalid' }, serviceUrl: 'wss://x.invalid/xmpp-websocket',
    p2p: {}, flags: {}, ...options });
window.login = (connection, password) => new Promise((resolve, reject) => {
    const { CONNECTION_ESTABLISHED, CONNECTION_FAILED } = JitsiMeetJS.events.connection;
    connection.addEventListener(CONNECTION_ESTABLISHED, resolve);
    connection.addEventListener(CONNECTION_FAILED, (...reasons) => reject(new Error(reasons.join(' '))));
    connection.connect({ id: 'somebody@x.invalid', password });
});
undefined;
"""


@dataclass
class Server:
    """An XMPP server behind every WebSocket of the context: it takes any password, and knows nothing else."""

    addresses: list[str] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)

    def serve(self, socket: WebSocketRoute) -> None:
        self.addresses.append(socket.url)
        if not any(word in socket.url for word in STATISTICS):
            state = {"authenticated": False}
            socket.on_message(lambda message: self._answer(socket, state, str(message)))

    def _answer(self, socket: WebSocketRoute, state: dict[str, bool], message: str) -> None:
        stanza = ET.fromstring(message)
        name = stanza.tag.split("}")[-1]
        if name == "open":
            socket.send(
                "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='x.invalid' id='stream' version='1.0'/>"
            )
            offer = (
                "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                if state["authenticated"]
                else "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
            )
            socket.send(f"<stream:features xmlns:stream='http://etherx.jabber.org/streams'>{offer}</stream:features>")
        elif name == "auth":
            self.payloads.append(stanza.text or "")
            state["authenticated"] = True
            socket.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        elif name == "iq" and stanza.find("{urn:ietf:params:xml:ns:xmpp-bind}bind") is not None:
            jid = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>somebody@x.invalid/r</jid></bind>"
            socket.send(f"<iq xmlns='jabber:client' type='result' id='{stanza.get('id')}'>{jid}</iq>")
        elif name == "iq":
            socket.send(f"<iq xmlns='jabber:client' type='error' id='{stanza.get('id')}'><error type='cancel'/></iq>")


@pytest.fixture
def server(context: BrowserContext) -> Server:
    server = Server()
    context.route_web_socket(re.compile(".*"), server.serve)
    return server


@pytest.fixture
def library(visit: Callable[..., Visit], server: Server) -> Callable[[str], Visit]:
    """Open the welcome page of a variant, with the helpers above in it and an XMPP server behind every WebSocket."""

    def open_page(variant: str) -> Visit:
        seen = visit(variant, "/")
        seen.wait_for("#enter_room_field")
        seen.page.evaluate(HELPERS)
        server.addresses.clear()
        server.payloads.clear()
        seen.foreign.clear()
        return seen

    return open_page


@pytest.mark.parametrize("endpoint", [{}, {"rtcstatsEndpoint": "wss://rtcstats.invalid"}], ids=["unset", "set"])
def test_no_rtcstats_socket(library: Callable[[str], Visit], server: Server, endpoint: dict[str, str]) -> None:
    """Neither to the endpoint, nor, where there is none, to the page's own origin."""
    opened = {}
    for variant in VARIANTS:
        seen = library(variant)
        seen.page.evaluate(
            """async analytics => {
                const connection = connectionTo({ analytics });
                await login(connection, 'password');
            }""",
            {"rtcstatsEnabled": True, "rtcstatsSendSdp": True} | endpoint,
        )
        opened[variant] = sum(any(word in url for word in STATISTICS) for url in server.addresses)
        assert any("xmpp-websocket" in url for url in server.addresses)

    assert opened == {"unpatched": 1, "hardened": 0}


def test_webrtc_is_not_wrapped_for_rtcstats(library: Callable[[str], Visit]) -> None:
    wrapped = {}
    for variant in VARIANTS:
        wrapped[variant] = library(variant).page.evaluate(
            """async () => {
                const before = [ window.RTCPeerConnection, navigator.mediaDevices.getUserMedia ];
                await login(connectionTo({ analytics: { rtcstatsEnabled: true } }), 'password');
                return before[0] !== window.RTCPeerConnection || before[1] !== navigator.mediaDevices.getUserMedia;
            }"""
        )

    assert wrapped == {"unpatched": True, "hardened": False}


def test_log_collector_of_rtcstats_can_be_asked_for(library: Callable[[str], Visit]) -> None:
    """A deployment's configuration may still ask for one: nothing must break, and logging must continue."""
    for variant in VARIANTS:
        said = library(variant).page.evaluate(
            """() => {
                JitsiMeetJS.init({ analytics: { rtcstatsStoreLogs: true } });
                return said.some(text => text.includes('This appears to be'));
            }"""
        )
        assert said, variant


def test_conference_request_asks_for_no_rtcstats(library: Callable[[str], Visit]) -> None:
    asked = {}
    for variant in VARIANTS:
        asked[variant] = library(variant).page.evaluate(
            """() => connectionTo({ analytics: { rtcstatsEnabled: true } })
                .xmpp.moderator._createConferenceRequest('room@muc.x.invalid').properties.rtcstatsEnabled ?? null"""
        )

    assert asked == {"unpatched": None, "hardened": False}


IDS = """async () => {
    const connection = connectionTo();
    await login(connection, 'password');
    const conference = connection.initJitsiConference('room', {});
    const { machineUid, sessionId } = connection.xmpp.moderator._createConferenceRequest('room@muc.x.invalid');
    const [ { value } ] = conference.room.presMap.nodes.filter(({ tagName }) => tagName === 'stats-id');
    const stored = Object.entries({ ...localStorage }).flat().join(' ');
    return { ids: [ machineUid, value ], sessionId: sessionId ?? null, stored };
}"""


def test_ids_last_as_long_as_the_page(library: Callable[[str], Visit]) -> None:
    """machine-uid and billingid, which are one, and stats-id: the same within a page, others in the next one."""
    same, stored = {}, {}
    for variant in VARIANTS:
        first = library(variant).page.evaluate(IDS)
        again = library(variant).page.evaluate(IDS)
        assert all(first["ids"] + again["ids"])
        same[variant] = [before == after for before, after in zip(first["ids"], again["ids"], strict=True)]
        stored[variant] = [identifier in again["stored"] for identifier in again["ids"]]

    assert same == {"unpatched": [True, True], "hardened": [False, False]}
    assert stored == {"unpatched": [True, True], "hardened": [False, False]}


def test_ids_stay_the_same_within_a_page(library: Callable[[str], Visit]) -> None:
    page = library("hardened").page

    assert page.evaluate(IDS)["ids"] == page.evaluate(IDS)["ids"]


def test_what_an_unpatched_client_has_stored_goes_and_is_not_used(library: Callable[[str], Visit]) -> None:
    left = {}
    for variant in VARIANTS:
        seen = library(variant)
        seen.page.evaluate(
            """() => [ 'billingId', 'callStatsUserName', 'jitsiMeetId', 'sessionId' ].forEach(
                key => localStorage.setItem(key, `old-${key}`))"""
        )
        found = library(variant).page.evaluate(IDS)
        left[variant] = "old-" in "".join([*found["ids"], found["sessionId"] or "", found["stored"]])

    assert left == {"unpatched": True, "hardened": False}


def test_focus_session_is_not_stored(library: Callable[[str], Visit]) -> None:
    """A page of our own origin may still hand one over (login in a pop-up); it lasts as long as the page."""
    kept = {}
    for variant in VARIANTS:
        seen = library(variant)
        seen.page.evaluate("connectionTo(); window.postMessage({ sessionId: 'focus-session' }, location.origin)")
        # Messages arrive in order: once a second one has come back, the first was dealt with.
        seen.page.evaluate(
            "() => new Promise(done => { addEventListener('message', done); window.postMessage({}, location.origin) })"
        )
        here = seen.page.evaluate(IDS)
        assert here["sessionId"] == "focus-session"
        kept[variant] = ["focus-session" in here["stored"], library(variant).page.evaluate(IDS)["sessionId"]]

    assert kept == {"unpatched": [True, "focus-session"], "hardened": [False, None]}


def test_email_is_not_sent_as_stats_id(library: Callable[[str], Visit]) -> None:
    sent = {}
    for variant in VARIANTS:
        sent[variant] = library(variant).page.evaluate(
            """async () => {
                const connection = connectionTo();
                await login(connection, 'password');
                const { room } = connection.initJitsiConference('room', { statisticsId: 'a person@example.org' });
                return JSON.stringify(room.presMap).includes('a person@example.org');
            }"""
        )

    assert sent == {"unpatched": True, "hardened": False}


def test_join_conference_has_no_presets(library: Callable[[str], Visit], server: Server) -> None:
    """The connection goes where the caller says, whatever the name of the app is."""
    expected = {"unpatched": {"8x8.vc", "rtcstats-server-8x8.jitsi.net"}, "hardened": {"x.invalid"}}
    hosts = {}
    for variant in VARIANTS:
        seen = library(variant)
        seen.page.evaluate(
            """() => {
                const connectionOptions = { hosts: { domain: 'x.invalid', muc: 'muc.x.invalid' },
                    serviceUrl: 'wss://x.invalid/xmpp-websocket' };
                JitsiMeetJS.joinConference('room', 'vpaas-magic-cookie-x', null, { connectionOptions }).catch(() => 0);
            }"""
        )

        def asked(seen: Visit = seen) -> set[str]:
            return {url.split("/")[2] for url in server.addresses + seen.foreign}

        seen.wait_until(lambda: asked() >= expected[variant], f"a call of {expected[variant]}")  # noqa: B023 (called at once)
        seen.come_to_rest()
        hosts[variant] = asked()

    assert hosts == expected


def test_no_precall_test(library: Callable[[str], Visit]) -> None:
    connections = {}
    for variant in VARIANTS:
        connections[variant] = library(variant).page.evaluate(
            """async () => {
                let made = 0;
                window.RTCPeerConnection = new Proxy(RTCPeerConnection, { construct: (target, words) => {
                    made++;
                    return new target(...words);
                } });
                const server = { urls: 'turn:127.0.0.1:9', username: 'u', credential: 'c' };
                const end = new Promise(resolve => setTimeout(resolve, 1000));
                await Promise.race([ end, JitsiMeetJS.runPreCallTest([ server ]).catch(() => 0) ]);
                return made > 0;
            }"""
        )

    assert connections == {"unpatched": True, "hardened": False}


def test_analytics_keeps_no_event_for_a_handler(library: Callable[[str], Visit]) -> None:
    heard = {}
    for variant in VARIANTS:
        heard[variant] = library(variant).page.evaluate(
            """() => {
                const { analytics } = JitsiMeetJS;
                const events = [];
                const properties = [];
                analytics.reset();
                analytics.setConferenceName('secret-room');
                analytics.sendEvent('before');
                analytics.setAnalyticsHandlers([
                    { sendEvent: event => events.push(event.action), setUserProperties: set => properties.push(set) } ]);
                analytics.sendEvent('after');
                return [ events, JSON.stringify(properties).includes('secret-room') ];
            }"""
        )

    assert heard == {"unpatched": [["before", "after"], True], "hardened": [[], False]}


def test_password_is_in_no_log(library: Callable[[str], Visit], server: Server) -> None:
    """Log in with SASL PLAIN; then look through the console, the log transports and what 'Save logs' hands out."""
    leaked = {}
    for variant in VARIANTS:
        seen = library(variant)
        console: list[str] = []
        seen.page.on("console", lambda message, console=console: console.append(message.text))
        found: dict[str, Any] = seen.page.evaluate(
            """async password => {
                const connection = connectionTo();
                await login(connection, password);
                connection.xmpp.connection.send(new DOMParser().parseFromString(
                    '<message xmlns="jabber:client"><body>a secret word</body></message>', 'text/xml').documentElement);
                await new Promise(resolve => setTimeout(resolve, 300));
                return { said, logs: connection.getLogs() };
            }""",
            PASSWORD,
        )
        assert len(server.payloads) == 1
        assert any("Jabber ID" in text for text in found["said"])
        everything = json.dumps(found, default=str) + "".join(console)
        leaked[variant] = [secret in everything for secret in (server.payloads[0], "a secret word")]
        assert PASSWORD not in everything

    assert leaked == {"unpatched": [True, True], "hardened": [False, False]}


def test_no_secret_of_an_address_is_logged(library: Callable[[str], Visit]) -> None:
    """The JWT in the address of the service, the password in that of the bridge channel."""
    leaked = {}
    for variant in VARIANTS:
        seen = library(variant)
        said = seen.page.evaluate(
            """async () => {
                const connection = connectionTo({ bridgeChannel: { preferSctp: false } }, 'secret.token');
                await login(connection, 'password');
                await connection.xmpp.connection._keepAliveAndCheckShard();
                const conference = connection.initJitsiConference('room', {});
                const offer = new DOMParser().parseFromString(
                    '<jingle><content><transport><web-socket url="wss://x.invalid/colibri-ws?pwd=secret-word"/>'
                    + '</transport></content></jingle>', 'text/xml').documentElement;
                conference._setBridgeChannel(offer, null);
                connection.options.bridgeChannel.ignoreDomain = 'x.invalid';
                conference._setBridgeChannel(offer, null);
                history.replaceState(null, '', '?jwt=secret');
                said.push(`saved log: ${JSON.stringify(connection.getLogs())}`);
                return said;
            }"""
        )
        lines = {
            sign: [text for text in said if sign in text]
            for sign in (
                *("Keep alive failed", "Using colibri-ws url", "constructor() with wsUrl", "Falling back to"),
                "saved log",
            )
        }
        assert all(lines.values()), lines
        leaked[variant] = [any("secret" in text for text in texts) for texts in lines.values()]

    assert leaked == {"unpatched": [True] * 5, "hardened": [False] * 5}


# How a secret may be in a text that is logged, {} being the secret; and texts that stay as they are.
SECRET = "Zaunkoenig-7"
SAYS_A_SECRET = (
    "WebSocket wss://x.invalid/xmpp-websocket?room=r&token={} failed",
    "at https://x.invalid/Room#jwt=%22{}%22",
    "https://somebody:{}@x.invalid/Room",
    "//x.invalid/Room?a={}",
    "/Room?jwt={}&x=1",
    '{"password":"{}"}',
    '"{\\"xmpp_password_override\\":\\"{}\\"}"',
    '{"xmpp_password_override":"{}',
    "appData.localStorageContent=%7B%22xmpp_password_override%22%3A%22{}%22%7D",
    "jwt: {}",
    "access_token={}&state=1",
    "refreshToken = '{}'",
    "colibri-ws/1/2?pwd={}",
    "Received sessionId: {}",
    "Authorization: Bearer {}",
    "token => {}",
    "<password>{}</password>",
    "eyJhbGciOiJIUzI1NiJ9.eyJ{}.c2lnbmF0dXJl",
    "%22eyJhbGciOiJIUzI1NiJ9.eyJ{}.c2lnbmF0dXJl%22",
)
STAYS = (
    "at log (https://x.invalid/libs/lib.js:22:333)",
    "Participant joined: a1b2c3d4, role moderator",
    "a=candidate:1 1 udp 2122260223 192.0.2.1 3478 typ host",
    "jid: room@conference.x.invalid/a1b2c3d4",
)


def test_no_log_call_lets_a_secret_through(library: Callable[[str], Visit]) -> None:
    """Whatever is logged, and by whom: to the console, and to transports that others have added."""
    found = {}
    for variant in VARIANTS:
        seen = library(variant)
        console: list[str] = []
        seen.page.on("console", lambda message, console=console: console.append(message.text))
        texts = [text.replace("{}", SECRET) for text in SAYS_A_SECRET] + list(STAYS)
        said = seen.page.evaluate(
            """texts => {
                const { xmpp } = connectionTo();
                return texts.map(text => {
                    said.length = 0;
                    xmpp.connectionHandler({}, 1, text);
                    return said.join(' ');
                });
            }""",
            texts,
        )
        assert all("Strophe connecting" in text for text in said)
        seen.come_to_rest()
        for text, stays in zip(said[len(SAYS_A_SECRET) :], STAYS, strict=True):
            assert stays in text
        found[variant] = [text for text in said + console if SECRET in text]

    assert len(found["unpatched"]) >= 2 * len(SAYS_A_SECRET)
    assert found["hardened"] == []


# Hand the library what another participant, or the focus, sends; 'given' is what the browser gets of it.
CALLED = """async ([ sender, offer, info ]) => {
    window.given = [];
    for (const name of [ 'setRemoteDescription', 'addIceCandidate' ]) {
        const native = RTCPeerConnection.prototype[name];
        RTCPeerConnection.prototype[name] = function(word) {
            given.push(word.sdp ?? word.candidate);
            return native.call(this, word);
        };
    }
    const connection = connectionTo();
    await login(connection, 'password');
    const conference = connection.initJitsiConference('room', { p2p: { enabled: true } });
    conference._shouldBeInP2PMode = conference.isFocus = () => true;
    connection.xmpp.connection.sendIQ = (iq, success) => success?.(iq);
    for (const [ action, contents ] of [ [ 'session-initiate', offer ], [ 'transport-info', info ] ]) {
        connection.xmpp.connection.jingle.onJingle(new DOMParser().parseFromString(
            `<iq xmlns="jabber:client" type="set" id="1" to="somebody@x.invalid/r" from="room@muc.x.invalid/${sender}">
            <jingle xmlns="urn:xmpp:jingle:1" action="${action}" sid="1">${contents}</jingle></iq>`,
            'text/xml').documentElement);
    }
}"""
TRANSPORT = (
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789abcdef01234567'>"
    f"<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>{':'.join(['AB'] * 32)}</fingerprint>"
)


def _content(name: str, sources: str, candidates: str) -> str:
    return (
        f"<content creator='initiator' name='{name}' senders='both'>"
        "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>"
        f"<payload-type id='111' name='opus' clockrate='48000' channels='2'/><rtcp-mux/>{sources}</description>"
        f"{TRANSPORT}{candidates}</transport></content>"
        f"<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='{name}'/></group>"
    )


def _candidate(address: str, foundation: str = "1", priority: str = "1") -> str:
    return (
        f"<candidate foundation='{foundation}' component='1' protocol='udp' priority='{priority}' ip='{address}' port='9'"
        " type='host' generation='0'/>"
    )


def _candidates_given(seen: Visit, sender: str, offer: str, info: str, last: str) -> set[str]:
    """Return the addresses of all candidates that the browser gets, once it has the last one."""
    seen.page.evaluate(CALLED, [sender, offer, info])
    seen.page.wait_for_function("last => given.some(text => text.includes(last))", arg=last)
    text = "\n".join(seen.page.evaluate("given"))
    return set(re.findall(r"^(?:a=)?candidate:\S+ +\d+ +\S+ +\d+ +(\S+)", text, re.MULTILINE)) - {last}


def test_no_host_name_of_another_participant_is_looked_up(library: Callable[[str], Visit]) -> None:
    """Candidates of a call without bridge, in the offer and after it. Addresses and the random names of mDNS stay."""
    hidden = "0f3c1c5e-1b7e-4a55-9d3c-7f3e5a0c2b11.local"
    fit = {"127.0.0.2", "::2", hidden}
    names = {"name.invalid", "printer.local", "foundation.invalid", "blank.invalid", "127.2", "0x7f.1"}
    trick = _candidate("127.0.0.2", foundation="1 1 udp 1 foundation.invalid 9 typ host x")
    blank = _candidate("blank.invalid", priority="1 ")  # in an offer, Chromium refuses it, and the offer with it
    plain = "".join(_candidate(host) for host in sorted((fit | names) - {"foundation.invalid", "blank.invalid"}))
    last = _candidate("127.0.0.3")
    given: dict[str, list[set[str]]] = {}
    for variant in VARIANTS:
        given[variant] = []
        for in_offer, after in ((plain + trick, last), ("", plain + trick + blank + last)):
            offer, info = _content("0", "", in_offer), _content("0", "", after)
            given[variant].append(_candidates_given(library(variant), "mallory", offer, info, "127.0.0.3"))

    assert given == {"unpatched": [fit | names - {"blank.invalid"}, fit | names], "hardened": [fit] * 2}


def test_no_value_of_a_source_becomes_a_line(library: Callable[[str], Visit]) -> None:
    """The msid of a source, which its owner chooses and the focus hands on: as Jingle, and in the short form of
    JSON.
    """
    line = "a=candidate:1 1 udp 1 127.0.0.{} 9 typ host"
    jingle = (
        "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1001' name='mallory-a0'>"
        f"<parameter name='msid' value='a b&#13;&#10;{line.format(4)}'/></source>"
    )
    short = json.dumps(
        {"sources": {"mallory": [[], [], [{"s": "1002", "n": "mallory-a1", "m": f"c d\r\n{line.format(5)}"}]]}}
    )
    message = f"<json-message xmlns='http://jitsi.org/jitmeet'>{short}</json-message>"
    given = {}
    for variant in VARIANTS:
        offer = _content("audio", jingle, _candidate("127.0.0.6")) + message
        given[variant] = _candidates_given(library(variant), "focus", offer, "", "127.0.0.6")

    assert given == {"unpatched": {"127.0.0.4", "127.0.0.5"}, "hardened": set()}


def test_e2ee_worker_is_a_file_of_our_own_origin(library: Callable[[str], Visit]) -> None:
    workers = {}
    for variant in VARIANTS:
        started: list[str] = library(variant).page.evaluate(
            """async () => {
                const started = [];
                window.Worker = new Proxy(Worker, { construct: (target, words) => {
                    started.push(words[0]);
                    return new target(...words);
                } });
                const connection = connectionTo();
                await login(connection, 'password');
                connection.initJitsiConference('room', {});
                return started;
            }"""
        )
        workers[variant] = {re.sub(r"^http://127.0.0.1:\d+|(?<=blob).*", "", url) for url in started}

    assert workers == {"unpatched": {"blob"}, "hardened": {"/libs/lib-jitsi-meet.e2ee-worker.js"}}


@pytest.mark.parametrize("sdk", ["statsSessionId", "rtcstats-server", "8x8.vc", "Error creating PCs"])
def test_fingerprint_is_in_the_unpatched_library_and_not_in_ours(library: Callable[[str], Visit], sdk: str) -> None:
    """By strings of rtcstats, the JaaS presets and the pre-call test that survive minification."""
    found = {}
    for variant in VARIANTS:
        found[variant] = library(variant).page.evaluate(
            "async sdk => (await (await fetch('libs/lib-jitsi-meet.min.js')).text()).includes(sdk)", sdk
        )

    assert found == {"unpatched": True, "hardened": False}
