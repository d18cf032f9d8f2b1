"""Compare results: several services side by side, and one service before and after a change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.assessment.catalogue import COLUMNS, LANGUAGES, LIGHTS
from hardener.assessment.report import name_of, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Lights from the worst to the best for a change: from grey to red is worse, from green to grey as well.
_RANK = {light: rank for rank, light in enumerate(LIGHTS)}
ABSENT = "-"


@dataclass(frozen=True)
class Change:
    """A light that differs between two results; ``-`` for a criterion that only one of them has."""

    id: str
    column: str
    before: str
    after: str
    mandatory: bool
    title: str
    revised: bool  # by another revision of the criterion

    @property
    def worse(self) -> bool:
        """Return whether the light got worse."""
        return ABSENT not in {self.before, self.after} and _RANK[self.after] < _RANK[self.before]

    @property
    def kind(self) -> str:
        """Return the kind of the change in words; exit codes depend on :attr:`worse`."""
        if ABSENT in {self.before, self.after}:
            return "only in the old result" if self.after == ABSENT else "only in the new result"
        if self.after == "grey":
            return "no longer decided"
        if self.before == "grey" and not self.worse:
            return "decided"
        return "worse" if self.worse else "better"


def pages(results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the table of several services in all languages, by file name."""
    return {f"comparison.{language}.html": table(results, language) for language in LANGUAGES}


def rows(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the table for the terminal: a service, its columns, the worst mandatory light.

    Several results of one service are followed by the name of what was assessed.
    """
    known = Counter(map(name_of, results))
    return [
        (
            f"{name} ({result['subject']['name']})" if known[name := name_of(result)] > 1 else name,
            *(result["columns"][column] for column in COLUMNS),
            result["worst"],
        )
        for result in results
    ]


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return all lights that differ in columns that both results assess, those that got worse first."""
    return sorted(_changes(old, new), key=lambda change: (not change.worse, not change.mandatory))


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    sides = [{item["id"]: item for item in result["results"]} for result in (old, new)]
    columns = [column for column in COLUMNS if column in old["assessed"] and column in new["assessed"]]
    for identifier in dict.fromkeys([*sides[0], *sides[1]]):
        items = [side.get(identifier) for side in sides]
        newest = items[1] or items[0]
        if newest is None:
            continue
        for column in columns:
            before, after = (item["lights"].get(column, {}).get("light", ABSENT) if item else ABSENT for item in items)
            if before != after:
                revised = len({item["revision"] for item in items if item}) > 1
                yield Change(identifier, column, before, after, newest["mandatory"], newest["title"]["en"], revised)


def worse(found: Sequence[Change]) -> bool:
    """Return whether a mandatory light got worse."""
    return any(change.worse and change.mandatory for change in found)
