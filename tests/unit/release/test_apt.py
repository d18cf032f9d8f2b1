"""The repository for apt."""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import shutil
import subprocess
import tarfile
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
from debian.deb822 import Deb822, Packages, Release

from hardener.errors import StackError, UsageError
from hardener.release import apt, deb, debian
from support import packaging
from support.packaging import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RELEASE = "dists/stable/Release"


@pytest.fixture
def packages(tmp_path: Path) -> list[tuple[str, bytes]]:
    """Provide the packages of two releases."""
    site, meet = packaging.site(tmp_path), packaging.project(tmp_path)
    return [
        *debian.packages(meet, site, EPOCH),
        *debian.packages(replace(meet, revision=2), site, EPOCH + 1),
    ]


@pytest.fixture
def gnupg(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Provide a key of GnuPG, in a home of its own."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    name = "Release <release@example.org>"
    subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", name, "ed25519", "sign"],
        capture_output=True,
        check=True,
    )
    yield name
    subprocess.run(["gpgconf", "--kill", "all"], check=False)


def test_each_list_names_each_package_with_its_sum(packages: list[tuple[str, bytes]]) -> None:
    files = apt.repository(packages, EPOCH)
    for architecture in ("all", "amd64", "arm64"):
        listed = files[f"dists/stable/main/binary-{architecture}/Packages"]
        entries = list(Packages.iter_paragraphs(io.BytesIO(listed), use_apt_pkg=False))
        assert {(entry["Package"], entry["Version"]) for entry in entries} == {
            (name, f"2.0.10978+{number}") for name in (debian.WEB, debian.META) for number in (1, 2)
        }
        for entry in entries:
            content = files[entry["Filename"]]
            assert (entry["Size"], entry["SHA256"]) == (str(len(content)), hashlib.sha256(content).hexdigest())
            assert entry["Maintainer"] == packaging.UPSTREAMS.maintainer


def test_the_release_has_the_sum_of_each_list_and_its_time(packages: list[tuple[str, bytes]]) -> None:
    files = apt.repository(packages, EPOCH)
    release = Release(io.BytesIO(files[RELEASE]))
    assert release["Date"] == "Wed, 13 May 2026 18:32:07 UTC"  # of the newest package, and a second for each
    sums = {entry["name"]: (entry["sha256"], int(entry["size"])) for entry in release["SHA256"]}
    assert len(sums) == 6
    for name, (digest, size) in sums.items():
        content = files[f"dists/stable/{name}"]
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, size)
        assert files[f"dists/stable/{name.rpartition('/')[0]}/by-hash/SHA256/{digest}"] == content
    packed = files["dists/stable/main/binary-all/Packages.xz"]
    assert lzma.decompress(packed) == files["dists/stable/main/binary-all/Packages"]


def test_a_revision_of_an_earlier_release_makes_the_list_newer(tmp_path: Path) -> None:
    """Apt ignores a list that is older than the one it has."""
    site, meet = packaging.site(tmp_path), packaging.project(tmp_path)
    first, newer = debian.packages(meet, site, EPOCH), debian.packages(replace(meet, revision=9), site, EPOCH + 10**6)
    again = debian.packages(replace(meet, revision=2), site, EPOCH + 1)
    dates = [
        parsedate_to_datetime(
            Release(io.BytesIO(apt.repository(packages, mtime)[RELEASE]))["Date"].replace("UTC", "+0000")
        )
        for packages, mtime in (
            (first, EPOCH),
            ([*first, *newer], EPOCH + 10**6),
            ([*first, *newer, *again], EPOCH + 1),
        )
    ]
    assert dates == sorted(set(dates))


def test_the_order_of_packages_does_not_count(packages: list[tuple[str, bytes]]) -> None:
    assert apt.repository(packages, EPOCH) == apt.repository(packages[::-1] + packages, EPOCH)


def test_a_version_is_not_used_for_two_packages(packages: list[tuple[str, bytes]]) -> None:
    name, content = packages[0]
    with pytest.raises(UsageError, match="differs from the package of that name"):
        apt.repository([*packages, (name, content + b"\n")], EPOCH)


