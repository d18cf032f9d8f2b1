"""nginx' configuration: its directives with their lines, and what they say about how the client is served.

Not a library: crossplane's last release is of 2022, and includes have to be looked for inside the folder in question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.server.model import Proxy, Setting, Site, Table, Unclear, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Include = Callable[[str, Where], list[tuple[str, str]]]

DEPTH = 40
# Quotes mean something only at the start of a word; a bare word ends at white space, a semicolon or an opening brace.
TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)
      |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      |(?P<mark>[{};])
      |(?P<word>(?:\\.|\$\{|[^\s;{\\]|\\)+)""",
    re.VERBOSE | re.DOTALL,
)
# What the client needs is served where one of these stands.
SERVES = ("/usr/share/jitsi-meet", "xmpp-websocket", "http-bind")


@dataclass
class Directive:
    """One directive; ``body`` is None where it ends with a semicolon."""

    name: str
    words: tuple[str, ...]
    where: Where
    body: list[Directive] | None = None

    def inside(self) -> Iterator[Directive]:
        """All directives of the body, at any depth."""
        for one in self.body or ():
            yield one
            yield from one.inside()


def parse(text: str, name: str, include: Include, depth: int = 0) -> tuple[list[Directive], list[Unclear]]:
    """The directives of a file with those of its includes in their places, and what could not be told."""
    root: list[Directive] = []
    stack = [root]
    unclear: list[Unclear] = []
    words: list[str] = []
    line, first = 1, 1
    for match in TOKEN.finditer(text):
        text_here, kind = match[0], match.lastgroup
        here, line = line, line + match[0].count("\n")
        if kind in {"word", "quoted"}:
            first = first if words else here
            words.append(_unquote(text_here) if kind == "quoted" else text_here)
        elif kind == "mark" and text_here == "}":
            if words or len(stack) == 1:
                unclear.append(Unclear(Where(name, here), "not valid nginx configuration near }", vital=True))
            words = []
            del stack[max(1, len(stack) - 1) :]
        elif kind == "mark" and words:
            one = Directive(words[0], tuple(words[1:]), Where(name, first, words[0]), [] if text_here == "{" else None)
            words = []
            if one.name == "include" and one.body is None and one.words:
                inner = include(one.words[0], one.where) if depth < DEPTH else []
                for file, content in inner:
                    found, doubts = parse(content, file, include, depth + 1)
                    stack[-1] += found
                    unclear += doubts
                continue
            stack[-1].append(one)
            if one.body is not None:
                stack.append(one.body)
    if words or len(stack) > 1:
        unclear.append(Unclear(Where(name, line), "not valid nginx configuration: it ends in the middle", vital=True))
    return root, unclear


def site(directives: list[Directive]) -> Site | None:
    """How the client is served: the server that has it, or None if none of them does."""
    servers = [
        one for top in directives for one in (top, *top.inside()) if one.name == "server" and one.body is not None
    ]
    chosen = [one for one in servers if _serves(one)]
    body = chosen[0].body if chosen else None
    if body is None:
        if any(one.body is not None and one.name in {"server", "http", "upstream"} for one in directives):
            return None
        # A fragment that is meant to be included into a server.
        fragment = Directive("server", (), directives[0].where, directives) if directives else None
        if fragment is None or not _serves(fragment):
            return None
        chosen, body = [fragment], directives
    outer = [top for top in directives if top.name == "http" and top.body is not None]
    encrypted = [one for one in chosen if not _cleartext(one)]
    first = (encrypted or chosen)[0]
    result = _facts(
        first, first.body or body, [one for top in (directives, *(h.body or [] for h in outer)) for one in top]
    )
    result.cleartext = next((one.where for one in chosen if _cleartext(one)), None)
    return result


def _cleartext(server: Directive) -> bool:
    """A server that listens without TLS on something that others reach, and does more than send them to https."""
    listens = [one.words for one in server.body or [] if one.name == "listen"]
    rest = [one for one in server.body or [] if one.name == "location" and one.words == ("/",)] + [server]
    sent_away = any(
        one.name == "return" and any(word.startswith("https://") for word in one.words)
        for place in rest
        for one in place.body or []
    )
    plain = any("ssl" not in words and "quic" not in words and not _local(words[0]) for words in listens if words)
    return plain and not sent_away


def _local(address: str) -> bool:
    return address.startswith(("127.", "[::1]", "localhost", "unix:"))


def _serves(server: Directive) -> bool:
    return any(
        one.name in {"root", "alias", "location", "proxy_pass"} and any(mark in " ".join(one.words) for mark in SERVES)
        for one in server.inside()
    )


def _facts(server: Directive, body: list[Directive], outer: list[Directive]) -> Site:
    result = Site(server.where)
    own = _headers(body) or _headers(outer)
    result.headers = own
    for one in server.inside():
        if one.name == "location" and one.body is not None:
            here = _headers(one.body)
            if here and "content-security-policy" in own and "content-security-policy" not in here:
                result.dropped.append(one.where)
            result.proxies += [
                Proxy(" ".join(one.words), inner.words[0], inner.where)
                for inner in one.body
                if inner.name in {"proxy_pass", "grpc_pass"} and inner.words
            ]
        if one.name == "add_header" and len(one.words) > 1 and one.words[0].lower() == "access-control-allow-origin":
            result.foreign.append(Setting(one.words[1], one.where))
        if one.name == "proxy_hide_header" and one.words and one.words[0].lower() == "access-control-allow-origin":
            result.hides_cors = True
    scopes = [one for one in (*body, *outer) if one.body is None]
    result.logs = [Setting(" ".join(one.words), one.where) for one in scopes if one.name == "access_log"][:1]
    on = [one for one in scopes if one.name == "ssi"]
    types = [one for one in scopes if one.name == "ssi_types"]
    if on and on[0].words[:1] == ("on",):
        words = types[0].words if types else ()
        place = types[0].where if types else on[0].where
        result.ssi = Setting(Table(tuple(Setting(word, place) for word in words)), place)
    return result


def _headers(body: list[Directive]) -> dict[str, Setting]:
    return {
        one.words[0].lower(): Setting(" ".join(one.words[1:]), one.where)
        for one in body
        if one.name == "add_header" and one.words
    }


def _unquote(word: str) -> str:
    return re.sub(r"\\([\"'\\])", r"\1", word[1:-1])
