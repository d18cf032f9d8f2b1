"""A git repository that holds a project, as its maintainers have it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A Maintainer",
    "GIT_AUTHOR_EMAIL": "maintainer@example.org",
    "GIT_COMMITTER_NAME": "A Maintainer",
    "GIT_COMMITTER_EMAIL": "maintainer@example.org",
    "GIT_AUTHOR_DATE": "1779000000 +0000",
    "GIT_COMMITTER_DATE": "1779000000 +0000",
}


def git(root: Path, *words: str | Path) -> str:
    """Run git in a repository with constant names and dates; returns what it printed."""
    env = os.environ | _SETTINGS
    done = subprocess.run(["git", *words], cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(root: Path, message: str = "project: change") -> str:
    """Commit all files of a folder, which becomes a repository if it is none; returns the commit."""
    if not (root / ".git").exists():
        git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")


def tag(root: Path, name: str, key: Path | None = None) -> None:
    """Set a tag at the present commit, in place of an older one of that name; signed with an OpenSSH key if given."""
    signed = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}") if key else ()
    git(root, *signed, "tag", "--force", "--sign" if key else "--annotate", "--message", name, name)
