"""Read the addresses and strings of a style sheet as tokens (CSS Syntax), so that escapes count as what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tinycss2  # type: ignore[import-untyped]

from hardener.policy.readers import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def values(content: bytes) -> list[Value]:
    r"""Return addresses and strings.

    >>> [(value.text, value.address) for value in values(rb'@import "//a\2e example"; a{b:url(\68ttps://c.example)}')]
    [(b'//a.example', True), (b'https://c.example', True)]
    """
    text = content.decode("utf-8", "surrogateescape")
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = []
    for token in _tokens(tinycss2.parse_component_value_list(text, skip_comments=True)):
        at = starts[min(token.source_line, len(starts)) - 1] + token.source_column - 1
        start = len(text[:at].encode("utf-8", "surrogateescape"))
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
    for node in nodes:
        if node.type in ("url", "string") or (node.type == "error" and getattr(node, "value", "")):
            yield node
        elif node.type == "function":
            yield from _tokens(node.arguments)
        elif node.type in ("() block", "[] block", "{} block"):
            yield from _tokens(node.content)
