"""The evidence run's own server: settings, what lies outside the site, and rooms."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hardener.proof.evidence import canaries, site
from hardener.proof.evidence.site import HOST, STAGE, OwnServer, Scene
from hardener.proof.xmpp import websocket
from hardener.proof.xmpp.stanzas import FRAMING, local, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> OwnServer:
    folder = tmp_path / "site"
    (folder / "static").mkdir(parents=True)
    (folder / "index.html").write_text(
        '<!--#include virtual="head.html" --><script><!--#include virtual="/config.js" --></script>'
    )
    (folder / "head.html").write_text('<base href="/"><!--# echo var="x" default="d" -->')
    (folder / "config.js").write_text("var config = {};")
    (tmp_path / "secret.txt").write_text("secret")
    return OwnServer(SimpleNamespace(tcp=_no_socket), folder, Scene(), None, None)


def _no_socket(*_address: object) -> object:
    def accept() -> None:
        raise OSError

    return SimpleNamespace(accept=accept, close=lambda: None)


def test_includes_and_settings(server: OwnServer) -> None:
    server.scene.settings = "config.extra = 1;"
    reply = server.answer(HOST, "/some-room")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.body.startswith(b'<base href="/">d<script>var config = {};')
    assert b"wss://meet.hardener.test/xmpp-websocket" in reply.body
    assert reply.body.endswith(b"config.extra = 1;</script>")
    assert server.answer(HOST, "/config.js").body.endswith(b"config.extra = 1;")


def test_no_security_header_helps_the_page(server: OwnServer) -> None:
    """What the run sees is what the page does, not what the server's headers forbid."""
    assert set(server.answer(HOST, "/some-room").headers) <= {"Cache-Control", "Content-Type", "Vary"}


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/static/../../secret.txt"])
def test_nothing_outside_the_site(server: OwnServer, path: str) -> None:
    assert b"secret" not in server.answer(HOST, path).body


def test_missing_files_are_missing(server: OwnServer) -> None:
    assert server.answer(HOST, "/static/none.html").status == 404
    assert server.answer(HOST, "/canary/none.js").status == 404


def test_the_stage_and_the_canaries(server: OwnServer) -> None:
    server.scene.page = "<p>stage"
    assert server.answer(STAGE, "/anything").body == b"<p>stage"
    pages = b"".join(
        server.answer(HOST, canaries.FOLDER + name).body
        for name in ("page.html", "worker.js", "service-worker.js", "shared-worker.js")
    )
    assert b"'https://fetch.' + D" in pages
    for canary in canaries.CANARIES:
        assert canary.kind.encode() in pages or canary.host.encode() in pages


class Notes:
    """A record that keeps what is added."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def add(self, _witness: str, kind: str, **_facts: object) -> None:
        self.kinds.append(kind)


@contextlib.contextmanager
def at_the_door(server: OwnServer) -> Iterator[socket.socket]:
    """A browser's end of a connection to the server's handler, which has ended when the block has."""
    browser, own = socket.socketpair()
    browser.settimeout(30)
    handler = type("Bound", (site._Handler,), {"owner": server})

    def serve() -> None:
        with contextlib.suppress(OSError, EOFError), own:
            handler(own, ("browser", 0), None)

    thread = threading.Thread(target=serve)
    thread.start()
    with browser:
        yield browser
    thread.join()


def open_stream(browser: socket.socket) -> list[str]:
    ready = websocket.connect(browser, HOST, "/xmpp-websocket", "xmpp")
    ready.send(f"<open xmlns='{FRAMING}' to='{HOST}' version='1.0'/>")
    return [local(parse(ready.receive())) for _answer in range(2)]


def test_a_browser_that_opens_a_stream_is_answered_by_the_stub(server: OwnServer) -> None:
    server.record = Notes()
    with at_the_door(server) as browser:
        assert open_stream(browser) == ["open", "features"]
        browser.sendall(b"\x81\x01x")  # without a mask
    assert server.record.kinds == ["xmpp", "stub-error"]


def test_a_browser_that_opens_a_stream_is_connected_to_the_real_servers_where_there_are_some(
    server: OwnServer, tmp_path: Path
) -> None:
    server.record = Notes()
    real = OwnServer(SimpleNamespace(tcp=_no_socket), tmp_path, Scene(), Notes(), None)
    near, far = socket.socketpair()
    server.scene.real = SimpleNamespace(
        connect=lambda _query: websocket.connect(near, HOST, "/xmpp-websocket", "xmpp"), config=""
    )
    handler = type("Real", (site._Handler,), {"owner": real})

    def serve() -> None:
        with contextlib.suppress(OSError, EOFError), far:
            handler(far, ("relay", 0), None)

    thread = threading.Thread(target=serve)
    thread.start()
    with at_the_door(server) as browser:
        assert open_stream(browser) == ["open", "features"]
    thread.join()
    assert (server.record.kinds, real.record.kinds) == (["xmpp"], ["xmpp"])


def test_a_handshake_that_is_not_valid_gets_no_websocket(server: OwnServer) -> None:
    server.record = Notes()
    with at_the_door(server) as browser:
        browser.sendall(f"GET /xmpp-websocket HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n\r\n".encode())
        assert browser.recv(100) == b""
    assert server.record.kinds == []
