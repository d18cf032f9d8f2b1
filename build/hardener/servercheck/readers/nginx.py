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

DEPTH = 40
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
        """All directives of the body, at any depth."""
        for one in self.body or ():
            yield one
            yield from one.inside()


def parse(text: str, name: str, include: Include, depth: int = 0) -> tuple[list[Directive], list[Unclear]]:
    """The directives of a file with those of its includes in their places, and what could not be told."""
    root: list[Directive] = []
    stack = [root]
    unclear: list[Unclear] = []
    words: list[str] = []
    line, first = 1, 1
    for match in TOKEN.finditer(text):
        text_here, kind = match[0], match.lastgroup
        here, line = line, line + match[0].count("\n")
        if kind in {"word", "quoted"}:
            first = first if words else here
            words.append(_unquote(text_here) if kind == "quoted" else text_here)
        elif kind == "mark" and text_here == "}":
            if words or len(stack) == 1:
                unclear.append(Unclear(Where(name, here), "not valid nginx configuration near }", vital=True))
            words = []
            del stack[max(1, len(stack) - 1) :]
        elif kind == "mark" and words:
            one = Directive(words[0], tuple(words[1:]), Where(name, first, words[0]), [] if text_here == "{" else None)
            words = []
            if one.name == "include" and one.body is None and one.words:
                inner = include(one.words[0], one.where) if depth < DEPTH else []
                for file, content in inner:
                    found, doubts = parse(content, file, include, depth + 1)
                    stack[-1] += found
                    unclear += doubts
                continue
            stack[-1].append(one)
            if one.body is not None:
                stack.append(one.body)
    if words or len(stack) > 1:
        unclear.append(Unclear(Where(name, line), "not valid nginx configuration: it ends in the middle", vital=True))
    return root, unclear


def _unquote(word: str) -> str:
    return re.sub(r"\\([\"'\\])", r"\1", word[1:-1])
