"""The subcommands about upstream: drift, outdated, upstream."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of
from hardener.errors import BundleError, PatchError, PinError, UsageError
from hardener.git.sources import chosen_sources, sources
from hardener.system import disk
from hardener.upstream.drift import report
from hardener.upstream.drift.matrix import drift
from hardener.upstream.github import Forge
from hardener.upstream.outdated import outdated
from hardener.upstream.submit.export import upstream
from hardener.upstream.submit.status import status

NEWER = 9  # exit code of outdated: nothing is wrong, and there is something to do

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.config import Project
    from hardener.ui import UI
    from hardener.upstream.drift.matrix import Drift


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommands to the command line; ``source`` is the parser of the option that they share."""

    def sub(name: str, run: Callable[..., dict[str, Any]], text: str) -> argparse.ArgumentParser:
        return subcommand(name, lambda arguments, ui: run(project_of(arguments), arguments, ui), text, source)

    parser = sub(
        "drift", _drift, "compare the series with upstream's releases: where does it fit, since when, what broke it"
    )
    parser.add_argument("refs", nargs="*", metavar="REF", help="tags, branches or commits (default: all releases)")
    parser.add_argument("--range", default="", metavar="A..B", help="releases from A to B, such as 9000..10655")
    parser.add_argument("--every", action="store_true", help="also the tags between releases")
    parser.add_argument("--html", type=Path, metavar="FILE", help="where the heat map goes (default: .work/drift.html)")
    parser.add_argument("--strict", action="store_true", help="exit with 5 when a patch does not fit the newest tree")
    _history_options(parser)

    parser = sub(
        "outdated", _outdated, f"list upstream's stable releases that are newer than the pins (exit code {NEWER})"
    )
    parser.add_argument("--api", action="store_true", help="ask the forge's API instead of git")
    parser.add_argument("--source", action="append", default=[], metavar="NAME=WHERE", help="a further repository")

    parser = sub("upstream", _upstream, "export a patch as a branch, a mail and a pull request for upstream")
    parser.add_argument("patch", nargs="?", default="", metavar="PATCH", help="name of a patch")
    parser.add_argument(
        "--status", action="store_true", help="query the state of sent patches and update their headers"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --status: change no header")
    parser.add_argument(
        "--onto", default="", metavar="REF", help="upstream's branch or commit (default: its default branch)"
    )
    parser.add_argument("--subject", default="", metavar="TEXT", help="first line of the message (default: derived)")
    parser.add_argument(
        "--disclosed", action="store_true", help="upstream knows of it and agrees: export Security: yes"
    )
    parser.add_argument(
        "--fix", action="store_true", help="let upstream's eslint fix what it can, as its lint-fix does"
    )
    parser.add_argument("--no-lint", action="store_true", help="do not install and run upstream's eslint and tsc")
    parser.add_argument("--force", action="store_true", help="overwrite a branch that contains other work")
    _history_options(parser)


def _history_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="NAME=WHERE",
        help="a further repository with tags and history of a component; may be given several times",
    )
    parser.add_argument("--fetch", action="store_true", help="ask remote sources for what is new (paths always are)")


