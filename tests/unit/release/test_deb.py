"""The format of Debian packages, read by python-debian and by dpkg."""

from __future__ import annotations

import io
import lzma
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from debian import arfile, debfile

from hardener.errors import UsageError
from hardener.release import deb

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 1778697122
FIELDS = {
    "Package": "meet",
    "Source": "",
    "Version": "2.0+1",
    "Architecture": "all",
    "Description": "short\nlong\n\nend",
}
LONG = "usr/share/meet/" + "x" * 120 + "/file"
FILES = {
    "usr/share/meet/run.sh": b"#!/bin/sh\n",
    "usr/share/meet/a.js": b"x" * 1025,
    "etc/meet.conf": b"set\n",
    LONG: b"",
}
POSTINST = b"#!/bin/sh\nexit 0\n"


@pytest.fixture(scope="module")
def content() -> bytes:
    """Provide a package."""
    return deb.build(FIELDS, FILES, EPOCH, conffiles=("etc/meet.conf",), scripts={"postinst": POSTINST})


def read(content: bytes) -> Any:
    """Return python-debian's view of a package."""
    return debfile.DebFile(fileobj=io.BytesIO(content))


def test_the_members_are_in_the_order_and_with_the_fields_of_deb_5(content: bytes) -> None:
    members = arfile.ArFile(fileobj=io.BytesIO(content)).getmembers()
    assert [member.name for member in members] == ["debian-binary", "control.tar.xz", "data.tar.xz"]
    assert {(member.mtime, member.owner, member.group, member.fmode.strip()) for member in members} == {
        (EPOCH, 0, 0, b"100644")
    }
    assert len(content) % 2 == 0


def test_control_fields_are_read_as_they_were_given(content: bytes) -> None:
    control = read(content).debcontrol()
    assert dict(control) == {
        "Package": "meet",
        "Version": "2.0+1",
        "Architecture": "all",
        "Description": "short\n long\n .\n end",
        "Installed-Size": "9",  # 1 + 2 + 1 blocks for the files that have content, and 5 folders
    }
    assert next(iter(control)) == "Package"


def test_scripts_conffiles_and_sums_are_there(content: bytes) -> None:
    package = read(content)
    assert package.scripts() == {"postinst": POSTINST}
    assert package.control.get_content("conffiles") == b"/etc/meet.conf\n"
    assert set(package.md5sums(encoding="utf-8")) == {"usr/share/meet/run.sh", "usr/share/meet/a.js", LONG}


def test_each_entry_belongs_to_root_and_has_the_time_of_the_release(content: bytes) -> None:
    for part in (read(content).data, read(content).control):
        entries = part.tgz().getmembers()
        assert entries[0].name == "."
        assert {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) for entry in entries} == {
            (0, 0, "root", "root", EPOCH)
        }


def test_only_scripts_and_folders_are_executable(content: bytes) -> None:
    package = read(content)
    modes = {str(entry.name): entry.mode for entry in package.data.tgz() if entry.isfile()}
    assert [name for name, mode in modes.items() if mode != 0o644] == ["./usr/share/meet/run.sh"]
    assert modes["./usr/share/meet/run.sh"] == 0o755
    assert {entry.mode for entry in package.data.tgz() if entry.isdir()} == {0o755}
    assert {str(entry.name): entry.mode for entry in package.control.tgz()}["./postinst"] == 0o755


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")
def test_dpkg_reads_the_same(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "meet.deb"
    file.write_bytes(content)
    done = subprocess.run(["dpkg-deb", "--extract", file, tmp_path / "out"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    } == FILES
    field = subprocess.run(["dpkg-deb", "--field", file, "Description"], capture_output=True, check=True)
    assert field.stdout == b"short\n long\n .\n end\n"


def test_the_control_file_of_an_earlier_package_is_found_again(content: bytes) -> None:
    assert deb.read_control(content, "meet.deb").encode() == read(content).control.get_content("control")


@pytest.mark.parametrize(
    "wrong",
    {
        "empty": b"",
        "another file": b"#!/bin/sh\n" * 30,
        "cut": None,
        "compressed otherwise": b"!<arch>\ncontrol.tar.xz" + b" " * 34 + b"4         `\nxxxx",
        "no control": b"!<arch>\ncontrol.tar.xz" + b" " * 34 + b"60        `\n" + lzma.compress(b""),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_is_not_our_package_is_an_error_that_names_it(content: bytes, wrong: tuple[str, bytes | None]) -> None:
    _, other = wrong
    with pytest.raises(UsageError, match=r"old\.deb is not a package of hardener"):
        deb.read_control(content[:200] if other is None else other, "old.deb")
