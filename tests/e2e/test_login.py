"""No meeting without a personal login, and no trace of the login. 'unpatched' is the
control.

The server is the XMPP stub of the evidence harness, behind the page's own WebSocket; the core of it is again in
test_login_stack.py, against a real one.
"""

from __future__ import annotations

import base64
import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from hardener.proof.xmpp.stub import PASSWORD, USER, Door

from .conftest import LOGIN, SCREENSHOTS, SERVERS, Visit, Xmpp, enter, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
PREJOIN = '[data-testid="prejoin.joinMeeting"]'
PROBLEM = '[data-testid="personal-login.problem"]:not(:empty)'
STATUS = '[data-testid="personal-login.status"]'
DIALOG = "#login-dialog-username"
CANARY = "Zaunkönig-7 & Söhne"
JOINED = "() => APP.conference.isJoined()"
WRONG = "User name or password is wrong."
UNREACHABLE = "The conference server cannot be reached. Please try again later or contact your organisation."
UNDECIDED = (
    "The conference server is running, but its sign-in service does not answer: it may be slow or down."
    " Please try again later or contact your organisation."
)
ENDED = "Your session has ended (for example because your account was changed). Please sign in again."
GATEWAY = "https://gateway.invalid/login?state={state}&room={room}"

# Counts what the page asks of the camera and the microphone, and notes of which of them.
MEDIA = """
window.asked = [];
window.askedFor = [];
for (const name of [ 'getUserMedia', 'getDisplayMedia' ]) {
    const real = navigator.mediaDevices[name].bind(navigator.mediaDevices);
    navigator.mediaDevices[name] = constraints => {
        asked.push(name);
        askedFor.push(Object.keys(constraints).filter(kind => constraints[kind]).join());
        return real(constraints);
    };
}
"""


@pytest.fixture
def go(
    context: BrowserContext, visit: Callable[..., Visit], configure: Callable[..., None], xmpp: Xmpp
) -> Callable[..., Visit]:
    """Open a room without logging in; the unpatched client uses the same server."""
    context.add_init_script(MEDIA)

    def open_page(variant: str, path: str = ROOM, **keys: Any) -> Visit:
        configure(**SERVERS | keys)
        return visit(variant, path, login=False)

    return open_page


def _joins(seen: Visit) -> None:
    """From the page before the meeting into the meeting."""
    seen.wait_for(PREJOIN)
    seen.page.fill("#premeeting-name-input", "Somebody")
    seen.page.click(PREJOIN)


def _signs_in_upstream(seen: Visit, user: str = USER) -> None:
    """Join, and fill in upstream's own dialog, which comes up then."""
    _joins(seen)
    seen.wait_for(DIALOG)
    seen.page.fill(DIALOG, user)
    seen.page.fill("#login-dialog-password", PASSWORD)
    seen.page.click("#modal-dialog-ok-button")


def _in_meeting(seen: Visit) -> None:
    _joins(seen)
    seen.page.wait_for_function(JOINED)


def _says(seen: Visit, text: str) -> None:
    seen.wait_for(PROBLEM)
    assert seen.page.inner_text(PROBLEM) == text


def _screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"login-{name}.png")


def _token(seconds: float = 3600, alg: str = "HS256", signature: str = "c2lnbmF0dXJl", **claims: Any) -> str:
    """Return an unsigned token: the server can detect this, the page cannot."""
    claims = {"exp": int(time.time() + seconds), "aud": "jitsi", "room": "*"} | claims
    claims = {key: value for key, value in claims.items() if value is not None}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": alg, "typ": "JWT"}, {"context": {"user": {"name": "Ada"}}} | claims)
    ]
    return ".".join([*parts, signature])


# The login page itself


