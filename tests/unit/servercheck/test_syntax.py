"""servercheck/readers/syntax.py: a tree for each text, or None for one that takes too much."""

from __future__ import annotations

import pytest

from hardener.servercheck.readers import syntax


@pytest.mark.parametrize("grammar", ["tree_sitter_lua", "tree_sitter_javascript"])
def test_a_long_text_that_is_right_has_a_tree(grammar: str) -> None:
    tree = syntax.parse(grammar, b"x = 1\n" * 3000)
    assert tree is not None
    assert tree.root_node.named_child_count == 3000
    assert not tree.root_node.has_error


def test_a_broken_text_that_takes_the_square_of_its_length_is_given_up() -> None:
    assert syntax.parse("tree_sitter_javascript", b"*at[1]=" * 5000) is None


def test_a_broken_text_that_takes_too_much_memory_is_given_up() -> None:
    """Without its limit this one takes half a second of the processor, and 300 MB."""
    assert syntax.parse("tree_sitter_javascript", b"} else.a1 =" * 4000) is None


def test_a_short_text_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "_in_time", lambda *_: pytest.fail("a process was started"))
    assert syntax.parse("tree_sitter_javascript", b"*at[1]=" * 250) is not None
