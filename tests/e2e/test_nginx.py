"""What build/nginx passes on to the servers behind, and how much of it. Needs only nginx: no site, no browser."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from support import nginx_server

from .conftest import SNIPPETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERVER = """
  server {
    listen 127.0.0.1:{port}; root {site};
    set $hardener_xmpp http://unix:{folder}/behind:; set $hardener_bridge http://unix:{folder}/behind:;
    include hardener/site.conf;
  }
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbehind"


class Behind:
    """A server that keeps the request lines, as bytes; it answers each, or keeps all of them waiting."""

    def __init__(self, path: Path) -> None:
        self.lines: list[bytes] = []
        self.requests: list[bytes] = []
        self.answer = ANSWER
        self.waiting: list[socket.socket] = []
        self.hold = False
        self.arrived = threading.Semaphore(0)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(400)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            request = connection.recv(65536)
            self.requests.append(request)
            self.lines.append(request.split(b"\r\n")[0])
            self.arrived.release()
            if self.hold:
                self.waiting.append(connection)
                continue
            connection.sendall(self.answer)
            connection.close()


@pytest.fixture
def served(tmp_path: Path, nginx: str) -> Iterator[Callable[..., tuple[int, Behind]]]:
    """Serve an empty site with build/nginx, as in README.md; returns the port and what is behind."""
    started = []

    def serve(*, limits: bool = False, rate: str = "", burst: int = 3) -> tuple[int, Behind]:
        (tmp_path / "site").mkdir()
        (tmp_path / "site/index.html").write_text("a room")
        for path in ("libs/script.js", "libs/external_api.min.js", "static/404.html"):
            (tmp_path / "site" / path).parent.mkdir(exist_ok=True)
            (tmp_path / "site" / path).write_text("a file")
        shutil.copytree(SNIPPETS, tmp_path / "hardener", ignore=shutil.ignore_patterns("limits"))
        if limits:
            shutil.copy(SNIPPETS / "limits/limits.conf", tmp_path / "hardener")
            shutil.copy(SNIPPETS / "limits/zones.conf", tmp_path)
        if rate:  # without waiting: that would measure time
            for file in (tmp_path / "zones.conf", tmp_path / "hardener/limits.conf"):
                file.write_text(
                    file.read_text().replace("rate=10r/s", rate).replace("burst=300", f"burst={burst} nodelay")
                )
        behind = Behind(tmp_path / "behind")
        zones = f"include {tmp_path}/zones.conf;" if limits else ""
        server, address = nginx_server.start(nginx, tmp_path, zones + SERVER)
        started.append((server, behind))
        return int(address.rpartition(":")[2]), behind

    yield serve
    for server, behind in started:
        nginx_server.stop(server)
        behind.socket.close()


def ask(port: int, path: str, *headers: str, method: str = "GET", body: str = "") -> socket.socket:
    lines = (f"{method} {path} HTTP/1.1", "Host: meet.example.org", "Connection: close", *headers, "", body)
    return send(port, "\r\n".join(lines).encode())


def send(port: int, request: bytes) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    raw.sendall(request)
    return raw


def answer(raw: socket.socket) -> tuple[int, bytes]:
    with raw, raw.makefile("rb") as stream:
        text = stream.read()
    return int(text.split(b" ")[1]), text


def test_a_bridge_is_asked_for_what_a_client_asks_for(served: Callable[..., tuple[int, Behind]]) -> None:
    port, behind = served()
    assert answer(ask(port, "/colibri-ws/default-id/3b2a-4.f_1/a1B2?pwd=x%20y"))[0] == 200
    assert behind.lines == [b"GET /colibri-ws/default-id/3b2a-4.f_1/a1B2?pwd=x%20y HTTP/1.1"]


@pytest.mark.parametrize(
    "path",
    ["a%20c%0Db", "a/b%20c", "a/b%0Dx", "a/b%0Ax", "a/b/c", "a", "", "a/b%0D%0AHost:%20x", "a/%2e%2e%2fx", "a/b%3Fx"],
)
def test_no_bridge_gets_a_request_that_is_no_name_of_a_conference(
    served: Callable[..., tuple[int, Behind]], path: str
) -> None:
    port, behind = served()
    status, text = answer(ask(port, f"/colibri-ws/default-id/{path}"))
    assert (status, behind.lines) == (404, [])
    assert b"a room" not in text


@pytest.mark.parametrize("path", ["/%5C%5Cevil.example/room", "/a%5Cb/room", "/tenant/%5C%5Cevil.example", "/%5Cx"])
def test_no_tenant_or_room_has_a_backslash(served: Callable[..., tuple[int, Behind]], path: str) -> None:
    port, _ = served()
    status, text = answer(ask(port, path))
    assert status == 404
    assert b"a room" not in text
    assert answer(ask(port, "/tenant/room"))[0] == answer(ask(port, "/room"))[0] == 200


