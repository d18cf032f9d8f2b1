"""Compare released files with those of a rebuild, file by file, and say what in them differs.

Another version of a compression library writes other bytes for the same content. That has a verdict of its own: an
archive is then unpacked and its files are compared.
"""

from __future__ import annotations

import contextlib
import enum
import gzip
import hashlib
import io
import re
import shutil
import tarfile
import uuid
import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_SHOWN = 8
_AR = b"!<arch>\n"


class Same(enum.StrEnum):
    """The relation of a released file and the rebuilt one."""

    BYTES = "identical"
    CONTENT = "same content, other compression"
    SUMS = "names the sums of files with other compression"
    NO = "differs"
    MISSING = "only released"
    NEW = "only rebuilt"


@dataclass(frozen=True)
class Compared:
    """One file; ``details`` are the files in it that differ."""

    name: str
    same: Same
    details: tuple[str, ...] = ()


def compare(released: Path, rebuilt: Path, names: Iterable[str], more: Iterable[str] = ()) -> list[Compared]:
    """Compare files of two folders by their names; ``more`` are names that only the rebuild should not have."""
    wanted = sorted(names)
    found = {name: _compared(released / name, rebuilt / name) for name in wanted}
    _excuse_records(released, rebuilt, found)
    return [*found.values(), *(Compared(name, Same.NEW) for name in sorted(set(more) - set(wanted)))]


def _compared(mine: Path, theirs: Path) -> Compared:
    if not theirs.is_file():
        return Compared(mine.name, Same.MISSING)
    contents = mine.read_bytes(), theirs.read_bytes()
    if contents[0] == contents[1]:
        return Compared(mine.name, Same.BYTES)
    try:
        ours, others = (dict(_members(mine.name, content)) for content in contents)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        return Compared(mine.name, Same.NO, (f"it cannot be unpacked: {error}",))
    if not ours and not others:
        return Compared(mine.name, Same.NO)
    differing = sorted(name for name in ours.keys() | others.keys() if ours.get(name) != others.get(name))
    if not differing:
        return Compared(mine.name, Same.CONTENT)
    more = (f"and {len(differing) - _SHOWN} more",) if len(differing) > _SHOWN else ()
    return Compared(mine.name, Same.NO, (*differing[:_SHOWN], *more))


def _members(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the files of an archive, also of archives in it, with a digest of their type, mode and content.

    Nothing is yielded for another file.
    """
    if content.startswith(_AR):
        for member, data in _ar(content):
            yield from ((f"{member}/{inner}", digest) for inner, digest in _of(member, data))
    elif re.search(r"\.tar(?:\.(?:gz|xz))?$", name):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                file = archive.extractfile(entry)
                head = f"{entry.type!r} {entry.mode:o} {entry.mtime} {entry.uid} {entry.linkname}\n".encode()
                for inner, digest in _of(entry.name, file.read() if file else b""):
                    yield inner or entry.name, hashlib.sha256(head + digest.encode()).hexdigest()


def _of(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the files in a file, or the file itself if it is not an archive; without its compression in both cases."""
    inner = list(_members(name, content))
    yield from inner or [("", hashlib.sha256(_expanded(name, content)).hexdigest())]


def _expanded(name: str, content: bytes) -> bytes:
    """Return what is compressed in a file; the file itself where that is not possible, or brotli is not installed."""
    if name.endswith(".gz"):
        with contextlib.suppress(OSError, EOFError, zlib.error):
            return gzip.decompress(content)
    if name.endswith(".br") and find_spec("brotli"):  # a package of the extra: a rebuild needs that anyway
        import brotli  # type: ignore[import-untyped]  # noqa: PLC0415

        with contextlib.suppress(brotli.error):
            return bytes(brotli.decompress(content))
    return content


def _ar(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of an ar(5) archive, which a Debian package is; its headers have no names over 16 bytes."""
    place = len(_AR)
    while place < len(content):
        header = content[place : place + 60]
        size = int(header[48:58])
        yield header[:16].decode("ascii", "replace").rstrip(" /"), content[place + 60 : place + 60 + size]
        place += 60 + size + size % 2


def _excuse_records(released: Path, rebuilt: Path, found: dict[str, Compared]) -> None:
    """Give records that differ only in sums and sizes of excused files their own verdict, until none is left."""
    excused = [name for name, compared in found.items() if compared.same is Same.CONTENT]
    while excused:
        names = [name for name, compared in found.items() if compared.same is Same.NO and not compared.details]
        known = [name for name, compared in found.items() if compared.same in {Same.CONTENT, Same.SUMS}]
        excused = [
            name for name in names if _without_sums(released, name, known) == _without_sums(rebuilt, name, known)
        ]
        for name in excused:
            found[name] = Compared(name, Same.SUMS)


def _without_sums(folder: Path, name: str, known: Iterable[str]) -> bytes:
    """Return a text with the names of files in place of what can be computed from their bytes."""
    text = (folder / name).read_bytes()
    for file in known:
        content = (folder / file).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        serial = str(uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{sha256}"))  # of a bill of materials (release/sbom.py)
        for value in (sha256, hashlib.sha512(content).hexdigest(), serial):
            text = text.replace(value.encode(), f"<{file}>".encode())
        text = re.sub(rb'("size": )%d\b' % len(content), rb'\1"<%s>"' % file.encode(), text)
    return text


def diffoscope(released: Path, rebuilt: Path, differing: Iterable[str], out: Path) -> list[Path]:
    """Write what diffoscope says about files that differ, if it is installed; returns its reports."""
    reports = []
    if shutil.which("diffoscope"):
        for name in differing:
            report = out / f"{name}.diffoscope.txt"
            run(["diffoscope", "--text", report, released / name, rebuilt / name])
            reports += [report] if report.exists() else []
    return reports


def verdict(compared: Iterable[Compared]) -> Same:
    """Return the verdict over all files: the worst one, where records follow from the archives that they are about."""
    found: Mapping[Same, int] = {entry.same: 1 for entry in compared}
    if set(found) <= {Same.BYTES}:
        return Same.BYTES
    return Same.CONTENT if set(found) <= {Same.BYTES, Same.CONTENT, Same.SUMS} else Same.NO
