"""Who makes which file of a release: names, marks, and the same bytes twice."""

from __future__ import annotations

import hashlib
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import StackError
from hardener.pipeline.package import Archive
from hardener.release import draft as module
from hardener.release import provenance
from hardener.release.draft import Draft
from hardener.system import sums
from support import packaging

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LABEL = "jitsi-meet-hardened-2.0.10978+1"
ARCHIVES = (f"{LABEL}.tar.gz", f"{LABEL}-sourcemaps.tar.gz")
EVERY = (*ARCHIVES, f"{LABEL}.cdx.json", f"{LABEL}-apt.tar", f"{LABEL}-site.oci.tar", f"{LABEL}.provenance.json")


@pytest.fixture
def drafted(tmp_path: Path) -> Callable[..., Draft]:
    """Return a function that makes a draft of the tiny site of the packages' tests."""

    def archive(name: str) -> Archive:
        path = tmp_path / "built" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
        return Archive(path, hashlib.sha256(name.encode()).hexdigest(), len(name), "0" * 64)

    site = packaging.site(tmp_path)
    manifest = {
        "label": LABEL,
        "toolchain": {"node": "24"},
        "archives": [{"file": name, "sha256": "0" * 64} for name in ARCHIVES],
    }
    packaged = SimpleNamespace(site=archive(ARCHIVES[0]), maps=archive(ARCHIVES[1]))
    result: Any = SimpleNamespace(
        components=(), site=SimpleNamespace(path=site), packaged=packaged, mtime=packaging.EPOCH, manifest=manifest,
        log={"seconds": {}},
    )  # fmt: skip

    def draft(*, unreleased: bool = False, **more: Any) -> Draft:
        project = packaging.project(tmp_path, **more)
        return Draft(project, result, (), "c" * 40, changed=False, previous="", unreleased=unreleased)

    return draft


@pytest.fixture(autouse=True)
def bill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a text in the place of the bill of materials, which has tests of its own."""
    text: Callable[..., bytes] = lambda _project, _components, _packages, archive, _epoch: archive.path.name.encode()  # noqa: E731
    monkeypatch.setattr(module, "sbom", text)


def made(draft: Draft, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    module.make(draft, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_have_their_sums_and_the_statement_is_about_all_others(
    drafted: Callable[..., Draft], tmp_path: Path
) -> None:
    files = made(drafted(), tmp_path / "new")
    debs = {name for name in files if name.endswith(".deb")}
    assert len(debs) == 2
    records = {"build-manifest.json", "release-notes.md"}
    assert set(files) == {*EVERY, *debs, *records, "SHA256SUMS", "build-log.json"}
    listed = sums.read(tmp_path / "new")
    assert set(listed) == files.keys() - {"SHA256SUMS", "build-log.json"}
    assert all(hashlib.sha256(files[name]).hexdigest() == digest for name, digest in listed.items())
    del listed[f"{LABEL}.provenance.json"]
    assert provenance.problems(json.loads(files[f"{LABEL}.provenance.json"]), listed) == []
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in (tmp_path / "new").iterdir())


def test_the_same_draft_gives_the_same_bytes(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    assert made(drafted(), tmp_path / "a") == made(drafted(), tmp_path / "b")


def test_a_dry_run_has_the_mark_in_names_records_and_sums(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    files = made(drafted(unreleased=True), tmp_path / "new")
    for name in EVERY:
        assert name.replace(LABEL, f"{LABEL}-UNRELEASED") in files
        assert name not in files
    manifest = json.loads(files["build-manifest.json"])
    assert manifest["label"] == f"{LABEL}-UNRELEASED"
    assert [archive["file"] for archive in manifest["archives"]] == [
        name.replace(LABEL, f"{LABEL}-UNRELEASED") for name in ARCHIVES
    ]
    assert files[f"{LABEL}-UNRELEASED.cdx.json"] == f"{LABEL}-UNRELEASED.tar.gz".encode()
    assert "UNRELEASED" in sums.read(tmp_path / "new")
    assert b"UNRELEASED" in files["release-notes.md"]
    assert provenance.parameters_of(json.loads(files[f"{LABEL}-UNRELEASED.provenance.json"]))["dryRun"] is True


def test_without_upstreams_versions_there_are_no_packages(drafted: Callable[..., Draft], tmp_path: Path) -> None:
    files = made(drafted(upstreams=None), tmp_path / "new")
    assert not [name for name in files if name.endswith((".deb", "-apt.tar"))]


def test_the_wheel_and_the_hashes_of_its_packages_come_from_uv(
    drafted: Callable[..., Draft], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uv is a stand-in here: a real one reads the network."""
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$2" = export ] && echo "PyYAML==6 --hash=sha256:1" && exit\n'
        '[ "$2" = build ] && echo wheel > "$5/hardener-1-py3-none-any.whl"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.parent / "python"))
    (tmp_path / "uv.lock").write_text("")
    files = made(drafted(), tmp_path / "new")
    assert files["hardener-1-py3-none-any.whl"] == b"wheel\n"
    assert files["requirements.txt"] == b"PyYAML==6 --hash=sha256:1\n"
    program.write_text("#!/bin/sh\necho 'error: no network' >&2\nexit 2\n")
    with pytest.raises(StackError, match="no network"):
        made(drafted(), tmp_path / "again")
