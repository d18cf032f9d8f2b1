"""Read the texts that the consumer of a file would make of it: scripts, pages, style sheets, data."""

from __future__ import annotations

from dataclasses import dataclass


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