@pytest.mark.parametrize("path", ["/http-bind", "/xmpp-websocket", "/tenant/http-bind"])
def test_too_many_requests_of_one_address_are_refused(served: Callable[..., tuple[int, Behind]], path: str) -> None:
    port, behind = served(limits=True, rate="rate=1r/m")
    statuses = [answer(ask(port, path))[0] for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    assert len(behind.lines) == 4
    assert answer(ask(port, "/room"))[0] == 200  # what is not XMPP is not counted


def test_too_many_connections_of_one_address_are_refused(served: Callable[..., tuple[int, Behind]]) -> None:
    port, behind = served(limits=True, rate="rate=100000r/s", burst=1000)  # the other limit is not what is asked here
    behind.hold = True
    first = []
    for _ in range(200):
        first.append(ask(port, "/xmpp-websocket"))
        assert behind.arrived.acquire(timeout=60)
    assert answer(ask(port, "/xmpp-websocket"))[0] == 429
    assert len(behind.lines) == 200
    for connection in (*first, *behind.waiting):
        connection.close()


def test_without_the_limits_nothing_is_refused(served: Callable[..., tuple[int, Behind]]) -> None:
    """They are a file of their own, which a server without its zones need not have."""
    port, behind = served()
    assert {answer(ask(port, "/http-bind"))[0] for _ in range(10)} == {200}
    assert len(behind.lines) == 10


PASSED_ON = ("/http-bind", "/tenant/http-bind", "/xmpp-websocket", "/colibri-ws/default-id/a/b")
# Headers by which servers pass on where a request comes from, and others that a client could steer a server
# with.
FORGED = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server"),
    *("X-Forwarded-Prefix", "X-Forwarded-User", "X-Forwarded-Scheme", "X-Forwarded", "Forwarded-For", "Forwarded"),
    *(
        "X-Real-IP",
        "X-Client-IP",
        "Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "CF-IPCountry",
        "Fastly-Client-IP",
    ),
    *("X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "X-ProxyUser-Ip", "X-Host", "Via"),
    *("X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-HTTP-Method-Override", "X-HTTP-Host-Override", "Proxy"),
    *("X-Proxy-Region", "X-Azure-ClientIP", "X-Appengine-User-Ip", "X-Envoy-External-Address", "X-Jitsi-Region"),
    *("X_Forwarded_For", "Proxy-Authorization", "Authorization", "Cookie", "X-Accel-Internal", "X-Nobody-Knows"),
)


@pytest.mark.parametrize("path", PASSED_ON)
def test_no_header_of_a_client_tells_another_address(served: Callable[..., tuple[int, Behind]], path: str) -> None:
    """An allow-list: what passes is what Prosody and the bridge need; X-Forwarded-For is ours."""
    port, behind = served()
    forged = (f"{name}: 192.0.2.7" for name in FORGED)
    wanted = ("Content-Type: text/xml", "Origin: https://meet.example.org", "Content-Length: 7")
    websocket = (
        "Upgrade: websocket",
        *(f"Sec-WebSocket-{name}: x" for name in ("Key", "Version", "Protocol", "Extensions")),
    )
    assert answer(ask(port, path, *wanted, *websocket, *forged, method="POST", body="<body/>"))[0] == 200

    head, _, body = behind.requests[0].decode().partition("\r\n\r\n")
    got = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert body == "<body/>"
    assert "192.0.2.7" not in head
    assert got.pop("X-Forwarded-For") == "127.0.0.1"
    assert (got.pop("Host"), got.pop("Content-Type"), got.pop("Origin")) == (
        "meet.example.org",
        "text/xml",
        "https://meet.example.org",
    )
    assert {name for name in got if name.startswith("Sec-WebSocket-")} == {
        f"Sec-WebSocket-{name}" for name in ("Key", "Version", "Protocol", "Extensions")
    }
    assert set(got) - {f"Sec-WebSocket-{name}" for name in ("Key", "Version", "Protocol", "Extensions")} == (
        {"Content-Length"} if "http-bind" in path else {"Content-Length", "Connection", "Upgrade"}
    )


HEADERS = re.findall(r"^add_header (\S+) .* always;$", (SNIPPETS / "security-headers.conf").read_text(), re.MULTILINE)
HOSTILE_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n"
    + b"".join(f"{name}: planted\r\nAccess-Control-Allow-Origin: *\r\n".encode() for name in HEADERS)
    + b"\r\nbehind"
)


