"""Keys, stamps, locks and atomic writes: what makes a killed run harmless and a second run short.

A step's *key* is the hash of all that it reads. Its *stamp* says for which key the step's output stands. A stamp is
removed before the output is touched and written after the output is complete, so that a run killed anywhere leaves
either a complete output with its stamp or an output that the next run makes anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hardener import beside, processes
from hardener.errors import BusyError, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def home() -> Path:
    """The user's cache directory for hardener (``$XDG_CACHE_HOME/hardener``, XDG Base Directory 0.8)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path in the variable is invalid and is to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "hardener"


def key(*parts: Any) -> str:
    """SHA-256 over the parts (JSON values, bytes as hex, paths as text) in canonical JSON: sorted keys, no spaces."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else os.fspath(value)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest_of(module: str) -> str:
    """Digest of one of our own modules (pass ``__file__``), for the key of the step that it is."""
    return file_digest(Path(module))


def folder_digest(path: Path, *, pattern: str = "**/*") -> str:
    """SHA-256 over names and contents of a folder's files that match the glob; a missing folder is empty."""
    files = sorted(file for file in path.glob(pattern) if file.is_file() and "__pycache__" not in file.parts)
    return key([(file.relative_to(path).as_posix(), file_digest(file)) for file in files])


# What programs print when a write fails with ENOSPC, in the locale that run.py sets.
NO_SPACE = os.strerror(errno.ENOSPC)


def refuse_full_disk(said: str, where: Path | str) -> None:
    """Raise StackError when a program's output says that it ran out of space while it wrote to ``where``."""
    if NO_SPACE in said or "ENOSPC" in said:
        with full_disk_explained():
            raise OSError(errno.ENOSPC, NO_SPACE, str(where))


@contextlib.contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turn 'no space left', 'quota exceeded' and 'read-only' into an error that says what to do."""
    try:
        yield
    except OSError as error:
        # shutil.Error collects what happened to single files, as text.
        collected = isinstance(error, shutil.Error) and NO_SPACE in str(error)
        if collected or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            where = error.filename or "the work area"
            raise StackError(
                f"cannot write {where}: {error.strerror or NO_SPACE}",
                hint="free some space (a build needs about 4 GB), or: hardener clean --cache",
            ) from error
        raise


def write(path: Path, content: bytes) -> None:
    """Write a file so that a killed run leaves the old content or the new, never a half."""
    write_all({path: content})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write several files, each as :func:`write` does; none is replaced before all have been written beside."""
    written: list[tuple[Path, Path]] = []
    with full_disk_explained():
        try:
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                for left_behind in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}"):  # by a killed run
                    left_behind.unlink(missing_ok=True)
                handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
                written.append((Path(name), path))
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(0o644)
            for beside, path in written:
                beside.replace(path)
        except BaseException:
            for beside, _ in written:
                beside.unlink(missing_ok=True)
            raise


def json_bytes(value: Any) -> bytes:
    """A JSON file's content: sorted keys, two spaces, one line end at the end."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write(path, json_bytes(value))


def read_json(path: Path) -> Any:
    """Read a JSON file; None when it is missing or damaged (then what it describes counts as not there)."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder beside ``target`` and put it in its place; a killed run leaves the old one or none."""
    new, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    with full_disk_explained():
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(new)
        remove(old)
        new.mkdir()
        try:
            fill(new)
        except BaseException:
            remove(new)
            raise
        if target.exists():
            target.rename(old)
        new.rename(target)
        remove(old)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Stamp:
    """Says for which key a step's output stands, and keeps the step's small facts (sizes, counts) with it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def facts(self, wanted: str) -> dict[str, Any] | None:
        """The facts of the output if it stands for that key, else None."""
        stored = read_json(self.path)
        if isinstance(stored, dict) and stored.get("key") == wanted and isinstance(stored.get("facts"), dict):
            return dict(stored["facts"])
        return None

    def last(self) -> dict[str, Any]:
        """The facts of the output whatever key it stands for; empty when there is none."""
        stored = read_json(self.path)
        return dict(stored["facts"]) if isinstance(stored, dict) and isinstance(stored.get("facts"), dict) else {}

    def clear(self) -> None:
        """To be called before the output is touched."""
        self.path.unlink(missing_ok=True)

    def set(self, key: str, facts: dict[str, Any]) -> None:
        """To be called once the output is complete."""
        write_json(self.path, {"key": key, "facts": facts})


# Open files of the locks that this process holds. Children inherit them (run.py), so that a lock outlives a killed
# hardener until the npm or bundler that it left behind has ended too: nobody builds into what they still write.
held_locks: set[int] = set()
# Held while a child is started and while a lock is let go: a number must not be passed on after its file is closed.
spawning = threading.Lock()


def _wait(file: IO[bytes]) -> None:
    while beside.is_here():  # in such a thread no signal would interrupt the call below
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        beside.pause(0.1)
    fcntl.flock(file, fcntl.LOCK_EX)


def _holder(path: Path, written: str) -> str:
    """Name the process that holds a lock: the one that wrote its name there, or a child that has outlived it."""
    found = processes.holders([path])
    if not found or any(written.endswith(f" {process.pid}") for process in found):
        return written
    return f"{found[0]}, left by a hardener that was killed,"


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = True, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (flock: the kernel frees it when its holder and its holder's children die).

    It is let go when the block ends; after an error, once the programs of all threads have ended. When another
    process holds it, ``waiting`` is told who, once, and the call waits; with ``wait=False`` it raises BusyError
    instead.
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
