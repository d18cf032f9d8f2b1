"""``config.js`` of the web client, read without running it: ``var config = {...}`` and ``config.a.b = ...``.

Uses tree-sitter's JavaScript grammar, as ``lua`` uses the one for Lua. Constants are read, the rest is ``Unknown``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hardener.servercheck.model import Setting, Table, Unclear, Unknown, Where
from hardener.servercheck.readers import syntax
from hardener.servercheck.readers.paths import LONGEST, Paths

if TYPE_CHECKING:
    from tree_sitter import Node

GRAMMAR = "tree_sitter_javascript"
DEPTH = 40
SHOWN = 200  # characters of a name in a finding
CONSTANTS = {"true": True, "false": False, "null": None, "undefined": None}


def read(text: bytes, name: str, root: str = "config") -> tuple[dict[str, Setting], list[Unclear]]:
    """Return all settings by dotted path (``hosts.domain``), the last one wins; and what could not be determined."""
    reader = _Reader(name, root)
    tree = syntax.parse(GRAMMAR, text)
    if tree is None:
        return {}, [Unclear(Where(name), "takes too much time or memory to be read: not the client's configuration")]
    reader.statements(tree.root_node, 0)
    return reader.paths.settings, reader.unclear


class _Reader:
    def __init__(self, name: str, root: str) -> None:
        self.name = name
        self.root = root
        self.paths = Paths()
        self.unclear: list[Unclear] = []

    def where(self, node: Node, path: str = "") -> Where:
        return Where(self.name, node.start_point.row + 1, path)

    def statements(self, node: Node, nested: int, depth: int = 0) -> None:
        """Read a block. ``nested``: how deep in statements that may or may not be run; ``depth``: at all."""
        if depth > DEPTH:
            self.unclear.append(Unclear(self.where(node), "nested too deeply to be read"))
            return
        for child in node.named_children:
            if child.is_error:
                self.unclear.append(
                    Unclear(self.where(child), "not valid JavaScript: a browser would not run this file")
                )
                self.statements(child, nested, depth + 1)
            elif child.type in {"variable_declaration", "lexical_declaration"}:
                for declared in child.named_children:
                    self.assign(declared.child_by_field_name("name"), declared.child_by_field_name("value"), nested)
            elif child.type == "expression_statement" and child.named_children:
                self.expression(child.named_children[0], nested)
            elif child.type in {"if_statement", "statement_block", "else_clause", "try_statement"}:
                self.statements(child, nested + 1, depth + 1)

    def expression(self, node: Node, nested: int) -> None:
        """Read an assignment, or several with commas between them."""
        stack = [node]
        while stack:
            part = stack.pop()
            if part.type == "assignment_expression":
                self.assign(part.child_by_field_name("left"), part.child_by_field_name("right"), nested)
            elif part.type == "sequence_expression":
                stack += reversed(part.named_children)

    def assign(self, target: Node | None, value: Node | None, nested: int) -> None:
        path = _path(target) if target is not None else None
        if target is None or value is None or not path or path[0] != self.root:
            return
        self.put(".".join(path[1:]), value, self.where(target), nested, 0)

    def put(self, path: str, node: Node, where: Where, nested: int, depth: int) -> None:
        """Set what lies at ``path``, and what lies below it if it is an object."""
        if len(path) > LONGEST:
            self.unclear.append(Unclear(where, "a name that is too long to be read"))
            return
        self.paths.clear(path)
        if node.type == "object" and depth < DEPTH:
            for pair in node.named_children:
                key = pair.child_by_field_name("key")
                value = pair.child_by_field_name("value")
                if pair.type == "pair" and key is not None and value is not None:
                    name = _key(key)
                    self.put(f"{path}.{name}" if path else name, value, self.where(pair), nested, depth + 1)
                elif pair.type != "comment":
                    self.unclear.append(
                        Unclear(self.where(pair), "a part of this object cannot be determined by reading")
                    )
            return
        known = Unknown("set inside a statement that may or may not be run") if nested else _value(node, 0)
        if path:
            self.paths.put(path, Setting(known, Where(where.file, where.line, f"{self.root}.{path}"[:SHOWN])))
        elif isinstance(known, Unknown):
            self.unclear.append(Unclear(where, f"{self.root} as a whole is {known.reason}"))


def _path(node: Node) -> list[str] | None:
    """Return the names of ``config.a['b']``."""
    names: list[str] = []
    while node.type in {"member_expression", "subscript_expression"}:
        step = node.child_by_field_name("property") or node.child_by_field_name("index")
        inner = node.child_by_field_name("object")
        if step is None or inner is None or (node.type == "subscript_expression" and step.type != "string"):
            return None
        names.append(_key(step))
        node = inner
    return [_text(node), *reversed(names)] if node.type == "identifier" else None


def _key(node: Node) -> str:
    return str(_value(node, 0)) if node.type == "string" else _text(node)


def _value(node: Node, depth: int) -> Any:
    """Return a constant, a ``Table`` of an array, or ``Unknown``."""
    text = _text(node)
    if node.type in CONSTANTS:
        return CONSTANTS[node.type]
    if node.type == "string":
        return re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", _escape, text[1:-1], flags=re.DOTALL)
    if node.type == "template_string" and not any(
        child.type == "template_substitution" for child in node.named_children
    ):
        return text[1:-1]
    if node.type == "number" and re.fullmatch(r"\d{1,18}(\.\d{1,18})?", text):
        return json.loads(text) if not text.startswith("0") or text[1:2] in {"", "."} else Unknown("not a plain number")
    if node.type in {"array", "object"} and depth < DEPTH:
        return _members(node, depth)
    return {"!0": True, "!1": False}.get(text, Unknown(f"needs to be run: {' '.join(text.split())[:60]}"))


def _members(node: Node, depth: int) -> Table:
    """Return an array; an object in it is given as the strings that are in it, which is all that is asked about
    (STUN).
    """
    if node.type == "object":
        found = re.finditer(r"""['"]([^'"\n]*)['"]""", _text(node))
        return Table(tuple(Setting(match[1], Where("")) for match in found))
    values = [child for child in node.named_children if child.type != "comment"]
    return Table(tuple(Setting(_value(value, depth + 1), Where("", value.start_point.row + 1)) for value in values))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "ux" and len(code) > 1:
        return chr(int(code[1:], 16))
    return {"n": "\n", "t": "\t", "\n": ""}.get(code, code)
