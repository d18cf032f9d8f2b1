"""Step 4: write a patched tree into the work area, fully or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.git.repository import Repository, inside
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.config import Component

STATE = ".hardener"


@dataclass(frozen=True)
class WorkTree:
    """A component's files in the work area, which ``key`` identifies; ``fresh``: they were written just now."""

    path: Path
    key: str
    fresh: bool

    def stamp(self, step: str) -> stamps.Stamp:
        """Return the stamp of a step whose output lies in this tree: it goes when the tree goes."""
        return stamps.Stamp(self.path / STATE / f"{step}.json")


def write_tree(component: Component, mirror: Path, tree: str, folder: Path) -> None:
    """Write a tree (or commit), less the component's excluded paths and with its generated files, to a folder."""
    with Repository(mirror).index(tree) as index:
        index.drop(
            path for path in index.output("ls-files", "-z").split("\0") if path and inside(path, component.exclude)
        )
        index.checkout(folder)
    for path, content in component.generated.items():
        disk.write(folder / path, content.encode())


def checkout(component: Component, mirror: Path, tree: str, target: Path) -> WorkTree:
    """Write the tree, less the component's excluded paths and with its generated files, to ``target``.

    A ``node_modules`` that is there moves over into the new tree (it carries its own stamps, see pipeline/install.py).
    A tree
    that exists already is not changed. Raises StackError when the disk is full.
    """
    key = stamps.key(tree, component.exclude, component.generated, stamps.file_digest_of(__file__))
    work = WorkTree(target, key, fresh=False)
    if work.stamp("tree").facts(key) is not None:
        return work

    def fill(new: Path) -> None:
        write_tree(component, mirror, tree, new)
        stamps.Stamp(new / STATE / "tree.json").set(key, {"tree": tree})
        modules = target / "node_modules"
        if modules.is_dir():
            modules.rename(new / "node_modules")

    disk.replace_folder(target, fill)
    return WorkTree(target, key, fresh=True)
