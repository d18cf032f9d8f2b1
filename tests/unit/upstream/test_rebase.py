"""lift/rebase.py: the repository of a lift, which a later run may find with other sources."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hardener.upstream.lift import rebase

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.processes


def test_the_source_of_a_later_run_replaces_that_of_an_earlier_one(tmp_path: Path) -> None:
    addresses = []
    for host in ("old", "new"):
        history = SimpleNamespace(remotes=(f"https://{host}.example/x.git",), path=tmp_path / "history.git")
        repository = rebase.open_repository(tmp_path / "lift", history, tmp_path / "mirror.git")
        addresses.append(repository.output("config", "remote.upstream.url"))
    assert addresses == ["https://old.example/x.git", "https://new.example/x.git"]
