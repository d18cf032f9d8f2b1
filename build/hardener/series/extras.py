"""The layers of patches and overlays: the project's, and after them those of an operator (``--extra DIR``)."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hardener.config import Component, Project


@dataclass(frozen=True)
class Layer:
    """Patches and overlays of one owner for one component: ours, or an operator's (``--extra DIR``).

    ``name`` is empty for ours, the folder's name for others; ``root`` is what the tests in ``Evidence:`` start from.
    ``extras`` are the folders of the layers up to this one: what ``--extra`` has to name to work on it.
    """

    name: str
    root: Path
    patches: Path
    overlays: Path
    extras: tuple[Path, ...] = ()

    @property
    def owner(self) -> str:
        """Return who it is, for a message."""
        return f"the extra folder {self.name}" if self.name else "the project"

    def __str__(self) -> str:
        """Return what a line of the terminal starts with."""
        return f"{self.name}: " if self.name else ""

    def command(self, *words: str) -> str:
        """Return a subcommand that works on this layer (``edit`` or ``regen``), as it is typed."""
        return command(words, self.extras)


def command(words: Iterable[str], extras: Iterable[str | Path]) -> str:
    """Return a command with ``--extra`` options, as it is typed.

    >>> command(("regen", "minimeet"), ("/srv/ministry", "/srv/our site"))
    "hardener regen minimeet --extra /srv/ministry --extra '/srv/our site'"
    """
    return shlex.join(["hardener", *words, *(word for folder in extras for word in ("--extra", str(folder)))])


def layers_of(project: Project, component: Component) -> tuple[Layer, ...]:
    """Return our layer first, then each extra folder, in the order of application."""
    return tuple(
        Layer(
            root.name if number else "",
            root,
            root / "patches" / component.name,
            root / "overlays" / component.name,
            project.extras[:number],
        )
        for number, root in enumerate((project.root, *project.extras))
    )


def extend(project: Project, folders: Iterable[Path]) -> Project:
    """Return the project with an operator's folders (``--extra``) after its own patches and overlays.

    Each has the project's layout: ``patches/COMPONENT/``, ``overlays/COMPONENT/``, ``hosts.toml`` if the site names
    more hosts, and ``sdks.toml`` for SDKs that are forbidden or allowed there. Raises UsageError for a folder that
    has none of the first two, a name that cannot be in the archive's name or is listed twice, and for a component
    that the project does not have.
    """
    extras: list[Path] = list(project.extras)
    for folder in folders:
        path = folder.resolve()
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", path.name):
            raise UsageError(
                f"--extra {folder}: its name becomes part of the archive's name",
                hint="call the folder by lower-case letters, digits and dashes",
            )
        if any(path.name == other.name for other in extras):
            raise UsageError(f"--extra {folder}: there is another one of this name", hint="rename one of them")
        parts = [part for name in ("patches", "overlays") if (part := path / name).is_dir()]
        if not parts:
            raise UsageError(
                f"--extra {folder}: there is neither patches/ nor overlays/ in it",
                hint="it is laid out as the project: patches/COMPONENT/series, overlays/COMPONENT/overlays.toml",
            )
        for part in parts:
            for inner in sorted(part.iterdir()):
                if inner.is_dir():
                    project.component(inner.name)
        extras.append(path)
    return replace(project, extras=tuple(extras))
