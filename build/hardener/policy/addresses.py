"""Find the hosts and schemes that a text names, in every spelling that a browser could make an address of.

This is the grammar of addresses in a text as it is. How the text of a file is found (escapes, entities, parts that are
joined) is the subject of ``reading.py`` and of the ``readers``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.policy.hostnames import canonical, canonical_ipv6
from hardener.policy.schemes import counts, is_opaque

if TYPE_CHECKING:
    from collections.abc import Iterator

MAP_SUFFIX = ".map"

# All patterns are for content in lower case: lowering it once costs less than ignoring case in every search.
# One of the two slashes of an address, also as JSON, JSON inside JSON, JavaScript and URLs spell it.
_SLASH = rb"(?:\\{0,3}/|\\{1,3}u002f|\\{1,3}x2f|%(?:25)*2f)"
_COLON = rb"(?::|%(?:25)*3a)"
_USER = rb"(?:[^\s/@\\?#\"'`<>()]{1,255}@)*"
# A percent-encoded character that a host may have; %2F, %3F and the like end it.
_ENCODED = rb"%(?:2[de]|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|[89a-f][0-9a-f])"
# What code fills in at run time: `${region}`, '{region}', '%s', '<region>', '[region]', '*'.
_FILLED = (
    rb"(?:\$?\{[^{}\"'`\n]{0,60}\}|\$[a-z_][a-z0-9_]*|<[a-z_][a-z0-9_-]*>|\[[a-z_][a-z0-9_-]*\]|%[sd](?![0-9a-f])|\*)"
)
# Possessive: a label ends where no more of it follows.
_LABEL = rb"(?:[a-z0-9_\x80-\xff-]++|" + _ENCODED + rb"|" + _FILLED + rb")++"
_IPV6 = rb"\[([0-9a-f:.]{2,45})\]"
_HOST = rb"(?:(" + _LABEL + rb"(?:\." + _LABEL + rb")*)|" + _IPV6 + rb")"
_TOP = rb"(?:[a-z]{2,}(?![a-z0-9_-])|xn--[a-z0-9-]+|[0-9]{1,3}(?![a-z0-9_-])|0x[0-9a-f]+|[\x80-\xff]+)"
_DOTTED = rb"(?:" + _LABEL + rb"\.)+" + _TOP + rb"(?:\.[a-z0-9_-]+)*"
_WEB = rb"(?:https?|wss?|ftps?)"
# 'https:host' only with a dot: 'http:' also begins a branch of a switch.
_ADDRESS = re.compile(
    _WEB + _COLON + rb"(?:" + _SLASH + rb"{1,6}" + _USER + _HOST + rb"|" + _USER + rb"(" + _DOTTED + rb"))"
)
# Without a scheme ('"//cdn.example/x"') only a dotted name counts: '"//' starts many a comment and regular expression.
_RELATIVE = re.compile(
    rb"[\"'`(=}](?:[a-z]{0,5}:)?"
    + _SLASH
    + rb"{2,6}"
    + _USER
    + rb"(?:("
    + _DOTTED
    + rb"|[0-9]{8,10}(?=[/:\"'`])|0x[0-9a-f]{8}(?=[/:\"'`]))|"
    + _IPV6
    + rb")"
)
# A value, which a browser reads with any slashes and without, and in front of which it drops blanks.
_LENIENT = re.compile(rb"(?<![a-z0-9+.-])" + _WEB + rb":[\\/]*" + _USER + _HOST)
_LENIENT_RELATIVE = re.compile(rb"[\"'`(=}][\x00-\x20]*[\\/]{2,}" + _USER + rb"(?:(" + _DOTTED + rb")|" + _IPV6 + rb")")
_WITHOUT_SLASHES = 3  # the group of _ADDRESS
_QUOTES = (b'"', b"'", b"`")
_INSIDE = re.compile(rb"[a-z0-9+.-]")
_FILLED_PART = re.compile(_FILLED)
_BLANKS = bytes(range(0x21))
_ICE = (b"stun:", b"stuns:", b"turn:", b"turns:")
_ICE_HOST = re.compile(rb"(?:\\{0,3}/){0,2}(?:(" + _LABEL + rb"(?:\." + _LABEL + rb")+)|" + _IPV6 + rb")")
# Top-level domains that a service worth calling has; file names and property chains would drown the others.
_TLD = rb"(?:com|net|org|io|dev|ai|app|cloud|tech|gg|me|tv|us|eu|de|uk|cn|ru|co|info|invalid|example)"
_BARE = re.compile(rb"[\"'`]((?:" + _LABEL + rb"\.)+" + _TLD + rb")(?=[\"'`/:?])")
# Any scheme in front of two slashes, with the host behind them; and schemes that need none, at the beginning of a text.
_AUTHORITY = re.compile(_COLON + _SLASH + _SLASH + rb"(?:" + _USER + rb"(" + _DOTTED + rb"))?")
_SCHEME_END = re.compile(rb"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*[a-z0-9]\Z")
_LONGEST_SCHEME = 40
_BEGINNING = re.compile(rb"[\"'`(=][\x00-\x20]*([a-z][a-z0-9+.-]{0,40}[a-z0-9]):(?!\s)")
# In a program what follows '(' or '=' is an expression: in 'a ? b=tg:c' a name, not the scheme of an address.
_BEGINNING_IN_CODE = re.compile(_BEGINNING.pattern.replace(b"(=", b""))
_PERSON = re.compile(rb"[\"'`(=][\x00-\x20]*(?:mailto|sips?|xmpp):[^\s\"'`<>?]{1,255}@(" + _DOTTED + rb")")
# An attribute that holds an address, as a value in quotes.
_ATTRIBUTE = re.compile(rb"\"[\x00-\x20]*[\\/]{2,}" + _USER + _HOST)


@dataclass(frozen=True)
class Name:
    """A host that a text names, or a scheme, which ends with a colon; ``offset`` is in bytes."""

    offset: int
    name: str

    @property
    def is_scheme(self) -> bool:
        """Return whether it is a scheme and not a host; an IPv6 address has several colons."""
        return self.name.endswith(":") and self.name.count(":") == 1


@dataclass(frozen=True)
class Find:
    """One place where a host (or a scheme such as ``mailto:``) is named: file of the site, byte offset, excerpt."""

    host: str
    file: str
    offset: int
    excerpt: str

    @property
    def is_scheme(self) -> bool:
        """Return whether it is a scheme and not a host."""
        return Name(self.offset, self.host).is_scheme

    @property
    def in_map(self) -> bool:
        """Return whether it is in a source map, which is not shipped with the site."""
        return self.file.endswith(MAP_SUFFIX)

    def __str__(self) -> str:
        """``file:offset: excerpt``."""
        return f"{self.file}:{self.offset}: {self.excerpt}"


def names(content: bytes, *, value: bool = False, attribute: bool = False, code: bool = False) -> list[Name]:
    """Return the hosts and schemes that a text names, in order of offset, each place once.

    ``code`` is the text of a program, in which an address begins behind a quote.

    A ``value`` is what a program has read from quotes; all forms count that a browser takes for an address. An
    ``attribute`` is a value that is an address from its beginning, such as that of ``href``.

    >>> [name.name for name in names(rb'"https:\\/\\/a.example" stun:b.example:3478 "c.example" // d.example')]
    ['a.example', 'stun:', 'b.example', 'c.example']
    >>> [name.name for name in names(rb"https:\\\\a.example", value=True)]
    ['a.example']
    >>> [name.name for name in names(b"tel:1", attribute=True)]
    ['tel:']
    """
    quoted = value or attribute
    low = b'"' + content.lower() + b'"' if quoted else content.lower()
    places: dict[tuple[int, bool], str] = {}
    lenient = _lenient(low, attribute=attribute) if quoted else ()
    for offset, name, is_scheme in (*_hosts(low, code=code), *lenient, *_schemes(low, attribute=attribute, code=code)):
        places.setdefault((offset, is_scheme), name)
    return [Name(offset - quoted, name) for (offset, _), name in sorted(places.items()) if name]


def _hosts(low: bytes, *, code: bool) -> Iterator[tuple[int, str, bool]]:
    for pattern in (_ADDRESS, _RELATIVE, _BARE):
        yield from _matches(pattern, low, code=code)
    if any(scheme in low for scheme in (b"mailto:", b"sip:", b"sips:", b"xmpp:")):
        yield from _matches(_PERSON, low)
    for prefix in _ICE:
        at = low.find(prefix)
        while at >= 0:
            host = _ICE_HOST.match(low, at + len(prefix))
            if host and not low[at - 1 : at].isalnum() and low[at - 1 : at] != b"_":
                yield host.start(host.lastindex or 1), _name(host), False
            at = low.find(prefix, at + 1)


def _lenient(low: bytes, *, attribute: bool) -> Iterator[tuple[int, str, bool]]:
    for pattern in (_LENIENT, _LENIENT_RELATIVE, *((_ATTRIBUTE,) if attribute else ())):
        yield from _matches(pattern, low)


def _schemes(low: bytes, *, attribute: bool, code: bool) -> Iterator[tuple[int, str, bool]]:
    for match in _AUTHORITY.finditer(low):
        before = max(0, match.start() - _LONGEST_SCHEME)
        found = _SCHEME_END.search(low, before, match.start())
        # '\\nhttps://' in a string: the first letter belongs to the escape.
        escaped = found is not None and low[found.start() - 1 : found.start()] == b"\\"
        scheme = found[0][escaped:].decode("ascii") if found else ""
        if found and len(scheme) > 1 and scheme[0].isalpha() and counts(scheme):
            yield found.start() + escaped, scheme + ":", True
            if match[1]:
                yield match.start(1), canonical(_text(match[1])), False
    for match in (_BEGINNING_IN_CODE if code else _BEGINNING).finditer(low):
        scheme = match[1].decode("ascii")
        at_start = attribute and low[: match.start(1)].strip(b'"').strip(_BLANKS) == b""
        person = scheme == "xmpp" and _PERSON.match(
            low, match.start()
        )  # also the beginning of namespaces and log names
        if counts(scheme) and (is_opaque(scheme) or at_start or person):
            yield match.start(1), scheme + ":", True


def _matches(pattern: re.Pattern[bytes], low: bytes, *, code: bool = False) -> Iterator[tuple[int, str, bool]]:
    for match in pattern.finditer(low):
        group = match.lastindex or 1
        # 'case ws:e.return' and 'a?ws:e.b' are code. What is inside a text of a program is found by its parser.
        if code and group == _WITHOUT_SLASHES and low[match.start() - 1 : match.start()] not in _QUOTES:
            continue
        # 'rows:Math.min' is not 'ws:'; with slashes behind it, it would be, as in the strings of a binary.
        if group < _WITHOUT_SLASHES or not _INSIDE.match(low, match.start() - 1):
            yield match.start(group), _name(match), False


def _name(match: re.Match[bytes]) -> str:
    group = match.lastindex or 1
    text = _text(match[group])
    return (
        canonical_ipv6(text) if match.string[match.start(group) - 1 : match.start(group)] == b"[" else canonical(text)
    )


def _text(host: bytes) -> str:
    """Decode a host and write what is filled in at run time as a star."""
    constant = _FILLED_PART.sub(b"*", host) if any(sign in host for sign in b"{$<[%") else host
    try:
        return constant.decode("utf-8")
    except UnicodeDecodeError:
        return constant.decode("latin-1")
