"""Released files against rebuilt ones: what differs, and whether only the compression does."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import uuid
from typing import TYPE_CHECKING

import pytest

from hardener.release.comparison import Same, compare, verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tar(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def ar(members: dict[str, bytes]) -> bytes:
    content = b"!<arch>\n"
    for name, data in members.items():
        content += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    return content


def packed(files: dict[str, bytes], level: int) -> bytes:
    return gzip.compress(tar(files), level, mtime=0)


def deb(files: dict[str, bytes], level: int) -> bytes:
    return ar({"debian-binary": b"2.0\n", "data.tar.xz": lzma.compress(tar(files), preset=level)})


TEXT = b"console.log(1);\n" * 500
FILES = {"libs/app.js": TEXT, "index.html": b"<html>"}


def folders(tmp_path: Path, **files: tuple[bytes, bytes | None]) -> dict[str, Same]:
    """Write files (name -> released, rebuilt) and compare them."""
    for number, folder in enumerate(("released", "rebuilt")):
        (tmp_path / folder).mkdir()
        for name, contents in files.items():
            if contents[number] is not None:
                (tmp_path / folder / name).write_bytes(contents[number])
    found = compare(tmp_path / "released", tmp_path / "rebuilt", files)
    return {entry.name: entry.same for entry in found} | {"": verdict(found)}  # type: ignore[dict-item]


@pytest.mark.parametrize(("name", "write"), [("a.tar.gz", packed), ("a.deb", deb)])
def test_another_level_of_compression_is_the_same_content(
    tmp_path: Path, name: str, write: Callable[[dict[str, bytes], int], bytes]
) -> None:
    assert write(FILES, 1) != write(FILES, 9)
    assert folders(tmp_path, **{name: (write(FILES, 1), write(FILES, 9))}) == {name: Same.CONTENT, "": Same.CONTENT}


@pytest.mark.parametrize(("name", "write"), [("a.tar.gz", packed), ("a.deb", deb)])
def test_a_changed_file_in_an_archive_is_named(
    tmp_path: Path, name: str, write: Callable[[dict[str, bytes], int], bytes]
) -> None:
    (tmp_path / "released").mkdir()
    (tmp_path / "rebuilt").mkdir()
    (tmp_path / "released" / name).write_bytes(write(FILES, 1))
    (tmp_path / "rebuilt" / name).write_bytes(write(FILES | {"libs/app.js": TEXT[:-2] + b"x\n"}, 9))
    (found,) = compare(tmp_path / "released", tmp_path / "rebuilt", [name])
    assert (found.same, len(found.details)) == (Same.NO, 1)
    assert found.details[0].endswith("libs/app.js")


def test_another_mode_and_a_file_more_differ(tmp_path: Path) -> None:
    first, second = gzip.compress(tar(FILES), mtime=0), gzip.compress(tar(FILES, 0o755), mtime=0)
    more = packed(FILES | {"new.js": b""}, 9)
    found = folders(tmp_path, **{"a.tar.gz": (first, second), "b.tar.gz": (first, more)})
    assert found == {"a.tar.gz": Same.NO, "b.tar.gz": Same.NO, "": Same.NO}


def test_compressed_copies_in_an_archive_are_compared_by_their_content(tmp_path: Path) -> None:
    copies = [gzip.compress(TEXT, level, mtime=0) for level in (1, 9)]
    changed = gzip.compress(TEXT + b"1", mtime=0)
    archives = [packed(FILES | {"libs/app.js.gz": copy}, 9) for copy in (*copies, changed)]
    found = folders(tmp_path, **{"a.tar.gz": (archives[0], archives[1]), "b.tar.gz": (archives[0], archives[2])})
    assert found == {"a.tar.gz": Same.CONTENT, "b.tar.gz": Same.NO, "": Same.NO}


def record(archive: bytes, more: str = "") -> bytes:
    """Return a record as a manifest and a bill of materials are: with the sums and the size of an archive."""
    digest = hashlib.sha256(archive).hexdigest()
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{digest}")
    return f'"{digest}" "{hashlib.sha512(archive).hexdigest()}" "{serial}" "size": {len(archive)},{more}'.encode()


def test_a_record_that_names_the_sums_of_other_compression_is_excused_and_no_other(tmp_path: Path) -> None:
    mine, theirs = packed(FILES, 1), packed(FILES, 9)
    manifest = (record(mine), record(theirs))
    statements = tuple(hashlib.sha256(content).hexdigest().encode() for content in manifest)
    files = {
        "a.tar.gz": (mine, theirs), "manifest.json": manifest, "provenance.json": statements,
        "bill.json": (record(mine), record(theirs, "one more package")),
    }  # fmt: skip
    found = folders(tmp_path, **files)
    assert (found["manifest.json"], found["provenance.json"]) == (Same.SUMS, Same.SUMS)
    assert (found["bill.json"], found[""]) == (Same.NO, Same.NO)


def test_records_alone_are_not_excused(tmp_path: Path) -> None:
    archive = packed(FILES, 1)
    found = folders(tmp_path, **{"a.tar.gz": (archive, archive), "manifest.json": (record(archive), record(b""))})
    assert found == {"a.tar.gz": Same.BYTES, "manifest.json": Same.NO, "": Same.NO}


@pytest.mark.parametrize("content", [b"no archive", b"\x1f\x8b damaged", b""])
def test_a_damaged_archive_differs(tmp_path: Path, content: bytes) -> None:
    assert folders(tmp_path, **{"a.tar.gz": (packed(FILES, 1), content)})["a.tar.gz"] is Same.NO


def test_files_of_one_side_only_differ(tmp_path: Path) -> None:
    assert folders(tmp_path, **{"a.json": (b"{}", None)}) == {"a.json": Same.MISSING, "": Same.NO}
    (tmp_path / "rebuilt/new.json").write_text("")
    found = compare(tmp_path / "released", tmp_path / "rebuilt", [], ["new.json"])
    assert [(entry.name, entry.same) for entry in found] == [("new.json", Same.NEW)]
    assert verdict(found) is Same.NO