def _sources(project: Project, arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Return where to look for a component's history: --upstream or HARDENER_UPSTREAM first, then each --source."""
    names = tuple(component.name for component in project.components)
    wheres = {name: [where] for name, where in chosen_sources(tuple(arguments.upstream), names).items()}
    for entry in arguments.source:
        for name, where in sources((entry,), "", names).items():
            wheres.setdefault(name, []).append(where)
    return wheres


def _drift(project: Project, arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    if arguments.refs and arguments.range:
        raise UsageError("either REF or --range", hint="hardener drift --help")
    with ui.step("drift", project.name) as line:
        result = drift(
            project,
            _sources(project, arguments),
            arguments.refs,
            arguments.range,
            every=arguments.every,
            fetch=arguments.fetch,
            tell=line.tell,
        )
        line.say(f"{result.size} cells, {result.distinct} distinct, {result.computed} computed now")
    target = arguments.html or project.work / "drift.html"
    disk.write(target, report.html(result, f"{project.name}: drift of the series").encode())
    _show(result, ui)
    ui.print(f"heat map: {target}")
    answer = result.as_json() | {"html": os.fspath(target)}
    broken = [f"{row.patch}: {row.now.status.value}" for row in result.rows if row.now and not row.now.fits]
    if arguments.strict and broken:
        ui.print(f"{len(broken)} patches do not fit {result.releases[-1].label}: {', '.join(broken)}", "red")
        answer["exit"] = PatchError.exit_code
    return answer


def _show(result: Drift, ui: UI) -> None:
    names = [row.patch.removesuffix(".patch") for row in result.rows]
    margin = max(map(len, names), default=0)
    width = max(20, ui.console.width - margin - 4)
    first, last = result.releases[-min(width, len(result.releases))].label, result.releases[-1].label
    ui.print(f"\n{first} to {last}   {report.legend()}", "bold")
    for name, row in zip(names, result.rows, strict=True):
        ui.print(f"  {name:<{margin}}  {report.strip(row, width)}")
    ui.print()
    for name, row in zip(names, result.rows, strict=True):
        life = report.half_life(row.half_life, lasting=row.lasting)
        ui.print(f"  {name:<{margin}}  half-life {life}, burden {row.burden:.0f} a year ({row.lines} lines)")
        if row.since is None:
            ui.print("      fits none of them", "yellow")
        for word, turn in (("fits since", row.since), ("broke at", row.broke)):
            if turn:
                ui.print(f"      {word} {report.turn(turn)}", "red" if turn is row.broke else "dim")
    if result.half_life is not None:
        ui.print(f"half-life of the series: {report.half_life(result.half_life, lasting=False)}")
    for note in result.notes:
        ui.note(note)


def _outdated(project: Project, arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    found = outdated(project, _sources(project, arguments), forge=Forge() if arguments.api else None)
    ui.table(
        "Releases",
        ("component", "pinned", "newest", "newer"),
        [
            (release.component, release.pinned, release.newer[-1] if release.newer else "-", len(release.newer))
            for release in found
        ],
    )
    for release in found:
        if release.note:
            ui.note(f"{release.component}: {release.note}")
    site = found[-1]
    if site.newer:
        ui.print(f"{site.component}: {', '.join(site.newer)} after {site.pinned}", "yellow")
    elif site.note:
        ui.print(f"{site.component}: cannot know whether there is a newer release", "yellow")
    # The other components follow the site, whose package.json names them.
    code = NEWER if site.newer else PinError.exit_code if site.note else 0
    return {"components": [vars(release) for release in found], "exit": code}


def _status(project: Project, arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    names = (arguments.patch,) if arguments.patch else ()
    today = dt.datetime.now(dt.UTC).date()
    standings = status(project, names, Forge(), today, write=not arguments.dry_run)
    ui.table("Sent patches", ("patch", "state", "address"), [(s.patch, s.state, s.url) for s in standings])
    for standing in standings:
        for name, value in standing.changes.items():
            ui.print(f"  {standing.patch}: {name}: {value}" + (" (not written)" if arguments.dry_run else ""))
    if not standings:
        ui.print("no patch has been sent: no Forwarded field has an address")
    return {"patches": [vars(standing) for standing in standings]}


def _upstream(project: Project, arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    if arguments.status:
        return _status(project, arguments, ui)
    if not arguments.patch:
        raise UsageError("which patch?", hint="hardener upstream PATCH, or: hardener upstream --status")
    with ui.step("upstream", arguments.patch) as line:
        done = upstream(
            project,
            arguments.patch,
            _sources(project, arguments),
            onto=arguments.onto,
            subject=arguments.subject,
            disclosed=arguments.disclosed,
            fix=arguments.fix,
            linting=not arguments.no_lint,
            force=arguments.force,
            fetch=arguments.fetch,
            tell=line.tell,
        )
        line.say(f"{done.status.value} alone on {done.base[:12]}: {len(done.files)} file(s)")
    ui.print(f"{done.subject}\n  branch {done.branch} in {done.tree}")
    for path in done.files:
        ui.print(f"  {path}")
    for verdict in done.verdicts:
        ui.print(str(verdict), "green" if verdict.green else "red")
        for complaint in verdict.new:
            ui.print(f"  {complaint}", "red")
    for remark in done.remarks:
        ui.note(f"to settle: {remark}")
    if done.missing:
        ui.note(f"upstream's tools ran without {', '.join(done.missing)}: no registry serves them")
    ui.print(f"mail, bundle and pull-request text: {done.folder}")
    answer = {name: value for name, value in vars(done).items() if name not in ("verdicts", "status", "folder", "tree")}
    return answer | {
        "status": done.status.value,
        "folder": os.fspath(done.folder),
        "verdicts": [vars(verdict) for verdict in done.verdicts],
        "exit": 0 if done.green else BundleError.exit_code,
    }
