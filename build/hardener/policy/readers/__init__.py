"""Read the texts that the consumer of a file would make of it: scripts, pages, style sheets, data."""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass

from hardener.errors import ScanError

# Nested brackets: a script with many takes their number squared. The bundles of upstream have 31.
_NESTED = 1000
_BRACKETS = bytes(set(range(256)) - set(b"([{}])"))
_STEPS = {**dict.fromkeys(b"([{", 1), **dict.fromkeys(b")]}", -1)}


class TooComplexError(ScanError):
    """A script is nested too deeply, or joins too many texts, to be read."""

    def __init__(self) -> None:
        super().__init__(
            "a source in a source map is nested too deeply, or joins too many texts, to be read",
            hint="look for a generated file among the sources of the bundle",
        )


def refuse_nested(script: bytes) -> None:
    """Raise TooComplexError for a script that has too many brackets in each other."""
    depths = list(itertools.accumulate(map(_STEPS.__getitem__, script.translate(None, _BRACKETS))))
    # Count from the lowest depth so far: closing brackets that nothing opened must not hide others.
    lowest = itertools.accumulate(depths, min, initial=0)
    if max(map(operator.sub, depths, lowest), default=0) > _NESTED:
        raise TooComplexError


class Offsets:
    """Turn offsets in characters into offsets in bytes. A text is encoded once if they are asked for in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._characters = self._bytes = 0

    def of(self, character: int) -> int:
        """Return the offset in bytes of a character."""
        if character < self._characters:
            self._characters = self._bytes = 0
        self._bytes += len(self._text[self._characters : character].encode("utf-8", "surrogateescape"))
        self._characters = character
        return self._bytes


@dataclass(frozen=True)
class Value:
    """A text that a consumer reads out of the bytes ``start`` to ``end`` of a file.

    ``pieces`` are the parts of it that are in the file as they are: (offset in the text, offset in the file,
    or -1 for a part that is nowhere). An
    ``address`` is a text that begins as an address, such as an attribute. ``language`` says that the text is
    a document of its own: ``javascript``, ``markup``, ``css``, ``json``.
    """

    text: bytes
    start: int
    end: int
    pieces: tuple[tuple[int, int], ...] = ()
    address: bool = False
    language: str = ""

    def place(self, offset: int) -> tuple[int, bool]:
        """Return where a part of the text is in the file, and whether it is there as it is."""
        for text_offset, file_offset in reversed(self.pieces):
            if text_offset <= offset:
                return (self.start, False) if file_offset < 0 else (file_offset + offset - text_offset, True)
        return self.start, False
