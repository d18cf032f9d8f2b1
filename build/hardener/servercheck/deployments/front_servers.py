"""Front servers other than nginx: what they pass on to the servers behind, line by line.

Apache, Caddy, HAProxy, Traefik, lighttpd and Envoy have a language each. Only one question is asked of them: does this
line publish an internal port, and on which path? So only targets are read, not the languages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.servercheck.model import Proxy, Site, Where

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hardener.servercheck.deployments.files import Folder
    from hardener.servercheck.model import Deployment


@dataclass(frozen=True)
class Format:
    """A front server: its files, and the word that a line with a path in it starts with."""

    name: str
    files: str  # patterns
    path: re.Pattern[str] | None = None


FORMATS = (
    Format(
        "Apache",
        "apache2/*.conf apache2/sites-enabled/* apache2/conf-enabled/*.conf apache2/conf.d/*.conf httpd/conf/*.conf"
        " httpd/conf.d/*.conf httpd.conf",
        re.compile(r"(?i)^\s*(?:ProxyPass|ProxyPassMatch|RewriteRule)\s+\"?(\^?/[^\s\"]*)"),
    ),
    Format(
        "Caddy",
        "Caddyfile caddy/*.caddy caddy/*.conf Caddyfile.* caddy.json",
        re.compile(r"^\s*(?:reverse_proxy|proxy|handle|handle_path|route)\s+(/\S*)"),
    ),
    Format("HAProxy", "haproxy.cfg haproxy/*.cfg"),
    Format("Traefik", "traefik.* traefik/*.* traefik/*/*.*"),
    Format("lighttpd", "lighttpd.conf lighttpd/*.conf lighttpd/conf-enabled/*.conf"),
    Format("Envoy", "envoy.yaml envoy.yml envoy/*.yaml"),
)
APACHE = re.compile(r"(?im)^[ \t]*(?:<(?:VirtualHost|Location|Proxy|IfModule)\b|(?:ProxyPass|DocumentRoot)\b)")
# An address with a port; a port on a line of its own (Envoy, Traefik's labels).
TARGET = re.compile(r"(?<![\w.-])(?!\d+:)(?:\[[0-9a-fA-F:]{2,40}\]|[\w.-]{1,253}):(\d{2,5})(?!\d)(/[^\s\"',;|)\]}]*)?")
LONE = re.compile(r"(?i)\b(?:port_value|port)\"?\s*[:=]\s*\"?(\d{2,5})\b")
LISTENS = re.compile(
    r"(?i)^\s*(?:bind|listen|<VirtualHost|address|entrypoints?|frontend|server_name|\"?listen\"?:)\b|^\s*:\d+|^\S+\s*\{\s*$"
)
MOST = 100  # paths of a backend
COMMENT = re.compile(r"^\s*(?:#|//|;).*$|\s#\s.*$")


def read(folder: Folder, result: Deployment) -> None:
    """Add what each front server in the folder passes on to ``result.sites``; one note for each format."""
    for kind in FORMATS:
        files = folder.find(*kind.files.split())
        proxies: list[Proxy] = []
        for path in files:
            text = folder.read(path)
            if text is not None:
                proxies += _proxies(kind, text.decode("utf-8", "replace"), folder.name(path))
        if files and (proxies or not any(site.serves for site in result.sites)):
            place = Where(folder.name(files[0]))
            result.sites.append(Site(place, serves=False, front=kind.name, proxies=proxies))
            reason = f"{kind.name}'s configuration is read for the ports that it passes on, not for headers and logs"
            result.doubt(place, reason)


def is_apache(path: Path, text: str) -> bool:
    """Return whether a file in a folder that nginx and Apache both have is Apache's."""
    return any(part in {"apache2", "httpd", "apache"} for part in path.parts) or APACHE.search(text) is not None


def _proxies(kind: Format, text: str, name: str) -> Iterator[Proxy]:
    lines = [COMMENT.sub("", line) for line in text.splitlines()]
    haproxy = _backends(lines) if kind.name == "HAProxy" else {}
    section = path = ""
    for number, line in enumerate(lines, 1):
        if kind.name == "HAProxy" and (match := re.match(r"(backend|frontend|listen|defaults|global)\b\s*(\S*)", line)):
            section = match[2]
        elif kind.path is not None and (match := kind.path.match(line)):
            path = match[1]
        elif kind.name == "Caddy" and line.strip() == "}":
            path = ""
        if LISTENS.search(line):
            continue
        for port, rest in (*((match[1], match[2]) for match in TARGET.finditer(line)),
                           *((match[1], None) for match in LONE.finditer(line))):  # fmt: skip
            where = Where(name, number)
            paths = haproxy.get(section) or ([path] if path else [])
            for shown in paths or [""]:
                reaches = _reaches(kind, shown, rest)
                yield Proxy(shown or "everything", line.strip()[:60], where, reaches, frozenset({port}))
        if kind.name == "Apache":
            path = ""


def _reaches(kind: Format, path: str, rest: str | None) -> str | None:
    """Return how paths begin on the server behind; None: it is not known."""
    if not path:
        return None
    if kind.name == "Apache":
        return rest.split("$")[0] if rest else None
    literal = re.split(r"[*?({]", path, maxsplit=1)[0]
    return literal or None


def _backends(lines: list[str]) -> dict[str, list[str]]:
    """Return the paths that lead to each backend of HAProxy; one that is used without a path is missing, and one that
    is used with very many.
    """
    named: dict[str, list[str]] = {}
    used: dict[str, list[str]] = {}
    always: set[str] = set()
    match_path = re.compile(r"\bpath(?:_beg)?\s+(?:-i\s+)?((?:/\S+\s*)+)")
    for line in lines:
        if match := re.match(r"\s*acl\s+(\S+)\s+(.*)", line):
            found = match_path.search(match[2])
            named.setdefault(match[1], []).extend(found[1].split() if found else [""])
        elif match := re.match(r"\s*use_backend\s+(\S+)\s+if\s+(.*)", line):
            found = match_path.search(match[2])
            words = [word for word in match[2].split() if word in named]
            paths = found[1].split() if found else [path for word in words[:1] for path in named[word]]
            if len(used.setdefault(match[1], [])) <= MOST:
                used[match[1]] += paths if paths and "or" not in match[2].split() else [""]
        elif match := re.match(r"\s*(?:default_backend|use_backend)\s+(\S+)", line):
            always.add(match[1])
    return {name: paths for name, paths in used.items() if name not in always and all(paths) and len(paths) <= MOST}
