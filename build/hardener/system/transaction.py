"""Write and remove several files as one step: a failure or a kill leaves all of them as they were, or all as wanted.

The new and the old contents are put beside their files, and a journal in the work area names all moves. The name of
the journal says what is to be done with them: ``DROP`` while the contents are being prepared, ``DO`` from the moment
at which all of them are there, ``UNDO`` where a move fails. :func:`settle` finishes what a killed run left.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.system import disk, locks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DROP, _DO, _UNDO = _JOURNALS = "transaction-begun.json", "transaction.json", "transaction-undo.json"
_LOCK = "transaction.lock"


def commit(files: Mapping[Path, bytes | None], area: Path, *, waiting: Callable[[str], None] | None = None) -> None:
    """Write these files, and remove those whose content is None: completely, or not at all.

    While another process is at it, ``waiting`` is called with its name. Raises StackError where the disk is full or the
    user may not write; then every file is as it was.
    """
    begun, journal = area / _DROP, area / _DO
    with disk.full_disk_explained(), disk.refusal_explained(), locks.lock(area / _LOCK, waiting=waiting):
        _finish(area)
        # A file that is written stays a link where it is one. Removals come first: where a file system does not
        # distinguish cases, the old name of a file may be its new one.
        places: dict[Path, bytes | None] = {}
        for path, content in sorted(files.items(), key=lambda file: file[1] is not None):
            places[path.parent.resolve() / path.name if content is None else path.resolve()] = content
        moves = [_Move(_name(path, area), os.path.lexists(path), content is None) for path, content in places.items()]
        try:
            disk.write_json(begun, [vars(move) for move in moves])
            for move, content in zip(moves, places.values(), strict=True):
                move.at(area).prepare(content)
            begun.rename(journal)
            for move in moves:
                move.at(area).forward()
        except BaseException:
            if journal.exists():
                journal.rename(area / _UNDO)
            _finish(area)
            raise
        _finish(area)


def settle(area: Path) -> None:
    """Finish or undo what a killed run has left in a work area; wait where another process is still at it."""
    if any((area / name).exists() for name in _JOURNALS):
        with disk.full_disk_explained(), disk.refusal_explained(), locks.lock(area / _LOCK):
            _finish(area)


def _finish(area: Path) -> None:
    for name in _JOURNALS:
        moves = [_Move(**entry).at(area) for entry in disk.read_json(area / name) or ()]
        for move in moves:
            if name == _DO:
                move.forward()
            elif name == _UNDO:
                move.back()
        for move in moves:
            move.clean()
        _remove(area / name)


def _name(path: Path, area: Path) -> str:
    """Return the path for a journal: in a copy of the project, it must not name the files of the original."""
    home = area.resolve()
    return os.path.relpath(path, home) if path.is_relative_to(home.parent) else os.fspath(path)


def _remove(path: Path) -> None:
    if os.path.lexists(path):  # a read-only file system refuses the removal of a file that is not there, too
        path.unlink(missing_ok=True)


def _put(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


@dataclass(frozen=True)
class _Move:
    """One file: whether it was there before, and whether it goes. Every step can be repeated.

    In a journal, ``path`` is relative to the work area if it is in the same project; :meth:`at` makes it absolute.
    """

    path: str
    was_there: bool
    goes: bool

    def at(self, area: Path) -> _Move:
        """Return the move of the file in its place."""
        return replace(self, path=os.path.normpath(area.resolve() / self.path))

    @property
    def new(self) -> Path:
        return self._beside("new")

    @property
    def old(self) -> Path:
        return self._beside("old")

    def _beside(self, ending: str) -> Path:
        path = Path(self.path)
        return path.with_name(f".{path.name}.{ending}")

    def prepare(self, content: bytes | None) -> None:
        path = Path(self.path)
        if path.is_symlink():
            _remove(self.old)
            self.old.symlink_to(path.readlink())
        elif self.was_there:
            _put(self.old, path.read_bytes(), path.stat().st_mode)
        if content is not None:
            _put(self.new, content, 0o644)

    def forward(self) -> None:
        if self.goes:
            _remove(Path(self.path))
        elif self.new.exists():  # else this was done before a kill
            self.new.replace(self.path)

    def back(self) -> None:
        if os.path.lexists(self.old):
            self.old.replace(self.path)
        elif not self.was_there:
            _remove(Path(self.path))

    def clean(self) -> None:
        _remove(self.new)
        _remove(self.old)
