"""Write, replace and remove files so that a killed run leaves the old content or the new one, never a part of it."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


# What programs print when a write fails with ENOSPC, in the locale that system/process.py sets.
NO_SPACE = os.strerror(errno.ENOSPC)


_REFUSALS = {
    code: errno.errorcode[code] for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
}
_FREE_SPACE = "free some space (a build needs about 4 GB), or: hardener clean --cache"
_REMEDIES = {
    errno.EROFS: "see how it is mounted (findmnt --target FOLDER), or work in a folder that can be written",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or end other programs",
    errno.ENFILE: "raise the limit of open files (sysctl fs.file-max), or end other programs",
}


def refuse_full_disk(said: str, where: Path | str) -> None:
    """Raise StackError when a program's output says that this machine let it write no more to ``where``: the disk is
    full or read-only, a quota is used up, or too many files are open.
    """
    for code, name in _REFUSALS.items():
        if os.strerror(code) in said or name in said:
            with full_disk_explained():
                raise OSError(code, os.strerror(code), str(where))


@contextlib.contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turn 'no space left', 'quota exceeded', 'read-only' and 'too many open files' into an error with a hint."""
    try:
        yield
    except OSError as error:
        # shutil.Error collects what happened to single files, as text.
        collected = isinstance(error, shutil.Error) and NO_SPACE in str(error)
        if collected or error.errno in _REFUSALS:
            where = error.filename or "the work area"
            hint = _REMEDIES.get(error.errno or errno.ENOSPC, _FREE_SPACE)
            raise StackError(f"cannot write {where}: {error.strerror or NO_SPACE}", hint=hint) from error
        raise


@contextlib.contextmanager
def refusal_explained() -> Iterator[None]:
    """Turn 'permission denied' and a file where a folder has to be into an error that names the place."""
    try:
        yield
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        named = Path(error.filename or ".")
        place = next((path for path in (named, *named.parents) if os.path.lexists(path)), named)
        raise StackError(
            f"cannot write to {place}: {error.strerror}",
            hint=f"look at its kind, owner and mode: ls -ld {shlex.quote(str(place))}",
        ) from error


def is_file(path: Path) -> bool:
    """Return whether a file is there. No error for a name that none can have; in Path.is_file, one too long is one."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Return whether a folder is there, as :func:`is_file` does."""
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: Path) -> bool:
    """Return whether anything is there, as :func:`is_file` does."""
    return os.path.exists(path)  # noqa: PTH110


def is_hidden(path: Path) -> bool:
    """Return whether it cannot be determined if anything is there, as a folder above cannot be read."""
    try:
        path.stat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return False


def write(path: Path, content: bytes) -> None:
    """Write a file so that a killed run leaves the old content or the new, never a half."""
    write_all({path: content})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write several files, each as :func:`write` does; none is replaced before all have been written beside.

    Raises StackError where the disk is full, the user may not write, or something else has a folder's name.
    """
    written: list[tuple[Path, Path]] = []
    with full_disk_explained(), refusal_explained():
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
    """Return a JSON file's content: sorted keys, two spaces, one line end at the end.

    Half of a surrogate pair, which UTF-8 cannot hold, becomes an escape of JSON: a page can put one into any text.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write(path, json_bytes(value))


def read_json(path: Path) -> Any:
    """Read a JSON file; None when it is missing or damaged (then what it describes counts as not there)."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):  # also numbers of 5000 digits
        return None


def replace_folder(
    target: Path,
    fill: Callable[[Path], None],
    *,
    keep: Callable[[Path], bool] = lambda _path: False,
    area: Path | None = None,
) -> None:
    """Fill a new folder and put it in the place of ``target``; a killed run leaves the old one or none.

    What ``keep`` accepts of the old folder's content moves over. The next call restores the old folder of a killed run
    that left none. Both folders are beside ``target``, or in ``area`` where that is on the same file system.
    """
    beside = area if area and area.stat().st_dev == target.parent.stat().st_dev else target.parent
    new, old = beside / f"{target.name}.new", beside / f"{target.name}.old"
    with full_disk_explained():
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(new)
        if old.exists() and not target.exists():
            old.rename(target)
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
        if old.exists():
            for path in filter(keep, sorted(old.iterdir())):
                path.rename(target / path.name)
        remove(old)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
