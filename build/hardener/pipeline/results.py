"""The data of a build: its options, the state of each component, and the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hardener.config import PIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component, Substitute
    from hardener.git.fetch import Fetched
    from hardener.pipeline.bundle import Bundled
    from hardener.pipeline.checkout import WorkTree
    from hardener.pipeline.deploy import Deployed
    from hardener.pipeline.install import Installed
    from hardener.pipeline.package import Packaged
    from hardener.pipeline.typecheck import Checked
    from hardener.series.source import Opened, Source


@dataclass(frozen=True)
class Options:
    """The options of a build: sources, toolchain, and whether upstream stays unpatched.

    ``judged=False`` counts the hosts of the site without comparing them with hosts.toml and sdks.toml. ``dist`` is
    where the archives go (default: the project's folder for this variant). ``opened`` are components whose series is
    being edited: their work tree is built, not the patch files.
    """

    sources: Mapping[str, str]
    toolchain: str = "rspack"
    unpatched: bool = False
    judged: bool = True
    wait: bool = True
    tree: str = PIN
    dist: Path | None = None
    opened: Mapping[str, Opened] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """Return the name of the work area: variants do not disturb each other."""
        name = "unpatched" if self.unpatched else ("dev" if self.opened else "hardened")
        toolchain = "" if self.toolchain == "rspack" else f"-{self.toolchain}"
        return name + toolchain + ("" if self.tree == PIN else f"-{self.tree}")


@dataclass(frozen=True)
class Prepared:
    """One component as it is to be built. ``provided`` are npm packages of it that other components deliver."""

    component: Component
    fetched: Fetched
    source: Source
    work: WorkTree
    provided: tuple[str, ...]
    substitutes: tuple[Substitute, ...]


@dataclass(frozen=True)
class Built(Prepared):
    """One component after its bundler ran."""

    installed: Installed
    bundled: Bundled
    checked: Checked


@dataclass(frozen=True)
class Result:
    """A finished build; ``mtime`` is the time of all files in its archives, in seconds since 1970."""

    components: tuple[Built, ...]
    site: Deployed
    packaged: Packaged
    mtime: int
    manifest: dict[str, Any]
    log: dict[str, Any]

    @property
    def fresh(self) -> bool:
        """Return whether anything had to be packed again."""
        return self.packaged.fresh
