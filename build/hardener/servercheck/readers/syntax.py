"""Syntax trees by tree-sitter, within a limit of time: some broken texts take it as long as they are long, squared."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tree_sitter import Parser

if TYPE_CHECKING:
    from tree_sitter import Language, Tree

SECONDS = 1.0  # of the processor
SMALL = 10_000  # bytes that are never too slow
CHUNK = 4_096


def parse(language: Language, text: bytes) -> Tree | None:
    """Return the tree; None: it would take too long."""
    parser: Any = Parser(language)
    if len(text) > SMALL:
        end = time.thread_time() + SECONDS
        try:
            # Only a source in pieces can be given up; only one in one piece has the text of its nodes.
            parser.parse(
                lambda offset, _point: text[offset : offset + CHUNK],
                encoding="utf8",
                progress_callback=lambda _offset, _error: time.thread_time() > end,
            )
        except ValueError:
            return None
        parser.reset()
    tree: Tree = parser.parse(text)
    return tree
