"""Where something on the way refuses the WebSocket, BOSH is used; where it refuses both, the page says so. On a real
Prosody.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from support import nginx_server, prosody_server
from support.prosody_server import ACCOUNTS, DOMAIN, MUC, Setup
from support.sites import archive_of, unpack

from .conftest import LOGIN, NGINX, Visit, sign_in
from .test_login import JOINED, PREJOIN, PROBLEM, ROOM, WRONG, _in_meeting, _joins, _says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Route, WebSocketRoute

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

UNREACHABLE = "The conference server cannot be reached."
BLOCKED = "The conference server is running, but something in your network blocks the connection"
USER = f"alice@{DOMAIN}"
PASSWORD = ACCOUNTS[USER]

# What a proxy may do to the upgrade of a connection; the last two are played by the browser test itself.
ANSWERS = {
    "forbidden": "return 403;",
    "not found": "return 404;",
    "bad gateway": "return 502;",
    "a page of its own": 'return 200 "<html>Blocked by policy</html>";',
    "login required": "return 407;",
    "reset": "return 444;",
    "no answer": "proxy_pass http://unix:{folder}/silent:/;",
}
# The answers to WebSocket and BOSH (None: not configured), and what the page says then.
REFUSED = {
    ("forbidden", "forbidden"): BLOCKED,
    ("forbidden", None): BLOCKED,
    ("a page of its own", "a page of its own"): BLOCKED,
    (None, "not found"): BLOCKED,
    ("accepted and closed", "login required"): BLOCKED,
    ("bad gateway", "bad gateway"): UNREACHABLE,
    (None, "bad gateway"): UNREACHABLE,
    ("reset", "reset"): UNREACHABLE,
    ("no answer", "no answer"): UNREACHABLE,
}
LOCATIONS = """
    location = /http-bind { proxy_pass http://127.0.0.1:PORT; proxy_set_header Connection ""; proxy_http_version 1.1; }
    location = /xmpp-websocket { proxy_pass http://127.0.0.1:PORT; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
"""


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[prosody_server.Server]:
    yield from prosody_server.serve(tmp_path_factory.mktemp("prosody"), Setup())


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, nginx: str, prosody: prosody_server.Server, developers_cache: Path
) -> Iterator[Callable[[str], str]]:
    """Provide a variant, served by nginx with Prosody behind it, and with addresses that refuse in each way."""
    running, addresses = [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))

        def serve(variant: str) -> str:
            if variant not in addresses:
                folder = tmp_path_factory.mktemp(variant)
                unpack(archive_of(variant), folder / "site")
                silent = socket.socket(socket.AF_UNIX)
                silent.bind(str(folder / "silent"))
                silent.listen()  # connections are never accepted
                refusals = "".join(f"location = /{_path(way)} {{ {what} }}\n" for way, what in ANSWERS.items())
                locations = LOCATIONS.replace("PORT", str(prosody.ports["http"])) + refusals
                template = NGINX.replace(
                    "    location = /external_api.js", f"{locations}    location = /external_api.js"
                )
                server, addresses[variant] = nginx_server.start(nginx, folder, template)
                running.append((server, silent))
            return addresses[variant]

        yield serve
    for server, silent in running:
        nginx_server.stop(server)
        silent.close()


def _path(way: str) -> str:
    return way.replace(" ", "-")


@pytest.fixture
def go(
    visit: Callable[..., Visit], configure: Callable[..., None], site: Callable[[str], str], context: BrowserContext
) -> Callable[..., Visit]:
    """Open a room without logging in, with these paths for WebSocket and BOSH."""
    context.route_web_socket(re.compile("/accepted-and-closed"), lambda route: route.close(code=1011))
    context.route_web_socket(re.compile("/accepted-and-silent"), lambda route: route.on_message(lambda _message: None))

    def open_page(variant: str, websocket: str | None, bosh: str | None = "http-bind") -> Visit:
        address = site(variant)
        configure(
            hosts={"domain": DOMAIN, "muc": MUC, "focus": f"focus.{DOMAIN}"},
            websocket=websocket and f"{address.replace('http', 'ws', 1)}/{_path(websocket)}",
            bosh=bosh and f"{address}/{_path(bosh)}",
            p2p={"enabled": False},
        )
        return visit(variant, ROOM, login=False)

    return open_page


def _transport(seen: Visit) -> str:
    return seen.page.evaluate("() => APP.connection.xmpp.connection.isUsingWebSocket ? 'WebSocket' : 'BOSH'")


def test_a_meeting_over_bosh_where_the_websocket_is_refused(go: Callable[..., Visit]) -> None:
    """Upstream tries the WebSocket again and again; the WebSocket is still the first choice where it works."""
    control = go("unpatched", "forbidden")
    _joins(control)
    control.wait_for("#reloadProgressBar")

    used = {}
    for way in ("forbidden", "xmpp-websocket"):
        seen = go("hardened", way)
        seen.wait_for(LOGIN)
        sign_in(seen.page, USER, PASSWORD)
        _in_meeting(seen)
        used[way] = _transport(seen)
        assert seen.page.evaluate("APP.connection.getJid()").startswith(f"{USER}/")

    assert used == {"forbidden": "BOSH", "xmpp-websocket": "WebSocket"}


def test_every_way_of_refusal_leads_to_bosh(go: Callable[..., Visit]) -> None:
    """With the right password and with a wrong one, which is tried once."""
    for way in [*ANSWERS, "accepted and closed", "accepted and silent"]:
        seen = go("hardened", way)
        seen.wait_for(LOGIN)
        sign_in(seen.page, USER, "wrong")
        _says(seen, WRONG)
        sign_in(seen.page, USER, PASSWORD)
        seen.wait_for(PREJOIN)


@pytest.mark.parametrize(
    ("step", "nth", "transport"),
    [
        ("<open", 1, "BOSH"),
        ("<auth", 1, "WebSocket"),
        ("<response", 1, "WebSocket"),
        ("<open", 2, "WebSocket"),
        ("<iq", 1, "WebSocket"),
    ],
)
def test_the_password_is_sent_on_one_connection(
    go: Callable[..., Visit], context: BrowserContext, step: str, nth: int, transport: str
) -> None:
    """A server that has it is waited for. One that hangs before that is left, and then the other way is tried."""
    held: list[Callable[[], None]] = []
    sent: list[str] = []
    closed: list[int | None] = []

    def hold(door: WebSocketRoute) -> None:
        server = door.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            sent.append(str(message).split(" ", 1)[0])
            if sent.count(step) == nth and sent[-1] == step and not held:
                held.append(lambda: server.send(message))
            else:
                server.send(message)

        def close(code: int | None, reason: str | None) -> None:
            closed.append(code)
            server.close(code=code if code in range(3000, 5000) else 1000, reason=reason)

        door.on_message(pass_on)
        door.on_close(close)

    context.route_web_socket(re.compile("/xmpp-websocket"), hold)
    seen = go("hardened", "xmpp-websocket")
    seen.wait_for(LOGIN)
    seen.page.clock.install()
    polls: list[Route] = []

    def hold_poll(poll: Route) -> None:  # so that only the WebSocket can come to an end
        polls.append(poll)

    seen.page.route("**/http-bind**", hold_poll)
    sign_in(seen.page, USER, PASSWORD)
    seen.wait_until(lambda: bool(held), f"the frame {step}")
    seen.page.clock.fast_forward(39_000)
    if transport == "BOSH":
        seen.wait_until(lambda: bool(polls), "a request of BOSH")
        assert closed
    for let_go in held:
        let_go()
    seen.page.unroute("**/http-bind**")
    for poll in polls:
        poll.continue_()
    seen.wait_for(PREJOIN)

    assert bool(polls) == (transport == "BOSH")
    assert sent.count("<auth") == (transport == "WebSocket")


def test_what_is_refused_is_not_what_is_down(go: Callable[..., Visit]) -> None:
    """A server that is down has a web server before it that says so; what blocks answers something else."""
    said = {}
    for ways in REFUSED:
        seen = go("hardened", *ways)
        seen.wait_for(LOGIN)
        sign_in(seen.page, USER, PASSWORD)
        seen.wait_for(PROBLEM)
        text = seen.page.inner_text(PROBLEM)
        said[ways] = next((message for message in (BLOCKED, UNREACHABLE) if text.startswith(message)), text)
    assert said == REFUSED


def test_a_meeting_over_bosh_survives_the_loss_of_its_connection(
    go: Callable[..., Visit], context: BrowserContext
) -> None:
    """The network fails for as long as BOSH needs to give up; then it is there again."""
    seen = go("hardened", None)
    seen.wait_for(LOGIN)
    sign_in(seen.page, USER, PASSWORD)
    _in_meeting(seen)
    jid = seen.page.evaluate("APP.connection.getJid()")
    seen.page.route("**/http-bind**", lambda route: route.abort())
    seen.wait_for('[data-testid="personal-login.waiting"]')
    seen.page.unroute("**/http-bind**")
    seen.page.wait_for_selector('[data-testid="personal-login.waiting"]', state="detached", timeout=60_000)
    seen.page.wait_for_function(JOINED)

    assert seen.page.evaluate("APP.connection.getJid()") != jid
    assert _transport(seen) == "BOSH"
