"""Constants of Lua source: strings with their escapes, numbers, and what ``not`` and ``-`` make of them."""

from __future__ import annotations

import re
from typing import Any

from hardener.servercheck.model import Unknown

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "\n": "\n"}


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
    for kind in (int, float):
        try:
            return kind(text, 0) if kind is int else kind(text)
        except ValueError:
            continue
    return Unknown(f"not a number: {text}")


def unary(text: str, inner: Any) -> Any:
    if isinstance(inner, Unknown):
        return inner
    if text.startswith("not"):
        return inner is None or inner is False
    if text.startswith("-") and isinstance(inner, int | float):
        return -inner
    return Unknown(f"needs to be run: {text[:60]}")
