"""``toolchains.toml``: in what the two toolchains may differ, with the reason why that does no harm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hardener.errors import ConfigError
from hardener.policy.tables import only_tables
from hardener.proof.compare.model import CHECKS, SIDES, Difference, Found, Reviewed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "toolchains.toml"
_TEXTS = ("check", "where", "what", "only", "reason")


def read(path: Path) -> tuple[Reviewed, ...]:
    """The reviewed differences; none where there is no such file. Raises ConfigError for a malformed entry."""
    if not path.exists():
        return ()
    entries = enumerate(only_tables(path, "difference"), 1)
    return tuple(line for number, one in entries for line in _lines(path, number, one))


def _lines(path: Path, number: int, entry: Any) -> tuple[Reviewed, ...]:
    """One line for each ``what`` of an entry: each has to match something."""
    where = f"{path}: [[difference]] {number}"
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: not a table", hint="write [[difference]] with keys below it")
    for key in entry:
        if key not in (*_TEXTS, "within"):
            raise ConfigError(f"{where}: unknown key {key!r}", hint=f"allowed: {', '.join(_TEXTS)}, within")
    what = entry.get("what")
    whats = what if isinstance(what, list) and what else [what]
    for key in _TEXTS:
        texts = whats if key == "what" else [entry.get(key)]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            wanted = "a text or a list of texts" if key == "what" else "a text"
            raise ConfigError(f"{where}: {key!r} is missing or not {wanted}", hint=f"needed: {', '.join(_TEXTS)}")
    if entry["check"] not in CHECKS:
        raise ConfigError(f"{where}: check = {entry['check']!r}", hint=f"allowed: {', '.join(CHECKS)}")
    if entry["only"] not in (*SIDES, "both"):
        raise ConfigError(f"{where}: only = {entry['only']!r}", hint=f"allowed: {', '.join(SIDES)}, both")
    within = entry.get("within", 0.0)
    if (entry["check"] == "sizes") != ("within" in entry) or not isinstance(within, int | float) or within < 0:
        raise ConfigError(
            f"{where}: 'within' goes with check = \"sizes\" alone, and there it is needed",
            hint="the largest difference that is allowed, in per cent of webpack's size",
        )
    return tuple(Reviewed(**entry | {"what": text}) for text in whats)


def judge(
    found: Iterable[Found], reviewed: Iterable[Reviewed]
) -> tuple[tuple[tuple[Difference, Reviewed], ...], tuple[Difference, ...], tuple[Reviewed, ...]]:
    """Differences with their reviewed line, differences without one, and lines of made checks that match nothing."""
    found, reviewed = tuple(found), tuple(reviewed)
    covered: list[tuple[Difference, Reviewed]] = []
    uncovered: list[Difference] = []
    used: set[Reviewed] = set()
    for difference in (one for check in found for one in check.differences):
        lines = [line for line in reviewed if _concerns(line, difference)]
        used.update(lines)
        enough = next((line for line in lines if difference.percent <= line.within), None)
        if enough:
            covered.append((difference, enough))
        else:
            uncovered.append(difference)
    made = {one.check for one in found}
    stale = tuple(line for line in reviewed if line.check in made and line not in used)
    return tuple(covered), tuple(uncovered), stale


def _concerns(line: Reviewed, difference: Difference) -> bool:
    return (
        (line.check, line.only) == (difference.check, difference.only)
        and _matches(line.where, difference.where)
        and _matches(line.what, difference.what)
    )


def _matches(pattern: str, text: str) -> bool:
    """Whether a text is of a form in which ``*`` stands for anything.

    >>> _matches("node_modules/core-js/*.js", "node_modules/core-js/modules/es.map.js"), _matches("a", "ab")
    (True, False)
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
