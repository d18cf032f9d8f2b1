"""The packages of the code: the import contracts of pyproject.toml hold, and each kind of wrong import is found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "build" / "hardener"
SIZES = {
    path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines()) for path in PACKAGE.rglob("*.py")
}
LONGEST, SHORTEST = 500, 60
LINT = (Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / "pyproject.toml")
FIRST, TYPES = "from __future__ import annotations\n", "if TYPE_CHECKING:\n"
UPWARD = "Imports go down BROKEN"
CIRCLE = "No import cycles BROKEN"
WRONG = {
    "a step imports the command line": ("pipeline/bundle.py", "hardener.cli import options", UPWARD),
    "git imports the series": ("git/trees.py", "hardener.series import lists", UPWARD),
    "the pipeline imports upstream": ("pipeline/bundle.py", "hardener.upstream import releases", UPWARD),
    "check-server imports the pin": ("servercheck/model.py", "hardener import config", UPWARD),
    "for types only": ("system/disk.py", "hardener.ui import UI", UPWARD),
    "a package that is in no layer": ("attic.py", "hardener import errors", UPWARD),
    "a circle in a package": ("git/sources.py", "hardener.git import fetch", CIRCLE),
    "a circle of folders": ("proof/xmpp/stanzas.py", "hardener.proof.attack import record", CIRCLE),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in a folder."""
    env = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(LINT, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Provide a folder with a copy of the package."""
    shutil.copytree(PACKAGE, tmp_path / "hardener", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    done = lint(copy)
    assert (done.returncode, "2 kept, 0 broken" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_import_is_found(copy: Path, name: str) -> None:
    file, wrong, said = WRONG[name]
    path = copy / "hardener" / file
    text = path.read_text("utf-8") if path.exists() else FIRST
    before, indent = (TYPES, "    ") if name == "for types only" else (FIRST, "")
    assert before in text
    path.write_text(text.replace(before, f"{before}{indent}from {wrong}\n", 1), "utf-8")
    done = lint(copy)
    assert (done.returncode, said in done.stdout) == (1, True), done.stdout


def test_no_module_is_too_long() -> None:
    assert {module: size for module, size in SIZES.items() if size > LONGEST} == {}


def test_the_decision_lists_the_short_modules() -> None:
    decision = (ROOT / "docs/adr/0015-nine-rooms.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(\S+\.py)` \|", decision, re.MULTILINE))
    short = {module for module, size in SIZES.items() if size < SHORTEST and not module.endswith("__init__.py")}
    assert listed == short, "merge a new one, or correct the table of docs/adr/0015-nine-rooms.md"


@pytest.mark.parametrize(
    "name", ["assessment", "git", "policy", "release", "series", "servercheck", "system", "upstream"]
)
def test_the_design_page_names_each_file_of_a_package(name: str) -> None:
    page = (ROOT / "docs/design.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}/` |"))
    files = {path.name for path in (PACKAGE / name).iterdir() if not path.name.startswith("__")}
    assert {file for file in files if f"`{file}`" not in row and f"`{file}/`" not in row} == set()
