"""Read a file as its consumer does, and find the hosts and schemes that it names.

Two readings are put together. The bytes as they are show what is spelled plainly, wherever it is: in code, in comments,
in binaries. The reader of the file's kind shows what the consumer makes of it; of that, only what the bytes do not show
is added. So a reader that takes a file for something else can never hide what is in it.
"""

from __future__ import annotations

import bisect
import codecs
import functools
import gzip
import html
import io
import json
import re
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import brotli  # type: ignore[import-untyped]

from hardener.policy.addresses import MAP_SUFFIX, Find, Name, names
from hardener.policy.readers import TooComplexError, Value, data, escapes, javascript, markup, stylesheets
from hardener.policy.sdks import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_KINDS = {
    "javascript": "js mjs cjs jsx",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "markup": "html htm shtml xht vue",
    "xml": "svg xml xhtml xsl xslt rss atom kml webmanifest.xml",
    "css": "css scss less",
    "json": "json webmanifest geojson har json5 jsonc",
    "map": MAP_SUFFIX.removeprefix("."),
    "text": "txt md sh log csv yml yaml toml ini conf",
    "wasm": "wasm",
}
_CODE = frozenset({"javascript", "typescript", "tsx", "map"})
_BY_ENDING = {ending: kind for kind, endings in _KINDS.items() for ending in endings.split()}
# Media types of 'data:' addresses and what reads them.
_BY_TYPE = {"html": "markup", "xml": "xml", "svg": "xml", "javascript": "javascript", "ecmascript": "javascript"}
_BY_TYPE |= {"css": "css", "json": "json"}
_DATA = re.compile(rb"data:([^,;\"'`<>()]{0,100})((?:;[^,;\"'`<>()]{0,200})*),", re.IGNORECASE)
_DATA_END = re.compile(rb"[\"'`<>()\\]|\Z")
_MARKUP = re.compile(rb"<[a-z!?/]", re.IGNORECASE)
_STRIPPED = re.compile(rb"[\t\r\n]+")
_BEGINS_ADDRESS = re.compile(rb"[\x00-\x20]*(?:[a-z][a-z0-9+.\t\r\n-]*:|[\\/][\t\r\n]*[\\/])", re.IGNORECASE)
_WIDE = re.compile(rb"\xe3\x80\x82|\xef[\xbc\xbd]")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UTF16_RUN = re.compile(rb"(?:[\x20-\x7e]\x00){8,}|(?:\x00[\x20-\x7e]){8,}")
# Printable characters of ASCII as 'p', zero bytes as '0'.
_SPELLED = b"0" + b"x" * 31 + b"p" * 95 + b"x" * 129
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DEPTH = 4  # documents in documents, encodings in encodings
_LARGEST = 256 << 20  # bytes of an unpacked file
_BIGGEST_TEXT = 4 << 20  # bytes of a text that is decoded further
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Read:
    """Hosts and schemes of a file, and why it could not be read (empty if it could)."""

    finds: tuple[Find, ...]
    unread: str = ""


def find_hosts(content: bytes, file: str) -> list[Find]:
    """Return all hosts and schemes that a file names, in order of offset.

    >>> [str(f) for f in find_hosts(b'fetch("https://t.example/x")', "a.js")]
    ['a.js:15: fetch("https://t.example/x")']
    >>> [f.host for f in find_hosts(b'f(`https://${x}.a.example`, "https:" + "//b.example", "mailto:x")', "a.js")]
    ['*.a.example', 'b.example', 'mailto:']
    """
    return list(read(content, file).finds)


def read(content: bytes, file: str, sources: Mapping[str, tuple[str, ...]] | None = None) -> Read:
    """Read a file by its name and its first bytes.

    ``sources`` has what the sources of a map name, where they have been read already: digest (see :func:`sources_of`)
    -> :func:`in_source`, for those that name something.
    """
    suffix = PurePosixPath(file).suffix.lower()
    if content.startswith(GZIP) or suffix == ".br":
        unpacked = _unpack(content, suffix)
        if unpacked is None:
            return Read((), "compressed, and damaged or too large")
        inner = file[: -len(suffix)] if suffix in (".gz", ".br") else file
        result = read(unpacked, inner)
        return Read(tuple(Find(f.host, file, f.offset, f.excerpt) for f in result.finds), result.unread)
    width, content_8 = _as_utf8(content)
    kind = _kind(content_8, suffix)
    try:
        found = in_document(content_8, kind, 0, sources)
        unread = "neither text nor of a kind that is read" if kind == "binary" else ""
    except TooComplexError:
        found = names(content_8, code=True)
        unread = "nested too deeply, joining too many texts, or too broken to be read"
    if kind in ("wasm", "binary"):
        found = _with_runs(content, found)
    finds = tuple(
        Find(name.name, file, width(name.offset), excerpt(content_8, name.offset, len(name.name))) for name in found
    )
    return Read(finds, unread)


