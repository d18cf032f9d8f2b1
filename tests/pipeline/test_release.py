"""A release of the demo: the same bytes in two places, and a refusal that changes nothing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from hardener.release import provenance
from hardener.system import sums
from support import own_repository

from .conftest import Minimeet, Reference, digest, listing

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "minimeet-hardened-v1.0+1-UNRELEASED"
FILES = {
    "UNRELEASED",
    "build-manifest.json",
    "release-notes.md",
    f"{LABEL}.tar.gz",
    f"{LABEL}-sourcemaps.tar.gz",
    f"{LABEL}-site.oci.tar",
    f"{LABEL}.cdx.json",
    f"{LABEL}.provenance.json",
}


def test_two_dry_runs_in_two_places_have_the_same_bytes_and_a_release_is_refused(
    reference: Reference, tmp_path: Path, shared_cache: Path
) -> None:
    """With another umask, time zone and language; and what the builds of before left in dist/ is gone."""
    found = []
    for name, mask, zone in (("a", 0o022, "UTC"), ("b", 0o077, "Asia/Tokyo")):
        minimeet = Minimeet(tmp_path / name, shared_cache)
        (minimeet.root / ".gitignore").write_text(".work/\ndist/\n")
        own_repository.commit(minimeet.root)
        (minimeet.dist / "unpatched").mkdir(parents=True)
        (minimeet.dist / "old.tar.gz").write_text("")
        before = os.umask(mask)
        try:
            run = minimeet.run("release", "--dry-run", "--sign", "none", env={"TZ": zone, "LANG": "de_DE.UTF-8"})
        finally:
            os.umask(before)
        assert run.code == 0, run.stderr
        found.append((minimeet.dist / "SHA256SUMS").read_bytes())
        listed = sums.read(minimeet.dist)
        assert set(listed) == FILES
        assert all(digest(minimeet.dist / file) == sha256 for file, sha256 in listed.items())
        assert {path.name for path in minimeet.dist.iterdir()} == FILES | {"SHA256SUMS", "build-log.json", "unpatched"}
        assert run.answer["released"] is False
        statement = json.loads((minimeet.dist / f"{LABEL}.provenance.json").read_bytes())
        others = {file: sha256 for file, sha256 in listed.items() if file != f"{LABEL}.provenance.json"}
        assert provenance.problems(statement, others) == []
        commit = own_repository.git(minimeet.root, "rev-parse", "HEAD")
        assert provenance.commit_of(statement) == commit
    assert found[0] == found[1]
    before = listing(minimeet.dist)
    run = minimeet.run("release")
    assert run.code == 10, run.stderr
    assert listing(minimeet.dist) == before
    refused = {gate["gate"] for gate in run.answer["gates"] if not gate["passed"]}
    assert {"tag", "changelog", "test", "versions"} <= refused
    assert not {"bundle", "hosts", "provenance", "addresses"} & refused
