"""The drift matrix to look at: strips of one letter a release for the terminal, a heat map as one HTML file.

The HTML loads nothing and runs nothing. Colour never stands alone: each cell carries its letter, and its words for
screen readers and on hovering. Neighbouring cells that say the same are one.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from hardener.series.apply import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_LABELLED = 120  # with more columns than this, only years stand above them
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--line:#999}
@media(prefers-color-scheme:dark){:root{--ink:#eee;--paper:#161616;--line:#666}}
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem;color:var(--ink);background:var(--paper)}
.scroll{overflow-x:auto}
table{border-collapse:collapse}
caption{text-align:left;font-weight:600;padding:.5rem 0}
th,td{padding:.1rem .4rem;text-align:left;vertical-align:bottom}
.heat th[scope=row]{position:sticky;left:0;background:var(--paper);font-weight:400;white-space:nowrap}
.heat td,.heat .col{min-width:1rem;max-width:1rem;padding:0;text-align:center;border:1px solid var(--paper)}
.heat td{height:1.4rem;vertical-align:middle;font:700 12px/1 ui-monospace,monospace}
.heat .col{font-weight:400;font-size:12px;height:9rem}
.heat .col span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap}
.heat .year{border-left:1px solid var(--line);padding-left:.2rem;font-weight:400}
.key{display:inline-block;width:1.4rem;text-align:center;font:700 12px/1.4rem ui-monospace,monospace}
.clean{background:#0b6e4f;color:#fff}.offset{background:#7fc8a9;color:#000}.merged-upstream{background:#1d4e89;color:#fff}
.conflict{background:#b3261e;color:#fff}.target-moved{background:#f2a65a;color:#000}.target-gone{background:#6b6b6b;color:#fff}
.none{background:none}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.list th,.list td{border-top:1px solid var(--line);padding:.3rem .8rem .3rem 0;vertical-align:top}
.list .number{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:13px}
"""


def strip(row: Row, width: int = 0) -> str:
    """One letter a release, oldest first; with ``width`` only so many of the newest."""
    text = "".join(LETTERS[cell.status] if cell else " " for cell in row.cells)
    return text[-width:] if width else text


def legend() -> str:
    """What the letters mean, in one line."""
    return "  ".join(f"{letter} {status.value}" for status, letter in LETTERS.items())


def half_life(days: float, *, lasting: bool) -> str:
    """A half-life in words; without two releases that both fit nothing is known.

    >>> half_life(38.8, lasting=False), half_life(900.0, lasting=True)
    ('39 days', 'over 2.5 years')
    """
    if not days:
        return "unknown"
    text = f"{days:.0f} days" if days < 2 * 365 else f"{days / 365.25:.1f} years"
    return f"over {text}" if lasting else text


def turn(one: Turn | None) -> str:
    """A release and the commit that did it, in words; a dash where there is none."""
    if one is None:
        return "-"
    return one.release + (f" ({one.commit[:10]} {one.subject})" if one.commit else "")


def html(drift: Drift, title: str) -> str:
    """The matrix as one HTML file."""
    years = [datetime.fromtimestamp(release.when, UTC).year for release in drift.releases]
    heads = "".join(
        f"<th class=year scope=colgroup colspan={len(list(group))}>{year}</th>"
        for year, group in itertools.groupby(years)
    )
    labels = ""
    if len(drift.releases) <= _LABELLED:
        labels = "<tr><td></td>" + "".join(
            f"<th class=col scope=col><span>{escape(release.label)}</span></th>" for release in drift.releases
        )
    keys = "".join(
        f"<li><span class='key {status.value}' aria-hidden=true>{letter}</span> {status.value}: {_MEANING[status]}</li>"
        for status, letter in LETTERS.items()
    )
    series = "unknown" if drift.half_life is None else half_life(drift.half_life, lasting=False)
    notes = "".join(f"<li>{escape(note)}</li>" for note in drift.notes)
    return "\n".join(
        [
            "<!doctype html><html lang=en><head><meta charset=utf-8>",
            "<meta name=viewport content='width=device-width'>",
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f"<p>{len(drift.rows)} patches, {len(drift.releases)} upstream trees, {drift.size} cells,",
            f"{drift.distinct} of them distinct. Half-life of the series: {series}.</p>",
            f"<ul style='list-style:none;padding:0'>{keys}</ul>",
            "<div class=scroll tabindex=0 role=region aria-label='Matrix of patches and releases'>",
            "<table class=heat><caption>How each patch fits each upstream tree, oldest left</caption><thead>",
            f"<tr><th scope=col>patch</th>{heads}</tr>{labels}</thead><tbody>",
            *(_heat(row, drift) for row in drift.rows),
            "</tbody></table></div>",
            "<div class=scroll tabindex=0 role=region aria-label='Patches'><table class=list>",
            "<caption>Age and cost of each patch</caption><thead><tr><th scope=col>patch</th>",
            "<th scope=col>newest tree</th><th scope=col>fits since</th><th scope=col>broke</th>",
            "<th scope=col>half-life</th><th scope=col>lines</th><th scope=col>burden a year</th></tr></thead>",
            "<tbody>",
            *(_line(row) for row in drift.rows),
            "</tbody></table></div>",
            "<p>Burden: over the touched files, lines of the patch times upstream's commits to the file a year.</p>",
            f"<ul>{notes}</ul>" if notes else "",
            "</body></html>\n",
        ]
    )


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "no tree known"
    moved = f"by {', '.join(f'{lines:+d}' for lines in cell.offsets)} lines" if cell.offsets else ""
    behind = f"builds on {', '.join(cell.behind)}, which does not fit" if cell.behind else ""
    return ": ".join(filter(None, (cell.status.value, "; ".join(filter(None, (moved, cell.detail, behind))))))


def _heat(row: Row, drift: Drift) -> str:
    cells = []
    for words, group in itertools.groupby(
        zip(drift.releases, row.cells, strict=True), key=lambda pair: _words(pair[1])
    ):
        run = list(group)
        first, last, cell = run[0][0].label, run[-1][0].label, run[0][1]
        said = escape(f"{first}: {words}" if first == last else f"{first} to {last}: {words}", quote=True)
        kind = cell.status.value if cell else "none"
        letters = " ".join([LETTERS[cell.status] if cell else " "] * len(run))
        cells.append(
            f'<td class={kind} colspan={len(run)} title="{said}"><span aria-hidden=true>{letters}</span>'
            f"<span class=sr>{said}</span></td>"
        )
    return f"<tr><th scope=row>{escape(row.patch.removesuffix('.patch'))}</th>{''.join(cells)}</tr>"


def _line(row: Row) -> str:
    fields: Sequence[str] = (_words(row.now), turn(row.since), turn(row.broke))
    return (
        f"<tr><th scope=row>{escape(row.component)}<br><code>{escape(row.patch)}</code><br>{escape(row.subject)}</th>"
        + "".join(f"<td>{escape(field)}</td>" for field in fields)
        + f"<td class=number>{half_life(row.half_life, lasting=row.lasting)}</td><td class=number>{row.lines}</td>"
        + f"<td class=number>{row.burden:.0f}</td></tr>"
    )
