"""The part of the door for the verbs that move the pins: lift, delta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardener.arguments import project_of, sources_of
from hardener.delta import door as delta
from hardener.lift import door as lift

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI


def register(verb: Callable[..., argparse.ArgumentParser], source: Any) -> None:
    """Add the verbs to the command line; ``source`` is the parser of the option that they share."""
    parser = verb("lift", _lift, "move the pins to another release of upstream, and the series with them", source)
    lift.arguments(parser)
    parser = verb(
        "delta", _delta, "say what upstream brings between two releases: hosts, calls, packages, options", source
    )
    delta.arguments(parser)


def _lift(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    return lift.run(arguments, project, sources_of(arguments, project), ui)


def _delta(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    return delta.run(arguments, project, sources_of(arguments, project), ui)
