"""Reading ``upstream.toml``: the pin, the components and how each is built.

The grammar is a table of fields (:data:`FIELDS`), so that every mistake can name the file, the key and what is allowed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from hardener.errors import ConfigError, UsageError
from hardener.policy.tables import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NAME = "upstream.toml"
RECIPES = ("none", "rollup", "webpack")
TOOLCHAINS = ("rspack", "webpack")


@dataclass(frozen=True)
class Component:
    """One upstream repository at its pinned commit, and how it is built.

    ``package`` is the npm name under which the next component finds the result; a component that ``needs`` none and is
    needed by none is possible too. ``exclude`` lists paths of the repository that the web build never reads: they are
    neither fetched (where the server can filter) nor checked out.
    """

    name: str
    repository: str
    commit: str
    release: str
    ref: str = ""
    package: str = ""
    needs: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recipe: str = "none"
    out: str = ""
    roots: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    deliver: tuple[str, ...] = ()
    generate: tuple[tuple[str, str], ...] = ()
    tsconfig: str = ""
    make: tuple[str, ...] = ()
    site: str = ""
    site_files: tuple[str, ...] = ()
    site_without: tuple[str, ...] = ()

    @property
    def generated(self) -> dict[str, str]:
        """The files that upstream's own build would generate: path -> content, with the placeholders filled in."""
        return {
            path: content.replace("{commit}", self.commit).replace("{release}", self.release)
            for path, content in self.generate
        }

    def at(self, commit: str) -> Component:
        """The same component at another commit, whose release ref is not pinned."""
        return replace(self, commit=commit, ref="", release=commit[:12])


@dataclass(frozen=True)
class Substitute:
    """One npm archive: ``package`` is left out by ``component``; ``lock_entry`` is what npm's lock says of it."""

    package: str
    component: str
    file: Path
    content: bytes
    lock_entry: dict[str, Any]

    @property
    def slug(self) -> str:
        """The package's name as part of a file's name.

        >>> from pathlib import Path
        >>> Substitute("@jitsi/excalidraw", "", Path(), b"", {}).slug
        'jitsi-excalidraw'
        """
        return self.package.removeprefix("@").replace("/", "-")

    @property
    def archive(self) -> str:
        """The archive's name where npm finds it, beside the lock."""
        return f"{self.slug}.tgz"

    def record(self) -> dict[str, str]:
        """What ``build-manifest.json`` says of it."""
        return {
            "package": self.package,
            "component": self.component,
            "file": self.file.name,
            "version": self.lock_entry["version"],
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "integrity": self.lock_entry["integrity"],
        }


@dataclass(frozen=True)
class Project:
    """A folder with ``upstream.toml``, ``patches/``, ``overlays/``, ``hosts.toml`` and ``sdks.toml``.

    ``components`` stand in build order; the last one is the site that is packed. ``trees`` are further commits that the
    series must fit: tree name -> component name -> commit. ``extras`` are folders of an operator, see series/extras.py;
    ``substitutes`` packages of a person's own, see pipeline/substitute.py.
    """

    root: Path
    name: str
    revision: int
    node: int
    components: tuple[Component, ...]
    trees: Mapping[str, Mapping[str, str]]
    extras: tuple[Path, ...] = ()
    substitutes: tuple[Substitute, ...] = ()

    @property
    def site(self) -> Component:
        """The component whose result is shipped."""
        return self.components[-1]

    @property
    def work(self) -> Path:
        """The work area of this project."""
        return self.root / ".work"

    @property
    def dist(self) -> Path:
        """Where finished archives go."""
        return self.root / "dist"

    @property
    def label(self) -> str:
        """Name of the archive without its extension: ``<name>-<release>+<revision>``, and behind it :attr:`mark`."""
        return f"{self.name}-{self.site.release}+{self.revision}{self.mark}"

    @property
    def mark(self) -> str:
        """What tells a build with extras or substitutes from one without: a dot and the folder's or package's name."""
        names = [folder.name for folder in self.extras]
        return "".join(f".{name}" for name in (*names, *(f"substitute_{one.slug}" for one in self.substitutes)))

    def component(self, name: str) -> Component:
        """The component of that name; raises UsageError."""
        for component in self.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.components)
        raise UsageError(f"there is no component {name!r}", hint=f"the components of {NAME} are: {known}")

    def patches(self, component: Component) -> Path:
        """The folder with the component's series."""
        return self.root / "patches" / component.name

    def overlays(self, component: Component) -> Path:
        """The folder with the component's overlays."""
        return self.root / "overlays" / component.name


@dataclass(frozen=True)
class _Field:
    check: Callable[[Any], bool]
    allowed: str
    required: bool = False


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _texts(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(_text(pattern), value))


# A relative path that stays inside the tree it is meant for.
_PATH = r"(?!/)(?!(?:.*/)?\.\.?(?:/|$))[^\0\n\\]+"
_NPM = r"(?:@[a-z0-9-~][\w.-]*/)?[a-z0-9-~][\w.-]*"


def _table(pattern: str) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and all(map(_text(_PATH), value)) and all(map(_text(pattern), value.values()))
    )


