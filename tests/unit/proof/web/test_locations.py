"""The reader of the nginx snippets: it follows the shipped ones, and refuses what it does not know."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hardener import snippets
from hardener.errors import ConfigError
from hardener.proof.web.locations import Snippets
from hardener.proof.web.messages import Request
from hardener.proof.web.site import Site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the snippets that the server reads instead."""
    shutil.copytree(snippets.NGINX, tmp_path / "nginx")
    monkeypatch.setattr(snippets, "NGINX", tmp_path / "nginx")
    return tmp_path / "nginx"


@pytest.mark.parametrize("line", ["sub_filter a b;", "auth_basic closed;", "location = /x { alias /y; }", "brotli on;"])
def test_a_directive_that_is_not_known_is_refused(changed: Path, line: str) -> None:
    with (changed / "site.conf").open("a") as file:
        file.write(line)
    with pytest.raises(ConfigError, match="does not know"):
        Snippets()


def test_a_snippet_that_ends_in_the_middle_is_refused(changed: Path) -> None:
    with (changed / "site.conf").open("a") as file:
        file.write("location /x {")
    with pytest.raises(ConfigError, match=r"site\.conf"):
        Snippets()


def test_headers_are_those_of_the_snippet(changed: Path, tmp_path: Path) -> None:
    """Of none else: another line in security-headers.conf is another header of each answer."""
    (tmp_path / "index.html").write_text("a room")
    with (changed / "security-headers.conf").open("a") as file:
        file.write('add_header X-Planted "1" always;\n')
    site = Site(tmp_path)
    for target in ("/", "/room", "/none/", "/%", "/x.map", "/libs/none.js", "/http-bind"):
        assert site.answer(Request("GET", target)).headers["X-Planted"] == "1"
    assert site.refuse(421).headers["X-Planted"] == "1"
    assert "X-Planted" not in Site(tmp_path, headers=False).answer(Request("GET", "/room")).headers


def test_the_manifest_of_webcat_is_a_file_and_no_room_of_a_tenant(tmp_path: Path) -> None:
    """And is sent as it is signed: without includes."""
    folder = tmp_path / ".well-known/webcat"
    folder.mkdir(parents=True)
    (tmp_path / "index.html").write_text("a room")
    (folder / "bundle.json").write_text("<!--# echo var='prefix' -->")
    answer = Site(tmp_path).answer(Request("GET", "/.well-known/webcat/bundle.json"))
    assert (answer.status, answer.body) == (200, b"<!--# echo var='prefix' -->")
    assert answer.headers["Cache-Control"] == "no-cache"
