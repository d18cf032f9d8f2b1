"""How the tests are shared out among workers: what stays together, what comes first, and what the summary says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import sharing_out

TESTS = Path(sharing_out.__file__).parents[1]
SHARING = ("tests/e2e/test_call.py", "tests/e2e/test_stack.py")
OTHERS = ("tests/e2e/test_csp.py", "tests/unit/test_ui.py")
# Each test says which process ran it.
FILE = """
import os, pathlib, pytest
def test_one(WANTED): pathlib.Path(f"{__file__}-{os.getpid()}").touch()
def test_two(WANTED): pathlib.Path(f"{__file__}-{os.getpid()}").touch()
def test_three(WANTED): pytest.skip("for a reason")
"""
CONFTEST = """
import pytest
from conftest_of_the_project import *
@pytest.fixture
def stacks(): pass
"""


def run(folder: Path, files: dict[str, str], *words: str) -> tuple[int, str]:
    """Run files, each of which asks for a fixture or for none, as the project's own conftest.py says."""
    (folder / "conftest_of_the_project.py").write_bytes((TESTS / "conftest.py").read_bytes())
    (folder / "conftest.py").write_text(CONFTEST)
    for name, wanted in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(FILE.replace("WANTED", wanted))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", "-c", os.devnull, "--rootdir", folder]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{TESTS}:{folder}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run([*command, *words, folder], capture_output=True, text=True, env=env, check=False)
    return done.returncode, done.stdout + done.stderr


def processes(folder: Path, *names: str) -> set[str]:
    """Return the processes that ran tests of these files."""
    return {path.name.rpartition("-")[2] for name in names for path in folder.glob(f"{name}-*")}


def test_files_and_what_shares_a_stack_stay_in_one_process_and_skips_are_counted(tmp_path: Path) -> None:
    files = dict.fromkeys(SHARING, "stacks") | dict.fromkeys(OTHERS, "")
    code, said = run(tmp_path, files, "-p", "xdist", "-n", "3", "--no-loadscope-reorder")
    assert code == 0, said
    assert [len(processes(tmp_path, name)) for name in files] == [1, 1, 1, 1]
    assert len(processes(tmp_path, *SHARING)) == 1
    assert len(processes(tmp_path, *files)) == 3
    assert "8 passed, 4 skipped" in said
    assert all(f"{name}:5: for a reason" in said for name in files)
    assert re.findall(r"[0-9.]+s +([0-9]+) tests +(.*)", said) in (
        [("9", "tests/e2e"), ("3", "tests/unit")],
        [("3", "tests/unit"), ("9", "tests/e2e")],
    )


def test_a_file_that_shares_a_stack_and_is_not_listed_is_refused(tmp_path: Path) -> None:
    code, said = run(tmp_path, {OTHERS[0]: "stacks"})
    assert code == 1
    assert f"{OTHERS[0]} asks for 'stacks': add it to TOGETHER" in said


def report(nodeid: str, when: str, duration: float) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", 0, ""), {}, "passed", None, when, duration=duration)  # type: ignore[arg-type]


def test_fixtures_count_for_the_folder_and_a_test_counts_once() -> None:
    reports = [
        report("tests/unit/test_ui.py::test_it[a::b]", "call", 1),
        report("tests/e2e/test_csp.py::test_it", "setup", 2),
        report("tests/e2e/test_csp.py::test_it", "call", 3),
        report("build/hardener/ui.py::hardener.ui.size", "call", 0.5),
    ]
    assert sharing_out.seconds_by_folder(reports) == {
        "tests/e2e": (1, 5),
        "tests/unit": (1, 1),
        "build/hardener": (1, 0.5),
    }
    assert list(sharing_out.seconds_by_folder(reports)) == ["tests/e2e", "tests/unit", "build/hardener"]


def test_what_takes_longest_begins_first_and_is_there() -> None:
    assert sharing_out.rank("tests/e2e/test_stack.py::test_it") < sharing_out.rank("tests/e2e/test_csp.py::test_it")
    assert sharing_out.rank("tests/e2e/test_csp.py::test_it") < sharing_out.rank("tests/unit/test_ui.py::test_it")
    assert all((TESTS.parent / path).exists() for path in sharing_out.LONGEST_FIRST)
