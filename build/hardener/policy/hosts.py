"""``hosts.toml``: hosts and schemes that the built files may name, and files that are not read, with reasons."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.system import tables
from hardener.system.tables import choice, text, texts, whole

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.system.tables import Document

NAME = "hosts.toml"
# What a host is doing in the bundle. 'open' is a network target whose removal is still to be done: it is listed so that
# nothing new slips in beside it.
CLASSES = ("namespace", "licence", "link", "origin", "comment", "inert", "open")
_TREE = {"tree": text("the name of a [tree.NAME] of upstream.toml", r"[\w.-]+")}
_COUNTS = {
    "reason": text("a sentence", required=True),
    "count": whole("how often served files name it: a whole number", 0),
    "maps": whole("how often source maps name it: a whole number", 0),
}
_KEYS = {
    "host": replace(text("a host name", required=True), convert=str.lower),
    "class": choice(CLASSES, required=True),
    **_COUNTS,
    **_TREE,
}
_SCHEME = {
    "scheme": text("a scheme in lower case, without its colon", r"[a-z][a-z0-9+.-]*", required=True),
    **_COUNTS,
    **_TREE,
}
_LONGEST_MAGIC = 32  # bytes
_UNREAD = {
    "files": text("a path of the site; * means any text, slashes too", required=True),
    "magic": replace(
        texts(
            "a list of the bytes that such files begin with, in hexadecimal; '..' is any byte, two or more are given",
            r"(?=(?:\.\.)*(?:[0-9a-fA-F]{2}(?:\.\.)*){2,})(?:[0-9a-fA-F]{2}|\.\.){2,32}",
        ),
        required=True,
    ),
    "reason": text("a sentence", required=True),
    **_TREE,
}


@dataclass(frozen=True)
class HostEntry:
    """One ``[[host]]``: ``count`` is how often it is in served files, ``maps`` in source maps.

    A ``[[scheme]]`` is one, too: its name ends with a colon, its class is ``scheme``. With a ``tree`` it holds for the
    build of that tree only.
    """

    host: str
    kind: str
    reason: str
    count: int = 0
    maps: int = 0
    tree: str = ""


@dataclass(frozen=True)
class Unread:
    """One ``[[unread]]``: files that are not read, by their path and by the bytes that they begin with.

    In ``magic`` two hexadecimal digits are a byte, and two dots are any byte. ``tree`` is as for a host.
    """

    files: str
    magic: tuple[str, ...]
    reason: str
    tree: str = ""

    def covers(self, name: str, content: bytes) -> bool:
        """Return whether a file of that path and content is one of these.

        >>> sounds = Unread("sounds/*.wav", ("52494646........57415645",), "sounds")
        >>> sounds.covers("sounds/a.wav", b"RIFF....WAVE"), sounds.covers("sounds/a.wav", b"<svg/>")
        (True, False)
        """
        if not fnmatch.fnmatchcase(name.lower(), self.files.lower()):
            return False
        head = content[:_LONGEST_MAGIC].hex()
        return any(re.match(magic.lower(), head) for magic in self.magic)


def read_hosts(path: Path, *, downstream: bool = False) -> tuple[HostEntry, ...]:
    """Read the hosts and schemes of ``hosts.toml``; raises ConfigError that names the entry and what is allowed.

    A ``downstream`` list may also say of a host that it is gone (no count): it changes ours.
    """
    document = _load(path)
    entries = []
    for key, keys in (("host", _KEYS), ("scheme", _SCHEME)):
        for table in document.tables(key, keys, unique=key):
            name, kind = (table["host"], table["class"]) if key == "host" else (table["scheme"] + ":", "scheme")
            entry = HostEntry(
                name, kind, table["reason"], table.get("count", 0), table.get("maps", 0), table.get("tree", "")
            )
            if not (entry.count or entry.maps or downstream):
                hint = "give count = N (served files), maps = N, or both"
                raise table.error(f"{table[key]} expects nothing", hint=hint)
            entries.append(entry)
    return tuple(entries)


def read_unread(path: Path) -> tuple[Unread, ...]:
    """Read which files are not read; raises as :func:`read_hosts`."""
    return tuple(Unread(**table.values) for table in _load(path).tables("unread", _UNREAD))


def _load(path: Path) -> Document:
    document = tables.load(path)
    document.holds("[[host]]", "[[scheme]]", "[[unread]]")
    return document
