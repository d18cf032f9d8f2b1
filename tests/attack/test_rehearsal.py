"""The command on the stack with Jicofo and the videobridge: a closed one, and one with planted holes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from hardener.proof import stack
from hardener.proof.attack import selftest
from hardener.proof.stack.docker import NoDockerError
from hardener.proof.stack.flavours import folder_of_servers
from hardener.ui import UI
from support.sites import built

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.attack, pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]


def test_command_finds_the_planted_holes_of_a_stack_with_jicofo_and_the_bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, developers_cache: Path
) -> None:
    """Attack the closed stack only in the areas in which Jicofo decides."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
    monkeypatch.setenv(stack.VARIABLE, "debian")
    try:
        folder_of_servers()
    except NoDockerError as error:
        pytest.skip(f"{error.message} ({error.hint})")
    words = ["attack", "--stack", "--site", os.fspath(built("hardened")), "--out", os.fspath(tmp_path)]
    given = main._parser().parse_args([*words, "--only", "roles", "focus"])
    try:
        answer = given.run(given, UI(quiet=True))
    except NoDockerError as error:
        pytest.skip(f"no stack: {error.message} ({error.hint})")
    assert answer["missed"] == []
    assert answer["exit"] == 0
    attempts = (tmp_path / "closed" / "attempts.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(attempts) >= 28
    planted = (tmp_path / "planted" / "attempts.ndjson").read_text(encoding="utf-8")
    assert all(f'"{name}"' in planted for name in selftest.MUST_FIND)
