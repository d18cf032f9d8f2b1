"""Which places of a server let a request write files (WebDAV) without a login.

Each block takes what it does not set itself from the block around it. Rules by address are one list, which a block sets
as a whole (https://nginx.org/en/docs/http/ngx_http_access_module.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.servercheck.deployments.nginx_folders import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.servercheck.model import Where
    from hardener.servercheck.readers.nginx import Directive

CLIENT = "/usr/share/jitsi-meet"
LOGINS = frozenset({"auth_basic", "auth_request", "auth_jwt"})
EVERYONE = frozenset({("allow", "all"), ("allow", "0.0.0.0/0"), ("allow", "::/0"), ("deny", "all")})
VARIABLE = re.compile(r"\$\{?\w+\}?")  # its value may be "off"
RULES = frozenset({"allow", "deny"})
# What a block can have from around it.
INHERITED = LOGINS | RULES | {"dav_methods", "satisfy", "root"}


@dataclass(frozen=True)
class _State:
    """Settings that are in force in a block. ``rules``: allow and deny, in order."""

    methods: frozenset[str] = frozenset()
    where: Where | None = None
    logins: frozenset[str] = frozenset()
    rules: tuple[tuple[str, str], ...] = ()
    any: bool = False
    internal: bool = False
    root: str = ""

    def inner(self, directives: Iterable[Directive]) -> _State:
        """Return what is in force in a block inside, which has these directives of its own."""
        own = list(directives)
        state = self
        for directive in own:
            name, words = directive.name, directive.words
            if name == "dav_methods":
                state = replace(state, methods=frozenset(words) - {"off"}, where=directive.where)
            elif name in LOGINS:
                on = words[:1] != ("off",) and not VARIABLE.fullmatch(words[0] if words else "")
                state = replace(state, logins=state.logins | {name} if on else state.logins - {name})
            elif name == "satisfy":
                state = replace(state, any=words == ("any",))
            elif name == "internal":
                state = replace(state, internal=True)
            elif name in {"root", "alias"} and words:
                state = replace(state, root=words[0])
        rules = tuple((directive.name, " ".join(directive.words)) for directive in own if directive.name in RULES)
        return replace(state, rules=rules) if rules else state

    @property
    def protected(self) -> bool:
        """Return whether a stranger is refused."""
        closed = next((rule[0] for rule in self.rules if rule in EVERYONE), "allow") == "deny"
        if self.internal:
            return True
        if self.any and self.rules and not closed:
            return False
        return bool(self.logins) or closed

    @property
    def touches_client(self) -> bool:
        """Return whether the files are those of the client, or may be."""
        folder = normal(self.root) if self.root else ""
        above, below = f"{CLIENT}/".startswith(f"{folder.rstrip('/')}/"), f"{folder}/".startswith(f"{CLIENT}/")
        return bool(folder) and ("$" in folder or above or below)


def writable(
    server: Directive, outer: Iterable[Directive], answered: frozenset[str], *, serves: bool
) -> Iterator[Where]:
    """Yield where methods are set with which a stranger can write.

    ``outer``: directives around the server; ``answered``: names of those by which something else answers. A server that
    does not have the client (``serves``) counts where it writes into the client's folder.
    """
    found: dict[Where, None] = {}
    around = _State().inner(outer)
    stack = [(server, around)]
    while stack:
        block, above = stack.pop()
        body = block.body or []
        state = above.inner(directive for directive in body if directive.body is None)
        locations = [directive for directive in body if directive.name == "location" and directive.body is not None]
        stack += [(location, state) for location in locations]
        whole = any(location.words[-1:] == ("/",) and location.words[:1] != ("=",) for location in locations)
        if not whole and not any(directive.name in answered for directive in body) and state.where is not None:
            limits = [directive for directive in body if directive.name == "limit_except"]
            if any(not _limited(state, method, limits).protected for method in state.methods) and (
                serves or state.touches_client
            ):
                found[state.where] = None
    yield from found


def _limited(state: _State, method: str, limits: list[Directive]) -> _State:
    """Return what is in force for a method: ``limit_except`` limits all but those that it names."""
    for limit in limits:
        if method not in limit.words:
            state = state.inner(limit.body or [])
    return state
