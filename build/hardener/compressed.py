"""Compressed copies beside the large files of a site, which nginx sends as they are (``gzip_static``).

Only of bundles and style sheets: other files (texts, pictures, settings) are the operator's to change, and a copy that
was left behind would hide the change from all browsers.
"""

from __future__ import annotations

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".gz"
_PATTERNS = ("libs/**/*.js", "libs/**/*.wasm", "libs/**/*.tflite", "css/**/*.css")
_SMALLEST = 1024  # bytes; below that nothing is gained
# Costs a fifth more time than level 6 and saves each visitor 3 kB. zopfli takes 11 s for the last 5 % of one bundle.
_LEVEL = 9
_SYSTEM = 9  # the byte of the header that says on which system it was compressed


def compress(site: Path) -> None:
    """Put a compressed copy beside each bundle and style sheet. The same input gives the same bytes."""
    files = sorted({file for pattern in _PATTERNS for file in site.glob(pattern) if file.stat().st_size >= _SMALLEST})
    with ThreadPoolExecutor(2) as pool:  # zlib works outside Python's global lock
        list(pool.map(_compress, files))


def _compress(file: Path) -> None:
    content = file.read_bytes()
    small = bytearray(gzip.compress(content, _LEVEL, mtime=0))
    small[_SYSTEM] = 255  # unknown, as Python writes it from 3.13 on; older ones name zlib's system
    if len(small) < len(content):
        file.with_name(file.name + SUFFIX).write_bytes(small)


def problems(site: Path) -> list[str]:
    """Compressed copies that are not what lies beside them."""
    found = []
    for file in sorted(site.rglob("*" + SUFFIX)):
        name = file.relative_to(site).as_posix()
        original = file.with_name(file.name.removesuffix(SUFFIX))
        if not original.is_file():
            found.append(f"{name}: nothing that it is a copy of lies beside it")
            continue
        try:
            same = gzip.decompress(file.read_bytes()) == original.read_bytes()
        except (OSError, EOFError, zlib.error):
            same = False
        if not same:
            found.append(f"{name}: holds something else than {original.name}, and is what browsers get")
    return found
