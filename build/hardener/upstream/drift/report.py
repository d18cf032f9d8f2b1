"""The drift matrix to look at: strips of one letter a release for the terminal, a heat map as one HTML file.

The HTML loads nothing and runs nothing. Colour is never the only mark: each cell carries its letter, and its words for
screen readers and on hovering. Neighbouring cells that say the same are one.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hardener.series.apply import Status
from hardener.system import templates

if TYPE_CHECKING:
    from hardener.upstream.drift.ages import Turn
    from hardener.upstream.drift.cells import Cell
    from hardener.upstream.drift.matrix import Drift, Row

LETTERS = {
    Status.CLEAN: "·",
    Status.OFFSET: "o",
    Status.MERGED: "m",
    Status.CONFLICT: "X",
    Status.MOVED: "v",
    Status.GONE: "-",
}
_MEANING = {
    Status.CLEAN: "fits",
    Status.OFFSET: "fits some lines further up or down",
    Status.MERGED: "upstream has the change already",
    Status.CONFLICT: "upstream changed the same lines",
    Status.MOVED: "its file has another name",
    Status.GONE: "its file is not there",
}
_LABELLED = 120  # with more columns than this, only years are above them


def strip(row: Row, width: int = 0) -> str:
    """Return one letter a release, oldest first; with ``width`` only so many of the newest."""
    text = "".join(LETTERS[cell.status] if cell else " " for cell in row.cells)
    return text[-width:] if width else text


def legend() -> str:
    """Return what the letters mean, in one line."""
    return "  ".join(f"{letter} {status.value}" for status, letter in LETTERS.items())


def half_life(days: float, *, lasting: bool) -> str:
    """Return a half-life in words; without two releases that both fit nothing is known.

    >>> half_life(38.8, lasting=False), half_life(900.0, lasting=True)
    ('39 days', 'over 2.5 years')
    """
    if not days:
        return "unknown"
    text = f"{days:.0f} days" if days < 2 * 365 else f"{days / 365.25:.1f} years"
    return f"over {text}" if lasting else text


def turn(change: Turn | None) -> str:
    """Return a release and the commit that did it, in words; a dash where there is none."""
    if change is None:
        return "-"
    return change.release + (f" ({change.commit[:10]} {change.subject})" if change.commit else "")


def html(drift: Drift, title: str) -> str:
    """Return the matrix as one HTML file."""
    years = [datetime.fromtimestamp(release.when, UTC).year for release in drift.releases]
    return templates.render(
        __package__,
        "report.html",
        title=title,
        drift=drift,
        half_life="unknown" if drift.half_life is None else half_life(drift.half_life, lasting=False),
        key=[(status.value, letter, _MEANING[status]) for status, letter in LETTERS.items()],
        years=[(year, len(list(group))) for year, group in itertools.groupby(years)],
        labelled=len(drift.releases) <= _LABELLED,
        heat=[(row, _heat(row, drift)) for row in drift.rows],
        lines=[
            (
                row,
                {
                    "words": (_words(row.now), turn(row.since), turn(row.broke)),
                    "half_life": half_life(row.half_life, lasting=row.lasting),
                },
            )
            for row in drift.rows
        ],
    )


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "no tree known"
    moved = f"by {', '.join(f'{lines:+d}' for lines in cell.offsets)} lines" if cell.offsets else ""
    behind = f"builds on {', '.join(cell.behind)}, which does not fit" if cell.behind else ""
    return ": ".join(filter(None, (cell.status.value, "; ".join(filter(None, (moved, cell.detail, behind))))))


def _heat(row: Row, drift: Drift) -> list[dict[str, Any]]:
    """Return the cells of a row; neighbours that say the same are one."""
    cells = []
    for words, group in itertools.groupby(
        zip(drift.releases, row.cells, strict=True), key=lambda pair: _words(pair[1])
    ):
        run = list(group)
        first, last, cell = run[0][0].label, run[-1][0].label, run[0][1]
        cells.append(
            {
                "kind": cell.status.value if cell else "none",
                "count": len(run),
                "said": f"{first}: {words}" if first == last else f"{first} to {last}: {words}",
                "letters": " ".join([LETTERS[cell.status] if cell else " "] * len(run)),
            }
        )
    return cells
