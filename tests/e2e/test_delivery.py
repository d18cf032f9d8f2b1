"""How the site reaches a browser: compressed, kept where its address has a version, asked for again elsewhere.

'headers' is the hardened site with build/nginx.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import brotli
import pytest

from hardener.pipeline import compressed
from hardener.pipeline.versions import stamp
from hardener.proof import chromium
from support.nginx_server import serving
from support.sites import archive_of, unpack

from .conftest import (
    LOGIN,
    NGINX,
    NGINX_WITH_SNIPPETS,
    PREJOIN,
    ROOM,
    SNIPPETS,
    join,
    sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, BrowserType

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

KEPT, ASKED, NEVER = "public, max-age=31536000, immutable", "no-cache", "no-store"


def ask(address: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Ask for a path with a method of GET."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.msg, body


# Path: whether a compressed answer has a length (so it is a copy of the archive), or None where it is not compressed.
ENCODED = {
    "/": False,
    "/SomeRoom": False,
    "/tenant/SomeRoom": False,
    "/config.js": False,
    "/interface_config.js": False,
    "/static/close2.html": False,
    "/static/hardener/index.js": False,
    "/lang/main.json": False,
    "/lang/main-de.json": False,
    "/images/favicon.svg": False,
    "/libs/app.bundle.min.js": True,
    "/libs/lib-jitsi-meet.min.js": True,
    "/tenant/libs/lib-jitsi-meet.min.js": True,
    "/libs/lib-jitsi-meet.e2ee-worker.js": True,
    "/libs/olm.wasm": True,
    "/libs/tflite.wasm": True,
    "/libs/selfie_segmentation_landscape.tflite": True,
    "/external_api.js": True,
    "/css/all.css": True,
    "/sounds/joined.opus": None,
    "/sounds/joined.mp3": None,
    "/images/flags.png": None,
    "/http-bind": None,
    "/xmpp-websocket": None,
}


READERS = {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}


@pytest.mark.parametrize(("variant", "of_copies"), [("headers", "gzip"), ("brotli", "br")])
def test_each_kind_of_file_has_the_right_encoding(site: Callable[[str], str], variant: str, of_copies: str) -> None:
    """And is the same as without; a proxy in front that speaks HTTP/1.0 or names itself gets it, too.

    With nginx's static brotli module the copies are sent that are made with it, and only to browsers that ask for them.
    """
    address = site(variant)
    for path, copied in ENCODED.items():
        plain_status, plain, content = ask(address, path, Accept_Encoding="identity")
        for more in ({}, {"Via": "1.0 proxy"}):
            status, headers, body = ask(address, path, Accept_Encoding="gzip, deflate, br", **more)
            assert (path, status, plain_status) == (path, 200, 200)
            expected = None if copied is None else of_copies if copied else "gzip"
            assert (path, headers["Content-Encoding"]) == (path, expected)
            assert READERS[expected](body) == content
            if copied is not None:
                assert (path, "Content-Length" in headers) == (path, copied)
                assert (path, plain["Vary"], headers["Vary"]) == (path, "Accept-Encoding", "Accept-Encoding")
                older = ask(address, path, Accept_Encoding="gzip, deflate")[1]
                assert (path, older["Content-Encoding"]) == (path, "gzip")


def test_nothing_secret_is_compressed_with_what_others_choose(site: Callable[[str], str]) -> None:
    """BREACH: answers of Prosody are not compressed (above), and pages and settings hold nothing of who asks."""
    address = site("headers")
    for path in ("/SomeRoom", "/tenant/SomeRoom", "/config.js", "/tenant/config.js", "/static/dialInInfo.html"):
        plain = ask(address, path)[2]
        secret = ask(address, f"{path}?jwt=s3cret&token=s3cret", Cookie="s=s3cret", Authorization="Bearer s3cret")[2]
        assert secret == plain


VERSIONED = re.compile(r"(?<=[\"'(])[\w@%./-]+\?v=[0-9a-f]+")


def test_what_has_a_version_is_kept_and_nothing_else(site: Callable[[str], str]) -> None:
    """The version is the beginning of the file's SHA-256: with another byte it is another address."""
    address = site("headers")
    pages = ("/", "/SomeRoom", "/static/dialInInfo.html", "/static/close.html", "/static/404.html", "/css/all.css")
    named = {
        reference.replace("../", "", 1)
        for path in pages
        for reference in VERSIONED.findall(ask(address, path)[2].decode())
    }
    assert {"app.bundle.min.js", "lib-jitsi-meet.min.js", "all.css", "index.js", "flags.png"} <= {
        re.split(r"[/?]", reference)[-2] for reference in named
    }
    for reference in named:
        status, headers, body = ask(address, f"/{reference}")
        assert (reference, status, headers["Cache-Control"]) == (reference, 200, KEPT)
        assert hashlib.sha256(body).hexdigest()[:16] == reference.partition("?v=")[2]
    plain = [path for path, copied in ENCODED.items() if path.startswith(("/libs/", "/css/", "/lang/", "/sounds/"))]
    for path in (*plain, *(f"{path}?v=139" for path in plain), "/external_api.js"):
        status, headers, _ = ask(address, path)
        assert (path, headers["Cache-Control"]) == (path, ASKED)
        status, again, body = ask(address, path, If_None_Match=headers["ETag"])
        assert (path, status, body, again["Cache-Control"]) == (path, 304, b"", ASKED)
    for path in ("/", "/SomeRoom", "/config.js", "/manifest.json"):
        assert (path, ask(address, path)[1]["Cache-Control"]) == (path, NEVER)


