"""Planted requests, one of each kind: what the witnesses do not see here, they would not see of the bundle either."""

from __future__ import annotations

from dataclasses import dataclass

from hardener.system import templates

DOMAIN = "canary.example"
ADDRESS = "192.0.2.77"  # a contact without a name
FOLDER = "/canary/"


@dataclass(frozen=True)
class Canary:
    """One kind of request, the host it goes to, and what each witness must have seen of it."""

    kind: str
    host: str
    browser: frozenset[str]
    transport: frozenset[str]


def _canary(kind: str, browser: str, transport: str = "dns tcp", host: str = "") -> Canary:
    return Canary(kind, host or f"{kind}.{DOMAIN}", frozenset(browser.split()), frozenset(transport.split()))


CANARIES = (
    _canary("fetch", "request", "dns tcp request"),
    _canary("image", "request", "dns tcp request"),
    _canary("script", "request", "dns tcp request"),
    _canary("frame", "request", "dns tcp request"),
    _canary("worker", "request", "dns tcp request"),
    _canary("service-worker", "request", "dns tcp request"),
    _canary("websocket", "websocket", "dns tcp request"),
    _canary("worker-websocket", "websocket", "dns tcp request"),
    _canary("beacon", "beacon", "dns tcp request"),
    _canary("preconnect", "hint", "dns tcp"),
    _canary("dns-prefetch", "hint", "dns"),
    _canary("shared-worker", "request", "dns tcp request"),
    _canary("window", "window-open", "dns tcp request"),
    _canary("webtransport", "webtransport", "dns udp"),
    _canary("stun", "ice", "dns stun"),
    _canary("late-stun", "ice", "dns stun"),
    _canary("address", "request", "tcp request", ADDRESS),
)

_WORKER = """
fetch('https://worker.%s/').catch(() => 0);
new WebSocket('wss://worker-websocket.%s/');
"""
# Again and again: Chromium holds every other kind of target for the debugger until its network events are on; the first
# moments of this one are the transport's alone to see.
_SHARED_WORKER = """
const ask = () => fetch('https://shared-worker.%s/').catch(() => 0);
ask();
setInterval(ask, 500);
"""
_SERVICE_WORKER = """
self.addEventListener('install', event => { self.skipWaiting();
    event.waitUntil(fetch('https://service-worker.%s/').catch(() => 0)); });
"""


def body(name: str) -> tuple[str, str] | None:
    """Return content type and text of a file of the canary page; None where there is no such file."""
    return {
        "page.html": ("text/html", templates.render(__package__, "canaries.html", domain=DOMAIN, address=ADDRESS)),
        "worker.js": ("text/javascript", _WORKER % (DOMAIN, DOMAIN)),
        "shared-worker.js": ("text/javascript", _SHARED_WORKER % DOMAIN),
        "service-worker.js": ("text/javascript", _SERVICE_WORKER % DOMAIN),
    }.get(name)
