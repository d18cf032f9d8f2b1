"""Fixtures of the browser tests: the built site, unpacked and served with SSI by nginx on loopback, in Debian's
Chromium.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error, TimeoutError  # noqa: A004 (Playwright's own)

from hardener import config
from hardener.proof import chromium
from hardener.proof import stack as stack_module
from hardener.proof.stack import staging
from hardener.proof.stack.docker import NoDockerError
from hardener.proof.stack.flavours import JITSI
from hardener.proof.xmpp.stub import PASSWORD, USER, Conversation, Door, Mallory
from hardener.ui import UI
from support import nginx_server
from support.browsers.lent import Lender
from support.sites import archive_of, unpack

from .meeting import SMALL, Participant, modest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Frame, Page, WebSocketRoute

    from hardener.proof.stack import Stack

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / ".work" / "screenshots"
ROOM = "/HardenerTestRoom"
PREJOIN = '[data-testid="prejoin.joinMeeting"]'
XMPP = "xmpp.invalid"
# What config.js says of the server that the fixture xmpp is.
SERVERS = {
    "hosts": {"domain": "127.0.0.1", "muc": "conference.127.0.0.1", "anonymousdomain": None},
    "websocket": "ws://127.0.0.1/xmpp-websocket",
    "p2p": {"enabled": False},
}

# The shape of upstream's doc/debian/jitsi-meet/jitsi-meet.example: static folders, and every other path is a room.
NGINX = """
  server {
    listen 127.0.0.1:{port}; root {site}; ssi on; ssi_types application/x-javascript application/javascript; index index.html;
    location = /external_api.js { alias {site}/libs/external_api.min.js; }
    location ~ ^/([^/?&:'"]+)$ { try_files $uri @root_path; }
    location @root_path { rewrite ^/(.*)$ / break; }
  }
"""

# The same site served with build/nginx, as docs/operator.md#headers says; behind /http-bind a server that allows
# every origin.
NGINX_WITH_SNIPPETS = """
  server {
    listen 127.0.0.1:{port}; root {site};
    set $hardener_xmpp http://unix:{folder}/xmpp:; set $hardener_bridge http://127.0.0.1:9;
    include hardener/site.conf;
  }
  server {
    listen unix:{folder}/xmpp; default_type text/xml;
    location / { add_header Access-Control-Allow-Origin *; return 200 "<body/>"; }
  }
"""
SNIPPETS = ROOT / "build" / "nginx"
# Pages of a context share what V8 has compiled: a second visit takes half of the CPU time.
PROCESS_PER_SITE = "--process-per-site"
# For pages on which no test looks at the camera: to draw its 20 pictures a second takes a third of a processor.
# Upstream's settings show no camera that has fewer than 15.
SLOW_CAMERA = "--use-fake-device-for-media-stream=fps=5"
# Options of pytest-playwright that record what a context shows: it then has to be a new one.
RECORDING = ("--tracing", "--video", "--screenshot")
# Before a meeting, the page loads 43 sounds. No test listens, and a page does not wait for them.
NO_SOUNDS = """HTMLAudioElement.prototype.setAttribute = function(name, value) {
    Element.prototype.setAttribute.call(this, name, name === 'preload' ? 'none' : value);
};"""


@dataclass
class Visit:
    """A page and all that it said and asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def wait_for(self, selector: str) -> None:
        """Wait until an element is to be seen; a time-out says what the page said until then."""
        try:
            self.page.wait_for_selector(selector)
        except TimeoutError as error:
            pytest.fail(f"{selector} never came: {error}\nerrors: {self.errors}\nlast requests: {self.requests[-5:]}")

    def come_to_rest(self) -> None:
        """Wait until the page has had nothing to fetch for half a second, and time to draw: what it does by itself is
        done.
        """
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("() => new Promise(done => requestIdleCallback(done))")

    def wait_until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until something holds on our side, such as a request that was seen."""
        for _ in range(1000):
            if happened():
                return
            self.page.wait_for_timeout(20)  # lets events through
        pytest.fail(f"{what} never came\nerrors: {self.errors}\nlast requests: {self.requests[-5:]}")


@pytest.fixture(autouse=True)
def cache_home(developers_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """These tests build the real thing, from the mirrors and packages in the developer's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
    return developers_cache


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    program = chromium.for_pages()
    if not program:
        pytest.skip(f"Chromium is not installed: {chromium.HINT}")
    # No host but loopback has an address: what the browser itself asks for cannot blur what the page asks for.
    arguments = [
        *chromium.FLAGS,
        SLOW_CAMERA,
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        "--disable-sync",
        "--no-first-run",
        PROCESS_PER_SITE,
    ]
    return browser_type_launch_args | {"executable_path": program, "args": arguments}


@pytest.fixture(scope="session")
def full_browser(
    launch_browser: Callable[..., Browser], browser_type_launch_args: dict[str, Any]
) -> Callable[..., Browser]:
    """Start Chromium itself, as it is on a desk: with its own pace of the camera, and a process for each page. Takes
    more arguments for its command line.
    """
    program = chromium.browser()
    if not program:
        pytest.skip("Chromium itself is not installed: apt-get install chromium")
    lean = {SLOW_CAMERA, PROCESS_PER_SITE}
    arguments = [word for word in browser_type_launch_args["args"] if word not in lean]
    return lambda *more: launch_browser(executable_path=program, args=[*arguments, *more])


@pytest.fixture(scope="session")
def desk(full_browser: Callable[[], Browser]) -> Iterator[Browser]:
    browser = full_browser()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def lender(browser: Browser) -> Iterator[Lender]:
    """Provide the contexts of the lean browser that serve one test after the other."""
    lender = Lender(browser)
    yield lender
    lender.close()


@pytest.fixture
def context(request: pytest.FixtureRequest, browser_context_args: dict[str, Any]) -> Iterator[BrowserContext]:
    """Provide an empty context of the lean browser, without sounds; of Chromium itself for tests with the marker
    ``full_browser``.
    """
    if request.node.get_closest_marker("full_browser"):
        with request.getfixturevalue("desk").new_context() as full:
            yield full
        return
    with contextlib.ExitStack() as lent:
        if any(request.config.getoption(name) != "off" for name in RECORDING):
            lean = request.getfixturevalue("new_context")()
        else:
            of_test = request.node.get_closest_marker("browser_context_args")
            options = browser_context_args | (of_test.kwargs if of_test else {})
            lean = lent.enter_context(request.getfixturevalue("lender").lend(options))
        lean.add_init_script(NO_SOUNDS)
        yield lean


@pytest.fixture(scope="session")
def nginx() -> str:
    path = nginx_server.program()
    if not path:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    return path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, nginx: str) -> Iterator[Callable[[str], str]]:
    """Build, unpack and serve a variant; returns its address.

    'hardened', 'unpatched' and 'master' are served plainly, 'headers' is the hardened one with build/nginx,
    'bare' is the same with an empty file of headers, and 'brotli' the same with nginx's static brotli module.
    """
    servers: list[subprocess.Popen[bytes]] = []
    addresses: dict[str, str] = {}

    def serve(variant: str) -> str:
        if variant not in addresses:
            folder = tmp_path_factory.mktemp(variant)
            unpack(archive_of(variant if variant in {"unpatched", "master"} else "hardened"), folder / "site")
            http, outside = NGINX, ""
            if variant in {"headers", "bare", "brotli"}:
                http = NGINX_WITH_SNIPPETS
                _with_snippets(folder, headers=variant != "bare")
            if variant == "brotli":
                shutil.copy(SNIPPETS / "brotli/brotli.conf", folder / "hardener")
                outside = f"load_module {_static_brotli(nginx)};"
            server, addresses[variant] = nginx_server.start(nginx, folder, http, outside=outside)
            servers.append(server)
        return addresses[variant]

    yield serve
    for server in servers:
        nginx_server.stop(server)


def _static_brotli(nginx: str) -> Path:
    told = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    folder = re.search(r"--modules-path=(\S+)", told)
    module = Path(folder[1] if folder else "/", "ngx_http_brotli_static_module.so")
    if not module.exists():
        pytest.skip(f"{module} is not there: apt-get install libnginx-mod-http-brotli-static")
    return module


def _with_snippets(folder: Path, *, headers: bool) -> None:
    shutil.copytree(SNIPPETS, folder / "hardener")
    if not headers:
        (folder / "hardener" / "security-headers.conf").write_text("")


@pytest.fixture(scope="session")
def stacks(developers_cache: Path) -> Iterator[Callable[..., Stack]]:
    """Start a stack with a variant of the site; returns it. What these tests started they remove at their end.

    A stack that already ran when it was asked for (``hardener stack up``) is used, if it is the same, and left alone.
    Further words go to :func:`hardener.proof.stack.staging.up`.
    """
    project = config.load(ROOT)
    started: dict[str, Path] = {}
    known: dict[str, Stack] = {}

    def start(variant: str = "hardened", suffix: str = "", **words: Any) -> Stack:
        name = stack_module.default_name(ROOT) + suffix
        words = {"flavour": stack_module.chosen()} | words
        key = f"{name} {variant} {words}"
        if key in known:
            return known[key]
        try:
            running = staging.up(project, name, UI(quiet=True), site=archive_of(variant), **words)
        except NoDockerError as error:
            if os.environ.get("HARDENER_REQUIRE_STACK") == "1":
                raise
            pytest.skip(f"no stack: {error.message} ({error.hint})")
        known.clear()  # a stack of the same name may just have been replaced
        known[key] = running
        if running.fresh:
            started[name] = staging.folder(project, name)
        return running

    yield start
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
        for name, folder in started.items():
            with stack_module.lock():
                stack_module.down(name, folder)


@pytest.fixture(scope="session")
def bridged(stacks: Callable[..., Stack], developers_cache: Path) -> Stack:
    """Provide the stack with Jicofo and the videobridge, where Alice moderates, also in breakout rooms."""
    if not os.environ.get(JITSI):
        pytest.skip(f"{JITSI} names no folder with Jicofo and the videobridge: docs/maintaining.md")
    breakout = f'Component "breakout.{stack_module.DOMAIN}" "muc"'
    settings = {
        "XMPP_MUC_MODULES": "muc_named_hosts",
        "GLOBAL_CONFIG": f'named_hosts = {{ "alice@{stack_module.DOMAIN}" }}\\n{breakout}\\n'
        'modules_enabled = { "muc_hide_all", "muc_meeting_id", "muc_known_stanzas", "muc_named_hosts" }',
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
        return stacks(suffix="-bridge", flavour="debian", settings=settings)


@pytest.fixture
def stack(cache_home: Path, stacks: Callable[..., Stack]) -> Stack:
    """Provide the stack with the hardened site: ``url``, ``domain``, and ``users`` with their passwords."""
    return stacks()


@pytest.fixture(scope="session")
def browsers(full_browser: Callable[[], Browser]) -> Iterator[list[Browser]]:
    """Browsers that were started so far: each participant of a call has a browser process of their own.

    It asks for ``full_browser`` so that they are closed before Playwright ends, whatever tests come last.
    """
    del full_browser
    found: list[Browser] = []
    yield found
    for browser in found:
        browser.close()


@pytest.fixture(scope="session")
def lenders(full_browser: Callable[..., Browser]) -> Iterator[list[Lender]]:
    """Provide the browsers of the participants of a call that were started so far."""
    found: list[Lender] = []
    yield found
    for lender in found:
        lender.browser.close()


@pytest.fixture
def participant(
    stack: Stack, lenders: list[Lender], full_browser: Callable[..., Browser]
) -> Iterator[Callable[[str], Participant]]:
    """Provide a person of that name before a browser of their own, who has gone nowhere yet."""
    with contextlib.ExitStack() as lent:
        numbers = itertools.count()

        def enter(name: str) -> Participant:
            if len(lenders) == (number := next(numbers)):
                lenders.append(Lender(full_browser(PROCESS_PER_SITE)))
            context = lent.enter_context(lenders[number].lend({"viewport": SMALL}))
            return Participant(modest(context).new_page(), stack.url, name)

        yield enter


@dataclass
class Xmpp:
    """The XMPP server of the page's own host, behind each of its WebSockets, with its rules for logins."""

    door: Door = field(default_factory=lambda: Door(("SCRAM-SHA-1",)))
    mallory: Mallory | None = None  # who is in the room already
    conversations: list[Conversation] = field(default_factory=list)
    sockets: list[WebSocketRoute] = field(default_factory=list)
    down: bool = False  # takes no connection
    slow: str = ""  # answers to what begins like this wait for let_go()
    held: list[Callable[[], None]] = field(default_factory=list)

    def serve(self, socket: WebSocketRoute) -> None:
        """Answer one client until it leaves."""
        if self.down:
            socket.close(code=1013)
            return
        parts = urlsplit(socket.url)
        token = parse_qs(parts.query).get("token", [""])[0]
        talk = Conversation(parts.hostname or "", self.mallory, door=self.door, token=token)
        self.conversations.append(talk)
        self.sockets.append(socket)

        def answer(message: str | bytes) -> None:
            for stanza in talk.answer(str(message)):
                socket.send(stanza)

        def take(message: str | bytes) -> None:
            if self.slow and str(message).startswith(self.slow):
                self.held.append(lambda: answer(message))
            else:
                answer(message)

        socket.on_message(take)

    def let_go(self) -> None:
        """Give the answers that were held back."""
        while self.held:
            self.held.pop(0)()

    def stop(self) -> None:
        """Break the connections and take no new one, as a server does that is stopped."""
        self.down = True
        for socket in self.sockets:
            socket.close(code=1012)
        self.sockets.clear()

    @property
    def accounts(self) -> list[str]:
        """Return who has signed in, in order; a login page asks once, and the meeting's connection a second time."""
        return [talk.account for talk in self.conversations if talk.account]


@pytest.fixture
def xmpp(context: BrowserContext) -> Xmpp:
    """Provide an XMPP server with one account; to be asked for before the page is opened."""
    server = Xmpp()
    context.route_web_socket(re.compile(r"/xmpp-websocket\b"), server.serve)
    return server


LOGIN = '[data-testid="personal-login"]'


def sign_in(page: Page | Frame, user: str = USER, password: str = PASSWORD) -> None:
    """Fill in the login page and send it."""
    page.fill("#personal-login-user", user)
    page.fill("#personal-login-password", password)
    page.click('[data-testid="personal-login.submit"]')


def enter(meeting: Page | Frame, ready: str) -> None:
    """Through the login page, where there is one, to what ``ready`` selects."""
    meeting.wait_for_selector(f"{LOGIN}, {ready}")
    if meeting.query_selector(LOGIN):
        sign_in(meeting)
        meeting.wait_for_selector(ready)


def is_room(path: str) -> bool:
    """Return whether a path leads to a meeting, and so to the login page first."""
    name = urlsplit(path).path
    return name != "/" and not name.startswith("/static/")


@pytest.fixture
def visit(
    cache_home: Path, context: BrowserContext, site: Callable[[str], str], request: pytest.FixtureRequest
) -> Callable[..., Visit]:
    """Open a path of a variant; requests to foreign hosts are recorded and aborted.

    Where the path leads to a meeting, the login page of the hardened variants is filled in, unless ``login`` is False.
    """

    def open_page(variant: str, path: str, *, login: bool = True) -> Visit:
        address = site(variant)
        for older in context.pages:
            older.close()
        login = login and variant != "unpatched" and is_room(path)
        if login:
            request.getfixturevalue("xmpp")
        page = context.new_page()
        seen = Visit(page)

        def route(asked: Any) -> None:
            url = asked.request.url
            seen.requests.append(url)
            if url.startswith((address, "data:", "blob:")):
                asked.continue_()
            else:
                seen.foreign.append(url)
                asked.abort()

        page.route("**/*", route)
        page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        try:
            page.goto(address + path)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
            page.goto(address + path)  # the network of another test's containers came or went meanwhile
        if login:
            seen.wait_for(LOGIN)
            sign_in(page)
        return seen

    return open_page


@pytest.fixture
def configure(context: BrowserContext) -> Callable[..., None]:
    """Set keys of config.js as an operator would, on every page from now on."""
    everything: dict[str, Any] = {}

    def add(**keys: Any) -> None:
        everything.update(keys)
        context.add_init_script(
            "(keys => { let kept; Object.defineProperty(window, 'config', { configurable: true, get: () => kept,"
            " set: value => { kept = Object.assign(value, kept ? {} : keys); } }); })(" + json.dumps(everything) + ")"
        )

    return add


@pytest.fixture
def open_house(xmpp: Xmpp, configure: Callable[..., None]) -> Xmpp:
    """Provide the server of ``xmpp`` under a name of its own; it takes guests too, which upstream's client is without
    a login.
    """
    xmpp.door = Door()
    configure(hosts={"domain": XMPP, "muc": f"conference.{XMPP}"}, websocket=f"wss://{XMPP}/xmpp-websocket")
    return xmpp


def join(surface: Page | Frame) -> None:
    """From the page before a meeting into the meeting."""
    surface.click(PREJOIN)
    surface.wait_for_function("() => window.APP?.conference?.isJoined()")


@pytest.fixture
def meeting(visit: Callable[..., Visit], open_house: Xmpp) -> Callable[..., Visit]:
    """Open a room of a variant and join the meeting; the participant is alone there, and a moderator."""

    def open_room(variant: str, path: str = ROOM) -> Visit:
        seen = visit(variant, path)
        seen.wait_for(PREJOIN)
        join(seen.page)
        return seen

    return open_room
