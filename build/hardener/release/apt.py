"""A repository for apt: ``dists/`` with lists and sums, ``pool/`` with packages; the same packages give the same bytes.

apt-ftparchive writes the present time into Release; reprepro and aptly keep a database. For two packages a release, a
pure function of the packages is enough. The tree is unsigned, the same for all builders; a maintainer signs it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import lzma
from email.utils import format_datetime
from typing import TYPE_CHECKING

from hardener.errors import StackError, UsageError
from hardener.release import deb, tree
from hardener.release.debian import META, WEB
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SUITE, COMPONENT = "stable", "main"
# Our packages are for all architectures. apt reads binary-all; older versions also want the list of their own.
ARCHITECTURES = ("all", "amd64", "arm64")
DISTS = f"dists/{SUITE}"
POOL = f"pool/{COMPONENT}/{META[0]}/{META}"


def earlier(folder: Path) -> list[tuple[str, bytes]]:
    """Return the packages in a folder and below: a repository's pool, or packages side by side.

    Raises UsageError for a file that is damaged, or is not our package with its own name.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="name a folder with packages of earlier releases")
    found = [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*.deb")) if not path.is_dir()]
    for name, content in found:
        deb.refuse_damaged(content, name)
        if not name.startswith((f"{META}_", f"{WEB}_")):
            raise UsageError(f"{name} is not a package of hardener", hint="keep only earlier releases there")
    return found


def is_signed(folder: Path) -> bool:
    """Return whether the repository in a folder has signatures."""
    return any((folder / DISTS / name).exists() for name in ("InRelease", "Release.gpg"))


def repository(packages: Iterable[tuple[str, bytes]], mtime: int) -> dict[str, bytes]:
    """Return the files of an unsigned repository with these packages (name, content): content by path.

    ``mtime`` is the time of this release, in seconds since 1970. Raises UsageError for a file that is not our package,
    and for two packages of one name and version that differ.

    apt ignores a list that is older than the one it has. A revision of an earlier release is older than the newest one,
    so the list's time is that of the newest package, and a second for each package.
    """
    files: dict[str, bytes] = {}
    for name, content in packages:
        path = f"{POOL}/{name}"
        if files.setdefault(path, content) != content:
            raise UsageError(
                f"{name} differs from the package of that name and version in an earlier release",
                hint="raise 'revision' in upstream.toml: a version is never used twice",
            )
    newest = max([mtime, *(deb.time_of(content, path) for path, content in files.items())]) + len(files)
    listed = "\n".join(_paragraph(path, files[path]) for path in sorted(files)).encode()
    lists: dict[str, bytes] = {}
    for architecture in ARCHITECTURES:
        folder = f"{COMPONENT}/binary-{architecture}"
        lists[f"{folder}/Packages"] = listed
        lists[f"{folder}/Packages.xz"] = lzma.compress(listed, preset=6)
    files[f"{DISTS}/Release"] = _release(lists, newest)
    for name, content in lists.items():
        digest = hashlib.sha256(content).hexdigest()
        files[f"{DISTS}/{name}"] = content
        files[f"{DISTS}/{name.rpartition('/')[0]}/by-hash/SHA256/{digest}"] = content
    return files


def signed(files: Mapping[str, bytes], key: str) -> dict[str, bytes]:
    """Return a repository's files with the signatures that apt checks: InRelease, Release.gpg, and the public key.

    ``key`` names a secret key of GnuPG. Raises StackError where gpg does not sign with it.
    """
    release = files[f"{DISTS}/Release"]
    user = ("--local-user", key)
    return dict(files) | {
        f"{DISTS}/InRelease": _gpg(release, *user, "--clearsign"),
        f"{DISTS}/Release.gpg": _gpg(release, *user, "--armor", "--detach-sign"),
        "hardener.asc": _gpg(b"", "--armor", "--export-options", "export-minimal", "--export", key),
    }


def order(path: str) -> tuple[int, str]:
    """Return the place of a file in the order of writing: packages, lists, and what names the lists last."""
    last = path.rpartition("/")[2] in {"Release", "Release.gpg", "InRelease"}
    return (0 if path.startswith("pool/") else 2 if last else 1), path


def archive(files: Mapping[str, bytes], mtime: int) -> bytes:
    """Return the repository as a tar archive."""
    return tree.tar(files, mtime)


def _paragraph(path: str, content: bytes) -> str:
    control = deb.read_control(content, path)
    more = {"Filename": path, "Size": str(len(content)), "SHA256": hashlib.sha256(content).hexdigest()}
    return control + "".join(f"{name}: {value}\n" for name, value in more.items())


def _release(lists: Mapping[str, bytes], mtime: int) -> bytes:
    head = {
        "Origin": "hardener",
        "Label": "hardener",
        "Suite": SUITE,
        "Codename": SUITE,
        "Date": format_datetime(dt.datetime.fromtimestamp(mtime, tz=dt.UTC)).replace("+0000", "UTC"),
        "Architectures": " ".join(ARCHITECTURES),
        "Components": COMPONENT,
        "Description": "Jitsi Meet with the hardened web client",
        "Acquire-By-Hash": "yes",
    }
    lines = [f"{name}: {value}" for name, value in head.items()]
    sums = [f" {hashlib.sha256(lists[name]).hexdigest()} {len(lists[name])} {name}" for name in sorted(lists)]
    return "".join(f"{line}\n" for line in [*lines, "SHA256:", *sums]).encode()


def _gpg(content: bytes, *words: str) -> bytes:
    done = run(["gpg", "--batch", "--yes", "--no-tty", *words], stdin=content)
    if done.status or not done.stdout:
        raise StackError(
            f"gpg does not sign: {done.complaint or 'there is no such key'}",
            hint="name a secret key of this user: gpg --list-secret-keys",
        )
    return done.stdout
