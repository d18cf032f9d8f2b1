"""Records of the sessions that prove a build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hardener.errors import StackError
from hardener.pipeline import proofs
from support import linting, own_repository, proof_records

TESTS = Path(linting.__file__).parents[1]
# One test of each outcome in two files; pytest.ini names both folders as those of a whole run.
UNIT = """
import pytest
def test_passes(): pass
def test_skips(): pytest.skip("no such program")
@pytest.mark.xfail(reason="a known fault", strict=True)
def test_is_known(): assert False
"""
INI = "[pytest]\ntestpaths = tests/unit tests/e2e\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with a commit and a built site."""
    (tmp_path / ".gitignore").write_text(".work/\n__pycache__/\n")
    (tmp_path / "pytest.ini").write_text(INI)
    for path, text in (("tests/unit/test_a.py", UNIT), ("tests/e2e/test_b.py", "def test_b(): pass")):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "tests/conftest.py").write_bytes((TESTS / "conftest.py").read_bytes())
    own_repository.commit(tmp_path)
    site = tmp_path / ".work/hardened/site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("the site")
    tree = tmp_path / ".work/hardened/app/tree/.hardener"
    tree.mkdir(parents=True)
    (tree / "tree.json").write_text(json.dumps({"key": "", "facts": {"tree": "7" * 40}}))
    return tmp_path


def test_a_record_has_commit_trees_site_and_results(root: Path) -> None:
    with proofs.proving(root, "evidence") as findings:
        findings.passed = 3
        findings.skipped.append(proofs.Skip("calls", "no Docker"))
    record = proofs.read(root, "evidence")
    assert record is not None
    assert record.subject == proofs.subject(root)
    assert record.subject.clean
    assert record.subject.commit == own_repository.git(root, "rev-parse", "HEAD")
    assert record.subject.trees == {"app": "7" * 40}
    assert record.subject.site_sha256 == proofs.site_digest(root / ".work/hardened/site")
    assert (record.passed, record.failed, record.skipped) == (3, (), (proofs.Skip("calls", "no Docker"),))


@pytest.mark.parametrize("change", ["index.html", "libs/new.js", "index.html.br"])
def test_another_site_has_another_digest_and_source_maps_do_not_count(root: Path, change: str) -> None:
    site = root / ".work/hardened/site"
    before = proofs.site_digest(site)
    (site / "index.js.map").write_text("{}")
    assert proofs.site_digest(site) == before
    (site / change).parent.mkdir(exist_ok=True)
    (site / change).write_text("another")
    assert proofs.site_digest(site) != before


def test_an_explained_error_is_a_failure_and_an_interrupt_leaves_no_record(root: Path) -> None:
    def run(error: BaseException) -> Any:
        try:
            with proofs.proving(root, "attack") as findings:
                findings.passed = 1
                raise error
        except type(error):
            return proofs.read(root, "attack")

    assert run(StackError("no Docker")).failed == ("no Docker",)
    assert run(KeyboardInterrupt()) is None
    with proofs.proving(root, "attack") as findings:
        findings.passed = 1
    assert proofs.read(root, "attack") is not None
    assert run(ZeroDivisionError()) is None, "the pass of an earlier run must not stay"


def test_a_part_of_a_session_neither_writes_nor_removes_a_record(root: Path) -> None:
    with proofs.proving(root, "ablate") as findings:
        findings.passed = 58
    with proofs.proving(root, "ablate", whole=False) as findings:
        findings.failed.append("one patch")
    record = proofs.read(root, "ablate")
    assert record is not None
    assert (record.passed, record.failed) == (58, ())


@pytest.mark.parametrize("path", ["new.py", ".work/hardened/site/index.html"])
def test_a_subject_that_changes_during_a_session_fails_it(root: Path, path: str) -> None:
    with proofs.proving(root, "evidence", root / ".work/hardened/site") as findings:
        findings.passed = 1
        (root / path).write_text("changed")
    record = proofs.read(root, "evidence")
    assert record is not None
    assert record.failed == ("the sources or the site changed while the session ran",)


def test_a_work_tree_with_changes_is_not_its_commit(root: Path) -> None:
    (root / "tests/unit/test_a.py").write_text("")
    assert not proofs.subject(root).clean


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert proofs.subject(tmp_path) == proofs.Subject("", clean=False, trees={}, site_sha256="")


