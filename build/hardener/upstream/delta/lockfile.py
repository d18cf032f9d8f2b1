"""npm packages of two locks: what is new, and where it comes from."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LOCK, MANIFEST = "package-lock.json", "package.json"


@dataclass(frozen=True)
class Packages:
    """The packages of a lock that another one lacks.

    ``new`` are names that the other does not have at all, ``foreign`` are entries from elsewhere than the registry that
    most come from, ``hosts`` the hosts that no entry named before, ``scripts`` entries that run a script when they are
    installed, ``unlocked`` entries without integrity. Entries read ``name version``, with what matters behind it.
    """

    new: tuple[str, ...] = ()
    changed: int = 0
    gone: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()
    direct: tuple[str, ...] = field(default=())


def compare(before: dict[str, str], after: dict[str, str]) -> Packages:
    """Compare two pairs of ``package.json`` and ``package-lock.json``: file name -> content ('': there is none)."""
    old, new = _entries(before.get(LOCK, "")), _entries(after.get(LOCK, ""))
    hosts = Counter(host for entry in (old or new).values() if (host := _host(entry)))
    usual = hosts.most_common(1)[0][0] if hosts else ""
    fresh = {key: entry for key, entry in new.items() if old.get(key, {}).get("resolved") != entry.get("resolved")}
    names = {_name(key) for key in old}
    wanted, had = _direct(after.get(MANIFEST, "")), _direct(before.get(MANIFEST, ""))
    return Packages(
        new=tuple(sorted({_show(key, entry) for key, entry in fresh.items() if _name(key) not in names})),
        changed=sum(_name(key) in names for key in fresh),
        gone=tuple(sorted(names - {_name(key) for key in new})),
        foreign=tuple(
            sorted(
                {
                    f"{_show(key, entry)} from {entry.get('resolved')}"
                    for key, entry in fresh.items()
                    if _host(entry) not in ("", usual)
                }
            )
        ),
        hosts=tuple(sorted({_host(entry) for entry in fresh.values()} - set(hosts) - {""})),
        scripts=tuple(sorted({_show(key, entry) for key, entry in fresh.items() if entry.get("hasInstallScript")})),
        unlocked=tuple(
            sorted({_show(key, entry) for key, entry in fresh.items() if _host(entry) and not entry.get("integrity")})
        ),
        direct=tuple(sorted(f"{name} {wanted[name]}" for name in wanted.keys() - had.keys())),
    )


def _entries(text: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a lock (lockfileVersion 2 or 3) that are fetched, by their place in node_modules."""
    packages = json.loads(text).get("packages", {}) if text else {}
    return {key: entry for key, entry in packages.items() if key and not entry.get("link")}


def _direct(text: str) -> dict[str, str]:
    manifest = json.loads(text) if text else {}
    return {
        name: str(what) for key in ("dependencies", "devDependencies") for name, what in manifest.get(key, {}).items()
    }


def _host(entry: dict[str, Any]) -> str:
    return urlsplit(str(entry.get("resolved", ""))).hostname or ""


def _name(key: str) -> str:
    return key.rpartition("node_modules/")[2]


def _show(key: str, entry: dict[str, Any]) -> str:
    marks = [word for word, flag in (("dev", "dev"), ("optional", "optional")) if entry.get(flag)]
    return f"{_name(key)} {entry.get('version', '')}" + (f" ({', '.join(marks)})" if marks else "")
