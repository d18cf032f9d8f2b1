"""Reading ``upstream.toml``: the pin, the components and how each is built.

The grammar is in :data:`PROJECT_KEYS`, :data:`COMPONENT_KEYS`, :data:`DEBIAN_KEYS` and :data:`IMAGE_KEYS`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from hardener.errors import ConfigError, UsageError
from hardener.system import tables
from hardener.system.tables import choice, pairs, text, texts, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.system.tables import Document, Table

NAME = "upstream.toml"
PIN = "pin"  # the name of the tree that upstream.toml pins, beside each [tree.NAME]
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
        """Return the files that upstream's own build would generate: path -> content, with the placeholders filled
        in.
        """
        return {
            path: content.replace("{commit}", self.commit).replace("{release}", self.release)
            for path, content in self.generate
        }

    def at(self, commit: str) -> Component:
        """Return the same component at another commit, whose release ref is not pinned."""
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
        """Return the package's name as part of a file's name.

        >>> from pathlib import Path
        >>> Substitute("@jitsi/excalidraw", "", Path(), b"", {}).slug
        'jitsi-excalidraw'
        """
        return self.package.removeprefix("@").replace("/", "-")

    @property
    def archive(self) -> str:
        """Return the archive's name where npm finds it, beside the lock."""
        return f"{self.slug}.tgz"

    def record(self) -> dict[str, str]:
        """Return what ``build-manifest.json`` says of it."""
        return {
            "package": self.package,
            "component": self.component,
            "file": self.file.name,
            "version": self.lock_entry["version"],
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "integrity": self.lock_entry["integrity"],
        }


@dataclass(frozen=True)
class Debian:
    """Upstream's Debian packages of the pinned release: their versions, and who maintains ours."""

    maintainer: str
    jitsi_meet: str
    jitsi_meet_web: str
    jicofo: str
    jitsi_videobridge2: str


@dataclass(frozen=True)
class Image:
    """Upstream's image of the pinned release, with its tag and the digest of its index; ``name`` is the repository of
    ours.
    """

    base: str
    name: str = ""

    @property
    def repository(self) -> str:
        """Return the repository of upstream's image."""
        return self.base.partition("@")[0].rpartition(":")[0]

    @property
    def tag(self) -> str:
        """Return the tag that upstream's image had when its digest was written down."""
        return self.base.partition("@")[0].rpartition(":")[2]

    @property
    def digest(self) -> str:
        """Return the digest of upstream's index: ``sha256:`` and 64 hexadecimal digits."""
        return self.base.partition("@")[2]


@dataclass(frozen=True)
class Project:
    """A folder with ``upstream.toml``, ``patches/``, ``overlays/``, ``hosts.toml`` and ``sdks.toml``.

    ``components`` are in build order; the last one is the site that is packed. ``trees`` are further commits that the
    series must fit: tree name -> component name -> commit. ``extras`` are folders of an operator, see series/extras.py;
    ``substitutes`` packages of a person's own, see pipeline/substitute.py. ``debian`` and ``image`` are None where the
    file does not have their table.
    """

    root: Path
    name: str
    revision: int
    node: int
    components: tuple[Component, ...]
    trees: Mapping[str, Mapping[str, str]]
    extras: tuple[Path, ...] = ()
    substitutes: tuple[Substitute, ...] = ()
    debian: Debian | None = None
    image: Image | None = None

    @property
    def site(self) -> Component:
        """Return the component whose result is shipped."""
        return self.components[-1]

    @property
    def work(self) -> Path:
        """Return the work area of this project."""
        return self.root / ".work"

    @property
    def dist(self) -> Path:
        """Return where finished archives go."""
        return self.root / "dist"

    @property
    def label(self) -> str:
        """Return name of the archive without its extension: ``<name>-<release>+<revision>``, and behind it
        :attr:`mark`.
        """
        return f"{self.name}-{self.site.release}+{self.revision}{self.mark}"

    @property
    def mark(self) -> str:
        """Return what distinguishes a build with extras or substitutes from one without: a dot and the name of the
        folder or package.
        """
        names = [folder.name for folder in self.extras]
        return "".join(
            f".{name}" for name in (*names, *(f"substitute_{substitute.slug}" for substitute in self.substitutes))
        )

    def component(self, name: str) -> Component:
        """Return the component of that name; raises UsageError."""
        for component in self.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.components)
        raise UsageError(f"there is no component {name!r}", hint=f"the components of {NAME} are: {known}")

    def patches(self, component: Component) -> Path:
        """Return the folder with the component's series."""
        return self.root / "patches" / component.name

    def overlays(self, component: Component) -> Path:
        """Return the folder with the component's overlays."""
        return self.root / "overlays" / component.name


