"""Prosody's configuration, read without running it.

Prosody runs its configuration as a Lua program. This reads the syntax tree (tree-sitter's Lua grammar: it continues
behind an error and marks it) and understands what configurations are made of: assignments of constants and tables,
VirtualHost, Component, Include. What needs running (a call, an ``if``, an environment variable) becomes ``Unknown`` or
``Unclear``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hardener.servercheck.model import GLOBAL, Prosody, Section, Setting, Table, Unclear, Unknown, Where
from hardener.servercheck.readers import syntax

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    Include = Callable[[str, Where], list[tuple[str, bytes]]]

GRAMMAR = "tree_sitter_lua"
DEPTH = 40  # tables in tables, files in files: no real configuration has more
LONGEST = 4_000  # characters of a joined text: each line may double one
DIGITS = 30  # of a number
MOST = 20_000  # options in braces: many hosts may be given one table
HOSTS = {"VirtualHost": "VirtualHost", "Host": "VirtualHost", "host": "VirtualHost"}
COMPONENTS = {"Component": "Component", "component": "Component"}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "\n": "\n"}
CONSTANTS = {"true": True, "false": False, "nil": None}
LUA = frozenset(
    "_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io ipairs load loadfile loadstring"
    " math next os package pairs pcall print prosody rawequal rawget rawlen rawset require select setmetatable string"
    " table tonumber tostring type unpack utf8 xpcall Lua FileContents FileLine FileLines Credential".split()
)
# Options on which login or roles depend: if one of them cannot be determined, nothing has been proven.
VITAL = frozenset(
    "authentication anonymous_login allow_empty_token allow_registration modules_enabled modules_disabled enabled"
    " restrict_room_creation app_secret s2s_whitelist admins asap_key_server cache_keys_url s2s_interfaces s2s_ports"
    " s2s_direct_tls_ports token_verification_allowlist default_user_role host_user_role server_user_role"
    " public_user_role default_provisioned_role custom_roles add_permissions authorization".split()
)


def read(text: bytes, name: str, into: Prosody, include: Include) -> list[Unclear]:
    """Read one file into ``into``; ``include(pattern, where)`` answers Include lines. Return what is unclear."""
    reader = _Reader(into, include)
    reader.file(text, name, 0)
    return reader.unclear


def fragment(text: str, section: Section, into: Prosody, where: Where) -> list[Unclear]:
    """Read lines that an environment variable puts into ``section``; ``where`` is the variable's place."""
    reader = _Reader(into, lambda _pattern, _where: [])
    tree = syntax.parse(GRAMMAR, text.encode())
    if tree is None or tree.root_node.has_error:
        reader.unclear.append(Unclear(where, "not valid Lua; Prosody would not start", vital=True))
    if tree is not None:
        _File(reader, where.file, 0, section, where).block(tree.root_node, 0)
    return reader.unclear


class _Reader:
    def __init__(self, into: Prosody, include: Include) -> None:
        self.into = into
        self.include = include
        self.unclear: list[Unclear] = []
        self.given = 0  # options in braces

    def file(self, text: bytes, name: str, depth: int) -> None:
        start = self.into.section("global", GLOBAL, Where(name))
        tree = syntax.parse(GRAMMAR, text)
        if tree is None:
            self.unclear.append(
                Unclear(Where(name), "takes too much time or memory to be read: not a configuration", vital=True)
            )
            return
        known = len(self.unclear)
        _File(self, name, depth, start).block(tree.root_node, 0)
        if tree.root_node.has_error and not any(doubt.vital for doubt in self.unclear[known:]):
            self.unclear.append(Unclear(Where(name), "not valid Lua; Prosody would not start", vital=True))


