"""``hosts.toml``: every host that the built files may name, with class, reason and counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.system import tables
from hardener.system.tables import choice, text, whole

if TYPE_CHECKING:
    from pathlib import Path

NAME = "hosts.toml"
# What a host is doing in the bundle. 'open' is a network target whose removal is still to be done: it is listed so that
# nothing new slips in beside it.
CLASSES = ("namespace", "licence", "link", "origin", "comment", "inert", "open")
_KEYS = {
    "host": replace(text("a host name", required=True), convert=str.lower),
    "class": choice(CLASSES, required=True),
    "reason": text("a sentence", required=True),
    "count": whole("how often served files name it: a whole number", 0),
    "maps": whole("how often source maps name it: a whole number", 0),
}


@dataclass(frozen=True)
class HostEntry:
    """One ``[[host]]``: ``count`` is how often it is in served files, ``maps`` in source maps."""

    host: str
    kind: str
    reason: str
    count: int = 0
    maps: int = 0


def read_hosts(path: Path, *, downstream: bool = False) -> tuple[HostEntry, ...]:
    """Read ``hosts.toml``; raises ConfigError that names the entry and what is allowed.

    A ``downstream`` list may also say of a host that it is gone (no count): it changes ours.
    """
    document = tables.load(path)
    document.holds("[[host]]")
    entries = []
    for table in document.tables("host", _KEYS, unique="host"):
        entry = HostEntry(table["host"], table["class"], table["reason"], table.get("count", 0), table.get("maps", 0))
        if not (entry.count or entry.maps or downstream):
            raise table.error(f"{entry.host} expects nothing", hint="give count = N (served files), maps = N, or both")
        entries.append(entry)
    return tuple(entries)
