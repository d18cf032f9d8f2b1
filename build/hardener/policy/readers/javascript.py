"""Read the strings of JavaScript, JSX and TypeScript, with escapes resolved and constants joined.

Uses tree-sitter's grammars, as check-server does: they need neither Node nor a network, and read on behind a mistake.
What is joined: ``+``, templates, ``concat``, ``join``, ``atob`` and a few more of constants, also of variables, members
of objects and elements of arrays that are assigned a constant. What is only known at run time is ``{}`` in the result.
Conditions are not followed: a variable has the value that it is given at its declaration.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from hardener.policy.readers import TooComplexError, Value, refuse_nested
from hardener.policy.readers.escapes import LONGEST, changed, decode_base64, decode_hex, is_encoded, letters, unescape
from hardener.policy.readers.scopes import Scopes

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLE = b"{}"
_GRAMMARS = {
    "javascript": tree_sitter_javascript.language,
    "typescript": tree_sitter_typescript.language_typescript,
    "tsx": tree_sitter_typescript.language_tsx,
}
_METHODS = (
    b"concat join replaceAll replace fromCharCode fromCodePoint atob decodeURIComponent decodeURI unescape from".split()
)
# One query: each walks through the whole tree. None asks for what comes after a nested part, as the operator of a sum
# does: such a question stays open through all that is nested, so a sum of thousands would take their number squared.
_NODES = """
(string) @text
(template_string) @template
(binary_expression) @binary
(augmented_assignment_expression operator: "+=") @added
(variable_declarator name: (identifier)) @declared
(assignment_expression left: (identifier)) @assigned
[(statement_block) (for_statement)] @scope
(call_expression) @call
(comment) @comment
[(function_declaration) (function_expression) (arrow_function) (method_definition)] @function
"""
# Calls are chosen by their text: a query with predicates takes five times as long, and to look them up in the tree
# takes as long as it is deep. An expression that begins with a fixed sign takes a tenth of the time of one that looks
# back at each place.
_BRACKET = rb"\s*+(?:\)\s*+)*+(?:\?\.\s*+)?\("
_METHOD_CALLS = (
    re.compile(rb"\.\s*(?:" + b"|".join(_METHODS) + rb")" + _BRACKET),
    re.compile(rb"\[\s*[\"'`](?:" + b"|".join(_METHODS) + rb")[\"'`]\s*\]" + _BRACKET),
)
_FUNCTION_CALL = re.compile(rb"(?:atob|decodeURIComponent|decodeURI|unescape)" + _BRACKET)
_NAME_BEFORE = re.compile(rb"[\w$.]")
# A text (in lower case: ignoring case takes five times as long) that a browser reads otherwise than it is written.
# What is written plainly is found without a parser.
OF_INTEREST = re.compile(
    rb"(?:https?|wss?|ftps?):(?!//[a-z0-9])|data:[a-z,;]|javascript:|\A[\x00-\x20]*[\\/]{2}|%[0-9a-f]{2}|&(?:#|\w+;)"
    rb"|\xe3\x80\x82|\xef[\xbc\xbd]"
)
# Browsers drop tabs and ends of lines from an address.
_BROKEN = re.compile(rb"\A[\x00-\x20]*(?:[a-z][a-z0-9+.\t\r\n-]*:|[\\/])[^ ]*[\t\r\n]")
_ESCAPED_OF_INTEREST = re.compile(rb"[a-z0-9_-]\.[a-z0-9]|[\\/]{2}|:[^\s]|%[0-9a-f]{2}|&(?:#|\w+;)|[\x80-\xff]\.")
# An escape of a letter, a digit or a sign that could as well be there itself; also the end of a line.
_HIDING = re.compile(rb"\\(?:[xu0-7\n\r\xe2]|[^nrtbfv\\\"'`$0-9xu])")
_ADDRESS_LIKE = re.compile(rb"[./:@\\%]|https?|wss?|ftp", re.IGNORECASE)
_CONSTANT = re.compile(rb"=\s*[\"'`](?:https?|wss?|ftps?|[^\"'`\n]{0,80}[./:@])", re.IGNORECASE)
_ASSIGNED = re.compile(rb"[\w$]+(?=\s*\Z)")
_WORD = re.compile(rb"[\w$]+")
_FOLDED = frozenset(
    """
    string template_string number binary_expression augmented_assignment_expression parenthesized_expression
    as_expression satisfies_expression non_null_expression sequence_expression await_expression
    assignment_expression identifier member_expression subscript_expression call_expression
    """.split()
)
# What JavaScript reads as a blank beyond ASCII.
_BLANKS = tuple(
    chr(code).encode()
    for code in (0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF)
)
_BACKTICK = ord("`")
_TAG_END = re.compile(rb"[\w$)\]]")
_DEPTH = 24
_SHORT = 15  # characters that no base64 worth reading has
_PARTS = 200  # of a text, of which it is kept where they are
_MOST = 32 << 20  # bytes of all joined texts of a script: each call of a long chain joins what all before it did
_SHARE = 8
_IN_ORDER = frozenset({"text", "template", "added", "declared"})

Parts = list[tuple[bytes, int]]  # a text and where it is in the file, or -1


@functools.cache
def _tools(grammar: str) -> tuple[Parser, Query]:
    language = Language(_GRAMMARS[grammar]())
    return Parser(language), Query(language, _NODES)


def values(content: bytes, grammar: str = "javascript") -> list[Value]:
    """Return the strings of a script that could be or hold an address, those with joined constants last.

    >>> [value.text for value in values(b'const a = "https:"; f(a + "//" + x + ".evil.example")')][-1]
    b'https://{}.evil.example'
    """
    return list(_Script(content, grammar).values())


class _Script:
    """One parsed script. Raises TooComplexError."""

    def __init__(self, content: bytes, grammar: str) -> None:
        refuse_nested(content)
        self.content = content
        parser, query = _tools(grammar)
        self.tree = parser.parse(content)
        self.root = self.tree.root_node
        # The query gives them in another order each time.
        self.nodes = {
            name: sorted(nodes, key=_place) if name in _IN_ORDER else nodes
            for name, nodes in QueryCursor(query).captures(self.root).items()
        }
        self.joined = 0  # bytes of texts, and _SHARE for each part of one and each element of a list
        self.lists: dict[tuple[int, int, str], list[Parts] | None] = {}
        self.members: dict[tuple[int, int], dict[bytes, Node]] = {}
        self.known: dict[tuple[int, int, str], Parts | None] = {}
        self.children: dict[int, list[Node]] = {}
        self.resolved: dict[int, Node | None] = {}

    def values(self) -> Iterator[Value]:  # noqa: C901 (one case per form)
        texts = self.nodes
        joined = []
        for node in (*texts.get("text", ()), *texts.get("template", ())):
            start, end = node.start_byte, node.end_byte
            raw = self.content[start + 1 : end - 1]
            if raw and self.content[start] == _BACKTICK:
                if b"${" in raw:
                    joined.append(node)
                if b"\\" in raw and _TAG_END.match(self.content, start - 1):  # a tag may read it as it is written
                    yield Value(raw, start, end, ((0, start + 1),))
            if b"\\" in raw:
                cooked = unescape(raw)
                pattern = _ESCAPED_OF_INTEREST if _HIDING.search(raw) else OF_INTEREST
                low = cooked.lower()
                if pattern.search(low) or _BROKEN.match(low) or (len(cooked) > _SHORT and is_encoded(cooked)):
                    yield Value(cooked, start, end)
            elif OF_INTEREST.search(raw.lower()) or (len(raw) > _SHORT and is_encoded(raw)):
                yield Value(raw, start, end, ((0, start + 1),))
        # Of a chain 'a + b + c' all parts begin at the same place; the longest is the whole.
        wholes: dict[int, Node] = {}
        for node in texts.get("binary", ()):
            start, end = node.start_byte, node.end_byte
            known = wholes.get(start)
            longer = known is None or end > known.end_byte
            if longer and self.content.find(b"+", start, end) >= 0 and self._operator(node) == b"+":
                wholes[start] = node
        sums = sorted(filter(self._is_text, wholes.values()), key=_place)
        for node in (*joined, *sums, *self._calls(), *texts.get("added", ())):
            if (parts := self._fold(node, 0)) is not None and (value := self._joined(node, parts)) is not None:
                yield value

    @functools.cached_property
    def _constants(self) -> set[bytes]:
        """Return the names to which somewhere a text is assigned that may be a part of an address."""
        starts = [match.start() for match in _CONSTANT.finditer(self.content)]
        names = [_ASSIGNED.search(self.content[max(0, start - 40) : start]) for start in starts]
        return {name[0] for name in names if name}

    def _is_text(self, node: Node) -> bool:
        """Return whether a sum could be one of texts and not of numbers."""
        written = self.content[node.start_byte : node.end_byte]
        if any(quote in written for quote in (b'"', b"'", b"`")):
            return True
        return any(word in self._constants for word in _WORD.findall(written))

    def _calls(self) -> Iterator[Node]:
        written = self._with_spaces()
        brackets = {match.end() - 1 for pattern in _METHOD_CALLS for match in pattern.finditer(written)}
        brackets |= {
            match.end() - 1
            for match in _FUNCTION_CALL.finditer(written)
            if match.start() == 0 or not _NAME_BEFORE.match(written, match.start() - 1)
        }
        found = {}
        for call in self.nodes.get("call", ()) if brackets else ():
            arguments = call.child_by_field_name("arguments")
            if arguments is not None and arguments.start_byte in brackets:
                found[arguments.start_byte] = call
        for bracket in sorted(found):  # of a chain the innermost first
            yield found[bracket]

    def _with_spaces(self) -> bytes:
        """Return the script with spaces in the place of comments and blanks that may be before a bracket."""
        written = self.content
        if "comment" in self.nodes:
            changed_to = bytearray(written)
            for comment in self.nodes["comment"]:
                changed_to[comment.start_byte : comment.end_byte] = b" " * (comment.end_byte - comment.start_byte)
            written = bytes(changed_to)
        if not written.isascii():
            for blank in _BLANKS:
                written = written.replace(blank, b" " * len(blank))
        return written

    def _joined(self, node: Node, parts: Parts) -> Value | None:
        text = b"".join(part for part, _ in parts)
        if len(text) > LONGEST or text == HOLE or not _ADDRESS_LIKE.search(text):
            return None
        pieces, at = [], 0
        for part, offset in parts:
            pieces.append((at, offset))
            at += len(part)
        return Value(text, node.start_byte, node.end_byte, tuple(pieces))

    def _fold(self, node: Node | None, depth: int) -> Parts | None:
        """Return the parts of a constant text; ``None`` for what is only known at run time."""
        if node is None or depth > _DEPTH or node.type not in _FOLDED:
            return None
        key = (node.start_byte, node.end_byte, node.type)
        if key not in self.known:
            self.known[key] = None  # what a variable that leads to itself is
            parts = self._folded(node, depth)
            size = sum(len(part) for part, _ in parts or ())
            self._count(size + _SHARE * len(parts or ()))
            if parts is not None and len(parts) > _PARTS:
                parts = [(b"".join(part for part, _ in parts), -1)]
            self.known[key] = None if size > LONGEST else parts
        return self.known[key]

    def _count(self, size: int) -> None:
        """Raise TooComplexError where all that is joined becomes too much."""
        self.joined += size
        if self.joined > _MOST:
            raise TooComplexError

    def _folded(self, node: Node, depth: int) -> Parts | None:  # noqa: C901, PLR0911 (one case per form)
        content, start, end = self.content, node.start_byte, node.end_byte
        match node.type:
            case "string":
                raw = content[start + 1 : end - 1]
                cooked = unescape(raw)
                return [(cooked, start + 1 if cooked is raw else -1)]
            case "template_string":
                return self._template(node, depth)
            case "number":
                return [(content[start:end], -1)]
            case "binary_expression" if content[start:end].find(b"+") >= 0:
                return self._sum(node, depth)
            case "augmented_assignment_expression":
                left = self._fold(node.child_by_field_name("left"), depth + 1)
                right = self._fold(node.child_by_field_name("right"), depth + 1)
                return None if left is None and right is None else [*(left or [(HOLE, -1)]), *(right or [(HOLE, -1)])]
            case (
                "parenthesized_expression"
                | "as_expression"
                | "satisfies_expression"
                | "non_null_expression"
                | "sequence_expression"
                | "await_expression"
            ):
                return self._fold(self._inner(node), depth + 1)
            case "binary_expression":  # a || "https://"
                return self._fold(node.child_by_field_name("right"), depth + 1)
            case "assignment_expression":
                return self._fold(node.child_by_field_name("right"), depth + 1)
            case "identifier":
                found = self._resolve(node)
                return self._fold(found, depth + 1) if found is not None else None
            case "member_expression" | "subscript_expression":
                return self._fold(self._member(node, depth), depth + 1)
            case "call_expression":
                return self._call(node, depth)
        return None

    def _template(self, node: Node, depth: int) -> Parts:
        parts: Parts = []
        at = node.start_byte + 1
        for child in node.named_children:
            if child.type != "template_substitution":
                continue
            parts.append(self._raw(at, child.start_byte))
            parts += self._fold(self._inner(child), depth + 1) or [(HOLE, -1)]
            at = child.end_byte
        parts.append(self._raw(at, node.end_byte - 1))
        return parts

    def _raw(self, start: int, end: int) -> tuple[bytes, int]:
        raw = self.content[start:end]
        cooked = unescape(raw)
        return cooked, start if cooked is raw else -1

    def _sum(self, node: Node, depth: int) -> Parts | None:
        operands: list[Node | None] = []
        rest: Node | None = node
        while rest is not None and rest.type == "binary_expression" and self._operator(rest) == b"+":
            operands.append(rest.child_by_field_name("right"))
            rest = rest.child_by_field_name("left")
        if not operands:
            return self._fold(node.child_by_field_name("right"), depth + 1)
        operands.append(rest)
        folded = [self._fold(operand, depth + 1) for operand in reversed(operands)]
        if all(parts is None for parts in folded):
            return None
        return [part for parts in folded for part in (parts or [(HOLE, -1)])]

    def _operator(self, node: Node) -> bytes:
        operator = node.child_by_field_name("operator")
        return b"" if operator is None else self.content[operator.start_byte : operator.end_byte]

    def _text(self, node: Node | None, depth: int) -> bytes | None:
        parts = self._fold(node, depth + 1)
        return None if parts is None else b"".join(part for part, _ in parts)

    def _list(self, node: Node | None, depth: int) -> list[Parts] | None:
        """Return the elements of an array, also of one that a constant text is split into."""
        node = self._bare(node)
        if node is not None and node.type == "identifier":
            node = self._resolve(node)
        if node is None or depth > _DEPTH:
            return None
        key = (node.start_byte, node.end_byte, node.type)
        if key not in self.lists:
            self.lists[key] = None
            elements = self._elements(node, depth)
            self._count(_SHARE * len(elements or ()))
            self.lists[key] = elements
        return self.lists[key]

    def _elements(self, node: Node, depth: int) -> list[Parts] | None:
        if node.type == "array":
            return [self._fold(child, depth + 1) or [(HOLE, -1)] for child in self._children(node)]
        if node.type == "call_expression":
            function = node.child_by_field_name("function")
            name, receiver = self._method(function, depth)
            arguments = self._arguments(node)
            if name == b"split":
                text, by = self._text(receiver, depth), self._text(arguments[0], depth) if arguments else None
                if text is not None and by is not None:
                    return [[(part, -1)] for part in (text.split(by) if by else letters(text))]
            if name == b"reverse":
                elements = self._list(receiver, depth + 1)
                return None if elements is None else elements[::-1]
            if name == b"concat":
                elements = self._list(receiver, depth + 1)
                if elements is None:
                    return None
                elements = list(elements)
                for argument in arguments:
                    elements += self._list(argument, depth + 1) or [self._fold(argument, depth + 1) or [(HOLE, -1)]]
                return elements
        return None

    def _method(self, function: Node | None, depth: int) -> tuple[bytes, Node | None]:
        """Return the name of a function that is called, and what it is a method of."""
        function = self._bare(function)
        if function is None:
            return b"", None
        if function.type in ("member_expression", "subscript_expression"):
            receiver = function.child_by_field_name("object")
            if function.type == "subscript_expression":
                return self._text(function.child_by_field_name("index"), depth) or b"", receiver
            step = function.child_by_field_name("property")
            return (b"" if step is None else self.content[step.start_byte : step.end_byte]), receiver
        return self.content[function.start_byte : function.end_byte], None

    def _call(self, node: Node, depth: int) -> Parts | None:  # noqa: C901, PLR0911 (one case per function)
        name, receiver = self._method(node.child_by_field_name("function"), depth)
        arguments = self._arguments(node)
        first = arguments[0] if arguments else None
        match name:
            case b"concat":
                if self._list(receiver, depth + 1) is not None:
                    return None
                folded = [self._fold(part, depth + 1) for part in (receiver, *arguments)]
                if all(parts is None for parts in folded):
                    return None
                return [part for parts in folded for part in (parts or [(HOLE, -1)])]
            case b"join":
                elements = self._list(receiver, depth + 1)
                by = self._text(first, depth) if first is not None else b","
                if elements is None or by is None:
                    return None
                return [
                    part
                    for index, parts in enumerate(elements)
                    for part in ([(by, -1)] if index and by else []) + parts
                ]
            case b"atob" | b"decodeURIComponent" | b"decodeURI" | b"unescape":
                text = self._text(first, depth)
                decode = decode_base64 if name == b"atob" else unquote_to_bytes
                return None if text is None else [(decode(text), -1)]
            case b"fromCharCode" | b"fromCodePoint":
                numbers = [self._text(argument, depth) for argument in self._spread(arguments)]
                try:
                    return [(b"".join(chr(int(number or b"", 0)).encode() for number in numbers), -1)]
                except (ValueError, OverflowError):
                    return None
            case b"from" | b"toString" | b"decode" if receiver is not None:
                # Buffer.from("...", "base64").toString()
                text = self._text(first if name == b"from" else receiver, depth)
                if text is None or name != b"from":
                    return None if text is None else [(text, -1)]
                by = self._text(arguments[1], depth) if len(arguments) > 1 else None
                return [(decode_base64(text) if by == b"base64" else decode_hex(text) if by == b"hex" else text, -1)]
        text = self._text(receiver, depth) if receiver is not None else None
        if text is None:
            return None
        words = [self._text(argument, depth) for argument in arguments]
        result = changed(name, text, words)
        return None if result is None else [(result, -1)]

    def _member(self, node: Node, depth: int) -> Node | None:
        """Return what a member of an object, or an element of an array, is given where the object is declared."""
        base = self._bare(node.child_by_field_name("object"))
        if base is not None and base.type == "identifier":
            base = self._resolve(base)
        elif base is not None and base.type in ("member_expression", "subscript_expression") and depth < _DEPTH:
            base = self._member(base, depth + 1)
        step = node.child_by_field_name("property")
        if base is None or depth > _DEPTH:
            return None
        if step is not None:
            name: bytes | None = self.content[step.start_byte : step.end_byte]
        else:
            name = self._text(node.child_by_field_name("index"), depth)
        if base.type == "array" and name is not None and name.isdigit():
            elements = self._children(base)
            return elements[int(name)] if int(name) < len(elements) else None
        if base.type == "object":
            return self._members(base).get(name or b"")
        return None

    def _members(self, node: Node) -> dict[bytes, Node]:
        """Return the members of an object by name; the first of several."""
        place = node.start_byte, node.end_byte
        if place not in self.members:
            found = self.members[place] = {}
            for pair in node.named_children:
                key = pair.child_by_field_name("key") if pair.type == "pair" else None
                value = pair.child_by_field_name("value")
                if key is not None and value is not None:
                    written = self.content[key.start_byte : key.end_byte]
                    found.setdefault(unescape(written[1:-1]) if key.type == "string" else written, value)
        return self.members[place]

    @functools.cached_property
    def _scopes(self) -> Scopes:
        return Scopes(self.nodes, self.content)

    def _resolve(self, node: Node) -> Node | None:
        """Return the constant that a variable is declared with, or assigned once; also through other variables."""
        passed = []
        found: Node | None = node
        while found is not None and found.type == "identifier" and found.start_byte not in self.resolved:
            self.resolved[found.start_byte] = None  # what a variable that leads to itself is
            passed.append(found.start_byte)
            found = self._scopes.constant(self.content[found.start_byte : found.end_byte], found.start_byte)
        if found is not None and found.type == "identifier":
            found = self.resolved[found.start_byte]
        self.resolved |= dict.fromkeys(passed, found)
        return found

    def _children(self, node: Node) -> list[Node]:
        """Return what a node holds, without comments."""
        if node.id not in self.children:
            self.children[node.id] = [child for child in node.named_children if child.type != "comment"]
        return self.children[node.id]

    def _inner(self, node: Node) -> Node | None:
        """Return the expression that another one wraps; of a sequence the last."""
        children = self._children(node)
        return children[-1 if node.type == "sequence_expression" else 0] if children else None

    def _bare(self, node: Node | None) -> Node | None:
        """Return an expression without the brackets around it, such as ``window.atob`` of ``(0, window.atob)``."""
        while node is not None and node.type in ("parenthesized_expression", "sequence_expression"):
            node = self._inner(node)
        return node

    def _arguments(self, node: Node) -> list[Node]:
        arguments = node.child_by_field_name("arguments")
        return [] if arguments is None or arguments.type != "arguments" else self._children(arguments)

    def _spread(self, arguments: list[Node]) -> list[Node]:
        """Return the elements of ``...[1, 2]`` as arguments."""
        spread = []
        for argument in arguments:
            inner = self._inner(argument) if argument.type == "spread_element" else None
            spread += [argument] if inner is None else self._children(inner)
        return spread


def _place(node: Node) -> tuple[int, int]:
    return node.start_byte, -node.end_byte
