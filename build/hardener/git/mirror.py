"""Bare repositories in the user's cache: who may write to one, how it is made, and whether git can read it.

All that is in a mirror can be fetched again. So one that git cannot read (after a power failure, or a full disk) is
put aside, and the caller fetches into a new one.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.git import leftovers
from hardener.git.repository import Repository
from hardener.system import disk, locks, stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REMOTE = "upstream"
_HEAD = re.compile(rb"ref: refs/heads/\S+\n|[0-9a-f]{40,64}\n")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# What 'git fsck' says of an object that upstream wrote in an odd way; git can still read it.
_ODD = ("error in ", "warning in ", "notice: ", "dangling ", "warning: ")
_DAMAGE = 2 | 4 | 8  # of its exit status: unreachable objects, packs, refs
_CRASH = 128


@contextlib.contextmanager
def held(path: Path, *, wait: bool = True, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of a mirror, and clear what a killed git left in it.

    Raises BusyError where a git that a person started is at work there, or (``wait=False``) another hardener.
    """
    with locks.lock(path.with_suffix(".lock"), wait=wait, waiting=waiting):
        leftovers.clear(path, waiting=waiting)
        yield


def make(path: Path, url: str = "") -> None:
    """Make the repository, or put its two small files right; ``url`` is where missing objects are promised to be.

    Each file is replaced in one step, without a lock file of git's. Without ``url`` the one that is there stays.
    """
    with disk.full_disk_explained():
        for name in ("objects/info", "objects/pack", "refs/heads"):
            (path / name).mkdir(parents=True, exist_ok=True)
    head, config = path / "HEAD", path / "config"
    if not (head.is_file() and _HEAD.fullmatch(head.read_bytes())):
        disk.write(head, b"ref: refs/heads/main\n")
    if not url and config.is_file() and config.read_bytes() != _config("").encode():
        url = Repository(path).git("config", "--file", config.absolute(), f"remote.{REMOTE}.url").text
    content = _config(url).encode()
    if not (config.is_file() and config.read_bytes() == content):
        disk.write(config, content)


def _config(url: str) -> str:
    lines = ["[core]", "\trepositoryformatversion = 1", "\tbare = true", "[gc]", "\tauto = 0"]
    if url:
        text = url.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines += ["[extensions]", f"\tpartialclone = {REMOTE}", f'[remote "{REMOTE}"]', f'\turl = "{text}"']
        lines += ["\tpromisor = true", "\tpartialclonefilter = blob:none"]
    return "".join(f"{line}\n" for line in lines)


def sound(path: Path) -> bool:
    """Return whether git can read all that is in a mirror.

    Git is asked again only where a file has changed since, or the machine was started again.
    """
    stamp = stamps.Stamp(path / "hardener-sound.json")
    key = stamps.key(_BOOT.read_text() if _BOOT.exists() else "", _files(path), stamps.file_digest_of(__file__))
    if stamp.facts(key) is not None:
        return True
    done = Repository(path).git("fsck", "--no-dangling", "--no-progress")
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if not line.startswith(_ODD)]
    if done.status and (said or done.status & _DAMAGE or done.status >= _CRASH):
        return False
    stamp.set(key, {})
    return True


def readable(path: Path) -> bool:
    """Return whether git opens a mirror and all packs in it are whole; for one too large for :func:`sound`."""
    packs = (path / "objects" / "pack").glob("pack-*.pack")
    return Repository(path).git("for-each-ref", "--count=1").status == 0 and all(map(_whole, packs))


def _whole(pack: Path) -> bool:
    """Compare the checksum at a pack's end with the one that its index names (gitformat-pack(5))."""
    ends = []
    for file, place in ((pack, 20), (pack.with_suffix(".idx"), 40)):
        with file.open("rb") as stream:
            if stream.seek(0, os.SEEK_END) < place:
                return False
            stream.seek(-place, os.SEEK_END)
            ends.append(stream.read(20))
    return ends[0] == ends[1]


def put_aside(path: Path) -> Path:
    """Move a mirror that git cannot read out of the way; return where it is kept until the next one."""
    aside = path.with_name(path.name + ".damaged")
    disk.remove(aside)
    path.rename(aside)
    return aside


def _files(path: Path) -> list[tuple[str, int, int]]:
    """Return size and time of all files with objects and refs: thousands, which scandir(3) lists fastest."""
    found = []
    for name in ("packed-refs", "shallow"):
        with contextlib.suppress(OSError):
            state = (path / name).stat()
            found.append((name, state.st_size, state.st_mtime_ns))
    folders = ["objects", "refs"]
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in os.scandir(path / folder):
                name = f"{folder}/{entry.name}"
                if entry.is_dir():
                    folders.append(name)
                else:
                    state = entry.stat()
                    found.append((name, state.st_size, state.st_mtime_ns))
    return sorted(found)
