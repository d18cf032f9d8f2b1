"""web/live.py: pages reload after a build, by a script that the shipped policy allows and no built site has."""

from __future__ import annotations

import base64
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from hardener.proof.web.live import EVENTS, SCRIPT, Live
from hardener.proof.web.messages import Request
from hardener.proof.web.site import Site
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {"index.html": "<html><head><title>x</title></head><body></body></html>", "static/about.html": "<main></main>"}


@pytest.fixture
def live(tmp_path: Path) -> Live:
    """Provide a site that was built once."""
    live = Live(Site(write_files(tmp_path, PAGES | {"config.js": "var config = {};"})))
    live.show("first")
    return live


@pytest.mark.parametrize("target", ["/", "/room", "/static/about.html", "/static/none.html"])
def test_each_page_asks_for_the_script_and_keeps_its_policy(live: Live, target: str) -> None:
    cached = {"if-none-match": "*", "accept-encoding": "gzip", "range": "bytes=0-3"}
    reply = live.answer(Request("GET", target, cached))
    tags = re.findall(rb'<script src="([^"]+)" integrity="sha384-([^"]+)"></script>', reply.body)
    assert [address for address, _hash in tags] == [f"{SCRIPT}?first".encode()]
    assert not {"ETag", "Last-Modified", "Content-Encoding", "Content-Range"} & set(reply.headers)
    policy = reply.headers["Content-Security-Policy"]
    assert "script-src 'self' " in policy
    assert "connect-src 'self';" in policy
    script = live.answer(Request("GET", f"{SCRIPT}?first"))
    assert base64.b64decode(tags[0][1]) == hashlib.sha384(script.body).digest()
    assert EVENTS in script.body.decode()
    assert script.headers["Content-Type"] == "application/javascript"


def test_other_files_are_those_of_the_site(live: Live) -> None:
    reply = live.answer(Request("GET", "/config.js"))
    assert reply.body == b"var config = {};"


def test_a_browser_learns_of_the_next_build_and_of_the_end(live: Live) -> None:
    assert live.following("") == "first", "also when the build has ended before the browser asks"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(live.following, "first")
        live.show("first")
        assert not waiting.done()
        live.show("second")
        assert waiting.result() == "second"
        waiting = pool.submit(live.following, "second")
        live.close()
        assert waiting.result() is None
