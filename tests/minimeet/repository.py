"""Make minimeet's source tree a git repository whose commit id is a pure function of its content."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "upstream"
_WHO = {"NAME": "minimeet", "EMAIL": "minimeet@minimeet.invalid", "DATE": "2026-01-02T03:04:05+0000"}


def create(target: Path) -> str:
    """Write a bare repository with one commit (branch main, tag v1.0) to ``target``; returns the commit id."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_DIR": str(target),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    } | {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _WHO.items()}

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], env=environment, check=True, capture_output=True, text=True, cwd=SOURCE
        ).stdout.strip()

    target.mkdir(parents=True, exist_ok=True)
    git("init", "--quiet", "--bare", "--initial-branch=main")
    git(f"--work-tree={SOURCE}", "add", "--all", ".")
    commit = git("commit-tree", git("write-tree"), "-m", "minimeet 1.0")
    git("update-ref", "refs/heads/main", commit)
    git("update-ref", "refs/tags/v1.0", commit)
    return commit


if __name__ == "__main__":
    print(create(Path(sys.argv[1])))
