"""Two trees of a component, or two built sites, set against each other."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.git.repository import inside
from hardener.upstream.delta import lockfile
from hardener.upstream.delta.detectors import DETECTORS, try_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hardener.config import Component
    from hardener.git.history import History
    from hardener.upstream.delta.detectors import Detector, Place
    from hardener.upstream.delta.lockfile import Packages

_TEXT = re.compile(r"\.(?:[cm]?[jt]sx?|html?|css|s[ac]ss|json|md|txt|sh|xml|svg|toml|ya?ml|conf|lua|webmanifest)$")


@dataclass(frozen=True)
class Fresh:
    """A place that the new tree has and the old one lacks; ``unknown``: the old tree does not name it at all."""

    place: Place
    unknown: bool = True


@dataclass(frozen=True)
class ComponentDelta:
    """The news of a component: detector name -> places; ``files`` and ``commits`` say how much was looked at."""

    component: str
    old: str
    new: str
    commits: int
    files: int
    fresh: Mapping[str, tuple[Fresh, ...]]
    gone: Mapping[str, tuple[str, ...]]
    packages: Packages


@dataclass(frozen=True)
class SiteDelta:
    """The differences of two built sites: name -> count in the old and in the new one, where the new one has more."""

    hosts: Mapping[str, tuple[int, int]]
    calls: Mapping[str, tuple[int, int]]


def compare_trees(history: History, component: Component, old: str, new: str) -> ComponentDelta:
    """Compare two commits without checking anything out; paths that the web build never reads are left out.

    Raises UnreachableError or StackError when files that differ cannot be had, ScanError for a blind detector.
    """
    try_controls()
    before, after = history.entries(old), history.entries(new)
    paths = [path for path in history.changed(old, new) if not inside(path, component.exclude) and _TEXT.search(path)]
    history.bring({side[path].blob for side in (before, after) for path in paths if path in side})
    texts = [_texts(history, {path: side[path].blob for path in paths if path in side}) for side in (before, after)]
    fresh: dict[str, tuple[Fresh, ...]] = {}
    gone: dict[str, tuple[str, ...]] = {}
    for detector in DETECTORS:
        olds, news = (_places(detector, side) for side in texts)
        known = Counter(place.value for place in olds)
        left = Counter(known)
        added = []
        for place in news:
            left[place.value] -= 1
            if left[place.value] < 0:
                added.append(place)
        elsewhere = (
            _named(history, old, {place.value for place in added} - set(known)) if detector.whole_tree else set()
        )
        fresh[detector.name] = tuple(
            Fresh(place, place.value not in known and place.value not in elsewhere)
            for place in sorted(added, key=lambda place: (place.in_comment, place.path, place.line))
        )
        lost = known.keys() - {place.value for place in news}
        gone[detector.name] = tuple(sorted(lost - _named(history, new, lost) if detector.whole_tree else lost))
    return ComponentDelta(
        component.name,
        old,
        new,
        int(history.output("rev-list", "--count", f"{old}...{new}")),
        len(paths),
        fresh,
        gone,
        lockfile.compare(
            *({name: side.get(name, "") for name in (lockfile.LOCK, lockfile.MANIFEST)} for side in texts)
        ),
    )


def _texts(history: History, blobs: Mapping[str, str]) -> dict[str, str]:
    contents = history.blobs(blobs.values())
    return {path: contents[blob].decode("utf-8", "surrogateescape") for path, blob in blobs.items()}


def _places(detector: Detector, texts: Mapping[str, str]) -> list[Place]:
    return [place for path, text in texts.items() for place in detector.find(path, text)]


def _named(history: History, tree: str, values: Iterable[str]) -> set[str]:
    """Return which of these values any file of a tree names (in any case: hosts are compared in lower case)."""
    wanted = sorted(values)
    if not wanted:
        return set()
    # Of a dotted option the last name decides: code reads it by its parts.
    words = {value: value.rsplit(".", 1)[-1] if not re.search(r"\.[a-z]+$", value) else value for value in wanted}
    done = history.git(
        "grep",
        "-h",
        "-o",
        "-i",
        "-I",
        "-F",
        "-f",
        "-",
        tree,
        stdin="".join(f"{word}\n" for word in set(words.values())).encode(),
        env={"LC_ALL": "C"},  # in UTF-8 git takes twice as long to compare without case
    )
    there = set(done.stdout.decode("utf-8", "replace").lower().split("\n"))
    return {value for value, word in words.items() if word.lower() in there}


def compare_sites(old: Path, new: Path) -> SiteDelta:
    """Compare two built, unpacked sites: how often each host is named, and how many calls of each kind there are."""
    try_controls()
    return SiteDelta(*(_more(*pair) for pair in zip(_counts(old), _counts(new), strict=True)))


def _counts(site: Path) -> tuple[Counter[str], Counter[str]]:
    hosts: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and _TEXT.search(name):
            # Minified code is one line: each statement becomes a line of its own.
            text = re.sub(r"([;{},])", r"\1\n", path.read_text("utf-8", "surrogateescape"))
            for detector in DETECTORS:
                if detector.name == "hosts":
                    hosts.update(place.value for place in detector.find(name, text))
                elif not detector.name.startswith(("config", "whitelist", "option")):
                    calls[detector.name] += len(list(detector.find(name, text)))
    return hosts, calls


def _more(old: Counter[str], new: Counter[str]) -> dict[str, tuple[int, int]]:
    return {name: (old[name], count) for name, count in sorted(new.items()) if count > old[name]}
