"""Open a series for change: a work tree whose branch has one commit a patch on the pinned commit.

Change, amend, reorder and drop commits with plain git; ``hardener regen`` writes the series back. The name of its file
travels in each message as ``Patch-Name:``. A patch that does not fit is handed to ``git am --3way``, which stops there.

The work tree is a git repository that borrows upstream's objects from the mirror in the cache; its own commits lie in
the work tree itself. ``hardener.json`` in its ``.git`` records what it was made from.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import PatchError, StackError, UnfinishedError
from hardener.git import leftovers
from hardener.git.repository import PLAIN_ENVIRONMENT, PLAIN_OPTIONS, Identity, Repository
from hardener.series import header
from hardener.series import patch as patches
from hardener.series.canonical import APPLY
from hardener.series.extras import command
from hardener.series.lists import SERIES, read_series
from hardener.system import disk, locks, stamps
from hardener.system.process import Completed, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hardener.config import Component
    from hardener.series.extras import Layer
    from hardener.series.patch import Patch

EDIT = "edit"  # folder of the work trees in the work area
BRANCH = "series"
BASE = "hardener/base"
NAME_FIELD = "Patch-Name"  # the patch file, in each commit's message
COMMITTER = Identity("hardener", "hardener@hardener.invalid", "2000-01-01T00:00:00+00:00")
# How git says, in its own folder, that a person is in the middle of something.
_HALF_DONE = {
    "rebase-merge": ("a rebase", "git rebase --continue (or: git rebase --abort)"),
    # Not --abort: the patches that wait would be missing from the branch, and then from the series.
    "rebase-apply/applying": ("a 'git am'", "git am --continue (or, to leave the patch out: git am --skip)"),
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
    """The origin of the tree: the base commit, the files of the series by SHA-256, the resulting commit.

    ``head`` is empty while the series is put into the tree, and so after an ``edit`` that was killed at it. ``extras``
    are the folders of ``--extra``, the last of which has the series.
    """

    base: str
    head: str
    files: Mapping[str, str]
    extras: tuple[str, ...] = ()


class EditTree:
    """One component's (and layer's) work tree, which may not exist yet."""

    def __init__(self, path: Path, component: str, extras: Sequence[str]) -> None:
        self.path, self.component, self.extras = path, component, tuple(extras)
        self.lock = path.with_name(path.name + ".lock")
        self.repository = Repository(path / ".git")
        self.edit, self.regen = (command((word, component), extras) for word in ("edit", "regen"))
        self.restart = command(("edit", component, "--restart"), extras)

    @classmethod
    def of(cls, area: Path, component: Component, layer: Layer) -> EditTree:
        """Return the work tree of a layer's series, below ``area``."""
        name = component.name + (f".{layer.name}" if layer.name else "")
        return cls(area / name, component.name, [os.fspath(folder) for folder in layer.extras])

    @classmethod
    def at(cls, path: Path) -> EditTree:
        """Return the work tree that is at a path, with the layer that it records."""
        state = cls(path, path.name, ()).state()
        extras = state.extras if state else ()
        return cls(path, path.name.removesuffix(f".{Path(extras[-1]).name}") if extras else path.name, extras)

    @property
    def record(self) -> Path:
        """Return the file with the tree's :class:`State`."""
        return self.path / ".git" / "hardener.json"

    @property
    def cd(self) -> str:
        """Return the command that changes into the tree, as it is typed."""
        return f"cd {shlex.quote(os.fspath(self.path))}"

    @property
    def ground(self) -> str:
        """Return the words for what its series is applied to."""
        return "the layers below are at" if self.extras else "the pin is"

    def dropped(self, name: str) -> Path:
        """Return the file that keeps a patch without a commit, for ``git am``."""
        return self.path / ".git" / "dropped" / name

    @property
    def exists(self) -> bool:
        """Return whether there is one."""
        return (self.path / ".git").is_dir()

    def git(self, *words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Completed:
        """Run git in the work tree, without the person's configuration; a non-zero status is the caller's to judge."""
        environment = PLAIN_ENVIRONMENT | dict(env or {})
        return run(["git", *PLAIN_OPTIONS, "-C", self.path, *words], env=environment, stdin=stdin)

    def output(self, *words: str | Path) -> str:
        """Return the standard output of a git command that has to succeed."""
        done = self.git(*words)
        if done.status:
            raise StackError(
                f"git {words[0]} failed in {self.path}: {done.complaint}",
                hint=f"look at it with git; to begin again (your work is kept on a branch): {self.restart}",
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
        """Return what ``hardener.json`` says; None where it is missing or damaged."""
        stored: Any = disk.read_json(self.record)
        try:
            return State(stored["base"], stored["head"], dict(stored["files"]), tuple(stored.get("extras", ())))
        except (TypeError, KeyError, ValueError, AttributeError):
            return None

    def remember(self, state: State) -> None:
        """Write ``hardener.json``."""
        disk.write_json(self.record, vars(state))

    def half_done(self) -> tuple[str, str] | None:
        """Return what a person is in the middle of, and how it continues."""
        for name, (what, fix) in _HALF_DONE.items():
            if (self.path / ".git" / name).exists():
                return what, fix
        return None

    def dirty(self) -> list[str]:
        """Return files that differ from the last commit, and new ones that git does not ignore."""
        status = self.output("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        return [entry[3:] for entry in status.split("\0") if entry]

    def snapshot(self) -> str:
        """Return a commit of all files as they are now, also new ones; the branch and git's index stay as they are.

        Raises UnfinishedError in the middle of a rebase or the like, where files hold conflicts.
        """
        if found := self.half_done():
            raise UnfinishedError(f"{self.path}: {found[0]} is unfinished", hint=f"{self.cd} && {found[1]}")
        with tempfile.TemporaryDirectory(prefix="hardener-index-") as folder:
            index = Path(folder) / "index"
            shutil.copyfile(self.path / ".git" / "index", index)  # so that git reads only files that have changed
            env = {"GIT_INDEX_FILE": os.fspath(index)}
            added = self.git("add", "--all", "--sparse", env=env)
            done = added if added.status else self.git("write-tree", env=env)
        if done.status:
            raise StackError(f"git cannot read {self.path}: {done.complaint}", hint=f"{self.cd} && git status")
        base = self.output("rev-parse", f"refs/{BASE}")
        return self.repository.commit_tree(done.text, base, "As it is edited\n", COMMITTER, COMMITTER)

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self.repository.commit("HEAD") or ""

    def pristine(self) -> bool:
        """Return whether nothing was done here since the series was imported or written."""
        state = self.state()
        return state is not None and not self.half_done() and self.head() == state.head and not self.dirty()

    def saved(self) -> list[str]:
        """Return the branches with content from before a restart."""
        return self.output("for-each-ref", "--format=%(refname:short)", "refs/heads/saved").split()

    def refuse_other_layer(self) -> None:
        """Raise UnfinishedError where the tree has work for another folder of ``--extra``."""
        state = self.state()
        if state and state.extras and state.extras != self.extras and Path(state.extras[-1]).exists():
            tree = EditTree.at(self.path)
            raise UnfinishedError(
                f"{self.path}: it was opened with --extra {' --extra '.join(state.extras)}, and has work for that",
                hint=f"{tree.regen}, or begin again (your work is kept on a branch): {self.restart}",
            )

    def refuse_unfinished(self) -> None:
        """Raise UnfinishedError for a half-finished rebase, uncommitted changes, or another branch."""
        if found := self.half_done():
            raise UnfinishedError(f"{self.path}: {found[0]} is unfinished", hint=f"{self.cd} && {found[1]}")
        if files := self.dirty():
            state = self.state()
            # Without a patch, the newest commit is what the tree is based on.
            ours = not state or self.head() != state.base
            ways = "git commit --amend (or: git commit; or: git stash -u)" if ours else "git commit (or: git stash -u)"
            raise UnfinishedError(
                f"{self.path}: {len(files)} file(s) with changes that are in no commit",
                hint=f"{self.cd} && git add -A && {ways}",
                details=tuple(files[:10]),
            )
        branch = self.git("symbolic-ref", "--quiet", "--short", "HEAD").text
        if branch != BRANCH:
            here = f"the branch {branch}" if branch else "no branch"
            # Commits without a branch are given one first: they would be hard to find afterwards.
            keep, kept = (
                ("", branch) if branch else (f"git branch here-{self.head()[:7]} && ", f"here-{self.head()[:7]}")
            )
            raise UnfinishedError(
                f"{self.path}: HEAD is on {here}, the series is on {BRANCH!r}",
                hint=f"{self.cd} && {keep}git switch {BRANCH} (then, to take over what is only there: "
                f"git cherry-pick {BRANCH}..{kept})",
            )

    def save(self) -> str:
        """Keep all that a person did on a branch ``saved/N`` and stop what is unfinished; returns the branch's name."""
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
    """Return the SHA-256 of the series and of each patch file in a folder, by name."""
    paths = [path for path in (folder / SERIES, *folder.glob("*.patch")) if path.is_file()]
    return {path.name: stamps.file_digest(path) for path in paths}


def unsaved(area: Path) -> list[Path]:
    """Work trees below ``area`` that hold work which is in no series, also on a branch from before a restart."""
    return [tree.path for tree in trees_in(area) if not tree.pristine() or tree.saved()]


def trees_in(area: Path) -> list[EditTree]:
    """Return the work trees below ``area``."""
    return [EditTree.at(inner.parent) for inner in sorted(area.glob("*/.git"))]


@dataclass(frozen=True)
class Edited:
    """An open work tree: ``how`` is opened, resumed, refreshed or restarted; ``saved`` the branch with earlier work.

    ``stopped`` names the patches that do not fit and wait in a ``git am``, the first one with its conflict.
    """

    path: Path
    how: str
    patches: int
    saved: str = ""
    stopped: tuple[str, ...] = ()


def edit(
    component: Component,
    mirror: Path,
    base: str,
    layer: Layer,
    area: Path,
    *,
    restart: bool = False,
    waiting: Callable[[str], None] | None = None,
) -> Edited:
    """Open the series of a layer below ``area``, on ``base`` (the pin, or what lies below a downstream layer).

    An open work tree is gone on with; where nothing was done in it, it follows the series. With ``restart``, or where
    this was killed halfway, it is made again, and what was there is kept on a branch. While another process holds the
    work tree, ``waiting`` is called with its name. Raises UnfinishedError when both
    sides have changed, BusyError when a git is at work in it, PatchError or ConfigError for a series that cannot be
    read.
    """
    tree = EditTree.of(area, component, layer)
    with locks.lock(tree.lock, waiting=waiting):
        series = [patches.read(path) for path in read_series(layer.patches)]
        refuse_notes(layer.patches, series)
        files = fingerprint(layer.patches)
        if not tree.exists:
            disk.remove(tree.path)  # what a killed run left
            building = EditTree(tree.path.with_name(tree.path.name + ".new"), component.name, tree.extras)
            disk.remove(building.path)
            building.create(mirror, component, base)
            stopped = _import(building, base, series, files)
            building.path.rename(tree.path)
            return Edited(tree.path, "opened", len(series) - len(stopped), stopped=stopped)
        leftovers.clear(tree.path / ".git", waiting=waiting)
        state = tree.state()
        if restart:
            saved = tree.save()
            stopped = _import(tree, base, series, files)
            return Edited(tree.path, "restarted", len(series) - len(stopped), saved, stopped)
        if state and not state.head:
            saved = tree.save()
            stopped = _import(tree, base, series, files)
            return Edited(tree.path, "refreshed", len(series) - len(stopped), saved, stopped)
        _refuse_two_truths(tree, state, base, files)
        if state and (state.base, state.files) == (base, files):
            return Edited(tree.path, "resumed", len(series))
        stopped = _import(tree, base, series, files)
        return Edited(tree.path, "refreshed", len(series) - len(stopped), stopped=stopped)


def _refuse_two_truths(tree: EditTree, state: State | None, base: str, files: dict[str, str]) -> None:
    hint = f"{tree.regen}, or begin again (your work is kept on a branch): {tree.restart}"
    if state is None:
        raise UnfinishedError(f"{tree.path}: its origin is unknown", hint=hint)
    if tree.pristine():
        return
    tree.refuse_other_layer()
    if state.base != base:
        raise UnfinishedError(
            f"{tree.path}: it has work on {state.base[:12]}, {tree.ground} {base[:12]} now", hint=hint
        )
    if files != state.files:
        changed = sorted(name for name in {*state.files, *files} if state.files.get(name) != files.get(name))
        raise UnfinishedError(
            f"{tree.path}: it has work, and the series has changed too", hint=hint, details=tuple(changed)
        )


def _import(tree: EditTree, base: str, series: Sequence[Patch], files: dict[str, str]) -> tuple[str, ...]:
    """Put the branch to the series; returns the names from the first patch on that does not fit."""
    head = base
    left: Sequence[Patch] = series
    with tree.repository.index(base) as index:
        for place, patch in enumerate(series):
            left = series[place:]
            if index.git(*APPLY, stdin=patch.content).status:
                break
            head = tree.repository.commit_tree(index.tree(), head, named(patch), patch.author, COMMITTER)
            left = series[place + 1 :]
    # Without a head until it is complete: then a killed run is known by it, and what is there is neither the series of
    # before nor this one.
    tree.remember(State(base, "", files, tree.extras))
    tree.point(head, base)
    if left:
        mails = b"".join(mail(patch) for patch in left)
        who = {"GIT_COMMITTER_NAME": COMMITTER.name, "GIT_COMMITTER_EMAIL": COMMITTER.email}
        tree.git("am", "--3way", "--keep-non-patch", "--keep-cr", "--quiet", stdin=mails, env=who)
    tree.remember(State(base, head, files, tree.extras))
    return tuple(patch.name for patch in left)


def refuse_notes(folder: Path, series: Sequence[Patch]) -> None:
    """Raise PatchError for text behind the ``---`` of a patch: no commit can hold it, so it would be lost here."""
    if found := [patch.name for patch in series if patch.notes]:
        raise PatchError(
            f"{folder}: {len(found)} patch(es) have text behind '---', which a commit does not keep",
            hint="move it above the fields, into the message, or remove it",
            details=tuple(found),
        )


def named(patch: Patch) -> str:
    """Return the commit message of a patch, with the name of its file in the block of fields."""
    parts = header.body(patch.description)
    block = header.Body(parts.prose, (*parts.block, f"{NAME_FIELD}: {patch.name}"))
    return f"{patch.subject}\n\n{block}\n"


def mail(patch: Patch) -> bytes:
    """Return the patch file with the name in its message, for ``git am``."""
    head, _, diff = patch.content.partition(b"\ndiff --git ")
    start = head.partition(b"\n\n")[0]
    body = named(patch).partition("\n\n")[2]
    return start + b"\n\n" + body.encode() + b"\ndiff --git " + diff
