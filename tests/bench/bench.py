"""``nox -s bench``: measure ours against upstream's own way on this machine, in pairs within one run.

Writes .work/bench/report.md and report.json and prints the report. Nothing outside of .work/bench is written, but for
what npm keeps in its own cache.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import building
import editing
import patching
import report
import scanning
import visiting
import workplace

from hardener.errors import HardenerError
from hardener.system import disk, locks
from hardener.ui import UI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from building import Upstream
    from report import Row
    from workplace import Workplace

ROOT = Path(__file__).resolve().parents[2]
ROWS = {
    "bundle": "upstream's webpack against rspack without cache",
    "warm": "rspack's cache: nothing changed, one line changed",
    "cold": "the whole build from an empty work area, again, and our own overhead in it",
    "edits": "random edits, built warm and cold: the time of each, and that both give the same bytes",
    "first": "the first visit of a room on a slow line, against upstream's client and nginx settings",
    "scan": "hosts in the built site, against ripgrep",
    "patch": "the patch step against git am, quilt, gbp pq and StGit",
}
TIMES = """\
how long it takes, on two cores, per repetition: bundle 2 to 5 minutes (nearly all of it webpack), warm half a minute, cold
1 to 2 minutes, edits 1 minute, first 1 minute, patch 10 seconds; besides, once, 1 to 2 minutes to prepare. One repetition of all takes 6 to 9 minutes, the
default of three 15 to 25. It needs 5 GB of disk, and the machine for itself: the report says how much else ran.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the chosen rows; returns the exit code."""
    arguments = _arguments(argv)
    ui = UI()

    def tell(text: str) -> None:
        ui.console.print(f"  {text}", markup=False)

    try:
        with locks.lock(ROOT / ".work" / "bench" / "lock", waiting=lambda who: tell(f"{who} measures here: waiting")):
            place = workplace.create(ROOT, arguments.repeat, arguments.seed, tell)
            facts, source = report.machine(), workplace.source_digest()
            rows = _measure(place, arguments.rows)
            if workplace.source_digest() != source:
                facts["warning"] = "hardener's own source changed meanwhile, so that steps ran that had nothing to do"
            _write(place, rows, facts)
            if not arguments.keep:
                workplace.clean(place)
    except HardenerError as error:
        ui.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        ui.console.print("interrupted; what is left lies in .work/bench")
        return 130
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="nox -s bench --",
        description="Measure ours against upstream's own way, in pairs within one run; writes .work/bench/report.md and .json.",
        epilog="rows: " + "; ".join(f"{name}: {text}" for name, text in ROWS.items()) + ".\n\n" + TIMES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rows",
        type=_rows,
        default=list(ROWS),
        metavar="NAME,...",
        help=f"only these: {','.join(ROWS)} (default: all)",
    )
    parser.add_argument(
        "--repeat", type=_count, default=3, metavar="N", help="repetitions of each, in turns (default: 3)"
    )
    parser.add_argument("--seed", type=_count, default=1, metavar="N", help="which random edits (default: 1)")
    parser.add_argument("--keep", action="store_true", help="keep the work area, so that the next run prepares less")
    return parser.parse_args(argv)


def _rows(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := [name for name in wanted if name not in ROWS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: the rows are {', '.join(ROWS)}")
    return wanted


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _measure(place: Workplace, wanted: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    upstream: Upstream | None = None
    if set(wanted) - {"patch"}:
        # Fills the bench's cache and npm's, and builds what the site needs.
        place.tell("preparing: hardener build")
        place.harden("build", "--project", place.project.root)
    if {"bundle", "warm"} & set(wanted):
        rspack = building.tree_for(place, "rspack")
        if "bundle" in wanted:
            found, upstream = building.bundle(place, (building.tree_for(place, "webpack"), rspack))
            rows += found
        if "warm" in wanted:
            rows += building.warm(place, rspack, upstream)
    if "cold" in wanted:
        rows += building.cold(place, upstream)
    if "edits" in wanted:
        rows.append(editing.edits(place))
    if "first" in wanted:
        rows.append(visiting.first(place))
    if "scan" in wanted:
        rows.append(scanning.scan(place))
    if "patch" in wanted:
        rows += patching.rows(place)
    return rows


def _write(place: Workplace, rows: Sequence[Row], facts: dict[str, str]) -> None:
    text = report.as_markdown(rows, facts, place.repeat)
    disk.write(place.home / "report.md", text.encode())
    disk.write_json(place.home / "report.json", report.as_json(rows, facts, place.repeat))
    print(text)


if __name__ == "__main__":
    sys.exit(main())
