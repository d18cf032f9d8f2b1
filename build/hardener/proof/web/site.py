"""The answers of a built site: rooms, files with their includes, compressed copies, pages of errors.

``tests/e2e/test_serve.py`` compares it with nginx, which has the same snippets.
"""

from __future__ import annotations

import contextlib
import html
import re
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from hardener.proof.web.filters import finished, takes_gzip
from hardener.proof.web.locations import Snippets, State
from hardener.proof.web.messages import Content, Reply, Request, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Endings as in nginx's mime.types.
TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "application/javascript",
    "json": "application/json",
    "txt": "text/plain",
    "wasm": "application/wasm",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "ico": "image/x-icon",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "woff2": "font/woff2",
}
_OTHER = "application/octet-stream"
_PLAIN = "/!$&'()*+,;=:@~"  # not encoded in the address of a folder
_DEPTH = 4  # of files that include each other
_COMMAND = re.compile(rb"""<!--#\s*(\w+)\s*((?:\w+\s*=\s*(?:"[^"]*"|'[^']*')\s*)*)-->""")
_PARAMETER = re.compile(rb"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_UNKNOWN = b"[an error occurred while processing the directive]"


class Site:
    """A folder with a built site.

    ``headers=False`` leaves out security-headers.conf: what a page does must not depend on it. ``append`` gives what
    is added to a file of that name, such as settings to config.js.
    """

    def __init__(self, root: Path, *, headers: bool = True, append: Callable[[str], bytes] | None = None) -> None:
        self.root = root.resolve()
        self._append = append or (lambda _name: b"")
        self._snippets = Snippets(headers=headers)

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request, whatever it asks for."""
        path, _, arguments = request.target.partition("#")[0].partition("?")
        target = path.encode("latin-1", "replace")
        state = State(b"", target, arguments.encode("latin-1", "replace"), location=self._snippets.server)
        try:
            state.uri = normalised(target)
            content = self._content(request, state, 0)
        except ValueError:
            content = page(HTTPStatus.BAD_REQUEST)
        return finished(self._snippets, request, state, content)

    def refuse(self, status: int) -> Reply:
        """Return the answer to what is not a request of this site."""
        state = State(b"", location=self._snippets.server)
        return finished(self._snippets, Request("GET", "/"), state, page(status))

    def _content(self, request: Request, state: State, depth: int) -> Content:
        """Return what an address leads to; where that is an error, the site's page for it."""
        content = self._entered(request, state, depth)
        instead = self._snippets.error_pages.get(content.status, "")
        if instead.startswith("/"):
            state.uri, state.arguments = instead.encode(), b""
            method = "HEAD" if request.method == "HEAD" else "GET"
            status, content = content.status, self._entered(replace(request, method=method), state, depth)
            if content.status != HTTPStatus.OK:
                content = page(status)
            content.status = status
        return content

    def _entered(self, request: Request, state: State, depth: int) -> Content:
        status = self._snippets.enter(state)
        if not status and state.location.passes_on:
            status = HTTPStatus.BAD_GATEWAY  # there are no servers behind
        return page(status) if status else self._found(request, state, depth)

    def _found(self, request: Request, state: State, depth: int) -> Content:
        """Return a file of the site, or why there is none."""
        for name in state.location.try_files:
            if name.startswith("@"):
                self._snippets.enter_named(state, name)
            elif self._file(self._snippets.fill(state, name)):
                break
        if request.method not in {"GET", "HEAD", "POST"}:
            return page(HTTPStatus.METHOD_NOT_ALLOWED)
        index = state.uri + self._snippets.words["index"][0].encode()
        if state.uri.endswith(b"/") and self._file(index):
            state.uri = index
            self._snippets.enter(state)
        path = self._file(state.uri)
        if path is None:
            return self._no_file(request, state.uri)
        if request.method == "POST":
            return page(HTTPStatus.METHOD_NOT_ALLOWED)
        return self._sent(request, state, path, depth)

    def _no_file(self, request: Request, uri: bytes) -> Content:
        path = self._path(uri)
        if path is None or not path.is_dir():
            return page(HTTPStatus.NOT_FOUND)
        if uri.endswith(b"/"):
            return page(HTTPStatus.FORBIDDEN)
        return page(HTTPStatus.MOVED_PERMANENTLY, f"{request.origin}{quote_from_bytes(uri, safe=_PLAIN)}/")

    def _sent(self, request: Request, state: State, path: Path, depth: int) -> Content:
        location = state.location
        ending = state.uri.rpartition(b".")[2].decode("latin-1").lower()
        kind = (location.types or TYPES).get(ending, _OTHER)
        encoding, vary = "", False
        copy = self._file(state.uri + b".gz") if "gzip_static" in location.flags and depth == 0 else None
        if copy:
            vary = True
            if takes_gzip(request):
                path, encoding = copy, "gzip"
        try:
            body, facts = path.read_bytes(), path.stat()
        except PermissionError:
            return page(HTTPStatus.FORBIDDEN)
        etag, modified = f'"{int(facts.st_mtime):x}-{facts.st_size:x}"', formatdate(int(facts.st_mtime), usegmt=True)
        if self._snippets.includes(state, kind):
            body = self._filled(request, state, body, depth)
        body += self._append(path.relative_to(self.root).as_posix())
        return Content(HTTPStatus.OK, kind, body, etag, modified, encoding, vary)

    def _file(self, uri: bytes) -> Path | None:
        """Return the regular file of an address, or None; a link that leaves the site is none."""
        path = self._path(uri)
        return path if path is not None and path.is_file() and not uri.endswith(b"/") else None

    def _path(self, uri: bytes) -> Path | None:
        try:
            path = (self.root / uri.decode("utf-8", "surrogateescape").strip("/")).resolve(strict=True)
            inside = path.is_relative_to(self.root)
        except (OSError, RuntimeError, ValueError):  # nothing there, a name too long, a link to itself
            return None
        return path if inside else None

    def _filled(self, request: Request, state: State, body: bytes, depth: int) -> bytes:
        """Fill in server-side includes: echo with a default, include virtual."""

        def value(found: re.Match[bytes]) -> bytes:
            given: dict[str, bytes] = {
                name.decode(): first or second for name, first, second in _PARAMETER.findall(found[2])
            }
            if found[1] == b"echo" and "var" in given:
                text = state.variables.get(given["var"].decode())
                if text is None:
                    return given.get("default", b"(none)")
                return html.escape(text.decode("latin-1"), quote=True).replace("&#x27;", "'").encode("latin-1")
            if found[1] == b"include" and "virtual" in given and depth < _DEPTH:
                folder = b"" if given["virtual"].startswith(b"/") else state.uri[: state.uri.rfind(b"/") + 1]
                with contextlib.suppress(ValueError):
                    inner = State(normalised(folder + given["virtual"]))
                    return self._content(Request("GET", "", {}, request.origin), inner, depth + 1).body
            return _UNKNOWN

        return _COMMAND.sub(value, body)


def normalised(path: bytes) -> bytes:
    """Return an address as nginx looks for it: decoded once, without doubled slashes and dots.

    Raises ValueError for what nginx refuses.

    >>> normalised(b"/a//./b/%2e%2e/c%20d/")
    b'/a/c d/'
    """
    if not path.startswith(b"/") or re.search(rb"[\x00-\x20\x7f]|%(?![0-9A-Fa-f]{2})|%00", path):
        raise ValueError(f"not an address: {path!r}")
    decoded = re.sub(rb"%(..)", lambda found: bytes([int(found[1], 16)]), path)
    names: list[bytes] = []
    parts = decoded.split(b"/")[1:]
    for name in parts:
        if name == b"..":
            if not names:
                raise ValueError(f"not an address: {path!r}")
            names.pop()
        elif name not in {b"", b"."}:
            names.append(name)
    end = b"/" if names and parts[-1] in {b"", b".", b".."} else b""
    return b"/" + b"/".join(names) + end