def duplicates(text: bytes) -> tuple[dict[str, int], set[str]]:
    """Headers of ours that are not there exactly once, and others that come twice."""
    names = [line.split(":")[0] for line in text.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]]
    wrong = {name: names.count(name) for name in HEADERS if names.count(name) != 1}
    return wrong, {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize("path", PASSED_ON)
@pytest.mark.parametrize("status", [200, 204, 206, 301, 304, 400, 401, 403, 404, 416, 500, 503])
def test_no_server_behind_doubles_or_loosens_a_header(
    served: Callable[..., tuple[int, Behind]], path: str, status: int
) -> None:
    port, behind = served()
    behind.answer = HOSTILE_ANSWER.replace(b"200 OK", b"%d X" % status)
    got, text = answer(ask(port, path))
    assert (got, *duplicates(text)) == (status, {}, set())
    assert b"planted" not in text
    assert b"Access-Control" not in text


FILES = (
    *(
        "/",
        "/room",
        "/tenant/room",
        "/index.html",
        "/libs/script.js",
        "/libs/script.js?v=0123456789abcdef",
        "/static/404.html",
    ),
    *(
        "/tenant/libs/script.js",
        "/external_api.js",
        "/sounds/none.opus",
        "/libs/",
        "/scripts/x",
        "/x.map",
        "/a'b",
        "/%5Cx",
    ),
    *(
        "/colibri-ws/x",
        "/colibri-ws/default-id/a/b",
        "/http-bind",
        "/xmpp-websocket",
        "/%2e%2e/x",
        "/libs/../room",
        "/%00",
    ),
    *(
        "//room",
        "///libs//script.js",
        "/libs%2fscript.js",
        "/tenant%2froom",
        "/a/b/c/room",
        "/a" * 40 + "/room",
        "/%",
        "/é",
    ),
    "/" + "a" * 9000,
)
CONDITIONS = (
    *("Range: bytes=99999999-", "Range: bytes=0-0", "Range: bytes=0-0,2-3", "Range: bytes=5-2", 'If-Match: "x"'),
    "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    'If-Range: "x"\r\nRange: bytes=99999999-',
    "Accept-Encoding: gzip\r\nRange: bytes=99999999-",
    *("Expect: 100-continue", "Content-Length: 99999999", "Content-Length: x", "Transfer-Encoding: x", "a b: c"),
    *("X: " + "a" * 9000, "Host: another.example"),
)


def head(raw: socket.socket) -> tuple[int, bytes]:
    """Status and headers of the final answer; the rest is not waited for (nginx may still want a body of us)."""
    with raw, raw.makefile("rb") as stream:
        while True:
            lines = list(iter(stream.readline, b"\r\n"))
            if (status := int(lines[0].split(b" ")[1])) >= 200:
                return status, b"".join(lines)


def test_every_answer_has_every_header_once(served: Callable[..., tuple[int, Behind]]) -> None:
    """Whatever is wrong with a request: path, method, range, condition, length or form."""
    port, _ = served()
    requests = [(path, method, ()) for path in FILES for method in ("GET", "HEAD", "OPTIONS", "POST", "TRACE")]
    requests += [
        (path, method, (condition,)) for path in FILES for method in ("GET", "HEAD") for condition in CONDITIONS
    ]
    answers = {
        (path[:40], method, *more): head(ask(port, path, *more, method=method)) for path, method, more in requests
    }
    for request in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.0\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n"):
        answers[repr(request),] = head(send(port, request))
    wrong = {
        name: (status, *duplicates(text)) for name, (status, text) in answers.items() if duplicates(text) != ({}, set())
    }
    assert wrong == {}
    # The lists above reach these, and none of them is a failure of nginx itself.
    assert {status for status, _ in answers.values()} == {200, 206, 400, 403, 404, 405, 412, 413, 414, 416, 501, 505}


def test_no_path_leads_round_in_circles(served: Callable[..., tuple[int, Behind]]) -> None:
    """A tenant has rooms and files, but no tenants."""
    port, behind = served()
    for path in (
        "/tenant/room",
        "/tenant//room",
        "/tenant/./room",
        "/other/../tenant/room",
        "/tenant%2froom",
        "/tenant/",
    ):
        assert answer(ask(port, path))[0] == 200
    for depth in (2, 3, 9, 10, 11, 12, 100, 1000):
        for end in ("room", "", "http-bind", "libs/script.js", "config.js"):
            for slash in ("/", "//", "%2f", "/./"):
                assert answer(ask(port, f"/{('a' + slash) * depth}{end}"))[0] == 404
    assert behind.lines == []
