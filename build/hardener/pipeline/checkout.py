"""Step 4: write a patched tree into the work area, fully or not at all.

A file that is the same in the old tree is taken over as a hard link, and so keeps its time: the bundler's cache and the
type checker see only what has changed.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.git.repository import Repository, inside
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.config import Component

STATE = ".hardener"
FILES = "files.json"


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
    _write(component, mirror, tree, folder, None)


def _write(component: Component, mirror: Path, tree: str, folder: Path, old: Path | None) -> dict[str, list[str | int]]:
    """Write a tree as :func:`write_tree` does, with the files that have not changed taken from an ``old`` one.

    Returns the files: path -> identity of the content, and what shows whether a step writes to it later (see
    :func:`_state`).
    """
    generated = {path: content.encode() for path, content in component.generated.items()}
    with Repository(mirror).index(tree) as index:
        entries = index.entries()
        unwanted = {path for path in entries if path in generated or inside(path, component.exclude)}
        wanted = {path: f"{entry.mode} {entry.blob}" for path, entry in entries.items() if path not in unwanted}
        wanted |= {path: stamps.digest(content) for path, content in generated.items()}
        linked = _link(old, folder, wanted) if old else set()
        index.drop(unwanted | (linked - generated.keys()))
        index.checkout(folder)
    for path, content in generated.items():
        if path not in linked:
            disk.write(folder / path, content)
    return {path: [identity, *_state(folder / path)] for path, identity in wanted.items()}


def _link(old: Path, new: Path, wanted: dict[str, str]) -> set[str]:
    """Link the files that are as wanted in the old tree into the new one; returns their paths."""
    known = disk.read_json(old / STATE / FILES)
    linked: set[str] = set()
    if not isinstance(known, dict):
        return linked
    with contextlib.suppress(OSError):  # git writes what is missing, also where a file system has no hard links
        folders: set[Path] = set()
        for path, identity in wanted.items():
            state = _state(old / path)
            if state and known.get(path) == [identity, *state]:
                if (new / path).parent not in folders:
                    (new / path).parent.mkdir(parents=True, exist_ok=True)
                    folders.add((new / path).parent)
                os.link(old / path, new / path, follow_symlinks=False)
                linked.add(path)
    return linked


def _state(path: Path) -> list[int]:
    """Return what changes when a step writes to a file; nothing where the file is missing."""
    with contextlib.suppress(OSError):
        state = path.lstat()
        return [state.st_mode, state.st_size, state.st_mtime_ns]
    return []


def checkout(component: Component, mirror: Path, tree: str, target: Path) -> WorkTree:
    """Write the tree, less the component's excluded paths and with its generated files, to ``target``.

    A ``node_modules`` that is there moves over into the new tree (it carries its own stamps, see pipeline/install.py).
    A tree that exists already is not changed. Raises StackError when the disk is full.
    """
    key = stamps.key(tree, component.exclude, component.generated, stamps.file_digest_of(__file__))
    work = WorkTree(target, key, fresh=False)
    if work.stamp("tree").facts(key) is not None:
        return work

    def fill(new: Path) -> None:
        files = _write(component, mirror, tree, new, target)
        (new / STATE).mkdir()
        (new / STATE / FILES).write_text(json.dumps(files))
        stamps.Stamp(new / STATE / "tree.json").set(key, {"tree": tree})
        modules = target / "node_modules"
        if modules.is_dir():
            modules.rename(new / "node_modules")

    disk.replace_folder(target, fill)
    return WorkTree(target, key, fresh=True)
