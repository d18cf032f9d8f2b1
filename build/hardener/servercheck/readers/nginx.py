"""nginx' configuration: its directives with their lines.

Not a library: crossplane's last release is of 2022, and includes have to be looked for inside the folder in question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.servercheck.model import Unclear, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Include = Callable[[str, Where], list[tuple[str, str]]]

DEPTH = 40  # blocks in blocks, files in files
LONGEST = 60  # characters of a name in a finding
WORD = 4_096  # characters of a word; nginx reads no longer ones (NGX_CONF_BUFFER)
ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
# Quotes mean something only at the start of a word; a bare word ends at white space, a semicolon or an opening brace.
TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)
      |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      |(?P<mark>[{};])
      |(?P<word>(?:\\.|\$\{|[^\s;{\\]|\\)+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass
class Directive:
    """One directive; ``body`` is None where it ends with a semicolon."""

    name: str
    words: tuple[str, ...]
    where: Where
    body: list[Directive] | None = None

    def inside(self) -> Iterator[Directive]:
        """Yield all directives of the body, at any depth."""
        for directive in self.body or ():
            yield directive
            yield from directive.inside()


def parse(
    text: str, name: str, include: Include, above: tuple[str, ...] = (), depth: int = 0
) -> tuple[list[Directive], list[Unclear]]:
    """Return the directives of a file with those of its includes in their places, and what could not be determined.

    ``above``: the files that include this one, ``depth`` blocks deep. A file that includes itself by a wildcard is
    read once.
    """
    parser = _Parser(name, include, (*above, name), depth)
    for match in TOKEN.finditer(text):
        parser.token(str(match.lastgroup), match[0])
    if parser.words or len(parser.stack) > 1:
        parser.doubt("not valid nginx configuration: it ends in the middle")
    return parser.stack[0], parser.unclear


class _Parser:
    def __init__(self, name: str, include: Include, files: tuple[str, ...], depth: int) -> None:
        self.name = name
        self.include = include
        self.files = files
        self.depth = depth
        self.stack: list[list[Directive]] = [[]]
        self.words: list[str] = []
        self.unclear: list[Unclear] = []
        self.line = self.first = 1

    def doubt(self, reason: str) -> None:
        self.unclear.append(Unclear(Where(self.name, self.line), reason, vital=True))

    def token(self, kind: str, text: str) -> None:
        if kind in {"word", "quoted"}:
            self.first = self.first if self.words else self.line
            self.words.append(_unescape(text[1:-1] if kind == "quoted" else text)[:WORD])
            if len(text) > WORD:
                self.doubt(f"not valid nginx configuration: a word of more than {WORD} characters")
        elif kind == "mark" and text == "}":
            if self.words or len(self.stack) == 1:
                self.doubt("not valid nginx configuration near }")
            self.words = []
            del self.stack[max(1, len(self.stack) - 1) :]
        elif kind == "mark" and self.words:
            self.directive(opens=text == "{")
        elif kind == "mark":
            self.doubt(f"not valid nginx configuration near {text}")
        self.line += text.count("\n")

    def directive(self, *, opens: bool) -> None:
        words, self.words = self.words, []
        where = Where(self.name, self.first, words[0][:LONGEST])
        found = Directive(words[0], tuple(words[1:]), where, [] if opens else None)
        if found.name == "include" and found.words and not opens:
            self.included(found)
            return
        depth = self.depth + len(self.stack)
        if depth <= DEPTH:
            self.stack[-1].append(found)
        elif depth == DEPTH + 1:
            self.doubt("nested too deeply to be read")
        if found.body is not None:
            self.stack.append(found.body)

    def included(self, found: Directive) -> None:
        pattern = found.words[0]
        for file, content in self.include(pattern, found.where):
            if file in self.files:
                if not re.search(r"[*?\[]", pattern):
                    self.doubt(f"includes {pattern}, which includes this file")
            elif len(self.files) > DEPTH:
                self.doubt("files include each other without end")
            else:
                directives, doubts = parse(content, file, self.include, self.files, self.depth + len(self.stack) - 1)
                self.stack[-1] += directives
                self.unclear += doubts


def _unescape(word: str) -> str:
    """Return a word as nginx reads it: quoted or not, these escapes and no others (ngx_conf_read_token)."""
    return re.sub(r"\\([\"'\\trn])", lambda match: ESCAPES.get(match[1], match[1]), word)