@pytest.mark.parametrize(
    "damage",
    [
        lambda _record: [],
        lambda record: record | {"schema": 2},
        lambda record: record | {"session": "e2e"},
        lambda record: record | {"passed": "3"},
        lambda record: record | {"clean": "yes"},
        lambda record: {key: value for key, value in record.items() if key != "failed"},
        lambda record: record | {"skipped": ["a test"]},
    ],
)
def test_a_damaged_record_counts_as_missing(root: Path, damage: Any) -> None:
    with proofs.proving(root, "test") as findings:
        findings.passed = 1
    path = root / ".work/proofs/test.json"
    assert proofs.read(root, "test") is not None
    path.write_text(json.dumps(damage(json.loads(path.read_bytes()))))
    assert proofs.read(root, "test") is None


def found(root: Path, session: str) -> tuple[int, list[str], dict[str, str]]:
    """Return passed tests, failures, and skipped tests with their reasons."""
    record = proofs.read(root, session)
    assert record is not None
    return record.passed, list(record.failed), {skip.name: skip.reason for skip in record.skipped}


def test_a_whole_run_of_the_tests_in_a_worker_process_writes_both_records(root: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "PYTHONPATH": str(TESTS),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "xdist", "-n", "1"]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    file = "tests/unit/test_a.py"
    skipped = {f"{file}::test_skips": "no such program", f"{file}::test_is_known": "expected failure: a known fault"}
    assert found(root, "test") == (2, [], skipped), done.stdout
    assert found(root, "e2e") == (1, [], {})


def config(*arguments: str, **options: Any) -> Any:
    """Return what pytest knows of its command line."""
    known = {"getini": lambda _name: ["tests/unit", "tests/e2e"], "option": SimpleNamespace(**options)}
    return SimpleNamespace(args=list(arguments or ("tests/unit", "tests/e2e")), **known)


def test_only_a_whole_run_is_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proof_records.sessions(config()) == ("test", "e2e")
    assert proof_records.sessions(config(keyword="", deselect=None)) == ("test", "e2e")
    assert proof_records.sessions(config("tests/e2e/")) == ("e2e",)
    assert proof_records.sessions(config("tests/unit")) == ()
    assert proof_records.sessions(config("tests/e2e/test_b.py")) == ()
    for option in proof_records.NARROWING:
        assert proof_records.sessions(config(**{option: ["x"]})) == ()
    monkeypatch.setenv("HARDENER_ARCHIVE", "another.tar.gz")
    assert proof_records.sessions(config()) == ()


def report(nodeid: str, when: str, outcome: str) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", 0, ""), {}, outcome, None, when)  # type: ignore[arg-type]


def test_a_failure_of_any_phase_and_a_file_that_cannot_be_read_fail_the_session(root: Path) -> None:
    recorder = proof_records.Recorder(root, ("test", "e2e"))
    for when, outcome in (("setup", "passed"), ("call", "passed"), ("teardown", "failed")):
        recorder.pytest_runtest_logreport(report("tests/e2e/test_b.py::test_b", when, outcome))
    recorder.pytest_collectreport(pytest.CollectReport("tests/unit/test_a.py", "failed", "", []))
    recorder.pytest_sessionfinish(pytest.ExitCode.INTERRUPTED)
    failed = ["tests/e2e/test_b.py::test_b (teardown)"]
    assert found(root, "e2e") == (1, failed, {})
    assert found(root, "test") == (1, [*failed, "tests/unit/test_a.py (collection)"], {})


@pytest.mark.parametrize("status", [pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR])
def test_an_interrupted_run_of_the_tests_leaves_no_record(root: Path, status: int) -> None:
    for end, left in ((pytest.ExitCode.OK, True), (status, False)):
        recorder = proof_records.Recorder(root, ("e2e",))
        recorder.pytest_runtest_logreport(report("tests/e2e/test_b.py::test_b", "call", "passed"))
        recorder.pytest_sessionfinish(end)
        assert (proofs.read(root, "e2e") is not None) is left


def test_all_checks_of_lint_are_made_and_those_that_fail_are_named(root: Path) -> None:
    checks = (("python", "-c", "raise SystemExit(3)"), ("python", "-c", ""))
    assert linting.main(root, checks) == 1
    record = proofs.read(root, "lint")
    assert record is not None
    assert (record.passed, record.failed) == (1, ("python -c raise SystemExit(3)",))
    assert linting.main(root, checks[1:]) == 0
