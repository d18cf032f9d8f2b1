"""The subcommands for a series of patches: check, edit, regen, explain."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of, tree_of
from hardener.config import PIN
from hardener.errors import PatchError, UsageError
from hardener.series import header
from hardener.series.check import check
from hardener.series.edit import EDIT, EditTree, edit
from hardener.series.explain import explain
from hardener.series.extras import layers_of
from hardener.series.regen import plan, write
from hardener.series.source import fetch_pinned, ground
from hardener.series.table import catalogue
from hardener.system import locks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.series.regen import Plan
    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the subcommands to the command line; ``source`` and ``extra`` are the parsers of options that they share."""
    sub = subcommand(
        "check", _check, "apply all series and overlays without building, and check every patch", source, extra
    )
    sub.add_argument("--tree", default=PIN, help="pin, or a [tree.NAME] of upstream.toml (checks only whether it fits)")
    sub.add_argument("--fix", action="store_true", help="write the table of patches/README.md first")
    sub = subcommand("edit", _edit, "open a work tree with one commit for each patch, to edit with git", source, extra)
    sub.add_argument("component", metavar="COMPONENT", help="a component of upstream.toml")
    sub.add_argument(
        "--restart", action="store_true", help="create the work tree again; its content is kept on a branch saved/N"
    )
    sub = subcommand(
        "regen", _regen, "write series in canonical form, from their work trees if they exist", source, extra
    )
    sub.add_argument("components", nargs="*", metavar="COMPONENT", help="components of upstream.toml (default: all)")
    sub = subcommand("explain", _explain, "find what this project does about a host, file, patch, key or module", extra)
    sub.add_argument("words", nargs="+", metavar="WORD", help="HOST, FILE, PATCH, KEY or MODULE; or: COMPONENT PATH")


def today() -> dt.date:
    """Return the day, in UTC."""
    return dt.datetime.now(dt.UTC).date()


def _check(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    tree = tree_of(arguments, project)
    if arguments.fix and catalogue(project).write():
        ui.note("patches/README.md: table written")
    checked = check(project, tree, sources_of(arguments, project), today(), ui)
    lines = sum(applied.upstream_lines for applied in checked.applied)
    answer: dict[str, Any] = {
        "tree": tree,
        "upstream_lines": lines,
        "components": [
            {"name": applied.component, "base": applied.base, "results": [str(result) for result in applied.results]}
            for applied in checked.applied
        ],
        "measures": [asdict(measure) for measure in checked.measures],
        # The second key is the former name of the first one.
        "findings": [
            asdict(finding) | dict.fromkeys(("fix", "mend"), ui.complete(finding.fix)) for finding in checked.findings
        ],
        "exit": checked.exit_code,
    }
    if not checked.findings:
        context = sum(measure.context for measure in checked.measures)
        beside = f", {context} shown as context" if checked.measures else ""
        ui.print(f"all patches and overlays fit; {lines} upstream lines touched{beside}")
        return answer
    for finding in checked.findings:
        ui.problem(str(finding), finding.fix)
    count = len(checked.findings)
    message = f"{count} finding{'' if count == 1 else 's'}"
    ui.console.print(f"{message}; each has its fix below it")
    first = checked.findings[0]
    return answer | {
        "error": f"{message}: {first}",
        "hint": ui.complete(first.fix),
        "details": [str(finding) for finding in checked.findings],
    }


def _edit(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    component = project.component(arguments.component)
    mirror = fetch_pinned(component, sources_of(arguments, project), ui).mirror
    layer = layers_of(project, component)[-1]
    base = ground(project, component, layer, mirror, ui)
    edited = edit(component, mirror, base, layer, project.work / EDIT, restart=arguments.restart, waiting=ui.waits)
    ui.print(f"{edited.how}: {edited.path}, {edited.patches} patches as commits on {base[:12]}", "bold")
    if edited.saved:
        ui.note(f"what was there is kept on the branch {edited.saved}")
    if edited.stopped:
        first, *rest = edited.stopped
        ui.note(f"{first} does not fit: solve it there, git add, git am --continue (or: git am --skip drops it)")
        for name in rest:
            ui.note(f"{name} waits for it")
    place = shlex.quote(os.fspath(edited.path))
    ui.print(f"cd {place} && git rebase -i hardener/base    # one commit a patch; Patch-Name: names its file")
    ui.print(f"then: {layer.command('regen', component.name)}")
    return asdict(edited) | {
        "path": os.fspath(edited.path),
        "base": base,
        "exit": PatchError.exit_code if edited.stopped else 0,
    }


def _regen(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    sources = sources_of(arguments, project)
    wanted = [project.component(name).name for name in arguments.components]
    plans: list[Plan] = []
    with contextlib.ExitStack() as held:
        # In the project's order, so that no two runs wait for each other.
        for component in project.components:
            if wanted and component.name not in wanted:
                continue
            mirror = fetch_pinned(component, sources, ui).mirror
            layer = layers_of(project, component)[-1]
            base = ground(project, component, layer, mirror, ui)
            held.enter_context(locks.lock(EditTree.of(project.work / EDIT, component, layer).lock, waiting=ui.waits))
            with ui.step("regen", component.name) as line:
                plans.append(plan(component, mirror, base, layer, project.work / EDIT, today()))
                done = plans[-1].result
                changed = len(done.written) + len(done.added)
                line.say(f"{layer}{changed} to write, {done.kept} as they were (from the {done.source})")
        table = write(project, plans, waiting=ui.waits)
    for planned in plans:
        _tell_regenerated(planned, ui)
    if table:
        ui.note("patches/README.md: table written")
    ui.print("then: hardener check")
    return {"components": [asdict(planned.result) for planned in plans]}


def _tell_regenerated(planned: Plan, ui: UI) -> None:
    done = planned.result
    for what, names in (("changed", done.written), ("new", done.added)):
        for name in names:
            ui.note(f"{what}: {name}")
    if done.dropped:
        first, *more = done.dropped
        text = f"{first} has no commit any more; the file and its line of the series are gone"
        if more:
            text = (
                f"{len(done.dropped)} patches have no commit any more; the files and their lines of the series are gone"
            )
        kept = [os.fspath(planned.tree.dropped(name).relative_to(planned.tree.path)) for name in done.dropped]
        again = f"{planned.tree.cd} && git am --3way --keep-cr --keep-non-patch {shlex.join(kept)}"
        fix = f"if that was not wanted: {again}, then: {planned.tree.regen}"
        ui.problem(text, fix, word="DROPPED", details=done.dropped if more else ())
    for name in done.unfilled:
        text = f"{planned.folder / name} has lines that begin with {header.TO_FILL_IN}"
        ui.problem(text, "write each of them: patches/README.md#header has the values", word="to fill in")
    if done.reordered:
        ui.note("the order has changed")


def _explain(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    *component, word = arguments.words
    if len(component) > 1:
        raise UsageError("one word, or a component and a path of it", hint="hardener explain COMPONENT PATH")
    finds = explain(project_of(arguments), word, *component)
    for find in finds:
        ui.print(f"{find.kind} {find.name}", "bold")
        rows = (("", find.how), ("why", find.why), ("test", find.test), ("upstream", find.upstream), ("in", find.where))
        for label, text in rows:
            if text:
                ui.print(f"  {label:<9}{text}")
    return {"word": word, "finds": [asdict(find) for find in finds]}
