"""A release is whole or not there: what the gates, a key, the disk or a kill stop leaves dist/ as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main
from hardener.errors import BusyError, StackError, UnreachableError, UsageError
from hardener.pipeline import proofs
from hardener.release import assemble as module
from hardener.release import signatures
from hardener.release.assemble import Made, Wanted, assemble
from hardener.system import disk, stamps, sums
from hardener.ui import UI
from support import own_repository
from support.candidate import LABEL, PACKAGES, Fake, make_key

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
QUIET = UI(quiet=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Fake:
    """Return a release that meets all gates, made once."""
    fake = Fake(tmp_path_factory.mktemp("original"))
    fake.create()
    return fake


class Workshop:
    """A project whose build and makers are replaced: they copy the files of a release in miniature."""

    def __init__(self, fake: Fake) -> None:
        self.fake, self.out = fake, fake.dist
        self.made = fake.root.parent / "made"
        shutil.copytree(fake.dist, self.made)
        self.drafts: list[Any] = []

    def make(self, draft: Any, folder: Path) -> None:
        """Write the files that a release would consist of."""
        self.drafts.append(draft)
        for path in self.made.iterdir():
            shutil.copy(path, folder / path.name)
        (folder / "build-log.json").write_text("{}")

    def run(self, **wanted: Any) -> Made:
        """Make a release."""
        return assemble(self.fake.candidate().project, {}, Wanted(**wanted), QUIET)

    def state(self) -> dict[str, bytes]:
        """Return all files of the folder of the release."""
        return {str(path.relative_to(self.out)): path.read_bytes() for path in self.out.rglob("*") if path.is_file()}


@pytest.fixture
def workshop(original: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a workshop in which an earlier release, and another variant, are in dist/."""
    shutil.copytree(original.root.parent, tmp_path / "copy", symlinks=True)
    made = Workshop(Fake(tmp_path / "copy"))
    disk.remove(made.out)
    (made.out / "unpatched").mkdir(parents=True)
    (made.out / "unpatched/site.tar.gz").write_text("another variant")
    (made.out / "old.tar.gz").write_text("the release before")
    stamps.Stamp(made.fake.site.with_suffix(".json")).set("key", {})
    result = SimpleNamespace(components=(), site=SimpleNamespace(path=made.fake.site, key="key"))
    monkeypatch.setattr(module.build, "build", lambda *_: result)
    monkeypatch.setattr(module, "packages", lambda *_: ())
    monkeypatch.setattr(module, "bundled", lambda *_: frozenset(PACKAGES))
    monkeypatch.setattr(module.draft, "make", made.make)
    return made


def test_a_release_replaces_the_one_before_and_keeps_other_variants(workshop: Workshop) -> None:
    made = workshop.run(key=workshop.fake.keys / "maintainer")
    assert made.published
    assert made.sums == sums.read(workshop.out)
    state = workshop.state()
    assert state["unpatched/site.tar.gz"] == b"another variant"
    assert "old.tar.gz" not in state
    assert signatures.verify(
        workshop.out, workshop.out / "SHA256SUMS.sig", signatures.RELEASE, workshop.fake.root / "allowed_signers"
    ).good
    assert own_repository.git(workshop.fake.root, "status", "--porcelain") == ""


def test_gates_that_refuse_leave_the_folder_as_it_was_and_are_all_reported(workshop: Workshop) -> None:
    before = workshop.state()
    proofs.forget(workshop.fake.root, "attack")
    own_repository.tag(workshop.fake.root, "v1.0+2")
    made = workshop.run(key=workshop.fake.keys / "maintainer")
    assert not made.published
    assert [verdict.gate for verdict in made.verdicts if not verdict.passed] == ["tag", "attack"]
    assert workshop.state() == before
    assert len(list(workshop.out.parent.glob("dist*"))) == 1


def test_a_dry_run_is_written_whatever_the_gates_say_and_is_marked(workshop: Workshop) -> None:
    proofs.forget(workshop.fake.root, "attack")
    made = workshop.run(dry_run=True)
    assert made.published
    assert [verdict.gate for verdict in made.verdicts if not verdict.passed] == ["attack"]
    (draft,) = workshop.drafts
    assert draft.unreleased
    assert (draft.label, draft.name(Path(f"{LABEL}-site.oci.tar"))) == (
        f"{LABEL}-UNRELEASED",
        f"{LABEL}-UNRELEASED-site.oci.tar",
    )


