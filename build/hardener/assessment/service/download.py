"""Download what a browser is given: pages, scripts, settings and texts, as far as names in them lead."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hardener.assessment.service.client import SpentError
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hardener.assessment.service.client import Answer, Client

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


class Download:
    """The files of a site that were delivered, in a folder, and those that were not there."""

    def __init__(self, client: Client, site: Path) -> None:
        self._client, self._site = client, site
        self.absent: list[str] = []
        self.foreign: list[str] = []
        self.complete = True

    def run(self, front: Answer) -> None:
        """Download all. Where the bound of requests is reached, ``complete`` is false."""
        disk.remove(self._site)
        waiting = [*_named(INDEX, front.body), *KNOWN]
        self._keep(INDEX, front.body)
        seen = {INDEX}
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            try:
                answer = self._client.get(name)
            except SpentError:
                self.complete = False
                return
            if answer.foreign:
                self.foreign.append(answer.foreign)
            # Sites of Jitsi answer with the page of a room where there is no such file.
            if answer.status != 200 or answer.foreign or (answer.kind == "text/html" and not name.endswith(".html")):  # noqa: PLR2004
                self.absent.append(name)
                continue
            self._keep(name, answer.body)
            waiting += _named(name, answer.body)

    def _keep(self, name: str, body: bytes) -> None:
        disk.write(self._site / name, body)


def _named(name: str, body: bytes) -> Iterator[str]:
    """Yield the files of the own origin that a file names."""
    text = body.decode("utf-8", "replace")
    if name == "lang/languages.json":
        try:
            codes = json.loads(text)
        except ValueError:
            codes = {}
        yield from (f"lang/main-{code}.json" for code in codes if re.fullmatch(r"[\w-]{1,20}", str(code)))
    elif name.endswith(".html"):
        yield from filter(None, map(_own, _REFERENCE.findall(text)))
    elif name.endswith((".js", ".mjs")):
        folder = name.rpartition("/")[0]
        for quoted in _QUOTED.findall(text):
            if quoted.startswith(("static/", "libs/")) and (own := _own(quoted)):
                yield own
        for prefix, suffix in _CHUNKS.findall(text):
            yield from (f"{folder}/{prefix}{chunk}{suffix}".lstrip("/") for chunk in _LOADED.findall(text))


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
    safe = _NAME.fullmatch(path) and ".." not in path.split("/") and path.rpartition(".")[2] in _ENDINGS
    return path if safe and not (parts.scheme or parts.netloc) else ""
