"""Versions in the addresses of a site: ``?v=`` is the beginning of the file's SHA-256, in pages and style sheets.

A web server lets browsers keep such an address for a year (build/nginx), so it has to change with its file.
An address that is made while the page runs has no version; it is asked for again each time, and answered with 304
(docs/adr/0014).
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LENGTH = 16
# What build/nginx serves as plain files. All else may be filled in by server-side includes, or is the operator's own.
_FOLDERS = ("libs/", "css/", "static/", "images/", "fonts/", "lang/", "sounds/")
_IN_PAGE = re.compile(rb"""(?<=[\s"'])((?:src|href|content)\s*=\s*(["']))([^"'<>?#]+)(?:\?v=[^"'<>#]*)?(?=\2)""")
_IN_STYLE = re.compile(rb"""(url\(\s*(["']?))([^"'()?#\s]+)(?:\?v=[^"'()#\s]*)?(?=\2\s*\))""")
_TEXTS = frozenset({".html", ".css", ".js", ".json", ".svg"})
# An address with a version, or a version that is put behind an address while the page runs ('"?v=" + n').
_VERSION = re.compile(
    rb"""((?<![\w@%./~-])[\w@%./~-]+\.(?:js|css|json|wasm|tflite|svg|png|jpe?g|gif|ico|webp|mp3|mp4|opus|wav|ogg|woff2?|ttf|html)|["'`}])"""
    rb"""\?(?:[\w=&.-]*&)?v=([^\s"'`<>()&#]*)"""
)


def version(content: bytes) -> str:
    """Return the version of a file with this content."""
    return hashlib.sha256(content).hexdigest()[:LENGTH]


def stamp(site: Path) -> None:
    """Write the version of each file into the pages and style sheets of a site that ask for it."""
    for pattern, expression in (("css/**/*.css", _IN_STYLE), ("**/*.html", _IN_PAGE)):  # a page asks for style sheets
        for file in sorted(site.glob(pattern)):
            content = file.read_bytes()
            stamped = expression.sub(_stamper(site, file), content)
            if stamped != content:
                file.write_bytes(stamped)


def _stamper(site: Path, file: Path) -> Callable[[re.Match[bytes]], bytes]:
    def replace(match: re.Match[bytes]) -> bytes:
        named = _named(site, file, match[3])
        if named is None or named.suffix == ".html":
            return match[0]
        return match[1] + match[3] + b"?v=" + version(named.read_bytes()).encode()

    return replace


def _named(site: Path, file: Path, address: bytes) -> Path | None:
    """Return the file that an address in a file of the site leads to; None where it is none of those with versions.

    Pages have ``<base href="/">``; in a style sheet an address is relative to the sheet.
    """
    text = address.decode("utf-8", "replace")
    if "//" in text or ":" in text:
        return None
    folder = file.parent.relative_to(site).as_posix() if file.suffix == ".css" else ""
    path = posixpath.normpath(posixpath.join("/", folder, text)).lstrip("/")
    return site / path if path.startswith(_FOLDERS) and (site / path).is_file() else None


def problems(site: Path) -> list[str]:
    """Return all versions in the files of a site that are not that of the file that they are behind."""
    return [problem for file in sorted(site.rglob("*")) if file.suffix in _TEXTS for problem in _judged(site, file)]


def _judged(site: Path, file: Path) -> Iterator[str]:
    content = file.read_bytes()
    if b"v=" not in content:
        return
    name = file.relative_to(site).as_posix()
    for match in _VERSION.finditer(content):
        where = f"{name}:{match.start()}: {match[0].decode('utf-8', 'replace')}"
        if len(match[1]) == 1:
            yield f"{where}: a version that is added while the page runs cannot be the file's"
            continue
        named = _named(site, file, match[1])
        if named is None:
            yield f"{where}: there is no such file with a version"
        elif (wanted := version(named.read_bytes())) != match[2].decode("utf-8", "replace"):
            yield f"{where}: the file's version is {wanted}"
