"""Step 9: pack the site so that the same input gives the same bytes, with sums and a manifest.

The archive's root is what Debian's package puts into ``/usr/share/jitsi-meet``. Source maps go into an archive of their
own: they are half of the site and only auditors want them; unpacked over the site they are found by a debugger.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.pipeline import compressed
from hardener.policy.addresses import MAP_SUFFIX
from hardener.system import disk, stamps, sums
from hardener.system.sums import LOG, MANIFEST, SUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# Level 5: level 6 takes half as long again for less than one per cent, level 9 six times as long for two.
_LEVEL = 5


@dataclass(frozen=True)
class Archive:
    """A finished archive: its SHA-256 in hexadecimal, its size in bytes, and the SHA-256 of what is in it.

    ``content`` is the same where another version of zlib or brotli wrote the archive: see :func:`content_digest`.
    """

    path: Path
    sha256: str
    size: int
    content: str


@dataclass(frozen=True)
class Packaged:
    """The archives of one build; ``sizes`` are bytes of the site by kind of file, raw and compressed."""

    site: Archive
    maps: Archive
    sizes: dict[str, int]
    fresh: bool


@dataclass(frozen=True)
class Packed:
    """The bytes of both archives, still in memory, and the site's sizes."""

    site: bytes
    maps: bytes
    sizes: dict[str, int]
    contents: dict[str, str]


def package(
    site: Path, label: str, key: str, mtime: int, dist: Path, work: Path, packed: Callable[[], Packed] | None = None
) -> Packaged:
    """Pack ``site`` into ``dist/<label>.tar.gz`` and ``dist/<label>-sourcemaps.tar.gz``.

    ``key`` identifies the site, ``mtime`` is as for :func:`pack`; ``packed`` gives what that made, where it was begun
    before. Files in ``dist`` appear complete or not at all. Raises UsageError where ``dist`` has a signed release of
    other files.
    """
    key = stamps.key(key, label, mtime, stamps.file_digest_of(__file__), zlib.ZLIB_RUNTIME_VERSION)
    stamp = stamps.Stamp(work / "package.json")
    paths = {"site": dist / f"{label}.tar.gz", "maps": dist / f"{label}-sourcemaps.tar.gz"}
    facts = stamp.facts(key)
    if facts and all(path.exists() and stamps.file_digest(path) == facts[name] for name, path in paths.items()):
        archives = {
            name: Archive(path, facts[name], path.stat().st_size, facts["contents"][name])
            for name, path in paths.items()
        }
        return Packaged(archives["site"], archives["maps"], facts["sizes"], fresh=False)
    sums.refuse_signed(dist)
    stamp.clear()
    new = packed() if packed else pack(site, mtime)
    contents = {"site": new.site, "maps": new.maps}
    disk.write_all({paths[name]: content for name, content in contents.items()})
    archives = {
        name: Archive(paths[name], hashlib.sha256(content).hexdigest(), len(content), new.contents[name])
        for name, content in contents.items()
    }
    facts = {"sizes": new.sizes, "contents": new.contents}
    stamp.set(key, facts | {name: archive.sha256 for name, archive in archives.items()})
    return Packaged(archives["site"], archives["maps"], new.sizes, fresh=True)


def pack(site: Path, mtime: int) -> Packed:
    """Pack ``site``, and its source maps apart; nothing is written.

    ``mtime`` (seconds since 1970: the pin's commit date, and the revision in seconds) is the time of every entry; owner
    is 0, modes are 0644 and 0755 (reproducible-builds.org, "Archive metadata").
    """
    files = sorted(path for path in site.rglob("*") if path.is_file())
    maps = [path for path in files if path.name.endswith(MAP_SUFFIX)]
    served = [path for path in files if not path.name.endswith(MAP_SUFFIX)]
    with ThreadPoolExecutor(3) as pool:  # zlib works outside Python's global lock
        archives = [pool.submit(_pack, site, some, mtime) for some in (served, maps)]
        sizes = pool.submit(measure, served)
        contents = {"site": content_digest(site, served), "maps": content_digest(site, maps)}
        return Packed(archives[0].result(), archives[1].result(), sizes.result(), contents)


