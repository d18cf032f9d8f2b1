"""``verify`` builds released files again: from the commit of their provenance, with that commit's own code."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main
from hardener.release import provenance, signatures
from hardener.system import disk, stamps, sums
from support import own_repository
from support.candidate import make_key

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
LABEL = "app-hardened-1.0+1"
NAME, SCRIPT = f"{LABEL}.tar.gz", "console.log(1);\n" * 100
# The project's own program, in miniature: it notes how it was called, and copies what the test has laid out for it.
PROGRAM = """
import pathlib, shutil, sys
here = pathlib.Path(__file__).parents[2]
(pathlib.Path({folder!r}) / "words.json").write_text(__import__("json").dumps([str(here), *sys.argv[1:]]))
if (here / "broken").exists():
    sys.exit("error: the bundler fails")
shutil.copytree(pathlib.Path({folder!r}) / "rebuilt", sys.argv[sys.argv.index("--out") + 1])
"""
UPSTREAM = """
[project]
name = "app-hardened"
revision = 1
node = 24
[component.app]
repository = "https://git.example/app.git"
commit = "1111111111111111111111111111111111111111"
release = "1.0"
"""


def packed(script: str, level: int = 9) -> bytes:
    """Return an archive of a site with one script."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (("libs/app.js", script.encode()), ("index.html", b"<html>")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), level, mtime=0)


class Released:
    """A checkout of the project, a signed release of its commit, and the files that a rebuild will have."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "checkout"
        self.dist, self.rebuilt = folder / "downloads", folder / "rebuilt"
        package = self.root / "build/hardener"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(PROGRAM.format(folder=str(folder)))
        (self.root / "upstream.toml").write_text(UPSTREAM)
        (self.root / "uv.lock").write_text("the packages")
        (self.root / ".gitignore").write_text(".work/\n")
        line = make_key(folder / "key")
        (self.root / "allowed_signers").write_text(f'person@example.org namespaces="hardener-release" {line}\n')
        self.commit = own_repository.commit(self.root)
        self.release(self.dist, packed(SCRIPT))
        shutil.copytree(self.dist, self.rebuilt)

    def release(self, folder: Path, archive: bytes, commit: str = "", **parameters: Any) -> None:
        """Write a release, with its statement, sums and signature, into a folder."""
        disk.remove(folder)
        folder.mkdir()
        (folder / NAME).write_bytes(archive)
        inputs = [{"name": "hardener", "digest": {"gitCommit": commit or self.commit}}]
        made = provenance.statement(listed(folder), {"label": LABEL, **parameters}, {}, inputs)
        (folder / f"{LABEL}{provenance.SUFFIX}").write_bytes(made)
        (folder / "SHA256SUMS").write_bytes(sums.lines(listed(folder)))
        signatures.sign(folder, self.folder / "key")

    def verify(self, capsys: pytest.CaptureFixture[str], *words: str, path: Path | None = None) -> tuple[int, Any]:
        """Return the exit code of ``hardener verify``, and the check of the rebuild as a text."""
        capsys.readouterr()
        code = main.main(["verify", str(path or self.dist), "--project", str(self.root), "--json", *words])
        answer = json.loads(capsys.readouterr().out)
        return code, {check["name"]: " ".join((check["found"], *check["details"])) for check in answer["checks"]}

    def words(self) -> list[str]:
        """Return the folder of the program that built, and how it was called."""
        return list(json.loads((self.folder / "words.json").read_bytes()))


def listed(folder: Path) -> dict[str, str]:
    """Return the sums of all files of a folder."""
    return {path.name: stamps.file_digest(path) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Return a release whose keys and commit are made once; the program of that commit reads its folder."""
    return Released(tmp_path_factory.mktemp("released"))


@pytest.fixture
def released(original: Released) -> Released:
    """Return the release as it was signed."""
    own_repository.git(original.root, "reset", "--quiet", "--hard", original.commit)
    original.release(original.dist, packed(SCRIPT))
    disk.remove(original.rebuilt)
    shutil.copytree(original.dist, original.rebuilt)
    (original.folder / "words.json").unlink(missing_ok=True)
    return original


def test_the_code_of_the_named_commit_builds_in_a_folder_of_its_own(
    released: Released, capsys: pytest.CaptureFixture[str]
) -> None:
    (released.root / "uncommitted").write_text("")
    code, checks = released.verify(capsys, "--upstream", "app=/srv/app.git")
    assert (code, checks["rebuild"]) == (0, "2 of 2 files are identical")
    place, *words = released.words()
    assert place == str(released.root / ".work/verify/hardener")
    assert words[:5] == ["release", "--project", place, "--rebuild", "--out"]
    assert words[-2:] == ["--upstream", "app=/srv/app.git"]
    assert "--dry-run" not in words
    assert own_repository.git(released.root, "status", "--porcelain") == "?? uncommitted"


