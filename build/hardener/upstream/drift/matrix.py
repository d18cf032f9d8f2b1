"""The matrix of patches and upstream trees: since when and until when each patch fits, and its maintenance cost.

Each cell is the result that a build of that tree would have for that patch (upstream/drift/cells.py). In addition,
for each patch, the matrix has:

* since when it has fitted: the oldest release of the run that ends at the pin, and upstream's commit that made it fit;
* where it broke: the first release after the pin that it does not fit, and the upstream commit that did it;
* its *half-life*: fits and breaks are taken for a process without memory. Over all pairs of neighbouring releases it is
  ln 2 times the days between releases that both fit, divided by the number of pairs of which just one fits. Without
  such a pair it is at least the days observed;
* its *burden*: over the files that it touches, lines that it changes times upstream's commits to that file a year, in
  the two years before the newest tree. It is the number of line changes a year that may have to be looked at.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.config import PIN
from hardener.errors import UsageError
from hardener.git import history as histories_module
from hardener.git.history import History, open_history
from hardener.series import apply as applying
from hardener.series import patch as patches
from hardener.series.apply import Status
from hardener.series.lists import read_series
from hardener.system import disk, stamps
from hardener.upstream import releases
from hardener.upstream.drift import ages, cells
from hardener.upstream.drift.ages import DAY, Turn, half_life_of, turns
from hardener.upstream.drift.cells import Cell, Engine, touched
from hardener.upstream.releases import Release, choose, columns

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from hardener.config import Project
    from hardener.series.patch import Patch

CHURN_YEARS = 2
_STORE = "hardener-cells.json"
_CODE = (
    __file__,
    ages.__file__,
    applying.__file__,
    cells.__file__,
    releases.__file__,
    histories_module.__file__,
    patches.__file__,
)


@dataclass(frozen=True)
class Row:
    """One patch over all releases; a cell is None where the release names no tree of this component.

    ``half_life`` in days, ``lasting`` says that it is a lower bound; ``burden`` in line changes a year.
    """

    component: str
    patch: str
    subject: str
    cells: tuple[Cell | None, ...]
    since: Turn | None
    broke: Turn | None
    half_life: float
    lasting: bool
    lines: int
    churn: float
    burden: float

    @property
    def now(self) -> Cell | None:
        """Return the cell of the newest tree."""
        return self.cells[-1]


@dataclass(frozen=True)
class Drift:
    """The matrix. ``distinct`` cells of all were to be computed, ``computed`` were, the others were known.

    ``half_life`` of the series: days before the pin at which half of the patches no longer fit; None if more than half
    fit the oldest release that was looked at.
    """

    releases: tuple[Release, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    distinct: int
    computed: int
    half_life: float | None

    @property
    def size(self) -> int:
        """Return how many cells have a tree."""
        return sum(cell is not None for row in self.rows for cell in row.cells)

    def as_json(self) -> dict[str, Any]:
        """Return the answer of ``--json`` (schema 1)."""
        return {
            "schema": 1,
            "releases": [vars(release) for release in self.releases],
            "rows": [
                vars(row)
                | {name: turn and vars(turn) for name, turn in (("since", row.since), ("broke", row.broke))}
                | {"cells": [cell and vars(cell) | {"status": cell.status.value} for cell in row.cells]}
                for row in self.rows
            ],
            "notes": list(self.notes),
            "cells": {"all": self.size, "distinct": self.distinct, "computed": self.computed},
            "half_life": self.half_life,
        }


def drift(
    project: Project,
    sources: Mapping[str, Sequence[str | os.PathLike[str]]],
    names: Sequence[str] = (),
    between: str = "",
    *,
    every: bool = False,
    fetch: bool = False,
    tell: Callable[[str, float | None], None] = lambda _text, _share: None,
) -> Drift:
    """Compare the series with upstream trees (``names``, ``between``, ``every``: see
    :func:`hardener.upstream.releases.choose`).

    ``sources`` are URLs and paths by component. Raises UsageError for an unknown ref or an empty choice,
    UnreachableError and PinError for sources that cannot be read, ConfigError and PatchError for a malformed series.
    """
    files = {component.name: read_series(project.patches(component)) for component in project.components}
    wanted = [c for c in project.components if files[c.name] or c is project.site]
    histories: dict[str, History] = {}
    for component in wanted:
        tell(f"history of {component.name}", None)
        histories[component.name] = open_history(
            component, [str(where) for where in sources.get(component.name, ())], fetch=fetch, tell=tell
        )
    chosen = choose(project, histories[project.site.name], names, between, every=every)
    if not chosen:
        raise UsageError(
            "no release is in that range",
            hint="without a range all are listed; a source without tags needs another one: --source NAME=URL-or-path",
        )
    stamp = stamps.Stamp(project.work / "drift.json")
    key = stamps.key(
        chosen,
        {name: (stamps.key(history.refs), history.remotes) for name, history in histories.items()},
        [(name, path.name, path.read_bytes()) for name, paths in files.items() for path in paths],
        [stamps.file_digest_of(path) for path in _CODE],
    )
    known = stamp.facts(key)
    if known is not None:
        return _from_facts(known)
    found, notes = columns(project, histories, chosen)
    if not found:
        raise UsageError(
            "no source has one of these trees", hint="more sources: --source NAME=URL-or-path", details=notes
        )
    notes += tuple(f"{name}: {history.note}" for name, history in histories.items() if history.note)
    rows: list[Row] = []
    engines = []
    for name, history in histories.items():
        if series := [patches.read(path) for path in files[name]]:
            tell(f"{len(series)} patches of {name}", None)
            engine = Engine(history, series, _load(history))
            rows += _rows(name, engine, found, project.component(name).commit)
            engines.append(engine)
            disk.write_json(history.path / _STORE, engine.store)
    result = Drift(
        found,
        tuple(rows),
        notes,
        sum(engine.distinct for engine in engines),
        sum(engine.computed for engine in engines),
        _series_half_life(rows, found, _anchor_release(found)),
    )
    stamp.set(key, result.as_json())
    return result


def _load(history: History) -> dict[str, dict[str, Any]]:
    stored = disk.read_json(history.path / _STORE)
    return stored if isinstance(stored, dict) else {}


def _from_facts(facts: dict[str, Any]) -> Drift:
    def cell(values: dict[str, Any] | None) -> Cell | None:
        if values is None:
            return None
        return Cell(Status(values["status"]), tuple(values["offsets"]), values["detail"], tuple(values["behind"]))

    def row(values: dict[str, Any]) -> Row:
        turns = {name: Turn(**values[name]) if values[name] else None for name in ("since", "broke")}
        return Row(**(values | turns | {"cells": tuple(cell(value) for value in values["cells"])}))

    return Drift(
        tuple(Release(**release) for release in facts["releases"]),
        tuple(row(values) for values in facts["rows"]),
        tuple(facts["notes"]),
        facts["cells"]["distinct"],
        0,
        facts["half_life"],
    )


def _rows(component: str, engine: Engine, found: Sequence[Release], pin: str) -> list[Row]:
    commits = [release.commits.get(component, "") for release in found]
    matrix = engine.fill(commit for commit in commits if commit)
    engine.distinct = len(engine.keys)
    newest = next((commit for commit in reversed(commits) if commit), "")
    files = sorted({path for patch in engine.series for path in touched(patch)})
    newest_date = engine.history.committed(newest) if newest else 0
    since = newest_date - CHURN_YEARS * 365 * DAY
    churn = engine.history.churn(newest, since, files) if newest else dict.fromkeys(files, 0)

    def row(patch: Patch) -> Row:
        line = tuple(matrix[commit][patch.name] if commit else None for commit in commits)
        half_life, lasting = half_life_of([(r.when, c.fits) for r, c in zip(found, line, strict=True) if c])
        first, broke = turns(engine, patch, found, commits, line, pin)
        yearly = [((t.added + t.removed), churn.get(t.old or t.path, 0) / CHURN_YEARS) for t in patch.touches]
        return Row(
            component=component,
            patch=patch.name,
            subject=patch.subject,
            cells=line,
            since=first,
            broke=broke,
            half_life=half_life,
            lasting=lasting,
            lines=sum(lines for lines, _ in yearly),
            churn=round(sum(commits for _, commits in yearly), 1),
            burden=round(sum(lines * commits for lines, commits in yearly), 1),
        )

    with ThreadPoolExecutor() as pool:  # each row waits for git most of the time
        return list(pool.map(row, engine.series))


def _anchor_release(found: Sequence[Release]) -> Release:
    return next((release for release in found if release.label == PIN), found[-1])


def _series_half_life(rows: Sequence[Row], found: Sequence[Release], anchor: Release) -> float | None:
    """Return the days before the anchor of the youngest release that fewer than half of the patches fit."""
    for number, release in reversed(list(enumerate(found))):
        if release.when <= anchor.when and release is not anchor:
            tried = [row.cells[number] for row in rows]
            if 2 * sum(cell is not None and cell.fits for cell in tried) < len(tried):
                return round((anchor.when - release.when) / DAY, 1)
    return None
