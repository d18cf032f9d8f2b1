"""Read the addresses and strings of a style sheet as tokens (CSS Syntax), so that escapes count as what they mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tinycss2  # type: ignore[import-untyped]

from hardener.policy.readers import Offsets, Value, refuse_nested

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE_END = re.compile(r"\r\n|[\r\n\f]")


def values(content: bytes) -> list[Value]:
    r"""Return addresses and strings. Raises TooComplexError.

    >>> [(value.text, value.address) for value in values(rb'@import "//a\2e example"; a{b:url(\68ttps://c.example)}')]
    [(b'//a.example', True), (b'https://c.example', True)]
    """
    refuse_nested(content)
    text = content.decode("utf-8", "surrogateescape")
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    offsets = Offsets(text)
    found = []
    for token in _tokens(tinycss2.parse_component_value_list(text, skip_comments=True)):
        at = starts[token.source_line - 1] + token.source_column - 1
        start = offsets.of(at)
        written = text[at : at + 1]
        value = token.value.encode("utf-8", "surrogateescape")
        length = len(value) + (6 if written in "uU" else 2)
        found.append(
            Value(
                value,
                start,
                start + length if content[start : start + length].find(value) >= 0 else len(content),
                address=True,
            )
        )
    return found


def _tokens(nodes: Iterable[Any]) -> Iterator[Any]:
    unread = [iter(nodes)]
    while unread:
        for node in unread[-1]:
            if node.type in ("url", "string") or (node.type == "error" and getattr(node, "value", "")):
                yield node
            elif node.type in ("function", "() block", "[] block", "{} block"):
                unread.append(iter(node.arguments if node.type == "function" else node.content))
                break
        else:
            unread.pop()