def test_the_commit_and_not_the_checkout_is_built(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    (released.root / "broken").write_text("")
    own_repository.commit(released.root)
    assert released.verify(capsys)[0] == 0


def test_parameters_of_the_release_are_those_of_the_rebuild(
    released: Released, capsys: pytest.CaptureFixture[str]
) -> None:
    released.release(released.dist, packed(SCRIPT), previous="e" * 40, dryRun=True)
    released.verify(capsys)
    words = released.words()
    assert words[words.index("--previous") + 1] == "e" * 40
    assert "--dry-run" in words
    released.release(released.dist, packed(SCRIPT), base="sha256:" + "0" * 64)
    code, checks = released.verify(capsys)
    assert (code, "--base LAYOUT" in checks["rebuild"]) == (2, True)


def test_a_file_that_a_rebuild_does_not_have_so_is_named(
    released: Released, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed, with the right sums, and built from something else."""
    released.release(released.dist, packed(SCRIPT.replace("1", "2")))
    code, checks = released.verify(capsys)
    assert code == 7
    assert f"{NAME}: differs: libs/app.js" in checks["rebuild"]
    assert "index.html" not in checks["rebuild"]
    code, checks = released.verify(capsys, path=released.dist / NAME)
    assert (code, "0 of 1 files are identical" in checks["rebuild"]) == (7, True)


def test_other_compression_has_an_exit_code_of_its_own(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    released.release(released.dist, packed(SCRIPT, level=1))
    code, checks = released.verify(capsys)
    assert code == 11
    assert f"{NAME}: same content, other compression" in checks["rebuild"]


def test_a_flipped_byte_is_named_and_nothing_is_built(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray((released.dist / NAME).read_bytes())
    content[20] ^= 1
    (released.dist / NAME).write_bytes(content)
    code, checks = released.verify(capsys)
    assert code == 7
    assert f"{NAME} is another file" in checks["sums"]
    assert "sums failed" in checks["rebuild"]
    assert not (released.folder / "words.json").exists()


def test_no_rebuild_is_made_where_none_is_wanted(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = released.verify(capsys, "--no-rebuild")
    assert (code, "rebuild" in checks) == (0, False)
    assert checks["provenance"] == f"commit {released.commit}"
    assert not (released.folder / "words.json").exists()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda it: it.release(it.dist, packed(SCRIPT), "e" * 40), 2, "git fetch --tags"),
        (lambda it: (it.root / "uv.lock").write_text("others"), 8, "make setup"),
        (lambda it: (it.root / ".git").rename(it.root / ".git-away"), 2, "git clone"),
    ],
    ids=["an unknown commit", "other packages", "no checkout"],
)
def test_what_cannot_be_built_here_is_explained(
    released: Released, capsys: pytest.CaptureFixture[str], change: Any, code: int, said: str
) -> None:
    change(released)
    try:
        got, checks = released.verify(capsys)
    finally:
        if (released.root / ".git-away").exists():
            (released.root / ".git-away").rename(released.root / ".git")
    assert got == code
    assert said in checks["rebuild"]
    assert "--no-rebuild" in checks["rebuild"]


def test_a_commit_that_does_not_build_is_explained(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    (released.root / "broken").write_text("")
    released.release(released.dist, packed(SCRIPT), own_repository.commit(released.root))
    code, checks = released.verify(capsys)
    assert code == 8
    assert "the bundler fails" in checks["rebuild"]


def test_a_statement_that_is_not_about_the_files_fails(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    (released.dist / "late.txt").write_text("")
    (released.dist / "SHA256SUMS").write_bytes(
        sums.lines(sums.read(released.dist) | {"late.txt": stamps.file_digest(released.dist / "late.txt")})
    )
    signatures.sign(released.dist, released.folder / "key")
    code, checks = released.verify(capsys)
    assert (code, "late.txt: not a subject" in checks["provenance"]) == (7, True)


def test_files_of_a_dry_run_are_not_a_release(released: Released, capsys: pytest.CaptureFixture[str]) -> None:
    (released.dist / "UNRELEASED").write_text("")
    listed_now = sums.read(released.dist) | {"UNRELEASED": stamps.file_digest(released.dist / "UNRELEASED")}
    (released.dist / "SHA256SUMS").write_bytes(sums.lines(listed_now))
    code, checks = released.verify(capsys, "--no-rebuild")
    assert (code, checks["release"]) == (7, "these files are of a dry run")


def test_diffoscope_is_asked_about_what_differs(
    released: Released, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "diffoscope"
    program.write_text('#!/bin/sh\n[ "$1" = --text ] && echo "$3 $4" > "$2"\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    released.release(released.dist, packed(SCRIPT.replace("1", "2")))
    assert released.verify(capsys)[0] == 7
    reports = {path.name for path in (released.root / ".work/verify").glob("*.diffoscope.txt")}
    assert f"{NAME}.diffoscope.txt" in reports
