"""Our own server: server-side includes, what lies outside the site, and rooms."""

from __future__ import annotations

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
    (site / "head.html").write_text('<base href="/"><!--#echo var="x" default="d" -->')
    (site / "config.js").write_text("var config = {};")
    (tmp_path / "secret.txt").write_text("secret")
    one = OwnServer.__new__(OwnServer)
    one.site, one.scene = site, Scene()
    return one


def test_includes_and_settings(server: OwnServer) -> None:
    server.scene.settings = "config.extra = 1;"
    status, kind, body = server.body(HOST, "/some-room")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert body.startswith(b'<base href="/">d<script>var config = {};')
    assert b"wss://meet.hardener.test/xmpp-websocket" in body
    assert body.endswith(b"config.extra = 1;</script>")
    assert server.body(HOST, "/config.js")[2].endswith(b"config.extra = 1;")


def test_an_include_inside_of_an_attribute(server: OwnServer) -> None:
    """In single quotes, as index.html of the hardened site has it: config.js would not be found otherwise."""
    (server.site / "index.html").write_text(
        """<script src="<!--# echo var='subdir' default='' -->config.js"></script>"""
    )
    assert server.body(HOST, "/room")[2] == b'<script src="config.js"></script>'


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/static/../../secret.txt"])
def test_nothing_outside_the_site(server: OwnServer, path: str) -> None:
    assert b"secret" not in server.body(HOST, path)[2]


def test_missing_files_are_missing(server: OwnServer) -> None:
    assert server.body(HOST, "/static/none.html")[0] == 404
    assert server.body(HOST, "/canary/none.js")[0] == 404


def test_the_stage_and_the_canaries(server: OwnServer) -> None:
    server.scene.page = "<p>stage"
    assert server.body(STAGE, "/anything")[2] == b"<p>stage"
    pages = b"".join(
        server.body(HOST, canaries.FOLDER + name)[2]
        for name in ("page.html", "worker.js", "service-worker.js", "shared-worker.js")
    )
    assert b"'https://fetch.' + D" in pages
    for one in canaries.CANARIES:
        assert one.kind.encode() in pages or one.host.encode() in pages
