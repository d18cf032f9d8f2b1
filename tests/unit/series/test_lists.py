"""series/lists.py: the grammars of ``series`` and ``remove.list``, and that no path leaves its tree."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hardener.errors import ConfigError
from hardener.series.lists import Removal, parse_removals, parse_series, read_removals, read_series, safe_path
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.lists(st.from_regex(r"[a-z0-9_+-][a-z0-9_.+-]{0,12}\.patch", fullmatch=True), unique=True, max_size=8)
PLAIN = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\\/#"), min_size=1, max_size=8)
PATHS = st.lists(PLAIN, min_size=1, max_size=4).map("/".join).filter(safe_path)


@given(NAMES, st.randoms(use_true_random=False))
def test_a_series_comes_back_as_it_was_written(names: list[str], random: st.DrawFn) -> None:
    """Comments, blank lines and blanks around a name do not matter."""
    noise = ["", "  ", "# a comment", "\t# old.patch"]
    text = []
    for name in names:
        text += [random.choice(noise), random.choice(["", " "]) + name + random.choice(["", " ", "  # why"])]
    assert names == parse_series("\n".join(text))


@given(st.dictionaries(PATHS, st.tuples(PLAIN, st.lists(st.from_regex(r"[a-z][\w.-]*", fullmatch=True), max_size=3))))
def test_removals_come_back_as_they_were_written(wanted: dict[str, tuple[str, list[str]]]) -> None:
    removals = [Removal(path, reason, tuple(only)) for path, (reason, only) in wanted.items()]
    text = "".join(f"{r.path}{' only=' + ','.join(r.only) if r.only else ''} # {r.reason}\n" for r in removals)
    assert removals == parse_removals(text)


@given(st.text(alphabet="a./\\ .gitGIT\0é", max_size=12) | st.text(max_size=12))
@example("..")
@example("a/./../..")
@example("a/../../../etc/passwd")
@example("/etc/passwd")
def test_a_safe_path_never_leaves_its_tree(path: str) -> None:
    if safe_path(path):
        normal = os.path.normpath("/tree/" + path)
        assert normal == "/tree/" + path
        assert os.path.commonpath([normal, "/tree"]) == "/tree"
        assert ".git" not in path.lower().split("/")


@pytest.mark.parametrize("path", ["a", "a/b", ".gitignore", "a/.github/b", "größe & maß.txt", "...", "a..b", "-x"])
def test_ordinary_paths_are_safe(path: str) -> None:
    assert safe_path(path)


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", ".git", "a/.git/x", ".GIT/x", "a\\b", "a\0b"]
)
def test_other_paths_are_not(path: str) -> None:
    assert not safe_path(path)


@pytest.mark.parametrize(
    "text",
    ["../x.patch", "a/b.patch", "/x.patch", "x.diff", "x", ".x.patch", "a b.patch", "a.patch b.patch", "a.patch#b"],
)
def test_a_series_line_has_to_be_a_plain_patch_file_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 2: .* is not a patch file name"):
        parse_series("first.patch\n" + text)


def test_a_patch_may_stand_in_the_series_once() -> None:
    with pytest.raises(ValueError, match=r"line 3: 'a\.patch' is listed twice"):
        parse_series("a.patch\nb.patch\na.patch\n")


REMOVAL_MISTAKES = {
    "no reason": ("a/b", "line 1: no reason"),
    "empty reason": ("a/b # ", "no reason"),
    "no blank before the reason": ("a/b# why", "no reason"),
    "absolute": ("/a # why", "'/a' is not a path inside the tree"),
    "leaves the tree": ("a/../../b # why", "is not a path inside"),
    "into .git": (".Git/config # why", "is not a path inside"),
    "no path": (" # why", "comment|not a path"),
    "whole tree": ("/ # why", "is not a path inside"),
    "twice": ("a # x\na # y", "line 2: 'a' is listed twice"),
}


@pytest.mark.parametrize(("text", "named"), [v for k, v in REMOVAL_MISTAKES.items() if k != "no path"])
def test_a_malformed_removal_is_named_with_its_line(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_removals(text)


def test_a_removal_may_be_a_folder_and_may_be_for_some_trees_only() -> None:
    assert parse_removals("# why\n\nold/ only=pin,next # gone\na b.txt # odd # name\n") == [
        Removal("old/", "gone", ("pin", "next")),
        Removal("a b.txt", "odd # name"),
    ]


def test_no_folder_means_no_patches_and_no_removals(tmp_path: Path) -> None:
    assert read_series(tmp_path / "none") == []
    assert read_removals(tmp_path / "none") == []


def test_the_series_is_read_in_its_order_not_in_that_of_names(tmp_path: Path) -> None:
    write_files(tmp_path, {"series": "b.patch\na.patch\n", "a.patch": "x", "b.patch": "y"})
    assert [tmp_path / "b.patch", tmp_path / "a.patch"] == read_series(tmp_path)


SERIES_MISTAKES = {
    "malformed": ({"series": "../a.patch\n"}, "line 1"),
    "listed but not there": ({"series": "a.patch\n"}, "lists a.patch"),
    "there but not listed": ({"series": "a.patch\n", "a.patch": "", "b.patch": ""}, "not in the series: b.patch"),
    "patches but no series": ({"b.patch": ""}, "not in the series: b.patch"),
}


@pytest.mark.parametrize(("files", "named"), SERIES_MISTAKES.values(), ids=SERIES_MISTAKES.keys())
def test_a_wrong_series_is_a_config_error_with_a_hint(tmp_path: Path, files: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        read_series(write_files(tmp_path, files))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_wrong_remove_list_is_a_config_error_with_its_grammar(tmp_path: Path) -> None:
    write_files(tmp_path, {"remove.list": "a.txt\n"})
    with pytest.raises(ConfigError, match=r"remove\.list: line 1: no reason") as caught:
        read_removals(tmp_path)
    assert "PATH [only=TREE,TREE] # REASON" in caught.value.hint


@pytest.mark.parametrize("name", ["series", "remove.list"])
def test_a_list_that_is_not_utf_8_is_a_config_error(tmp_path: Path, name: str) -> None:
    """UnicodeDecodeError is a ValueError: no traceback for a file in Latin-1."""
    write_files(tmp_path, {name: b"caf\xe9.patch # why\n"})
    with pytest.raises(ConfigError, match=name) as caught:
        (read_series if name == "series" else read_removals)(tmp_path)
    assert caught.value.hint