def content_digest(root: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 of a list of files below ``root``, whichever library compressed them.

    Compressed copies beside a file are left out. It is the sum that these commands print in an unpacked archive:
    ``find . -type f ! -name '*.gz' ! -name '*.br' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum``.
    """
    names = {file.relative_to(root).as_posix(): file for file in files if file.suffix not in compressed.SUFFIXES}
    lines = (f"{stamps.file_digest(names[name])}  ./{name}\n".encode() for name in sorted(names, key=str.encode))
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _pack(root: Path, files: Iterable[Path], mtime: int) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=_LEVEL) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        folders: set[Path] = set()
        for file in sorted(files, key=lambda path: path.relative_to(root).as_posix().encode()):
            name = file.relative_to(root)
            for folder in reversed(name.parents[:-1]):
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_entry(folder.as_posix(), mtime, tarfile.DIRTYPE, 0o755))
            content = file.read_bytes()
            entry = _entry(name.as_posix(), mtime, tarfile.REGTYPE, 0o755 if file.stat().st_mode & 0o100 else 0o644)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _entry(name: str, mtime: int, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mtime, entry.mode = kind, mtime, mode
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def measure(files: Iterable[Path]) -> dict[str, int]:
    """Return bytes by kind of file: ``js``, ``js.gz`` (file by file, as a web server does it), ``css``, ``all``.

    Compressed copies are not counted: they are sent in place of a file that is.
    """
    sizes = {"js": 0, "js.gz": 0, "css": 0, "all": 0}
    for file in files:
        if file.suffix in compressed.SUFFIXES:
            continue
        content = file.read_bytes()
        sizes["all"] += len(content)
        if file.suffix == ".js":
            sizes["js"] += len(content)
            sizes["js.gz"] += len(gzip.compress(content, 6, mtime=0))
        elif file.suffix == ".css":
            sizes["css"] += len(content)
    return sizes


def write_records(dist: Path, packaged: Packaged, manifest: dict[str, Any], log: dict[str, Any]) -> None:
    """Write the manifest, ``SHA256SUMS`` (format of sha256sum(1)) and the log beside the archives.

    Where the manifest is there with the same bytes and its sums are right, the log of the run that wrote them is kept,
    and so are sums of other files.
    """
    content = disk.json_bytes(manifest)
    wanted = {archive.path.name: archive.sha256 for archive in (packaged.site, packaged.maps)}
    wanted[MANIFEST] = hashlib.sha256(content).hexdigest()
    written = (dist / MANIFEST).is_file() and (dist / MANIFEST).read_bytes() == content
    if written and (dist / LOG).exists() and wanted.items() <= _sums(dist).items():
        return
    sums.refuse_signed(dist)
    disk.write_all({dist / LOG: disk.json_bytes(log), dist / MANIFEST: content, dist / SUMS: sums.lines(wanted)})


def _sums(dist: Path) -> dict[str, str]:
    """Return the sums in ``SHA256SUMS``; none where it is missing or damaged, so that it is written again."""
    try:
        return sums.read(dist)
    except UsageError:
        return {}


def add_file(dist: Path, name: str, content: bytes) -> None:
    """Write a file beside the archives, and its sum into ``SHA256SUMS``."""
    before = _sums(dist)
    known = before | {name: hashlib.sha256(content).hexdigest()}
    if known != before:
        sums.refuse_signed(dist)
    disk.write_all({dist / name: content, dist / SUMS: sums.lines(known)})


def archive_records(packaged: Packaged) -> list[dict[str, Any]]:
    """Return what the manifest says of the archives."""
    return [
        {"file": archive.path.name, "sha256": archive.sha256, "size": archive.size, "content_sha256": archive.content}
        for archive in (packaged.site, packaged.maps)
    ]
