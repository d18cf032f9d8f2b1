"""A Debian in a folder, in which packages are installed: made once by debootstrap, and shared by all machines.

Each machine is a stack of overlays. A command mounts them in a mount namespace of its own, so nothing stays mounted,
whatever happens to it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from hardener.proof.stack.images import sources
from hardener.release import tree
from hardener.system import disk, locks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Another release: HARDENER_SUITE=trixie, say.
SUITE = os.environ.get("HARDENER_SUITE", "bookworm")
# What a server of upstream's packages needs, and what Debian recommends with it.
WITH = "nginx-light prosody lua-unbound lua-basexx lua-cjson lua-luaossl lua-inspect openssl curl ca-certificates"
# Debian's own configuration of a test has no archive: what is installed comes from the test.
_POLICY = "#!/bin/sh\nexit 101\n"
_NUMBERS = itertools.count()
_EPOCH = 1_800_000_000
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
_INSTALL = f"""
mount -t proc proc "$1/proc" && export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 || exit
chroot "$1" apt-get update -qq && chroot "$1" apt-get install -qq --no-install-recommends {WITH} && chroot "$1" apt-get clean
"""
_MOUNT = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" || exit 125
root=$2/root
shift 2
exec chroot "$root" "$@"
"""


def base(cache: Path, suite: str = SUITE) -> Path:
    """Return the folder with a Debian, made in ``cache`` if need be; skips the test where that is not possible."""
    if os.geteuid() != 0:
        pytest.skip("a chroot needs root")
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed (apt-get install debootstrap)")
    packages = hashlib.sha256(WITH.encode()).hexdigest()[:8]
    folder = cache / f"chroot-{suite}-{packages}"
    with locks.lock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _make(folder, suite)
    return folder


def _make(folder: Path, suite: str) -> None:
    new = folder.with_suffix(".new")
    disk.remove(new)
    mirror, _ = sources()
    argv = ["unshare", "--mount", "debootstrap", "--variant=minbase", suite, str(new)]
    _succeed([*argv, *([mirror] if mirror else [])], new, f"debootstrap of {suite}")
    policy = new / "usr/sbin/policy-rc.d"
    policy.write_text(_POLICY)
    policy.chmod(0o755)
    # Not with debootstrap's --include: it does not know packages that another one provides.
    _succeed(["unshare", "--mount", "sh", "-c", _INSTALL, "sh", str(new)], new, f"installing {WITH} in {suite}")
    (new / "etc/apt/sources.list").write_text("")
    new.rename(folder)


def _succeed(argv: list[str], new: Path, what: str) -> None:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        disk.remove(new)
        pytest.skip(f"{what} failed: {done.stdout.strip().splitlines()[-1:]}")


@dataclass
class Machine:
    """A Debian to which each command adds; ``below`` are the folders whose state it begins with, the newest first."""

    folder: Path
    below: tuple[Path, ...]
    said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True)

    def copy(self, folder: Path) -> Machine:
        """Return a machine that begins where this one is now; this one must not change any more."""
        return Machine(folder / f"machine{next(_NUMBERS)}", (self.folder / "upper", *self.below))

    def run(self, *argv: str, stdin: bytes = b"") -> int:
        """Run a command; returns its status, and what it said is in ``said``."""
        words = ["unshare", "--mount", "sh", "-c", _MOUNT, "sh", ":".join(map(str, self.below)), str(self.folder)]
        done = subprocess.run(
            [*words, *argv],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            check=False,
        )
        self.said = done.stdout.decode("utf-8", "replace")
        return done.returncode

    def do(self, *argv: str) -> str:
        """Run a command that has to succeed; returns what it said."""
        assert self.run(*argv) == 0, f"{' '.join(argv)}\n{self.said}"
        return self.said

    def apt(self, *words: str) -> int:
        """Run apt-get without questions; returns its status."""
        return self.run("apt-get", "--yes", "--quiet", "--no-install-recommends", *words)

    def write(self, files: Mapping[str, bytes | str]) -> None:
        """Put files into the machine."""
        contents = {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
        # apt reads a list again if its time or size has changed.
        packed = tree.tar(contents, _EPOCH + next(_NUMBERS))
        assert self.run("tar", "--extract", "--directory=/", stdin=packed) == 0, self.said

    def versions(self) -> dict[str, str]:
        """Return the installed packages with their versions."""
        lines = self.do("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}|${Package}|${Version}\n")
        entries = (line.split("|") for line in lines.splitlines())
        return {name: version for state, name, version in entries if state[1] == "i"}  # also held ones

    def files(self, folder: str) -> set[str]:
        """Return the paths of the files below a folder."""
        return set(self.do("find", folder, "-type", "f").splitlines())
