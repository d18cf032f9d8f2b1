"""The age of patches: since when and until when each fits, the upstream commit behind it, and its half-life."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.upstream.drift.cells import touched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardener.series.patch import Patch
    from hardener.upstream.drift.cells import Cell, Engine
    from hardener.upstream.releases import Release

DAY = 24 * 3600


@dataclass(frozen=True)
class Turn:
    """The point where a patch begins or ceases to fit: the release, and upstream's commit with its subject where it
    was found.
    """

    release: str
    commit: str = ""
    subject: str = ""


def half_life_of(line: Sequence[tuple[int, bool]]) -> tuple[float, bool]:
    """Return the half-life in days from (seconds since 1970, fits) by date, and whether it is a lower bound (no break).

    >>> half_life_of([(0, False), (100 * DAY, True), (200 * DAY, True)])
    (69.3, False)
    >>> half_life_of([(0, True), (100 * DAY, True)])
    (100.0, True)
    """
    pairs = list(itertools.pairwise(line))
    days = sum(then - before for (before, fits), (then, still) in pairs if fits and still) / DAY
    breaks = sum(fits != still for (_, fits), (_, still) in pairs)
    return (round(math.log(2) * days / breaks, 1), False) if breaks else (round(days, 1), True)


def turns(
    engine: Engine,
    patch: Patch,
    found: Sequence[Release],
    commits: Sequence[str],
    line: Sequence[Cell | None],
    pin: str,
) -> tuple[Turn | None, Turn | None]:
    """Return the release since which a patch fits without a gap up to the pin, and the first after it that broke it."""
    there = [number for number, cell in enumerate(line) if cell]
    fitting = [number for number in there if line[number] and line[number].fits]  # type: ignore[union-attr]
    if not fitting:
        return None, None
    at_pin = [number for number in fitting if commits[number] == pin]
    start = there.index(at_pin[-1] if at_pin else fitting[-1])
    low = start
    while low > 0 and there[low - 1] in fitting:
        low -= 1
    commit = _turning(engine, patch, commits[there[low - 1]], commits[there[low]], fits=True) if low else ""
    since = Turn(found[there[low]].label, commit, engine.history.subject(commit) if commit else "")
    high = next((n for n in range(start + 1, len(there)) if there[n] not in fitting), None)
    if high is None:
        return since, None
    commit = _turning(engine, patch, commits[there[high - 1]], commits[there[high]], fits=False)
    return since, Turn(found[there[high]].label, commit, engine.history.subject(commit) if commit else "")


def _turning(engine: Engine, patch: Patch, before: str, after: str, *, fits: bool) -> str:
    """Return the upstream commit between two trees from which on the patch fits (or does not); "" where history does
    not say.

    Halving over the commits that touch the patch's files, and those of the patches it builds on; then the commit's
    parent is asked, so that an answer is a proof: with the commit the cell is so, without it it is not.
    """
    chain = engine.chain(patch)
    paths = sorted({path for member in chain for path in touched(member)})
    candidates = engine.history.touching(before, after, paths)
    engine.trees.read(candidates)

    def is_so(commit: str) -> bool:
        return engine.fill([commit], chain)[commit][patch.name].fits is fits

    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_so(candidates[middle]) else (middle + 1, high)
    if low == len(candidates):
        return ""
    parent = engine.history.parent(candidates[low])
    return "" if parent is None or is_so(parent) else candidates[low]
