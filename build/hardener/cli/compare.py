"""The subcommand compare: its arguments, its tables and its exit code."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import ConfigError, ScanError
from hardener.pipeline import proofs
from hardener.proof.compare.expected import NAME
from hardener.proof.compare.model import CHECKS
from hardener.proof.compare.run import compare
from hardener.ui import human

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.proof.compare.model import Comparison
    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` and ``extra`` are parsers of options that several share."""
    parser = subcommand(
        "compare", _compare, "build with Rspack and with upstream's webpack, and compare", source, extra
    )
    parser.add_argument(
        "--twice", action="store_true", help="build each side again elsewhere: has to be byte-identical"
    )
    parser.add_argument("--no-browser", action="store_true", help="leave out what needs Chromium; the result says so")


def _compare(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Compare; the exit code is 7 for an open difference, 3 for a stale line."""
    project = project_of(arguments)
    sources, pages = sources_of(arguments, project), not arguments.no_browser
    with proofs.proving(project.root, "compare", whole=not project.extras) as findings:
        result = compare(project, sources, ui, pages=pages, twice=arguments.twice)
        findings.passed = len(result.found)
        findings.failed += [f"{difference.check}: {difference}" for difference in result.uncovered]
        findings.failed += [f"no longer matches a difference: {line.check}, {line.where}" for line in result.stale]
        findings.skipped += [proofs.Skip(check, "left out") for check in result.left_out]
    print_result(result, ui)
    code = ScanError.exit_code if result.uncovered else ConfigError.exit_code if result.stale else 0
    return {
        "exit": code,
        "checks": {
            found.check: {"compared": found.compared, "differences": len(found.differences)} for found in result.found
        },
        "left_out": list(result.left_out),
        "open": [asdict(difference) for difference in result.uncovered],
        "reviewed": [asdict(difference) | {"reason": line.reason} for difference, line in result.covered],
        "stale": [asdict(line) for line in result.stale],
        "scripts": [
            dict(zip(("script", "rspack", "webpack", "rspack_level", "webpack_level"), row, strict=True))
            for row in result.sizes
        ],
    }


def print_result(result: Comparison, ui: UI) -> None:
    """Print the tables, and open or stale differences with their remedy."""
    scripts: dict[str, list[tuple[str, ...]]] = {}
    for name, ours, theirs, level, other in result.sizes:
        component, _, script = name.partition("/")
        change = f"{100 * (ours - theirs) / max(theirs, 1):+.1f} %"
        row = (script, human(theirs), human(ours), change, _level(level, other))
        scripts.setdefault(component, []).append(row)
    for component, rows in scripts.items():
        ui.print()
        ui.table(component, ("", "webpack", "Rspack", "change", "ES"), rows)
    ui.print()
    checks: list[tuple[str | int, ...]] = []
    for found in result.found:
        reviewed = sum(done.check == found.check for done, _ in result.covered)
        differ = len(found.differences)
        checks.append((found.check, found.compared, differ, reviewed, differ - reviewed))
    checks += [(check, "left out", "", "", "") for check in result.left_out]
    ui.table("Rspack against webpack", ("", "compared", "differ", "reviewed", "open"), checks)
    ui.print()
    for check in CHECKS:
        if lines := [str(difference) for difference in result.uncovered if difference.check == check]:
            ui.problem(
                f"{check} ({CHECKS[check]})", f"find the cause; add harmless differences to {NAME}", details=lines
            )
    for line in result.stale:
        where = f'check = "{line.check}", where = "{line.where}", what = "{line.what}", only = "{line.only}"'
        ui.problem(f"{NAME}: no longer matches a difference: {where}", "remove or correct the line")
    if result.left_out:
        ui.note(f"not compared: {', '.join(result.left_out)} (--twice; without --no-browser)")
    if not result.uncovered and not result.stale:
        ui.print(f"no difference without a reason: {len(result.covered)} are reviewed", "green")


def _level(rspack: int, webpack: int) -> str:
    """Return both levels of ECMAScript in one cell; Rspack's first.

    >>> _level(2019, 2019), _level(2018, 2020)
    ('2019', '2018 < 2020')
    """
    return str(rspack) if rspack == webpack else f"{rspack} {'<' if rspack < webpack else '>'} {webpack}"
