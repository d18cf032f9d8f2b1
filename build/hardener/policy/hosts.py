"""``hosts.toml``: every host that the built files may name, with class, reason and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import ConfigError
from hardener.policy.tables import only_tables

if TYPE_CHECKING:
    from pathlib import Path

NAME = "hosts.toml"
# What a host is doing in the bundle. 'open' is a network target whose removal is still to be done: it is listed so that
# nothing new slips in beside it.
CLASSES = ("namespace", "licence", "link", "origin", "comment", "inert", "open")


@dataclass(frozen=True)
class HostEntry:
    """One ``[[host]]``: ``count`` is how often it stands in served files, ``maps`` in source maps."""

    host: str
    kind: str
    reason: str
    count: int = 0
    maps: int = 0


def read_hosts(path: Path, *, downstream: bool = False) -> tuple[HostEntry, ...]:
    """Read ``hosts.toml``; raises ConfigError that names the entry and what is allowed.

    A ``downstream`` list may also say of a host that it is gone (no count): it changes ours.
    """
    entries = tuple(
        _entry(path, number, entry, downstream=downstream) for number, entry in enumerate(only_tables(path, "host"), 1)
    )
    names = [entry.host for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: {name} is there twice", hint="one [[host]] per host")
    return entries


def _entry(path: Path, number: int, entry: Any, *, downstream: bool) -> HostEntry:
    where = f"{path}: [[host]] {number}"
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: not a table", hint="write [[host]] with keys below it")
    allowed: dict[str, tuple[type, str]] = {
        "host": (str, "a host name in lower case"),
        "class": (str, "one of " + ", ".join(CLASSES)),
        "reason": (str, "a sentence"),
        "count": (int, "a whole number"),
        "maps": (int, "a whole number"),
    }
    for key, value in entry.items():
        if key not in allowed:
            raise ConfigError(f"{where}: unknown key {key!r}", hint="allowed: " + ", ".join(allowed))
        if type(value) is not allowed[key][0]:
            raise ConfigError(f"{where}: {key} = {value!r}", hint=f"allowed: {allowed[key][1]}")
    for key in ("host", "class", "reason"):
        if not entry.get(key):
            raise ConfigError(f"{where}: {key!r} is missing", hint=f"{key} is {allowed[key][1]}")
    if entry["class"] not in CLASSES:
        raise ConfigError(f"{where}: class = {entry['class']!r}", hint=f"allowed: {', '.join(CLASSES)}")
    count, maps = entry.get("count", 0), entry.get("maps", 0)
    if count < 0 or maps < 0 or not (count + maps or downstream):
        raise ConfigError(
            f"{where}: {entry['host']} expects nothing", hint="give count = N (served files), maps = N, or both"
        )
    return HostEntry(entry["host"].lower(), entry["class"], entry["reason"], count, maps)
