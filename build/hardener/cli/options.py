"""Options that several subcommands share."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hardener import config
from hardener.config import PIN
from hardener.errors import UsageError
from hardener.git.sources import chosen_sources
from hardener.series.extras import extend
from hardener.system import transaction

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


# The options that subcommands share, which a command in a text has to repeat. The commands for edit and regen name the
# layer that they are for by themselves: it need not be the last one of the run.
SHARED = {
    **dict.fromkeys(("build", "check", "compare", "dev", "sbom"), ("project", "extra", "upstream")),
    **dict.fromkeys(("ablate", "explain"), ("project", "extra")),
    **dict.fromkeys(
        (
            "edit",
            "regen",
            "evidence",
            "drift",
            "outdated",
            "upstream",
            "lift",
            "delta",
            "stack",
            "attack",
            "deb",
            "apt",
            "oci",
            "release",
            "webcat",
        ),
        ("project", "upstream"),
    ),
    **dict.fromkeys(("assess", "scan", "serve", "doctor", "clean"), ("project",)),
}
# What follows the options of a command may be prose.
_COMMAND = re.compile(
    rf"\bhardener (?:(?:edit|regen)(?: (?!-)[\w.-]+)?|(?:{'|'.join(SHARED)})(?![\w-]))"
    r"(?: --(?:verbose|restart|fix|continue)| --(?:extra|tree|drop|to) (?:'[^']*'|[^\s,;)]+))*"
)


def completion(arguments: argparse.Namespace) -> Callable[[str], str]:
    """Return a function that adds the options of this run to the commands that a text names.

    The command of a hint then works on the same project and the same layers.
    """
    given = {
        "project": [os.fspath(folder.resolve()) for folder in [arguments.project] if folder],
        "extra": [os.fspath(folder.resolve()) for folder in getattr(arguments, "extra", ())],
        "upstream": getattr(arguments, "upstream", ()),
    }

    def complete(match: re.Match[str]) -> str:
        names = SHARED[re.split(r"\W", match[0])[1]]
        words = [word for name in names for value in given[name] for word in (f"--{name}", value)]
        return " ".join([match[0], shlex.join(words)]) if words else match[0]

    return lambda text: _COMMAND.sub(complete, text)


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
            from hardener.pipeline import substitute  # noqa: PLC0415 (a parser needs no pipeline)

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
