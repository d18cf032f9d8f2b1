"""``.env`` files as Docker Compose reads them: quotes, comments, ``${VARIABLE:-default}``.

Nothing is run, and the environment of this process is not looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Setting, Unclear, Unknown, Where

if TYPE_CHECKING:
    from collections.abc import Callable

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:](\s*)(.*)", re.DOTALL)
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r":?[-?+]")
LONGEST = 250_000  # characters of a value
DEPTH = 20  # ${A:-${B:-${C}}}


def read(text: str, name: str, outer: dict[str, Setting] | None = None) -> tuple[dict[str, Setting], list[Unclear]]:
    """Return all variables with the line that sets them, the last one wins; and the lines that could not be read.

    ``outer``: variables that may be filled in beside the file's own.
    """
    settings: dict[str, Setting] = {}
    unclear: list[Unclear] = []

    def lookup(key: str) -> Setting | None:
        return settings.get(key) or (outer or {}).get(key)

    lines = text.replace("\r\n", "\n").split("\n")
    at = 0
    open_quotes: set[str] = set()  # quotes that the rest of the file does not close
    while at < len(lines):
        line, number = lines[at], at + 1
        at += 1
        if not line.strip().lstrip("\ufeff") or line.lstrip("\ufeff \t").startswith("#"):
            continue
        match = ASSIGNMENT.fullmatch(line.lstrip("\ufeff"))
        if not match:
            # A name alone is taken from the shell where compose is started.
            reason = "taken from the shell" if re.fullmatch(r"\s*(export\s+)?\w+\s*", line) else "not NAME=value"
            unclear.append(Unclear(Where(name, number), reason, vital=True))
            continue
        key, space, raw = match.groups()
        where = Where(name, number, key)
        if raw[:1] in {"'", '"'} and not _closed(raw):
            closing = (number for number in range(at, len(lines)) if _end(lines[number], raw[0], 0) is not None)
            last = None if raw[0] in open_quotes else next(closing, None)
            if last is None:
                open_quotes.add(raw[0])
                unclear.append(Unclear(where, "a quote that is not closed", vital=True))
            else:
                raw = "\n".join([raw, *lines[at : last + 1]])
                at = last + 1
        settings[key] = Setting(_value(raw, space, lookup), where)
        if settings[key].unknown:
            unclear.append(Unclear(where, settings[key].value.reason, vital=True))
    return settings, unclear


def expand(
    text: str, lookup: Callable[[str], Setting | None], unknown: str | None = None, depth: int = 0
) -> str | Unknown:
    """Fill in ``$NAME``, ``${NAME:-default}``, ``${NAME:+other}``, ``${NAME:?message}`` and ``$$``.

    A name that is not set here may be set in the shell: ``Unknown``, or ``unknown`` in its place.
    """
    pieces: list[str] = []
    at = 0
    size = len(text)
    while (start := text.find("$", at)) >= 0 and size <= LONGEST:
        pieces.append(text[at:start])
        name, filled, at = _hole(text, start, lookup, unknown, depth)
        if filled is None and unknown is None:
            return Unknown(f"taken from ${name}, which is not set here")
        pieces.append(unknown or "" if filled is None else filled)
        size += len(pieces[-1])
    filled = "".join(pieces) + text[at:]
    return filled if size <= LONGEST else Unknown(f"longer than {LONGEST} characters once it is filled in")


def _hole(
    text: str, start: int, lookup: Callable[[str], Setting | None], unknown: str | None, depth: int
) -> tuple[str, str | None, int]:
    """Return the name in the hole that starts there, the text for its place (None: it is not known), and where it
    ends.
    """
    following = text[start + 1 : start + 2]
    if following == "$":
        return "", "$", start + 2
    braces = following == "{"
    match = NAME.match(text, start + 1 + braces)
    if match is None:
        return "", "$" if not braces else None, start + 1
    if not braces:
        return match[0], _fill(lookup(match[0]), "", None), match.end()
    end = _brace(text, match.end())
    operator = OPERATOR.match(text, match.end())
    if end < 0 or depth > DEPTH or (operator is None and end != match.end()):
        return match[0], None, len(text) if end < 0 else end + 1
    kind = operator[0] if operator else ""
    other = text[operator.end() : end] if operator else ""
    inner = expand(other, lookup, unknown, depth + 1) if kind[-1:] in {"-", "+"} else None
    return match[0], _fill(lookup(match[0]), kind, inner if isinstance(inner, str) else None), end + 1


def _brace(text: str, start: int) -> int:
    """Return the closing brace of the hole that is open at ``start``; -1 if there is none near."""
    level = 1
    for at in range(start, min(len(text), start + 10_000)):
        if text[at] == "{":
            level += 1
        elif text[at] == "}":
            level -= 1
            if level == 0:
                return at
    return -1


def _fill(found: Setting | None, operator: str, other: str | None) -> str | None:
    """Return the text in the place of a hole; None if it is not known."""
    if found is not None and found.unknown:
        return None
    present = found is not None and not (operator.startswith(":") and found.value == "")
    if operator.endswith("+"):
        return other if present else ""
    if found is not None and present:
        return str(found.value)
    return other


def _end(text: str, quote: str, start: int) -> int | None:
    """Return where the quote is closed that is open at ``start``."""
    found = re.compile(rf"(?:\\.|[^\\{quote}])*+{quote}", re.DOTALL).match(text, start)
    return found.end() if found else None


def _closed(raw: str) -> bool:
    return _end(raw, raw[0], 1) is not None


def _value(raw: str, space: str, lookup: Callable[[str], Setting | None]) -> str | Unknown:
    if raw[:1] == "'" and (end := _end(raw, "'", 1)) is not None:
        return raw[1 : end - 1].replace("\\'", "'")
    if raw[:1] == '"' and (end := _end(raw, '"', 1)) is not None:
        return expand(re.sub(r'\\(["\\$abfnrtv])', _escape, raw[1 : end - 1]), lookup)
    # Only white space makes a comment of what follows: a secret may begin with '#'.
    return expand(re.split(r"\s#", space + raw, maxsplit=1)[0].strip(), lookup)


def _escape(match: re.Match[str]) -> str:
    return ESCAPES.get(match[1], match[1])
