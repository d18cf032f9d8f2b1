"""A built site on loopback, as nginx would serve it, with what the comparison needs beside it."""

from __future__ import annotations

import contextlib
import mimetypes
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hardener.proof.includes import expand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STARTED = "hardener: started"
OWN = "/hardener-compare/"
EMPTY, NAMES = OWN + "empty.html", OWN + "names.js"
BROKEN_WORKER, BROKEN_WORKLET = OWN + "broken-worker.js", OWN + "broken-worklet.js"
_SCRIPT = "text/javascript"
_BROKEN = b"throw new Error('planted: does not start');"
# Loaded into an audio worklet first: it tells which processors the next module registers.
_NAMES = b"""const names = [], original = registerProcessor;
globalThis.registerProcessor = (name, processor) => { names.push(name); original(name, processor); };
original('hardener-names', class extends AudioWorkletProcessor {
    constructor() { super(); this.port.postMessage(names); }
    process() { return false; }
});
"""
_FILES = {
    EMPTY: ("text/html", b"<!doctype html><title>empty</title><link rel=icon href=data:,>"),
    NAMES: (_SCRIPT, _NAMES),
    BROKEN_WORKER: (_SCRIPT, _BROKEN),
    BROKEN_WORKLET: (_SCRIPT, _BROKEN),
}
_SSI = (".html", ".js")  # of the top folder: the bundles in libs/ hold no includes, and are large
_FOLDERS = {"libs", "css", "static", "images", "fonts", "lang", "sounds"}


def answer(site: Path, address: str) -> tuple[int, str, bytes]:
    """Return what a GET returns: status, content type, bytes. With ``?started`` a script says at its end that it got
    there.
    """
    parts = urlsplit(address)
    if parts.path in _FILES:
        kind, data = _FILES[parts.path]
    else:
        name = unquote(parts.path).lstrip("/") or "index.html"
        file = (site / name).resolve()
        if not file.is_relative_to(site.resolve()) or not file.is_file():
            if name.split("/")[0] in _FOLDERS:
                return 404, "text/plain", b"404 Not Found\n"
            file = site / "index.html"  # every other path is a meeting
        data = file.read_bytes()
        if file.parent == site and file.suffix in _SSI:
            data = expand(site, data)
        kind = _SCRIPT if file.suffix == ".js" else mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if parts.query == "started":
        data += f"\n;setTimeout(() => self.postMessage({STARTED!r}), 0);".encode()
    return 200, kind, data


@contextlib.contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a site on loopback; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, kind, data = answer(site, self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
