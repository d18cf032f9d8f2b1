"""Determine what a text with variables in nginx' configuration can become, without running it.

A text becomes a list of parts: fixed text, and :class:`Wild` for what a request chooses. A variable that ``set``,
``map``, ``geo`` or ``split_clients`` give several values makes several such lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import product
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.servercheck.readers.nginx import Directive

DEPTH = 5  # variables that are set from others
MOST = 200  # values of one text
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# Without a slash and without two dots; nginx refuses any other name of a host (ngx_http_validate_host).
NAMES = frozenset(
    "host http_host hostname server_name scheme https request_method request_id remote_addr remote_port server_addr"
    " server_port connection is_args nginx_version pid msec status".split()
)
# Paths: no segment of them is "..", because nginx has resolved those.
PATHS = frozenset({"uri", "document_uri"})
REQUESTS = ("arg_", "cookie_", "http_", "args", "query_string", "remote_user")
TABLES = frozenset({"map", "geo", "split_clients"})
MATCHES = frozenset({"~", "~*"})
# One element of a regular expression, and how often it may come.
ATOM = re.compile(
    r"(\\x[0-9A-Fa-f]{2}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:P?<\w+>|'\w+'|[:|>=!]|<[=!]|\w+\)|\w+:)|.)([+*{]?)",
    re.DOTALL,
)
PLAIN_ESCAPE = re.compile(r"\\(?:[wdsbAzZBtrnfv]|[^\w])|\\x..")
OPENS = re.compile(r"(?:\((?:\?(?:P?<\w+>|'\w+'|[:|>]))?)+\Z")
NAMED = re.compile(r"\(\?(?:P?<(\w+)>|'(\w+)')")


class Chosen(Enum):
    """Rank how freely a request chooses a text."""

    NAME = auto()  # without a slash
    PATH = auto()  # with slashes
    RAW = auto()  # a path that is not decoded; a part of it may begin with ".."
    FREE = auto()  # anything
    UNKNOWN = auto()  # not determined by reading


@dataclass(frozen=True)
class Wild:
    """A part of a text that is not fixed.

    ``climbs``: it may begin with "..". ``ending``: the regular expression that it, or the text around it, ends in.
    """

    chosen: Chosen
    climbs: bool = False
    ending: str = ""


Part = str | Wild
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Expression:
    """A regular expression that captures text, and the text that it is matched with."""

    pattern: str
    subject: str = "$uri"


class Values:
    """All values that a server's variables can have."""

    def __init__(self, server: Directive, outer: Iterable[Directive]) -> None:
        self.texts: dict[str, list[tuple[str, Expression | None]]] = {}
        self.captured: dict[str, list[Expression]] = {}
        self._known: dict[tuple[str, Expression | None, int], set[Parts]] = {}
        for directive in outer:
            if directive.name in TABLES and directive.words and directive.body is not None:
                self._table(directive)
        self._block(server, _of_server_name(server))

    def _table(self, table: Directive) -> None:
        subject = table.words[0] if len(table.words) > 1 and table.name == "map" else ""
        texts = self.texts.setdefault(table.words[-1].removeprefix("$"), [])
        keys = set()
        for entry in table.body or ():
            if not entry.words:
                continue
            keys.add(entry.name)
            found = re.match(r"~\*?", entry.name) if table.name == "map" else None
            expression = Expression(entry.name[found.end() :], subject) if found else None
            if expression is not None:
                self._named(expression)
            texts.append((entry.words[0], expression))
        if not keys & {"default", "*", "0.0.0.0/0"}:
            texts.append(("", None))

    def _block(self, block: Directive, expression: Expression | None) -> None:
        for directive in block.body or ():
            inner = expression_of(directive) or expression
            if inner is not None and inner is not expression:
                self._named(inner)
            if directive.name == "set" and len(directive.words) == 2:  # noqa: PLR2004 (name and value)
                self.texts.setdefault(directive.words[0].removeprefix("$"), []).append((directive.words[1], expression))
            self._block(directive, inner)

    def _named(self, expression: Expression) -> None:
        for match in NAMED.finditer(expression.pattern):
            self.captured.setdefault(match[1] or match[2], []).append(expression)

    def of(self, text: str, expression: Expression | None = None, depth: int = 0) -> set[Parts]:
        """Return what a text can become; ``expression``: where its numbered captures come from."""
        made: list[set[Parts]] = []
        end = 0
        for match in VARIABLE.finditer(text):
            made.append({(text[end : match.start()],)})
            made.append(self._variable(match[1] or match[2], expression, depth))
            end = match.end()
        made.append({(text[end:],)})
        if prod(map(len, made)) > MOST:
            return {(Wild(Chosen.UNKNOWN),)}
        return {_joined(part for parts in combination for part in parts) for combination in product(*made)}

    def _variable(self, name: str, expression: Expression | None, depth: int) -> set[Parts]:
        key = (name, expression if name.isdecimal() else None, depth)
        if key not in self._known:
            self._known[key] = self._read(*key)
        return self._known[key]

    def _read(self, name: str, expression: Expression | None, depth: int) -> set[Parts]:
        if name.isdecimal():
            return self._capture(name, [expression], depth) if expression else {("",)}
        if name in self.texts or name in self.captured:
            if depth >= DEPTH:
                return {(Wild(Chosen.UNKNOWN),)}
            found = set(self._capture(name, self.captured.get(name, []), depth))
            for text, origin in self.texts.get(name, []):
                found |= self.of(text, origin, depth + 1)
            return found
        if name == "request_uri":
            return {(Wild(Chosen.RAW),)}
        kinds = ((name in NAMES, Chosen.NAME), (name in PATHS, Chosen.PATH), (name.startswith(REQUESTS), Chosen.FREE))
        return {(Wild(next((kind for applies, kind in kinds if applies), Chosen.UNKNOWN)),)}

    def _capture(self, name: str, expressions: list[Expression], depth: int) -> set[Parts]:
        found: set[Parts] = set()
        for expression in expressions:
            subjects = self.of(expression.subject, None, depth + 1) if depth < DEPTH else {(Wild(Chosen.UNKNOWN),)}
            for subject in subjects:
                found.add((_group(expression.pattern, name, subject),))
        return found


