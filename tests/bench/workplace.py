"""Where the benchmark works: copies of the project and of the pinned commits, all of it below ``.work/bench``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Sample, measure

import hardener
from hardener import config
from hardener.errors import StackError
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository, inside
from hardener.system import disk, locks, node, stamps
from hardener.system.process import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hardener.config import Component, Project

COPIED = ("upstream.toml", "hosts.toml", "sdks.toml", "patches", "overlays")
PACKAGE = Path(hardener.__file__).parents[1]


@dataclass(frozen=True)
class Workplace:
    """``root`` is the project that is measured, ``home`` the only folder that is written to."""

    root: Path
    home: Path
    repeat: int
    seed: int
    tell: Callable[[str], None]

    @property
    def project(self) -> Project:
        """Return our copy of the project."""
        return config.load(self.home / "project")

    @property
    def log(self) -> Path:
        """Return the output of everything that was run."""
        return self.home / "log.txt"

    def run(self, argv: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> Sample:
        """Run a program and measure it."""
        return measure(
            argv,
            log=self.log,
            cwd=cwd or self.home,
            env=environment({"PYTHONPATH": str(PACKAGE)} | (env or {})),
        )

    def harden(self, *words: str | Path, env: dict[str, str] | None = None, trace: Path | None = None) -> Sample:
        """Run a hardener command and measure it; ``trace`` is where it notes which programs ran when (traced.py)."""
        start = (Path(__file__).with_name("traced.py"), trace) if trace else ("-m", "hardener")
        return self.run([sys.executable, *start, *words], env=env)


def create(root: Path, repeat: int, seed: int, tell: Callable[[str], None]) -> Workplace:
    """Make the copies, and let all that runs from now on keep its cache and temporary files there.

    Raises StackError when the user's cache lacks a pinned commit: a transfer is nothing to measure.
    """
    place = Workplace(root, root / ".work" / "bench", repeat, seed, tell)
    project = config.load(root)
    for component in project.components:
        _check_pin(component)
    place.log.unlink(missing_ok=True)
    copy_project(root, place.home / "project")
    copy_mirrors(project, stamps.home() / "mirrors", place.home / "cache")
    (place.home / "tmp").mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(place.home / "cache")
    os.environ["TMPDIR"] = tempfile.tempdir = str(place.home / "tmp")
    return place


def _check_pin(component: Component) -> None:
    repository = Repository(mirror_of(component))
    there = repository.path.exists() and repository.commit(component.commit) == component.commit
    if there:
        missing = repository.missing(component.commit)
        entries = repository.entries(component.commit).items()
        there = not any(entry.blob in missing and not inside(path, component.exclude) for path, entry in entries)
    if not there:
        raise StackError(
            f"the cache does not hold {component.name} at {component.commit[:12]}",
            hint=f"nox -s build fetches it; where upstream cannot be reached: HARDENER_UPSTREAM={component.name}=URL-or-path",
        )


def copy_project(root: Path, target: Path) -> None:
    """Copy what a build reads; work area and results of the copy stay."""
    target.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        disk.remove(target / name)
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name)
        elif (root / name).exists():
            shutil.copy(root / name, target / name)


def copy_mirrors(project: Project, mirrors: Path, cache_home: Path) -> None:
    """Copy the repositories with the pinned commits into another cache."""
    for component in project.components:
        name = f"{component.name}.git"
        target = cache_home / "hardener" / "mirrors" / name
        disk.remove(target)
        with locks.lock((mirrors / name).with_suffix(".lock")):
            shutil.copytree(mirrors / name, target, symlinks=True)


def source_digest() -> str:
    """Return the identity of what is measured: each build step's key depends on it."""
    return stamps.key(stamps.folder_digest(PACKAGE / "hardener", pattern="**/*.py"), node.recipes_digest())


def clean(place: Workplace) -> None:
    """Remove all but reports and log."""
    for path in place.home.iterdir():
        if path.name not in ("report.md", "report.json", "log.txt", "lock"):
            disk.remove(path)