def test_no_error_is_kept(site: Callable[[str], str]) -> None:
    address = site("headers")
    for path in ("/libs/none.js?v=0123456789abcdef", "/libs/?v=0123456789abcdef", "/libs/x.map?v=0123456789abcdef"):
        status, headers, _ = ask(address, path)
        assert status in {403, 404}
        assert headers["Cache-Control"] in {None, ASKED, NEVER}


def revise(site: Path, revision: int, *, versions: bool) -> None:
    """Make another revision of an unpacked site: bytes of the same number change, and the time by a second."""
    for name in ("libs/app.bundle.min.js", "libs/lib-jitsi-meet.min.js"):
        text = re.sub(r"\n;window\['libs/.*\n$", "", (site / name).read_text("utf-8"))
        (site / name).write_text(f"{text}\n;window['{name}'] = {revision};\n", "utf-8")
        for suffix in compressed.SUFFIXES:  # as docs/operator.md says; making new ones takes seconds
            (site / (name + suffix)).unlink(missing_ok=True)
    (site / "lang/main.json").write_text(json.dumps({"revision": revision}))
    if versions:
        stamp(site)
    else:  # as upstream has it
        for page in site.rglob("*.html"):
            content = re.sub(rb"\?v=[0-9a-f]{16}", b"?v=139", page.read_bytes())
            page.write_bytes(re.sub(rb' integrity="[^"]*"', b"", content))
    assert compressed.problems(site) == []
    for file in site.rglob("*"):
        os.utime(file, (1_700_000_000 + revision,) * 2)


def test_a_returning_browser_runs_what_is_served_now(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    nginx: str,
    tmp_path: Path,
) -> None:
    """A kept profile meets the next revision; with upstream's constant versions, the control, it runs the old one."""
    kept = browser_type_launch_args | {"executable_path": chromium.browser() or pytest.skip("needs chromium")}
    ran: dict[bool, list[Any]] = {}
    for versions in (True, False):
        folder = tmp_path / str(versions)
        unpack(archive_of("hardened"), folder / "site")
        shutil.copytree(SNIPPETS, folder / "hardener")
        if not versions:
            configuration = folder / "hardener/site.conf"
            old = configuration.read_text().replace('$arg_v ~ "^[0-9a-f]{16}$"', "$arg_v")
            assert old != configuration.read_text()
            configuration.write_text(old)
        ran[versions] = []
        with serving(nginx, folder, NGINX_WITH_SNIPPETS) as address:
            for revision in (1, 2):
                revise(folder / "site", revision, versions=versions)
                with browser_type.launch_persistent_context(folder / "profile", **kept) as context:
                    page = context.new_page()
                    page.goto(f"{address}/static/dialInInfo.html", wait_until="domcontentloaded")
                    ran[versions].append(
                        page.evaluate(
                            """async () => [ window['libs/app.bundle.min.js'], window['libs/lib-jitsi-meet.min.js'],
                                (await (await fetch('lang/main.json')).json()).revision ]"""
                        )
                    )

    assert ran == {True: [[1, 1, 1], [2, 2, 2]], False: [[1, 1, 1], [1, 1, 2]]}


