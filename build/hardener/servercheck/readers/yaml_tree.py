"""YAML as a tree with lines: built from PyYAML's events, so that nothing is constructed and no depth ends in a crash.

Merge keys are laid below own ones, as compose reads them; aliases lead to the node itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from hardener.servercheck.model import Unclear, Where

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEPTH = 60
MOST = 50_000  # nodes of one file; upstream's compose file has 700
NULL = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass
class Scalar:
    """A plain or quoted text. ``null``: nothing is there."""

    text: str
    where: Where
    tag: str = ""
    null: bool = False


@dataclass
class Seq:
    """A list."""

    where: Where
    tag: str = ""
    items: list[Tree] = field(default_factory=list)


@dataclass
class Map:
    """A mapping, its merged keys filled in."""

    where: Where
    tag: str = ""
    entries: dict[str, Tree] = field(default_factory=dict)


Tree = Scalar | Seq | Map


def documents(text: str, name: str) -> tuple[list[Tree], list[Unclear]]:
    """Return the documents of a file, and what could not be determined."""
    builder = _Builder(name)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if not builder.take(event):
                break
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        builder.doubt("not valid YAML", mark.line + 1 if mark else 0)
    return builder.documents, builder.unclear


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.documents: list[Tree] = []
        self.unclear: list[Unclear] = []
        self.anchors: dict[str, Tree] = {}
        self.stack: list[tuple[Tree, list[Tree]]] = []  # what is open, and its parts so far
        self.count = 0

    def doubt(self, reason: str, line: int) -> None:
        self.unclear.append(Unclear(Where(self.name, line), reason, vital=True))

    def take(self, event: Any) -> bool:
        """Add one event; False: give up."""
        self.count += 1
        line = event.start_mark.line + 1
        if self.count > MOST or len(self.stack) > DEPTH:
            limit = f"more than {MOST} nodes" if self.count > MOST else "nested too deeply to be read"
            self.doubt(limit, line)
            return False
        where, tag = Where(self.name, line), getattr(event, "tag", None) or ""
        if isinstance(event, yaml.ScalarEvent):
            null = not event.style and event.value in NULL and not tag
            self.put(Scalar(event.value, where, tag, null), event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            node: Tree = Seq(where, tag) if isinstance(event, yaml.SequenceStartEvent) else Map(where, tag)
            if event.anchor:
                self.anchors[event.anchor] = node
            self.stack.append((node, []))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            node, parts = self.stack.pop()
            if isinstance(node, Seq):
                node.items = parts
            elif isinstance(node, Map):
                self.fill(node, parts)
            self.put(node, None)
        elif isinstance(event, yaml.AliasEvent):
            found = self.anchors.get(event.anchor or "")
            if found is None or any(found is open_ for open_, _ in self.stack):
                self.doubt("an alias without its anchor", line)
            self.put(found if found is not None else Scalar("", where, null=True), None)
        return True

    def put(self, node: Tree, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if self.stack:
            self.stack[-1][1].append(node)
        else:
            self.documents.append(node)

    def fill(self, node: Map, parts: list[Tree]) -> None:
        """Pair up keys and values; of several merged mappings the first one wins, and own keys win over all."""
        merged: list[Map] = []
        for key, value in zip(parts[::2], parts[1::2], strict=False):
            if not isinstance(key, Scalar):
                self.doubt("a key that is not a text", key.where.line)
            elif key.text == "<<" and not key.tag:
                found = value.items if isinstance(value, Seq) else [value]
                merged += [item for item in found if isinstance(item, Map)]
            elif key.text in node.entries:
                self.doubt(f"{key.text!r} is listed twice: compose would not start", key.where.line)
                node.entries[key.text] = value
            else:
                node.entries[key.text] = value
        for below in merged:
            for name, value in below.entries.items():
                node.entries.setdefault(name, value)
