"""The format of a Debian package (deb(5)): an ar archive of two compressed tar archives.

Written here, with the standard library: ``dpkg-deb --build`` takes contents, owners and modes from the disk, compresses
with the library of its machine, and is found on Debian only. python-debian reads packages and does not write them. It
is licensed under the GPL, so only the tests use it, to read ours.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import re
import tarfile
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.release import tree

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAGIC = b"!<arch>\n"
_VERSION = b"2.0\n"
_HEAD = 60  # bytes before each file of an ar archive
_NAMING = ("Package", "Version", "Architecture")
_PIECE = 1_000_000  # bytes that are decompressed at once
_LARGEST = 10_000_000  # bytes of a control archive; ours have less than 200 000
_BLOCK = 1024  # Installed-Size counts blocks of this size
# Half of a site is compressed copies already: level 2 takes three times as long for three per cent less.
_LEVEL = 0


def build(
    fields: Mapping[str, str],
    files: Mapping[str, bytes],
    mtime: int,
    *,
    conffiles: tuple[str, ...] = (),
    scripts: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a package as bytes.

    ``fields`` are those of its control file without Installed-Size, in their order; empty ones are left out. ``files``
    are paths without the leading slash; ``conffiles`` are some of them. ``scripts`` are maintainer scripts by name.
    """
    control = {"control": _control({**fields, "Installed-Size": str(_size(files))})}
    control["md5sums"] = "".join(
        f"{hashlib.md5(files[name], usedforsecurity=False).hexdigest()}  {name}\n"
        for name in sorted(set(files) - set(conffiles), key=str.encode)
    ).encode()
    if conffiles:
        control["conffiles"] = "".join(f"/{name}\n" for name in conffiles).encode()
    members = {
        "debian-binary": _VERSION,
        "control.tar.xz": _compressed(tree.tar(control | dict(scripts or {}), mtime, prefix="./")),
        "data.tar.xz": _compressed(tree.tar(files, mtime, prefix="./")),
    }
    return _ar(members, mtime)


def read_control(content: bytes, name: str) -> str:
    """Return the control file of a package that :func:`build` made; raises UsageError for another file."""
    try:
        return _read_control(content)
    except (ValueError, KeyError, lzma.LZMAError, tarfile.TarError) as error:
        raise UsageError(f"{name} is not a package of hardener", hint="keep only earlier releases there") from error


def time_of(content: bytes, name: str) -> int:
    """Return the time of a package; raises UsageError for a file that is not a package."""
    found = content[len(_MAGIC) :][16:28].strip()
    if not (content.startswith(_MAGIC) and found.isdigit()):
        raise UsageError(f"{name} is not a package of hardener", hint="keep only earlier releases there")
    return int(found)


def _read_control(content: bytes) -> str:
    with tarfile.open(fileobj=io.BytesIO(_decompressed(_members(content)["control.tar.xz"]))) as archive:
        found = archive.extractfile("./control")
        if found is None:
            raise ValueError("control is not a file")
        return found.read().decode("utf-8")


def refuse_damaged(content: bytes, name: str) -> None:
    """Raise UsageError for a file that is not a whole package, or has the name of another one."""
    fields = dict(re.findall(rf"^({'|'.join(_NAMING)}): (.*)$", read_control(content, name), re.MULTILINE))
    if len(fields) < len(_NAMING) or file_name(fields) != name:
        raise UsageError(f"{name} is another package than its name says", hint="get it again, with its own name")
    try:
        _decompressed(_members(content)["data.tar.xz"], keep=False)
    except (ValueError, KeyError, lzma.LZMAError) as error:
        raise UsageError(f"{name} is damaged: {error}", hint="get it again from the release that it is of") from error


def _members(content: bytes) -> dict[str, bytes]:
    """Return the files of an ar archive; raises ValueError where it is not one, or ends too early."""
    found: dict[str, bytes] = {}
    if not content.startswith(_MAGIC):
        raise ValueError("it is not an archive of ar")
    place = len(_MAGIC)
    while place < len(content):
        head = content[place : place + _HEAD]
        start, size = place + _HEAD, int(head[48:58])
        if head[58:] != b"`\n" or not 0 <= size <= len(content) - start:
            raise ValueError("it ends too early")
        found[head[:16].decode("ascii").rstrip()] = content[start : start + size]
        place = start + size + size % 2
    return found


def _decompressed(content: bytes, *, keep: bool = True) -> bytes:
    """Return what was compressed with xz, or check only that it is whole; raises ValueError where it is too large."""
    stream, found, size = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=100_000_000), [], 0
    piece = stream.decompress(content, _PIECE)
    while piece or not stream.eof:
        size += len(piece)
        if not piece and stream.needs_input:
            raise ValueError("it ends too early")
        if keep:
            found.append(piece)
            if size > _LARGEST:
                raise ValueError("it is too large")
        piece = b"" if stream.eof else stream.decompress(b"", _PIECE)
    return b"".join(found)


def gzipped(content: bytes) -> bytes:
    """Return a documentation file as Debian wants it: compressed, without name and time."""
    return gzip.compress(content, 9, mtime=0)


def file_name(fields: Mapping[str, str]) -> str:
    """Return the name of a package's file; an epoch is not a part of it.

    >>> file_name({"Package": "meet", "Version": "1:2.0+1", "Architecture": "all"})
    'meet_2.0+1_all.deb'
    """
    return f"{fields['Package']}_{fields['Version'].rpartition(':')[2]}_{fields['Architecture']}.deb"


def _control(fields: Mapping[str, str]) -> bytes:
    """Return a control file; lines of a description after the first one are folded as its format wants it."""
    lines = []
    for name, value in fields.items():
        first, *more = value.split("\n")
        lines += [f"{name}: {first}", *(f" {line or '.'}" for line in more)] if value else []
    return "".join(f"{line}\n" for line in lines).encode()


def _size(files: Mapping[str, bytes]) -> int:
    return sum(-(-len(content) // _BLOCK) for content in files.values()) + len(tree.folders_of(files))


def _compressed(content: bytes) -> bytes:
    return lzma.compress(content, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=_LEVEL)


def _ar(members: Mapping[str, bytes], mtime: int) -> bytes:
    archive = [_MAGIC]
    for name, content in members.items():
        head = f"{name:<16}{mtime:<12}{0:<6}{0:<6}{0o100644:<8o}{len(content):<10}`\n"
        archive += [head.encode(), content, b"\n" * (len(content) % 2)]
    return b"".join(archive)
