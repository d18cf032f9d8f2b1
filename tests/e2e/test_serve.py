"""``hardener serve`` answers as nginx does with the same snippets. Needs nginx; a site of a few files, no browser."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

from hardener.proof.web.messages import Request
from hardener.proof.web.server import serving as serving_ourselves
from hardener.proof.web.site import Site
from support.nginx_server import serving
from support.sites import archive_of, unpack

from .conftest import NGINX_WITH_SNIPPETS, SNIPPETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = "a line that is long enough for compression\n" * 30
FILES = {
    "index.html": """<base href="/<!--# echo var="subdir" default="" -->"><!--#include virtual="title.html" -->
<html data-embedders="<!--# echo var='hardener_embedders' default='' -->"><!--# echo var="none" default="d" -->
<script><!--#include virtual="/config.js" --></script><!--# echo var="none" -->""",
    "title.html": "<title><!--# echo var='subdir' default='x' --></title>",
    "config.js": """var subdomain = '<!--# echo var="subdomain" default="" -->';""",
    "interface_config.js": LONG,
    "manifest.json": "{}",
    "robots.txt": "User-agent: *",
    "LICENSE": LONG,
    "empty.txt": "",
    "empty.html": "",
    "libs/app.js": LONG,
    "libs/app.js.gz": "",
    "libs/long.js": LONG + "of itself",
    "libs/short.js": "1<!--# echo var='subdir' default='x' -->",
    "libs/app.js.map": "{}",
    "libs/external_api.min.js": LONG + "api",
    "libs/external_api.min.js.gz": "",
    "libs/olm.wasm": LONG,
    "libs/face.tflite": LONG,
    "css/all.css": LONG,
    "css/all.css.gz": "",
    "static/404.html": "<p>not found <!--#include virtual='/title.html' -->",
    "static/page.html": f"<p><!--# echo var='subdir' default='x' -->{LONG}",
    "static/script.js": LONG,
    "static/folder/inner.txt": "inner",
    "static/folder with space/inner.txt": "inner",
    "static/index.html": "<p>index of static",
    "images/logo.svg": "<svg/>",
    "images/large.svg": LONG,
    "images/dot.png": LONG,
    "images/photo.jpg": "jpg",
    "images/a.gif": "gif",
    "images/favicon.ico": LONG,
    "fonts/a.woff2": LONG,
    "lang/main.json": LONG,
    "sounds/joined.mp3": LONG,
    "sounds/joined.opus": LONG,
    "sounds/joined.wav": "wav",
    "sounds/other.ogg": "ogg",
    "sounds/readme.txt": "txt",
    "scripts/setup.sh": "#!/bin/sh",
    "other/file.txt": "in no folder of the site",
}
OF_NGINX = {"server", "date", "connection", "keep-alive"}
PATHS = [f"/{quote(path)}" for path in FILES] + [
    *("/", "/room", "/Room%20with%20blank", "/r%C3%A4um", "/é", "/room?jwt=x", "/room/", "/tenant/room", "/tenant/"),
    *("/tenant/config.js", "/tenant/libs/app.js", "/tenant/static/page.html", "/tenant/static/none.html"),
    *("/%22%3E%3Cscript%3E/room", "/a&b/room", "/te'nant/room", "/te%3Anant/room", "/<x>/room", "/a/b/room", "/a/b/c"),
    *("/external_api.js", "/external_api.js?v=0123456789abcdef", "/tenant/external_api.js", "/a'b", "/%5Cx", "/a:b"),
    *("/libs/app.js?v=0123456789abcdef", "/libs/app.js?v=139", "/libs/app.js?x=1&v=0123456789abcdef", "/libs/none.js"),
    *(
        "/sounds/joined.mp3?v=0123456789abcdef",
        "/css/none.css?v=0123456789abcdef",
        "/none.map",
        "/room.map",
        "/x/y.map",
    ),
    *("/libs", "/libs/", "/css/", "/none/", "/static", "/static/", "/static/folder", "/static/folder/", "/images/x/"),
    *("/static/folder%20with%20space", "/tenant/static/folder", "/scripts/", "/scripts", "/fonts/none", "/other/none"),
    *(
        "/../secret",
        "/%2e%2e/secret",
        "/libs/../room",
        "/libs/%2e%2e/config.js",
        "/a/./room",
        "/libs//app.js",
        "//room",
    ),
    *(
        "/libs%2fapp.js",
        "/libs/app.js/",
        "/libs/app.js/x",
        "/%00",
        "/%",
        "/%zz",
        "/a%3Fb",
        "/a%23b",
        "/room#x",
        "/a%25b",
    ),
    *(
        "/a%0Ab",
        "/a%09b/room",
        "/%3Cx%3E/room",
        "/r%C3%A4um/room",
        "/a+b/room",
        "/a+%20;=b/room",
        "/" + "x" * 300,
        "/static/" + "x" * 300,
        "/tenant/a%0Ab",
        "/libs/app.js%00.png",
    ),
    *("/http-bind", "/tenant/http-bind", "/colibri-ws/x", "/colibri-ws/default-id/a/b", "/xmpp-websocket?token=x"),
]
HEADERS: list[dict[str, str]] = [
    {},
    *({"Accept-Encoding": text} for text in ("gzip", "br", "deflate, gzip;q=0.5", "gzip;q=0", "GZIP", "x-gzip", "*")),
    *(
        {"Range": text}
        for text in ("bytes=0-0", "bytes=5-", "bytes=-3", "bytes=2-4,6-8", "bytes=99999999-", "bytes=5-2")
    ),
    *({"Range": text} for text in ("bytes=0-99999", "bytes=0-,0-", "bytes=x", "lines=1-2", "bytes=-0", "bytes = 1-2")),
    {"Accept-Encoding": "gzip", "Range": "bytes=0-9"},
    {"Accept-Encoding": "gzip", "Range": "bytes=99999999-"},
    *({"If-None-Match": text} for text in ("*", '"x"', "ETAG", "W/ETAG", '"x", ETAG', "GZIPPED")),
    *({"If-Match": text} for text in ("*", '"x"', "ETAG", "W/ETAG")),
    *({"If-Modified-Since": text} for text in ("MODIFIED", "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday")),
    *({"If-Unmodified-Since": text} for text in ("MODIFIED", "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday")),
    {"If-None-Match": "ETAG", "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"If-None-Match": '"x"', "If-Modified-Since": "MODIFIED"},
    {"If-None-Match": "GZIPPED", "Accept-Encoding": "gzip"},
    {"If-Range": "ETAG", "Range": "bytes=0-3"},
    {"If-Range": "MODIFIED", "Range": "bytes=0-3"},
    {"If-Range": '"x"', "Range": "bytes=0-3"},
]
FEW = (
    "/",
    "/tenant/room",
    "/libs/app.js",
    "/libs/long.js",
    "/static/page.html",
    "/sounds/joined.mp3",
    "/lang/main.json",
)
TIME = 1_700_000_000


@contextlib.contextmanager
def served_by_both(nginx: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Serve ``folder/site`` with nginx and with ours; yields both addresses."""
    shutil.copytree(SNIPPETS, folder / "hardener")
    # As here: nothing behind.
    http_block = NGINX_WITH_SNIPPETS.replace("http://unix:{folder}/xmpp:", "http://127.0.0.1:9")
    site = Site(folder / "site")
    with (
        serving(nginx, folder, "default_type application/octet-stream;" + http_block) as theirs,
        serving_ourselves(site.answer, site.refuse) as ours,
    ):
        yield theirs, ours


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, nginx: str) -> Iterator[tuple[str, str]]:
    """The addresses of nginx and of ours, with one site."""
    folder = tmp_path_factory.mktemp("both")
    for name, text in FILES.items():
        file = folder / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        plain = FILES.get(name.removesuffix(".gz"), "").encode()
        file.write_bytes(gzip.compress(plain, mtime=0) if name.endswith(".gz") else text.encode())
        os.utime(file, (TIME, TIME))
    with served_by_both(nginx, folder) as addresses:
        yield addresses


def ask(address: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Ask; returns status, headers and body without what is each server's own."""
    host = urlsplit(address).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    connection._http_vsn_str = "HTTP/1.1"
    connection._validate_path = lambda _path: None  # type: ignore[method-assign]
    connection._encode_request = lambda request: request.encode("utf-8")  # type: ignore[method-assign]
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    pairs = [(name.lower(), value.replace(host, "HOST")) for name, value in answer.getheaders()]
    found = {name: value for name, value in pairs if name not in OF_NGINX}
    assert len(found) == sum(name not in OF_NGINX for name, _ in pairs), pairs
    if boundary := re.search(r"boundary=(\S+)", found.get("content-type", "")):
        found["content-type"] = found["content-type"].replace(boundary[1], "BOUNDARY")
        found.pop("content-length")
        body = body.replace(boundary[1].encode(), b"BOUNDARY")
    if found.get("content-encoding") == "gzip" and answer.status == 200 and body:
        body = gzip.decompress(body)
    built_in = re.match(rb"<html>\r\n<head><title>(\d+)", body)
    if answer.status >= 300 and (built_in or method == "HEAD"):  # nginx' own pages name nginx
        body = built_in[1] if built_in else b""
        found.pop("content-length", None)
    return answer.status, found, body


def differences(
    both: tuple[str, str], requests: list[tuple[str, str, dict[str, str]]]
) -> tuple[list[object], set[int]]:
    found, statuses = [], set()
    for method, path, headers in requests:
        theirs, ours = (ask(address, method, path, headers) for address in both)
        statuses.add(theirs[0])
        if theirs != ours:
            fields = {name: (theirs[1].get(name), ours[1].get(name)) for name in theirs[1] | ours[1]}
            other = {name: pair for name, pair in fields.items() if len(set(pair)) > 1}
            found.append((method, path[:40], headers, theirs[0], ours[0], other, theirs[2][:200], ours[2][:200]))
    return found, statuses


def marked(both: tuple[str, str], path: str, headers: dict[str, str]) -> dict[str, str]:
    """Put the validators that nginx gave for a path in the places of their names."""
    plain, zipped = (ask(both[0], "GET", path, more)[1] for more in ({}, {"Accept-Encoding": "gzip"}))
    given = {
        "ETAG": plain.get("etag", '"none"'),
        "MODIFIED": plain.get("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT"),
        "GZIPPED": zipped.get("etag", '"none"'),
    }
    return {
        name: re.sub("ETAG|MODIFIED|GZIPPED", lambda found: given[found[0]], text) for name, text in headers.items()
    }


def test_each_address_is_answered_as_by_nginx(both: tuple[str, str]) -> None:
    """Kinds of files, rooms, tenants, missing files, odd spellings, by each method."""
    methods = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE")
    wrong, statuses = differences(both, [(method, path, {}) for method, path in itertools.product(methods, PATHS)])
    assert wrong == []
    assert statuses == {200, 301, 400, 403, 404, 405, 502}


def test_each_condition_range_and_encoding_is_answered_as_by_nginx(both: tuple[str, str]) -> None:
    requests = [("GET", path, {"Accept-Encoding": "gzip, deflate, br"}) for path in PATHS]
    requests += [
        (method, path, marked(both, path, headers))
        for method, path, headers in itertools.product(("GET", "HEAD"), FEW, HEADERS)
    ]
    wrong, statuses = differences(both, requests)
    assert wrong == []
    assert {200, 206, 304, 412, 416} <= statuses


@pytest.mark.upstream
@pytest.mark.slow
@pytest.mark.usefixtures("cache_home")
def test_each_file_of_the_built_site_is_answered_as_by_nginx(nginx: str, tmp_path: Path) -> None:
    unpack(archive_of("hardened"), tmp_path / "site")
    paths = [
        "/" + quote(path.relative_to(tmp_path / "site").as_posix()) for path in sorted((tmp_path / "site").rglob("*"))
    ]
    assert len(paths) > 200
    requests = [("GET", path, more) for path in paths for more in ({}, {"Accept-Encoding": "gzip"})]
    with served_by_both(nginx, tmp_path) as both:
        assert differences(both, [*requests, ("GET", "/Room", {}), ("GET", "/tenant/Room", {})])[0] == []


# Only loopback's own names, and nothing outside of the folder.


def status(address: str, request: str) -> int:
    host, _, port = urlsplit(address).netloc.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw, raw.makefile("rb") as answer:
        raw.sendall(request.encode())
        return int(answer.readline().split()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:8080", "localhost:{port}"])
def test_names_of_loopback_are_answered(both: tuple[str, str], host: str) -> None:
    ours = both[1]
    host = host.format(port=urlsplit(ours).port)
    assert status(ours, f"GET /room HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n") == 200


@pytest.mark.parametrize(
    "head",
    [
        "GET /room HTTP/1.1\r\nHost: rebound.example",
        "GET /room HTTP/1.1\r\nHost: rebound.example:80",
        "GET /room HTTP/1.1\r\nHost: localhost.rebound.example",
        "GET /room HTTP/1.1\r\nHost: 127.0.0.1.rebound.example",
        "GET /room HTTP/1.1\r\nHost: x@localhost",
        "GET /room HTTP/1.1\r\nHost: localhost:80@rebound.example",
        "GET /room HTTP/1.1\r\nHost: 192.0.2.1",
        "GET /room HTTP/1.1\r\nHost: 0.0.0.0",
        "GET /room HTTP/1.1\r\nHost: ",
        "GET /room HTTP/1.1\r\nX: no host",
        "GET /room HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example",
        "GET http://rebound.example/room HTTP/1.1\r\nHost: localhost",
        "GET http://[rebound/room HTTP/1.1\r\nHost: localhost",
        "HEAD /room HTTP/1.1\r\nHost: rebound.example",
        "POST /room HTTP/1.1\r\nHost: rebound.example\r\nContent-Length: 0",
        "GET /room HTTP/1.0\r\nHost: rebound.example",
        "GET /room HTTP/1.0",
    ],
)
def test_other_names_are_refused(both: tuple[str, str], head: str) -> None:
    """A page of another site can give its own name the address 127.0.0.1 and would be of the same origin then."""
    assert status(both[1], f"{head}\r\nConnection: close\r\n\r\n") == 421


def test_no_path_leads_out_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("t0p")
    (tmp_path / "site-of-another").mkdir()
    (tmp_path / "site-of-another/key").write_text("t0p")
    folder = tmp_path / "site"
    for name in ("static/404.html", "static/own.js", "index.html", "images/x.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            "own <!--#include virtual='/../secret/key' --><!--#include virtual='/static/link' -->"
        )
    links = {
        "static/link": "../../secret/key",
        "static/folder": "../../secret",
        "key": "/etc/passwd",
        "images/up": "../..",
    }
    links |= {"static/round": "round", "static/own-link.js": "own.js", "static/x.html": "../../secret/key"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "static/pipe")
    paths = [f"/{name}{more}" for name in links for more in ("", "/", "/key", "/secret/key", "/site-of-another/key")]
    paths += [
        "/static/pipe",
        "/../secret/key",
        "/%2e%2e/secret/key",
        "/static/..%2f..%2fsecret/key",
        "/..%5csecret%5ckey",
    ]
    paths += ["/../site-of-another/key", "//secret/key", "/static/%00/../../../secret/key", "/room", "/static/own.js"]
    paths += [
        f"/{tmp_path}/secret/key",
        f"/static/{tmp_path}/secret/key",
        "/tenant/../../secret/key",
        "/static/folder%2Fkey",
    ]
    site = Site(folder)
    replies = {path: site.answer(Request("GET", path)) for path in paths}
    assert [path for path, reply in replies.items() if b"t0p" in reply.body or b"root:" in reply.body] == []
    assert {reply.status for reply in replies.values()} == {200, 400, 404}
    assert replies["/room"].status == 200
    assert replies["/static/own-link.js"].status == 200  # a link inside of the site does not lead out


def test_an_interrupt_ends_it_as_the_table_of_exit_codes_says(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a room")
    argv = [sys.executable, "-m", "hardener", "serve", str(tmp_path)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as server:
            address, folder = server.stderr.readline().split()
            assert (status(address, "GET /room HTTP/1.1\r\nHost: localhost\r\n\r\n"), folder) == (200, str(tmp_path))
            assert "Ctrl-C stops" in server.stderr.readline()
            taken = subprocess.run(
                [*argv, "--port", address.rpartition(":")[2]], capture_output=True, text=True, check=False
            )
            assert (taken.returncode, "already in use" in taken.stderr) == (8, True)
            server.send_signal(number)
            assert (server.wait(timeout=60), server.stderr.read()) == (130, "stopped\n")
