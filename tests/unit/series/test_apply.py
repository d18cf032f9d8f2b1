"""series/apply.py: how a patch fits a tree, kind by kind, and never with fuzz."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hardener.errors import PatchError
from hardener.git.repository import Repository
from hardener.series.apply import Applied, Status, apply, try_apply
from support.fakes import EXECUTABLE, ODD_NAME, FakeUpstream, git, lines, write_series

if TYPE_CHECKING:
    from pathlib import Path


def fit(upstream: FakeUpstream, folder: Path, *patches: bytes, base: str = "") -> Applied:
    """Try a series on a commit (the newest)."""
    shutil.rmtree(folder / "patches", ignore_errors=True)
    series = write_series(
        folder / "patches", {f"p{number}.patch": content for number, content in enumerate(patches, 1)}
    )
    return try_apply("fake", upstream.path, base or upstream.head, series)


def statuses(applied: Applied) -> list[Status]:
    """Return the kinds of all results."""
    return [result.status for result in applied.results]


def test_no_folder_is_an_empty_series(upstream: FakeUpstream, tmp_path: Path) -> None:
    applied = apply("fake", upstream.path, upstream.head, tmp_path / "none")
    assert applied.fits
    assert (applied.commit, applied.tree) == (upstream.head, upstream.rev_parse("main^{tree}"))


def test_clean(upstream: FakeUpstream, tmp_path: Path) -> None:
    applied = fit(upstream, tmp_path, upstream.patch({"src/app.js": lines(l9="nine")}))
    assert statuses(applied) == [Status.CLEAN]
    assert upstream.read("src/app.js", applied.commit) == lines(l9="nine")
    assert applied.upstream_lines == 2


CHANGES: dict[str, tuple[dict[str, bytes | None], dict[str, str]]] = {
    "CRLF": ({"src/windows.txt": b"first\r\nnew\r\nthird\r\nfourth\r\n"}, {}),
    "odd name": ({ODD_NAME: b"eins\nzwei\ndrei\nvier\nsechs\n"}, {}),
    "new file": ({"src/new.js": b"one\n"}, {}),
    "new empty file": ({"src/empty": b""}, {}),
    "deletion": ({"static/old.html": None}, {}),
    "mode": (
        {"src/util.js": b"export const one = 1;\nexport const two = 2;\nexport const three = 3;\n"},
        {"src/util.js": EXECUTABLE},
    ),
    "no newline at the end": ({"README.md": b"# Fake Meet"}, {}),
    "trailing blanks": ({"README.md": b"# Fake Meet  \n \t\n"}, {}),
    "rename": (
        {"src/util.js": None, "src/u.js": b"export const one = 1;\nexport const two = 2;\nexport const three = 3;\n"},
        {},
    ),
}


@pytest.mark.parametrize(("files", "modes"), CHANGES.values(), ids=CHANGES.keys())
def test_the_result_is_the_tree_that_the_patch_was_made_from(
    upstream: FakeUpstream, tmp_path: Path, files: dict[str, bytes | None], modes: dict[str, str]
) -> None:
    base = upstream.head
    after = upstream.commit(files, modes=modes)
    applied = fit(upstream, tmp_path, upstream.format_patch(base, after), base=base)
    assert statuses(applied) == [Status.CLEAN]
    assert applied.tree == upstream.rev_parse(after + "^{tree}")


def test_an_offset_fits_and_is_reported_in_lines(upstream: FakeUpstream, tmp_path: Path) -> None:
    content = upstream.patch({"src/app.js": lines(l9="nine", l25="twenty-five")})
    upstream.commit({"src/app.js": b"new 1\nnew 2\n" + lines(l15="")})
    applied = fit(upstream, tmp_path, content)
    assert statuses(applied) == [Status.OFFSET]
    assert applied.results[0].offsets == (2, 1)
    assert "p1.patch: offset by +2, +1 lines" in str(applied.results[0])
    assert applied.fits


def test_merged_upstream(upstream: FakeUpstream, tmp_path: Path) -> None:
    content = upstream.patch({"src/app.js": lines(l9="nine")})
    upstream.commit({"src/app.js": lines(l9="nine", l28="twenty-eight")})
    applied = fit(upstream, tmp_path, content)
    assert statuses(applied) == [Status.MERGED]
    assert (applied.commit, applied.tree) == ("", "")


@pytest.mark.parametrize("name", ["src/app.js", ODD_NAME])
def test_conflict_names_the_hunk(upstream: FakeUpstream, tmp_path: Path, name: str) -> None:
    text = upstream.read(name)
    first = text.splitlines(keepends=True)[0]
    content = upstream.patch({name: text.replace(first, b"ours\n", 1)})
    upstream.commit({name: text.replace(first, b"theirs\n", 1)})
    (result,) = fit(upstream, tmp_path, content).results
    assert result.status is Status.CONFLICT
    assert f"{name}:1" in result.detail


def test_there_is_no_fuzz(upstream: FakeUpstream, tmp_path: Path) -> None:
    """One changed line of context is a conflict, though patch(1) would take the hunk with fuzz 1."""
    content = upstream.patch({"src/app.js": lines(l9="nine")})
    upstream.commit({"src/app.js": lines(l6="six")})
    assert statuses(fit(upstream, tmp_path, content)) == [Status.CONFLICT]


def test_a_file_that_exists_already_is_a_conflict(upstream: FakeUpstream, tmp_path: Path) -> None:
    content = upstream.patch({"src/new.js": b"ours\n"})
    upstream.commit({"src/new.js": b"theirs\n"})
    (result,) = fit(upstream, tmp_path, content).results
    assert (result.status, result.detail) == (Status.CONFLICT, "src/new.js exists already")


@pytest.mark.parametrize("name", ["src/app.js", ODD_NAME])
def test_a_moved_target_is_followed_by_its_content(upstream: FakeUpstream, tmp_path: Path, name: str) -> None:
    content = upstream.patch({name: b"new\n" + upstream.read(name)})
    upstream.rename(name, "core/main.js")
    (result,) = fit(upstream, tmp_path, content).results
    assert (result.status, result.detail) == (Status.MOVED, f"{name} is now core/main.js")


def test_a_moved_and_changed_target_is_followed_by_its_name(upstream: FakeUpstream, tmp_path: Path) -> None:
    content = upstream.patch({"src/app.js": lines(l9="nine")})
    upstream.commit({"src/app.js": None, "core/app.js": lines(l2="two")})
    (result,) = fit(upstream, tmp_path, content).results
    assert (result.status, result.detail) == (Status.MOVED, "src/app.js is now core/app.js")


def test_a_target_that_is_gone(upstream: FakeUpstream, tmp_path: Path) -> None:
    content = upstream.patch({"src/app.js": lines(l9="nine")})
    upstream.commit({"src/app.js": None})
    (result,) = fit(upstream, tmp_path, content).results
    assert (result.status, result.detail) == (Status.GONE, "src/app.js")


def test_the_cause_is_the_upstream_commit_that_touched_the_file(upstream: FakeUpstream, tmp_path: Path) -> None:
    message = f"Change\n\nBase: {upstream.head}\n"
    content = upstream.patch({"src/app.js": lines(l9="nine")}, message)
    cause = upstream.commit({"src/app.js": lines(l9="neun")})
    upstream.commit({"README.md": b"later\n"})
    (result,) = fit(upstream, tmp_path, content).results
    assert result.cause == cause
    assert cause[:12] in str(result)


def test_all_patches_that_do_not_fit_are_reported(upstream: FakeUpstream, tmp_path: Path) -> None:
    base = upstream.head
    bad = [upstream.patch({"src/app.js": lines(**{f"l{n}": "ours"})}) for n in (3, 16)]
    good = upstream.patch({"README.md": b"# Ours\n"})
    upstream.commit({"src/app.js": lines(l3="theirs", l16="theirs")})
    series = write_series(tmp_path, {"one.patch": bad[0], "two.patch": good, "three.patch": bad[1]})
    with pytest.raises(PatchError, match=f"2 of 3 patches do not fit {upstream.head[:12]}") as caught:
        apply("fake", upstream.path, upstream.head, series)
    assert [line.split(":")[0] for line in caught.value.details] == ["one.patch", "three.patch"]
    assert caught.value.exit_code == 5
    assert caught.value.hint
    assert base != upstream.head


def test_all_malformed_patches_are_reported(upstream: FakeUpstream, tmp_path: Path) -> None:
    series = write_series(tmp_path, {"one.patch": b"", "two.patch": upstream.patch({"a": b"b\n"}), "three.patch": b"x"})
    with pytest.raises(PatchError, match=r"one\.patch: the file is empty \(and 1 more\)") as caught:
        apply("fake", upstream.path, upstream.head, series)
    assert "three.patch" in caught.value.details[0]
    assert caught.value.hint


@pytest.mark.parametrize("broken", [False, True], ids=["a series that fits", "one that does not"])
def test_no_ref_of_the_mirror_changes(upstream: FakeUpstream, tmp_path: Path, broken: bool) -> None:
    content = upstream.patch({"src/app.js": lines(l9="nine")})
    if broken:
        upstream.commit({"src/app.js": lines(l9="neun")})
    before, files = upstream.refs(), sorted(path.name for path in upstream.path.iterdir())
    assert fit(upstream, tmp_path, content).fits is not broken
    assert before == upstream.refs()
    assert files == sorted(path.name for path in upstream.path.iterdir())


def test_a_patch_that_fails_leaves_no_half_of_itself(upstream: FakeUpstream, tmp_path: Path) -> None:
    """A patch of two files, one of which does not fit: a later patch finds the other one untouched."""
    both = upstream.patch({"README.md": b"# Ours\n", "src/app.js": lines(l9="ours")})
    later = upstream.patch({"README.md": b"# Later\n"})
    upstream.commit({"src/app.js": lines(l9="theirs")})
    assert statuses(fit(upstream, tmp_path, both, later)) == [Status.CONFLICT, Status.CLEAN]


def test_the_mirror_is_read_not_the_folder_one_stands_in(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that git sets inside hooks must not send us to another repository."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert fit(upstream, tmp_path, upstream.patch({"README.md": b"# Ours\n"})).fits


def test_the_patched_commit_is_that_of_git_am(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Author, date, message and tree are what ``git am --keep-non-patch`` makes of the same file."""
    content = upstream.patch(
        {"src/app.js": lines(l9="nine")}, "Größe: no fuzz\n\nWhy: because of\nthis.\n\nReason: build\n"
    )
    applied = fit(upstream, tmp_path, content)
    work = tmp_path / "work"
    work.mkdir()
    env = {
        "GIT_COMMITTER_NAME": "hardener",
        "GIT_COMMITTER_EMAIL": "hardener@hardener.invalid",
        "GIT_WORK_TREE": str(work),
    }
    env |= {"GIT_COMMITTER_DATE": "1700000000 +0000"}
    git(upstream.path, "-c", "core.bare=false", "checkout", "--quiet", "--force", "--detach", "main", env=env)
    git(upstream.path, "-c", "core.bare=false", "am", "--quiet", "--keep-non-patch", stdin=content, env=env)
    assert applied.commit == upstream.rev_parse("HEAD")


