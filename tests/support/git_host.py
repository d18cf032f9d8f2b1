"""A git host on loopback: bare repositories over smart HTTP and TLS, by git's own ``http-backend``
(git-http-backend(1)).
"""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class GitHost:
    """Serves the repositories below ``root`` at ``url``/NAME until :meth:`close`.

    ``settings`` are git settings of the server (a public forge allows filters). ``statuses`` are answered first, one a
    request, in place of what was asked for. ``asked`` are the requests, as method and path. A client that is to trust the
    host needs ``certificate`` (see :attr:`environment`).
    """

    root: Path
    folder: Path
    settings: tuple[str, ...] = ("uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true")
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.certificate, key = self.folder / "host.crt", self.folder / "host.key"
        words = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=git-host".split()
        words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run(["openssl", "req", "-x509", *words], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_: None  # a client that does not trust us hangs up, which is tested
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that make git and requests trust the host."""
        return {"GIT_SSL_CAINFO": str(self.certificate), "REQUESTS_CA_BUNDLE": str(self.certificate)}

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Hand one request to git, or refuse it with the next of ``statuses``."""
        parts = urlsplit(request.path)
        self.asked.append(f"{request.command} {parts.path}")
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if self.statuses:
            request.send_error(self.statuses.pop(0))
            return
        settings = dict(setting.split("=") for setting in self.settings)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": request.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }
        for number, (name, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        # Its exit status says nothing to a client: what went wrong is in what it wrote.
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        heads = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(heads.pop("Status", "200").split()[0]))
        for name, value in (heads | {"Content-Length": str(len(content))}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


def _handler(host: GitHost) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.answer(self)

        def do_POST(self) -> None:
            host.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
