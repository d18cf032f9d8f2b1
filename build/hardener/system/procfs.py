"""Find the processes that use a file or a git repository, from /proc.

Only processes of the same user can be looked into. Where there is no /proc, none is found: then locks (locks.py) are
all that keeps processes apart.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_PROC = Path("/proc")
_SUBCOMMAND = re.compile(rb"[a-z]+(?:-[a-z]+)*")
_VARIABLES = (b"GIT_DIR=", b"GIT_COMMON_DIR=", b"GIT_WORK_TREE=", b"GIT_OBJECT_DIRECTORY=")


@dataclass(frozen=True)
class Process:
    """A process that was there when it was looked for."""

    pid: int
    name: str
    argv: tuple[bytes, ...]

    def __str__(self) -> str:
        words = [word.decode() for word in self.argv[1:] if _SUBCOMMAND.fullmatch(word)]
        return " ".join([self.name, *words[:1], f"(process {self.pid})"])

    @property
    def alive(self) -> bool:
        """Return whether it still runs under this number and name."""
        try:
            state = (_PROC / str(self.pid) / "stat").read_bytes().rpartition(b")")[2].split()[0]
        except (OSError, IndexError):
            return False
        return state not in (b"Z", b"X") and _command(self.pid) == (self.name, self.argv)


def holders(files: Collection[Path]) -> list[Process]:
    """Return the other processes that have one of these files open."""
    wanted = {os.path.realpath(file) for file in files}
    return [process for process in _others() if wanted & set(_open_files(process.pid))]


def gits(folder: Path) -> list[Process]:
    """Return the running git programs that work in a repository: a bare one, or the one whose ``.git`` is given."""
    outers = _trees(folder.resolve())
    programs = [process for process in _others() if process.name == "git" or process.name.startswith("git-")]
    return [
        process
        for process in programs
        if any(place == outer or place.startswith(outer + os.sep) for place in _places(process) for outer in outers)
    ]


def _trees(inner: Path) -> set[str]:
    """Return the folders of a repository: its own or the work tree around it, and the linked work trees
    (git-worktree).
    """
    found = {str(inner.parent if inner.name == ".git" else inner)}
    for link in (inner / "gitdir", *inner.glob("worktrees/*/gitdir")):
        try:
            found.add(os.path.realpath(link.parent / Path(link.read_text().strip()).parent))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _others() -> Iterator[Process]:
    for name in [path.name for path in _PROC.iterdir()] if _PROC.is_dir() else ():
        if name.isdecimal() and int(name) != os.getpid() and (command := _command(int(name))):
            yield Process(int(name), *command)


def _command(pid: int) -> tuple[str, tuple[bytes, ...]] | None:
    try:
        name = (_PROC / str(pid) / "comm").read_text("utf-8", "replace").strip()
        return name, tuple((_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[:-1])
    except OSError:
        return None


def _open_files(pid: int) -> list[str]:
    try:
        return [os.fspath(number.readlink()) for number in (_PROC / str(pid) / "fd").iterdir()]
    except OSError:  # it has ended, or it is another user's
        return []


def _places(process: Process) -> Iterator[str]:
    """Yield where a git program works: its directory, and the repository that its command line or environment names."""
    folder = _PROC / str(process.pid)
    try:
        here = (folder / "cwd").readlink()
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return
    yield os.fspath(here)
    named = [value.partition(b"=")[2] for value in variables if value.startswith(_VARIABLES)]
    named += [word.partition(b"=")[2] for word in process.argv if word.startswith(b"--git-dir=")]
    named += [word for option, word in zip(process.argv, process.argv[1:], strict=False) if option == b"--git-dir"]
    for word in named:
        yield os.path.realpath(here / os.fsdecode(word))
    yield from _open_files(process.pid)
