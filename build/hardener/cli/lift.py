"""The part of the door for the verbs that go with a new pin: lift, delta, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardener.cli import compare, delta
from hardener.cli import lift_session as lift
from hardener.cli.options import project_of, sources_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI


def register(verb: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the verbs to the command line; ``source`` and ``extra`` are parsers of options that several share."""
    parser = verb("lift", _lift, "move the pins to another release of upstream, and the series with them", source)
    lift.arguments(parser)
    parser = verb(
        "delta", _delta, "say what upstream brings between two releases: hosts, calls, packages, options", source
    )
    delta.arguments(parser)
    parser = verb("compare", _compare, "build with Rspack and with upstream's webpack, and compare", source, extra)
    compare.arguments(parser)


def _lift(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    return lift.run(arguments, project, sources_of(arguments, project), ui)


def _delta(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    return delta.run(arguments, project, sources_of(arguments, project), ui)


def _compare(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    return compare.run(arguments, project, sources_of(arguments, project), ui)