def expression_of(directive: Directive) -> Expression | None:
    """Return the regular expression of a location, an ``if`` or a rewrite."""
    words = directive.words
    if directive.name == "location" and len(words) == 2 and words[0] in MATCHES:  # noqa: PLR2004
        return Expression(words[1])
    if directive.name == "location" and len(words) == 1 and words[0].startswith("~"):
        return Expression(words[0].lstrip("~*"))
    if directive.name == "rewrite" and words:
        return Expression(words[0])
    condition = " ".join(words).strip().removeprefix("(").removesuffix(")").split(None, 2)
    if directive.name == "if" and len(condition) == 3 and condition[1] in MATCHES:  # noqa: PLR2004
        return Expression(condition[2].strip(), condition[0])
    return None


def _of_server_name(server: Directive) -> Expression | None:
    names = [word for directive in server.body or () if directive.name == "server_name" for word in directive.words]
    return next((Expression(name[1:], "$host") for name in names if name.startswith("~")), None)


def _joined(parts: Iterable[Part]) -> Parts:
    """Return parts without empty texts, neighbouring texts as one."""
    made: list[Part] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, str) and isinstance(last, str):
            made[-1] = last + part
        elif part != "":
            made.append(part)
    return tuple(made)


def _group(pattern: str, name: str, subject: Parts) -> Wild:
    """Return what a group of a regular expression can capture from the subject."""
    kinds = {part.chosen for part in subject if isinstance(part, Wild)}
    if Chosen.UNKNOWN in kinds:
        return Wild(Chosen.UNKNOWN)
    if kinds & {Chosen.FREE, Chosen.RAW}:
        return Wild(Chosen.FREE)
    span = _span(pattern, name)
    if span is None:
        return Wild(Chosen.UNKNOWN)
    body = pattern[span[0] : span[1]]
    found = captured(body)
    if Chosen.PATH not in kinds and not any(isinstance(part, str) and "/" in part for part in subject):
        return replace(found, chosen=Chosen.NAME)
    before = OPENS.sub("", pattern[: span[0]])
    whole_segment = before.endswith("/") or before in {"", "^"}  # nginx has resolved a segment ".."
    return replace(found, climbs=not whole_segment and _dots(body) > 1)


def captured(body: str) -> Wild:
    """Return what a regular expression can match: whether with slashes, and how it ends.

    >>> captured(r"\\w+\\.js").chosen.name, captured(r".+\\.js").chosen.name, captured("[^?]+").chosen.name
    ('NAME', 'PATH', 'PATH')
    """
    deep = any(_may(atom, "/") for atom, _ in _atoms(body))
    return Wild(Chosen.PATH if deep else Chosen.NAME, ending=body)


def _atoms(body: str) -> Iterator[tuple[str, str]]:
    """Yield each element that matches a character, with the sign for repetition after it."""
    for match in ATOM.finditer(body):
        if match[1] not in {"(", ")", "|", "^", "$", "?", "+", "*"} and not match[1].startswith("(?"):
            yield match[1], match[2]


def _may(atom: str, sign: str) -> bool:
    """Return whether an element may match a character; yes if it is not known."""
    if atom.startswith("\\") and not PLAIN_ESCAPE.fullmatch(atom):
        return True
    try:
        return re.fullmatch(atom, sign, re.DOTALL) is not None
    except re.error:
        return True


def _dots(body: str) -> int:
    """Return how many dots a text may begin with, up to two: enough is known with an element that repeats."""
    twice = "(" in body
    return sum(2 if sign or twice else 1 for atom, sign in _atoms(body) if _may(atom, "."))


def _span(pattern: str, name: str) -> tuple[int, int] | None:
    """Return where the content of a capturing group is, by its number or its name."""
    opened: list[tuple[str, int, int]] = []
    number = 0
    for match in ATOM.finditer(pattern):
        element = match[1]
        named = NAMED.fullmatch(element)
        if element == "(" or named:
            number += 1
            opened.append(((named[1] or named[2]) if named else "", number, match.end(1)))
        elif element.startswith("(?") and not element.endswith(")"):
            opened.append(("", 0, match.end(1)))
        elif element == ")" and opened:
            label, index, start = opened.pop()
            if index and name in {label, str(index)}:
                return start, match.start()
    return None
