"""The command line of `hardener delta`, and the report that a lift writes at its start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.git.history import open_history
from hardener.upstream.delta import report
from hardener.upstream.delta.diff import compare_sites
from hardener.upstream.target import resolve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from hardener.config import Project
    from hardener.ui import UI


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "old", metavar="A", help="pin, a [tree.NAME], a tag, branch or commit of the site, or a release"
    )
    parser.add_argument("new", metavar="B", help="as A")
    parser.add_argument(
        "--built", nargs=2, type=Path, metavar=("OLD", "NEW"), help="two built sites, to compare as well"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: .work/delta)")


def run(arguments: argparse.Namespace, project: Project, sources: Mapping[str, str], ui: UI) -> dict[str, Any]:
    """Run the verb; returns its answer for ``--json``."""
    for folder in arguments.built or ():
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder", hint="unpack both archives, or: --built OLD/site NEW/site")
    histories = {}
    for component in project.components:
        with ui.step("history", component.name) as line:
            source = sources.get(component.name, "")
            histories[component.name] = open_history(component, [source] if source else [], fetch=True, tell=line.tell)
            line.say(f"{len(histories[component.name].refs)} branches and tags")
    old, new = (resolve(project, histories, wanted) for wanted in (arguments.old, arguments.new))
    site = compare_sites(*arguments.built) if arguments.built else None
    return report.write(project, histories, old, new, arguments.out or project.work / "delta", ui, site)