def test_a_file_that_is_not_the_pages_is_not_run(browser: Browser, nginx: str, tmp_path: Path) -> None:
    """One byte more, as in a web root that is half updated: the page says which file it is, and tries again later."""
    site = tmp_path / "site"
    unpack(archive_of("hardened"), site)
    shutil.copytree(SNIPPETS, tmp_path / "hardener")
    with serving(nginx, tmp_path, NGINX_WITH_SNIPPETS) as address:

        def wait_for(condition: str, *words: str) -> None:
            page = browser.new_context().new_page()
            page.goto(address)
            page.wait_for_function(condition, arg=words)  # not evaluate(): the page loads itself again
            page.context.close()

        ran = {
            "libs/app.bundle.min.js": "window.APP",
            "libs/lib-jitsi-meet.min.js": "window.JitsiMeetJS?.init",
            "static/hardener/index.js": "window.contextRoot",
            "static/hardener/address.js": "false",
            "css/all.css": "false",
        }
        wait_for(f"() => {' && '.join(ran.values()).replace('false', 'true')} && document.querySelector('#react > *')")
        for name, has_run in ran.items():
            file = site / name
            content = file.read_bytes()
            for suffix in compressed.SUFFIXES:
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            file.write_bytes(content + b"\n")
            said = f"Missing or changed: {address}/{name}"
            wait_for(f"([ text ]) => document.body.innerText.includes(text) && !({has_run})", said)
            file.write_bytes(content)


MEETINGS_FILE = re.compile(r"/sounds/|/olm\.wasm")
LOADED_SOUNDS = """() => { const all = [ ...APP.store.getState()['features/base/sounds'] ];
    return all.length && all.every(([ , one ]) => one.audioElement?._ref.readyState === 4) && all.map(([ id ]) => id).sort() }"""
ENCRYPTS = """async () => { const room = APP.conference._room;
    if (!room.isE2EESupported()) { return false; }
    await room._e2eEncryption._keyHandler._olmAdapter._init;
    room.toggleE2EE(true);
    return new window.Olm.Utility().sha256('abc') === 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0'; }"""


@pytest.mark.usefixtures("open_house")
@pytest.mark.full_browser
def test_sounds_and_olm_are_loaded_after_the_login(visit: Callable[..., Visit]) -> None:
    """And then all of them, and the meeting can be encrypted. Upstream, the control, loads both before anything."""
    control = visit("unpatched", ROOM)
    control.wait_for(PREJOIN)
    control.wait_until(lambda: any("/olm.wasm" in request for request in control.requests), "olm.wasm")
    sounds = control.page.wait_for_function(LOADED_SOUNDS).json_value()
    assert any("/sounds/" in request for request in control.requests)

    early = {}
    for path in ("/", ROOM):
        seen = visit("hardened", path, login=False)
        seen.wait_for("#enter_room_field" if path == "/" else LOGIN)
        seen.come_to_rest()
        early[path] = [request for request in seen.requests if MEETINGS_FILE.search(request)]
    assert early == {"/": [], ROOM: []}

    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    assert seen.page.wait_for_function(LOADED_SOUNDS).json_value() == sounds
    join(seen.page)
    assert seen.page.evaluate(ENCRYPTS)
    seen.page.wait_for_function("() => APP.conference._room.isE2EEEnabled()")


# docker-jitsi-meet's web/rootfs/defaults/nginx.conf; Debian's example has the same types.
UPSTREAMS_GZIP = """gzip on; gzip_types text/plain text/css application/javascript application/json; gzip_vary on;
  gzip_min_length 860;
  server {"""


@pytest.mark.usefixtures("xmpp")
def test_a_first_visit_takes_at_most_four_fifths_of_upstreams_bytes(
    context: BrowserContext, site: Callable[[str], str], nginx: str, tmp_path: Path
) -> None:
    """Of a room, with nothing in the browser's cache, until the page has nothing to fetch; as sent, headers
    included.
    """
    unpack(archive_of("unpatched"), tmp_path / "site")
    sent = {}
    with serving(nginx, tmp_path, NGINX.replace("server {", UPSTREAMS_GZIP, 1)) as upstreams:
        for address in (site("headers"), upstreams):
            page = context.new_page()
            sizes: list[int] = []
            session = context.new_cdp_session(page)
            session.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"]))
            session.send("Network.enable")
            page.goto(f"{address}/SomeRoom")
            page.wait_for_selector(f"{LOGIN}, {PREJOIN}")
            page.wait_for_load_state("networkidle")
            sent[address] = sum(sizes)
            page.close()

    assert sent[upstreams] > 1_000_000
    assert sent[site("headers")] <= 0.8 * sent[upstreams]
