"""Open a series for change: a work tree whose branch has one commit a patch on the pinned commit.

Change, amend, reorder and drop commits with plain git; ``hardener regen`` writes the series back. The name of its file
travels in each message as ``Patch-Name:``. A patch that does not fit is handed to ``git am --3way``, which stops there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import UnfinishedError
from hardener.git import leftovers
from hardener.series import header
from hardener.series import patch as patches
from hardener.series.canonical import APPLY
from hardener.series.edittree import COMMITTER, NAME_FIELD, EditTree, State, fingerprint
from hardener.series.lists import read_series
from hardener.system import disk, locks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hardener.config import Component
    from hardener.series.extras import Layer
    from hardener.series.patch import Patch


@dataclass(frozen=True)
class Edited:
    """An open work tree: ``how`` is opened, resumed, refreshed or restarted; ``saved`` the branch with earlier work.

    ``stopped`` names the patches that do not fit and wait in a ``git am``, the first one with its conflict.
    """

    path: Path
    how: str
    patches: int
    saved: str = ""
    stopped: tuple[str, ...] = ()


def edit(component: Component, mirror: Path, base: str, layer: Layer, area: Path, *, restart: bool = False) -> Edited:
    """Open the series of a layer below ``area``, on ``base`` (the pin, or what lies below a downstream layer).

    An open work tree is gone on with; where nothing was done in it, it follows the series. With ``restart``, or where
    this was killed halfway, it is made again, and what was there is kept on a branch. Raises UnfinishedError when both
    sides have changed, BusyError when a git is at work in it, PatchError or ConfigError for a series that cannot be
    read.
    """
    tree = EditTree.of(area, component, layer)
    with locks.lock(tree.lock):
        series = [patches.read(path) for path in read_series(layer.patches)]
        files = fingerprint(layer.patches)
        if not tree.exists:
            disk.remove(tree.path)  # what a killed run left
            building = EditTree(tree.path.with_name(tree.path.name + ".new"), "")
            disk.remove(building.path)
            building.create(mirror, component, base)
            stopped = _import(building, base, series, files)
            building.path.rename(tree.path)
            return Edited(tree.path, "opened", len(series) - len(stopped), stopped=stopped)
        leftovers.clear(tree.path / ".git")
        state = tree.state()
        if restart:
            saved = tree.save()
            stopped = _import(tree, base, series, files)
            return Edited(tree.path, "restarted", len(series) - len(stopped), saved, stopped)
        if state and not state.head:
            saved = tree.save()
            stopped = _import(tree, base, series, files)
            return Edited(tree.path, "refreshed", len(series) - len(stopped), saved, stopped)
        _refuse_two_truths(tree, state, base, files)
        if state and (state.base, state.files) == (base, files):
            return Edited(tree.path, "resumed", len(series))
        stopped = _import(tree, base, series, files)
        return Edited(tree.path, "refreshed", len(series) - len(stopped), stopped=stopped)


def _refuse_two_truths(tree: EditTree, state: State | None, base: str, files: dict[str, str]) -> None:
    hint = f"{tree.regen}, or begin anew (your work is kept on a branch): {tree.edit} --restart"
    if state is None:
        raise UnfinishedError(f"{tree.path}: what it was made from is not known any more", hint=hint)
    if tree.pristine():
        return
    if state.base != base:
        raise UnfinishedError(
            f"{tree.path}: there is work in it on {state.base[:12]}, the pin is {base[:12]} now", hint=hint
        )
    if files not in (state.files, state.target):
        changed = sorted(name for name in {*state.files, *files} if state.files.get(name) != files.get(name))
        raise UnfinishedError(
            f"{tree.path}: there is work in it, and the series has changed too", hint=hint, details=tuple(changed)
        )


def _import(tree: EditTree, base: str, series: Sequence[Patch], files: dict[str, str]) -> tuple[str, ...]:
    """Put the branch to the series; returns the names from the first patch on that does not fit."""
    head = base
    left: Sequence[Patch] = series
    with tree.repository.index(base) as index:
        for place, patch in enumerate(series):
            left = series[place:]
            if index.git(*APPLY, stdin=patch.content).status:
                break
            head = tree.repository.commit_tree(index.tree(), head, named(patch), patch.author, COMMITTER)
            left = series[place + 1 :]
    # Without a head until it is complete: then a killed run is known by it, and what is there is neither the series of
    # before nor this one.
    tree.remember(State(base, "", files, {}))
    tree.point(head, base)
    if left:
        mails = b"".join(_mail(patch) for patch in left)
        who = {"GIT_COMMITTER_NAME": COMMITTER.name, "GIT_COMMITTER_EMAIL": COMMITTER.email}
        tree.git("am", "--3way", "--keep-non-patch", "--keep-cr", "--quiet", stdin=mails, env=who)
    tree.remember(State(base, head, files, {}))
    return tuple(patch.name for patch in left)


def named(patch: Patch) -> str:
    """The commit message of a patch, with the name of its file in the block of fields."""
    parts = header.body(patch.description)
    block = header.Body(parts.prose, (*parts.block, f"{NAME_FIELD}: {patch.name}"))
    return f"{patch.subject}\n\n{block}\n"


def _mail(patch: Patch) -> bytes:
    """The patch file with the name in its message, for ``git am``."""
    head, _, diff = patch.content.partition(b"\ndiff --git ")
    start = head.partition(b"\n\n")[0]
    body = named(patch).partition("\n\n")[2]
    return start + b"\n\n" + body.encode() + b"\ndiff --git " + diff
