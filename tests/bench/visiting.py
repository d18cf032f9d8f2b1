"""The row 'first': the first visit of a room, on a slow line with a slow processor; each client as its own project
serves it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from measure import BenchError
from playwright.sync_api import sync_playwright
from report import Row

from hardener.snippets import NGINX
from support import nginx_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from workplace import Workplace

SLOW = {"offline": False, "latency": 562.5, "downloadThroughput": 180_000, "uploadThroughput": 84_375}  # Fast 3G
SLOWER = 4  # times, the processor
FORM = '#personal-login-user, [data-testid="prejoin.joinMeeting"]'
PATIENCE = 180_000  # milliseconds
ROOM = "/BenchRoom"
# docker-jitsi-meet's web/rootfs/defaults/nginx.conf; the locations are those of upstream's jitsi-meet.example.
UPSTREAMS_OUTSIDE = """gzip on; gzip_types text/plain text/css application/javascript application/json; gzip_vary on;
  gzip_min_length 860;"""
UPSTREAMS_INSIDE = """ssi on; ssi_types application/x-javascript application/javascript; index index.html;
    location ~ ^/([^/?&:'"]+)$ { try_files $uri @root_path; }
    location @root_path { rewrite ^/(.*)$ / break; }"""
OUR_INSIDE = """set $hardener_xmpp http://127.0.0.1:9; set $hardener_bridge http://127.0.0.1:9;
    include hardener/site.conf;"""


@dataclass
class Visit:
    """What one visit took until a form could be used."""

    sent: int  # bytes, headers included
    requests: int
    seconds: float


def first(place: Workplace) -> Row:
    """Visit a room with nothing in the browser's cache, in turns."""
    place.tell("first: hardener build --unpatched")
    place.harden("build", "--unpatched", "--project", place.project.root)
    work = place.project.root / ".work"
    visits: dict[str, list[Visit]] = {"theirs": [], "ours": []}
    with (
        _served(place.home / "theirs", work / "unpatched/site", UPSTREAMS_OUTSIDE, UPSTREAMS_INSIDE) as theirs,
        _served(place.home / "ours", work / "hardened/site", "", OUR_INSIDE) as ours,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=_program("chromium"), args=["--no-sandbox"]) as browser,
    ):
        for number in range(place.repeat):
            for who, address in (("theirs", theirs), ("ours", ours)):
                place.tell(f"first: {who}, {number + 1} of {place.repeat}")
                visits[who].append(_visit(browser, address))
    return _row(visits)


def _row(visits: dict[str, list[Visit]]) -> Row:
    lines = []
    for name, digits, unit in (("sent", 0, "bytes"), ("requests", 0, ""), ("seconds", 1, "s")):
        theirs, ours = (median(getattr(visit, name) for visit in visits[who]) for who in ("theirs", "ours"))
        values = f"theirs {theirs:.{digits}f}, ours {ours:.{digits}f} {unit}".rstrip()
        lines.append((f"{name}, ours / theirs", f"{ours / theirs:.2f} ({values})"))
    notes = (
        "until a form can be used: ours is the login, theirs the page before the meeting",
        f"Chromium as on Fast 3G (1.44 Mbit/s, 562 ms), processor {SLOWER} times slower; gzip on both sides",
    )
    return Row("First visit of a room", [], None, notes, tuple(lines))


def _visit(browser: Browser, address: str) -> Visit:
    with browser.new_context(locale="en-US") as context:
        page = context.new_page()
        sizes: list[int] = []
        session = context.new_cdp_session(page)
        session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW)
        session.send("Network.setExtraHTTPHeaders", {"headers": {"Accept-Encoding": "gzip"}})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        started = time.monotonic()
        page.goto(address + ROOM, wait_until="commit", timeout=PATIENCE)
        page.wait_for_selector(FORM, timeout=PATIENCE)
        return Visit(sum(sizes), len(sizes), time.monotonic() - started)


@contextlib.contextmanager
def _served(folder: Path, site: Path, outside: str, inside: str) -> Iterator[str]:
    """Serve a site with nginx on loopback; yields the address."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(NGINX, folder / "hardener")
    (folder / "site").symlink_to(site)
    server = f"{outside} server {{ listen 127.0.0.1:{{port}}; root {{site}}; {inside} }}"
    try:
        with nginx_server.serving(_program("nginx"), folder, server) as address:
            yield address
    except nginx_server.NginxError as error:
        raise BenchError(str(error), hint="nginx -t") from None


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not path:
        raise BenchError(f"{name} is not installed", hint=f"apt-get install {name}, or leave out the row: --rows")
    return path
