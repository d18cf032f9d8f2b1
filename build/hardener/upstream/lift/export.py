"""From a lifted series back to files: patches in canonical form, and the pins.

What is written is tried first: the new patches are applied to the new pin from scratch and have to give the very tree
that the lift made, and the overlays have to lie on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.config import NAME as UPSTREAM
from hardener.errors import PatchError
from hardener.series import overlay
from hardener.series import patch as patches
from hardener.series.apply import apply
from hardener.series.canonical import Canon, DoesNotApplyError, requirements
from hardener.series.header import body
from hardener.series.lists import REMOVALS, SERIES, read_series
from hardener.series.patch import parse, read
from hardener.upstream.lift import tomledit
from hardener.upstream.lift.rebase import export

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.git.repository import Repository
    from hardener.series.patch import Patch
    from hardener.upstream.lift.state import Lifted, State


@dataclass(frozen=True)
class Written:
    """The new files of one component's series: name -> content (None: it goes), and notes for a person."""

    files: Mapping[str, bytes | None]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """The trees for trying the new series: ``before`` holds the old one, ``now`` today's remove.list, ``area`` is
    free.
    """

    before: Path
    now: Path
    area: Path


def series(repository: Repository, component: Component, folder: Path, lifted: Sequence[Lifted], today: str) -> Written:
    """Return the component's patch folder as it has to be at its (new) pin; files that need no change are left out.

    ``Base`` follows the pin, ``Last-Update`` where a patch's lines are others.
    """
    chained = {
        outcome.patch: export(repository, outcome.commit, outcome.patch)
        for outcome in lifted
        if outcome.kind != "dropped"
    }
    needed = requirements(list(chained.values()))
    canon = Canon(repository, component.commit)
    files: dict[str, bytes | None] = {}
    notes: list[str] = []
    for outcome in lifted:
        if outcome.kind == "dropped":
            files[outcome.patch] = None
            continue
        before = patches.read(folder / outcome.patch)
        after, note = _canonical(canon, chained[outcome.patch], needed[outcome.patch])
        notes += [note] if note else []
        header = body(after.description).with_field("Base", component.commit)
        if not outcome.routine:
            header = header.with_field("Last-Update", today)
        content = after.content.replace(after.description.encode(), str(header).encode(), 1)
        if content != before.content:
            files[outcome.patch] = content
    if dropped := [outcome.patch for outcome in lifted if outcome.kind == "dropped"]:
        text = (folder / SERIES).read_bytes().decode("utf-8")
        files[SERIES] = tomledit.series(text, dropped).encode()
    return Written(files, tuple(notes))


def _canonical(canon: Canon, patch: Patch, required: Sequence[Patch]) -> tuple[Patch, str]:
    """Return a patch of the new series as it is on the new pin and what it requires."""
    try:
        return parse(patch.name, canon.patch(patch, required)), ""
    except DoesNotApplyError:
        # It is right in the series, which is what builds.
        return patch, f"{patch.name}: holds lines of an earlier patch as context; name that one in Requires"


def orphans(folders: Iterable[Path], going: Iterable[str]) -> dict[str, str]:
    """Return patches that require one that goes and that stay themselves, and so on: name -> what they would lack."""
    gone, found = set(going), {}
    for patch in (read(path) for folder in folders for path in read_series(folder)):
        lost = [name for name in patch.requires if name.removesuffix(".patch") + ".patch" in gone]
        if lost and patch.name not in gone:
            found[patch.name] = lost[0]
            gone.add(patch.name)
    return found


def group(name: str, lifted: Sequence[Lifted]) -> str:
    """Return which of a lift's commits a file of the series belongs to."""
    found = next((outcome for outcome in lifted if outcome.patch == name), None)
    if found is None or found.kind == "dropped":
        return "dropped"
    return "routine" if found.routine else "by-hand"


def pins(project: Project, before: Project, state: State) -> dict[Path, bytes]:
    """Return upstream.toml at the new pins; its other lines as they are now."""
    path = project.root / UPSTREAM
    return {path: tomledit.pins(path.read_bytes().decode("utf-8"), before, state.goal).encode()}


def prove(
    repository: Repository, component: Component, trial: Trial, overlays: Path, written: Written, state: State
) -> str:
    """Apply the new series to the new pin from scratch, and lay the overlays on it; returns the tree's id.

    Raises PatchError when the result is not the lifted tree, and whatever applying and laying raise.
    """
    staged = trial.area / component.name
    staged.mkdir(parents=True)
    old = {path.name: path.read_bytes() for path in trial.before.iterdir()} if trial.before.is_dir() else {}
    removals = trial.now / REMOVALS
    now = {REMOVALS: removals.read_bytes()} if removals.exists() else {REMOVALS: None}
    for name, content in (old | now | dict(written.files)).items():
        if content is not None:
            (staged / name).write_bytes(content)
    applied = apply(component.name, repository.path, component.commit, staged)
    commits = repository.output("rev-list", "--reverse", f"{component.commit}..{applied.commit}").split()
    last, tip = [component.commit, *commits][len(applied.results)], state.tip(component.name)
    if repository.tree_of(last) != repository.tree_of(tip):
        raise PatchError(
            f"{component.name}: the new patches do not give the lifted tree",
            hint="a bug of ours: please report it. No patch was written; hardener lift --abort",
            details=tuple(repository.changed(tip, last)[:10]),
        )
    return overlay.lay(component.name, repository.path, component.commit, applied.commit, overlays).tree
