"""Read HTML as its tokens, and XML (SVG) with the entities that it declares.

``html.parser`` is enough for HTML: addresses are in attributes and in the text of scripts and styles, which are tokens,
and it knows where each begins. XML is read by expat, which expands entities; what is not well-formed is read as HTML.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from xml.parsers import expat

from hardener.policy.readers import Offsets, TooComplexError, Value

_ADDRESSES = frozenset(
    """
    action archive background cite classid codebase data dynsrc formaction href icon longdesc lowsrc manifest ping
    poster profile src usemap xlink:href xml:base
    """.split()
)
_DATA = re.compile(r"json|importmap|speculationrules", re.IGNORECASE)
_DELAYED = re.compile(
    r"\s*[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?[\"']?", re.IGNORECASE
)  # <meta http-equiv=refresh content="0; url=...">
_PSEUDO_ATTRIBUTE = re.compile(r"(?<![\w:-])([\w:-]++)\s*+=\s*+([\"'])(.*?)\2", re.DOTALL)
# Tags and comments without an end: the parser looks for the end of each in all the rest of a page.
_UNCLOSED = 20


def values(content: bytes, *, xml: bool = False) -> list[Value]:
    """Return attributes, texts, scripts and styles of a page. Raises TooComplexError.

    >>> [value.text for value in values(b'<a href="https&#58;//a.example">x</a>')][0]
    b'https://a.example'
    """
    if xml:
        try:
            return _Xml(content).values
        except (expat.ExpatError, LookupError, UnicodeError):
            pass
    return _Html(content).values


def attribute(tag: str, name: str, text: str, start: int, end: int) -> list[Value]:
    """Return what a browser reads in an attribute."""
    encoded = text.encode("utf-8", "surrogateescape")
    if name.startswith("on"):
        return [Value(encoded, start, end, language="javascript")]
    if name == "style":
        return [Value(encoded, start, end, language="css")]
    if name == "srcdoc":
        return [Value(encoded, start, end, language="markup")]
    if name in ("srcset", "imagesrcset", "archive", "ping"):
        parts = re.split(r"[\s,]+", text)
        return [Value(part.encode("utf-8", "surrogateescape"), start, end, address=True) for part in parts if part]
    if tag == "meta" and name == "content":
        encoded = _DELAYED.sub("", text, count=1).encode("utf-8", "surrogateescape")
    return [Value(encoded, start, end, address=name in _ADDRESSES)]


class _Html(HTMLParser):
    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.values: list[Value] = []
        text = content.decode("utf-8", "surrogateescape")
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._offsets = Offsets(text)
        self._unclosed = 0
        self._type = ""
        self.feed(text)
        self.close()

    def _at(self) -> int:
        line, column = self.getpos()
        return self._offsets.of(self._starts[line - 1] + column)

    def _ended(self, end: int) -> int:
        self._unclosed += end < 0
        if self._unclosed > _UNCLOSED:
            raise TooComplexError
        return end

    def parse_starttag(self, i: int) -> int:
        """Parse a tag; -1 if it has no end. Raises TooComplexError for a page with many of those."""
        return self._ended(super().parse_starttag(i))

    def parse_endtag(self, i: int) -> int:
        """Parse an end tag as :meth:`parse_starttag` does a tag."""
        return self._ended(super().parse_endtag(i))

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Parse a comment as :meth:`parse_starttag` does a tag."""
        return self._ended(super().parse_comment(i, report))

    def parse_pi(self, i: int) -> int:
        """Parse an instruction as :meth:`parse_starttag` does a tag."""
        return self._ended(super().parse_pi(i))

    def parse_html_declaration(self, i: int) -> int:
        """Parse a declaration as :meth:`parse_starttag` does a tag."""
        return self._ended(super().parse_html_declaration(i))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        start = self._at()
        end = start + len((self.get_starttag_text() or "").encode("utf-8", "surrogateescape"))
        self._type = dict(attrs).get("type") or ""
        for name, text in attrs:
            if text:
                self.values += attribute(tag, name, text, start, end)

    def handle_data(self, data: str) -> None:
        encoded = data.encode("utf-8", "surrogateescape")
        start = self._at()
        language = ""
        if self.lasttag in self.CDATA_CONTENT_ELEMENTS and self.cdata_elem:
            language = "css" if self.lasttag == "style" else "json" if _DATA.search(self._type) else "javascript"
        if language or encoded.strip():
            self.values.append(
                Value(encoded, start, start + len(encoded), ((0, start),) if language else (), language=language)
            )

    def handle_comment(self, data: str) -> None:
        """Read conditional comments, as old browsers do."""
        if "<" in data:
            encoded = data.encode("utf-8", "surrogateescape")
            start = self._at()
            self.values.append(Value(encoded, start, start + len(encoded), language="markup"))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Read a comment, as which '<![' begins in HTML."""
        return int(self.parse_bogus_comment(i, report))


class _Xml:
    def __init__(self, content: bytes) -> None:
        self.values: list[Value] = []
        self._element = ""
        self._text: list[str] = []
        self._size = len(content)
        self._start = 0
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartDoctypeDeclHandler = self._doctype
        parser.Parse(content, True)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._flush()
        self._element = name.rpartition(":")[2].lower()
        start = self._parser.CurrentByteIndex
        for key, text in attributes.items():
            self.values += attribute(self._element, key.lower(), text, start, self._size)

    def _end(self, _name: str) -> None:
        self._flush()

    def _data(self, data: str) -> None:
        if not self._text:
            self._start = self._parser.CurrentByteIndex
        self._text.append(data)

    def _flush(self) -> None:
        text = "".join(self._text).encode("utf-8", "surrogateescape")
        self._text.clear()
        language = {"script": "javascript", "style": "css"}.get(self._element, "")
        if text.strip():
            self.values.append(Value(text, self._start, self._size, language=language))

    def _instruction(self, _target: str, data: str) -> None:
        start = self._parser.CurrentByteIndex
        for name, _, text in _PSEUDO_ATTRIBUTE.findall(data):
            self.values += attribute("", name, html.unescape(text), start, self._size)

    def _doctype(self, _name: str, system: str | None, _public: str | None, _internal: int) -> None:
        if system:
            start = self._parser.CurrentByteIndex
            self.values.append(Value(system.encode(), start, self._size))