@pytest.mark.parametrize("tag", ["[PATCH]", "[PATCH 2/3]"])
def test_the_tag_of_a_mailed_patch_is_no_part_of_the_message(upstream: FakeUpstream, tmp_path: Path, tag: str) -> None:
    content = upstream.patch({"README.md": b"# Ours\n"}, "Ask nobody").replace(
        b"Subject: ", f"Subject: {tag} ".encode()
    )
    applied = fit(upstream, tmp_path, content)
    assert Repository(upstream.path).output("show", "-s", "--format=%s", applied.commit) == "Ask nobody"


HOSTILE_CONFIG = (
    "[core]\n\tautocrlf = true\n\tquotePath = false\n[apply]\n\twhitespace = fix\n\tignoreWhitespace = change\n"
)


@pytest.mark.parametrize("language", ["", "de"], ids=["plain", "another language"])
def test_the_users_settings_have_no_influence(
    upstream: FakeUpstream, user_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    base = upstream.head
    content = [
        upstream.patch({"src/app.js": lines(l9="nine  \t")}),
        upstream.patch({"src/windows.txt": b"first\r\nnew \r\nthird\r\nfourth\r\n"}),
        upstream.patch({"src/util.js": b"export const  one = 1;\nexport const two = 2;\nexport const three = 3;\n"}),
    ]
    upstream.commit({"src/app.js": b"new\n" + lines(), "src/util.js": b"export  const one = 1;\n"})
    before = fit(upstream, tmp_path, *content)
    clean_before = fit(upstream, tmp_path, content[1], base=base)
    (user_home / ".gitconfig").write_text(HOSTILE_CONFIG)
    (user_home / ".config/git").mkdir(parents=True)
    (user_home / ".config/git/attributes").write_text("* text eol=crlf whitespace=trailing-space\n")
    monkeypatch.setenv("LANGUAGE", language)
    monkeypatch.setenv("LANG", "de_DE.UTF-8" if language else "C")
    assert statuses(before) == [Status.OFFSET, Status.CLEAN, Status.CONFLICT]
    assert before.results == fit(upstream, tmp_path, *content).results
    assert clean_before == fit(upstream, tmp_path, content[1], base=base)
