"""Conditions of the rules, such as ``hosts.unknown > 0 and sdks.found == 0``: parsing and evaluation.

A condition has three values. It is unknown (``None``) where a metric that decides it was not measured: a rule must not
take what was not measured for zero.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Value = int | str
Metrics = dict[str, Value]

NAME = r"[a-z0-9_]+(?:[.-][a-z0-9_]+)*\.[a-z0-9_]+(?:[.-][a-z0-9_]+)*"
_TERM = re.compile(rf"({NAME}) (==|!=|>=|<=|>|<) ([a-z0-9-]+(?:\|[a-z0-9-]+)*)")
_ORDERED: dict[str, Callable[[int, int], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Term:
    """One comparison: with a number, or with words of which one has to be the value."""

    metric: str
    sign: str
    values: tuple[Value, ...]

    def holds(self, metrics: Mapping[str, Value]) -> bool | None:
        """Return whether the comparison is true; None if the metric was not measured."""
        if self.metric not in metrics:
            return None
        found = metrics[self.metric]
        if self.sign in _ORDERED:
            wanted = self.values[0]
            return isinstance(found, int) and isinstance(wanted, int) and _ORDERED[self.sign](found, wanted)
        return (found in self.values) == (self.sign == "==")

    def __str__(self) -> str:
        """Return the comparison as it is written."""
        return f"{self.metric} {self.sign} {'|'.join(map(str, self.values))}"


@dataclass(frozen=True)
class Condition:
    """Comparisons that all have to be true."""

    terms: tuple[Term, ...]

    def holds(self, metrics: Mapping[str, Value]) -> bool | None:
        """Return whether all comparisons are true; None if that depends on what was not measured.

        >>> both = parse("a.x > 0 and b.y == off")
        >>> both.holds({"a.x": 0}), both.holds({"a.x": 2}), both.holds({"a.x": 2, "b.y": "off"})
        (False, None, True)
        """
        answers = [term.holds(metrics) for term in self.terms]
        return False if False in answers else (None if None in answers else True)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that are compared."""
        return tuple(dict.fromkeys(term.metric for term in self.terms))

    def __str__(self) -> str:
        """Return the condition as it is written."""
        return " and ".join(map(str, self.terms))


def parse(text: str) -> Condition:
    """Return the condition that a text is. Raises ValueError for a text that is not one.

    >>> str(parse("hosts.unknown > 0 and declared.dpia == done|not-needed"))
    'hosts.unknown > 0 and declared.dpia == done|not-needed'
    """
    terms = []
    for part in text.split(" and "):
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is not a comparison")
        words = match[3].split("|")
        values: tuple[Value, ...] = tuple(int(word) if word.isdigit() else word for word in words)
        if match[2] in _ORDERED and (len(values) > 1 or not isinstance(values[0], int)):
            raise ValueError(f"{part!r} orders what is not a number")
        terms.append(Term(match[1], match[2], values))
    return Condition(tuple(terms))


def first_true(conditions: Iterable[Condition], metrics: Mapping[str, Value]) -> tuple[Condition | None, bool]:
    """Return the first condition that is true, if any, and whether one is unknown."""
    answers = [(condition, condition.holds(metrics)) for condition in conditions]
    found = next((condition for condition, answer in answers if answer), None)
    return found, any(answer is None for _condition, answer in answers)