def test_the_marker_of_a_dry_run_is_among_the_sums_and_is_never_signed(workshop: Workshop) -> None:
    module.draft._marker(SimpleNamespace(unreleased=True), workshop.made)  # type: ignore[arg-type]
    workshop.fake.dist = workshop.made
    workshop.fake.seal()
    with pytest.raises(UsageError, match="dry run"):
        signatures.sign(workshop.made, workshop.fake.keys / "maintainer")


def test_a_rebuild_checks_no_gate_and_is_not_signed(workshop: Workshop, tmp_path: Path) -> None:
    proofs.forget(workshop.fake.root, "attack")
    made = workshop.run(rebuild=True, out=tmp_path / "again")
    assert (made.published, made.verdicts) == (True, ())
    assert not (tmp_path / "again/SHA256SUMS.sig").exists()


def test_signatures_stay_only_over_the_same_sums(workshop: Workshop) -> None:
    workshop.run(key=workshop.fake.keys / "maintainer")
    signatures.sign(workshop.out, workshop.fake.keys / "stranger", "builder")
    signed = workshop.state()
    workshop.run()
    assert workshop.state() == signed
    workshop.fake.dist = workshop.made
    (workshop.made / "new.txt").write_text("new")
    workshop.fake.seal()
    workshop.fake.dist = workshop.out
    workshop.run()
    assert not {"SHA256SUMS.sig", "SHA256SUMS.d/builder.sig"} & workshop.state().keys()


@pytest.mark.parametrize("wanted", [{"dry_run": True}, {"rebuild": True}])
@pytest.mark.parametrize("builder", ["", "builder"])
def test_a_signed_release_is_not_replaced_by_files_that_are_none(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, bool], builder: str
) -> None:
    assert not workshop.run().replaced, "it was not a release"
    signatures.sign(workshop.out, workshop.fake.keys / "maintainer", builder)
    before = workshop.state()
    monkeypatch.setattr(module.build, "build", lambda *_: pytest.fail("it was built"))
    with pytest.raises(UsageError, match="signed release") as caught:
        workshop.run(**wanted)
    assert "mv " in caught.value.hint
    assert workshop.state() == before


def test_a_release_names_the_one_that_it_replaces(workshop: Workshop) -> None:
    workshop.run()
    assert workshop.run().replaced == ""
    workshop.fake.dist = workshop.made
    (workshop.made / "new.txt").write_text("new")
    workshop.fake.seal()
    workshop.fake.dist = workshop.out
    assert workshop.run().replaced.startswith(f"{LABEL}, SHA256SUMS ")


def full(_draft: Any, folder: Path) -> None:
    (folder / "half").write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "archive"))


def unable(_draft: Any, folder: Path) -> None:
    (folder / "half").write_text("half")
    raise StackError("lintian was killed", hint="free memory")


def interrupted(_draft: Any, folder: Path) -> None:
    (folder / "half").write_text("half")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("make", "error"), [(full, StackError), (unable, StackError), (interrupted, KeyboardInterrupt)]
)
def test_an_error_while_files_are_written_leaves_the_folder_as_it_was(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, make: Callable[..., None], error: type[BaseException]
) -> None:
    before = workshop.state()
    monkeypatch.setattr(module.draft, "make", make)
    with pytest.raises(error):
        workshop.run()
    assert workshop.state() == before
    assert not list((workshop.fake.root / ".work/release").glob("dist*"))


