"""The subcommand delta: report what upstream changed between two releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import UsageError
from hardener.git.history import open_history
from hardener.upstream.delta import report
from hardener.upstream.delta.diff import compare_sites
from hardener.upstream.target import resolve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` is the parser of options that several share."""
    parser = subcommand(
        "delta", _delta, "report what upstream brings between two releases: hosts, calls, packages, options", source
    )
    parser.add_argument(
        "old", metavar="A", help="pin, a [tree.NAME], a tag, branch or commit of the site, or a release"
    )
    parser.add_argument("new", metavar="B", help="as A")
    parser.add_argument(
        "--built", nargs=2, type=Path, metavar=("OLD", "NEW"), help="two built sites, to compare as well"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: .work/delta)")


def _delta(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    sources = sources_of(arguments, project)
    for folder in arguments.built or ():
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", hint="unpack both archives, or: --built OLD/site NEW/site")
    histories = {}
    for component in project.components:
        with ui.step("history", component.name) as line:
            source = sources.get(component.name, "")
            histories[component.name] = open_history(component, [source] if source else [], fetch=True, tell=line.tell)
            line.say(f"{len(histories[component.name].refs)} branches and tags")
    old, new = (resolve(project, histories, wanted) for wanted in (arguments.old, arguments.new))
    site = compare_sites(*arguments.built) if arguments.built else None
    return report.write(project, histories, old, new, arguments.out or project.work / "delta", ui, site)
