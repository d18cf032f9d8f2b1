"""The door's verbs for this machine: doctor, clean."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hardener.cli import doctor as doctors
from hardener.cli.options import project_of
from hardener.errors import UnfinishedError
from hardener.series import edittree
from hardener.system import disk, locks, stamps

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI


def register(verb: Callable[..., argparse.ArgumentParser], _source: Any, _extra: Any) -> None:
    """Add the verbs to the command line."""
    sub = verb("doctor", _doctor, "say what is missing on this machine, and what mends it")
    sub.add_argument("--offline", action="store_true", help="do not ask whether upstream and the registries answer")
    sub = verb("clean", _clean, "remove the work area of this project (dist/ stays)")
    sub.add_argument("--cache", action="store_true", help="remove the user's cache too: mirrors and npm packages")


def _doctor(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    findings = doctors.examine(project_of(arguments), online=not arguments.offline)
    for finding in findings:
        if finding.state == "missing" or not arguments.quiet:
            ui.finding(finding.state, finding.subject, finding.text, finding.remedy)
    missing = [finding for finding in findings if finding.state == "missing"]
    optional = sum(finding.state == "optional" for finding in findings)
    if missing:
        ui.print(f"{len(missing)} thing(s) missing that a build needs")
    else:
        ui.print("all that a build needs is here" + (f"; {optional} optional thing(s) are not" if optional else ""))
    return {"exit": 8 if missing else 0, "findings": [vars(finding) for finding in findings]}


def _clean(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    if unfinished := edittree.unsaved(project.work / edittree.EDIT):
        raise UnfinishedError(
            f"{unfinished[0]} holds work that is in no series",
            hint=f"hardener regen, or throw it away: rm -r {unfinished[0]}",
        )
    if (project.work / "lift" / "state.json").exists():
        raise UnfinishedError(
            "a lift is under way, and its work lies there", hint="hardener lift --continue, or --abort"
        )
    removed = [project.work] + ([stamps.home()] if arguments.cache else [])
    with locks.lock(project.work / "lock", waiting=lambda who: ui.note(f"{who} builds here: waiting")):
        for folder in removed:
            disk.remove(folder)
            ui.print(f"removed {folder}")
    return {"removed": [os.fspath(folder) for folder in removed]}
