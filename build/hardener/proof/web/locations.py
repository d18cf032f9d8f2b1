"""The snippets of build/nginx, read and followed as nginx follows them: from an address to a location.

Not a library: there is none that runs nginx's configuration. Only the directives that the snippets use are known, and
any other one is refused, so a change of the snippets cannot pass unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hardener import snippets
from hardener.errors import ConfigError
from hardener.servercheck.readers import nginx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hardener.servercheck.model import Where

HEADERS = snippets.HEADERS
_SPECIAL = re.compile(r"[\x00-\x20\"#%&+;<>?\x7f-\xff]")  # what nginx encodes again where the address was encoded
ROUNDS = 10  # as in nginx: a path that is rewritten more often is an error of the configuration
_REWRITING = ("set", "if", "rewrite", "return")
# What matters only where there are servers behind, or in nginx itself.
_OF_NGINX = re.compile(r"server_tokens|tcp_nodelay|gzip_(?:comp_level|http_version|proxied)|proxy_(?!pass$)\w+")


@dataclass(frozen=True)
class Header:
    """A header that a location adds; to errors too if ``always``."""

    name: str
    value: str
    always: bool


@dataclass(frozen=True)
class Location:
    """The settings of one location, or of the server where no location has been found yet."""

    modifier: str = ""
    pattern: str = ""
    headers: tuple[Header, ...] = ()
    flags: frozenset[str] = frozenset()  # of the directives that are on or off, those that are on
    types: dict[str, str] = field(default_factory=dict)  # ending -> media type, instead of the common ones
    rewriting: tuple[nginx.Directive, ...] = ()
    try_files: tuple[str, ...] = ()
    passes_on: bool = False


@dataclass
class State:
    """One request on its way through the locations."""

    uri: bytes
    target: bytes = b""  # the path as it was asked for, encoded
    arguments: bytes = b""
    variables: dict[str, bytes] = field(default_factory=dict)
    captures: tuple[bytes, ...] = ()
    location: Location = field(default_factory=Location)


class Snippets:
    """The locations of site.conf. Raises ConfigError for what this reader does not know."""

    def __init__(self, *, headers: bool = True) -> None:
        self._headers = headers
        self._locations: list[Location] = []
        self.error_pages: dict[int, str] = {}
        self.words: dict[str, tuple[str, ...]] = {}  # charset, index and the lists of types
        name = "site.conf"
        directives, unclear = nginx.parse((snippets.NGINX / name).read_text("utf-8"), name, self._include)
        if unclear:
            raise ConfigError(f"{unclear[0].where.file}: {unclear[0].reason}", hint="build/nginx/README.md")
        self.server = self._read(directives, Location())
        for directive in directives:
            if directive.name == "location":
                words = directive.words if len(directive.words) > 1 else ("", *directive.words)
                base = replace(self.server, modifier=words[0], pattern=words[1], rewriting=())
                self._locations.append(self._read(directive.body or [], base))

    def _include(self, pattern: str, _where: Where) -> list[tuple[str, str]]:
        inside = pattern.removeprefix("hardener/")
        if inside == HEADERS and not self._headers:
            return []
        return [(path.name, path.read_text("utf-8")) for path in sorted(snippets.NGINX.glob(inside))]

    def _read(self, directives: Sequence[nginx.Directive], base: Location) -> Location:
        headers, rewriting = [], []
        flags, types = set(base.flags), base.types
        try_files, passes_on = base.try_files, base.passes_on
        for directive in directives:
            name, words = directive.name, directive.words
            if name == "add_header":
                headers.append(Header(words[0], words[1], "always" in words[2:]))
            elif name in _REWRITING:
                rewriting.append(directive)
            elif name in {"ssi", "gzip", "gzip_static", "gzip_vary"}:
                flags = flags | {name} if words == ("on",) else flags - {name}
            elif name == "types":
                types = {ending: entry.name for entry in directive.body or () for ending in entry.words}
            elif name == "try_files":
                try_files = words
            elif name == "proxy_pass":
                passes_on = True
            elif name != "location":
                self._note(directive)
        return replace(
            base,
            headers=tuple(headers) or base.headers,
            flags=frozenset(flags),
            types=types,
            rewriting=tuple(rewriting),
            try_files=try_files,
            passes_on=passes_on,
        )

    def _note(self, directive: nginx.Directive) -> None:
        """Keep what the server says for all locations. Raises ConfigError for a directive that is not known."""
        name, words = directive.name, directive.words
        if name == "error_page":
            self.error_pages |= dict.fromkeys(map(int, words[:-1]), words[-1])
        elif name in {"charset", "index", "ssi_types", "gzip_types", "gzip_min_length"}:
            self.words[name] = words
        elif not _OF_NGINX.fullmatch(name):
            raise ConfigError(
                f"{directive.where.file}:{directive.where.line}: the test server does not know {name}",
                hint="teach it to proof/web/locations.py",
            )

    def enter(self, state: State) -> int:
        """Find the location of an address; returns the status of a ``return``, or 0 where content is wanted."""
        state.location = self.server
        return self._rewrite(state, self.server) or self._find(state)

    def enter_named(self, state: State, name: str) -> int:
        """Go to ``@name`` with the address as it is; returns what :meth:`enter` returns."""
        state.location = next(location for location in self._locations if name == location.pattern)
        return self._rewrite(state, state.location)

    def _find(self, state: State) -> int:
        for _ in range(ROUNDS):
            before = state.uri
            state.location = self._match(state)
            if status := self._rewrite(state, state.location):
                return status
            if state.uri == before or self._stays(state.location):
                return 0
        return 500

    @staticmethod
    def _stays(location: Location) -> bool:
        return any(directive.words[-1] == "break" for directive in location.rewriting if directive.name == "rewrite")

    def _match(self, state: State) -> Location:
        best = Location(pattern="")
        for location in self._locations:
            pattern = location.pattern.encode()
            if location.modifier == "=" and pattern == state.uri:
                return location
            if location.modifier in {"", "^~"} and state.uri.startswith(pattern) and len(pattern) > len(best.pattern):
                best = location
        for location in self._locations if best.modifier != "^~" else ():
            if location.modifier == "~" and (found := re.search(location.pattern.encode(), state.uri)):
                state.captures = found.groups(b"")
                return location
        return best

    def _rewrite(self, state: State, place: Location) -> int:
        return next(self._statuses(state, place.rewriting), 0)

    def _statuses(self, state: State, directives: Sequence[nginx.Directive]) -> Iterator[int]:
        for directive in directives:
            words = directive.words
            if directive.name == "return":
                yield int(words[0])
            elif directive.name == "set":
                state.variables[words[0][1:]] = self.fill(
                    state, words[1], quote=b"%" in state.target or b"+" in state.target
                )
            elif directive.name == "rewrite" and (found := re.search(words[0].encode(), state.uri)):
                state.captures = found.groups(b"")
                state.uri = self.fill(state, words[1])
            elif directive.name == "if" and self._holds(state, " ".join(words)[1:-1].strip().split(" ", 2)):
                yield from self._statuses(state, directive.body or ())

    def _holds(self, state: State, condition: Sequence[str]) -> bool:
        value = self.fill(state, condition[0])
        if condition[1:2] == ["~"]:
            return re.search(condition[2].encode(), value) is not None
        return value not in {b"", b"0"}

    def includes(self, state: State, kind: str) -> bool:
        """Return whether server-side includes are filled in for a media type."""
        return "ssi" in state.location.flags and kind in ("text/html", *self.words["ssi_types"])

    def fill(self, state: State, text: str, *, quote: bool = False) -> bytes:
        """Return a text with its variables filled in. Raises ConfigError for one that is not known."""

        def value(found: re.Match[str]) -> str:
            text = self.variable(state, found[1]).decode("latin-1")
            return _SPECIAL.sub(lambda char: f"%{ord(char[0]):02X}", text) if quote and found[1].isdigit() else text

        return re.sub(r"\$(\w+)", value, text).encode("latin-1")

    def variable(self, state: State, name: str) -> bytes:
        """Return the value of a variable. Raises ConfigError for one that is not known."""
        if name.isdigit():
            return state.captures[int(name) - 1] if int(name) <= len(state.captures) else b""
        if name.startswith("arg_"):
            found = re.search(rb"(?:^|&)" + name[4:].encode() + rb"=([^&]*)", state.arguments)
            return found[1] if found else b""
        known = {"uri": state.uri, "args": state.arguments} | state.variables
        if name not in known:
            raise ConfigError(f"the snippets do not set ${name}", hint="build/nginx/site.conf")
        return known[name]
