"""The static site of 'hardener webcat' runs, and its manifest names each module of WebAssembly that a page uses."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli.main import main
from support.nginx_server import serving
from support.sites import ROOT, built

from .background import RECORD, blur
from .conftest import LOGIN, NGINX_WITH_SNIPPETS, SNIPPETS, Visit, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


@pytest.fixture
def served(nginx: str, cache_home: Path, tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write the static site for the site's own config.js and serve it; yields its address and its manifest."""
    config = built("hardened") / "config.js"
    words = ["--project", str(ROOT), "--config", str(config), "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["webcat", *words]) == 0
    (tmp_path / "out/site").rename(tmp_path / "site")
    shutil.copytree(SNIPPETS, tmp_path / "hardener")
    with serving(nginx, tmp_path, NGINX_WITH_SNIPPETS) as address:
        yield address, json.loads((tmp_path / "out/manifest.json").read_bytes())


@pytest.mark.full_browser
@pytest.mark.usefixtures("xmpp")
def test_a_meeting_with_a_background_uses_only_what_the_manifest_names(
    served: tuple[str, dict[str, Any]], context: BrowserContext
) -> None:
    address, manifest = served
    context.add_init_script(RECORD)
    page = context.new_page()
    files = []
    page.on("response", lambda response: files.append(response.url.partition("?")[0].removeprefix(address)))
    answer = page.goto(f"{address}/SomeRoom")
    assert answer is not None
    assert answer.headers["content-security-policy"] == manifest["default_csp"]
    seen = Visit(page)
    seen.wait_for(LOGIN)
    sign_in(page)
    blur(seen)

    modules = set(page.evaluate("modules"))
    assert len(modules) >= 2  # the engine of the background, and a question about the browser
    assert modules <= set(manifest["wasm"])
    assert "/static/hardener/background-timer.js" in files
    assert {name for name in files if name.startswith("/")} - {"/SomeRoom"} <= set(manifest["files"])
