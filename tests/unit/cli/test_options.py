"""cli/options.py: the commands that texts name work on the same project and layers as the run that prints them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from hardener.cli import main, options

RUN = argparse.Namespace(project=None, extra=[Path("/srv/ministry"), Path("/srv/our site")], upstream=["x=/m"])
EXTRA = "--extra /srv/ministry --extra '/srv/our site'"


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("then: hardener check", f"then: hardener check {EXTRA} --upstream x=/m"),
        ("hardener check --fix", f"hardener check --fix {EXTRA} --upstream x=/m"),
        ("hardener build --verbose shows all", f"hardener build --verbose {EXTRA} --upstream x=/m shows all"),
        ("hardener ablate, or not", f"hardener ablate {EXTRA}, or not"),
        ("(hardener explain)", f"(hardener explain {EXTRA})"),
        # The layer is named already, and the order of words as well.
        ("hardener edit a --restart --extra /srv/a", "hardener edit a --restart --extra /srv/a --upstream x=/m"),
        ("hardener regen a --extra '/srv/a b'; x", "hardener regen a --extra '/srv/a b' --upstream x=/m; x"),
        # Options that these do not take.
        ("hardener clean --cache", "hardener clean --cache"),
        ("hardener check-server /etc", "hardener check-server /etc"),
        ("This is a bug in hardener. hardener is a tool", "This is a bug in hardener. hardener is a tool"),
    ],
)
def test_a_command_repeats_the_options_of_the_run(text: str, completed: str) -> None:
    assert options.completion(RUN)(text) == completed


def test_without_options_no_text_changes() -> None:
    plain = argparse.Namespace(project=None)
    assert options.completion(plain)("hardener check --fix") == "hardener check --fix"


def test_the_table_says_what_each_subcommand_takes() -> None:
    taken = {}
    for names in main.MODULES.values():
        for name in names:
            known = known_of(main._parser([name]), name)
            taken[name] = {word for word in ("project", "extra", "upstream") if f"--{word}" in known}
    about_files = {"check-server", "nginx", "sign", "verify"}
    expected = {
        name: words - ({"extra"} if name in ("edit", "regen") else set())
        for name, words in taken.items()
        if name not in about_files
    }
    assert {name: set(words) for name, words in options.SHARED.items()} == expected


def known_of(parser: argparse.ArgumentParser, name: str) -> set[str]:
    """Return the options of one subcommand."""
    (verbs,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {option for action in verbs.choices[name]._actions for option in action.option_strings}
