"""Which variable a name in a script means, and the constant that it has."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tree_sitter import Node

_NAME = re.compile(rb"[\w$\x80-\xff]+")
_WORD = re.compile(rb"[\w$]+")


class Scopes:
    """Which variable a name means at a place, by the ranges of functions and blocks; -1 is the whole script."""

    def __init__(self, captures: Mapping[str, Sequence[Node]], content: bytes) -> None:
        self._content = content
        self._functions = {(node.start_byte, node.end_byte): node for node in captures.get("function", ())}
        blocks = {(node.start_byte, node.end_byte) for node in captures.get("scope", ())}
        self._ranges = sorted(blocks | self._functions.keys(), key=lambda place: (place[0], -place[1]))
        self._starts = [start for start, _ in self._ranges]
        self._outer: list[int] = []
        self._function_of: list[int] = []
        open_ones: list[int] = []
        for index, place in enumerate(self._ranges):
            while open_ones and self._ranges[open_ones[-1]][1] <= place[0]:
                open_ones.pop()
            outer = open_ones[-1] if open_ones else -1
            self._outer.append(outer)
            inside = self._function_of[outer] if outer >= 0 else -1
            self._function_of.append(index if place in self._functions else inside)
            open_ones.append(index)
        self._declared: dict[tuple[bytes, int], Node] = {}
        self._assigned: dict[bytes, tuple[list[int], list[Node]]] = {}
        for node in captures.get("declared", ()):
            if name := _NAME.match(content, node.start_byte):
                scope = self._innermost(node.start_byte)
                # 'let' in an inner block is not distinguished from 'var'.
                for index in {scope, self._function_of[scope] if scope >= 0 else -1}:
                    known = self._declared.get((name[0], index))
                    if known is None or known.child_by_field_name("value") is None:
                        self._declared[name[0], index] = node
        for node in sorted(captures.get("assigned", ()), key=lambda node: node.start_byte):
            if name := _NAME.match(content, node.start_byte):
                places, nodes = self._assigned.setdefault(name[0], ([], []))
                places.append(node.start_byte)
                nodes.append(node)

    def _innermost(self, at: int) -> int:
        index = bisect.bisect_right(self._starts, at) - 1
        while index >= 0 and self._ranges[index][1] <= at:
            index = self._outer[index]
        return index

    def constant(self, name: bytes, at: int) -> Node | None:
        """Return the value that a variable is declared with, or assigned once if it is declared without."""
        scope = self._innermost(at)
        while True:
            here = self._declared.get((name, scope))
            if here is not None and (value := here.child_by_field_name("value")) is not None:
                return value
            if here is not None or scope == -1:
                start, end = self._ranges[scope] if scope >= 0 else (0, len(self._content))
                places, nodes = self._assigned.get(name, ([], []))
                first = bisect.bisect_left(places, start)
                alone = bisect.bisect_left(places, end) - first == 1
                return nodes[first].child_by_field_name("right") if alone else None
            function = self._functions.get(self._ranges[scope])
            if function is not None and self._is_parameter(function, name):
                return None
            scope = self._outer[scope]

    def _is_parameter(self, function: Node, name: bytes) -> bool:
        given = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
        written = b"" if given is None else self._content[given.start_byte : given.end_byte]
        return name in written and name in _WORD.findall(written)
