"""How the tests are shared out among the workers of pytest-xdist (``pytest -n 3``), and what they took.

A file stays in one worker, for the fixtures of its module. Files that share what there is one of stay in one, too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.terminal import TerminalReporter

# Fixture -> the files that ask for it, which run in one worker, one after the other. A checkout has one stack of
# containers.
TOGETHER = {
    "stacks": (
        "tests/e2e/test_bridge.py",
        "tests/e2e/test_bridge_load.py",
        "tests/e2e/test_bridge_rooms.py",
        "tests/e2e/test_call.py",
        "tests/e2e/test_login_stack.py",
        "tests/e2e/test_stack.py",
    ),
}
# What takes longest begins first. Beside the first one, which builds the real site, are those that need none. Unit tests
# come last, those that start thousands of programs first: they fill the gaps, and some read the trees of a build.
LONGEST_FIRST = (
    "tests/e2e/test_stack.py",
    "tests/pipeline/test_killed.py",
    "tests/pipeline/test_lift_killed.py",
    "tests/evidence/test_real_calls.py",
    "tests/e2e/test_login.py",
    "tests/evidence/test_evidence.py",
    "tests/system",
    "tests/e2e/test_stanzas.py",
    "tests/e2e/test_login_fallback.py",
    "tests/pipeline/test_failures.py",
    "tests/e2e/test_login_again.py",
    "tests/evidence",
    "tests/pipeline",
    "tests/e2e",
    "tests/attack",
    "tests/unit/upstream/test_lift.py",
    "tests/unit/series/test_edit_regen.py",
)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one group go to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test belongs to: the fixture that its file shares with others, or its
    file.
    """
    file = file_of(nodeid)
    return next((fixture for fixture, files in TOGETHER.items() if file in files), file)


def file_of(nodeid: str) -> str:
    """Return the file of a test."""
    return nodeid.partition("::")[0]


def folder_of(nodeid: str) -> str:
    """Return the group of tests under whose name the summary counts a test."""
    return "/".join(file_of(nodeid).split("/")[:2])


def rank(nodeid: str) -> int:
    """Say how early a test is handed out."""
    return next((number for number, path in enumerate(LONGEST_FIRST) if nodeid.startswith(path)), len(LONGEST_FIRST))


def require_listing(item: pytest.Item) -> None:
    """Fail a test that asks for what is shared, and whose file is not listed as doing so: two workers would make it."""
    for fixture, files in TOGETHER.items():
        if fixture in getattr(item, "fixturenames", ()) and file_of(item.nodeid) not in files:
            pytest.fail(f"{file_of(item.nodeid)} asks for {fixture!r}: add it to TOGETHER in {__file__}", pytrace=False)


def seconds_by_folder(reports: Iterable[pytest.TestReport]) -> dict[str, tuple[int, float]]:
    """Return how many tests each folder has, and the seconds that they took with their fixtures; the longest first."""
    seconds: Counter[str] = Counter()
    tests: dict[str, set[str]] = {}
    for report in reports:
        folder = folder_of(report.nodeid)
        seconds[folder] += report.duration  # type: ignore[assignment]
        tests.setdefault(folder, set()).add(report.nodeid)
    return {folder: (len(tests[folder]), took) for folder, took in seconds.most_common()}


def write_seconds(terminal: TerminalReporter) -> None:
    """Write what each folder took, added up over all workers."""
    reports = [report for found in terminal.stats.values() for report in found if isinstance(report, pytest.TestReport)]
    terminal.write_sep("=", "seconds of each folder")
    for folder, (tests, took) in seconds_by_folder(reports).items():
        terminal.write_line(f"{took:8.1f}s {tests:5} tests  {folder}")
