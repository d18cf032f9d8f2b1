"""pipeline/checkout.py: a tree is there as a whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hardener.errors import StackError
from hardener.git.repository import Index, Repository
from hardener.pipeline.checkout import WorkTree, checkout
from support.fakes import FILES, ODD_NAME, FakeUpstream, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.system.process import Completed

EXCLUDED = ("android", "static/older")


def out(upstream: FakeUpstream, target: Path, **values: object) -> WorkTree:
    """Check the newest commit out."""
    component = upstream.component(**values)
    return checkout(component, upstream.path, upstream.rev_parse("main^{tree}"), target)


def files(folder: Path) -> dict[str, bytes]:
    """Return all files of a work tree but our own state."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if not name.startswith(".hardener/")}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where the tree goes."""
    return tmp_path / "area" / "tree"


def test_all_files_are_written_with_bytes_and_modes(upstream: FakeUpstream, target: Path) -> None:
    work = out(upstream, target)
    assert work.fresh
    assert files(target) == FILES
    assert (target / "bin/run.sh").stat().st_mode & 0o111
    assert not (target / "src/app.js").stat().st_mode & 0o111


def test_excluded_paths_are_absent(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target, exclude=EXCLUDED)
    assert set(files(target)) == {name for name in FILES if not name.startswith(EXCLUDED)}
    assert not (target / "android").exists()


def test_generated_files_know_commit_and_release(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target, generate=(("gen/version.txt", "{release} of {commit}\n"), ("plain.json", '{"a": "{b}"}')))
    assert (target / "gen/version.txt").read_text() == f"v1.0 of {upstream.head}\n"
    assert (target / "plain.json").read_text() == '{"a": "{b}"}'


def test_an_unchanged_tree_is_not_written_again(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target)
    (target / "README.md").write_bytes(b"a marker that a second run must not touch")
    before = {path: path.stat().st_ino for path in target.rglob("*")}
    assert not out(upstream, target).fresh
    assert before == {path: path.stat().st_ino for path in target.rglob("*")}
    assert (target / "README.md").read_bytes().startswith(b"a marker")


CHANGES = {
    "another tree": lambda upstream: (upstream.commit({"README.md": b"new\n"}), {})[1],
    "another exclude list": lambda _: {"exclude": ("android",)},
    "another generated file": lambda _: {"generate": (("v.txt", "2"),)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_goes_in_makes_it_new(upstream: FakeUpstream, target: Path, change) -> None:
    before = out(upstream, target)
    (target / "left-over.txt").write_text("of the old tree")
    after = out(upstream, target, **change(upstream))
    assert after.fresh
    assert after.key != before.key, "what is built of it hangs on that"
    assert not (target / "left-over.txt").exists()


def test_another_commit_or_release_in_a_generated_file_makes_it_new(upstream: FakeUpstream, target: Path) -> None:
    """The same tree under another release: the generated file has to say so."""
    generate = (("v.txt", "{commit} {release}"),)
    out(upstream, target, generate=generate)
    out(upstream, target, generate=generate, release="v2.0")
    assert (target / "v.txt").read_text() == f"{upstream.head} v2.0"


def test_node_modules_moves_over(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target)
    write_files(target, {"node_modules/a/index.js": "x"})
    upstream.commit({"README.md": b"new\n"})
    out(upstream, target)
    assert (target / "node_modules/a/index.js").read_text() == "x"
    assert (target / "README.md").read_bytes() == b"new\n"


def test_what_is_the_same_in_the_next_tree_keeps_its_time(upstream: FakeUpstream, target: Path) -> None:
    generate = (("gen/stays.txt", "x"), ("gen/commit.txt", "{commit}"))
    out(upstream, target, generate=generate)
    write_files(target, {"src/util.js": "changed by a step", "build/left-over.js": "x"})
    before = {name: (target / name).lstat().st_mtime_ns for name in files(target)}
    upstream.commit({"README.md": b"new\n", "bin/run.sh": None, "added.txt": b"x"})
    out(upstream, target, generate=generate)
    kept = {name for name in files(target) if (target / name).lstat().st_mtime_ns == before.get(name)}
    expected = {name: content for name, content in FILES.items() if name != "bin/run.sh"}
    expected |= {"README.md": b"new\n", "added.txt": b"x", "gen/stays.txt": b"x"}
    assert files(target) == expected | {"gen/commit.txt": upstream.head.encode()}
    assert kept == expected.keys() - {"README.md", "added.txt", "src/util.js"}


def test_another_mode_is_a_change(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target)
    (target / "src/app.js").chmod(0o755)
    upstream.commit({"README.md": b"new\n"})
    out(upstream, target)
    assert not (target / "src/app.js").stat().st_mode & 0o111


class TestFailsInTheMiddle:
    """The new tree breaks off while it is written."""

    @pytest.fixture
    def old(self, upstream: FakeUpstream, target: Path) -> dict[str, bytes]:
        """Return the tree that is there before."""
        out(upstream, target)
        write_files(target, {"node_modules/a/index.js": "x"})
        upstream.commit({"README.md": b"new\n"})
        return files(target)

    def break_off(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        """Make the checkout raise when it has written everything."""
        whole = Index.checkout

        def half(index: Index, folder: Path) -> None:
            whole(index, folder)
            assert (folder / "README.md").read_bytes() == b"new\n"
            raise error

        monkeypatch.setattr(Index, "checkout", half)

    @pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()], ids=["error", "interrupt"])
    def test_the_old_tree_is_there_as_it_was(
        self,
        upstream: FakeUpstream,
        target: Path,
        old: dict[str, bytes],
        monkeypatch: pytest.MonkeyPatch,
        error: BaseException,
    ) -> None:
        with monkeypatch.context() as patched:
            self.break_off(patched, error)
            with pytest.raises(type(error)):
                out(upstream, target)
        assert old == files(target)
        assert [target.name] == [path.name for path in target.parent.iterdir()]
        assert out(upstream, target).fresh, "the next run must not take the old tree for the new one"
        assert (target / "node_modules/a/index.js").exists()

    def test_a_first_tree_is_not_there_at_all(
        self, upstream: FakeUpstream, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upstream.commit({"README.md": b"new\n"})
        self.break_off(monkeypatch, RuntimeError())
        with pytest.raises(RuntimeError):
            out(upstream, target)
        assert not target.exists()

    def test_a_full_disk_is_explained(
        self, upstream: FakeUpstream, target: Path, old: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_off(monkeypatch, OSError(28, "No space left on device", "x"))
        with pytest.raises(StackError, match="No space left") as caught:
            out(upstream, target)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (8, True)
        assert old == files(target)

    def test_a_full_disk_that_git_meets_is_explained(
        self, upstream: FakeUpstream, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Git checkout-index meets the full disk first, not Python: still exit code 8."""
        real = Repository.git

        def full(repository: Repository, *words: str, **more: object) -> Completed:
            done = real(repository, *words, **more)  # type: ignore[arg-type]
            if "checkout-index" not in words:
                return done
            return replace(done, status=1, stderr=b"error: unable to write file src/app.js: No space left on device\n")

        monkeypatch.setattr(Repository, "git", full)
        with pytest.raises(StackError) as caught:
            out(upstream, target)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (8, True)
        assert not target.exists()


def test_an_odd_name_survives(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target)
    assert (target / ODD_NAME).read_bytes() == FILES[ODD_NAME]


def test_an_odd_name_can_be_excluded(upstream: FakeUpstream, target: Path) -> None:
    out(upstream, target, exclude=(ODD_NAME,))
    assert not (target / ODD_NAME).exists()
