"""The work tree of ``hardener edit``: a git repository of its own, one commit a patch, with what is needed to go back.

Upstream's objects are borrowed from the mirror in the cache; what a person makes lies in the work tree itself.
The person drives it with plain git. ``hardener.json`` in its ``.git`` says what it was made from.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import StackError, UnfinishedError
from hardener.git.repository import PLAIN_ENVIRONMENT, PLAIN_OPTIONS, Identity, Repository
from hardener.series.lists import SERIES
from hardener.system import disk, stamps
from hardener.system.process import Completed, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component
    from hardener.series.extras import Layer

EDIT = "edit"  # folder of the work trees in the work area
BRANCH = "series"
BASE = "hardener/base"
NAME_FIELD = "Patch-Name"  # the patch file, in each commit's message
COMMITTER = Identity("hardener", "hardener@hardener.invalid", "2000-01-01T00:00:00+00:00")
# How git says, in its own folder, that somebody is in the middle of something.
_HALF_DONE = {
    "rebase-merge": ("a rebase", "git rebase --continue (or: git rebase --abort)"),
    "rebase-apply/applying": ("a 'git am'", "git am --continue (or: git am --abort)"),
    "rebase-apply": ("a rebase", "git rebase --continue (or: git rebase --abort)"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --continue (or: git cherry-pick --abort)"),
    "REVERT_HEAD": ("a revert", "git revert --continue (or: git revert --abort)"),
    "MERGE_HEAD": ("a merge", "git merge --abort (the series is a line of commits)"),
}
# So that a message and a file come back byte for byte, whatever the person's own configuration says.
_SETTINGS = {
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.commentChar": ";",  # '#config' may begin a line of a message
    "core.sparseCheckoutCone": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",  # borrowed objects may not be here at all
    "rebase.autoSquash": "true",
    "rerere.enabled": "true",
    "merge.conflictStyle": "zdiff3",
    "advice.detachedHead": "false",
}


@dataclass(frozen=True)
class State:
    """What the tree was made from: the base commit, the files of the series by SHA-256, the commit made of them.

    ``head`` is empty while the series is put into the tree, and so after an ``edit`` that was killed at it.
    ``target`` is what a regen was writing when it was killed; empty else.
    """

    base: str
    head: str
    files: Mapping[str, str]
    target: Mapping[str, str]


class EditTree:
    """One component's (and layer's) work tree, which may not exist yet."""

    def __init__(self, path: Path, subject: str) -> None:
        self.path = path
        self.lock = path.with_name(path.name + ".lock")
        self.repository = Repository(path / ".git")
        self.edit, self.regen = f"hardener edit {subject}", f"hardener regen {subject}"

    @classmethod
    def of(cls, area: Path, component: Component, layer: Layer) -> EditTree:
        """The work tree of a layer's series, below ``area``."""
        name = component.name + (f".{layer.name}" if layer.name else "")
        return cls(area / name, component.name + (f" --extra {layer.root}" if layer.name else ""))

    @property
    def exists(self) -> bool:
        """Whether there is one."""
        return (self.path / ".git").is_dir()

    def git(self, *words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Completed:
        """Run git in the work tree, without the person's configuration; a non-zero status is the caller's to judge."""
        environment = PLAIN_ENVIRONMENT | dict(env or {})
        return run(["git", *PLAIN_OPTIONS, "-C", self.path, *words], env=environment, stdin=stdin)

    def output(self, *words: str | Path) -> str:
        """Standard output of a git command that has to succeed."""
        done = self.git(*words)
        if done.status:
            raise StackError(
                f"git {words[0]} failed in {self.path}: {done.complaint}",
                hint=f"look at it with git; to begin anew (your work is kept on a branch): {self.edit} --restart",
            )
        return done.text

    def create(self, mirror: Path, component: Component, base: str) -> None:
        """Make the repository, without files yet. What is there by this name is not touched: it must not exist."""
        self.path.mkdir(parents=True)
        self.output("init", "--quiet", f"--initial-branch={BRANCH}")
        inner = self.path / ".git"
        (inner / "objects" / "info" / "alternates").write_text(os.fspath(mirror.absolute() / "objects") + "\n", "utf-8")
        if (mirror / "shallow").exists():
            shutil.copy(mirror / "shallow", inner / "shallow")
        url = Repository(mirror).git("config", "remote.upstream.url").text or component.repository
        promisor = {  # a mirror may lack files that 'exclude' keeps out; git commits only where it knows of that
            "core.repositoryFormatVersion": "1",
            "extensions.partialClone": "upstream",
            "remote.upstream.url": url,
            "remote.upstream.promisor": "true",
            "remote.upstream.partialCloneFilter": "blob:none",
            "core.sparseCheckout": "true" if component.exclude else "false",
        }
        for name, value in (_SETTINGS | promisor).items():
            self.output("config", name, value)
        (inner / "info" / "attributes").write_text("* -text -ident -filter\n", "utf-8")
        patterns = ["/*", *(f"!/{path.rstrip('/')}" for path in component.exclude)]
        (inner / "info" / "sparse-checkout").write_text("".join(f"{line}\n" for line in patterns), "utf-8")
        self.output("update-ref", f"refs/{BASE}", base)

    def state(self) -> State | None:
        """What ``hardener.json`` says; None where it is missing or damaged."""
        stored: Any = disk.read_json(self.path / ".git" / "hardener.json")
        try:
            return State(stored["base"], stored["head"], dict(stored["files"]), dict(stored["target"]))
        except (TypeError, KeyError, ValueError):
            return None

    def remember(self, state: State) -> None:
        """Write ``hardener.json``."""
        disk.write_json(self.path / ".git" / "hardener.json", vars(state))

    def half_done(self) -> tuple[str, str] | None:
        """What a person is in the middle of, and how it goes on."""
        for name, (what, mend) in _HALF_DONE.items():
            if (self.path / ".git" / name).exists():
                return what, mend
        return None

    def dirty(self) -> list[str]:
        """Files that differ from the last commit, and new ones that git does not ignore."""
        status = self.output("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        return [entry[3:] for entry in status.split("\0") if entry]

    def head(self) -> str:
        """The commit that is checked out."""
        return self.repository.commit("HEAD") or ""

    def pristine(self) -> bool:
        """Whether nothing was done here since the series was imported or written."""
        state = self.state()
        return state is not None and not self.half_done() and self.head() == state.head and not self.dirty()

    def refuse_unfinished(self) -> None:
        """Raise UnfinishedError for a half-finished rebase, uncommitted changes, or another branch."""
        if found := self.half_done():
            raise UnfinishedError(f"{self.path}: {found[0]} is half done", hint=f"cd {self.path} && {found[1]}")
        if files := self.dirty():
            raise UnfinishedError(
                f"{self.path}: {len(files)} file(s) with changes that are in no commit",
                hint=f"cd {self.path} && git add -A && git commit --amend (or git commit, git stash -u, git clean)",
                details=tuple(files[:10]),
            )
        branch = self.git("symbolic-ref", "--quiet", "--short", "HEAD").text
        if branch != BRANCH:
            here = f"the branch {branch}" if branch else "no branch"
            raise UnfinishedError(
                f"{self.path}: HEAD is on {here}, the series is on {BRANCH!r}",
                hint=f"cd {self.path} && git switch {BRANCH} (or make it the series: git switch -C {BRANCH})",
            )

    def save(self) -> str:
        """Keep all that a person did on a branch ``saved/N`` and stop what is half done; returns the branch's name."""
        number = 1
        while self.repository.commit(f"refs/heads/saved/{number}"):
            number += 1
        if self.dirty():
            self.output("add", "--all", "--sparse")
            commit = self.repository.commit_tree(
                self.output("write-tree"),
                self.head(),
                "Saved: not committed when the work tree was restarted\n",
                COMMITTER,
                COMMITTER,
            )
        else:
            commit = self.head()
        self.output("update-ref", f"refs/heads/saved/{number}", commit)
        if tip := self.repository.commit(f"refs/heads/{BRANCH}"):
            # In a half-finished rebase the branch still names what it was before.
            self.output("update-ref", f"refs/heads/saved/{number}-branch", tip)
        for name in ("rebase-merge", "rebase-apply", "sequencer"):
            disk.remove(self.path / ".git" / name)
        return f"saved/{number}"

    def point(self, commit: str, base: str) -> None:
        """Put the branch and the files to a commit."""
        self.output("update-ref", f"refs/{BASE}", base)
        self.output("checkout", "--quiet", "--force", "-B", BRANCH, commit)


def fingerprint(folder: Path) -> dict[str, str]:
    """SHA-256 of the series and of each patch file in a folder, by name."""
    paths = [path for path in (folder / SERIES, *folder.glob("*.patch")) if path.is_file()]
    return {path.name: stamps.file_digest(path) for path in paths}


def unsaved(area: Path) -> list[Path]:
    """Work trees below ``area`` that hold work which is in no series."""
    trees = [EditTree(inner.parent, inner.parent.name) for inner in sorted(area.glob("*/.git"))]
    return [tree.path for tree in trees if not tree.pristine()]