def test_earlier_packages_are_read_from_a_pool(packages: list[tuple[str, bytes]], tmp_path: Path) -> None:
    files = apt.repository(packages, EPOCH)
    for name, content in files.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert apt.repository(apt.earlier(tmp_path / "repository" / "pool"), EPOCH) == files
    with pytest.raises(UsageError, match="there is no folder"):
        apt.earlier(tmp_path / "missing")


def spoil(content: bytes) -> dict[str, tuple[str, bytes]]:
    """Return faults of an earlier package: file name and content."""
    name = f"{debian.META}_2.0.10978+1_all.deb"
    other = deb.build({"Package": "curl", "Version": "8", "Architecture": "all"}, {"usr/x": b"x"}, EPOCH)
    return {
        "cut": (name, content[:-100]),
        "one byte of the files changed": (name, content[:-50] + bytes([content[-50] ^ 1]) + content[-49:]),
        "without files": (name, content[: content.index(b"data.tar.xz")]),
        "empty": (name, b""),
        "another version": (name.replace("+1", "+7"), content),
        "a second download": (name.replace(".deb", " (1).deb"), content),
        "of another project": ("curl_8_all.deb", other),
    }


@pytest.mark.parametrize("fault", sorted(spoil(b"data.tar.xz" + b" " * 100)))
def test_a_damaged_or_foreign_earlier_package_is_refused(
    packages: list[tuple[str, bytes]], tmp_path: Path, fault: str
) -> None:
    name, content = packages[1]
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / name).write_bytes(content)
    assert apt.earlier(tmp_path / "earlier") == [(name, content)]
    bad, damaged = spoil(content)[fault]
    (tmp_path / "earlier" / bad).write_bytes(damaged)
    with pytest.raises(UsageError, match=re.escape(bad)):
        apt.earlier(tmp_path / "earlier")


def test_what_names_others_is_written_after_them(packages: list[tuple[str, bytes]]) -> None:
    files = [*apt.repository(packages, EPOCH), "dists/stable/InRelease"]
    kinds = [name.partition("/")[0] if "Release" not in name else "release" for name in sorted(files, key=apt.order)]
    assert kinds == sorted(kinds, key=["pool", "dists", "release"].index)


def test_a_signature_is_over_the_release(packages: list[tuple[str, bytes]], gnupg: str, tmp_path: Path) -> None:
    files = apt.signed(apt.repository(packages, EPOCH), gnupg)
    for name in ("InRelease", "Release.gpg", "Release"):
        (tmp_path / name).write_bytes(files[f"dists/stable/{name}"])
    (tmp_path / "key").write_bytes(files["hardener.asc"])
    subprocess.run(["gpg", "--dearmor", "-o", "key.gpg", "key"], cwd=tmp_path, check=True)

    def verify(*words: str) -> int:
        argv = ["gpgv", "--keyring", str(tmp_path / "key.gpg"), *words]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode

    assert (verify("InRelease"), verify("Release.gpg", "Release")) == (0, 0)
    assert dict(Deb822(files["dists/stable/InRelease"].decode())) == dict(Deb822(files[RELEASE].decode()))
    (tmp_path / "Release").write_bytes(files[RELEASE].replace(b"stable", b"stablf", 1))
    assert verify("Release.gpg", "Release") != 0


def test_a_key_that_is_not_there_is_an_error_with_a_hint(packages: list[tuple[str, bytes]], gnupg: str) -> None:
    assert gnupg
    with pytest.raises(StackError, match="gpg does not sign") as caught:
        apt.signed(apt.repository(packages[:1], EPOCH), "nobody@example.org")
    assert "list-secret-keys" in caught.value.hint


def test_an_archive_holds_the_whole_tree(packages: list[tuple[str, bytes]]) -> None:
    files = apt.repository(packages, EPOCH)
    with tarfile.open(fileobj=io.BytesIO(apt.archive(files, EPOCH))) as archive:
        assert {entry.name for entry in archive if entry.isfile()} == set(files)