def _unpack(content: bytes, suffix: str) -> bytes | None:
    try:
        if content.startswith(GZIP):
            unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(_LARGEST + 1)
        else:
            unpacked = bytes(brotli.decompress(content)) if suffix == ".br" else content
    except (OSError, EOFError, zlib.error, brotli.error):
        return None
    return unpacked if len(unpacked) <= _LARGEST else None


def _as_utf8(content: bytes) -> tuple[Callable[[int], int], bytes]:
    """Return the content in UTF-8, and what turns an offset in it into one of the file."""
    codec = next((codec for mark, codec in _MARKS if content.startswith(mark)), "") or _without_mark(content)
    if not codec:
        return lambda offset: offset, content
    text = content.decode(codec, "replace")
    encoded = text.encode("utf-8", "replace")

    def place(offset: int) -> int:
        return len(encoded[:offset].decode("utf-8", "replace").encode(codec, "replace"))

    return place, encoded


def _without_mark(content: bytes) -> str:
    """Return the encoding of a text whose zero bytes say that it has two or four bytes for each character."""
    head = content[:4096]
    if b"\0" not in head or len(head) < 4:  # noqa: PLR2004 (one character of UTF-32)
        return ""
    zeros = [head[place::4].count(0) / max(1, len(head[place::4])) for place in range(4)]
    most = [zero > 0.6 for zero in zeros]  # noqa: PLR2004 (umlauts and the like have no zero byte)
    few = [zero < 0.05 for zero in zeros]  # noqa: PLR2004
    if most[1] and most[2] and most[3] and few[0]:
        return "utf-32-le"
    if most[0] and most[1] and most[2] and few[3]:
        return "utf-32-be"
    if most[1] and most[3] and few[0] and few[2]:
        return "utf-16-le"
    if most[0] and most[2] and few[1] and few[3]:
        return "utf-16-be"
    return ""


def _kind(content: bytes, suffix: str) -> str:
    if content.startswith(b"\0asm"):
        return "wasm"
    kind = _BY_ENDING.get(suffix[1:], "")
    if kind and kind != "wasm":
        return kind
    controls = len(_CONTROL.findall(content[: 1 << 16]))
    if b"\0" in content or controls * 50 > min(len(content), 1 << 16):
        return "binary"
    return "any"


def _with_runs(content: bytes, found: list[Name]) -> list[Name]:
    """Add what a binary names in UTF-16."""
    spelled = content.translate(_SPELLED)
    if b"p0" * 8 not in spelled and b"0p" * 8 not in spelled:  # a hundred times faster than the expression
        return found
    for match in _UTF16_RUN.finditer(content):
        text = match[0].replace(b"\0", b"")
        found += [Name(match.start() + 2 * name.offset, name.name) for name in in_document(text, "text", 1)]
    return sorted(found, key=lambda name: name.offset)


def in_document(
    content: bytes, kind: str, depth: int, sources: Mapping[str, tuple[str, ...]] | None = None
) -> list[Name]:
    """Return what a document of a kind names, in order of offset; ``sources`` as for :func:`read`."""
    found = _Found(names(content, code=kind in _CODE))
    if depth <= _DEPTH:
        found.read(content, kind, depth)
    if kind == "map" and sources != {}:
        for digest, source_kind, text in sources_of(content):
            if extra := in_source(source_kind, text) if sources is None else sources.get(digest, ()):
                at = max(0, content.find(json.dumps(text[:200].decode("utf-8", "replace"))[1:-1].encode()))
                found.extend(at, extra)
    return found.all()


def _source_kind(name: str, text: bytes) -> str:
    ending = PurePosixPath(name.partition("?")[0]).suffix.lower()
    kind = _BY_ENDING.get(ending[1:], "javascript")
    return (
        "javascript"
        if kind in ("xml", "css", "map") and not text.lstrip().startswith((b"<", b".", b"@", b"{"))
        else kind
    )