class _File:
    """One file: each starts in the global section, as in Prosody."""

    def __init__(self, reader: _Reader, name: str, depth: int, start: Section, fixed: Where | None = None) -> None:
        self.fixed = fixed
        self.reader = reader
        self.name = name
        self.depth = depth
        self.current = start
        self.local: dict[str, Any] = {}

    def where(self, node: Node, name: str = "") -> Where:
        return self.fixed or Where(self.name, node.start_point.row + 1, name)

    def doubt(self, node: Node, reason: str, *, vital: bool = True) -> None:
        self.reader.unclear.append(Unclear(self.where(node), reason, vital))

    def block(self, node: Node, nested: int) -> None:
        """Read all statements of a chunk or block. ``nested``: how deep in constructs that may or may not be run."""
        if nested > DEPTH:
            self.doubt(node, "nested too deeply to be read")
            return
        for child in node.named_children:
            if child.type == "comment":
                continue
            if child.is_error or child.is_missing:
                self.doubt(child, "not valid Lua; Prosody would not start, or this is not its configuration")
                self.block(child, nested + 1)  # what can still be recognised
            elif child.type == "assignment_statement":
                self.assign(child, nested)
            elif child.type == "variable_declaration":
                self.declare(child)
            elif child.type == "function_call":
                self.call(child)
            elif child.type == "function_declaration":
                pass  # runs only where it is called, and calls are not followed
            elif child.type not in {"hash_bang_line", "empty_statement", ";"}:
                self.control(child, nested)

    def control(self, node: Node, nested: int) -> None:
        """Read if, for, function …: it may or may not run. Hosts in it are taken as there, options as unknown."""
        self.doubt(node, f"a {node.type.replace('_', ' ')}: what it sets depends on the moment when Prosody starts")
        for child in node.named_children:
            if child.type in {"block", "elseif_statement", "else_statement"}:
                self.block(child, nested + 1)

    def assign(self, node: Node, nested: int) -> None:
        targets, values = _pair(node)
        for place, target in enumerate(targets):
            value = self.value(values[place], 0) if place < len(values) else None
            if node.has_error:
                value = Unknown("not valid Lua")
            if nested:
                value = Unknown("set inside a statement that may or may not be run")
            name = _text(target)
            if value is None and name in VITAL and place < len(values) and values[place].type != "nil":
                self.doubt(node, f"{name} is set to a name that is nothing here: Prosody takes it as not set")
            if target.type != "identifier":
                self.doubt(node, f"changes a part of something ({name})")
                continue
            if name in self.local:
                self.local[name] = value
                continue
            self.set(name, Setting(value, self.where(target, name)))

    def set(self, name: str, setting: Setting) -> None:
        self.current.settings[name] = setting
        partial = isinstance(setting.value, Table) and not setting.value.complete
        if setting.unknown or partial:
            reason = setting.value.reason if setting.unknown else "a part of this table cannot be determined"
            self.reader.unclear.append(Unclear(setting.where, reason, name in VITAL))

    def declare(self, node: Node) -> None:
        for child in node.named_children:
            if child.type == "assignment_statement":
                targets, values = _pair(child)
                for place, target in enumerate(targets):
                    self.local[_text(target)] = self.value(values[place], 0) if place < len(values) else None
            elif child.type in {"variable_list", "identifier"}:
                self.local.update(dict.fromkeys(re.findall(r"\w+", _text(child))))

    def call(self, node: Node) -> None:
        """Read VirtualHost "a", Component "b" "muc", either followed by a table of options, and Include."""
        words: list[Node] = []
        while node.type == "function_call":
            arguments = node.child_by_field_name("arguments")
            words[:0] = [child for child in arguments.named_children if child.type != "comment"] if arguments else []
            node = node.child_by_field_name("name") or node.named_children[0]
        function = _text(node)
        first = self.value(words[0], 0) if words else None
        if function in {"Include", "include"} and isinstance(first, str):
            self.includes(first, node)
        elif (kind := HOSTS.get(function) or COMPONENTS.get(function)) and isinstance(first, str):
            self.open(kind, first, words[1:], node)
        else:
            self.doubt(node, f"calls {function or 'something'}, whose effect cannot be determined by reading")

    def includes(self, pattern: str, node: Node) -> None:
        if self.depth >= DEPTH:
            self.doubt(node, "files include each other without end")
            return
        for name, text in self.reader.include(pattern, self.where(node)):
            self.reader.file(text, name, self.depth + 1)

    def open(self, kind: str, name: str, words: list[Node], node: Node) -> None:
        self.current = self.reader.into.section(kind, name, self.where(node, name))
        for word in words:
            value = self.value(word, 0)
            if isinstance(value, str):
                self.current.module = value
            elif isinstance(value, Table):
                self.reader.given += len(value.fields)
                if self.reader.given > MOST:
                    self.doubt(node, f"more than {MOST} options: the others were not read")
                    return
                for key, setting in value.fields.items():
                    self.set(key, Setting(setting.value, Where(setting.where.file, setting.where.line, key)))
                # Unlike lines that follow, options in braces close the section.
                self.current = self.reader.into.sections[GLOBAL]

    def value(self, node: Node, depth: int) -> Any:
        """Return a constant, a ``Table``, or ``Unknown``."""
        if depth > DEPTH:
            return Unknown("nested too deeply to be read")
        if node.is_error or node.is_missing:
            return Unknown("not valid Lua")
        simple = {"string": string, "number": number}.get(node.type)
        if simple:
            return simple(_text(node))
        if node.type in CONSTANTS:
            return CONSTANTS[node.type]
        if node.type == "identifier":
            return self.name_value(_text(node))
        return self.compound(node, depth)

    def compound(self, node: Node, depth: int) -> Any:
        """Return the value of something that has parts."""
        if node.type == "table_constructor":
            return self.table(node, depth)
        if node.type == "binary_expression":
            return self.binary(node, depth)
        if node.named_children and node.type in {"parenthesized_expression", "unary_expression"}:
            inner = self.value(node.named_children[0], depth + 1)
            return inner if node.type == "parenthesized_expression" else unary(_text(node), inner)
        return Unknown(f"needs to be run: {_short(node)}")

    def name_value(self, name: str) -> Any:
        if name in self.local:
            return self.local[name]
        if name.startswith("ENV_"):
            return Unknown(f"taken from the environment variable {name[4:]}")
        # core/configmanager.lua: a name that is not a local is one of Lua's own, or nil. Prosody 13 takes an option of
        # that name, but only of the section itself.
        if self.reader.into.own(self.current, name) is not None:
            return Unknown(f"{name} is nil in Prosody 0.12, and the option of that name in 13")
        return Unknown(f"{name} is a name of Lua's own") if name in LUA else None

    def binary(self, node: Node, depth: int) -> Any:
        left, right = (self.value(child, depth + 1) for child in (node.named_children[0], node.named_children[-1]))
        operator = next((child.type for child in node.children if not child.is_named), "")
        for side in (left, right):
            if isinstance(side, Unknown):
                return side
        if operator == ".." and isinstance(left, str) and isinstance(right, str):
            return left + right if len(left) + len(right) <= LONGEST else Unknown("joined to a text that is too long")
        if operator == "or":
            return right if left is None or left is False else left
        if operator == "and":
            return left if left is None or left is False else right
        return Unknown(f"needs to be run: {_short(node)}")

    def table(self, node: Node, depth: int) -> Table:
        items: list[Setting] = []
        fields: dict[str, Setting] = {}
        complete = not node.has_error
        for child in node.named_children:
            if child.type != "field":
                complete = complete and child.type == "comment"
                continue
            value_node = child.child_by_field_name("value")
            if value_node is None:
                complete = False
                continue
            key_node = child.child_by_field_name("name")
            setting = Setting(self.value(value_node, depth + 1), self.where(child))
            inner = setting.value
            complete = complete and not setting.unknown and (not isinstance(inner, Table) or inner.complete)
            if key_node is None:
                items.append(setting)
                continue
            bracketed = child.children[0].type == "["
            key = self.value(key_node, depth + 1) if bracketed else _text(key_node)
            if isinstance(key, str):
                fields[key] = setting
            elif isinstance(key, int | float):
                items.append(setting)
            else:
                complete = False
        return Table(tuple(items), fields, complete)


