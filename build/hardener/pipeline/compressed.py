"""Compressed copies beside the large files of a site, which nginx sends as they are: gzip, and brotli for its module.

Only of bundles and style sheets: other files (texts, pictures, settings) are the operator's to change, and a copy that
was left behind would hide the change from all browsers.

An edit changes few of these files, and compressing takes seconds, so copies are kept from build to build. The scan
reads each copy and compares it with its file.
"""

from __future__ import annotations

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import brotli  # type: ignore[import-untyped]

from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PATTERNS = ("libs/**/*.js", "libs/**/*.wasm", "libs/**/*.tflite", "css/**/*.css")
_SMALLEST = 1024  # bytes; below that nothing is gained
# Costs a fifth more time than level 6 and saves each visitor 3 kB. zopfli takes 11 s for the last 5 % of one bundle.
_LEVEL = 9
_SYSTEM = 9  # the byte of the header that says on which system it was compressed
# 15 % less than gzip for the app's bundle, in 1.4 s for all files. Quality 11 takes 19 s and saves another 10 %.
_QUALITY = 9


def _gzip(content: bytes) -> bytes:
    copy = bytearray(gzip.compress(content, _LEVEL, mtime=0))
    copy[_SYSTEM] = 255  # unknown, as Python writes it from 3.13 on; older ones name zlib's system
    return bytes(copy)


def _brotli(content: bytes) -> bytes:
    return bytes(brotli.compress(content, quality=_QUALITY))


_WRITERS: dict[str, Callable[[bytes], bytes]] = {".gz": _gzip, ".br": _brotli}
_READERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".br": brotli.decompress}
SUFFIXES = frozenset(_WRITERS)
# Other versions of these may write other bytes.
VERSIONS = (zlib.ZLIB_RUNTIME_VERSION, brotli.__version__)


def compress(site: Path, kept: Path | None = None) -> None:
    """Put compressed copies beside each bundle and style sheet. The same input gives the same bytes.

    ``kept`` is a folder with the copies of the last run, by the SHA-256 of what they are copies of; it gets those of
    this one. After another version of a library, or of this module, nothing of it is used.
    """
    files = sorted({file for pattern in _PATTERNS for file in site.glob(pattern) if file.stat().st_size >= _SMALLEST})
    rules = stamps.key(VERSIONS, stamps.file_digest_of(__file__))[:16]
    store = kept / rules if kept else None
    with ThreadPoolExecutor(2) as pool:  # both libraries work outside Python's global lock
        used = {name for names in pool.map(lambda file: _compress(file, store), files) for name in names}
    if kept and store:
        for path in (*kept.glob("*"), *store.glob("*")):
            if path != store and path.name not in used:
                disk.remove(path)


def _compress(file: Path, store: Path | None) -> list[str]:
    """Put copies beside a file, where they are smaller; returns their names in the store."""
    content = file.read_bytes()
    names = []
    for suffix, write in _WRITERS.items():
        copy, known = None, None
        if store:
            names.append(stamps.digest(content) + suffix)
            known = store / names[-1]
            copy = known.read_bytes() if known.is_file() else None
        if copy is None:
            copy = write(content)
            if known:
                disk.write(known, copy)
        if len(copy) < len(content):
            file.with_name(file.name + suffix).write_bytes(copy)
    return names


def problems(site: Path) -> list[str]:
    """Return compressed copies that are not what lies beside them."""
    found = []
    for file in sorted(file for suffix in SUFFIXES for file in site.rglob("*" + suffix)):
        name = file.relative_to(site).as_posix()
        original = file.with_suffix("")
        if not original.is_file():
            found.append(f"{name}: nothing that it is a copy of lies beside it")
            continue
        try:
            same = _READERS[file.suffix](file.read_bytes()) == original.read_bytes()
        except (OSError, EOFError, zlib.error, brotli.error):
            same = False
        if not same:
            found.append(f"{name}: holds something else than {original.name}, and is what browsers get")
    return found