def sources_of(content: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield digest, kind and text of each source that a map holds. Maps of several bundles hold the same sources."""
    for name, text in data.sources(content):
        kind = _source_kind(name, text)
        yield sha256(kind.encode() + b"\0" + text).hexdigest(), kind, text


@functools.cache
def in_source(kind: str, text: bytes) -> tuple[str, ...]:
    """Return what a source of a map names beyond what its text shows."""
    if not _is_worth_parsing(text):
        return ()
    plain = names(text, code=kind in _CODE)
    found = _Found(plain)
    found.read(text, kind, 1)
    return tuple((Counter(name.name for name in found.all()) - Counter(name.name for name in plain)).elements())


# In lower case: what may name something that the text does not show, and what has to be there for it. An expression
# of all of them would take five times as long.
_WORTH_PARSING: tuple[tuple[tuple[bytes, ...], re.Pattern[bytes]], ...] = tuple(
    (needles, re.compile(pattern))
    for needles, pattern in (
        # An escape
        ((b"\\",), rb"\\(?:x[0-9a-f]{2}|u[0-9a-f{]|[0-3]?[0-7]{2})"),
        ((b"%",), rb"%[0-9a-f]{2}"),
        ((b"&#",), rb"&#x?[0-9a-f]+;"),
        ((b"\xe3\x80\x82", b"\xef\xbc", b"\xef\xbd"), rb"\xe3\x80\x82|\xef[\xbc\xbd]"),
        # An address that is not written plainly
        ((b"data:", b"javascript:"), rb"data:[a-z]*/[a-z]|javascript:"),
        ((b"http", b"ws:", b"wss:", b"ftp"), rb"(?:https?|wss?|ftps?):(?:/?[a-z0-9]|[\\]|///)"),
        ((b"://",), rb"://[a-z0-9_.-]*\\"),
        # One that something may be joined to
        ((b"http", b"wss", b"ftp"), rb"(?:https?|wss|ftps?):?[\\/]{0,2}(?:[\"'`]|\$\{)"),
        ((b"://", b":\\"), rb"s?:[\\/]{2,3}[a-z0-9_.-]*(?:[\"'`]|\$\{)"),
        ((b"//",), rb"//(?<=[\"'`]//)"),
        ((b"\\",), rb"[\"'`](?:\\[\\/]|/\\)"),
        ((b"://",), rb"://(?:(?<=[\"'`]://)|(?<=[\"'`]s://))"),
        ((b"stun:", b"stuns:", b"turn:", b"turns:"), rb"(?:stun|turn)s?:[a-z0-9_.-]*[\"'`]"),
        ((b":",), rb":[\\/]{0,2}[\"'`]\s{0,9}\+"),
        # A text that is made by a function
        ((b"join(",), rb"\]\s{0,9}\.join\("),
        ((b"reverse(",), rb"reverse\(\)\s{0,9}\.join\("),
        ((b"base64", b"hex"), rb"[\"'`](?:base64|hex)[\"'`]"),
        ((b"atob", b"fromc"), rb"atob|fromc(?:har|odep)"),
    )
)
_ENCODED = re.compile(rb"[\"'`]([A-Za-z0-9+/_-]{16,}={0,2})[\"'`]")


def _is_worth_parsing(text: bytes) -> bool:
    """Return whether a source of a map may name something that its text does not show; the parser decides it."""
    low = text.lower()
    for needles, pattern in _WORTH_PARSING:
        if any(needle in low for needle in needles) and pattern.search(low):
            return True
    return any(escapes.is_encoded(match[1]) for match in _ENCODED.finditer(text))


def _values(content: bytes, kind: str) -> Iterator[Value]:
    match kind:
        case "javascript" | "typescript" | "tsx":
            yield from javascript.values(content, kind)
        case "markup" | "xml":
            yield from markup.values(content, xml=kind == "xml")
        case "css":
            yield from stylesheets.values(content)
        case "json":
            yield from data.values(content)
        case "text":
            yield Value(content, 0, len(content), ((0, 0),))
        case "any":  # no ending says who reads it: all do
            yield from javascript.values(content)
            if _MARKUP.search(content):
                yield from markup.values(content, xml=True)
            if b"{" in content:
                yield from data.values(content)
                yield from stylesheets.values(content) if len(content) < _BIGGEST_TEXT else ()
            yield Value(content, 0, len(content), ((0, 0),))


def _in_value(value: Value, depth: int) -> list[Name]:
    """Return what a text names, in all readings that its consumer could make of it."""
    if value.language:
        return in_document(value.text, value.language, depth + 1)
    found = names(value.text, value=True, attribute=value.address)
    counted = Counter(name.name for name in found)
    for more in _further(value.text, value.address, depth):
        for name, count in (Counter(more) - counted).items():
            found += [Name(-1, name)] * count
            counted[name] += count
    return found


def _further(text: bytes, address: bool, depth: int) -> Iterator[list[str]]:
    if depth > _DEPTH:
        return
    seen = {text}
    level = [text]
    while level and len(seen) < 12:  # noqa: PLR2004 (encodings of encodings)
        following = []
        for known in level:
            for reading in _decoded(known):
                if reading not in seen:
                    seen.add(reading)
                    following.append(reading)
                    yield [name.name for name in names(reading, value=True, attribute=address)]
        level = following
    for reading in seen:
        for kind, document in _documents(reading):
            yield [name.name for name in in_document(document, kind, depth + 1)]


def _decoded(text: bytes) -> Iterator[bytes]:
    if len(text) <= _BIGGEST_TEXT:
        if b"%" in text:
            yield unquote_to_bytes(text)
        if b"&" in text:
            yield html.unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "replace")
        if b"\\" in text:
            yield escapes.unescape(text)
        if _WIDE.search(text):
            yield _narrow(text)
        if _STRIPPED.search(text) and _BEGINS_ADDRESS.match(text):
            yield _STRIPPED.sub(b"", text)
    if escapes.is_encoded(text.strip()):
        decoded = escapes.decode_base64(text)
        codec = _without_mark(decoded)
        yield decoded.decode(codec, "replace").encode() if codec else decoded


def _narrow(text: bytes) -> bytes:
    """Write full-width letters and the dots of East Asian scripts as browsers do in hosts."""
    return unicodedata.normalize("NFKC", text.decode("utf-8", "replace").replace("\u3002", ".")).encode(
        "utf-8", "replace"
    )


def _documents(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the documents that a text holds: 'data:' and 'javascript:' addresses, markup with something encoded."""
    for match in _DATA.finditer(text):
        media = match[1].decode("ascii", "replace").lower()
        start = match.end()
        end = len(text) if match.start() == 0 else _DATA_END.search(text, start).start()  # type: ignore[union-attr]
        content = unquote_to_bytes(text[start:end])
        if b"base64" in match[2].lower():
            content = escapes.decode_base64(content)
        if content.startswith(GZIP):
            content = _unpack(content, "") or b""
        content = _as_utf8(content)[1]
        kind = next((kind for part, kind in _BY_TYPE.items() if part in media), "") or _kind(content, "")
        if kind != "binary" or not media.startswith(
            ("image/", "audio/", "video/", "font/", "application/font", "application/x-font")
        ):
            yield kind, content
    stripped = _STRIPPED.sub(b"", text[:200]).lstrip(bytes(range(0x21)))
    if stripped[:11].lower() == b"javascript:":
        yield "javascript", text[text.find(b":") + 1 :]
    if (
        len(text) <= _BIGGEST_TEXT
        and _MARKUP.search(text)
        and any(sign in text for sign in (b"&", b"\t", b"\n", b"\\"))
    ):
        yield "markup", text


class _Found:
    """The finds in a document, each place once."""

    def __init__(self, plain: list[Name]) -> None:
        self._places = [(name.offset, name.name) for name in plain]

    def _within(self, start: int, end: int) -> Counter[str]:
        first = bisect.bisect_left(self._places, (start, ""))
        last = bisect.bisect_left(self._places, (end, ""))
        return Counter(name for _, name in self._places[first:last])

    def read(self, content: bytes, kind: str, depth: int) -> None:
        """Add what the consumer of a document makes of it. Raises TooComplexError."""
        try:
            for value in _values(content, kind):
                self.add(value, _in_value(value, depth))
        except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
            raise TooComplexError from error

    def add(self, value: Value, named: list[Name]) -> None:
        """Add what a value names, but for what is found in its range already."""
        if not named:
            return
        known = self._within(value.start, value.end)
        for name in named:
            if known[name.name] > 0:
                known[name.name] -= 1
                continue
            offset, exact = value.place(name.offset) if name.offset >= 0 else (value.start, False)
            if exact and (offset, name.name) in self._places[bisect.bisect_left(self._places, (offset, "")) :][:2]:
                continue  # the value of a variable, found where it is declared
            if exact:
                self._drop_beginning(offset, name.name)
            bisect.insort(self._places, (max(offset, value.start), name.name))

    def _drop_beginning(self, offset: int, name: str) -> None:
        """Forget a host of which the bytes show the beginning only: the rest is joined to it."""
        at = bisect.bisect_left(self._places, (offset, ""))
        while at < len(self._places) and self._places[at][0] == offset:
            shown = self._places[at][1]
            if not shown.endswith(":") and shown != name and name.startswith(shown.rstrip("*")):
                del self._places[at]
            else:
                at += 1

    def extend(self, offset: int, more: tuple[str, ...]) -> None:
        """Add what was found elsewhere."""
        for name in more:
            bisect.insort(self._places, (offset, name))

    def all(self) -> list[Name]:
        """Return everything in order of offset."""
        return [Name(offset, name) for offset, name in self._places]
