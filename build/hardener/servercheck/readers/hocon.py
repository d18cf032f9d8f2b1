"""Jicofo's and the bridge's configuration: the part of HOCON that configuration files are written in.

Not a library: pyhocon gives no line numbers and fetches ``include url(...)``. What this does not evaluate
(``${substitutions}``, includes that are not at hand, ``+=``) is reported, not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.servercheck.model import Setting, Table, Unclear, Unknown, Where
from hardener.servercheck.readers.paths import LONGEST, Paths

if TYPE_CHECKING:
    from collections.abc import Callable

    Include = Callable[[str, Where, bool], list[tuple[str, str]]]

DEPTH = 60
SHOWN = 200  # characters of a path or reason in a finding
TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\v\ufeff\u00a0]+)
      | (?P<comment>(?://|\#)[^\n]*)
      | (?P<line>\n)
      | (?P<long>\"\"\".*?\"\"\"+)
      | (?P<text>"(?:\\.|[^"\\\n])*+")
      | (?P<open>"(?:\\.|[^"\\\n])*+)
      | (?P<hole>\$\{\??[^}\n]{0,200}\})
      | (?P<add>\+=)
      | (?P<mark>[{}\[\],:=])
      | (?P<word>(?:(?!//)[^\s{}\[\],:=+\#"$])+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
KEYWORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "null": None}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    space: str  # white space before it


def read(text: str, name: str, include: Include) -> tuple[dict[str, Setting], list[Unclear]]:
    """Return all settings by their full dotted path, of several the last; and what could not be determined.

    ``include`` gets the name that is included, its place, and whether it is ``required(...)``. It returns the names and
    texts of the files, the weakest first, and reports a missing one itself.
    """
    parser = _Parser(text, name, include, ())
    parser.whole()
    return parser.paths.settings, parser.unclear


class _Parser:
    def __init__(self, text: str, name: str, include: Include, above: tuple[str, ...]) -> None:
        self.tokens = _tokens(text)
        self.at = 0
        self.name = name
        self.include = include
        self.above = (*above, name)  # this file and those that include it
        self.paths = Paths()
        self.unclear: list[Unclear] = []

    def peek(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def where(self, token: _Token, path: str = "") -> Where:
        return Where(self.name, token.line, path[:SHOWN])

    def doubt(self, token: _Token, reason: str) -> None:
        self.unclear.append(Unclear(self.where(token), reason[:SHOWN], vital=True))

    def whole(self) -> None:
        self.gap()
        braces = self.peek().text == "{" and self.peek().kind == "mark"
        if braces:
            self.take()
        self.members("", 0)
        if braces and self.peek().text == "}":
            self.take()
        self.gap()
        while self.peek().kind != "end":
            self.doubt(self.take(), "not valid HOCON: a closing bracket without an opening one")
            self.members("", 0)

    def gap(self) -> None:
        while self.peek().kind == "line" or (self.peek().kind == "mark" and self.peek().text == ","):
            self.take()

    def members(self, path: str, depth: int) -> None:
        """Read the members of an object up to its brace, which stays."""
        while True:
            self.gap()
            token = self.peek()
            if token.kind == "end" or (token.kind == "mark" and token.text in "}]"):
                return
            if token.kind == "word" and token.text == "include":
                self.includes(path)
                continue
            key = self.key()
            if not key:
                self.doubt(self.take(), f"not valid HOCON at {_shown(token)}")
                continue
            while self.peek().kind == "line":
                self.take()
            full = f"{path}.{key}" if path else key
            self.member(full, token, depth)

    def key(self) -> str:
        parts: list[str] = []
        while self.peek().kind in {"word", "text"}:
            token = self.take()
            part = _unquote(token)
            if token.kind == "text" and "." in part:
                part = f'"{part}"'  # a quoted dot does not part: "a.b" = 1 is not a.b = 1
            parts.append((token.space if parts else "") + part)
        return "".join(parts)

    def member(self, path: str, start: _Token, depth: int) -> None:
        token = self.peek()
        if depth > DEPTH or len(path) > LONGEST:
            self.doubt(token, "nested too deeply to be read")
            self.at = len(self.tokens) - 1
            return
        if token.kind == "add":
            self.take()
            self.value(path, depth)
            self.paths.put(path, Setting(Unknown("added to with +="), self.where(start, path)))
            return
        if token.kind == "mark" and token.text in ":=":
            self.take()
            while self.peek().kind == "line":
                self.take()
            token = self.peek()
        elif not (token.kind == "mark" and token.text == "{"):
            self.doubt(start, "not valid HOCON: a key without a value")
            return
        if token.kind == "mark" and token.text == "{":
            self.take()
            self.paths.settings.pop(path, None)
            self.members(path, depth + 1)
            if self.take().text != "}":
                self.doubt(token, "not valid HOCON: an object that is not closed")
        else:
            value = self.value(path, depth)
            self.paths.put(path, Setting(value, self.where(start, path)))
            if isinstance(value, Unknown):
                self.unclear.append(Unclear(self.where(start, path), value.reason, vital=_vital(path)))

    def value(self, path: str, depth: int) -> Any:
        """Return what is up to the end of the line, a comma or a bracket."""
        parts: list[_Token] = []
        while True:
            token = self.peek()
            if token.kind == "mark" and token.text == "[" and not parts:
                return self.array(path, depth)
            if token.kind in {"line", "end"} or (token.kind == "mark" and token.text in ",]}"):
                break
            parts.append(self.take())
        if any(part.kind == "open" for part in parts):
            return Unknown("a text without its end")
        if any(part.kind == "hole" for part in parts):
            return Unknown(f"taken from {next(part.text for part in parts if part.kind == 'hole')}")
        if len(parts) == 1 and parts[0].kind == "word":
            return _constant(parts[0].text)
        return "".join((part.space if number else "") + _unquote(part) for number, part in enumerate(parts))

    def array(self, path: str, depth: int) -> Table | Unknown:
        start = self.take()
        if depth > DEPTH:
            self.doubt(start, "nested too deeply to be read")
            self.at = len(self.tokens) - 1
            return Unknown("nested too deeply to be read")
        items: list[Setting] = []
        while True:
            self.gap()
            token = self.peek()
            if token.kind == "end" or (token.kind == "mark" and token.text == "}"):
                self.doubt(start, "not valid HOCON: an array that is not closed")
                return Unknown("an array that is not closed")
            if token.kind == "mark" and token.text == "]":
                self.take()
                return Table(tuple(items))
            if token.kind == "mark" and token.text == "{":
                self.take()
                self.members(f"{path}[{len(items)}]", depth + 1)
                if self.take().text != "}":
                    self.doubt(token, "not valid HOCON: an object that is not closed")
                items.append(Setting(Unknown("an object"), self.where(token)))
                continue
            before = self.at
            items.append(Setting(self.value(path, depth + 1), self.where(token)))
            if self.at == before:
                self.doubt(self.take(), f"not valid HOCON at {_shown(token)} (array from line {start.line})")

    def includes(self, path: str) -> None:
        token = self.take()
        words: list[_Token] = []
        while self.peek().kind not in {"line", "end"} and self.peek().text not in ",}":
            words.append(self.take())
        names = [_unquote(word) for word in words if word.kind == "text"]
        kinds = "".join(word.text for word in words if word.kind == "word")
        if len(names) != 1 or "url" in kinds or "classpath" in kinds:
            self.doubt(token, "includes something that is not a file here")
            return
        if len(self.above) > DEPTH:
            self.doubt(token, "includes nested too deeply to be read")
            return
        prefix = f"{path}." if path else ""
        for name, text in self.include(names[0], self.where(token), "required" in kinds):
            if name in self.above:
                self.doubt(token, "files include each other without end")
                continue
            inner = _Parser(text, name, self.include, self.above)
            inner.whole()
            self.unclear += inner.unclear
            for key, setting in inner.paths.settings.items():
                self.paths.put(prefix + key, setting)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    line, space = 1, ""
    for match in TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind in {"space", "comment"}:
            space += match[0] if kind == "space" else ""
        else:
            tokens.append(_Token(kind, match[0], line, space))
            space = ""
        line += match[0].count("\n")
    tokens.append(_Token("end", "", line, space))
    return tokens


def _shown(token: _Token) -> str:
    """Describe a token without its text, which may be a secret."""
    return repr(token.text) if token.kind in {"mark", "add"} else f"a {token.kind}"


def _unquote(token: _Token) -> str:
    if token.kind == "long":
        return token.text[3:-3]
    if token.kind == "text":
        return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _escape, token.text[1:-1])
    return token.text


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code.startswith("u") and len(code) > 1 else ESCAPES.get(code, code)


def _constant(word: str) -> Any:
    if word in KEYWORDS:
        return KEYWORDS[word]
    return int(word) if re.fullmatch(r"-?\d{1,18}", word) else word


def _vital(path: str) -> bool:
    return path.startswith(("jicofo.authentication", "jicofo.conference", "jicofo.rest", "videobridge.http-servers"))
