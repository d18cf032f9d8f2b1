"""git/repository.py: objects by id, a temporary index, and no influence of a user's git configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hardener.errors import HardenerError
from hardener.git.repository import Entry, Identity, Repository, inside
from support.fakes import EXECUTABLE, ODD_NAME, SYMLINK, FakeUpstream, git

if TYPE_CHECKING:
    from pathlib import Path

ADA = Identity("Ada", "ada@a.example", "1700000000 +0000")


@pytest.fixture
def repository(upstream: FakeUpstream) -> Repository:
    """Return upstream's repository as hardener sees it."""
    return Repository(upstream.path)


def test_a_commit_is_found_by_any_name(upstream: FakeUpstream, repository: Repository) -> None:
    upstream.tag("v1.0-annotated", annotated=True)
    assert {upstream.head} == {repository.commit(name) for name in ("main", "v1.0", "v1.0-annotated", upstream.head)}


@pytest.mark.parametrize("name", ["nope", "f" * 40, "main:README.md", "", "--all"])
def test_what_is_no_commit_is_none(repository: Repository, name: str) -> None:
    assert repository.commit(name) is None


def test_the_committer_date_is_read(repository: Repository) -> None:
    assert repository.committed("v1.0") == 1_700_000_000


def test_entries_are_files_with_mode_and_blob(upstream: FakeUpstream, repository: Repository) -> None:
    entries = repository.entries(upstream.head)
    assert entries["bin/run.sh"] == Entry("100755", upstream.blob("bin/run.sh"))
    assert entries[ODD_NAME] == Entry("100644", upstream.blob(ODD_NAME))


def test_links_are_no_entries(upstream: FakeUpstream, repository: Repository) -> None:
    upstream.commit({"link": b"README.md"}, modes={"link": SYMLINK})
    assert "link" not in repository.entries(upstream.head)


def test_a_blob_is_read_byte_for_byte(upstream: FakeUpstream, repository: Repository) -> None:
    assert repository.blob(upstream.blob("src/windows.txt")) == b"first\r\nsecond\r\nthird\r\nfourth\r\n"


def test_changed_names_both_sides_of_a_move_and_odd_names(upstream: FakeUpstream, repository: Repository) -> None:
    upstream.rename(ODD_NAME, "src/maß.txt")
    assert sorted([ODD_NAME, "src/maß.txt"]) == sorted(repository.changed("v1.0", "main"))


def test_nothing_is_missing_in_a_full_repository(repository: Repository) -> None:
    assert repository.missing("main") == set()


ERRORS = {
    "no such object": lambda repository: repository.blob("f" * 40),
    "a command that fails": lambda repository: repository.tree_of("nope"),
    "an index of no tree": lambda repository: repository.index("nope").__enter__(),
}


@pytest.mark.parametrize("act", ERRORS.values(), ids=ERRORS.keys())
def test_a_damaged_repository_is_an_error_that_names_it(upstream: FakeUpstream, repository: Repository, act) -> None:
    with pytest.raises(HardenerError) as caught:
        act(repository)
    assert str(upstream.path) in caught.value.message
    assert "clean --cache" in caught.value.hint


