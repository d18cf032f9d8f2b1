"""Find the directives of nginx that publish folders of secrets.

``root`` and ``alias`` name folders. What ``try_files``, ``rewrite``, ``index`` and ``error_page`` name is looked for in
them, and nginx does not resolve ".." there, so such a path may leave the folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hardener.servercheck.deployments.nginx_values import Chosen, Expression, Values, Wild, captured, expression_of
from hardener.servercheck.model import Published

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.servercheck.deployments.nginx_values import Parts
    from hardener.servercheck.readers.nginx import Directive

# Folders and files with passwords, keys or accounts: of Debian's packages, and in upstream's images.
SECRET = (
    "/etc/prosody /etc/jitsi /etc/letsencrypt /etc/ssl/private /etc/shadow /etc/turnserver.conf /etc/saslauthd.conf"
    " /var/lib/prosody /root /proc /config /storage"
    " /run/web/config /run/prosody /run/jicofo /run/jvb /run/jigasi /run/jibri"
).split()
PUBLIC = "/etc/jitsi/meet/public"  # in it upstream's own example has files for everybody
CLIENT = frozenset({"/etc/jitsi/meet", "/config", "/run/web/config"})  # in them config.js is beside keys
# Endings of files for browsers, and those among them that hold no settings.
FOR_BROWSERS = "js|json|html|css|svg|png|jpg|ico|webp"
PICTURES = "css|svg|png|jpg|ico|webp"
PREFIXES = ("/usr/share/nginx/", "/etc/nginx/")  # where a path without a slash at its start begins
MOST = 100_000  # paths of one deployment that are compared with folders
TREE = Wild(Chosen.PATH)
Item = TypeVar("Item")


@dataclass(frozen=True)
class _Place:
    """Name the place of a directive: the words of its location, and what its numbered captures come from."""

    asked: tuple[str, ...] = ()
    expression: Expression | None = None

    @property
    def exact(self) -> bool:
        return self.asked[:1] == ("=",)

    @property
    def prefix(self) -> str:
        """Return the path that the requests of the location begin with; empty: an expression decides."""
        return self.asked[-1] if self.asked and not self.asked[0].startswith(("~", "@")) else ""

    def asks(self) -> Parts:
        """Return the paths that the location answers."""
        if self.prefix:
            return (self.prefix,) if self.exact else (self.prefix, TREE)
        expression = self.asked[-1].lstrip("~*") if self.asked else ""
        if expression.startswith("^/") and "|" not in re.sub(r"\([^()]*\)", "", expression):
            return "/", captured(expression[2:])
        return "/", Wild(Chosen.PATH, ending=expression)


@dataclass(frozen=True)
class _Base:
    """A root or an alias: what it can be, and the location that it is in."""

    texts: frozenset[Parts]
    place: _Place
    alias: bool = False

    def serves(self) -> Iterator[Parts]:
        """Yield the paths that are served by requests for them."""
        for text in self.texts:
            if not self.alias:
                yield (*text, *self.place.asks())
            elif self.place.prefix and not self.place.exact:
                # "/x../y" begins with "/x", and the rest is put behind the alias.
                yield (*text, Wild(Chosen.PATH, climbs=not self.place.prefix.endswith("/")))
            else:
                yield text

    def behind(self, link: Parts, *, own: bool) -> Iterator[Parts]:
        """Yield the paths that a link leads to here; ``own``: it is in the same location."""
        first = link[0] if link and isinstance(link[0], str) else ""
        prefix = self.place.prefix
        for text in self.texts:
            if own or not self.alias:
                yield (*text, "/", *link)
            if self.alias and not self.place.exact and prefix and first.startswith(prefix):
                yield (*text, first.removeprefix(prefix), *link[1:])


class Allowance:
    """Count the paths that are still looked at: a few lines of configuration can make millions of them."""

    def __init__(self, left: int = MOST) -> None:
        self.left = left

    def of(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield paths, or folders to look for them in, as long as the allowance lasts."""
        for item in items:
            if self.left == 0:
                return
            self.left -= 1
            yield item


def published(
    server: Directive, outer: list[Directive], answers: frozenset[str], allowance: Allowance
) -> Iterator[Published]:
    """Yield each directive that publishes a folder of secrets, a folder in one, or a folder that holds one.

    ``outer``: the directives around the server. ``answers``: the directives that let another server answer.
    """
    yield from _Server(server, outer, answers).judge(allowance)
    if allowance.left == 0:
        yield Published(f"{MOST} paths or more", server.where, known=False)


class _Server:
    def __init__(self, server: Directive, outer: list[Directive], answers: frozenset[str]) -> None:
        self.answers = answers
        self.values = Values(server, outer)
        self.bases: list[tuple[_Base, Directive]] = []
        self.links: list[tuple[set[Parts], str, Directive, _Base]] = []
        start = _Base(frozenset({("html",)}), _Place())
        for directive in outer:
            if directive.name == "root" and directive.words:
                start = self._base(directive, _Place())
        self._walk(server, _Place(), start)

    def _walk(self, block: Directive, place: _Place, base: _Base) -> None:
        body = block.body or []
        for directive in body:
            if directive.name in {"root", "alias"} and directive.words:
                base = self._base(directive, place)
        elsewhere = any(directive.name in self.answers for directive in body)
        for directive in body:
            expression = expression_of(directive) or place.expression
            for text in () if elsewhere else _links(directive):
                shown = f"{directive.name} {text}"
                self.links.append((self.values.of(text, expression), shown, directive, base))
            asked = directive.words if directive.name == "location" else place.asked
            self._walk(directive, _Place(asked, expression), base)

    def _base(self, directive: Directive, place: _Place) -> _Base:
        texts = self.values.of(directive.words[0], place.expression)
        base = _Base(frozenset(texts), place, alias=directive.name == "alias")
        self.bases.append((base, directive))
        return base

    def judge(self, allowance: Allowance) -> Iterator[Published]:
        right = {_Base(frozenset({("html",)}), _Place())}
        for base, directive in self.bases:
            if verdict := _judged(allowance.of(base.serves()), directive.words[0], directive):
                yield verdict
            else:
                right.add(base)
        for texts, shown, directive, base in self.links:
            own = base if base in right else None
            paths = (path for link in texts for path in _reached(link, own, allowance.of(right)))
            if verdict := _judged(allowance.of(paths), shown, directive):
                yield verdict


