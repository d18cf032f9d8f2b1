"""``SHA256SUMS`` in the format of sha256sum(1), and the names of the records beside an archive."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.system import stamps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUMS, MANIFEST, LOG = "SHA256SUMS", "build-manifest.json", "build-log.json"
SIGNATURE, BUILDERS = f"{SUMS}.sig", f"{SUMS}.d"  # the maintainers' signature, and the folder with those of builders
UNRELEASED = "UNRELEASED"  # a file that is among the files of a dry run of a release, and in their names
_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<name>(?!\.{1,2}$)[^/]+)")
_LARGEST = 1_000_000  # bytes: more than 5000 files


def read(folder: Path) -> dict[str, str]:
    """Return the sums of a folder's ``SHA256SUMS``: SHA-256 in hexadecimal by name of the file.

    Raises UsageError where the file is missing, empty or malformed, and for a name of another folder or one that is
    there twice.
    """
    path = folder / SUMS
    if not path.is_file():
        raise UsageError(f"there is no {path}", hint="name the folder with the released files, such as dist/")
    if not 0 < (size := path.stat().st_size) <= _LARGEST:
        raise UsageError(f"{path} has {size} bytes, which no list of released files has", hint="get the file again")
    sums: dict[str, str] = {}
    # Only the line end of sha256sum ends a line: for that program any other one is a part of a name.
    for number, line in enumerate(path.read_bytes().removesuffix(b"\n").decode("utf-8", "replace").split("\n"), 1):
        found = _LINE.fullmatch(line)
        if found is None or found["name"] in sums or not found["name"].isprintable():
            hint = "get the file again: each line is a SHA-256 and the name of a file beside it, each name once"
            raise UsageError(f"{path}:{number}: {line[:80]!r} is not a line of sha256sum", hint=hint)
        sums[found["name"]] = found["sha256"]
    return sums


def problems(folder: Path, listed: Mapping[str, str]) -> list[str]:
    """Return which listed files (name -> SHA-256) are not in a folder, or are not the listed ones."""
    wrong = []
    for name in sorted(listed):
        path = folder / name
        if path.is_symlink():
            wrong.append(f"{name} is a symbolic link, which can lead to another file tomorrow")
        elif not path.is_file():
            wrong.append(f"{name} is not there" if not path.exists() else f"{name} is not a file")
        elif stamps.file_digest(path) != listed[name]:
            wrong.append(f"{name} is another file than the one that was released")
    return wrong


def refuse_signed(folder: Path) -> None:
    """Raise UsageError for a folder with a signed release: other files in it would void the signatures."""
    if (folder / SIGNATURE).exists() or any((folder / BUILDERS).glob("*.sig")):
        raise UsageError(
            f"{folder} has a signed release, which this command would replace",
            hint=f"move it first: mv {shlex.quote(str(folder))} ANOTHER-FOLDER",
        )


def lines(sums: Mapping[str, str]) -> bytes:
    """Return the content of ``SHA256SUMS``, sorted by name.

    >>> lines({"b": "1", "a": "2"})
    b'2  a\\n1  b\\n'
    """
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