def _pair(node: Node) -> tuple[list[Node], list[Node]]:
    """Return targets and values of an assignment."""
    sides: dict[str, list[Node]] = {"variable_list": [], "expression_list": []}
    for child in node.named_children:
        if child.type in sides:
            sides[child.type] = [part for part in child.named_children if part.type not in {"comment", "attribute"}]
    return sides["variable_list"], sides["expression_list"]


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _short(node: Node) -> str:
    """Return the node's text in one short line."""
    return " ".join(_text(node).split())[:60]


def string(raw: str) -> str:
    long = re.match(r"\[(=*)\[\r?\n?", raw)
    if long:
        return raw[long.end() : -(len(long[1]) + 2)]
    return re.sub(r"\\(\d{1,3}|x[0-9a-fA-F]{2}|z\s*|.)", _escape, raw[1:-1], flags=re.DOTALL)


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if code.isdigit():
        return chr(int(code))
    if code.startswith("x") and len(code) > 1:
        return chr(int(code[1:], 16))
    if code.startswith("z"):
        return ""
    return ESCAPES.get(code, code)


def number(text: str) -> Any:
    for kind in (int, float) if len(text) <= DIGITS else ():
        try:
            return kind(text, 0) if kind is int else kind(text)
        except ValueError:
            continue
    return Unknown(f"not a number: {text[:60]}")


def unary(text: str, inner: Any) -> Any:
    if isinstance(inner, Unknown):
        return inner
    if text.startswith("not"):
        return inner is None or inner is False
    if text.startswith("-") and isinstance(inner, int | float):
        return -inner
    return Unknown(f"needs to be run: {text[:60]}")