def _reached(link: Parts, own: _Base | None, others: Iterable[_Base]) -> Iterator[Parts]:
    """Yield the paths that a link leads to in its own folder, and in others if it may leave that.

    A folder that publishes secrets by itself has a finding already, and is not among them.
    """
    if own is not None:
        yield from own.behind(link, own=True)
    if _leaves(link):
        for other in others:
            yield from other.behind(link, own=False)


def _leaves(link: Parts) -> bool:
    return any(
        ".." in part.split("/") if isinstance(part, str) else part.climbs or part.chosen is Chosen.FREE for part in link
    )


def _links(directive: Directive) -> Iterator[str]:
    """Yield the paths inside the server that a directive names."""
    words = directive.words
    links: tuple[str, ...] = ()
    if directive.name in {"try_files", "index"}:
        links = words
    elif directive.name == "error_page":
        links = words[-1:]
    elif directive.name == "rewrite" and not {"redirect", "permanent"} & set(words[2:]):
        links = words[1:2]
    for link in links:
        path = link if directive.name == "index" else re.split(r"\?|\$is_args|\$args", link, maxsplit=1)[0]
        asked = re.fullmatch(r"\$(?:document_)?uri([^$]*)", path)  # what is asked for is judged with root and alias
        elsewhere = path.startswith(("=", "@", "http://", "https://", "$scheme"))
        if path and not elsewhere and not (asked and ".." not in path):
            yield path


def _judged(paths: Iterable[Parts], shown: str, directive: Directive) -> Published | None:
    verdicts = {_secret(path) for path in paths}
    if True in verdicts:
        return Published(shown, directive.where)
    return Published(shown, directive.where, known=False) if None in verdicts else None


def _secret(path: Parts) -> bool | None:
    """Return whether a path leads to secrets; None: that cannot be determined."""
    chosen = {part.chosen for part in path if isinstance(part, Wild)}
    if Chosen.FREE in chosen:
        return True
    if Chosen.UNKNOWN in chosen:
        return None
    text, wild, ending = _start(path)
    if not text and wild is not None and wild.chosen is not Chosen.NAME:
        text = "/"
    prefixes = ("",) if text.startswith("/") else PREFIXES
    return any(_holds(prefix + text, wild, ending) for prefix in prefixes)


def _start(path: Parts) -> tuple[str, Wild | None, str]:
    """Return the fixed text at the start of a path, what a request chooses after it, and the fixed text at the end."""
    text, wild, ending = "", None, ""
    for part in path:
        if isinstance(part, str):
            text, ending = (text + part, "") if wild is None else (text, ending + part)
            continue
        deep = part.chosen is not Chosen.NAME or (wild is not None and (wild.chosen is Chosen.PATH or "/" in ending))
        if part.climbs and (text if wild is None else ending).endswith("/"):
            text, deep = f"{text}/../", True
        wild, ending = Wild(Chosen.PATH if deep else Chosen.NAME, ending=part.ending), ""
    if wild is not None and "/" in ending:
        text += "/../" * ending.split("/").count("..")
        wild = Wild(Chosen.PATH, ending=wild.ending)
    return text, wild, ending


def normal(path: str) -> str:
    """Return a path without segments that mean nothing; normpath keeps two slashes at the start, which mean one."""
    return re.sub(r"\A//", "/", os.path.normpath(path))


def _holds(text: str, wild: Wild | None, ending: str) -> bool:
    """Return whether a path leads into a folder of secrets, or to one that holds such a folder."""
    path = normal(text)
    begins = path.rstrip("/") + "/" if text.endswith("/") else path
    deep = wild is not None and wild.chosen is Chosen.PATH
    if not any(f"{path}/".startswith(f"{secret}/") for secret in SECRET):
        return deep and any(f"{secret}/".startswith(begins) for secret in SECRET)
    if f"{path}/".startswith(f"{PUBLIC}/"):
        return False
    if wild is None or (begins == path and not ending and _ends(path, FOR_BROWSERS)):
        return not _ends(path, FOR_BROWSERS)
    if deep:
        return not _ends(ending or wild.ending, PICTURES)
    folder = path if begins != path else os.fspath(Path(path).parent)
    return folder not in CLIENT or not _ends(ending or wild.ending, FOR_BROWSERS)


def _ends(text: str, endings: str) -> bool:
    r"""Return whether a path, or all that a regular expression matches, ends in one of the endings.

    >>> _ends("/a/b.js", "js|css"), _ends(r"^/(.+\.js|css)$", "js|css"), _ends(r"(a|b)\.js$", "js|css")
    (True, True, True)
    >>> _ends("/a/b.js.bak", "js|css"), _ends(r"^/(b|a\.js)$", "js|css"), _ends(r"\.js", "js|css")
    (False, False, True)
    """
    inner, bare = "", text
    while inner != bare:  # groups that something follows
        inner, bare = bare, re.sub(r"\([^()]*\)(?![)$]*\Z)", "", bare)
    return all(
        re.fullmatch(rf"(?:.*\.\]?(?:\((?:\?:)?)?)?(?:{endings})[)$]*", alternative, re.DOTALL)
        for alternative in bare.split("|")
    )
