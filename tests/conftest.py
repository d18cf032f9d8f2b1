"""What holds for all tests: a cache directory of their own, no mirror from the environment, repeatable property tests.

Also how they are shared out among workers (pytest -n), and the summary of what they took.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from support import proof_records, sharing_out
from support.browsers import choice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

# Repeatable by default; `pytest --hypothesis-profile explore` looks for new examples.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
_EXAMPLES = int(os.environ.get("HARDENER_FUZZ_EXAMPLES", "20000"))
hypothesis.settings.register_profile("fuzz", deadline=None, database=None, max_examples=_EXAMPLES)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    choice.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    choice.chosen(config)
    proof_records.register(config, Path(__file__).parents[1])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> sharing_out.ByFile:
    return sharing_out.ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    choice.select(config, items)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: sharing_out.rank(item.nodeid))


def pytest_runtest_setup(item: pytest.Item) -> None:
    sharing_out.require_listing(item)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    sharing_out.write_seconds(terminalreporter)


_DEVELOPERS_CACHE = os.environ.get("XDG_CACHE_HOME", "")


@pytest.fixture(scope="session")
def developers_cache() -> Path:
    """Provide the developer's own cache of hardener, for tests marked ``upstream``; they may read it, never write
    it.
    """
    root = Path(_DEVELOPERS_CACHE) if Path(_DEVELOPERS_CACHE).is_absolute() else Path.home() / ".cache"
    return root / "hardener"


@pytest.fixture(scope="session")
def empty_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield one new folder after the other. Pytest's own are numbered by a look at all others: with thousands, that
    takes longer than most tests.
    """
    parent = tmp_path_factory.mktemp("empty")

    def make() -> Iterator[Path]:
        for number in itertools.count():
            folder = parent / str(number)
            folder.mkdir()
            yield folder

    return make()


@pytest.fixture(autouse=True)
def cache_home(empty_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty cache directory, so that no test sees what another one (or a person) left."""
    folder = next(empty_folders)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv("HARDENER_UPSTREAM", raising=False)
    return folder / "hardener"
