"""A visit of a running service with a real browser: what its pages do is found, and the service knows who visits it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from hardener.assessment.service import browser
from hardener.assessment.service.client import AGENT
from support.threads import beside_playwright

if TYPE_CHECKING:
    from pathlib import Path

WELCOME = b'<!doctype html><link rel="icon" href="data:,"><div id="react"><button>Start</button></div>'
ROOM = (
    WELCOME
    + b"""<a href="https://play.google.com/store/apps/details?id=x">App</a><script>
new Image().src = 'https://tracker.example/pixel.gif';
const peer = new RTCPeerConnection({ iceServers: [ { urls: 'stun:192.0.2.9:3478' } ] });
peer.createDataChannel('x');
peer.createOffer().then(offer => peer.setLocalDescription(offer));
localStorage.setItem('visitor', crypto.randomUUID());
localStorage.setItem('recent', JSON.stringify([ location.pathname ]));
localStorage.setItem('language', 'en');
document.cookie = 'seen=' + Date.now();
navigator.mediaDevices.getUserMedia({ audio: true });
</script>"""
)


class Service(BaseHTTPRequestHandler):
    """A service whose first page does nothing, and whose rooms do everything."""

    agents: list[str]

    def do_GET(self) -> None:
        self.agents.append(self.headers["User-Agent"])
        page = WELCOME if self.path == "/" else ROOM
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_words: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def agents() -> list[str]:
    return []


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, agents: list[str]) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("site")
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Service,), {"agents": agents})) as server:
        origin = f"http://127.0.0.1:{server.server_port}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(browser, "_LINGER", 1)
            found = _serving(server, browser.Goal(origin, (origin,), folder))
    if "missing" in found:
        pytest.skip(found["missing"])
    return found


def _serving(server: ThreadingHTTPServer, goal: browser.Goal) -> dict[str, Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        return dict(beside_playwright(browser.browse, goal, lambda _count: None, lambda _text: None))
    finally:
        server.shutdown()
        thread.join()


def test_both_witnesses_see_a_contact_that_is_planted_in_a_page_of_the_service(seen: dict[str, Any]) -> None:
    assert seen["void"] == []
    contacts = {contact["host"]: contact for contact in seen["contacts"]}
    assert set(contacts) == {"tracker.example", "192.0.2.0/24"}
    assert set(contacts["tracker.example"]["browser"]) == {"request"}
    assert {"dns", "tls"} <= set(contacts["tracker.example"]["transport"])
    assert contacts["tracker.example"]["in"] == ["android", "iphone", "room 1", "room 2"]  # and not the first page
    assert (contacts["192.0.2.0/24"]["browser"], contacts["192.0.2.0/24"]["transport"]) == (["ice"], ["stun"])


def test_stored_entries_are_told_apart_by_kind(seen: dict[str, Any]) -> None:
    assert {entry["key"]: entry["kind"] for entry in seen["stored"]} == {
        "visitor": "identifier", "recent": "history", "language": "other", "seen": "other",
    }  # fmt: skip


def test_devices_and_links_into_stores_are_counted_by_journey(seen: dict[str, Any]) -> None:
    found = {journey["name"]: (journey["devices"], journey["promoted"]) for journey in seen["journeys"]}
    assert found == {"welcome": (0, 0), **dict.fromkeys(("room 1", "room 2", "android", "iphone"), (1, 1))}


def test_each_request_names_the_visitor_and_is_counted(seen: dict[str, Any], agents: list[str]) -> None:
    assert {agent.endswith(AGENT) for agent in agents} == {True}
    assert sum(journey["requests"] for journey in seen["journeys"]) == len(agents) == 5
