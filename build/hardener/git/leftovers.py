"""Clear what a git that was killed left in a repository: lock files, and files that it had not finished.

Git removes a lock file when it ends or is interrupted. After a SIGKILL or a power failure the file stays, and each
later git refuses to write. Callers hold hardener's own lock on the repository, which programs of hardener inherit; so
a lock file there is either dead or belongs to a git that a person started. That git is looked for in /proc.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import BusyError
from hardener.system import disk, procfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 5.0  # seconds that a running git is given to end; those of another project's build take much less
_PAUSE = 0.05
_FANOUT = 2  # digits in the name of a folder of loose objects
_SIDES = (".pack", ".idx")  # a pack is used only where both are there
_STARTED = ("tmp_", ".tmp-", "incoming-")  # below objects/


def clear(
    git_dir: Path, *, waiting: Callable[[str], None] | None = None, since: float = 0.0, locks_only: bool = False
) -> None:
    """Remove what a dead git left in a repository (a bare one, or the ``.git`` of a work tree).

    A file stays where it is older than ``since`` (seconds since 1970). Raises BusyError where there is a lock file and
    a git that was there before we looked still runs after PATIENCE seconds; ``waiting`` is called with it.
    """
    locks = _marked(_locks(git_dir), since)
    unfinished = {} if locks_only else _marked(_unfinished(git_dir), since)
    if not locks and not unfinished:
        return
    # Those that come later cannot have made what has just been found: git never takes over another git's file.
    users = {*procfs.gits(git_dir), *procfs.holders([*locks, *unfinished])}
    patience = time.monotonic() + PATIENCE
    while (running := sorted((user for user in users if user.alive), key=lambda user: user.pid)) and locks:
        if waiting:
            waiting(str(running[0]))
        if time.monotonic() >= patience:
            raise BusyError(
                f"{running[0]} is at work in {git_dir}, and {min(locks).relative_to(git_dir)} may be its lock",
                hint="wait until that process has ended, or end it; then repeat the command",
                details=tuple(str(user) for user in running[1:]),
            )
        time.sleep(_PAUSE)
    if running:
        return  # unfinished files are harmless
    for path, mark in (locks | unfinished).items():
        with contextlib.suppress(OSError):
            if _mark(path) == mark:
                disk.remove(path)


def _locks(git_dir: Path) -> Iterator[Path]:
    """Find files whose mere presence makes git refuse to write. No ref's name may end with .lock."""
    for folder, folders, files in os.walk(git_dir):
        here = Path(folder)
        if here.name == "objects":
            folders[:] = [name for name in folders if len(name) > _FANOUT]
        yield from (here / name for name in files if name.endswith(".lock") or name in ("packed-refs.new", "gc.pid"))


def _unfinished(git_dir: Path) -> Iterator[Path]:
    """Find files that a git had begun to write, marks of its downloads, and halves of packs."""
    yield from git_dir.glob("shallow_??????")
    objects = git_dir / "objects"
    for folder in (objects, *objects.glob("?" * _FANOUT), objects / "pack", objects / "info", *objects.glob("info/*/")):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.startswith(_STARTED):
                yield path
    packs = list((objects / "pack").glob("pack-*.*"))
    names = {path.name for path in packs}
    for path in packs:
        if not all(path.stem + side in names for side in _SIDES) or _keeps(path):
            yield path


def _keeps(path: Path) -> bool:
    """Return whether a file kept a new pack from being collected while its download continued."""
    with contextlib.suppress(OSError):
        return path.suffix == ".keep" and path.read_bytes().startswith((b"fetch-pack ", b"receive-pack "))
    return False


def _marked(paths: Iterator[Path], since: float) -> dict[Path, tuple[int, int]]:
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime >= since:
                found[path] = _mark(path)
    return found


def _mark(path: Path) -> tuple[int, int]:
    """Distinguish a file from a later one of the same name."""
    state = path.lstat()
    return state.st_ino, state.st_mtime_ns
