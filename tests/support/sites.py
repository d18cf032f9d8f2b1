"""The built sites that tests look at: each is built once in a run, for all workers."""

from __future__ import annotations

import functools
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from hardener import config
from hardener.config import PIN
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.pipeline import build
from hardener.pipeline.results import Options
from hardener.proof.ablate import VARIABLE
from hardener.series.source import components_at
from hardener.ui import UI

ROOT = Path(__file__).parents[2]


def archive_of(variant: str) -> Path:
    """Return the archive of a variant: 'hardened', 'unpatched' or 'master' (the hardened tree of that name).

    Where 'hardener ablate' names an archive, that one is the hardened one.
    """
    if variant == "hardened" and os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    built(variant)
    return _archive(variant)


def built(variant: str) -> Path:
    """Return the folder of a variant in the work area, once it is up to date; a skip where it cannot be built."""
    _archive(variant)
    return ROOT / ".work" / variant / "site"


@functools.cache  # in this process: to see that all is up to date takes a second each time
def _archive(variant: str) -> Path:
    project = config.load(ROOT)
    tree = variant if variant in project.trees else PIN
    project = replace(project, components=components_at(project, tree))
    for component in project.components:
        mirror = mirror_of(component)
        if not mirror.exists() or Repository(mirror).commit(component.commit) is None:
            pytest.skip(
                f"{mirror} does not hold {component.name} at {tree}: run 'hardener build --tree {tree}' (HARDENER_UPSTREAM"
                " names mirrors)"
            )
    result = build.build(project, Options(sources={}, unpatched=variant == "unpatched", tree=tree), UI(quiet=True))
    return result.packaged.site.path


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive of a site."""
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
