"""Find upstream's files that import what ``remove.list`` or an alias takes away.

A patch or an overlay notices when upstream changes its file. A removal does not notice a new file of upstream that
needs the removed one, and an alias no new file that expects more of the module than ours gives.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.git.repository import inside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hardener.git.repository import Repository
    from hardener.series.lists import Removal
    from hardener.series.overlay import Alias

# In the order in which the bundlers of the site and of the apps look for a module (resolve.extensions of webpack).
_PLAIN = (".tsx", ".ts", ".jsx", ".js", ".json")
_WEB = (*(f".web{ending}" for ending in _PLAIN), *_PLAIN)
_NATIVE = tuple(f".{platform}{ending}" for platform in ("ios", "android", "native") for ending in _PLAIN) + _PLAIN
_CODE = ("*.ts", "*.tsx", "*.js", "*.jsx", "*.mjs", "*.cjs")
_STYLES = ("*.css", "*.scss", "*.html")
_STYLE = r"url\(|src=|href=|@import|@use|@forward"
_REFERENCE = re.compile(
    r"""(?:url\(\s*['"]?|\b(?:src|href)\s*=\s*['"]?|@(?:import|use|forward)\s+['"])([^'"\s)>?#]+)"""
)


@dataclass(frozen=True)
class Use:
    """A file that needs ``target``: a removed path, or the module of an alias.

    ``said`` is what the file quotes. ``kind`` is ``import`` of a removed file, ``alias``, or ``name``: the file has the
    path of a removed page or picture in a text, from which it makes an address.
    """

    path: str
    said: str
    target: str
    kind: str = "import"

    def __str__(self) -> str:
        """Return what is wrong, in words."""
        if self.kind == "alias":
            return f"imports {self.said}: an alias leads {self.target} to our file"
        return f"{'names' if self.kind == 'name' else 'imports'} {self.said}: {self.target} is removed"

    @property
    def remedy(self) -> str:
        """Return what a person can do."""
        ours = "check that our file has what it expects" if self.kind == "alias" else f"keep {self.target}"
        return f"remove {self.path} as well (remove.list), patch its import, or {ours}"


def uses(
    repository: Repository, commit: str, removed: Collection[str], aliases: Sequence[Alias], exclude: Sequence[str] = ()
) -> tuple[Use, ...]:
    """Return the files of a commit that import a removed path or a module of an alias, by path.

    ``removed`` need not be in the commit any more. What ``exclude`` keeps out is not read.
    """
    if not removed and not aliases:
        return ()
    present = {path for path in repository.entries(commit) if not inside(path, exclude)}
    modules = {alias.module.removesuffix("$") for alias in aliases}
    found = {
        Use(path, said, target, "alias" if target in modules else "import")
        for path, said in _specifiers(repository, commit, aliases, exclude)
        if path not in removed and (target := _target(path, said, present, removed, aliases))
    }
    imported = {(use.path, use.target) for use in found}
    found |= {
        Use(path, target, target, "name")
        for path, target in _named(repository, commit, removed, exclude)
        if path not in removed and (path, target) not in imported
    }
    return tuple(sorted(found, key=lambda use: (use.path, use.target, use.said)))


def taken(paths: Collection[str], removals: Sequence[Removal], tree: str) -> frozenset[str]:
    """Return the paths of a tree that ``remove.list`` takes there."""
    applying = [removal.path for removal in removals if not removal.only or tree in removal.only]
    folders = tuple(path for path in applying if path.endswith("/"))
    return frozenset(path for path in paths if path in applying or (folders and path.startswith(folders)))


def new_uses(now: Sequence[Use], before: Sequence[Use]) -> tuple[Use, ...]:
    """Return the uses that an older tree does not have."""
    known = {(use.path, use.target) for use in before}
    return tuple(use for use in now if (use.path, use.target) not in known)


def _specifiers(
    repository: Repository, commit: str, aliases: Sequence[Alias], exclude: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield every relative path and every module of an alias that code quotes, and what style sheets and pages name."""
    # All quoted ones: an import may be spread over several lines, and a chunk's name may be before the path.
    begins = "|".join([r"\.{1,2}/", *(re.escape(alias.module.removesuffix("$")) for alias in aliases)])
    quoted = re.compile(rf"""(['"`])((?:{begins})[^'"`\n]*)\1""")
    without = [f":(exclude,top){path}" for path in exclude]
    for pattern, wanted, files in ((f"['\"`]({begins})", quoted, _CODE), (_STYLE, _REFERENCE, _STYLES)):
        words = ("grep", "-I", "--extended-regexp", "--full-name", "-z", "-e", pattern, commit, "--", *files, *without)
        # Status 1: nothing matches.
        for line in repository.git(*words).stdout.decode("utf-8", "replace").split("\n"):
            path, _, text = line.removeprefix(f"{commit}:").partition("\0")
            for match in wanted.finditer(text):
                yield path, match[match.lastindex or 0]


def _named(
    repository: Repository, commit: str, removed: Collection[str], exclude: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield code that has the path of a removed page, picture or sound in a quoted text, with that path."""
    wanted = [path for path in sorted(removed) if not path.endswith((*_PLAIN, ".scss"))]
    if not wanted:
        return
    quoted = re.compile(rf"""['"`](?:[^'"`\n]*[^\w'"`\n-])?({"|".join(map(re.escape, wanted))})(?![\w-])""")
    places = [word for path in wanted for word in ("-e", path)]
    without = [f":(exclude,top){path}" for path in exclude]
    words = ("grep", "-I", "--fixed-strings", "--full-name", "-z", *places, commit, "--", *_CODE, *without)
    for line in repository.git(*words).stdout.decode("utf-8", "replace").split("\n"):
        path, _, text = line.removeprefix(f"{commit}:").partition("\0")
        for match in quoted.finditer(text):
            yield path, match[1]


def _target(path: str, said: str, present: Collection[str], removed: Collection[str], aliases: Sequence[Alias]) -> str:
    """Return the removed path or the module of an alias that a specifier leads to; empty for all others."""
    for alias in aliases:
        module = alias.module.removesuffix("$")
        if said == module or (said.startswith(module + "/") and not alias.module.endswith("$")):
            return module
    if path.endswith((".css", ".scss", ".html")):
        starts = [posixpath.dirname(path), ""]
    elif said.startswith("."):
        starts = [posixpath.dirname(path)]
    else:
        return ""
    for start in starts:
        place = posixpath.normpath(posixpath.join(start, said.lstrip("/")))
        for candidate in _candidates(place, path):
            if candidate in removed:
                return candidate
            if candidate in present:
                return ""
    return ""


def _candidates(place: str, importer: str) -> Iterator[str]:
    """Yield the files that a module's path can mean, in the order in which they are looked for."""
    native = re.search(r"\.(?:native|android|ios)\.[jt]sx?$", importer)
    yield place
    stem, ending = posixpath.splitext(place)
    if ending in (".js", ".jsx"):  # TypeScript's own spelling of a .ts file
        yield from (stem + other for other in (".ts", ".tsx"))
    for where in (place, f"{place}/index"):
        yield from (where + ending for ending in (_NATIVE if native else _WEB))
