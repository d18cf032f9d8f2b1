"""series/canonical.py: a message that git am would change is refused, and no other."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hardener.series.canonical import EXPORT, unmailable
from support.fakes import FakeUpstream, git

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = [
    "Say ten\n\nWhy.\n\nReason: build",
    "fix(area): say ten\n\nWhy.",
    "[ours] Say ten\n\nWhy.",
    "[PATCH] Say ten\n\nWhy.",
    "[PATCH v2 1/3] Say ten\n\nWhy.",
    "[RFC PATCH] Say ten\n\nWhy.",
    "Re: Say ten\n\nWhy.",
    "Revert: Say ten\n\nWhy.",
    "Say ten\n\nWhy.\n\n---\nMore.",
    "Say ten\n\nWhy.\n\n---  \nMore.",
    "Say ten\n\nWhy.\n\n----\nMore.",
    "Say ten\n\nWhy.\n\n--- a/x\nMore.",
    "Say ten\n\nWhy.\n\n--\nMore.",
    "Say ten\n\nWhy.\n\n  ---\nMore.",
    "Say ten\n\nWhy.\n\ndiff --git a/x b/x\nMore.",
    "Say ten\n\nWhy.\n\ndiff -u x y\nMore.",
    "Say ten\n\nWhy.\n\ndifferent\nMore.",
    "Say ten\n\nWhy.\n\nIndex: x\nMore.",
    "Say ten\n\nFrom: Mia <mia@example.org>\n\nWhy.",
    "Say ten\n\nSubject: other\n\nWhy.",
    "Say ten\n\nFrom here on it is right.",
    "Say ten\n\nWhy.\n\nFrom: Mia <mia@example.org>",
    "Sage größer\n\nÄhnlich wie sonst; ein Satz mit ß.",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_what_is_refused_is_what_git_would_change(upstream: FakeUpstream, tmp_path: Path, message: str) -> None:
    """The control is git itself: what ``git mailinfo``, as git am calls it, makes of the exported mail."""
    person = {f"GIT_{role}_{what}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    tree = upstream.rev_parse("HEAD^{tree}")
    empty = git(upstream.path, "mktree").decode().strip()
    parent = git(upstream.path, "commit-tree", empty, "-m", "before", env=person).decode().strip()
    words = ("commit-tree", tree, "-p", parent, "-F", "-")
    commit = git(upstream.path, *words, stdin=message.encode(), env=person).decode().strip()
    mail = git(upstream.path, *EXPORT, commit)
    argv = ["git", "mailinfo", "-b", tmp_path / "text", tmp_path / "diff"]
    said = subprocess.run(argv, input=mail, capture_output=True, check=True).stdout.decode()
    subject = said.partition("Subject: ")[2].split("\n")[0]
    comes_back = f"{subject}\n\n{(tmp_path / 'text').read_text('utf-8').strip()}" == message
    assert (unmailable(message) == "") is comes_back, said
