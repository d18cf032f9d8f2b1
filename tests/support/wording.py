"""Search prose and the names of variables for what wordlist.toml rules out: ``nox -s lint``.

codespell was considered: it knows single words only, reads identifiers like prose, and cannot allow a word in one file.
Prose is: pages without their code, docstrings, comments and messages (strings with a blank), comments of TypeScript,
headers of patches, TOML.
"""

from __future__ import annotations

import ast
import bisect
import fnmatch
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST = "wordlist.toml"
SEARCHED = ("*.md", "*.py", "*.patch", "*.toml", "*.ts", "*.tsx", "*.lua", "*.conf", "Makefile", "remove.list")
# German pages; upstream's words in the demo; this list and its test, which name the expressions.
LEFT_OUT = ("*.de.md", "tests/minimeet/upstream/*", "overlays/*/lang/*", LIST, "tests/unit/test_wording.py")
CODE = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`|^    .*$|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|(?:^|(?<=\s))//[^\n]*(?:\n[ \t]*//[^\n]*)*", re.DOTALL | re.MULTILINE)
LINE_HEAD = re.compile(r"^[ \t]*(?:/?\*+|//|#|--)", re.MULTILINE)
TABLE_HEAD = re.compile(r"^\[.*\]$", re.MULTILINE)


@dataclass(frozen=True)
class Word:
    """An expression that is not used, what to write instead, and the files that may use it."""

    pattern: re.Pattern[str]
    instead: str
    allow: tuple[str, ...]


@dataclass(frozen=True)
class Hit:
    """A place with such an expression."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        """Return a line for the terminal."""
        return f"{self.path}:{self.line}: {self.found!r}: write {self.instead}"


def names_of(root: Path) -> dict[str, str]:
    """Read the names that no variable has: name -> what to write instead."""
    return dict(tomllib.loads((root / LIST).read_text(encoding="utf-8"))["variables"])


def words_of(root: Path) -> list[Word]:
    """Read the list; a key that it does not know is a mistake."""
    words = []
    for entry in tomllib.loads((root / LIST).read_text(encoding="utf-8"))["word"]:
        pattern = entry.pop("pattern")
        bounded = pattern if pattern.startswith('"') else rf"\b(?:{pattern})(?!\w)"
        words.append(Word(re.compile(bounded, re.IGNORECASE), entry.pop("instead"), tuple(entry.pop("allow", ()))))
        if entry:
            raise SystemExit(f"{LIST}: unknown keys: {', '.join(entry)}")
    return words


def prose_of(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file, with the line where each piece begins."""
    if path.endswith(".py"):
        yield from _prose_of_python(text, messages=not path.startswith("tests/"))
    elif path.endswith(".patch"):
        yield 1, text.partition("\ndiff --git ")[0]
    elif path.endswith((".ts", ".tsx")):
        for comment in SCRIPT_COMMENT.finditer(text):
            yield 1 + text.count("\n", 0, comment.start()), comment[0]
    else:
        yield 1, (CODE if path.endswith(".md") else TABLE_HEAD).sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)


def _prose_of_python(text: str, *, messages: bool) -> Iterator[tuple[int, str]]:
    """Yield comments and docstrings; other strings with a blank only for ``messages``, as those of tests are data."""
    comment: list[str] = []
    first, statement = 0, True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            first = first if comment else token.start[0]
            comment.append(token.string.removeprefix("#"))
            continue
        if comment and token.type != tokenize.NL:
            yield first, "\n".join(comment)
            comment = []
        if token.type == tokenize.STRING and " " in token.string and (statement or messages):
            braces = r"\{[^{}]*\}" if "f" in token.string[:2].lower() else r"``[^`]*``"
            yield token.start[0], re.sub(braces, "", token.string)
        if token.type not in {tokenize.NL, tokenize.INDENT, tokenize.DEDENT}:
            statement = token.type == tokenize.NEWLINE


def hits_in(path: str, text: str, words: list[Word]) -> Iterator[Hit]:
    """Yield the places of a file that use an expression of the list."""
    for start, piece in prose_of(path, text):
        begins, flowing = [], ""  # an expression may begin at the end of a line
        for line in LINE_HEAD.sub("", piece).split("\n"):
            begins.append(len(flowing))
            flowing += line.strip() + " "
        for word in words:
            if any(fnmatch.fnmatch(path, allowed) for allowed in word.allow):
                continue
            for match in word.pattern.finditer(flowing):
                yield Hit(path, start + bisect.bisect(begins, match.start()) - 1, match[0], word.instead)


def variables_in(path: str, text: str, names: dict[str, str]) -> Iterator[Hit]:
    """Yield the places of a module that bind one of these names, as a variable, an argument or anything else."""
    if not any(re.search(rf"\b{name}\b", text) for name in names):
        return  # parsing all modules takes seconds
    for node in ast.walk(ast.parse(text)):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.arg(arg=name)
                | ast.alias(asname=str(name))
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ) if name in names:
                yield Hit(path, node.lineno, name, names[name])


def search(root: Path) -> list[Hit]:
    """Return all hits in the files of a checkout."""
    words, names = words_of(root), names_of(root)
    listed = subprocess.run(["git", "ls-files", "-z", *SEARCHED], cwd=root, capture_output=True, text=True, check=True)
    found = []
    for path in sorted(filter(None, listed.stdout.split("\0"))):
        if (root / path).is_file() and not any(fnmatch.fnmatch(path, pattern) for pattern in LEFT_OUT):
            text = (root / path).read_text(encoding="utf-8")
            found += hits_in(path, text, words)
            found += variables_in(path, text, names) if path.endswith(".py") else ()
    return found


if __name__ == "__main__":
    hits = search(Path(__file__).parents[2])
    print("\n".join(map(str, hits)) or "Nothing that wordlist.toml rules out is used.")
    sys.exit(bool(hits))
