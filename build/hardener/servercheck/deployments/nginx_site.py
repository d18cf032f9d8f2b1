"""Read from nginx' directives how the client is served, and which requests are passed on to other servers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.deployments.nginx_folders import Allowance, published
from hardener.servercheck.deployments.nginx_values import Chosen, Values, expression_of
from hardener.servercheck.deployments.nginx_writing import INHERITED, writable
from hardener.servercheck.model import Proxy, Setting, Site, Table
from hardener.servercheck.readers.nginx import Directive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.servercheck.deployments.nginx_values import Expression
    from hardener.servercheck.model import Where

# What the client needs is served where one of these is.
SERVES = ("/usr/share/jitsi-meet", "xmpp-websocket", "http-bind")
PASSES = frozenset({"proxy_pass", "grpc_pass"})
# Something else answers in this location; what, is not read here.
ANSWERS = frozenset(
    "fastcgi_pass uwsgi_pass scgi_pass memcached_pass js_content perl content_by_lua content_by_lua_file"
    " content_by_lua_block".split()
)
MOST = 200  # servers that are judged
# What a server has from around it.
OUTER = (
    frozenset(
        "add_header access_log ssi ssi_types upstream gzip gzip_types gzip_static brotli brotli_types brotli_static"
        " root autoindex fancyindex map geo split_clients".split()
    )
    | INHERITED
)
LISTINGS = frozenset({"autoindex", "fancyindex"})
TARGET = re.compile(r"(?:https?|grpcs?)://(unix:[^:]*:?|[^/]*)(/.*)?")
# Without a host, or without the port after its colon.
NOWHERE = re.compile(r"\w+://(?:(?!unix:)[^/]*:)?(?:/.*)?|(?!unix:)[^/]*:")
RAW = "$request_uri"


def sites(directives: list[Directive]) -> list[Site]:
    """Return all servers: those that have the client, and the others for what they pass on.

    A fragment that is meant to be included into a server counts as one.
    """
    streams = [directive for directive in directives if directive.name == "stream"]
    web = [directive for directive in directives if directive.name != "stream"]
    servers = [directive for directive in _all(web) if directive.name == "server" and directive.body is not None]
    if (
        not servers
        and web
        and not any(directive.body is not None and directive.name in {"http", "upstream"} for directive in web)
    ):
        fragment = Directive("server", (), web[0].where, web)
        servers = [fragment] if _serves(fragment) else []
    outer = [directive for top in web for directive in (top, *((top.body or []) if top.name == "http" else []))]
    outer = [directive for directive in outer if directive.name in OUTER]
    allowance = Allowance()
    found = [_facts(server, outer, allowance) for server in servers[:MOST]]
    streamed = [proxy for stream in streams for proxy in _streamed(stream)]
    if streamed:
        found.append(Site(streams[0].where, serves=False, streams=streamed))
    return found


def too_many(directives: list[Directive]) -> bool:
    """Return whether there are more servers than are judged."""
    servers = (directive for directive in _all(directives) if directive.name == "server" and directive.body is not None)
    return sum(1 for _ in servers) > MOST


def add_inside(site: Site, directives: list[Directive]) -> None:
    """Add what a file passes on and publishes that the server's own configuration includes; the rest of that is not
    known.
    """
    if directives:
        whole = Directive("server", (), directives[0].where, directives)
        outer = list(_all(directives))
        site.proxies += _proxies(whole, outer)
        site.published += published(whole, [], PASSES | ANSWERS, Allowance())
        site.listed += _listed(outer)
        site.writable += writable(whole, [], PASSES | ANSWERS, serves=True)


def _all(directives: Iterable[Directive]) -> Iterator[Directive]:
    for top in directives:
        yield top
        yield from top.inside()


def _plain(server: Directive) -> bool:
    """Return a server that listens without TLS on something that others reach."""
    listens = [directive.words for directive in server.body or [] if directive.name == "listen"]
    return any("ssl" not in words and "quic" not in words and not _local(words[0]) for words in listens if words)


def _sends_away(server: Directive) -> bool:
    """Return a server that sends people to https."""
    rest = [
        directive for directive in server.body or [] if directive.name == "location" and directive.words == ("/",)
    ] + [server]
    return any(
        directive.name == "return" and any(word.startswith("https://") for word in directive.words)
        for place in rest
        for directive in place.body or []
    )


def _local(address: str) -> bool:
    return address.startswith(("127.", "[::1]", "localhost", "unix:"))


def _serves(server: Directive) -> bool:
    return any(
        directive.name in {"root", "alias", "location", "proxy_pass"}
        and any(mark in " ".join(directive.words) for mark in SERVES)
        for directive in server.inside()
    )


def _facts(server: Directive, outer: list[Directive], allowance: Allowance) -> Site:
    body = server.body or []
    result = Site(server.where, serves=_serves(server))
    result.proxies = [proxy for proxy in _proxies(server, outer) if result.serves or "_pass " not in proxy.target]
    result.published = list(published(server, outer, PASSES | ANSWERS, allowance))
    result.listed = list(_listed([*server.inside(), *outer]))
    result.writable = list(writable(server, outer, PASSES | ANSWERS, serves=result.serves))
    plain, away = _plain(server), _sends_away(server)
    result.redirects = plain and away
    if result.serves and plain and (not away or result.proxies):
        result.cleartext = server.where
    own = _headers(body) or _headers(outer)
    result.headers = own
    for directive in server.inside():
        if directive.name == "location" and directive.body is not None:
            here = _headers(directive.body)
            lacks = "content-security-policy" in own and "content-security-policy" not in here
            if here and lacks and not _repeats(directive):
                result.dropped.append(directive.where)
        if (
            directive.name == "add_header"
            and len(directive.words) > 1
            and directive.words[0].lower() == "access-control-allow-origin"
        ):
            result.foreign.append(Setting(directive.words[1], directive.where))
        if (
            directive.name == "proxy_hide_header"
            and directive.words
            and directive.words[0].lower() == "access-control-allow-origin"
        ):
            result.hides_cors = True
    scopes = [directive for directive in (*body, *outer) if directive.body is None]
    result.logs = [Setting(" ".join(scope.words), scope.where) for scope in scopes if scope.name == "access_log"][:1]
    on = [scope for scope in scopes if scope.name == "ssi"]
    types = [scope for scope in scopes if scope.name == "ssi_types"]
    if on and on[0].words[:1] == ("on",):
        words = types[0].words if types else ()
        place = types[0].where if types else on[0].where
        result.ssi = Setting(Table(tuple(Setting(word, place) for word in words)), place)
    result.compresses = any(_compresses(kind, scopes) for kind in ("gzip", "brotli")) or any(
        directive.name in {"gzip_static", "brotli_static"} and directive.words != ("off",)
        for directive in (*server.inside(), *scopes)
    )
    return result


def _compresses(kind: str, scopes: list[Directive]) -> bool:
    """Return whether scripts are compressed on the way; nginx compresses text/html unless it is set to other
    types.
    """
    on = next((scope.words for scope in scopes if scope.name == kind), ())
    types = next((scope.words for scope in scopes if scope.name == f"{kind}_types"), ())
    return on == ("on",) and bool({"*", "application/javascript", "text/javascript"} & set(types))


def _repeats(location: Directive) -> bool:
    """Return whether a location only adds an error status to an answer that has its headers already.

    It is not requested by a path, has no content, and its own headers are empty, so that none is sent twice.
    """
    named = bool(location.words) and location.words[0].startswith("@")
    status = [directive.words for directive in location.body or [] if directive.name == "return"]
    errors = [words for words in status if len(words) == 1 and re.fullmatch(r"[45]\d\d", words[0])]
    empty = all(header.value in {"", '""', "''"} for header in _headers(location.body or []).values())
    return named and bool(errors) and status == errors and empty


def _headers(body: list[Directive]) -> dict[str, Setting]:
    return {
        directive.words[0].lower(): Setting(" ".join(directive.words[1:]), directive.where)
        for directive in body
        if directive.name == "add_header" and directive.words
    }


def _proxies(server: Directive, outer: list[Directive]) -> Iterator[Proxy]:
    """Yield what the server passes on, from all depths: a location may hold if and limit_except, and further
    locations.
    """
    values = Values(server, outer)
    behind = _upstreams(outer)
    for location in server.inside():
        if location.name != "location":
            continue
        own = list(_own(location))
        rewritten = any(directive.name == "rewrite" for directive in own)
        path = " ".join(location.words)
        for directive in own:
            if directive.name in ANSWERS:
                proxy = Proxy(path, f"{directive.name} {' '.join(directive.words)}".strip(), directive.where)
                yield from () if proxy.challenge else (proxy,)
            elif directive.name in PASSES and directive.words:
                for target in _targets(values, directive.words[0], expression_of(location)):
                    ports, uri = _split(target, behind)
                    reaches = None if rewritten or RAW in target or ".." in target else _reaches(location, uri)
                    shown = directive.words[0] if "$" in target else target
                    yield Proxy(path, shown, directive.where, reaches, ports)


def _upstreams(outer: Iterable[Directive]) -> dict[str, list[str]]:
    """Return the servers of each upstream block by its name in lower case: nginx compares names without case."""
    return {
        block.words[0].lower(): [inner.words[0] for inner in block.body if inner.name == "server" and inner.words]
        for block in outer
        if block.name == "upstream" and block.words and block.body is not None
    }


def _targets(values: Values, text: str, expression: Expression | None = None) -> list[str]:
    """Return each target that a text can become, without its query. ``$name`` is in the place of a name that is not
    known, ``$text`` in that of anything else. nginx refuses empty targets.
    """
    marks = {Chosen.NAME: "$name", Chosen.RAW: RAW}
    made = set()
    for parts in values.of(re.split(r"\?|\$is_args|\$args", text, maxsplit=1)[0], expression):
        target = "".join(part if isinstance(part, str) else marks.get(part.chosen, "$text") for part in parts)
        made.add(target.split("?")[0])
    return sorted(target for target in made if target and not NOWHERE.fullmatch(target))


def _listed(directives: list[Directive]) -> Iterator[Where]:
    return (directive.where for directive in directives if directive.name in LISTINGS and directive.words == ("on",))


def _own(location: Directive) -> Iterator[Directive]:
    for directive in location.body or ():
        if directive.name != "location":
            yield directive
            yield from _own(directive)


def _split(target: str, behind: dict[str, list[str]]) -> tuple[frozenset[str], str | None]:
    """Return the ports that a target names (through an upstream block, too), and its path; no ports: they are
    not known.
    """
    match = TARGET.fullmatch(target)
    if match is None:
        return frozenset(), None
    host, uri = match[1], match[2]
    if host.startswith("unix:") or "$" in host.rpartition(":")[2] or re.search(r"\$(?!name)", host):
        return frozenset(), uri
    hosts = behind.get(host.lower(), [host])
    return frozenset(found[1] if (found := re.search(r":(\d+)$", address)) else "80" for address in hosts), uri


def _reaches(location: Directive, uri: str | None) -> str | None:
    """Return how each path begins that comes out behind; None: it is not known."""
    if uri is not None:
        return uri.split("$")[0]
    kind, path = location.words if len(location.words) == 2 else ("", " ".join(location.words))  # noqa: PLR2004
    if not kind.startswith("~") and not path.startswith("@"):
        return path
    if not path.startswith("^") or _alternatives(path):
        return None
    literal = re.match(r"(?:[\w/-]|\\[./-])*(?![?*{])", path[1:])
    return literal[0].replace("\\", "") if literal else None


def _alternatives(pattern: str) -> bool:
    """Return whether an expression has a | outside of brackets."""
    bare = re.sub(r"\\.|\[[^\]]*\]?", "", pattern)
    depth = 0
    for sign in bare:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth <= 0:
            return True
    return False


def _streamed(stream: Directive) -> Iterator[tuple[str, Where]]:
    """Yield the ports that TCP connections are passed on to; an empty one is not known."""
    outer = stream.body or []
    behind = _upstreams(outer)
    for server in outer:
        values = Values(server, outer)
        for directive in server.inside() if server.body is not None else ():
            targets: list[str] = []
            if directive.name == "proxy_pass" and directive.words:
                found = _targets(values, directive.words[0])
                targets = [target for target in found if target.lower() not in behind]
            elif server.name == "upstream" and directive.name == "server" and directive.words:
                targets = [directive.words[0]]
            for target in targets:
                port = None if target.startswith("unix:") else re.search(r":(\d+)$", target)
                yield port[1] if port else "", directive.where
