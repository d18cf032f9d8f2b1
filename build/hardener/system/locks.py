"""Locks between processes: one writer at a time in a work area or a mirror, also after a kill."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from typing import IO, TYPE_CHECKING

from hardener.errors import BusyError
from hardener.system import procfs, workers
from hardener.system.disk import full_disk_explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Open files of the locks that this process holds. Children inherit them (system/process.py), so that a lock outlives a
# killed
# hardener until the npm or bundler that it left behind has ended too: no build writes to files that they still write.
held_locks: set[int] = set()
# Held while a child is started and while a lock is let go: a number must not be passed on after its file is closed.
spawning = threading.Lock()


def _wait(file: IO[bytes]) -> None:
    while workers.is_here():  # in such a thread no signal would interrupt the call below
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        workers.pause(0.1)
    fcntl.flock(file, fcntl.LOCK_EX)


def _holder(path: Path, written: str) -> str:
    """Return name the process that holds a lock: the one that wrote its name there, or a child that has outlived it."""
    found = procfs.holders([path])
    if not found or any(written.endswith(f" {process.pid}") for process in found):
        return written
    return f"{found[0]}, left by a hardener that was killed,"


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = True, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (flock: the kernel frees it when its holder and its holder's children die).

    It is let go when the block ends; after an error, once the programs of all threads have ended. When another
    process holds it, ``waiting`` is called with its name, once, and the call waits; with ``wait=False`` it raises
    BusyError instead.
    """
    with full_disk_explained():
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)  # unbuffered: nothing is left to be written when it is closed
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = _holder(path, file.read().decode("utf-8", "replace").strip() or "another process")
            if not wait:
                raise BusyError(f"{holder} is at work here ({path})", hint="wait, or leave out --no-wait") from None
            if waiting:
                waiting(holder)
            _wait(file)
        with full_disk_explained():
            file.truncate(0)
            file.write(f"hardener, process {os.getpid()}".encode())
        with spawning:
            held_locks.add(file.fileno())
        try:
            yield
            # All is well, so what still runs belongs to other threads: it has inherited the lock and does not need it.
            fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            with spawning:
                held_locks.discard(file.fileno())
                file.close()
