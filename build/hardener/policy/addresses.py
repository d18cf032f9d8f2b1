"""Find the hosts that a file's content names, in every spelling that a client could make an address of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hardener.policy.sdks import excerpt

MAP_SUFFIX = ".map"

# All patterns are for content in lower case: lowering it once costs less than ignoring case in every search.
_LABEL = rb"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_DOTTED = rb"(?:" + _LABEL + rb"\.)+"
_IPV6 = rb"\[([0-9a-f:.]{2,45})\]"
# One of the two slashes of an address, also as JSON, JSON inside JSON, JavaScript and URLs spell it.
_SLASH = rb"(?:\\{0,3}/|\\{1,3}u002f|\\{1,3}x2f|%2f)"
_USER = rb"(?:[^\s/@\"'`<>()]{1,64}@)?"
_ADDRESS = re.compile(
    rb"(?:https?|wss?|ftps?)(?::|%3a)"
    + _SLASH
    + _SLASH
    + _USER
    + rb"(?:("
    + _LABEL
    + rb"(?:\."
    + _LABEL
    + rb")*)|"
    + _IPV6
    + rb")"
)
# Without a scheme ('"//cdn.example/x"') only a dotted name counts: '"//' starts many a comment and regular expression.
_RELATIVE = re.compile(
    rb"[\"'`(=]"
    + _SLASH
    + _SLASH
    + _USER
    + rb"("
    + _DOTTED
    + rb"(?:[a-z]{2,}|[0-9]{1,3})(?![a-z0-9_-])(?:\.[a-z0-9_-]+)*)"
)
_ICE = (b"stun:", b"stuns:", b"turn:", b"turns:")
_ICE_HOST = re.compile(_DOTTED + _LABEL)
# Top-level domains that a service worth calling has; file names and property chains would drown the others.
_TLD = rb"(?:com|net|org|io|dev|ai|app|cloud|tech|gg|me|tv|us|eu|de|uk|cn|ru|co|info|invalid|example)"
_BARE = re.compile(rb"[\"'`](" + _DOTTED + _TLD + rb")(?=[\"'`/:?])")


@dataclass(frozen=True)
class Find:
    """One place where a host is named: file (relative to the site), byte offset and the text around it."""

    host: str
    file: str
    offset: int
    excerpt: str

    @property
    def in_map(self) -> bool:
        """Return whether it is in a source map, which is not shipped with the site."""
        return self.file.endswith(MAP_SUFFIX)

    def __str__(self) -> str:
        """``file:offset: excerpt``."""
        return f"{self.file}:{self.offset}: {self.excerpt}"


def find_hosts(content: bytes, file: str) -> list[Find]:
    """Return all hosts that are named in a file's content, in order of offset.

    >>> [str(f) for f in find_hosts(b'fetch("https://t.example/x")', "a.js")]
    ['a.js:15: fetch("https://t.example/x")']
    >>> [f.host for f in find_hosts(rb'"wss:\\/\\/a.example" stun:b.example:3478 "c.example" // d.example', "a.js")]
    ['a.example', 'b.example', 'c.example']
    """
    low = content.lower()
    places: dict[int, bytes] = {}
    for pattern in (_ADDRESS, _RELATIVE, _BARE):
        for match in pattern.finditer(low):
            group = match.lastindex or 1
            places.setdefault(match.start(group), match[group])
    for prefix in _ICE:
        at = low.find(prefix)
        while at >= 0:
            host = _ICE_HOST.match(low, at + len(prefix))
            if host and not low[at - 1 : at].isalnum() and low[at - 1 : at] != b"_":
                places.setdefault(host.start(), host[0])
            at = low.find(prefix, at + 1)
    return [
        Find(host.decode("ascii"), file, offset, excerpt(content, offset, len(host)))
        for offset, host in sorted(places.items())
    ]
