"""The door's verbs around a series of patches: check."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hardener.arguments import project_of, sources_of
from hardener.catalogue import catalogue
from hardener.checking import check
from hardener.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI


def register(verb: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the verbs to the command line; ``source`` and ``extra`` are the parsers of options that they share."""
    sub = verb("check", _check, "apply all series and overlays without building, and judge every patch", source, extra)
    sub.add_argument("--tree", default="pin", help="pin, or a [tree.NAME] of upstream.toml (there the fit alone)")
    sub.add_argument("--fix", action="store_true", help="write the table of patches/README.md anew, then check")


def today() -> dt.date:
    """The day, in UTC."""
    return dt.datetime.now(dt.UTC).date()


def _check(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    if arguments.tree != "pin" and arguments.tree not in project.trees:
        raise UsageError(
            f"there is no tree {arguments.tree!r}", hint=f"the trees are: {', '.join(('pin', *project.trees))}"
        )
    if arguments.fix and catalogue(project).write():
        ui.note("patches/README.md: table written")
    checked = check(project, arguments.tree, sources_of(arguments, project), today(), ui)
    lines = sum(one.upstream_lines for one in checked.applied)
    answer: dict[str, Any] = {
        "tree": arguments.tree,
        "upstream_lines": lines,
        "components": [
            {"name": one.component, "base": one.base, "results": [str(result) for result in one.results]}
            for one in checked.applied
        ],
        "measures": [asdict(measure) for measure in checked.measures],
        "findings": [asdict(finding) for finding in checked.findings],
        "exit": checked.exit_code,
    }
    if not checked.findings:
        context = sum(measure.context for measure in checked.measures)
        beside = f", {context} shown as context" if checked.measures else ""
        ui.print(f"all patches and overlays fit; {lines} upstream lines touched{beside}")
        return answer
    for finding in checked.findings:
        ui.problem(str(finding), finding.mend)
    count = len(checked.findings)
    message = f"{count} finding{'' if count == 1 else 's'}"
    ui.console.print(f"{message}; each has below it what mends it")
    first = checked.findings[0]
    return answer | {
        "error": f"{message}: {first}",
        "hint": first.mend,
        "details": [str(finding) for finding in checked.findings],
    }
