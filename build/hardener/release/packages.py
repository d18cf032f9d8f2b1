"""The npm packages whose code or files are in a built site, not those that were installed to build it.

Two sources: the modules that the bundler put into each bundle, and files of the site that are copies of a package's
(WebAssembly, fonts, texts). Code that a package's own author copied into its files cannot be seen here.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import StackError
from hardener.git.repository import Repository
from hardener.system import stamps

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from hardener.pipeline.results import Built

_FOLDER = "node_modules/"
# The folder of a package in a module's path: the last node_modules/, and one or two names.
_PACKAGE = re.compile(r"(?P<folder>(?:.*/)?node_modules/(?:@[^/]+/)?[^/]+)/")
_TEXTS = re.compile(r"(?:licen[cs]e|copying|notice|unlicense)(?:[-._].*)?", re.IGNORECASE)
_NO_TEXT = frozenset({".js", ".cjs", ".mjs", ".ts", ".json"})


@dataclass(frozen=True)
class Package:
    """A package in the site.

    ``integrity`` and ``resolved`` are those of upstream's lock (Subresource Integrity, and the archive's address);
    ``licence`` is what its package.json declares, ``home`` the https address of its repository, or else of its page;
    ``texts`` are its licence files (name -> content). ``bundles`` names the bundles with code of it, ``files`` the
    files of the site that are copies of its files.
    """

    name: str
    version: str
    integrity: str
    resolved: str
    licence: str
    author: str
    home: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    bundles: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    patched: bool = False


@dataclass
class _Use:
    """The uses of a folder of node_modules."""

    bundles: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


def packages(built: Iterable[Built], site: Path) -> tuple[Package, ...]:
    """Return all packages in ``site``, by name and version; our own components are not among them.

    Raises StackError where a package of a bundle is not in the work area: it was changed after the build.
    """
    merged: dict[tuple[str, str], Package] = {}
    components = tuple(built)
    ours = {component.component.package for component in components} - {""}
    for component in components:
        tree = component.work.path
        uses = _in_bundles(component)
        if component is components[-1]:
            sources = Repository(component.fetched.mirror).entries(component.source.last.laid.tree)
            for file, folder in _copies(site, tree, sources):
                uses[folder].files.add(file)
        lock = _lock(tree)
        for folder, use in uses.items():
            if folder.rpartition(_FOLDER)[2] in ours:
                continue
            package = _package(tree, folder, use, lock, component.installed.patched)
            known = merged.get((package.name, package.version))
            merged[package.name, package.version] = _union(known, package) if known else package
    return tuple(merged[key] for key in sorted(merged))


def bundled(built: Iterable[Built]) -> frozenset[str]:
    """Return ``name@version`` of each package with a module in a bundle, as the bundler lists them.

    A bill of materials has to have them all: see :mod:`hardener.release.gates`.
    """
    components = tuple(built)
    ours = {component.component.package for component in components}
    found = set()
    for component in components:
        for folder in _in_bundles(component):
            described = json.loads((component.work.path / folder / "package.json").read_bytes())
            if folder.rpartition(_FOLDER)[2] not in ours:
                found.add(f"{described['name']}@{described['version']}")
    return frozenset(found)


def _in_bundles(component: Built) -> dict[str, _Use]:
    uses: dict[str, _Use] = defaultdict(_Use)
    for bundle, modules in component.bundled.modules.items():
        for module in modules:
            if found := _PACKAGE.match(module):
                uses[found["folder"]].bundles.add(f"{component.component.name}/{bundle}")
    return uses


def _copies(site: Path, tree: Path, sources: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield files of the site that equal a file of a package, with the package's folder.

    ``sources`` are the paths of upstream's repository: a file that the site has at such a path is upstream's.
    """
    sizes: dict[int, list[str]] = defaultdict(list)
    for path in site.rglob("*"):
        name = path.relative_to(site).as_posix()
        if name not in sources and path.is_file() and (size := path.stat().st_size):
            sizes[size].append(name)
    digests = functools.cache(stamps.file_digest)
    for file, size in _files(tree / _FOLDER.rstrip("/")):
        for name in sizes.get(size, ()):
            found = _PACKAGE.match(file.relative_to(tree).as_posix())
            if found and digests(site / name) == digests(file):
                yield name, found["folder"]


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield all files below a folder with their sizes; os.scandir is four times as fast as pathlib for 26 000 files."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path), entry.stat().st_size


