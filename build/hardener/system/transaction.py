"""Write and remove several files as one step: a failure or a kill leaves all of them as they were, or all as wanted.

The new and the old contents are put beside their files, and a journal in the work area names all moves. The name of
the journal is the direction: ``UNDO`` while the contents are being prepared and where a move fails, ``DO`` from the
moment at which all of them are there. :func:`settle` finishes what a killed run left, in that direction.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.system import disk, locks

if TYPE_CHECKING:
    from collections.abc import Mapping

_DO, _UNDO, _LOCK = "transaction.json", "transaction-undo.json", "transaction.lock"


def commit(files: Mapping[Path, bytes | None], area: Path) -> None:
    """Write these files, and remove those whose content is None: completely, or not at all.

    Raises StackError where the disk is full or the user may not write; then every file is as it was.
    """
    places = {path.resolve(): content for path, content in files.items()}  # a link stays one
    moves = [_Move(str(path), path.exists(), content is None) for path, content in places.items()]
    journal, undo = area / _DO, area / _UNDO
    with disk.full_disk_explained(), disk.refusal_explained(), locks.lock(area / _LOCK):
        _finish(area)
        try:
            disk.write_json(undo, [vars(move) for move in moves])
            for move, content in zip(moves, places.values(), strict=True):
                move.prepare(content)
            undo.rename(journal)
            for move in moves:
                move.forward()
        except BaseException:
            if journal.exists():
                journal.rename(undo)
            _finish(area)
            raise
        _finish(area)


def settle(area: Path) -> None:
    """Finish or undo what a killed run has left in a work area; wait where another process is still at it."""
    if (area / _DO).exists() or (area / _UNDO).exists():
        with disk.full_disk_explained(), disk.refusal_explained(), locks.lock(area / _LOCK):
            _finish(area)


def _finish(area: Path) -> None:
    for name in (_DO, _UNDO):
        moves = [_Move(**entry) for entry in disk.read_json(area / name) or ()]
        for move in moves:
            if name == _DO:
                move.forward()
            else:
                move.back()
        for move in moves:
            move.clean()
        (area / name).unlink(missing_ok=True)


def _put(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


@dataclass(frozen=True)
class _Move:
    """One file: whether it was there before, and whether it goes. Every step can be repeated."""

    path: str
    was_there: bool
    goes: bool

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
        if self.was_there:
            _put(self.old, Path(self.path).read_bytes(), Path(self.path).stat().st_mode)
        if content is not None:
            _put(self.new, content, 0o644)

    def forward(self) -> None:
        if self.goes:
            Path(self.path).unlink(missing_ok=True)
        elif self.new.exists():  # else this was done before a kill
            self.new.replace(self.path)

    def back(self) -> None:
        if self.old.exists():
            self.old.replace(self.path)
        elif not self.was_there:
            Path(self.path).unlink(missing_ok=True)

    def clean(self) -> None:
        self.new.unlink(missing_ok=True)
        self.old.unlink(missing_ok=True)
