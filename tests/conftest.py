"""What holds for all tests: a cache directory of their own, no mirror from the environment, repeatable property tests."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# Repeatable by default; `pytest --hypothesis-profile explore` looks for new examples.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
hypothesis.settings.load_profile("repeatable")

_DEVELOPERS_CACHE = os.environ.get("XDG_CACHE_HOME", "")


@pytest.fixture(scope="session")
def developers_cache() -> Path:
    """The developer's own cache of hardener, for tests marked ``upstream``; they may read it, never write it."""
    root = Path(_DEVELOPERS_CACHE) if Path(_DEVELOPERS_CACHE).is_absolute() else Path.home() / ".cache"
    return root / "hardener"


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty cache directory, so that no test sees what another one (or a person) left."""
    folder = tmp_path_factory.mktemp("xdg-cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv("HARDENER_UPSTREAM", raising=False)
    return folder / "hardener"
