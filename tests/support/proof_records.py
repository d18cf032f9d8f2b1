"""Records of the sessions ``test`` and ``e2e`` for a release (hardener.pipeline.proofs), also with pytest-xdist.

Only a whole run is a session: with the paths of the session, and without options that choose among their tests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hardener.pipeline import proofs
from hardener.proof.ablate import VARIABLE
from support.browsers import choice

if TYPE_CHECKING:
    from pathlib import Path

E2E = "tests/e2e"
NARROWING = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly", "last_failed")


def sessions(config: pytest.Config) -> tuple[str, ...]:
    """Return the sessions of which this run makes all tests. All tests of the project include those of ``e2e``."""
    narrowed = choice.narrows(config.option) or any(getattr(config.option, name, None) for name in NARROWING)
    if narrowed or os.environ.get(VARIABLE) or hasattr(config, "workerinput"):
        return ()
    given = {argument.rstrip("/") for argument in config.args}
    if set(config.getini("testpaths")) <= given:
        return ("test", "e2e")
    return ("e2e",) if E2E in given else ()


def register(config: pytest.Config, root: Path) -> None:
    """Add the recorder to a run of the tests of the project in ``root``, if it is a whole session."""
    if config.rootpath == root and (made := sessions(config)):
        config.pluginmanager.register(Recorder(root, made), "hardener-proofs")


class Recorder:
    """Collects the reports of all workers and writes the records once all tests have run."""

    def __init__(self, root: Path, made: tuple[str, ...]) -> None:
        self.root, self.started, self.commit = root, proofs.now(), proofs.subject(root)
        self.findings = {session: proofs.Findings() for session in made}
        for session in made:
            proofs.forget(root, session)

    def _of(self, nodeid: str) -> list[proofs.Findings]:
        return [
            findings
            for session, findings in self.findings.items()
            if session != "e2e" or nodeid.startswith((f"{E2E}/", f"{E2E}::"))
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a phase of a test: a test passes with its call, and fails with any phase."""
        for findings in self._of(report.nodeid):
            if report.failed:
                findings.failed.append(f"{report.nodeid} ({report.when})")
            elif report.skipped:
                findings.skipped.append(proofs.Skip(report.nodeid, reason(report)))
            elif report.when == "call":
                findings.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note files that cannot be read, and those that are skipped as a whole."""
        for findings in self._of(report.nodeid):
            if report.failed:
                findings.failed.append(f"{report.nodeid} (collection)")
            elif report.skipped:
                findings.skipped.append(proofs.Skip(report.nodeid, reason(report)))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the records, unless the run ended before all tests had run and none had failed."""
        after = proofs.subject(self.root)
        same = (self.commit.commit, self.commit.clean) == (after.commit, after.clean)
        for session, findings in self.findings.items():
            if not same:
                findings.failed.append("the sources changed while the session ran")
            if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or findings.failed:
                failed = tuple(findings.failed)
                skipped = tuple(
                    dict.fromkeys(findings.skipped)
                )  # each worker reports a file that is skipped as a whole
                record = proofs.Record(session, after, self.started, findings.passed, failed, skipped)
                proofs.write(self.root, record)


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was skipped, without pytest's prefix."""
    if expected := getattr(report, "wasxfail", ""):
        return f"expected failure: {expected}"
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ")
