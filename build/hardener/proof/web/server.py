"""A site on loopback, for the browsers of this machine only."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hardener.errors import StackError
from hardener.proof.web.messages import Reply, Request, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADDRESS = "127.0.0.1"


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send an answer over a handler's connection."""
    old = handler.request_version != "HTTP/1.1"
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    body = reply.body if handler.command != "HEAD" else b""
    if reply.streamed and old:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    elif reply.streamed:
        if handler.command != "HEAD":
            handler.send_header("Transfer-Encoding", "chunked")
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    elif reply.status != HTTPStatus.NOT_MODIFIED:
        handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    handler.wfile.write(body)


def refused(status: int) -> Reply:
    """Return the answer to what is not a request."""
    content = page(status)
    return Reply(status, {"Content-Type": content.kind}, content.body)


def request_of(handler: BaseHTTPRequestHandler) -> Request:
    """Return the request that a handler has read."""
    headers = {name.lower(): value for name, value in handler.headers.items()}
    return Request(handler.command, handler.path, headers, f"http://{headers.get('host', 'localhost')}")


def is_own(handler: BaseHTTPRequestHandler) -> bool:
    """Return whether a request names this machine: a page elsewhere can give its own name our address (rebinding)."""
    named = handler.headers.get_all("Host", [])
    try:
        target = urlsplit(handler.path)
    except ValueError:
        return False
    return len(named) == 1 and all(map(_is_loopback, [*named, *([target.netloc] if target.netloc else [])]))


def _is_loopback(host: str) -> bool:
    """Return whether a host, with or without a port, is a name of loopback.

    >>> [_is_loopback(host) for host in ("localhost:8000", "127.0.0.1", "[::1]:1")]
    [True, True, True]
    >>> [_is_loopback(host) for host in ("localhost.evil.example", "x@localhost", "127.0.0.1.", "")]
    [False, False, False, False]
    """
    return re.fullmatch(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", host, re.IGNORECASE) is not None


class Handler(BaseHTTPRequestHandler):
    """Answers with what ``answer`` returns; who asks for another host is refused."""

    protocol_version = "HTTP/1.1"
    server_version = "hardener"
    sys_version = ""
    timeout = 60
    answer: Callable[[Request], Reply]
    refuse: Callable[[int], Reply]

    def handle_request(self) -> None:
        """Answer whatever the method is."""
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # the body is not read
        if not is_own(self):
            self.close_connection = True
            send(self, self.refuse(421))
            return
        target = urlsplit(self.path)
        if target.netloc:
            self.path = target._replace(scheme="", netloc="").geturl() or "/"
        send(self, self.answer(request_of(self)))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = handle_request  # noqa: N815 (http.server)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what http.server cannot read, with the headers of all answers."""
        del message, explain
        self.close_connection = True
        send(self, self.refuse(code))

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread, which ends with the program."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, except that a browser has gone: it does so whenever it leaves a page."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(
    answer: Callable[[Request], Reply],
    refuse: Callable[[int], Reply] = refused,
    port: int = 0,
    kind: type[Handler] = Handler,
) -> Iterator[str]:
    """Serve on loopback; yields the address. Raises StackError where the port is taken."""
    handler = type("Bound", (kind,), {"answer": staticmethod(answer), "refuse": staticmethod(refuse)})
    try:
        server = Server((ADDRESS, port), handler)
    except (OSError, OverflowError) as error:
        raise StackError(
            f"cannot listen on {ADDRESS}:{port}: {getattr(error, 'strerror', None) or error}",
            hint="name another port (--port N), or leave out --port: a free one is used",
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{ADDRESS}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
