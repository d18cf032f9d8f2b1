"""Download what a browser is given: pages, scripts, settings and texts, as far as names in them lead."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hardener.assessment.service.client import SpentError
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hardener.assessment.service.client import Client

INDEX = "index.html"
# Files of upstream that other pages and apps ask for by name.
KNOWN = (
    "config.js interface_config.js manifest.json pwa-worker.js lang/languages.json lang/main.json"
    " libs/external_api.min.js libs/alwaysontop.min.js libs/close3.min.js libs/lib-jitsi-meet.e2ee-worker.js"
    " .well-known/assetlinks.json .well-known/apple-app-site-association"
    " static/close.html static/close2.html static/close3.html static/dialInInfo.html static/recommendedBrowsers.html"
    " static/offline.html static/oauth.html static/msredirect.html static/whiteboard.html static/webrtcUnsupported.html"
).split()
_ENDINGS = ("js", "mjs", "css", "html", "json")
_REFERENCE = re.compile(r"""\b(?:src|href)\s*=\s*["']([^"'<>\s]{1,300})["']""")
_QUOTED = re.compile(r"""["'`]((?:[\w@-]+/)*[\w.-]+\.(?:min\.)?(?:js|mjs|css|html))["'`]""")
# The runtime of the bundlers: u = e => "chunks/" + e + ".min.js", and each load of a chunk.
_CHUNKS = re.compile(r"""\.u=\(?\w+\)?=>\(?["']([\w/-]*)["']\+\w+\+["'](\.[\w.]*js)["']""")
_LOADED = re.compile(r"""\.e\(["']?([\w-]{1,40})["']?\)""")
_NAME = re.compile(r"[\w.@-]+(?:/[\w.@-]+)*")


LARGEST_SITE = 256 << 20  # bytes of all files
MOST = 240  # requests of the steps up to the last file
_NAMES = 10_000  # names that one file may add
_LONGEST, _PART = 1000, 200  # characters of a path, bytes of one part


class Download:
    """The files of a site that were delivered, in a folder, and those that were not there.

    ``known`` says by the digest of a name, which may be a person's, whether it is in the folder or was absent: an
    interrupted download resumes with it.
    """

    def __init__(self, client: Client, site: Path, known: Mapping[str, bool] | None = None) -> None:
        self._client, self._site = client, site
        self.known = dict(known or {})
        self.absent: list[str] = []
        self.foreign: list[str] = []
        self.complete = True
        self._size = 0

    def run(self) -> None:
        """Download all that the first page leads to, which is in the folder.

        Where the bound of requests is reached, ``complete`` is false.
        """
        front = (self._site / INDEX).read_bytes()
        if not self.known:
            disk.remove(self._site)
            disk.write(self._site / INDEX, front)
        self._size = len(front)
        waiting = [*_named(INDEX, front), *KNOWN]
        seen = {INDEX}
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            try:
                body = self._body(name)
            except SpentError:
                self.complete = False
                return
            if body is not None:
                waiting += self._found(name, body, seen)

    def _body(self, name: str) -> bytes | None:
        """Return a file, which is in the folder then; None where there is none. Raises SpentError at a bound."""
        key = stamps.key(name)
        if self.known.get(key):
            return (self._site / name).read_bytes()
        if key in self.known:
            self.absent.append(name)
            return None
        if self._client.count >= MOST or self._size > LARGEST_SITE:
            raise SpentError
        answer = self._client.get(name)
        # Sites of Jitsi answer with the page of a room where there is no such file.
        if answer.status != 200 or answer.foreign or (answer.kind == "text/html" and not name.endswith(".html")):  # noqa: PLR2004
            self.absent.append(name)
            if answer.foreign:
                self.foreign.append(answer.foreign)
            else:
                self.known[key] = False
            return None
        if answer.cut or not self._has_place(name):
            self.complete = False
            return None
        disk.write(self._site / name, answer.body)
        self.known[key] = True
        return answer.body

    def _found(self, name: str, body: bytes, seen: set[str]) -> list[str]:
        """Return what a file of the folder leads to."""
        self._size += len(body)
        return list(islice((named for named in _named(name, body) if named not in seen), _NAMES))

    def _has_place(self, name: str) -> bool:
        """Return whether a file can be written: no other file has the name of its folder, and no folder its own."""
        path = self._site / name
        above = [folder for folder in path.parents if folder.is_relative_to(self._site)]
        return not path.is_dir() and not any(folder.is_file() for folder in above)


def _named(name: str, body: bytes) -> Iterator[str]:
    """Yield the files of the own origin that a file names."""
    text = body.decode("utf-8", "replace")
    if name == "lang/languages.json":
        try:
            codes = json.loads(text)
        except (ValueError, RecursionError):
            codes = {}
        codes = codes if isinstance(codes, dict) else {}
        yield from (f"lang/main-{code}.json" for code in codes if re.fullmatch(r"[\w-]{1,20}", str(code)))
    elif name.endswith(".html"):
        yield from filter(None, map(_own, _REFERENCE.findall(text)))
    elif name.endswith((".js", ".mjs")):
        folder = name.rpartition("/")[0]
        for quoted in _QUOTED.findall(text):
            if quoted.startswith(("static/", "libs/")) and (own := _own(quoted)):
                yield own
        chunks = dict.fromkeys(_LOADED.findall(text))
        for prefix, suffix in dict.fromkeys(_CHUNKS.findall(text)):
            names = (f"{folder}/{prefix}{chunk}{suffix}".lstrip("/") for chunk in chunks)
            yield from filter(_is_short, names)


def _is_short(name: str) -> bool:
    """Return whether each part of a path is short enough for a file."""
    return len(name) <= _LONGEST and all(len(part.encode("utf-8", "replace")) <= _PART for part in name.split("/"))


def _own(reference: str) -> str:
    """Return the path of a reference on the own origin that can be read as text; empty for others.

    >>> _own("libs/app.js?v=1"), _own("//cdn.example/x.js"), _own("../../etc/x.js"), _own("/images/a.png")
    ('libs/app.js', '', '', '')
    """
    try:
        parts = urlsplit(reference)
    except ValueError:
        return ""
    path = unquote(parts.path).removeprefix("/")
    safe = (
        _is_short(path)
        and _NAME.fullmatch(path)
        and ".." not in path.split("/")
        and path.rpartition(".")[2] in _ENDINGS
    )
    return path if safe and not (parts.scheme or parts.netloc) else ""
