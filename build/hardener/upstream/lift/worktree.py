"""The work tree in which a person resolves a conflict, with plain git and an editor.

It is git's own cherry-pick of the old patch onto the new series so far: ``git status``, ``git diff`` and
``git show CHERRY_PICK_HEAD`` say what they always say. Nothing here is written once a person was sent there.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from hardener.errors import PatchError, StackError
from hardener.git.repository import PLAIN_ENVIRONMENT, PLAIN_OPTIONS
from hardener.system.process import Completed, run

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.git.repository import Repository

BRANCH = "lift"
_MARKER = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
_CONTINUE = "hardener lift --continue"


def open_at(folder: Path, tip: str, old: str, exclude: tuple[str, ...]) -> None:
    """Check out the new series so far and let git try the patch on it. Raises StackError where git cannot."""
    _git(folder, "config", "core.sparseCheckout", "true")
    rules = ["/*", *(f"!/{path.rstrip('/')}/" for path in exclude)]
    (folder / ".git" / "info" / "sparse-checkout").write_text("".join(f"{rule}\n" for rule in rules), "utf-8")
    _git(folder, "cherry-pick", "--quit")
    done = _git(folder, "checkout", "--quiet", "--force", "-B", BRANCH, tip)
    if done.status:
        raise StackError(f"git checkout failed in {folder}: {done.complaint}", hint="hardener lift --restart")
    _git(folder, "clean", "-ffdxq")
    _git(folder, "cherry-pick", "--allow-empty", old)


def collect(folder: Path, repository: Repository, tip: str) -> tuple[str, str]:
    """Return what the person made of it: a tree, and the commit's message if they committed (else '').

    Raises PatchError that says what is still to be done: unmerged files, markers, files that are not added,
    or no change at all.
    """
    head = _git(folder, "rev-parse", "HEAD").text
    state = _git(folder, "status", "--porcelain=v1", "-z", "--untracked-files=all").stdout.decode("utf-8", "replace")
    entries = [(line[:2], line[3:]) for line in state.split("\0") if len(line) > len("XY ")]
    strange = [path for code, path in entries if code == "??"]
    if strange:
        raise PatchError(
            f"untracked files in {folder}: {', '.join(strange[:5])}",
            hint="'git add' what belongs to the patch, remove the rest; then: " + _CONTINUE,
        )
    gone = [path for code, path in entries if code in ("DU", "UD", "AU", "UA", "DD")]
    if gone:
        raise PatchError(
            f"not decided yet: {', '.join(gone)} (removed on one side, changed on the other)",
            hint=f"in {folder}: 'git add FILE' or 'git rm FILE'; then: {_CONTINUE}",
        )
    if head == tip:
        _refuse_markers(folder, [path for _, path in entries])
        _git(folder, "add", "--update")
        done = _git(folder, "write-tree")
        if done.status:
            raise PatchError(
                f"git cannot write the tree: {done.complaint}", hint=f"git -C {shlex.quote(str(folder))} status"
            )
        tree, message = done.text, ""
    else:
        if _git(folder, "merge-base", "--is-ancestor", tip, head).status:
            raise PatchError(
                f"the branch in {folder} no longer continues from {tip[:12]}",
                hint=f"git -C {shlex.quote(str(folder))} rebase --onto {tip[:12]} ..., or: hardener lift --restart",
            )
        if entries:
            raise PatchError(
                f"changed after the commit: {', '.join(path for _, path in entries[:5])}",
                hint=f"git -C {shlex.quote(str(folder))} commit --all --amend; then: {_CONTINUE}",
            )
        tree = repository.tree_of(head)
        _refuse_markers(folder, repository.changed(tip, head))
        single = _git(folder, "rev-parse", head + "^").text == tip
        message = repository.output("show", "-s", "--format=%B", head) if single else ""
    if tree == repository.tree_of(tip):
        raise PatchError(
            "nothing is left of the patch",
            hint="if upstream does all that it did: hardener lift --continue --drop PATCH; if not, write the change",
        )
    return tree, message


def _refuse_markers(folder: Path, paths: list[str]) -> None:
    for path in paths:
        file = folder / path
        content = file.read_bytes() if file.is_file() else b""
        if match := _MARKER.search(content):
            line = content.count(b"\n", 0, match.start()) + 1
            raise PatchError(f"{file}:{line}: a conflict marker is left", hint=f"resolve it; then: {_CONTINUE}")


def _git(folder: Path, *words: str) -> Completed:
    return run(["git", *PLAIN_OPTIONS, "-C", folder, *words], env=PLAIN_ENVIRONMENT)
