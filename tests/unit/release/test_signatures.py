"""Signing and verifying released files with keys of OpenSSH."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from hardener.errors import StackError, UsageError
from hardener.release import signatures
from hardener.release.verify import verify
from hardener.system import disk, sums
from support.candidate import make_key

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed"),
]
ARCHIVE = "app-hardened-1.0+1.tar.gz"


class Release:
    """A folder with released files, the keys of two maintainers and two builders, and the list of signers."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys"
        self.keys.mkdir()
        self.dist = folder / "dist"
        self.dist.mkdir()
        (self.dist / ARCHIVE).write_bytes(b"the site")
        digest = hashlib.sha256(b"the site").hexdigest()
        manifest = disk.json_bytes({"archives": [{"file": ARCHIVE, "sha256": digest}]})
        (self.dist / "build-manifest.json").write_bytes(manifest)
        listed = {ARCHIVE: digest, "build-manifest.json": hashlib.sha256(manifest).hexdigest()}
        (self.dist / "SHA256SUMS").write_bytes(sums.lines(listed))
        (self.dist / "build-log.json").write_text("{}")
        self.signers = folder / "allowed_signers"
        self.lines = ["# the keys"]
        for name, options in (
            ("maintainer", 'namespaces="hardener-release"'),
            ("expired", 'namespaces="hardener-release",valid-before="20200101Z"'),
            ("alice", 'namespaces="hardener-rebuild"'),
            ("bob", 'namespaces="hardener-rebuild"'),
        ):
            self.lines.append(f"{name}@example.org {options} {make_key(self.keys / name)}")
        make_key(self.keys / "stranger")
        self.signers.write_text("\n".join(self.lines) + "\n")

    def sign(self, name: str, builder: str = "") -> Path:
        """Sign with the key of a person."""
        return signatures.sign(self.dist, self.keys / name, builder)

    def failed(self, **more: object) -> dict[str, str]:
        """Return the checks that fail, with what they found."""
        checks = verify(self.dist, self.signers, **more)  # type: ignore[arg-type]
        return {check.name: " ".join((check.found, *check.details)) for check in checks if not check.passed}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Return a release whose keys are made once."""
    return Release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def release(keys: Release, tmp_path: Path) -> Release:
    """Return a copy of the unsigned release."""
    copy = object.__new__(Release)
    copy.keys, copy.lines = keys.keys, keys.lines
    copy.dist, copy.signers = tmp_path / "dist", tmp_path / "allowed_signers"
    shutil.copytree(keys.dist, copy.dist)
    shutil.copy(keys.signers, copy.signers)
    return copy


def test_a_signed_release_passes(release: Release) -> None:
    release.sign("maintainer")
    assert release.failed() == {}


def test_the_documented_command_of_openssh_accepts_it_too(release: Release) -> None:
    release.sign("maintainer")
    words = ["ssh-keygen", "-Y", "verify", "-f", release.signers, "-I", "maintainer@example.org"]
    with (release.dist / "SHA256SUMS").open("rb") as content:
        done = subprocess.run(
            [*words, "-n", "hardener-release", "-s", release.dist / "SHA256SUMS.sig"], stdin=content, check=False
        )
    assert done.returncode == 0


def test_an_unsigned_release_fails(release: Release) -> None:
    found = release.failed()
    assert set(found) == {"signature"}
    assert found["signature"].startswith("SHA256SUMS.sig is not there")
    assert "--signers FILE" in found["signature"]


@pytest.mark.parametrize("name", ["expired", "stranger", "alice"])
def test_a_key_that_may_not_sign_releases_is_refused(release: Release, name: str) -> None:
    release.sign(name)
    assert set(release.failed()) == {"signature"}


def test_a_signature_of_a_rebuild_does_not_sign_a_release(release: Release) -> None:
    shutil.copy(release.sign("maintainer", "maintainer"), release.dist / "SHA256SUMS.sig")
    assert set(release.failed(threshold=0)) == {"signature"}


@pytest.mark.parametrize("name", [ARCHIVE, "build-manifest.json"])
def test_a_file_with_one_other_byte_is_named(release: Release, name: str) -> None:
    release.sign("maintainer")
    content = (release.dist / name).read_bytes()
    (release.dist / name).write_bytes(content[:3] + bytes([content[3] ^ 1]) + content[4:])
    assert name in release.failed()["sums"]


def test_changed_sums_void_the_signature(release: Release) -> None:
    release.sign("maintainer")
    (release.dist / ARCHIVE).write_bytes(b"another site")
    digest = hashlib.sha256(b"another site").hexdigest()
    (release.dist / "SHA256SUMS").write_bytes(sums.lines(sums.read(release.dist) | {ARCHIVE: digest}))
    assert set(release.failed()) == {"signature", "manifest"}


def test_a_file_that_is_not_listed_is_named(release: Release) -> None:
    release.sign("maintainer")
    (release.dist / "extra.js").write_text("")
    assert "extra.js" in release.failed()["unlisted"]


def _link(release: Release) -> None:
    archive = release.dist / ARCHIVE
    archive.rename(release.dist.parent / "elsewhere")
    archive.symlink_to(release.dist.parent / "elsewhere")


def _folder(release: Release) -> None:
    (release.dist / ARCHIVE).unlink()
    (release.dist / ARCHIVE).mkdir()


@pytest.mark.parametrize(("replace", "found"), [(_link, "is a symbolic link"), (_folder, "is not a file")])
def test_a_listed_name_counts_only_for_a_file_of_the_folder(
    release: Release, replace: Callable[[Release], None], found: str
) -> None:
    release.sign("maintainer")
    replace(release)
    assert f"{ARCHIVE} {found}" in release.failed()["sums"]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("folder", Path.mkdir),
        ("link", lambda path: path.symlink_to("/nonexistent")),
        ("queue", os.mkfifo),
        (".hidden", Path.touch),
        ("SHA256SUMS.d/extra.js", Path.touch),
        ("SHA256SUMS.d/folder.sig", Path.mkdir),
        ("SHA256SUMS.d/link.sig", lambda path: path.symlink_to("../SHA256SUMS.sig")),
    ],
)
def test_all_that_is_not_listed_is_named_whatever_it_is(
    release: Release, name: str, make: Callable[[Path], object]
) -> None:
    release.sign("maintainer")
    release.sign("alice", "alice")
    make(release.dist / name)
    assert name in release.failed()["unlisted"]


def test_a_name_cannot_forge_a_line_of_the_answer(release: Release) -> None:
    release.sign("maintainer")
    (release.dist / "x\n\x1b[2Kthese are the released files").touch()
    assert "\\n\\x1b[2K" in release.failed()["unlisted"]


@pytest.mark.parametrize(
    "content",
    [
        b'{"archives": [1]}',
        b'{"archives": [{}]}',
        b'{"archives": 5}',
        b'{"archives": [{"file": [], "sha256": {}}]}',
        b'{"archives": []}',
        b"[]",
        b"[" * 100_000,
        b"9" * 5000,
        b"\xff",
    ],
    ids=lambda content: content[:20].decode("latin-1"),
)
def test_a_manifest_that_is_none_fails_and_does_not_stop_the_other_checks(release: Release, content: bytes) -> None:
    release.sign("maintainer")
    (release.dist / "build-manifest.json").write_bytes(content)
    assert set(release.failed()) == {"sums", "manifest"}


def test_one_file_can_be_checked_where_the_others_are_not(release: Release) -> None:
    release.sign("maintainer")
    (release.dist / "build-manifest.json").unlink()
    assert release.failed(only=ARCHIVE) == {}
    assert "build-manifest.json is not there" in release.failed()["sums"]


def test_two_builders_of_the_same_sums_are_counted(release: Release) -> None:
    release.sign("maintainer")
    release.sign("alice", "alice")
    assert "wanted: 2" in release.failed(threshold=2)["builders"]
    release.sign("bob", "bob")
    assert release.failed(threshold=2) == {}


@pytest.mark.parametrize("name", ["alice", "maintainer", "stranger"])
def test_no_key_counts_as_a_second_builder_but_another_builders(release: Release, name: str) -> None:
    release.sign("maintainer")
    release.sign("alice", "alice")
    release.sign(name, "second")
    assert "1 builders" in release.failed(threshold=2)["builders"]


def test_a_key_counts_for_each_namespace_of_its_lines(release: Release) -> None:
    key = " ".join((release.keys / "maintainer.pub").read_text().split()[:2])
    release.signers.write_text(
        f'# old@example.org {key}\nold@example.org valid-before="20200101Z" {key}\n'
        f'builder@example.org namespaces="hardener-rebuild" {key}\nother@example.org namespaces="hardener-rebuild" {key}\n'
        f'maintainer@example.org namespaces="hardener-release" {key}\n'
    )
    release.sign("maintainer")
    release.sign("maintainer", "first")
    release.sign("maintainer", "second")
    assert release.failed(threshold=1) == {}
    assert "1 builders came to the same sums: builder@example.org" in release.failed(threshold=2)["builders"]


def test_a_key_does_not_count_twice_with_two_certificates(release: Release, tmp_path: Path) -> None:
    authority = make_key(tmp_path / "authority")
    release.signers.write_text(f"*@example.org cert-authority {authority}\n")
    (release.dist / "SHA256SUMS.d").mkdir()
    for name in ("first", "second"):
        key = tmp_path / name
        shutil.copy(release.keys / "alice", key)
        shutil.copy(release.keys / "alice.pub", f"{key}.pub")
        words = ["-s", tmp_path / "authority", "-I", name, "-n", f"{name}@example.org"]
        subprocess.run(["ssh-keygen", "-q", *words, f"{key}.pub"], check=True)
        sums_file, signature = release.dist / "SHA256SUMS", release.dist / "SHA256SUMS.d" / f"{name}.sig"
        _sign_with_openssh(Path(f"{key}-cert.pub"), sums_file, "hardener-rebuild", signature)
    assert "0 builders" in release.failed(threshold=1)["builders"]


def test_a_listed_key_of_another_kind_does_not_count(release: Release, tmp_path: Path) -> None:
    release.signers.write_text(f"maintainer@example.org {make_key(tmp_path / 'rsa', 'rsa')}\n")
    sums_file = release.dist / "SHA256SUMS"
    _sign_with_openssh(tmp_path / "rsa", sums_file, "hardener-release", release.dist / "SHA256SUMS.sig")
    assert "ssh-rsa" in release.failed()["signature"]


def _sign_with_openssh(key: Path, path: Path, namespace: str, signature: Path) -> None:
    words = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", key]
    signature.write_bytes(subprocess.run(words, input=path.read_bytes(), check=True, capture_output=True).stdout)


@pytest.mark.parametrize(
    "content",
    [b"x" * 10_000_000, b"", b"\0\xff", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"],
)
def test_a_damaged_signature_is_refused_and_explained(release: Release, content: bytes) -> None:
    (release.dist / "SHA256SUMS.sig").write_bytes(content)
    assert "is not a signature of ssh-keygen" in release.failed()["signature"]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_another_kind_of_key_does_not_sign(release: Release, tmp_path: Path, kind: str) -> None:
    make_key(tmp_path / "other", kind)
    with pytest.raises(UsageError, match="of the kind"):
        signatures.sign(release.dist, tmp_path / "other")
    assert not (release.dist / "SHA256SUMS.sig").exists()


def test_a_missing_key_and_what_is_no_key_are_errors_with_a_hint(release: Release, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as missing:
        signatures.sign(release.dist, tmp_path / "none")
    assert "ssh-keygen -t ed25519" in missing.value.hint
    (tmp_path / "text").write_text("no key")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(StackError, match="does not sign"):
        signatures.sign(release.dist, tmp_path / "text")


@pytest.mark.parametrize(
    ("name", "builder", "why"),
    [
        ("stranger", "", "has no key for it"),
        ("expired", "", "expired"),
        ("alice", "", "hardener-release"),
        ("maintainer", "maintainer", "hardener-rebuild"),
    ],
)
def test_a_key_that_the_list_does_not_permit_signs_only_once_its_line_is_added(
    release: Release, capsys: pytest.CaptureFixture[str], name: str, builder: str, why: str
) -> None:
    words = ["sign", str(release.keys / name), "--dist", str(release.dist), "--signers", str(release.signers), "--json"]
    words += ["--builder", builder] if builder else []
    before = sorted(release.dist.rglob("*"))
    capsys.readouterr()
    assert main.main(words) == 2
    answer = json.loads(capsys.readouterr().out)
    assert why in answer["error"]
    assert "--signers FILE" in answer["hint"]
    assert sorted(release.dist.rglob("*")) == before
    (line,) = answer["details"]
    with release.signers.open("a") as file:
        file.write(line.replace("NAME", name) + "\n")
    assert main.main(words) == 0
    release.sign("maintainer") if builder else None
    assert release.failed(threshold=int(bool(builder))) == {}


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"half")], ids=["missing", "half"])
def test_a_folder_that_is_half_written_is_not_signed(release: Release, damage: Callable[[Path], object]) -> None:
    damage(release.dist / ARCHIVE)
    with pytest.raises(UsageError, match="1 of 2 files") as caught:
        release.sign("maintainer")
    assert ARCHIVE in caught.value.details[0]
    assert "hardener verify" in caught.value.hint
    assert not (release.dist / "SHA256SUMS.sig").exists()


@pytest.mark.parametrize("words", [("verify", "--no-rebuild", "{dist}"), ("sign", "{key}", "--dist", "{dist}")])
def test_outside_of_a_checkout_the_option_for_the_keys_is_named(
    release: Release, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir("/")
    assert main.main([word.format(dist=release.dist, key=release.keys / "maintainer") for word in words]) == 2
    assert "--signers FILE" in capsys.readouterr().err


def test_without_a_list_of_signers_nothing_is_signed(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sign", str(release.keys / "maintainer"), "--dist", str(release.dist), "--signers", "none"]
    assert main.main(words) == 2
    assert "there is no none" in capsys.readouterr().err
    assert not (release.dist / "SHA256SUMS.sig").exists()


@pytest.mark.parametrize(
    "line", ["no sum", f"{'0' * 64}  ../passwd", f"{'0' * 64}  .", f"{'0' * 63}  name", f"{'0' * 64}  {ARCHIVE}"]
)
def test_malformed_sums_are_an_error_with_the_line(release: Release, line: str) -> None:
    with (release.dist / "SHA256SUMS").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError, match="SHA256SUMS:3"):
        verify(release.dist, release.signers)


@pytest.mark.parametrize(
    "change",
    [
        lambda _content: b"",
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.replace(b"\n", "\u2028".encode()),
        lambda content: content.replace(b"app-", b"\x1b[2K-"),
        lambda content: content + b"\n",
        lambda content: content + b"#" * 1_000_000,
    ],
    ids=["empty", "BOM", "CRLF", "line separator", "escape", "empty line", "large"],
)
def test_sums_that_sha256sum_reads_in_another_way_are_neither_signed_nor_verified(
    release: Release, change: Callable[[bytes], bytes]
) -> None:
    path = release.dist / "SHA256SUMS"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UsageError, match="SHA256SUMS"):
        release.sign("maintainer")
    with pytest.raises(UsageError, match="SHA256SUMS"):
        verify(release.dist, release.signers)


@pytest.mark.parametrize("count", ["-1", "two", "1.5", ""])
def test_a_threshold_is_a_number_of_builders(release: Release, count: str) -> None:
    release.sign("maintainer")
    words = ["verify", str(release.dist), "--signers", str(release.signers)]
    assert main.main([*words, f"--threshold={count}"]) == 2


@pytest.mark.parametrize(("damage", "code"), [(False, 0), (True, 7)])
def test_the_exit_code_says_whether_the_files_are_the_released_ones(
    release: Release, capsys: pytest.CaptureFixture[str], damage: bool, code: int
) -> None:
    words = ["sign", str(release.keys / "maintainer"), "--dist", str(release.dist), "--signers", str(release.signers)]
    assert main.main(words) == 0
    if damage:
        (release.dist / ARCHIVE).write_bytes(b"")
    capsys.readouterr()
    words = ["verify", str(release.dist), "--signers", str(release.signers), "--no-rebuild"]
    assert main.main([*words, "--json"]) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["passed"] is not damage
    assert ("DO NOT USE" in err) is damage
