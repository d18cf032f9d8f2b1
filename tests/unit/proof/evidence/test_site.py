"""The evidence run's own server: settings, what lies outside the site, and rooms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hardener.proof.evidence import canaries
from hardener.proof.evidence.site import HOST, STAGE, OwnServer, Scene

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> OwnServer:
    site = tmp_path / "site"
    (site / "static").mkdir(parents=True)
    (site / "index.html").write_text(
        '<!--#include virtual="head.html" --><script><!--#include virtual="/config.js" --></script>'
    )
    (site / "head.html").write_text('<base href="/"><!--# echo var="x" default="d" -->')
    (site / "config.js").write_text("var config = {};")
    (tmp_path / "secret.txt").write_text("secret")
    return OwnServer(SimpleNamespace(tcp=_no_socket), site, Scene(), None, None)


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
    for one in canaries.CANARIES:
        assert one.kind.encode() in pages or one.host.encode() in pages
