"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hardener import config
from hardener.config import PIN
from hardener.errors import UsageError
from hardener.git.sources import chosen_sources
from hardener.pipeline import substitute
from hardener.series.extras import extend
from hardener.system import transaction

if TYPE_CHECKING:
    import argparse


def project_of(arguments: argparse.Namespace) -> config.Project:
    """Return the project that ``--project`` names, or the one found from here upwards, with its ``--extra`` folders
    and ``--substitute`` archives.

    What a killed ``regen`` has left is finished first. Raises UsageError where there is none.
    """
    here = Path.cwd()
    for folder in [arguments.project] if arguments.project else [here, *here.parents]:
        if arguments.project or (folder / config.NAME).exists():
            project = extend(config.load(folder), getattr(arguments, "extra", ()))
            transaction.settle(project.work)
            return substitute.extend(project, getattr(arguments, "substitute", ()))
    raise UsageError(
        f"there is no {config.NAME} in {here} or above",
        hint="change into a hardener project, or name one: --project DIR",
    )


def tree_of(arguments: argparse.Namespace, project: config.Project) -> str:
    """Return the tree that ``--tree`` names: ``pin``, or a ``[tree.NAME]`` of upstream.toml. Raises UsageError."""
    tree = str(arguments.tree)
    if tree != PIN and tree not in project.trees:
        raise UsageError(f"there is no tree {tree!r}", hint=f"the trees are: {', '.join((PIN, *project.trees))}")
    return tree


def sources_of(arguments: argparse.Namespace, project: config.Project) -> dict[str, str]:
    """Return where to fetch from, as ``--upstream`` and HARDENER_UPSTREAM say: component name -> URL or path."""
    return chosen_sources(tuple(arguments.upstream), tuple(component.name for component in project.components))
