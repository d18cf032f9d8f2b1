"""Java properties, and the system properties that a start script passes on (``-Dname=value``).

Not a library: those on PyPI keep no line numbers, and this is all of the format that Jicofo's and the bridge's files
use.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Setting, Unknown, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY = re.compile(r"((?:\\.|[^\\=:\s])+)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)
OPTION = re.compile(r"""(?<![\w-])-D([\w.-]+)(?:=("[^"\n]*"|'[^'\n]*'|(?:\\.|[^\s"'\\])*))?""")
WRITES = re.compile(r"[$`]")


def read(text: str, name: str) -> Iterator[tuple[str, Setting]]:
    """Yield each property in its order; a later one of the same name wins."""
    for number, line in _lines(text):
        if match := ENTRY.fullmatch(line):
            key = _plain(match[1])
            yield key, Setting(_plain(match[2]), Where(name, number, key))


def options(text: str, name: str, where: Where | None = None) -> Iterator[tuple[str, Setting]]:
    """Yield each ``-Dname=value`` of a start script, except in comments. ``where``: the place of all of them."""
    for number, line in enumerate(text.splitlines(), 1):
        if where is None and line.lstrip().startswith("#"):
            continue
        for match in OPTION.finditer(line):
            value = (match[2] or "").strip("\"'")
            known = Unknown("taken from a variable of the start script") if WRITES.search(value) else value
            yield match[1], Setting(known, where or Where(name, number, match[1]))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines: without comments, and with those that a backslash continues to."""
    kept: list[str] = []
    first = 1
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.lstrip(" \t\f")
        if not kept:
            first = number
            if not line or line[0] in "#!":
                continue
        kept.append(line)
        if re.search(r"(?<!\\)(?:\\\\)*\\$", line):
            kept[-1] = line[:-1]
            continue
        yield first, "".join(kept)
        kept = []
    if kept:
        yield first, "".join(kept)


def _plain(text: str) -> str:
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _escape, text, flags=re.DOTALL)


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}.get(code, code)