def test_login_comes_before_camera_and_microphone(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """And the page before the meeting after the login. Upstream asks for both, and for no login until a person
    joins.
    """
    control = go("unpatched")
    control.wait_for(PREJOIN)
    control.page.wait_for_function("() => asked.length")
    assert not control.page.query_selector(DIALOG)
    assert xmpp.conversations == []

    seen = go("hardened")
    seen.wait_for(LOGIN)
    _screenshot(seen.page, "desktop")
    assert seen.page.evaluate("asked") == []
    assert not seen.page.query_selector(PREJOIN)
    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    assert "getUserMedia" in seen.page.evaluate("asked")
    _screenshot(seen.page, "prejoin")
    _in_meeting(seen)
    assert xmpp.accounts == ["alice@127.0.0.1"] * 2


def test_no_page_of_the_site_asks_for_a_camera_without_a_login(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """static/prejoin.html shows the camera's picture and joins nothing: there, and not here."""
    status = {
        variant: go(variant, "/static/offline.html").page.evaluate(
            "() => fetch('/static/prejoin.html').then(r => r.status)"
        )
        for variant in ("unpatched", "hardened")
    }

    assert status == {"unpatched": 200, "hardened": 404}


def test_wrong_password_and_then_the_right_one(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page, password="wrong")
    _says(seen, WRONG)
    _screenshot(seen.page, "wrong-password")
    assert seen.page.input_value("#personal-login-user") == USER
    seen.page.wait_for_function("() => document.activeElement.id === 'personal-login-password'")
    assert seen.page.get_attribute("#personal-login-password", "aria-invalid") == "true"
    assert seen.page.get_attribute("#personal-login-password", "aria-describedby") == "personal-login-problem"
    assert (xmpp.accounts, seen.page.evaluate("asked")) == ([], [])

    seen.page.keyboard.type(PASSWORD)
    seen.page.keyboard.press("Enter")
    seen.wait_for(PREJOIN)


# Notes each connection that is made.
NOTE = """() => {
    window.noted = [];
    JitsiMeetJS.JitsiConnection = new Proxy(JitsiMeetJS.JitsiConnection, {
        construct(target, words) {
            noted.push(Reflect.construct(target, words));

            return noted.at(-1);
        }
    });
}"""
# What of each connection has the password, or is a function that has it.
HOLDERS = """() => noted.map(({ xmpp: { connection: { _stropheConn: { connect_callback, pass, streamManagement } } } }) =>
    Object.entries({ pass, connect_callback, again: streamManagement._connectAgain })
        .filter(([ , holder ]) => holder)
        .map(([ name ]) => name))"""


def test_no_connection_that_was_asked_keeps_the_password(go: Callable[..., Visit]) -> None:
    """Neither one that is refused nor the right one. That of the meeting, which has to connect again, is the
    control.
    """
    seen = go("hardened")
    seen.wait_for(LOGIN)
    seen.page.evaluate(NOTE)
    sign_in(seen.page, password="wrong")
    _says(seen, WRONG)
    sign_in(seen.page)
    _in_meeting(seen)

    assert seen.page.evaluate(HOLDERS) == [[], [], ["connect_callback", "again"]]


def test_an_unknown_user_hears_the_same(go: Callable[..., Visit]) -> None:
    """Who tries names does not learn which ones there are."""
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page, user="nobody")
    _says(seen, WRONG)


@pytest.mark.parametrize(
    ("typed", "account"),
    [
        ("alice@127.0.0.1", "alice@127.0.0.1"),
        (" alice ", "alice@127.0.0.1"),
        ("alice@Staff.example.org", "alice@127.0.0.1"),
        ("alice@example.org", r"alice\40example.org@127.0.0.1"),
        ("o'hara/x", r"o\27hara\2fx@127.0.0.1"),
    ],
)
def test_names_with_an_at_sign(go: Callable[..., Visit], xmpp: Xmpp, typed: str, account: str) -> None:
    """A domain that is the accounts' own, or named in config.js, is left off; another one is a part of the name."""
    accounts = {r"alice\40example.org@127.0.0.1": PASSWORD, r"o\27hara\2fx@127.0.0.1": PASSWORD}
    xmpp.door = Door(("SCRAM-SHA-1",), accounts)
    seen = go("hardened", personalLogin={"userDomains": ["staff.example.org"]})
    seen.wait_for(LOGIN)
    sign_in(seen.page, user=typed)
    seen.wait_for(PREJOIN)

    assert xmpp.accounts == [account]


def test_an_at_sign_ends_in_a_loop_upstream(go: Callable[..., Visit]) -> None:
    """The control of the test above: a domain that the server does not know is where it connects to."""
    seen = go("unpatched")
    _signs_in_upstream(seen, "alice@example.org")
    seen.wait_for("#reloadProgressBar, .reload_overlay_title")


def test_form_for_keyboard_password_manager_and_screen_reader(go: Callable[..., Visit]) -> None:
    """Names, roles and states as they reach a screen reader; every step only with the keyboard."""
    seen = go("hardened")
    seen.wait_for(LOGIN)
    page = seen.page
    page.wait_for_function("() => document.activeElement.id === 'personal-login-user'")
    user, password = page.get_by_role("textbox", name="User name"), page.locator("#personal-login-password")
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in"
    assert page.get_by_role("form", name="Sign in").count() == 1
    assert page.evaluate("() => document.querySelector('form').method") == "post"
    assert [user.get_attribute(name) for name in ("autocomplete", "name", "type")] == ["username", "username", "text"]
    assert [password.get_attribute(name) for name in ("autocomplete", "name", "type")] == [
        "current-password",
        "password",
        "password",
    ]
    assert page.get_by_label("Password", exact=True).get_attribute("id") == "personal-login-password"
    assert page.locator('[role="alert"]').count() == 1
    assert page.title().startswith("Sign in")

    page.keyboard.type(USER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # show the password
    assert password.get_attribute("type") == "text"
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    seen.wait_for(PREJOIN)


def test_empty_fields_are_not_sent(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page, user="", password="")

    assert seen.page.evaluate("() => document.querySelector('form').checkValidity()") is False
    assert xmpp.conversations == []


@pytest.mark.parametrize("size", [(1280, 720), (320, 568)], ids=["desktop", "mobile"])
def test_login_page_speaks_german_and_fits(go: Callable[..., Visit], size: tuple[int, int]) -> None:
    seen = go("hardened", f"{ROOM}?lang=de")
    page = seen.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_selector("text=Benutzername")
    _screenshot(page, f"german-{size[0]}")
    sign_in(page, password="falsch")
    _says(seen, "Benutzername oder Passwort ist falsch.")
    _screenshot(page, f"german-wrong-{size[0]}")
    scroll = "() => [ document.documentElement.scrollWidth, innerWidth ]"
    wide, room = page.evaluate(scroll)

    assert wide <= room


# Servers that are down, or not what they should be


def test_a_server_that_says_nothing_is_reported_within_15_seconds(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    xmpp.door = Door(silent=True)
    seen = go("hardened")
    seen.wait_for(LOGIN)
    begin = time.monotonic()
    sign_in(seen.page)
    assert seen.page.inner_text(STATUS) == "Signing in …"
    _says(seen, UNREACHABLE)
    assert time.monotonic() - begin < 15

    xmpp.door = Door(("SCRAM-SHA-1",))
    seen.page.get_by_role("button", name="Try again").click()
    seen.wait_for(PREJOIN)


def test_a_server_that_is_down_is_reported(go: Callable[..., Visit], context: BrowserContext) -> None:
    context.route_web_socket(re.compile("xmpp-websocket"), lambda socket: socket.close(code=1011))
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _says(seen, UNREACHABLE)


def test_a_directory_that_is_down_is_no_wrong_password(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    xmpp.door = Door(("PLAIN",), failure="temporary-auth-failure")
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _says(seen, UNDECIDED)


@pytest.mark.parametrize("step", ["<auth", "<response", "<iq"])
def test_a_directory_that_is_slow_is_waited_for(go: Callable[..., Visit], xmpp: Xmpp, step: str) -> None:
    """On one connection, up to some forty seconds, on the login page as for the meeting; then the page says what is slow."""
    seen = go("hardened")
    seen.wait_for(LOGIN)
    seen.page.clock.install()
    xmpp.slow = step
    sign_in(seen.page)
    seen.wait_until(lambda: bool(xmpp.held), f"the frame {step}")
    seen.page.clock.fast_forward(7_000)
    seen.page.clock.fast_forward(41_000)
    _says(seen, UNDECIDED)
    assert len(xmpp.conversations) == 1

    xmpp.held.clear()
    seen.page.get_by_role("button", name="Try again").click()
    seen.wait_until(lambda: bool(xmpp.held), f"the frame {step}")
    seen.page.clock.fast_forward(30_000)
    xmpp.slow = ""
    xmpp.let_go()
    seen.wait_for(PREJOIN)

    xmpp.slow = step
    _joins(seen)
    seen.wait_until(lambda: bool(xmpp.held), f"the frame {step} for the meeting")
    seen.page.clock.fast_forward(30_000)
    assert seen.page.evaluate("() => Boolean(APP.store.getState()['features/base/connection'].connecting)")
    xmpp.slow = ""
    xmpp.let_go()
    seen.page.wait_for_function(JOINED)
    assert len(xmpp.conversations) == 3


# A success without a signature, or with a wrong one (RFC 5802, section 3): a server that knows no password can say as much.
SIGNATURES = ("", "x", "v=", "v=none", "v=,", "x,v=none", "e=other-error", f"v={base64.b64encode(bytes(20)).decode()}")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_a_server_that_proves_nothing_is_refused(go: Callable[..., Visit], xmpp: Xmpp, mechanism: str) -> None:
    """Before a challenge and after one. The right signature, in the end, is accepted."""
    seen = go("hardened")
    seen.wait_for(LOGIN)
    for said in SIGNATURES:
        for lie in ({"unproven": said}, {"forged": said}):
            xmpp.door = Door((mechanism,), **lie)
            talks = len(xmpp.conversations)
            sign_in(seen.page)
            seen.wait_until(lambda talks=talks: len(xmpp.conversations) > talks, "another attempt")
            seen.wait_for(PROBLEM)
            assert not seen.page.locator(PREJOIN).count(), lie
    xmpp.door = Door((mechanism,))
    sign_in(seen.page)
    seen.wait_for(PREJOIN)


def test_the_nonce_of_a_login_is_random(go: Callable[..., Visit], xmpp: Xmpp, context: BrowserContext) -> None:
    """A fixed Math.random() does not fix it, and it is another one at the next connection."""
    context.add_init_script("Math.random = () => 0.5")
    seen = go("hardened")
    seen.wait_for(LOGIN)
    for password in ("wrong", PASSWORD):
        sign_in(seen.page, password=password)
        seen.wait_for(PROBLEM if password == "wrong" else PREJOIN)
    nonces = [talk.nonce for talk in xmpp.conversations]
    assert len({*nonces}) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in nonces)


def test_a_server_without_personal_login_gets_no_password(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Only ANONYMOUS: it admits no participant, and the password is not sent in another way instead."""
    heard = {}
    for variant in ("unpatched", "hardened"):
        xmpp.door = Door(("ANONYMOUS",))
        seen = go(variant, "/static/offline.html" if variant == "unpatched" else ROOM)
        if variant == "unpatched":
            # Its own dialog never appears there; any client of the library is the control.
            seen.page.goto(seen.page.url.replace("/static/offline.html", "/"))
            seen.page.wait_for_function("() => window.JitsiMeetJS")
            seen.page.evaluate(
                """password => new JitsiMeetJS.JitsiConnection(null, null, { hosts: { domain: '127.0.0.1' },
                    serviceUrl: 'ws://127.0.0.1/xmpp-websocket', p2p: {}, flags: {} })
                    .connect({ id: 'alice@127.0.0.1', password })""",
                PASSWORD,
            )
            seen.page.wait_for_function("() => true")
            _until(seen.page, lambda: any(talk.heard for talk in xmpp.conversations))
        else:
            seen.wait_for(LOGIN)
            sign_in(seen.page)
            _says(seen, "This server does not offer personal sign-in. Please inform your IT support.")
        heard[variant] = [value for talk in xmpp.conversations for kind, value in talk.heard if "legacy" in kind]
        xmpp.conversations.clear()

    assert heard == {"unpatched": [PASSWORD], "hardened": []}


def _until(page: Page, happened: Callable[[], bool]) -> None:
    """Let the page continue until the server has seen something."""
    while not happened():
        page.evaluate("() => new Promise(requestAnimationFrame)")


def test_guests_domain_of_the_configuration_is_not_used(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """A host for guests on the server: upstream joins without a login."""
    hosts = {"domain": "127.0.0.1", "muc": "conference.127.0.0.1", "anonymousdomain": "guest.127.0.0.1"}
    used = {}
    for variant in ("unpatched", "hardened"):
        xmpp.door = Door(("ANONYMOUS", "SCRAM-SHA-1"), {"x@guest.127.0.0.1": "x"})
        seen = go(variant, hosts=hosts)
        if variant == "hardened":
            seen.wait_for(LOGIN)
            sign_in(seen.page)
        _in_meeting(seen)
        used[variant] = {account.split("@")[1] for account in xmpp.accounts}
        assert (seen.page.evaluate("config.hosts.anonymousdomain ?? null") is None) == (variant == "hardened")
        xmpp.conversations.clear()

    assert used == {"unpatched": {"guest.127.0.0.1"}, "hardened": {"127.0.0.1"}}


# Ways round

OVERRIDE = {"xmpp_username_override": f"{USER}@127.0.0.1", "xmpp_password_override": PASSWORD}
LINKS = {
    "no prejoin": "#config.prejoinConfig.enabled=false",
    "recorder": "#config.iAmRecorder=true&config.prejoinConfig.enabled=false",
    "gateway": "#config.iAmSipGateway=true",
    "hosts": "#config.hosts.anonymousdomain=%22127.0.0.1%22&config.hosts.domain=%22guest.127.0.0.1%22",
    "token mode": "#config.tokenAuthUrl=%22https://evil.invalid/%22&config.personalLogin.mode=%22token%22",
    "our own key": "#config.personalLogin=false&config.personalLogin.required=false",
    "login button": "#config.hideLoginButton=true&config.disableFocus=true&config.preferVisitor=true",
    "hidden domain": "#config.hiddenDomain=%22127.0.0.1%22&config.useHostPageLocalStorage=true"
    f"&appData.localStorageContent={quote(json.dumps(json.dumps(OVERRIDE)))}",
    "storage": f"#config.useHostPageLocalStorage=true&appData.localStorageContent={quote(json.dumps(json.dumps(OVERRIDE)))}",
    "token in the query": f"?jwt={_token()}",
    "token in the hash": f"#jwt=%22{_token()}%22",
    "login in the query": "?login=true",
    "vpaas": f"?jwt={_token(iss='chat', sub='vpaas-magic-cookie-1')}",
}


@pytest.mark.parametrize("name", LINKS)
def test_no_link_gets_round_the_login_page(go: Callable[..., Visit], xmpp: Xmpp, name: str) -> None:
    """The server lets in everybody, so that nothing but the page is in the way."""
    xmpp.door = Door(("ANONYMOUS", "SCRAM-SHA-1"))
    seen = go("hardened", ROOM + LINKS[name])
    seen.wait_for(LOGIN)
    seen.page.wait_for_selector("#personal-login-user")
    seen.page.evaluate(ATTEMPT)

    assert seen.page.evaluate("asked") == []
    assert xmpp.conversations == []


# Time for what should not happen: everything that the page has to do is done when it is idle.
ATTEMPT = "() => new Promise(resolve => requestIdleCallback(() => requestIdleCallback(resolve)))"


def test_a_link_that_names_an_account_logs_in_upstream(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """The control: no dialog, and the author of the link has chosen the account."""
    seen = go("unpatched", ROOM + LINKS["storage"])
    _in_meeting(seen)

    assert xmpp.accounts == ["alice@127.0.0.1"]


def test_a_link_without_prejoin_is_in_the_meeting_upstream(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    xmpp.door = Door(("ANONYMOUS",))
    seen = go("unpatched", ROOM + LINKS["no prejoin"])
    seen.page.wait_for_function(JOINED)


@pytest.mark.parametrize("hidden", [None, "hidden.example"], ids=["no hidden domain", "another hidden domain"])
def test_a_stored_account_gets_nobody_in(go: Callable[..., Visit], xmpp: Xmpp, hidden: str | None) -> None:
    accounts = {}
    for variant in ("unpatched", "hardened"):
        seen = go(variant, "/static/offline.html", hiddenDomain=hidden)
        seen.page.evaluate("items => Object.entries(items).forEach(one => localStorage.setItem(...one))", OVERRIDE)
        seen.page.goto(seen.page.url.replace("/static/offline.html", ROOM))
        if variant == "unpatched":
            _in_meeting(seen)
        else:
            seen.wait_for("#personal-login-user")
            seen.page.evaluate(ATTEMPT)
            assert seen.page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('xmpp'))") == []
        accounts[variant] = xmpp.accounts
        xmpp.conversations.clear()

    assert accounts == {"unpatched": ["alice@127.0.0.1"], "hardened": []}


def test_config_cannot_switch_the_login_off(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Whatever config.js says of it."""
    for value in (False, None, "off", {"mode": "none", "required": False, "enabled": False}):
        seen = go("hardened", personalLogin=value, requireLogin=False, prejoinConfig={"enabled": False})
        seen.wait_for("#personal-login-user")
    assert xmpp.conversations == []


def test_an_embedding_page_cannot_get_round_it(
    context: BrowserContext, site: Callable[[str], str], go: Callable[..., Visit], xmpp: Xmpp
) -> None:
    """A page of our own origin, which may use the IFrame API: its commands and its configuration open nothing."""
    seen = go("hardened", "/static/offline.html")
    page, address = seen.page, site("hardened")
    page.evaluate(
        """src => {
            window.addEventListener('message', ({ data, source }) => {
                const message = JSON.parse(data);

                message.method === '__ready__' && source.postMessage(data, '*');
                window.ready = message.params?.data?.name === 'ready' || window.ready;
            });
            document.body.append(Object.assign(document.createElement('iframe'),
                { allow: 'camera; microphone', src, width: 900, height: 600 }));
        }""",
        f"{address}{ROOM}#jitsi_meet_external_api_id=0&config.prejoinConfig.enabled=false",
    )
    page.wait_for_function("() => window.ready")
    frame = page.frames[-1]
    frame.wait_for_selector(LOGIN)
    for name, data in (
        (
            "overwrite-config",
            [{"personalLogin": False, "prejoinConfig": {"enabled": False}, "hideConferenceTimer": True}],
        ),
        ("join-conference", []),
        ("login", []),
    ):
        page.evaluate(
            """([ name, data ]) => frames[0].postMessage(JSON.stringify({ postis: true, scope:
            'jitsi_meet_external_api_0',
                method: 'message', params: { type: 'event', data: { name, data } } }), '*')""",
            [name, data],
        )
    frame.wait_for_function("() => APP.store.getState()['features/base/config'].hideConferenceTimer")
    frame.evaluate(ATTEMPT)

    assert frame.query_selector(LOGIN)
    assert frame.evaluate("asked") == []
    assert xmpp.conversations == []
    enter(frame, "#largeVideoContainer, " + PREJOIN)


def test_a_connection_without_a_login_is_refused(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Whatever part of the page asks for one: the page starts again, at the login."""
    xmpp.door = Door(("ANONYMOUS", "SCRAM-SHA-1"))
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _in_meeting(seen)
    before = len(xmpp.conversations)
    with seen.page.expect_navigation():
        # Hang up, as far as the store is concerned; then a person joins again.
        seen.page.evaluate(
            """async () => {
                await APP.conference.leaveRoom();
                APP.conference.init({ roomName: 'hardenertestroom', shouldDispatchConnect: true });
            }"""
        )
    seen.wait_for("#personal-login-user")

    assert len(xmpp.conversations) == before


def test_a_reload_asks_again(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    seen.page.reload()
    seen.wait_for("#personal-login-user")

    assert seen.page.evaluate("asked") == []


def test_a_page_that_comes_back_as_it_was_left_asks_again(go: Callable[..., Visit]) -> None:
    """With "Back", and all that was in its memory. The browser of these tests keeps no pages; this is what one says
    that does.
    """
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    with seen.page.expect_navigation():
        seen.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    seen.wait_for("#personal-login-user")

    assert seen.page.evaluate("asked") == []


# Life of a login

# Upstream looks for the room's address in the reason.
DESTROY = (
    "<presence xmlns='jabber:client' type='unavailable' from='{room}/{nick}' to='{jid}'>"
    "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='none'/>"
    "<destroy jid='{room}'><reason>{room}</reason></destroy></x></presence>"
)


def test_a_silent_reconnect_keeps_the_login(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """The server has destroyed the room to make it again: upstream asks for the password again."""
    for variant in ("unpatched", "hardened"):
        seen = go(variant)
        if variant == "unpatched":
            _signs_in_upstream(seen)
            seen.page.wait_for_function(JOINED)
        else:
            seen.wait_for(LOGIN)
            sign_in(seen.page)
            _in_meeting(seen)
        accounts = len(xmpp.accounts)
        _destroy(seen, xmpp)
        if variant == "unpatched":
            seen.wait_for(DIALOG)
            assert len(xmpp.accounts) == accounts
        else:
            _until(seen.page, lambda before=accounts: len(xmpp.accounts) > before)
            seen.page.wait_for_function(JOINED)
            assert not seen.page.query_selector(f"{DIALOG}, {LOGIN}")
            assert set(xmpp.accounts) == {"alice@127.0.0.1"}
        xmpp.conversations.clear()


def _destroy(seen: Visit, xmpp: Xmpp) -> None:
    room, nick, jid = seen.page.evaluate(
        "() => { const { room } = APP.conference._room; return [ room.roomjid, room.nickname, room.connection.jid ]; }"
    )
    xmpp.sockets[-1].send(DESTROY.format(room=room, nick=nick, jid=jid))


def test_a_password_that_was_changed_ends_the_session(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Back to the login page, which says so; and the refused password is nowhere."""
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    xmpp.door = Door(("SCRAM-SHA-1",), {f"{USER}@127.0.0.1": "another"})
    with seen.page.expect_navigation():
        _joins(seen)
    seen.wait_for("#personal-login-user")
    assert seen.page.inner_text(STATUS) == ENDED
    assert not seen.page.query_selector(DIALOG)

    seen.page.reload()
    seen.wait_for("#personal-login-user")
    assert seen.page.inner_text(STATUS) == ""


def test_logging_out_before_the_meeting(go: Callable[..., Visit]) -> None:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    assert "Signed in as alice" in seen.page.inner_text('[data-testid="personal-login.signed-in"]')
    with seen.page.expect_navigation():
        seen.page.get_by_role("button", name="Sign out").click()
    seen.wait_for("#personal-login-user")

    assert seen.page.inner_text(STATUS) == "You have been signed out."
    assert seen.page.evaluate("asked") == []


def test_logging_out_in_the_meeting(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """In the settings, where upstream has it; and it works whether the focus knows of a session or not."""
    seen = go("hardened", toolbarConfig={"alwaysVisible": True})
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _in_meeting(seen)
    page = seen.page
    page.click("[aria-label='More actions']")
    page.click("[aria-label='Edit your profile']")
    assert "alice" in page.inner_text("[role='dialog']")
    page.click("#login_button")
    with page.expect_navigation():
        page.get_by_role("button", name="Yes").click()
    seen.wait_for("#personal-login-user")

    assert page.inner_text(STATUS) == "You have been signed out."


def test_hanging_up_forgets_the_login(go: Callable[..., Visit]) -> None:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _in_meeting(seen)
    with seen.page.expect_navigation():
        seen.page.evaluate("() => { APP.conference.hangup(false); }")
    seen.page.goto(seen.page.url.split("#")[0].rstrip("/") + ROOM)
    seen.wait_for("#personal-login-user")


# What stays

# Where one of some texts is. The store is walked as far as names lead: into the library's live objects too, where
# accessors
# and the inside of functions are out of reach. Of what the browser itself makes (elements, buffers, sockets), nothing
# is walked.
FIND = """async forms => {
    const holds = text => forms.some(form => text.includes(form));
    const places = [];
    const seen = new Set();
    const todo = [ [ 'store', APP.store.getState() ] ];

    for (const [ path, value ] of todo) {
        if (typeof value === 'string') {
            holds(value) && places.push(path);
        } else if (!seen.has(value) && value !== window && !(value instanceof Node)
                && !(value instanceof ArrayBuffer) && !ArrayBuffer.isView(value)) {
            seen.add(value);
            for (const [ key, { value: next } ] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
                (typeof next === 'string' || Object(next) === next) && todo.push([ `${path} ${key}`, next ]);
                holds(key) && places.push(`${path} ${key}`);
            }
            if (value instanceof Map || value instanceof Set) {
                todo.push([ `${path} entries`, [ ...value ] ]);
            }
            value instanceof URL && todo.push([ path, value.href ]);
            Object.getPrototypeOf(value) && todo.push([ `${path} prototype`, Object.getPrototypeOf(value) ]);
        }
    }

    const others = {
        local: { ...localStorage },
        session: { ...sessionStorage },
        databases: await indexedDB.databases(),
        cookies: document.cookie,
        caches: await caches.keys(),
        address: location.href,
        history: history.state,
        config,
        logs: APP.connection?.getLogs?.() ?? APP.store.getState()['features/base/connection'].connection?.getLogs?.()
    };

    return [ ...places, ...Object.keys(others).filter(key => holds(JSON.stringify(others[key]) ?? '')) ];
}"""


def _forms(secret: str) -> list[str]:
    """Return how a password may be written: plain, in an address, in JSON, in Base64 as SASL PLAIN does."""
    plain = base64.b64encode(f"\0{USER}\0{secret}".encode()).decode()
    return [secret, quote(secret), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode(), plain]


def test_the_password_is_nowhere(go: Callable[..., Visit], xmpp: Xmpp, context: BrowserContext) -> None:
    """SASL PLAIN, once refused and once accepted, a meeting: no storage, store, address or log holds it.

    Upstream keeps the one that was refused in its store, and the accepted one in its log and in the connection, which is
    in the store. Nor is the token of the link anywhere but in the address that was opened; upstream logs one without quotes.
    """
    token = _token(context={"user": {"name": "Planted"}})
    forms = _forms(CANARY) + _forms(CANARY + "x")
    found: dict[str, set[str]] = {}
    tokens: dict[str, set[str]] = {}
    for variant in ("unpatched", "hardened"):
        xmpp.door = Door(("PLAIN",), {f"{USER}@127.0.0.1": CANARY})
        said: list[str] = []
        requested: list[str] = []
        context.on("console", lambda message, said=said: said.append(message.text))
        seen = go(variant, f"{ROOM}#jwt={token}")
        seen.page.on(
            "request", lambda request, requested=requested: requested.append(request.url + str(request.post_data or ""))
        )
        if variant == "unpatched":
            _joins(seen)
            seen.wait_for(DIALOG)
            user, password, submit = DIALOG, "#login-dialog-password", "#modal-dialog-ok-button"
        else:
            seen.wait_for(LOGIN)
            user, password, submit = (
                "#personal-login-user",
                "#personal-login-password",
                '[data-testid="personal-login.submit"]',
            )
        places = []
        for secret in (CANARY + "x", CANARY):
            seen.page.fill(user, USER)
            seen.page.fill(password, secret)
            seen.page.click(submit)
            if secret != CANARY:
                seen.wait_for(PROBLEM if variant == "hardened" else "text=Incorrect username or password")
                places += seen.page.evaluate(FIND, forms)
        if variant == "hardened":
            _in_meeting(seen)
        seen.page.wait_for_function(JOINED)
        places += seen.page.evaluate(FIND, forms)
        for place, texts in (("console", said), ("requests", requested)):
            places += [place for form in forms if form in "\n".join(texts)]
        found[variant] = set(places)
        kept = seen.page.evaluate(FIND, [token]) + ["console"] * (token[-12:] in "\n".join(said))
        tokens[variant] = {place for place in kept if "locationURL" not in place and place != "address"}
        assert xmpp.accounts

    assert found["hardened"] == set()
    assert tokens["hardened"] == set()
    assert "console" in tokens["unpatched"]
    assert {"logs", "store features/base/connection error credentials password"} <= found["unpatched"]
    for end in ("_stropheConn pass", "_stropheConn streamManagement _connectArgs 1"):
        assert any(place.startswith("store ") and place.endswith(end) for place in found["unpatched"]), found


# Token mode


def _token_mode(go: Callable[..., Visit], path: str = ROOM, **keys: Any) -> Visit:
    return go("hardened", path, tokenAuthUrl=GATEWAY, **keys)


def _door(*tokens: str) -> Door:
    return Door(("ANONYMOUS",), tokens=frozenset(tokens))


TOKEN_IN = {"query": "?jwt={}", "hash": "#jwt=%22{}%22"}
LOGIN_BUTTON = '[data-testid="personal-login.gateway"]'


@pytest.mark.parametrize("where", TOKEN_IN)
def test_a_token_that_the_server_takes_lets_in(go: Callable[..., Visit], xmpp: Xmpp, where: str) -> None:
    token = _token()
    xmpp.door = _door(token)
    seen = _token_mode(go, ROOM + TOKEN_IN[where].format(token))
    seen.wait_for(PREJOIN)
    assert "Signed in as Ada" in seen.page.inner_text('[data-testid="personal-login.signed-in"]')
    seen.page.click(PREJOIN)
    seen.page.wait_for_function(JOINED)

    assert len(xmpp.accounts) == 2
    assert token not in seen.page.url


@pytest.mark.parametrize("where", TOKEN_IN)
def test_hanging_up_leaves_no_token_in_the_address(go: Callable[..., Visit], xmpp: Xmpp, where: str) -> None:
    """Neither for the server nor for who is next here, and enters a room by changing the address. Other parameters
    stay.
    """
    token = _token()
    xmpp.door = _door(token)
    seen = _token_mode(go, f"{ROOM}{TOKEN_IN[where].format(token)}&lang=en")
    seen.wait_for(PREJOIN)
    seen.page.click(PREJOIN)
    seen.page.wait_for_function(JOINED)
    before, talks = len(seen.requests), len(xmpp.conversations)
    with seen.page.expect_navigation():
        seen.page.evaluate("() => { APP.conference.hangup(false); }")
    assert urlsplit(seen.page.url).path == "/"
    assert "lang=en" in seen.page.url
    with seen.page.expect_navigation():
        seen.page.evaluate("room => { location.pathname = room; }", ROOM)
    seen.wait_for(LOGIN_BUTTON)

    # The connection of the meeting that is ending may still ask its own address whether it lives.
    asked_for = [url for url in seen.requests[before:] if urlsplit(url).path != "/xmpp-websocket"]
    assert [url for url in [*asked_for, seen.page.url] if token in url] == []
    assert len(xmpp.conversations) == talks
    assert seen.page.evaluate("asked") == []


@pytest.mark.parametrize("where", TOKEN_IN)
def test_signing_out_at_the_gateway_leaves_no_token_behind(
    go: Callable[..., Visit], site: Callable[[str], str], xmpp: Xmpp, where: str
) -> None:
    """Who presses "Back" there is asked for a login, and not in again."""
    token = _token()
    xmpp.door = _door(token)
    logout = f"{site('hardened')}/static/offline.html"
    seen = _token_mode(go, ROOM + TOKEN_IN[where].format(token), tokenLogoutUrl=logout)
    seen.wait_for(PREJOIN)
    talks = len(xmpp.conversations)
    with seen.page.expect_navigation(url=logout):
        seen.page.get_by_role("button", name="Sign out").click()
    seen.page.go_back()
    seen.wait_for(LOGIN_BUTTON)

    assert seen.page.url == site("hardened") + ROOM
    assert seen.page.inner_text(STATUS) == "You have been signed out."
    assert len(xmpp.conversations) == talks
    assert seen.page.evaluate("asked") == []


BAD = {
    "expired": _token(-3600),
    "not yet": _token(nbf=int(time.time() + 3600)),
    "no end": _token(exp=None),
    "alg none": _token(alg="none"),
    "alg None": _token(alg="nOnE"),
    "no signature": _token(signature=""),
    "unknown algorithm": _token(alg="XX1"),
    "no token": "abc",
    "two parts": ".".join(_token().split(".")[:2]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_cannot_be_right_is_not_even_sent(go: Callable[..., Visit], xmpp: Xmpp, name: str) -> None:
    xmpp.door = Door(("ANONYMOUS",))  # takes everybody
    seen = _token_mode(go, f"{ROOM}?jwt={BAD[name]}")
    _says(seen, "Your sign-in has expired or is not valid. Please sign in again.")

    assert seen.page.get_by_role("button", name="Continue to sign-in").count() == 1
    assert seen.page.evaluate("asked") == []
    assert xmpp.conversations == []


# The clock of the computer is wrong by some days.
SHIFTED = """days => {
    const Real = Date;

    window.Date = class extends Real {
        constructor(...values) {
            super(...(values.length ? values : [ Real.now() + (days * 86400000) ]));
        }

        static now() {
            return Real.now() + (days * 86400000);
        }
    };
}"""


@pytest.mark.parametrize("days", [-1, 1])
def test_the_servers_clock_decides_about_a_token(
    go: Callable[..., Visit], xmpp: Xmpp, context: BrowserContext, days: int
) -> None:
    """Where that of the computer is wrong by a day; a token that is too old or too new at the server stays so."""
    context.add_init_script(f"({SHIFTED})({days})")
    now = int(time.time())
    token, wrong = (
        _token(nbf=now - 10),
        _token(-86400 - 3600) if days < 0 else _token(3 * 86400, nbf=now + 2 * 86400),
    )
    xmpp.door = _door(token, wrong)
    seen = _token_mode(go, f"{ROOM}?jwt={wrong}")
    _says(seen, "Your sign-in has expired or is not valid. Please sign in again.")
    assert xmpp.conversations == []

    seen = _token_mode(go, f"{ROOM}?jwt={token}")
    seen.wait_for(PREJOIN)
    seen.page.click(PREJOIN)
    seen.page.wait_for_function(JOINED)


def test_a_forged_token_is_refused_before_the_camera_is_asked_for(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """It looks right; the server knows better. Upstream shows the page before the meeting, camera and all."""
    xmpp.door = _door(_token())
    control = go("unpatched", f"{ROOM}?jwt={_token(7200)}", tokenAuthUrl=GATEWAY)
    control.wait_for(PREJOIN)
    control.page.wait_for_function("() => asked.length")

    seen = _token_mode(go, f"{ROOM}?jwt={_token(7200)}")
    _says(seen, "The conference server has not accepted your sign-in. Please sign in again.")
    assert seen.page.evaluate("asked") == []
    assert xmpp.accounts == []


def test_without_a_token_one_button_leads_to_the_gateway(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """And no field for a password, which the server would not know."""
    seen = _token_mode(go)
    seen.wait_for(LOGIN)
    _screenshot(seen.page, "token")
    assert seen.page.locator("input").count() == 0
    with seen.page.expect_request("https://gateway.invalid/**") as request:
        seen.page.get_by_role("button", name="Continue to sign-in").click()
    query = parse_qs(urlsplit(request.value.url).query)

    assert query["room"] == ["HardenerTestRoom"]
    assert json.loads(query["state"][0])["room"] == "HardenerTestRoom"
    assert xmpp.conversations == []
    assert seen.page.evaluate("asked") == []


def test_the_gateway_takes_the_page_and_no_window_of_its_own(go: Callable[..., Visit]) -> None:
    """Whatever config.js says: upstream's window could not answer, and what it opens later in a meeting neither."""
    seen = _token_mode(go, tokenAuthInline=True)
    windows: list[str] = []
    seen.page.on("popup", lambda window: windows.append(window.url))
    seen.wait_for(LOGIN)
    assert "tokenAuthInline" not in seen.page.evaluate("APP.store.getState()['features/base/config']")
    with seen.page.expect_request("https://gateway.invalid/**") as request:
        seen.page.get_by_role("button", name="Continue to sign-in").click()

    assert request.value.is_navigation_request()
    assert windows == []


def test_nothing_is_left_in_the_tab_for_a_gateway_that_does_not_ask(
    go: Callable[..., Visit], site: Callable[[str], str]
) -> None:
    """Upstream writes a PKCE verifier there in any case."""
    seen = _token_mode(go)
    seen.wait_for(LOGIN)
    with seen.page.expect_request("https://gateway.invalid/**"):
        seen.page.get_by_role("button", name="Continue to sign-in").click()

    seen.page.goto(address := f"{site('hardened')}/static/offline.html")

    assert seen.page.url == address
    assert seen.page.evaluate("({ ...sessionStorage })") == {}


def test_token_mode_without_a_gateway_says_where_to_go(go: Callable[..., Visit]) -> None:
    seen = go("hardened", personalLogin={"mode": "token"})
    seen.wait_for(LOGIN)

    assert "open it from the portal" in seen.page.inner_text(LOGIN)
    assert seen.page.locator(f"{LOGIN} input, {LOGIN} button").count() == 0


# An unsigned token of a person who would like to be called something.
BOSS = _token(alg="none", context={"user": {"name": "Dr. Boss", "email": "boss@example.org", "id": "boss"}})


@pytest.mark.parametrize("where", TOKEN_IN)
def test_a_links_token_is_nobodys_where_people_have_passwords(
    go: Callable[..., Visit], site: Callable[[str], str], xmpp: Xmpp, where: str
) -> None:
    """The author of the link decides under which name and e-mail address a person is in the meeting: upstream."""
    asked: list[str | None] = []

    def focus(route: Route) -> None:
        asked.append(route.request.headers.get("authorization"))
        route.fulfill(
            json={
                "ready": True,
                "room": route.request.post_data_json["room"],
                "focusJid": "focus@127.0.0.1",
                "properties": {},
            }
        )

    found = {}
    for variant in ("unpatched", "hardened"):
        xmpp.door = Door(("ANONYMOUS", "SCRAM-SHA-1"))
        seen = go(
            variant, ROOM + TOKEN_IN[where].format(BOSS), conferenceRequestUrl=f"{site(variant)}/conference-request/v1"
        )
        seen.page.route("**/conference-request/**", focus)
        if variant == "hardened":
            seen.wait_for(LOGIN)
            sign_in(seen.page)
            _in_meeting(seen)
        else:
            seen.wait_for(PREJOIN)
            seen.page.click(PREJOIN)
            seen.page.wait_for_function(JOINED)
        places = seen.page.evaluate(FIND, ["Dr. Boss", "boss@example.org"])
        tokens = {talk.token for talk in xmpp.conversations}
        # The address that was opened has it; nothing reads it there.
        kept = [place for place in seen.page.evaluate(FIND, [BOSS]) if "locationURL" not in place]
        found[variant] = (places, tokens, set(asked), kept)
        asked.clear()
        xmpp.conversations.clear()

    assert found["hardened"] == ([], {""}, {None}, [])
    places, *rest = found["unpatched"]
    assert rest[:2] == [{BOSS}, {f"Bearer {BOSS}"}]
    assert "store features/base/jwt user name" in places
    assert "store features/base/participants local name" in places
    assert "store features/base/participants local email" in places


def test_password_mode_does_not_ask_the_gateway(go: Callable[..., Visit]) -> None:
    """config.js may choose passwords although there is a gateway."""
    seen = _token_mode(go, personalLogin={"mode": "password"})
    seen.wait_for("#personal-login-user")


# The recorder

RECORDER = {
    "xmpp_username_override": "recorder@hidden.example",
    "xmpp_password_override": "recorder-pw",
    "xmpp_conference_password_override": "room-pw",
}


def _jibri(seen: Visit, how: str) -> None:
    """As Jibri does it: by the address (today), or by the storage of its own browser (before)."""
    target = seen.page.url.replace("/static/offline.html", ROOM)
    if how == "storage":
        seen.page.evaluate("items => Object.entries(items).forEach(one => localStorage.setItem(...one))", RECORDER)
    else:
        content = quote(json.dumps(json.dumps(RECORDER)))
        target += f"#config.iAmRecorder=true&config.useHostPageLocalStorage=true&appData.localStorageContent={content}"
    seen.page.goto(target)


@pytest.mark.parametrize("how", ["address", "storage"])
def test_a_recorder_with_its_own_account_gets_in(go: Callable[..., Visit], xmpp: Xmpp, how: str) -> None:
    """Without a person who clicks; with the room's password, and as recorder."""
    xmpp.door = Door(("SCRAM-SHA-1",), {"recorder@hidden.example": "recorder-pw"})
    seen = go("hardened", "/static/offline.html", hiddenDomain="hidden.example")
    _jibri(seen, how)
    seen.page.wait_for_function("() => APP.conference?.isJoined?.()")

    assert xmpp.accounts == ["recorder@hidden.example"] * 2
    assert seen.page.evaluate("config.iAmRecorder") is True
    assert (
        seen.page.evaluate("APP.conference._room.room.password ?? APP.conference._room.room.lastPresences") is not None
    )
    assert RECORDER["xmpp_password_override"] not in seen.page.evaluate("JSON.stringify({ ...localStorage })")


def test_a_recorder_with_a_wrong_password_is_nobody(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    xmpp.door = Door(("SCRAM-SHA-1",), {"recorder@hidden.example": "another"})
    seen = go("hardened", "/static/offline.html", hiddenDomain="hidden.example")
    _jibri(seen, "address")
    _says(seen, WRONG)

    assert seen.page.evaluate("asked") == []
    assert not seen.page.evaluate("config.iAmRecorder")
    assert xmpp.accounts == []
