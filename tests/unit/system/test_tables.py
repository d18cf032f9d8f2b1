"""system/tables.py: a mistake in a TOML file is named with its line, its table, its key and what is allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hardener.errors import ConfigError
from hardener.system import tables
from hardener.system.tables import choice, pairs, text, text_or_texts, texts, whole

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.system.tables import Document

KEYS = {
    "name": text("a name", r"[a-z]+", required=True),
    "kind": choice(("link", "licence")),
    "paths": texts("a list of paths, none twice", r"[^/].*", distinct=True),
    "only": text_or_texts("a tree or a list of trees", least=1),
    "count": whole("a whole number from 1", 1),
    "files": pairs("a table: path = content", r"[^/].*", r"(?s).*"),
}
GOOD = """# a list

[[item]]
name = "a"

[[item]] # the second
name = "b"
kind = "link"
paths = ["x", "y"]
only = "pin"
count = 2
files = { b = "2", a = "1" }
"""


def load(tmp_path: Path, content: str) -> Document:
    """Return a parsed file with this content."""
    path = tmp_path / "list.toml"
    path.write_text(content, "utf-8")
    return tables.load(path)


def test_values_are_read_as_the_keys_say_and_absent_ones_are_left_out(tmp_path: Path) -> None:
    first, second = load(tmp_path, GOOD).tables("item", KEYS)
    assert first.values == {"name": "a"}
    assert second.values == {
        "name": "b",
        "kind": "link",
        "paths": ("x", "y"),
        "only": ("pin",),
        "count": 2,
        "files": (("a", "1"), ("b", "2")),
    }


MISTAKES = {
    "unknown key": ("count = 2", "coutn = 2", 11, "[[item]] 2: unknown key 'coutn'", "did you mean count?"),
    "unknown key that is near nothing": ("count = 2", "xyz = 2", 11, "unknown key 'xyz'", "allowed: name, kind"),
    "required key missing": ('name = "b"\n', "", 6, "[[item]] 2: 'name' is missing", "name is a name"),
    "another word": ('"link"', '"licens"', 8, "kind = 'licens'", "did you mean licence? allowed: link, licence"),
    "no text": ('"link"', '["link"]', 8, "kind = ['link']", "allowed: link, licence"),
    "one text twice": ('["x", "y"]', '["x", "x"]', 9, "paths = ['x', 'x']", "none twice"),
    "a text for a list": ('["x", "y"]', '"x"', 9, "paths = 'x'", "a list of paths"),
    "an empty list": ('only = "pin"', "only = []", 10, "only = []", "a tree or a list"),
    "a number in a list": ('only = "pin"', 'only = ["a", 1]', 10, "only = ['a', 1]", "a tree or a list"),
    "a truth for a number": ("count = 2", "count = true", 11, "count = True", "a whole number"),
    "a number that is too small": ("count = 2", "count = 0", 11, "count = 0", "a whole number from 1"),
    "a pair that is no text": ('b = "2"', "b = 2", 12, "files = ", "path = content"),
    "a pair with a wrong name": ('b = "2"', '"/b" = "2"', 12, "files = ", "path = content"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(tmp_path: Path, name: str) -> None:
    old, new, line, said, hint = MISTAKES[name]
    assert old in GOOD
    document = load(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        document.tables("item", KEYS)
    assert caught.value.message.startswith(f"{document.path}:{line}: ")
    assert hint in caught.value.hint


def test_a_value_that_has_to_be_unique_is_named_where_it_comes_again(tmp_path: Path) -> None:
    document = load(tmp_path, GOOD.replace('"b"', '"a"', 1))
    with pytest.raises(ConfigError, match="a is listed twice") as caught:
        document.tables("item", KEYS, unique="name")
    assert f"{document.path}:7: [[item]] 2" in caught.value.message


@pytest.mark.parametrize(
    ("content", "line", "hint"),
    [
        ("[[items]]\n", 1, "did you mean [[item]]? allowed: [[item]], [project]"),
        ("\n[projekt]\n", 2, "did you mean [project]?"),
        ("colour = 1\n", 1, "allowed: [[item]], [project]"),
    ],
)
def test_an_unknown_table_is_named_with_the_nearest(tmp_path: Path, content: str, line: int, hint: str) -> None:
    document = load(tmp_path, content)
    with pytest.raises(ConfigError, match="unknown key") as caught:
        document.holds("[[item]]", "[project]")
    assert caught.value.message.startswith(f"{document.path}:{line}: ")
    assert hint in caught.value.hint


def test_named_tables_are_found_by_their_own_header(tmp_path: Path) -> None:
    document = load(tmp_path, '[part.x]\nname = "x"\n\n[ part . "y" ]\nname = "Y"\n')
    with pytest.raises(ConfigError, match=r":5: \[part\.y\]: name = 'Y'"):
        document.named_tables("part", KEYS)


def test_no_line_is_named_where_the_text_cannot_be_told_from_a_header(tmp_path: Path) -> None:
    document = load(tmp_path, 'x = """\n[[item]]\n"""\n[[item]]\nname = "B"\n')
    with pytest.raises(ConfigError, match=r"list\.toml: \[\[item\]\] 1: name = 'B'"):
        document.tables("item", KEYS)


def test_a_missing_table_is_named_with_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[project\]: the table is missing") as caught:
        load(tmp_path, "").table("project", KEYS)
    assert "name, kind" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x = \xff", "decode"),
        (b"x = = 1", "line 1"),
        (b"x = " + b"9" * 5000, "digits"),
        (b"x = " + b"[" * 3000, "nested too deeply"),
        (b"x = " + b"{a=" * 1000, "nested too deeply"),
    ],
    ids=["encoding", "syntax", "long number", "lists", "inline tables"],
)
def test_what_cannot_be_parsed_is_a_config_error_with_the_file(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        tables.load(path)
    assert str(path) in caught.value.message