def _lock(tree: Path) -> Mapping[str, Any]:
    file = tree / "package-lock.json"
    return dict(json.loads(file.read_bytes()).get("packages", {})) if file.is_file() else {}


def _package(tree: Path, folder: str, use: _Use, lock: Mapping[str, Any], patched: Iterable[str]) -> Package:
    try:
        described = json.loads((tree / folder / "package.json").read_bytes())
    except (OSError, ValueError) as error:
        raise StackError(f"{tree / folder}/package.json cannot be read: {error}", hint="hardener build") from error
    name, version = described["name"], described["version"]
    entry = lock.get(folder, {})
    return Package(
        name,
        version,
        entry.get("integrity", ""),
        entry.get("resolved", ""),
        licence_of(described),
        _person(described.get("author")),
        home_of(described),
        licence_texts(tree / folder),
        tuple(sorted(use.bundles)),
        tuple(sorted(use.files)),
        # patch-package names its files so: '@scope+name+version.patch'.
        patched=f"{name.replace('/', '+')}+{version}.patch" in set(patched),
    )


def _union(known: Package, other: Package) -> Package:
    """Return a package that two components use: the same name and version, so the same archive."""
    return replace(
        known,
        integrity=known.integrity or other.integrity,
        resolved=known.resolved or other.resolved,
        bundles=tuple(sorted({*known.bundles, *other.bundles})),
        files=tuple(sorted({*known.files, *other.files})),
        patched=known.patched or other.patched,
    )


def licence_of(described: Mapping[str, Any]) -> str:
    """Return the licence that a package.json declares, as SPDX writes it; empty where it declares none.

    Old packages have an object, or a list of objects in ``licenses`` (docs of npm, "license"): each of the list may be
    chosen.

    >>> licence_of({"license": "MIT"}), licence_of({"license": {"type": "ISC", "url": ""}})
    ('MIT', 'ISC')
    >>> licence_of({"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}), licence_of({})
    ('(MIT OR GPL-2.0)', '')
    """
    values = described.get("license", described.get("licenses", ()))
    names = [
        str(value.get("type", "")) if isinstance(value, dict) else str(value)
        for value in (values if isinstance(values, list | tuple) else (values,))
    ]
    names = [name for name in names if name]
    return f"({' OR '.join(names)})" if len(names) > 1 else "".join(names)


def _person(author: Any) -> str:
    """Return the name in a package.json's ``author``: a string ``Name <mail> (address)``, or an object."""
    if isinstance(author, dict):
        author = author.get("name", "")
    return re.split(r"\s*[<(]", author, maxsplit=1)[0].strip() if isinstance(author, str) else ""


def home_of(described: Mapping[str, Any]) -> str:
    """Return the https address of a package's repository, or else of its page; empty where package.json names none.

    A repository is an address, an address as git has it, or ``owner/name`` on GitHub (docs of npm, "repository").

    >>> home_of({"repository": {"type": "git", "url": "git+ssh://git@github.com/a/b.git"}, "homepage": "https://b.org"})
    'https://github.com/a/b'
    >>> home_of({"repository": "a/b"}), home_of({"repository": "gitlab:a/b", "homepage": "http://b.org"}), home_of({})
    ('https://github.com/a/b', 'http://b.org', '')
    """
    value = described.get("repository", "")
    value = value.get("url", "") if isinstance(value, dict) else value
    value = value if isinstance(value, str) else ""
    page = described.get("homepage", "")
    if found := re.fullmatch(r"(?:github:)?([\w.-]+/[\w.-]+)", value):
        return f"https://github.com/{found[1].removesuffix('.git')}"
    if found := re.fullmatch(r"(?:git\+)?(?:https?|git|ssh)://(?:[\w.-]+@)?([\w.-]+/[^\s?#]+)", value):
        return f"https://{found[1].removesuffix('.git')}"
    return page if isinstance(page, str) and re.fullmatch(r"https?://[^\s]+", page) else ""


def licence_texts(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return the licence and notice files of a folder: name and content."""
    return tuple(
        (file.name, file.read_text("utf-8", "replace"))
        for file in sorted(folder.iterdir())
        if file.is_file() and _TEXTS.fullmatch(file.name) and file.suffix.lower() not in _NO_TEXT
    )