class TestIndex:
    """The temporary index."""

    def test_it_gives_back_the_tree_it_was_made_of(self, repository: Repository) -> None:
        with repository.index("main") as index:
            assert index.tree() == repository.tree_of("main")

    def test_put_and_drop(self, repository: Repository) -> None:
        with repository.index("main") as index:
            index.put("neu/ö b.sh", EXECUTABLE, b"x\r\n")
            index.drop([ODD_NAME, "README.md"])
            entries = repository.entries(index.tree())
        assert entries["neu/ö b.sh"].mode == "100755"
        assert repository.blob(entries["neu/ö b.sh"].blob) == b"x\r\n"
        assert not {ODD_NAME, "README.md"} & set(entries)

    def test_files_of_any_name_and_mode_are_put_as_they_are(self, repository: Repository, tmp_path: Path) -> None:
        files = {"a.txt": b"x\r\n", "ö ü.bin": b"\0\xff", "a\nb": b"y", "empty": b""}
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        with repository.index("main") as index:
            index.put_files({f"neu/{name}": (EXECUTABLE, tmp_path / name) for name in files})
            entries = repository.entries(index.tree())
        assert {name: repository.blob(entries[f"neu/{name}"].blob) for name in files} == files
        assert {entries[f"neu/{name}"].mode for name in files} == {EXECUTABLE}

    def test_it_is_gone_afterwards(self, repository: Repository) -> None:
        with repository.index("main") as index:
            folder = os.path.dirname(index._env["GIT_INDEX_FILE"])  # noqa: PTH120
            assert os.path.isdir(folder)  # noqa: PTH112
        assert not os.path.exists(folder)  # noqa: PTH110

    def test_checkout_writes_bytes_and_modes(
        self, upstream: FakeUpstream, repository: Repository, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        with repository.index("main") as index:
            index.checkout(tmp_path / "out")
        assert (tmp_path / "out" / "src/windows.txt").read_bytes() == upstream.read("src/windows.txt")
        assert (tmp_path / "out" / ODD_NAME).read_bytes() == upstream.read(ODD_NAME)
        assert (tmp_path / "out" / "bin/run.sh").stat().st_mode & 0o111

    def test_a_path_with_a_line_end_is_kept_apart(self, repository: Repository) -> None:
        with repository.index("main") as index:
            index.put("a\nb", "100644", b"x")
            assert "a\nb" in repository.entries(index.tree())


def test_a_commit_depends_on_nothing_but_its_arguments(
    upstream: FakeUpstream, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (upstream.rev_parse("main^{tree}"), upstream.head, "Größe\n\nText\n", ADA, ADA)
    first = repository.commit_tree(*arguments)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    other = Repository(FakeUpstream.with_release(tmp_path / "other.git").path)
    assert first == repository.commit_tree(*arguments) == other.commit_tree(*arguments)


HOSTILE = {
    "autocrlf": ("autocrlf = true", ""),
    "eol": ("eol = crlf\n\tautocrlf = true", ""),
    "attributes of the user": ("attributesFile = ~/.config/git/attributes", "* text eol=crlf\n"),
    "default attributes of the user": ("", "* text eol=crlf\n"),
}


@pytest.mark.parametrize(("core", "attributes"), HOSTILE.values(), ids=HOSTILE.keys())
def test_the_users_configuration_does_not_change_bytes(
    upstream: FakeUpstream, repository: Repository, user_home: Path, tmp_path: Path, core: str, attributes: str
) -> None:
    (user_home / ".gitconfig").write_text(f"[core]\n\t{core}\n")
    if attributes:
        (user_home / ".config/git").mkdir(parents=True)
        (user_home / ".config/git/attributes").write_text(attributes)
    (tmp_path / "out").mkdir()
    with repository.index("main") as index:
        index.checkout(tmp_path / "out")
        index.put("put.txt", "100644", b"a\r\nb\n")
        put = repository.entries(index.tree())["put.txt"].blob
    assert (tmp_path / "out" / "src/app.js").read_bytes() == upstream.read("src/app.js")
    assert repository.blob(put) == b"a\r\nb\n"


@pytest.mark.parametrize(
    ("path", "folders", "answer"),
    [
        ("a/b", ["a"], True),
        ("a/b", ["a/"], True),
        ("a", ["a"], True),
        ("ab/c", ["a"], False),
        ("b/a", ["a"], False),
        ("a/b", [], False),
        ("a/b/c", ["x", "a/b"], True),
    ],
)
def test_inside(path: str, folders: list[str], answer: bool) -> None:
    assert answer == inside(path, folders)


def test_a_replaced_commit_is_still_itself(tmp_path: Path) -> None:
    """git-replace(1): another commit's files would appear under the pinned id."""
    upstream = FakeUpstream.with_release(tmp_path / "upstream.git")
    pin, other = upstream.head, upstream.commit({"other": b"x"})
    before = Repository(upstream.path).entries(pin)
    git(upstream.path, "update-ref", f"refs/replace/{pin}", other)
    assert "other" not in before
    assert Repository(upstream.path).entries(pin) == before
