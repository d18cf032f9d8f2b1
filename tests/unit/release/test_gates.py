"""The gates of a release: each one is tripped by its own faults, and by no other's."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.pipeline import proofs
from hardener.release import gates
from hardener.system import disk
from support import own_repository
from support.candidate import DEBIAN, LABEL, Fake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
BILL, MANIFEST = f"{LABEL}.cdx.json", "build-manifest.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Fake:
    """Return a release that meets all gates, made once."""
    fake = Fake(tmp_path_factory.mktemp("original"))
    fake.create()
    return fake


@pytest.fixture
def fake(original: Fake, tmp_path: Path) -> Fake:
    """Return a copy of it."""
    shutil.copytree(original.root.parent, tmp_path / "copy", symlinks=True)
    return Fake(tmp_path / "copy")


def refused(fake: Fake, **more: Any) -> dict[str, str]:
    """Return the gates that are not met, with their problems."""
    verdicts = gates.judge(fake.candidate(**more))
    return {verdict.gate: "; ".join(verdict.problems) for verdict in verdicts if not verdict.passed}


def test_a_release_that_meets_all_gates_passes(fake: Fake) -> None:
    assert refused(fake) == {}
    names = [verdict.gate for verdict in gates.judge(fake.candidate())]
    assert set(proofs.SESSIONS) < set(names)
    assert len(names) == len(set(names))


def committed(name: str, old: str, new: str) -> Callable[[Fake], None]:
    """Return a fault in a file of the project, which is committed, tagged and proven."""

    def plant(fake: Fake) -> None:
        fake.change(name, lambda text: text.replace(old, new))
        fake.release()

    return plant


def manifest(**values: Any) -> Callable[[Fake], None]:
    return lambda fake: fake.edit_json(MANIFEST, lambda document: document.update(values))


def first(**values: Any) -> Callable[[Fake], None]:
    """Return a fault in the first component of the bill of materials; None removes a key."""

    def edit(document: dict[str, Any]) -> None:
        component = document["components"][0]
        component |= values
        for key in [key for key, value in values.items() if value is None]:
            del component[key]

    return lambda fake: fake.edit_json(BILL, edit)


def another_site(fake: Fake) -> None:
    """Prove all but one session for the site, which changed after that one."""
    (fake.site / "app.js.map").write_text("source maps do not count")
    fake.prove("e2e", subject=replace(proofs.subject(fake.root), site_sha256="0" * 64))


def another_commit(fake: Fake) -> None:
    fake.prove("attack", subject=replace(proofs.subject(fake.root), commit="0" * 40))


def with_changes(fake: Fake) -> None:
    fake.prove("evidence", subject=replace(proofs.subject(fake.root), clean=False))


def another_tree(fake: Fake) -> None:
    fake.prove("ablate", subject=replace(proofs.subject(fake.root), trees={"app": "0" * 40}))


def dirty(fake: Fake) -> None:
    """Add a file that git does not ignore; the records were written before."""
    (fake.root / "new.py").write_text("")


def unsigned_tag(fake: Fake) -> None:
    own_repository.tag(fake.root, "v1.0+2")


def strangers_tag(fake: Fake) -> None:
    own_repository.tag(fake.root, "v1.0+2", fake.keys / "stranger")


def lightweight_tag(fake: Fake) -> None:
    own_repository.git(fake.root, "tag", "--force", "v1.0+2")


def no_tag(fake: Fake) -> None:
    own_repository.git(fake.root, "tag", "--delete", "v1.0+2")


def old_tag(fake: Fake) -> None:
    """Leave the tag at the commit before."""
    own_repository.commit(fake.root)
    fake.prove()


def expired_key(fake: Fake) -> None:
    fake.change("allowed_signers", lambda text: text.replace('release"', 'release",valid-before="20200101Z"'))
    fake.release()


def no_key_for_git(fake: Fake) -> None:
    fake.change("allowed_signers", lambda text: text.replace("git,", ""))
    fake.release()


def skips(session: str, name: str, reason: str) -> Callable[[Fake], None]:
    return lambda fake: fake.prove(session, skipped=(proofs.Skip(name, reason),))


FAULTS: dict[str, tuple[str, Callable[[Fake], None], str]] = {
    "a file that is not committed": ("tag", dirty, "new.py"),
    "a tag without a signature": ("tag", unsigned_tag, "no signature"),
    "a tag signed by a key that is not listed": ("tag", strangers_tag, "not signed"),
    "a tag without a message": ("tag", lightweight_tag, "not signed"),
    "no tag of this revision": ("tag", no_tag, "no tag v1.0+2"),
    "a tag at another commit": ("tag", old_tag, "another commit"),
    "a key that has expired": ("tag", expired_key, "not signed"),
    "a key that may not sign tags": ("tag", no_key_for_git, "not signed"),
    "no section of this version": ("changelog", committed("CHANGELOG.md", "[1.0+2]", "[1.0+3]"), "no section"),
    "a section without a date": ("changelog", committed("CHANGELOG.md", "] - 2026-12-01", "]"), "no section"),
    "an empty section": ("changelog", committed("CHANGELOG.md", "* better\n", ""), "empty"),
    "a substitute": ("bundle", manifest(substitutions=[{"package": "@x/board"}]), "@x/board"),
    "an unpatched site": ("bundle", manifest(variant="unpatched"), "unpatched"),
    "webpack's bundle": ("bundle", manifest(toolchain={"name": "webpack"}), "webpack"),
    "a layer of an operator": (
        "bundle",
        manifest(components=[{"name": "app", "tree": "7" * 40, "downstream": [{"name": "ministry"}]}]),
        "ministry",
    ),
    "a host of the class open": ("hosts", committed("hosts.toml", "namespace", "open"), "www.w3.org"),
    "a proof for another site": ("e2e", another_site, "another site"),
    "a proof for another commit": ("attack", another_commit, "another site or commit|about commit 000000000000"),
    "a proof of a work tree with changes": ("evidence", with_changes, "had changes"),
    "a proof for another tree": ("ablate", another_tree, "app was another tree"),
    "a skip that is not listed": ("test", skips("test", "new", "no Docker"), "new: no Docker"),
    "a listed skip for another reason": ("test", skips("test", "reviewed", "a whim"), "a whim"),
    "a listed skip of another session": ("attack", skips("attack", "reviewed", "no account"), "no account"),
    "a session in which nothing passed": ("lint", lambda fake: fake.prove("lint", passed=0), "nothing passed"),
    "no second build": (
        "two builds",
        lambda fake: (
            fake.change("release.toml", lambda text: text.replace("reviewed*", "t*").replace("no *", "left out")),
            fake.release(),
            skips("compare", "twice", "left out")(fake),
        ),
        "no record of two builds",
    ),
    "no version of a Debian package": ("versions", committed("upstream.toml", DEBIAN.partition("[image]")[0], ""), "[debian]"),
    "no digest of the image": ("versions", committed("upstream.toml", DEBIAN[DEBIAN.index("[image]") :], ""), "[image]"),
    "a package that is missing in the bill": (
        "sbom",
        lambda fake: fake.edit_json(BILL, lambda document: document["components"].pop(1)),
        "@scope/used@2.0.0 is in a bundle",
    ),
    "another version of a package": ("sbom", first(version="1.0.1"), "used@1.0.0 is in a bundle"),
    "a field that CycloneDX does not have": ("sbom", first(invented=True), "not valid"),
    "no licence": ("sbom", first(licenses=None), "used@1.0.0 declares no licence"),
    "no licence text": ("sbom", first(evidence=None), "used@1.0.0 has no licence text"),
    "a document of vulnerabilities that is not CycloneDX": (
        "sbom",
        lambda fake: (disk.write_json(fake.dist / f"{LABEL}.vex.json", {"bomFormat": "CycloneDX"}), fake.seal()),
        f"{LABEL}.vex.json is not valid",
    ),
    "no bill of materials": ("sbom", lambda fake: ((fake.dist / BILL).unlink(), fake.seal()), "no readable bill"),
    "a statement that is not about a file": (
        "provenance",
        lambda fake: (
            (fake.dist / "late.txt").write_text(""),
            (fake.dist / "SHA256SUMS").write_text(
                (fake.dist / "SHA256SUMS").read_text() + f"{fake.listed()['late.txt']}  late.txt\n"
            ),
        ),
        "late.txt: not a subject",
    ),
    "an address with another version": (
        "addresses",
        lambda fake: ((fake.site / "libs/app.js").write_text("changed"), fake.prove()),
        "index.html",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_trips_its_gate_alone(fake: Fake, fault: str) -> None:
    gate, plant, said = FAULTS[fault]
    plant(fake)
    found = refused(fake)
    assert list(found) == [gate], found
    assert any(part in found[gate] for part in said.split("|"))


def test_a_fix_names_the_tag_and_the_version_of_this_release(fake: Fake) -> None:
    fixes = {verdict.gate: verdict.fix for verdict in gates.judge(fake.candidate())}
    assert "tag --sign v1.0+2 " in fixes["tag"]
    assert "[1.0+2]" in fixes["changelog"]
    assert not [fix for fix in fixes.values() if "{" in fix]


def test_the_site_is_hashed_once_for_all_sessions(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed, digest = [], proofs.site_digest
    monkeypatch.setattr(proofs, "site_digest", lambda site: hashed.append(site) or digest(site))
    assert refused(fake) == {}
    assert hashed == [fake.site]


@pytest.mark.parametrize("session", proofs.SESSIONS)
def test_each_session_has_to_have_passed(fake: Fake, session: str) -> None:
    proofs.forget(fake.root, session)
    assert set(refused(fake)) == {session} | ({"two builds"} if session == "compare" else set())
    fake.prove(session, failed=("a test",))
    assert refused(fake) == {session: "failed: a test"}
    fake.prove(session)
    assert refused(fake) == {}


def test_two_builds_that_differ_trip_the_gate_of_compare_as_well(fake: Fake) -> None:
    fake.prove("compare", failed=("twice: site: libs/app.js",))
    assert set(refused(fake)) == {"compare", "two builds"}


def test_a_listed_skip_is_permitted(fake: Fake) -> None:
    fake.prove("test", skipped=(proofs.Skip("reviewed[1]", "no clone"),))
    assert refused(fake) == {}


def test_the_record_of_lint_need_not_be_about_a_site(fake: Fake) -> None:
    fake.prove("lint", subject=replace(proofs.subject(fake.root), site_sha256="", trees={}))
    assert refused(fake) == {}


def test_every_gate_is_tripped_by_a_test() -> None:
    tripped = {gate for gate, *_ in FAULTS.values()} | {*proofs.SESSIONS, "revision", "lintian"}
    assert tripped == {gate.name for gate in gates.GATES}


class TestRevision:
    """The release before is named, or there is none."""

    def test_earlier_tags_without_the_release_before_are_refused(self, fake: Fake) -> None:
        own_repository.git(fake.root, "tag", "v1.0+1", "HEAD^")
        assert refused(fake) == {"revision": "there are earlier releases (v1.0+1), and none was named: --previous"}

    def test_the_revision_of_another_commit_of_this_pin_is_refused(self, fake: Fake) -> None:
        before = own_repository.git(fake.root, "rev-parse", "HEAD")
        fake.change("hosts.toml", lambda text: text + "\n")
        fake.release()
        assert set(refused(fake, previous=before)) == {"revision"}

    def test_a_lower_revision_is_refused_and_a_higher_one_is_not(self, fake: Fake) -> None:
        before = own_repository.git(fake.root, "rev-parse", "HEAD")
        for revision, gate in ((1, {"revision"}), (3, set())):
            fake.change("upstream.toml", lambda text, new=revision: text.replace("revision = 2", f"revision = {new}"))
            fake.change("CHANGELOG.md", lambda text, new=revision: text.replace("## [1.0+2]", f"## [1.0+{new}]"))
            fake.release(tag=f"v1.0+{revision}")
            assert set(refused(fake, previous=before)) == gate
            own_repository.git(fake.root, "checkout", "--quiet", before)

    def test_another_pin_may_begin_again(self, fake: Fake) -> None:
        before = own_repository.git(fake.root, "rev-parse", "HEAD")
        fake.change(
            "upstream.toml",
            lambda text: text.replace('"1.0"', '"1.1"').replace('"1.0-1"', '"1.1-1"').replace("stable-0", "stable-1"),
        )
        fake.change("CHANGELOG.md", lambda text: text.replace("[1.0+2]", "[1.1+2]"))
        fake.release(tag="v1.1+2")
        assert refused(fake, previous=before) == {}

    @pytest.mark.parametrize(("change", "gate"), [(False, set()), (True, {"revision"})])
    def test_the_same_revision_is_right_only_for_the_same_bytes(self, fake: Fake, change: bool, gate: set[str]) -> None:
        commit = own_repository.git(fake.root, "rev-parse", "HEAD")
        before = fake.root.parent / "before"
        shutil.copytree(fake.dist, before)
        if change:
            (fake.dist / f"{LABEL}.tar.gz").write_bytes(b"another archive")
            fake.seal()
        found = refused(fake, previous=commit, before=before)
        assert set(found) == gate
        assert not change or f"{LABEL}.tar.gz" in found["revision"]


@pytest.mark.parametrize(("status", "gate"), [(0, {}), (1, {"lintian": "E: app: a-fault"})])
def test_what_lintian_says_of_a_package_trips_its_gate(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, gate: dict[str, str]
) -> None:
    program = tmp_path / "bin" / "lintian"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "--fail-on error,warning" ] || exit 9\necho "E: app: a-fault"\nexit {status}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (fake.dist / "app_1.0+2_all.deb").write_bytes(b"")
    fake.seal()
    assert refused(fake) == gate


def test_a_signature_of_openpgp_does_not_count(fake: Fake) -> None:
    """Git would accept any key of the keyring: a tag with such a signature is refused without asking for one."""
    text = subprocess.run(
        ["git", "cat-file", "tag", "v1.0+2"], cwd=fake.root, capture_output=True, text=True, check=True
    ).stdout
    pgp = text.partition("-----BEGIN")[0] + "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
    made = subprocess.run(
        ["git", "hash-object", "-t", "tag", "-w", "--stdin"],
        cwd=fake.root,
        input=pgp,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    own_repository.git(fake.root, "update-ref", "refs/tags/v1.0+2", made)
    assert set(refused(fake)) == {"tag"}
