"""series/apply.py: a whole series: ids, requirements between patches, and remove.list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.errors import ConfigError, PatchError
from hardener.git.repository import Repository
from hardener.series.apply import Applied, Status, apply, try_apply
from support.fakes import ODD_NAME, FakeUpstream, lines, write_series

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def series(upstream: FakeUpstream, tmp_path: Path) -> Path:
    """Return a folder with two patches of one file and a removal."""
    first = upstream.patch({"src/app.js": lines(l9="nine")}, "First\n\nReason: upstreamable\n")
    after = upstream.commit({"src/app.js": lines(l9="nine")})
    second = upstream.patch(
        {"src/app.js": lines(l9="nine", l10="ten")}, "Second\n\nReason: build\nRequires: first\n", base=after
    )
    upstream.commits.pop()
    return write_series(
        tmp_path / "patches", {"first.patch": first, "second.patch": second}, "static/old.html # empty\n"
    )


def run(upstream: FakeUpstream, folder: Path, *trees: str) -> Applied:
    """Apply a series to the newest commit."""
    return apply("fake", upstream.path, upstream.head, folder, trees or ("pin",))


def test_two_runs_and_two_mirrors_give_the_same_commit(upstream: FakeUpstream, series: Path, tmp_path: Path) -> None:
    other = FakeUpstream.with_release(tmp_path / "other.git")
    first = run(upstream, series)
    assert first == run(upstream, series) == run(other, series)
    assert Repository(other.path).commit(first.commit) == first.commit


def test_one_commit_a_patch_with_its_author_and_one_for_the_removals(upstream: FakeUpstream, series: Path) -> None:
    applied = run(upstream, series)
    log = Repository(upstream.path).output(
        "log", "--format=%an <%ae> %at|%cn %ct|%s", f"{upstream.head}..{applied.commit}"
    )
    assert log.splitlines() == [
        "hardener <hardener@hardener.invalid> 1700000000|hardener 1700000000|Remove files",
        "Uta Upstream <uta@upstream.example> 1700000000|hardener 1700000000|Second",
        "Uta Upstream <uta@upstream.example> 1700000000|hardener 1700000000|First",
    ]


def test_the_id_depends_on_the_series(upstream: FakeUpstream, series: Path) -> None:
    before = run(upstream, series).commit
    (series / "second.patch").write_bytes(
        (series / "second.patch").read_bytes().replace(b"Subject: Second", b"Subject: Third")
    )
    assert before != run(upstream, series).commit


def test_a_later_patch_sees_what_an_earlier_one_did(upstream: FakeUpstream, series: Path) -> None:
    assert [result.status for result in run(upstream, series).results] == [Status.CLEAN, Status.CLEAN]


def test_a_patch_must_stand_behind_what_it_requires(upstream: FakeUpstream, series: Path) -> None:
    (series / "series").write_text("second.patch\nfirst.patch\n")
    with pytest.raises(ConfigError, match=r"second\.patch: requires first") as caught:
        run(upstream, series)
    assert "move it up" in caught.value.hint
    assert caught.value.exit_code == 3


def test_a_patch_may_not_require_what_is_not_there(upstream: FakeUpstream, series: Path) -> None:
    (series / "series").write_text("second.patch\n")
    (series / "first.patch").unlink()
    with pytest.raises(ConfigError, match="requires first"):
        run(upstream, series)


def test_when_a_required_patch_does_not_fit_the_next_one_says_so(upstream: FakeUpstream, series: Path) -> None:
    upstream.commit({"src/app.js": lines(l8="acht")})
    first, second = try_apply("fake", upstream.path, upstream.head, series).results
    assert (first.status, second.status) == (Status.CONFLICT, Status.CONFLICT)
    assert "requires first, which does not fit either" in second.detail
    with pytest.raises(PatchError):
        run(upstream, series)


REMOVALS = {
    "a file": ("static/old.html # why\n", ["static/old.html"]),
    "a folder": ("static/ # why\n", ["static/old.html", "static/older/index.html"]),
    "an odd name": (f"{ODD_NAME} # why\n", [ODD_NAME]),
    "for this tree": ("README.md only=next,pin # why\n", ["README.md"]),
    "for another tree": ("nowhere.txt only=next # why\n", []),
    "two": ("README.md # why\nbin/ # why\n", ["README.md", "bin/run.sh"]),
}


@pytest.mark.parametrize(("text", "gone"), REMOVALS.values(), ids=REMOVALS.keys())
def test_removals(upstream: FakeUpstream, tmp_path: Path, text: str, gone: list[str]) -> None:
    applied = run(upstream, write_series(tmp_path, {}, text))
    repository = Repository(upstream.path)
    assert list(applied.removed) == gone
    assert gone == sorted(repository.changed(upstream.head, applied.commit))
    assert not set(gone) & set(repository.entries(applied.tree))


STALE = {
    "a file that is not there": "nowhere.txt # why\n",
    "a folder that is not there": "nowhere/ # why\n",
    "a folder without its slash": "static # why\n",
    "a file with a slash": "README.md/ # why\n",
    "for this tree": "nowhere.txt only=pin # why\n",
}


@pytest.mark.parametrize("text", STALE.values(), ids=STALE.keys())
def test_a_stale_removal_is_an_error(upstream: FakeUpstream, tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="matches nothing") as caught:
        run(upstream, write_series(tmp_path, {}, text))
    assert "only=NAME" in caught.value.hint
    assert caught.value.exit_code == 3


def test_a_file_that_a_patch_brought_may_not_be_removed_without_being_seen(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    """Removals come after the patches: what a patch added can be named there."""
    folder = write_series(tmp_path, {"new.patch": upstream.patch({"new.txt": b"x\n"})}, "new.txt # why\n")
    assert run(upstream, folder).removed == ("new.txt",)
