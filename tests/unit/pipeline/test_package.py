"""pipeline/package.py: the same site gives the same bytes, wherever and whenever it is packed."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from hardener.errors import StackError, UsageError
from hardener.pipeline.package import Packaged, add_file, measure, package, write_records
from hardener.system import disk
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

LABEL, MTIME = "meet-1.0+1", 1_700_000_000
SITE = {
    "index.html": "<p>",
    "libs/app.js": "x" * 5000,
    "libs/app.js.map": "{}",
    "libs/sub/b.js": "y",
    "css/all.css": "a{}",
    "sounds/größe & maß.wav": b"\xff",
    "a-b/x": "1",
    "a/x": "2",
    "very/" + "long/" * 40 + "name.txt": "3",
}


def pack(folder: Path, key: str = "k", **more: object) -> Packaged:
    """Pack the site in a folder."""
    values = {"label": LABEL, "key": key, "mtime": MTIME, "dist": folder / "dist", "work": folder / "work"} | more
    return package(folder / "site", **values)  # type: ignore[arg-type]


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """Return a folder with a site that has one executable."""
    write_files(tmp_path / "site", SITE)
    (tmp_path / "site" / "a/x").chmod(0o755)
    return tmp_path


def members(path: Path) -> list[tarfile.TarInfo]:
    """Return all entries of an archive."""
    with tarfile.open(path) as archive:
        return archive.getmembers()


def test_two_trees_made_differently_give_the_same_bytes(area: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    before = os.umask(0o077)
    try:
        write_files(other / "site", dict(reversed(SITE.items())))
    finally:
        os.umask(before)
    (other / "site" / "a/x").chmod(0o700)
    for path in (other / "site").rglob("*"):
        os.utime(path, (1, 1))
    first, second = pack(area), pack(other)
    assert first.site.path.read_bytes() == second.site.path.read_bytes()
    assert first.maps.path.read_bytes() == second.maps.path.read_bytes()


def test_owners_times_and_modes_say_nothing_about_the_machine(area: Path) -> None:
    for archive in (pack(area).site, pack(area).maps):
        for member in members(archive.path):
            assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", MTIME)
            assert member.mode == (0o755 if member.isdir() or member.name == "a/x" else 0o644)


def test_the_gzip_header_says_nothing_about_the_machine(area: Path) -> None:
    header = pack(area).site.path.read_bytes()[:10]
    assert header[:2] == b"\x1f\x8b"
    assert header[3:8] == bytes(5), "no file name, no time"


def test_entries_are_sorted_and_every_folder_is_there_once_before_its_files(area: Path) -> None:
    names = [member.name for member in members(pack(area).site.path)]
    files = [member.name for member in members(pack(area).site.path) if member.isfile()]
    assert files == sorted(files, key=str.encode)
    assert len(names) == len(set(names))
    for name in names:
        assert "/" not in name or names.index(name.rsplit("/", 1)[0]) < names.index(name)


def test_the_archive_holds_the_site_and_the_maps_lie_apart(area: Path) -> None:
    packaged = pack(area)
    with tarfile.open(packaged.site.path) as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr]
    wanted = {name: content if isinstance(content, bytes) else content.encode() for name, content in SITE.items()}
    assert {name: content for name, content in wanted.items() if not name.endswith(".map")} == found
    assert [member.name for member in members(packaged.maps.path) if member.isfile()] == ["libs/app.js.map"]


def test_sizes_are_measured(area: Path) -> None:
    js = ("x" * 5000).encode(), b"y"
    sizes = pack(area).sizes
    assert (sizes["js"], sizes["css"]) == (5001, 3)
    assert sizes["js.gz"] == sum(len(gzip.compress(content, 6, mtime=0)) for content in js)
    assert sizes["all"] == sum(
        len(text if isinstance(text, bytes) else text.encode()) for name, text in SITE.items() if ".map" not in name
    )


def test_a_compressed_copy_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_bytes(b"x" * 5000)
    (tmp_path / "app.js.gz").write_bytes(gzip.compress(b"x" * 5000))
    assert measure(tmp_path.iterdir())["all"] == 5000


def test_the_second_call_does_nothing(area: Path) -> None:
    first = pack(area)
    inode = first.site.path.stat().st_ino
    second = pack(area)
    assert (first.fresh, second.fresh) == (True, False)
    assert (first.site, first.maps, first.sizes) == (second.site, second.maps, second.sizes)
    assert inode == second.site.path.stat().st_ino


@pytest.mark.parametrize(
    "change", [{"key": "other"}, {"mtime": MTIME + 1}, {"label": "meet-1.0+2"}], ids=lambda change: next(iter(change))
)
def test_another_input_is_packed_anew(area: Path, change: dict[str, object]) -> None:
    first = pack(area)
    second = pack(area, **change)  # type: ignore[arg-type]
    assert second.fresh
    assert first.site != second.site or "key" in change


@pytest.mark.parametrize("which", ["site", "maps"])
@pytest.mark.parametrize("how", ["tampered", "truncated", "removed"])
def test_an_archive_that_is_not_what_was_written_is_written_anew(area: Path, which: str, how: str) -> None:
    first = pack(area)
    archive = getattr(first, which)
    content = archive.path.read_bytes()
    {
        "tampered": lambda: archive.path.write_bytes(content[:-9] + b"\0" + content[-8:]),
        "truncated": lambda: archive.path.write_bytes(content[:-1]),
        "removed": archive.path.unlink,
    }[how]()
    again = pack(area)
    assert again.fresh
    assert content == archive.path.read_bytes()


def test_the_sums_are_right(area: Path) -> None:
    packaged = pack(area)
    for archive in (packaged.site, packaged.maps):
        content = archive.path.read_bytes()
        assert (archive.sha256, archive.size) == (hashlib.sha256(content).hexdigest(), len(content))
    write_records(area / "dist", packaged, {"schema": 1}, {"seconds": {}})
    done = subprocess.run(
        ["sha256sum", "--strict", "--check", "SHA256SUMS"], cwd=area / "dist", capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.decode() == f"build-manifest.json: OK\n{LABEL}-sourcemaps.tar.gz: OK\n{LABEL}.tar.gz: OK\n"
    assert disk.read_json(area / "dist" / "build-manifest.json") == {"schema": 1}


@pytest.mark.parametrize("name", [f"{LABEL}.tar.gz", f"{LABEL}-sourcemaps.tar.gz", "build-manifest.json"])
def test_sha256sum_notices_a_tampered_file(area: Path, name: str) -> None:
    write_records(area / "dist", pack(area), {}, {})
    (area / "dist" / name).write_bytes(b"x")
    done = subprocess.run(["sha256sum", "--check", "--status", "SHA256SUMS"], cwd=area / "dist", check=False)
    assert done.returncode == 1


def test_the_digest_of_the_content_is_what_the_documented_commands_print(area: Path) -> None:
    write_files(area / "site", {"a/x.gz": b"one", "a/x.br": b"two"})
    packaged = pack(area)
    (area / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", packaged.site.path, "-C", area / "unpacked"], check=True)
    command = "find . -type f ! -name '*.gz' ! -name '*.br' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    done = subprocess.run(["sh", "-c", command], cwd=area / "unpacked", capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == packaged.site.content


def test_another_compression_gives_other_sums_and_the_same_content(
    area: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack(area)
    monkeypatch.setattr("hardener.pipeline.package._LEVEL", 0)
    second = pack(area, work=tmp_path / "elsewhere")
    assert first.site.sha256 != second.site.sha256
    assert (first.site.content, first.maps.content) == (second.site.content, second.maps.content)


def test_another_file_gives_another_content(area: Path) -> None:
    first = pack(area)
    (area / "site" / "a/x").write_bytes(b"changed")
    assert pack(area, key="other").site.content != first.site.content


def test_the_log_of_the_run_that_wrote_the_archives_is_kept(area: Path) -> None:
    packaged = pack(area)
    write_records(area / "dist", packaged, {"schema": 1}, {"seconds": {"fetch": 1}})
    write_records(area / "dist", packaged, {"schema": 1}, {"seconds": {"fetch": 2}})
    assert disk.read_json(area / "dist" / "build-log.json") == {"seconds": {"fetch": 1}}


@pytest.mark.parametrize("signature", ["SHA256SUMS.sig", "SHA256SUMS.d/builder.sig"])
def test_a_later_build_changes_no_file_of_a_signed_release(area: Path, signature: str) -> None:
    packaged, dist = pack(area), area / "dist"
    write_records(dist, packaged, {"schema": 1}, {})
    add_file(dist, "notes.md", b"notes")
    write_files(dist, {signature: "signed"})
    before = {path: path.read_bytes() for path in dist.rglob("*") if path.is_file()}
    write_records(dist, pack(area), {"schema": 1}, {})  # the same build, which changes nothing
    add_file(dist, "notes.md", b"notes")
    for write in (
        lambda: pack(area, key="another", mtime=MTIME + 1),
        lambda: write_records(dist, packaged, {"schema": 2}, {}),
        lambda: add_file(dist, "app.deb", b"a package"),
    ):
        with pytest.raises(UsageError, match="signed release") as caught:
            write()
        assert str(dist) in caught.value.hint
    assert {path: path.read_bytes() for path in dist.rglob("*") if path.is_file()} == before


def test_a_site_without_maps_has_an_empty_archive_of_maps(area: Path) -> None:
    (area / "site/libs/app.js.map").unlink()
    assert members(pack(area).maps.path) == []


def test_a_full_disk_leaves_no_half_archive_and_no_stamp(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StackError) as caught:
            pack(area)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (8, True)
    assert list((area / "dist").iterdir()) == []
    assert pack(area).fresh
