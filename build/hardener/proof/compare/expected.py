"""``toolchains.toml``: in what the two toolchains may differ, with the reason why that does no harm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.proof.compare.model import CHECKS, SIDES, Difference, Found, Reviewed
from hardener.system import tables
from hardener.system.tables import Key, choice, text, text_or_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hardener.system.tables import Table

NAME = "toolchains.toml"
_KEYS = {
    "check": choice(tuple(CHECKS), required=True),
    "where": text("a text", required=True),
    "what": text_or_texts("a text or a list of texts", required=True, least=1),
    "only": choice((*SIDES, "both"), required=True),
    "reason": text("a sentence", required=True),
    "within": Key(
        lambda value: type(value) in (int, float) and value >= 0,
        "the largest difference that is allowed, in per cent of webpack's size",
    ),
}


def read(path: Path) -> tuple[Reviewed, ...]:
    """Return the reviewed differences; none where there is no such file. Raises ConfigError for a malformed entry."""
    if not path.exists():
        return ()
    document = tables.load(path)
    document.holds("[[difference]]")
    return tuple(line for table in document.tables("difference", _KEYS) for line in _lines(table))


def _lines(table: Table) -> Iterator[Reviewed]:
    """Yield one line for each ``what`` of an entry: each has to match something."""
    if (table["check"] == "sizes") != ("within" in table.values):
        raise table.error(
            "'within' is for check = \"sizes\" only, and needed there", f"within is {_KEYS['within'].allowed}", "within"
        )
    for what in table["what"]:
        yield Reviewed(**{**table.values, "what": what})


def judge(
    found: Iterable[Found], reviewed: Iterable[Reviewed]
) -> tuple[tuple[tuple[Difference, Reviewed], ...], tuple[Difference, ...], tuple[Reviewed, ...]]:
    """Return differences with their reviewed line, those without one, and lines of made checks that match nothing."""
    found, reviewed = tuple(found), tuple(reviewed)
    covered: list[tuple[Difference, Reviewed]] = []
    uncovered: list[Difference] = []
    used: set[Reviewed] = set()
    for difference in (deviation for check in found for deviation in check.differences):
        lines = [line for line in reviewed if _concerns(line, difference)]
        used.update(lines)
        enough = next((line for line in lines if difference.percent <= line.within), None)
        if enough:
            covered.append((difference, enough))
        else:
            uncovered.append(difference)
    made = {part.check for part in found}
    stale = tuple(line for line in reviewed if line.check in made and line not in used)
    return tuple(covered), tuple(uncovered), stale


def _concerns(line: Reviewed, difference: Difference) -> bool:
    return (
        (line.check, line.only) == (difference.check, difference.only)
        and _matches(line.where, difference.where)
        and _matches(line.what, difference.what)
    )


def _matches(pattern: str, text: str) -> bool:
    """Return whether a text is of a form in which ``*`` means anything.

    >>> _matches("node_modules/core-js/*.js", "node_modules/core-js/modules/es.map.js"), _matches("a", "ab")
    (True, False)
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
