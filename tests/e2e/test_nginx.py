"""What build/nginx passes on to the servers behind, and how much of it. Needs nginx alone: no site, no browser."""

from __future__ import annotations

import shutil
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from .conftest import SNIPPETS, _start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FRAME = """
{{user}} daemon off; pid {{folder}}/nginx.pid; error_log {{folder}}/error.log;
events {{{{ }}}}
http {{{{
  access_log off;
  client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/fastcgi;
  uwsgi_temp_path {{folder}}/uwsgi; scgi_temp_path {{folder}}/scgi;
  {zones}
  server {{{{
    listen 127.0.0.1:{{port}}; root {{site}};
    set $hardener_xmpp http://unix:{{folder}}/behind:; set $hardener_bridge http://unix:{{folder}}/behind:;
    include hardener/site.conf;
  }}}}
}}}}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbehind"


class Behind:
    """A server that keeps the request lines, as bytes; it answers each, or keeps all of them waiting."""

    def __init__(self, path: Path) -> None:
        self.lines: list[bytes] = []
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
                one, _ = self.socket.accept()
            except OSError:
                return
            self.lines.append(one.recv(65536).split(b"\r\n")[0])
            self.arrived.release()
            if self.hold:
                self.waiting.append(one)
                continue
            one.sendall(ANSWER)
            one.close()


@pytest.fixture
def served(tmp_path: Path, nginx: str) -> Iterator[Callable[..., tuple[int, Behind]]]:
    """Serve an empty site with build/nginx, as in README.md; returns the port and what is behind."""
    started = []

    def serve(*, limits: bool = False, rate: str = "", burst: int = 3) -> tuple[int, Behind]:
        (tmp_path / "site").mkdir()
        (tmp_path / "site/index.html").write_text("a room")
        shutil.copytree(SNIPPETS, tmp_path / "hardener", ignore=shutil.ignore_patterns("limits"))
        if limits:
            shutil.copy(SNIPPETS / "limits/limits.conf", tmp_path / "hardener")
            shutil.copy(SNIPPETS / "limits/zones.conf", tmp_path)
        if rate:  # and nobody waits: a test that did would measure time
            for file in (tmp_path / "zones.conf", tmp_path / "hardener/limits.conf"):
                file.write_text(
                    file.read_text().replace("rate=10r/s", rate).replace("burst=300", f"burst={burst} nodelay")
                )
        behind = Behind(tmp_path / "behind")
        server, address = _start(
            nginx, tmp_path, FRAME.format(zones=f"include {tmp_path}/zones.conf;" if limits else "")
        )
        started.append((server, behind))
        return int(address.rpartition(":")[2]), behind

    yield serve
    for server, behind in started:
        server.terminate()
        server.wait()
        behind.socket.close()


def ask(port: int, path: str) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    raw.sendall(f"GET {path} HTTP/1.1\r\nHost: meet.example.org\r\nConnection: close\r\n\r\n".encode())
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
    for one in (*first, *behind.waiting):
        one.close()


def test_without_the_limits_nothing_is_refused(served: Callable[..., tuple[int, Behind]]) -> None:
    """They are a file of their own, which a server without its zones need not have."""
    port, behind = served()
    assert {answer(ask(port, "/http-bind"))[0] for _ in range(10)} == {200}
    assert len(behind.lines) == 10
