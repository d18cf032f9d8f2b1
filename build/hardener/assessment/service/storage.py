"""Judge what a page has stored in a browser: histories, identifiers, and all else. No value is kept."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from hardener.proof.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Everything that a page can store, as [area, key, value].
STORED = """async () => {
    const web = [localStorage, sessionStorage].flatMap((area, number) =>
        Object.keys(area).map(key => [number ? 'session' : 'local', key, area.getItem(key)]));
    const bases = indexedDB.databases ? await indexedDB.databases() : [];
    const stores = window.caches ? await caches.keys() : [];
    const addresses = async key => JSON.stringify((await (await caches.open(key)).keys()).map(({ url }) => url));
    const workers = navigator.serviceWorker ? await navigator.serviceWorker.getRegistrations() : [];
    return [
        ...web,
        ...bases.map(base => ['indexeddb', base.name, '']),
        ...await Promise.all(stores.map(async key => ['cache', key, await addresses(key)])),
        ...workers.map(worker => ['worker', new URL(worker.scope).pathname, ''])
    ];
}"""
HISTORY, IDENTIFIER, OTHER, COPY = "history", "identifier", "other", "copy"
_COPIES = frozenset({"cache", "worker"})  # areas that hold files of the service
_SHORTEST = 8  # characters of an identifier
_TIME = re.compile(r"1[5-9]\d{8}(?:\d{3})?(?:\.\d+)?")  # seconds or milliseconds of these years
_DATE = re.compile(r"\d{4}-\d\d-\d\dT.*")
_HIDDEN = "[hidden]"
_MOST = 500  # entries that are kept


@dataclass(frozen=True)
class Entry:
    """One entry in one of the areas of a browser's storage."""

    area: str
    key: str
    value: str


@dataclass(frozen=True)
class Left:
    """The entries after one visit with a fresh profile, and the words by which others would recognise the visitor.

    Visits of the same ``way`` differ in nothing but the traces: same browser, same kind of page.
    """

    entries: tuple[Entry, ...]
    traces: tuple[str, ...]
    way: str = ""


def judged(visits: Sequence[Left]) -> list[dict[str, str]]:
    """Return each stored entry once: area, key and kind.

    An entry is a history if it names the room or the person. It is an identifier if two visits of the same way, with
    fresh profiles, left different values in it that are not times. Files of the service are copies.
    """
    traces = tuple({trace for left in visits for trace in left.traces if trace})
    named = _Named(traces)
    kinds: dict[tuple[str, str], str] = {}
    leaves: dict[tuple[str, str], dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for left in visits:
        for entry in left.entries:
            place = (entry.area, named.without(entry.key))
            found = list(_leaves(entry.value))
            texts = (entry.key, entry.value, *(text for leaf in found for text in leaf))
            usual = COPY if entry.area in _COPIES else OTHER
            kinds[place] = HISTORY if any(map(named.within, texts)) or kinds.get(place) == HISTORY else usual
            for path, value in found:
                leaves[place][left.way, path].add(value)
    for place, values in leaves.items():
        if kinds[place] == OTHER and any(_differ(found) for found in values.values()):
            kinds[place] = IDENTIFIER
    return [{"area": area, "key": key, "kind": kind} for (area, key), kind in sorted(kinds.items())][:_MOST]


class _Named:
    """Finds the visitor's traces as whole words: an account "test" is not named by "latest"."""

    def __init__(self, traces: Iterable[str]) -> None:
        words = "|".join(re.escape(trace) for trace in sorted(traces, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])" if words else r"(?!)", re.IGNORECASE)

    def within(self, text: str) -> bool:
        """Return whether a text names the visitor, also where it is a part of an address."""
        return any(self._pattern.search(form) for form in {text, unquote_plus(text)})

    def without(self, key: str) -> str:
        """Return a key without the visitor's traces, and not too long."""
        if not self._pattern.search(key) and self.within(key):
            key = unquote_plus(key)
        return redact(self._pattern.sub(_HIDDEN, key))[:100]


def _leaves(value: str, path: str = "", depth: int = 8) -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers in a value, which may be JSON, with their places in it."""
    try:
        found: Any = json.loads(value)
    except (ValueError, RecursionError):
        found = value
    if depth and isinstance(found, dict):
        for key, inner in found.items():
            yield from _leaves(_text(inner), f"{path}.{key}", depth - 1)
    elif depth and isinstance(found, list):
        for number, inner in enumerate(found):
            yield from _leaves(_text(inner), f"{path}.{number}", depth - 1)
    elif depth and isinstance(found, str) and found != value:
        yield from _leaves(found, path, depth - 1)
    else:
        yield path, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _differ(values: Iterable[str]) -> bool:
    """Return whether values of several visits differ and are long enough to tell people apart.

    >>> _differ(["5f3c2a91aa", "77b1c0de42"]), _differ(["1764230400000", "1764230409999"]), _differ(["en", "de"])
    (True, False, False)
    """
    long = {value for value in values if len(value) >= _SHORTEST and not (_TIME.fullmatch(value) or _DATE.match(value))}
    return len(long) > 1
