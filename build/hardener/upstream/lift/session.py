"""The conversation of a lift: start, continue, abort; what happens in between is in sequencer.py."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from hardener.errors import PinError, StackError, UnreachableError, UsageError
from hardener.git.history import open_history
from hardener.system import disk
from hardener.upstream.delta import report
from hardener.upstream.lift import snapshot, state
from hardener.upstream.lift.sequencer import Course, Result
from hardener.upstream.lift.state import State
from hardener.upstream.target import pinned, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Project
    from hardener.git.history import History
    from hardener.ui import UI
    from hardener.upstream.lift.sequencer import Options
    from hardener.upstream.target import Goal


def start(project: Project, wanted: str, options: Options, ui: UI) -> Result:
    """Begin a lift to ``wanted`` and go as far as it goes.

    Raises UsageError when one is under way or the files it would write are not committed, PatchError or OverlayError
    (exit code 5) where it stops for a person; then ``resume`` continues. Does nothing where the pins are there already.
    """
    if state.path(project).exists():
        under_way = state.load(project)
        raise UsageError(
            f"a lift to {under_way.wanted} is under way",
            hint="hardener lift --continue, --abort (all as before) or --restart (begin it again)",
        )
    head, open_changes = snapshot.uncommitted(project)
    if open_changes:
        raise UsageError(
            f"not committed: {', '.join(open_changes[:5])}",
            hint="commit or stash them first: a lift writes patches/, overlays/ and upstream.toml",
        )
    histories = _histories(project, options, ui, fetch=True)
    goal = resolve(project, histories, wanted, options.given)
    if all(project.component(target.component).commit == target.commit for target in goal.targets):
        return Result(goal, {}, (), goal.notes)
    _report(project, histories, goal, ui)
    disk.remove(state.folder(project))  # what a lift that was killed before its first save left behind
    snapshot.snapshot(project, state.folder(project) / "before")
    begun = State(
        path=state.path(project),
        goal=goal,
        wanted=wanted,
        given=dict(options.given),
        head=head,
        today=dt.datetime.now(dt.UTC).date().isoformat(),
        make_commits=options.make_commits and bool(head),
    )
    begun.save()
    return Course(project, begun, histories, options, ui).go()


def _report(project: Project, histories: Mapping[str, History], goal: Goal, ui: UI) -> None:
    """Say what upstream brings, before anything is patched."""
    try:
        report.write(project, histories, pinned(project), goal, project.work / "delta", ui)
    except (StackError, UnreachableError) as error:
        # Some file of a stretch of history cannot be had: the lift itself may still have all that it needs.
        ui.note(f"no delta report: {error.message}")


def resume(project: Project, options: Options, ui: UI) -> Result:
    """Take up the lift that stopped or was killed. Raises as :func:`start`, and PatchError for unfinished work."""
    under_way = state.load(project)
    under_way.make_commits = under_way.make_commits and options.make_commits
    _clear_locks(project, under_way)
    return Course(project, under_way, _histories(project, options, ui, fetch=False), options, ui).go()


def _clear_locks(project: Project, under_way: State) -> None:
    if under_way.phase == "commit":  # the state file is as old as the first commit at most
        snapshot.clear_locks(project, under_way.path.stat().st_mtime)


def abort(project: Project) -> tuple[str, list[str], Path]:
    """Put everything back as it was before the lift.

    Returns where it was to go, the files that were put back, and the folder that keeps what they held meanwhile.
    Raises UsageError when no lift is under way, or when commits were made on top of its own.
    """
    try:
        under_way = state.load(project)
    except StackError:
        under_way = None
    wanted = under_way.wanted if under_way else "?"
    if under_way:
        _clear_locks(project, under_way)
    if under_way and (made := snapshot.made(project, under_way.head)):
        _take_back(project, under_way.head, made[-1])
    aside = _free(project.work / "lift-aborted")
    changed = snapshot.restore(project, state.folder(project) / "before", aside)
    state.path(project).unlink(missing_ok=True)
    disk.remove(state.folder(project))
    return wanted, changed, aside


def _take_back(project: Project, before: str, last: str) -> None:
    head, _ = snapshot.uncommitted(project)
    if head != last:
        raise UsageError(
            f"the project has commits on top of the lift's {last[:12]}",
            hint=f"remove them first, or continue: hardener lift --continue (before the lift: {before[:12]})",
        )
    snapshot.take_back(project, before)


def _free(folder: Path) -> Path:
    number = 1
    while (folder / str(number)).exists():
        number += 1
    return folder / str(number)


def _histories(project: Project, options: Options, ui: UI, *, fetch: bool) -> dict[str, History]:
    found = {}
    for component in project.components:
        with ui.step("history", component.name) as line:
            source = options.sources.get(component.name, "")
            found[component.name] = open_history(component, [source] if source else [], fetch=fetch, tell=line.tell)
            line.say(f"{len(found[component.name].refs)} branches and tags")
        if found[component.name].absent([component.commit]):
            raise PinError(
                f"the source of {component.name} lacks the commit that is pinned now, {component.commit[:12]}",
                hint=f"name a repository that has both ends: --upstream {component.name}=URL-or-path",
            )
    return found
