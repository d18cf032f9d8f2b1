"""Versions in the addresses of a site: ``?v=`` is the beginning of the file's SHA-256, in pages and style sheets.

A web server lets browsers keep such an address for a year (build/nginx), so it has to change with its file.
An address that is made while the page runs has no version; it is asked for again each time, and answered with 304
(docs/adr/0014).

Scripts and style sheets of a page have ``integrity`` as well: a browser refuses a file that is not the page's.
"""

from __future__ import annotations

import base64
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
# A script or link without server-side includes in its attributes, and the attributes of it that matter here.
_TAG = re.compile(rb"<(?:script|link)\b[^<>]*>", re.IGNORECASE)
_INTEGRITY = re.compile(rb"""\s+integrity\s*=\s*(["'])([^"'<>]*)\1""", re.IGNORECASE)
_LOADS = re.compile(rb"""\s(?:src|href)\s*=\s*(["'])([^"'<>?#]+)(?:\?v=[^"'<>#]*)?\1""", re.IGNORECASE)
_STYLE = re.compile(rb"""\srel\s*=\s*(["']?)stylesheet\1[\s/>]""", re.IGNORECASE)
_TEXTS = frozenset({".html", ".css", ".js", ".json", ".svg"})
# A version, and what it is behind: an address, or the end of a text or of a variable ('"?v=" + n').
_VERSION = re.compile(rb"""\?(?:[\w=&.-]*&)?v=([^\s"'`<>()&#]*)""")
_ADDRESS = re.compile(
    rb"""(?:[\w@%./~-]+\.(?:js|css|json|wasm|tflite|svg|png|jpe?g|gif|ico|webp|mp3|mp4|opus|wav|ogg|woff2?|ttf|html)|["'`}])\Z"""
)
_LONGEST = 1000  # bytes of an address


def version(content: bytes) -> str:
    """Return the version of a file with this content."""
    return hashlib.sha256(content).hexdigest()[:LENGTH]


def integrity(content: bytes) -> str:
    """Return the value of the attribute ``integrity`` for a file with this content."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def stamp(site: Path) -> None:
    """Write version and integrity of each file into the pages and style sheets of a site that ask for it."""
    for pattern, expression in (("css/**/*.css", _IN_STYLE), ("**/*.html", _IN_PAGE)):  # a page asks for style sheets
        for file in sorted(site.glob(pattern)):
            content = file.read_bytes()
            stamped = expression.sub(_stamper(site, file), content)
            if file.suffix == ".html":
                stamped = _TAG.sub(_sealer(site, file), stamped)
            if stamped != content:
                file.write_bytes(stamped)


def _stamper(site: Path, file: Path) -> Callable[[re.Match[bytes]], bytes]:
    def replace(match: re.Match[bytes]) -> bytes:
        named = _named(site, file, match[3])
        if named is None or named.suffix == ".html":
            return match[0]
        return match[1] + match[3] + b"?v=" + version(named.read_bytes()).encode()

    return replace


def _sealer(site: Path, file: Path) -> Callable[[re.Match[bytes]], bytes]:
    def replace(match: re.Match[bytes]) -> bytes:
        loaded = _loaded(site, file, match[0])
        if loaded is None:
            return match[0]
        tag = _INTEGRITY.sub(b"", match[0])
        end = -2 if tag.endswith(b"/>") else -1
        return tag[:end].rstrip() + f' integrity="{integrity(loaded.read_bytes())}"'.encode() + tag[end:]

    return replace


def _loaded(site: Path, file: Path, tag: bytes) -> Path | None:
    """Return the file with a version that a tag of a page runs as a script or style sheet; None for other tags."""
    address = _LOADS.search(tag)
    if address is None or not (tag[:7].lower() == b"<script" or _STYLE.search(tag)):
        return None
    return _named(site, file, address[2])


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
    """Return all versions in the files of a site that are not that of the file that they are behind, and all scripts
    and style sheets of pages without the integrity of their file.
    """
    return [problem for file in sorted(site.rglob("*")) if file.suffix in _TEXTS for problem in _judged(site, file)] + [
        problem for file in sorted(site.rglob("*.html")) for problem in _unsealed(site, file)
    ]


def _unsealed(site: Path, file: Path) -> Iterator[str]:
    for match in _TAG.finditer(file.read_bytes()):
        tag = match[0]
        loaded, found = _loaded(site, file, tag), _INTEGRITY.search(tag)
        where = f"{file.relative_to(site).as_posix()}:{match.start()}: {tag.decode('utf-8', 'replace')}"
        if loaded is None:
            if found:
                yield f"{where}: there is no file with a version for this integrity"
        elif found is None:
            yield f"{where}: has no integrity"
        elif found[2].decode("utf-8", "replace") != (wanted := integrity(loaded.read_bytes())):
            yield f"{where}: the file's integrity is {wanted}"


def _judged(site: Path, file: Path) -> Iterator[str]:
    content = file.read_bytes()
    if b"v=" not in content:
        return
    name = file.relative_to(site).as_posix()
    for match in _VERSION.finditer(content):
        address = _ADDRESS.search(content[max(0, match.start() - _LONGEST) : match.start()])
        if address is None:
            continue
        shown = (address[0] + match[0]).decode("utf-8", "replace")
        where = f"{name}:{match.start() - len(address[0])}: {shown}"
        if len(address[0]) == 1:
            yield f"{where}: a version that is added while the page runs cannot be the file's"
            continue
        named = _named(site, file, address[0])
        if named is None:
            yield f"{where}: there is no such file with a version"
        elif (wanted := version(named.read_bytes())) != match[1].decode("utf-8", "replace"):
            yield f"{where}: the file's version is {wanted}"