# A relative path that stays inside the tree it is meant for.
_PATH = r"(?!/)(?!(?:.*/)?\.\.?(?:/|$))[^\0\n\\]+"
_NPM = r"(?:@[a-z0-9-~][\w.-]*/)?[a-z0-9-~][\w.-]*"
PROJECT_KEYS = {
    "name": text("lower-case letters, digits, dots and dashes", r"[a-z0-9][a-z0-9.-]*", required=True),
    "revision": whole("a whole number from 1", 1, required=True),
    "node": whole("the major version of Node", 1, required=True),
}
_COMMIT = text("a full commit id: 40 lower-case hexadecimal digits", r"[0-9a-f]{40}")
COMPONENT_KEYS = {
    "repository": text("an https, ssh or file URL", r"(?:https://|ssh://|file://|/|\./|\.\./)\S+", required=True),
    "commit": replace(_COMMIT, required=True),
    "release": text("the release's label: letters, digits, dot, plus, dash", r"[\w.+-]+", required=True),
    "ref": text("a full ref name such as refs/tags/v1.0", r"refs/\S+"),
    "package": text("an npm package name", _NPM),
    "needs": texts("a list of component names", r"\S+"),
    "exclude": texts("a list of paths of the repository", _PATH),
    "recipe": choice(RECIPES),
    "out": text("the folder of the tree that the bundler writes to", _PATH),
    "roots": texts("a list of npm package names", _NPM),
    "omit": texts("a list of npm package names", _NPM),
    "drop": texts("a list of bundle names", r"\S+"),
    "deliver": texts("a list of paths or globs", _PATH),
    "generate": pairs("a table: path of the tree = content", _PATH, r"(?s).*"),
    "tsconfig": text("a path of the repository", _PATH),
    "make": texts("a list of Makefile targets and VARIABLE=value", r"[\w-]+(?:=.*)?"),
    "site": text("the path of a Debian install list of the repository", _PATH),
    "site_files": texts("a list of paths or globs, each with a folder of the site behind a blank if wanted", _PATH),
    "site_without": texts("a list of paths or globs of the site", _PATH),
}
_VERSION = r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~]*(?:-[A-Za-z0-9.+~]+)*"
_DIGEST = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@sha256:[0-9a-f]{64}"
_REPOSITORY = r"[a-z0-9][a-z0-9.-]*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+"
_PERSON = r"[^<>\x00-\x20\x7f-\x9f][^<>\x00-\x1f\x7f-\x9f]* <[^<>\s@]+@[^<>\s@]+>"
DEBIAN_KEYS = {
    "maintainer": text("a name and a mail address: NAME <MAIL>", _PERSON, required=True),
    "jitsi-meet": text("the version of upstream's metapackage, such as 2.0.10978-1", _VERSION, required=True),
    "jitsi-meet-web": text("a Debian version; also of -web-config, -prosody and others", _VERSION, required=True),
    "jicofo": text("a Debian version", _VERSION, required=True),
    "jitsi-videobridge2": text("a Debian version", _VERSION, required=True),
}
IMAGE_KEYS = {
    "base": text("upstream's image, with tag and digest of its index: docker.io/jitsi/web:stable-10978@sha256:...",
                 _REPOSITORY + _DIGEST, required=True),
    "name": text("the repository of our image, without a tag: registry.example.org/jitsi-web-hardened", _REPOSITORY),
}  # fmt: skip


def load(root: Path) -> Project:
    """Read ``root/upstream.toml``.

    Returns the project with its components in build order. Raises ConfigError that names the file, the key and what is
    allowed there; UsageError when there is no such file.
    """
    path = root / NAME
    document = tables.load(path)
    document.holds("[project]", "[component.NAME]", "[tree.NAME]", "[debian]", "[image]")
    head = document.table("project", PROJECT_KEYS)
    components = {
        name: _component(name, table) for name, table in document.named_tables("component", COMPONENT_KEYS).items()
    }
    if not components:
        raise ConfigError(f"{path}: there is no [component.NAME] table", hint="name at least one upstream repository")
    trees = document.named_tables("tree", dict.fromkeys(components, _COMMIT))
    return Project(
        root=root.resolve(),
        **head.values,
        components=_in_build_order(path, components),
        trees={name: table.values for name, table in trees.items()},
        debian=_debian(document) if "debian" in document.data else None,
        image=Image(**document.table("image", IMAGE_KEYS).values) if "image" in document.data else None,
    )


def _debian(document: Document) -> Debian:
    values = document.table("debian", DEBIAN_KEYS).values
    return Debian(**{name.replace("-", "_"): value for name, value in values.items()})


def _component(name: str, table: Table) -> Component:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise table.error(f"component name {name!r}", hint="allowed: lower-case letters, digits, dots and dashes")
    return Component(name=name, **table.values)


def _in_build_order(path: Path, components: Mapping[str, Component]) -> tuple[Component, ...]:
    for component in components.values():
        for need in component.needs:
            if need not in components:
                raise ConfigError(
                    f"{path}: [component.{component.name}] needs {need!r}, which is not a component",
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
            f"{path}: components need each other in a circle: {circle}", hint="remove a name from a 'needs' list"
        ) from error
    return tuple(components[name] for name in order)