def test_a_site_that_another_build_changes_meanwhile_is_not_released(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workshop.state()

    def make(draft: Any, folder: Path) -> None:
        workshop.make(draft, folder)
        stamps.Stamp(workshop.fake.site.with_suffix(".json")).set("another key", {})

    monkeypatch.setattr(module.draft, "make", make)
    with pytest.raises(BusyError, match="another build has changed"):
        workshop.run()
    assert workshop.state() == before


def test_a_build_that_fails_leaves_the_folder_as_it_was(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_project: Any, options: Any, _ui: UI) -> None:
        assert options.dist == workshop.fake.root / ".work/release/built", "its archives do not go to dist/"
        raise UnreachableError("npm cannot reach its registry", hint="check the network")

    before = workshop.state()
    monkeypatch.setattr(module.build, "build", build)
    with pytest.raises(UnreachableError):
        workshop.run()
    assert workshop.state() == before


@pytest.mark.parametrize("kind", ["missing", "rsa", "text", "unlisted"])
def test_a_key_that_cannot_sign_is_refused_before_the_build(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    before = workshop.state()
    monkeypatch.setattr(module.build, "build", lambda *_: pytest.fail("it was built"))
    key = tmp_path / "key"
    if kind == "rsa":
        make_key(key, "rsa")
    elif kind == "unlisted":
        make_key(key)
    elif kind == "text":
        key.write_text("not a key")
        key.chmod(0o600)
    with pytest.raises((UsageError, StackError)) as caught:
        workshop.run(key=key)
    assert ("allowed_signers" in caught.value.message) if kind == "unlisted" else ("ssh-keygen" in caught.value.hint)
    assert workshop.state() == before


def test_a_dry_run_with_a_key_is_refused(workshop: Workshop) -> None:
    with pytest.raises(UsageError, match="not signed"):
        workshop.run(dry_run=True, key=workshop.fake.keys / "maintainer")


def test_the_folder_of_a_killed_run_is_restored_and_what_it_had_begun_is_removed(workshop: Workshop) -> None:
    """Killed between two renames: the old folder is aside, and the new one not yet in its place."""
    before, area = workshop.state(), workshop.fake.root / ".work/release"
    area.mkdir(exist_ok=True)
    workshop.out.rename(area / "dist.old")
    (area / "dist.new").mkdir()
    (area / "dist.new/half").write_text("half")
    proofs.forget(workshop.fake.root, "attack")
    assert not workshop.run().published
    assert workshop.state() == before
    assert {path.name for path in area.iterdir()} == {"lock"}


def test_a_folder_with_files_of_a_person_is_never_replaced(workshop: Workshop, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("mine")
    for place in (home, home / "letter.txt"):
        with pytest.raises(UsageError, match=r"letter\.txt"):
            workshop.run(out=place)
    (home / "letter.txt").unlink()
    assert workshop.run(out=home).published
    assert workshop.run(out=home).published, "the folder of a release may be replaced"


class TestPrevious:
    """The release before is a folder, a tag, or the newest earlier tag."""

    def previous(self, workshop: Workshop, name: str = "") -> tuple[str, Path | None]:
        return module._previous(workshop.fake.candidate().project, name)

    def test_without_a_name_it_is_the_newest_earlier_tag_or_none(self, workshop: Workshop) -> None:
        assert self.previous(workshop) == ("", None)
        for tag in ("v0.9+9", "v0.9+10", "other"):
            own_repository.git(workshop.fake.root, "tag", tag, "HEAD^")
        assert self.previous(workshop) == (own_repository.git(workshop.fake.root, "rev-parse", "v0.9+10"), None)

    def test_a_folder_is_a_release_with_its_provenance(self, workshop: Workshop) -> None:
        commit = own_repository.git(workshop.fake.root, "rev-parse", "HEAD")
        assert self.previous(workshop, str(workshop.made)) == (commit, workshop.made)

    def test_what_is_neither_or_of_an_unknown_commit_is_refused(self, workshop: Workshop) -> None:
        with pytest.raises(UsageError, match="neither a folder nor a tag"):
            self.previous(workshop, "v0.8+1")
        with pytest.raises(UsageError, match="SHA256SUMS"):
            self.previous(workshop, str(workshop.fake.root))
        workshop.fake.dist = workshop.made
        workshop.fake.seal("e" * 40)
        with pytest.raises(UsageError, match="which is not here"):
            self.previous(workshop, str(workshop.made))
        (workshop.made / f"{LABEL}.provenance.json").write_text("{}")
        with pytest.raises(UsageError, match="with its provenance"):
            self.previous(workshop, str(workshop.made))


@pytest.mark.parametrize(("forgotten", "words", "code"), [("", (), 0), ("test", (), 10), ("test", ("--dry-run",), 0)])
def test_the_exit_code_and_the_answer_say_whether_it_is_released(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], forgotten: str, words: tuple[str, ...], code: int
) -> None:
    if forgotten:
        proofs.forget(workshop.fake.root, forgotten)
    given = ["release", "--project", str(workshop.fake.root), "--sign", "none", "--json", *words]
    assert main.main(given) == code
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["released"] is not bool(forgotten)
    assert [gate["gate"] for gate in answer["gates"] if not gate["passed"]] == ([forgotten] if forgotten else [])
    assert bool(answer["files"]) is (code == 0)
    assert (f"not released: gates that are not met: {forgotten}; " in err) is (code == 10)


@pytest.mark.parametrize("words", [("--sign", "gpg:KEY"), ("--sign", "ssh:"), ("--rebuild",), ("--previous", "v9+9")])
def test_a_wrong_command_line_is_code_2(workshop: Workshop, words: tuple[str, ...]) -> None:
    assert main.main(["release", "--project", str(workshop.fake.root), *words]) == 2
