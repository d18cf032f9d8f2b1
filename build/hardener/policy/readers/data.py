"""Read the texts of JSON and the sources that a source map holds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from hardener.policy.readers import TooComplexError, Value
from hardener.policy.readers.escapes import is_encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

# In valid JSON quotes occur only around texts. json.loads would lose places, and of two equal keys the first.
# One that nothing closes reaches to the end.
_TEXT = re.compile(rb'"([^"\\]*+(?:\\.?[^"\\]*+)*+)(?:"|\Z)', re.DOTALL)
# In lower case: what may make a text say something else to a browser than its bytes show.
_OF_INTEREST = re.compile(
    rb"(?:https?|wss?|ftps?):(?!//[a-z0-9])|data:[a-z,;]|javascript:|\"[\x00-\x20]*[\\/]{2}|%[0-9a-f]{2}|&(?:#|\w+;)|\\[u/]"
    rb"|\xe3\x80\x82|\xef[\xbc\xbd]"
)
_BASE64 = re.compile(rb'"([A-Za-z0-9+/_-]{16,}={0,2})"')


def values(content: bytes) -> list[Value]:
    r"""Return the texts that could be or hold an address.

    >>> [value.text for value in values(rb'{"a": "\u0068ttps:\\\\a.example", "b": 1}')]
    [b'https:\\\\a.example']
    """
    found: list[Value] = []
    hits = [hit.end() - 1 for hit in _OF_INTEREST.finditer(content.lower())]
    hits += [hit.end(1) - 1 for hit in _BASE64.finditer(content) if is_encoded(hit[1])]
    hits.sort()
    at = 0
    for match in _TEXT.finditer(content) if hits else ():
        while at < len(hits) and hits[at] <= match.start():
            at += 1
        if at == len(hits):
            break
        if hits[at] >= match.end():
            continue
        raw = match[1]
        if b"\\" in raw:
            found.append(Value(_decoded(match[0]), match.start(), match.end()))
        else:
            found.append(Value(raw, match.start(), match.end(), ((0, match.start(1)),)))
    return found


def _decoded(text: bytes) -> bytes:
    try:
        return str(json.loads(text.decode("utf-8", "replace"), strict=False)).encode("utf-8", "replace")
    except ValueError:
        return text


def sources(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and text of each source that a source map holds; nothing where it is not one.

    Raises TooComplexError.
    """
    try:
        parsed = json.loads(content)
    except ValueError:
        return
    except RecursionError as error:
        raise TooComplexError from error
    sections = _list(parsed, "sections")
    for part in (parsed, *(section.get("map") for section in sections if isinstance(section, dict))):
        for name, text in zip(_list(part, "sources"), _list(part, "sourcesContent"), strict=False):
            if isinstance(name, str) and isinstance(text, str):
                yield name, text.encode("utf-8", "surrogatepass")


def _list(parsed: object, key: str) -> list[object]:
    found = parsed.get(key) if isinstance(parsed, dict) else None
    return found if isinstance(found, list) else []
