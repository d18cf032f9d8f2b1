"""``.env`` files as Docker Compose reads them: quotes, comments, ``${VARIABLE:-default}``.

Nothing is run, and the environment of this process is not looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Setting, Unclear, Unknown, Where

if TYPE_CHECKING:
    from collections.abc import Callable

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s*(.*)", re.DOTALL)
HOLE = re.compile(
    r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)"
)


def read(text: str, name: str) -> tuple[dict[str, Setting], list[Unclear]]:
    """All variables with the line that sets them, the last one wins; and the lines that could not be read."""
    settings: dict[str, Setting] = {}
    unclear: list[Unclear] = []
    lines = text.replace("\r\n", "\n").split("\n")
    at = 0
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
        key, raw = match[1], match[2]
        where = Where(name, number, key)
        if raw[:1] in {"'", '"'} and not _closed(raw):
            end = next(
                (one for one in range(at, len(lines)) if _closed(raw + "\n".join(["", *lines[at : one + 1]]))), None
            )
            if end is None:
                unclear.append(Unclear(where, "a quote that is not closed", vital=True))
            else:
                raw += "\n".join(["", *lines[at : end + 1]])
                at = end + 1
        settings[key] = Setting(_value(raw, settings.get), where)
        if settings[key].unknown:
            unclear.append(Unclear(where, settings[key].value.reason, vital=True))
    return settings, unclear


def expand(text: str, lookup: Callable[[str], Setting | None]) -> str | Unknown:
    """Fill in ``$NAME`` and ``${NAME:-default}``. A name that is not set here may be set in the shell: ``Unknown``."""
    pieces: list[str] = []
    end = 0
    for match in HOLE.finditer(text):
        filled = _fill(match, lookup)
        if filled is None:
            return Unknown(f"taken from ${match[1] or match[4]}, which is not set here")
        pieces += [text[end : match.start()], filled]
        end = match.end()
    return "".join(pieces) + text[end:]


def _fill(match: re.Match[str], lookup: Callable[[str], Setting | None]) -> str | None:
    """The text in the place of one hole; None if it cannot be told."""
    if match[0] == "$$":
        return "$"
    found = lookup(match[1] or match[4])
    if found is not None and found.unknown:
        return None
    operator, other = match[2] or "", match[3] or ""
    present = found is not None and not (operator.startswith(":") and found.value == "")
    if operator.endswith("+"):
        return other if present else ""
    if found is not None and present:
        return str(found.value)
    inner = expand(other, lookup) if operator.endswith("-") else None
    return inner if isinstance(inner, str) else None


def _closed(raw: str) -> bool:
    quote = raw[0]
    inside = r"(?:\\.|[^\\\"])*" if quote == '"' else r"[^']*"
    return re.match(f"{quote}{inside}{quote}", raw, re.DOTALL) is not None


def _value(raw: str, lookup: Callable[[str], Setting | None]) -> str | Unknown:
    if raw[:1] == "'" and _closed(raw):
        return raw[1 : raw.index("'", 1)]
    quoted = re.match(r'"((?:\\.|[^\\"])*)"', raw, re.DOTALL)
    if quoted:
        return expand(re.sub(r'\\(["\\nrt])', _escape, quoted[1]), lookup)
    return expand(re.split(r"(?:^|\s)#", raw, maxsplit=1)[0].strip(), lookup)


def _escape(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t"}.get(match[1], match[1])