PROJECT_FIELDS: Mapping[str, _Field] = {
    "name": _Field(_text(r"[a-z0-9][a-z0-9.-]*"), "lower-case letters, digits, dots and dashes", required=True),
    "revision": _Field(lambda value: type(value) is int and value > 0, "a whole number from 1", required=True),
    "node": _Field(lambda value: type(value) is int and value > 0, "the major version of Node", required=True),
}
COMPONENT_FIELDS: Mapping[str, _Field] = {
    "repository": _Field(
        _text(r"(?:https://|ssh://|file://|/|\./|\.\./)\S+"), "an https, ssh or file URL", required=True
    ),
    "commit": _Field(_text(r"[0-9a-f]{40}"), "a full commit id: 40 lower-case hexadecimal digits", required=True),
    "release": _Field(_text(r"[\w.+-]+"), "the release's label: letters, digits, dot, plus, dash", required=True),
    "ref": _Field(_text(r"refs/\S+"), "a full ref name such as refs/tags/v1.0"),
    "package": _Field(_text(_NPM), "an npm package name"),
    "needs": _Field(_texts(r"\S+"), "a list of component names"),
    "exclude": _Field(_texts(_PATH), "a list of paths of the repository"),
    "recipe": _Field(lambda value: value in RECIPES, "one of " + ", ".join(RECIPES)),
    "out": _Field(_text(_PATH), "the folder of the tree that the bundler writes to"),
    "roots": _Field(_texts(_NPM), "a list of npm package names"),
    "omit": _Field(_texts(_NPM), "a list of npm package names"),
    "drop": _Field(_texts(r"\S+"), "a list of bundle names"),
    "deliver": _Field(_texts(_PATH), "a list of paths or globs"),
    "generate": _Field(_table(r"(?s).*"), "a table: path of the tree = content"),
    "tsconfig": _Field(_text(_PATH), "a path of the repository"),
    "make": _Field(_texts(r"[\w-]+(?:=.*)?"), "a list of Makefile targets and VARIABLE=value"),
    "site": _Field(_text(_PATH), "the path of a Debian install list of the repository"),
    "site_files": _Field(
        _texts(_PATH), "a list of paths or globs, each with a folder of the site behind a blank if wanted"
    ),
    "site_without": _Field(_texts(_PATH), "a list of paths or globs of the site"),
}


def load(root: Path) -> Project:
    """Read ``root/upstream.toml``.

    Returns the project with its components in build order. Raises ConfigError that names the file, the key and what is
    allowed there; UsageError when there is no such file.
    """
    path = root / NAME
    data = read_toml(path)
    _known(path, data, "", ("project", "component", "tree"))
    head = _section(path, data, "project", PROJECT_FIELDS)
    tables = data.get("component")
    if not isinstance(tables, dict) or not tables:
        raise ConfigError(f"{path}: there is no [component.NAME] table", hint="name at least one upstream repository")
    components = {name: _component(path, name, tables) for name in tables}
    return Project(
        root=root.resolve(),
        name=head["name"],
        revision=head["revision"],
        node=head["node"],
        components=_in_build_order(path, components),
        trees=_trees(path, data.get("tree", {}), components),
    )


def _component(path: Path, name: str, tables: Mapping[str, Any]) -> Component:
    values = _section(path, tables, name, COMPONENT_FIELDS, prefix="component.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ConfigError(
            f"{path}: component name {name!r}", hint="allowed: lower-case letters, digits, dots and dashes"
        )
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    values["generate"] = tuple(sorted(values.get("generate", {}).items()))
    return Component(name=name, **values)


def _section(
    path: Path, data: Mapping[str, Any], key: str, fields: Mapping[str, _Field], prefix: str = ""
) -> dict[str, Any]:
    where = f"[{prefix}{key}]"
    table = data.get(key)
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {where} is missing or not a table", hint=f"it holds: {', '.join(fields)}")
    _known(path, table, where + " ", tuple(fields))
    for name, field in fields.items():
        if name not in table:
            if field.required:
                raise ConfigError(f"{path}: {where} lacks {name!r}", hint=f"{name} is {field.allowed}")
        elif not field.check(table[name]):
            raise ConfigError(f"{path}: {where} {name} = {table[name]!r}", hint=f"allowed: {field.allowed}")
    return dict(table)


def _known(path: Path, table: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{path}: {where}unknown key {key!r}", hint="allowed: " + ", ".join(known))


def _in_build_order(path: Path, components: Mapping[str, Component]) -> tuple[Component, ...]:
    for component in components.values():
        for need in component.needs:
            if need not in components:
                raise ConfigError(
                    f"{path}: [component.{component.name}] needs {need!r}, which is no component",
                    hint="allowed: " + ", ".join(components),
                )
            if not components[need].package:
                raise ConfigError(
                    f"{path}: [component.{need}] lacks 'package', but {component.name} needs it",
                    hint="package is the npm name under which its result is installed",
                )
    try:
        order = list(TopologicalSorter({name: c.needs for name, c in components.items()}).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ConfigError(
            f"{path}: components need each other in a circle: {circle}", hint="take one name out of a 'needs' list"
        ) from error
    return tuple(components[name] for name in order)


def _trees(path: Path, trees: Any, components: Mapping[str, Component]) -> dict[str, dict[str, str]]:
    commit = COMPONENT_FIELDS["commit"]
    if not isinstance(trees, dict):
        raise ConfigError(f"{path}: 'tree' is not a table", hint="write [tree.NAME] with component = commit")
    for name, commits in trees.items():
        where = f"[tree.{name}]"
        if not isinstance(commits, dict):
            raise ConfigError(f"{path}: {where} is not a table", hint="it holds: component = commit")
        _known(path, commits, where + " ", tuple(components))
        for key, value in commits.items():
            if not commit.check(value):
                raise ConfigError(f"{path}: {where} {key} = {value!r}", hint=f"allowed: {commit.allowed}")
    return trees
