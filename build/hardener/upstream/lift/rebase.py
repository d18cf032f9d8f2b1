"""One patch onto a new base, by a real three-way merge: its base is the tree that the patch was written for.

The lift has a repository of its own, which sees the objects of the history and of the mirror and keeps what is made
here: a cache that is cleaned meanwhile takes no work with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import StackError
from hardener.git import leftovers
from hardener.git.repository import PLAIN_ENVIRONMENT, PLAIN_OPTIONS, Identity, Repository
from hardener.series.apply import COMMITTER
from hardener.series.canonical import EXPORT
from hardener.series.patch import Patch, parse
from hardener.system import disk
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.git.history import History

_HERE = Identity(*COMMITTER, "2000-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Conflict:
    """A file that the merge could not settle: blob ids of the base, upstream's side and the patch's side ('': none)."""

    path: str
    base: str
    upstream: str
    patch: str


@dataclass(frozen=True)
class Merged:
    """The result of the merge: a tree, with markers in it where there are ``conflicts``; ``said`` is git's own
    account.
    """

    tree: str
    conflicts: tuple[Conflict, ...]
    said: tuple[str, ...]


def open_repository(folder: Path, history: History, mirror: Path) -> Repository:
    """Return the lift's own repository of one component, made if it is not there.

    Raises BusyError where a person's git is at work in it.
    """
    repository = Repository(folder / ".git")
    leftovers.clear(folder / ".git")  # the lift's own lock keeps other lifts out
    if not (folder / ".git" / "HEAD").exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = run(["git", *PLAIN_OPTIONS, "init", "--quiet", folder], env=PLAIN_ENVIRONMENT)
        if done.status:
            disk.refuse_full_disk(done.complaint, folder)
            raise StackError(f"git init failed in {folder}: {done.complaint}", hint="hardener lift --abort")
    settings = {
        "gc.auto": "0",
        "core.autocrlf": "false",
        "merge.conflictStyle": "zdiff3",
        "advice.detachedHead": "false",
        "user.name": COMMITTER[0],
        "user.email": COMMITTER[1],
        # What the web build never reads need not be here: git takes that for damage unless a person promised it.
        "remote.upstream.url": next(iter(history.remotes), str(history.path.absolute())),
        "remote.upstream.promisor": "true",
    }
    listed = repository.output("config", "--local", "--list", "-z").split("\0")
    there = {key: value for key, _, value in (setting.partition("\n") for setting in listed)}
    for key, value in settings.items():
        if there.get(key.lower()) != value:
            repository.output("config", key, value)
    # Content is taken byte for byte, whatever upstream's .gitattributes say.
    disk.write(folder / ".git" / "info" / "attributes", b"* -text -filter -ident -working-tree-encoding\n")
    alternates = f"{history.path.absolute() / 'objects'}\n{mirror.absolute() / 'objects'}\n"
    disk.write(folder / ".git" / "objects" / "info" / "alternates", alternates.encode())
    return repository


def merge(repository: Repository, tip: str, old: str) -> Merged:
    """Carry the change that the commit ``old`` makes over to ``tip``, without a work tree.

    Raises StackError where git is too old for it.
    """
    # git finds the base of a merge only in history, so upstream's side becomes a child of the patch's parent.
    ours = repository.commit_tree(f"{tip}^{{tree}}", old + "^", "upstream", _HERE, _HERE)
    done = repository.git(
        "-c",
        "merge.conflictStyle=zdiff3",
        "-c",
        "merge.directoryRenames=false",
        "merge-tree",
        "--write-tree",
        "-z",
        ours,
        old,
    )
    if done.status not in (0, 1):
        raise StackError(f"git merge-tree failed: {done.complaint}", hint="lift needs git 2.38 or newer: git --version")
    head, _, said = done.stdout.decode("utf-8", "surrogateescape").partition("\0\0")
    tree, *listed = head.split("\0")
    stages: dict[str, dict[str, str]] = {}
    for line in filter(None, listed if done.status else ()):
        info, path = line.split("\t", 1)
        _, blob, stage = info.split(" ")
        stages.setdefault(path, {})[stage] = blob
    conflicts = tuple(Conflict(path, *(blobs.get(stage, "") for stage in "123")) for path, blobs in stages.items())
    return Merged(tree.strip(), conflicts, tuple(re.findall(r"CONFLICT[^\0]*", said)))


def commit(repository: Repository, tree: str, tip: str, patch: Patch, new_base: str) -> str:
    """Return the commit that a lifted patch becomes; its id depends on nothing but the arguments."""
    committer = Identity(*COMMITTER, f"{repository.committed(new_base)} +0000")
    return repository.commit_tree(tree, tip, patch.message, patch.author, committer)


def merged_upstream(repository: Repository, tip: str, patch: Patch) -> bool:
    """Return whether the tree has the change already: the patch applies in reverse and not forward."""
    with repository.index(tip) as index:
        back = index.git("apply", "--cached", "--check", "--reverse", "-", stdin=patch.content)
        forward = index.git("apply", "--cached", "--check", "-", stdin=patch.content)
    return back.status == 0 and forward.status != 0


def kind_of_stop(repository: Repository, tip: str, patch: Patch, merged: Merged) -> str:
    """Return why the merge needs a person, in the words of series/apply.py's taxonomy."""
    if merged_upstream(repository, tip, patch):
        return "merged-upstream"
    present = repository.entries(tip)
    if any(not conflict.upstream and conflict.path not in present for conflict in merged.conflicts):
        return "target-gone"
    if any(touch.old and touch.old not in present for touch in patch.touches):
        return "target-moved"
    return "conflict"


def export(repository: Repository, commit: str, name: str) -> Patch:
    """Return a commit of a series as a patch; not yet in canonical form, because earlier patches are around it."""
    return parse(name, repository.git(*EXPORT, commit).stdout)


def compare(before: Patch, after: Patch) -> str:
    """Return what became of a patch: clean (the same), offset, context, moved (other paths) or changed (other
    lines).
    """
    old, new = _lines(before.content), _lines(after.content)
    if [lines for _, lines in old] != [lines for _, lines in new]:
        return "changed"
    if [paths for paths, _ in old] != [paths for paths, _ in new]:
        return "moved"
    place = re.compile(rb"^(?:@@ .*|index .*|Base: .*)$", re.MULTILINE)
    if place.sub(b"", _diff(before.content)) != place.sub(b"", _diff(after.content)):
        return "context"
    return "clean" if _diff(before.content) == _diff(after.content) else "offset"


def _diff(content: bytes) -> bytes:
    return content[content.index(b"\ndiff --git ") :]


def _lines(content: bytes) -> list[tuple[bytes, list[bytes]]]:
    """Return a diff's files, each with its paths and the lines that it takes and adds."""
    files: list[tuple[bytes, list[bytes]]] = []
    in_hunk = False
    for line in _diff(content).split(b"\n"):
        if line.startswith(b"diff --git "):
            files.append((line, []))
            in_hunk = False
        elif line.startswith(b"@@ "):
            in_hunk = True
        elif in_hunk and line[:1] in (b"+", b"-"):
            files[-1][1].append(line)
    return files


def chain(repository: Repository, base: str, tip: str, names: tuple[str, ...]) -> Mapping[str, str]:
    """Return the commits from ``base`` to ``tip``, one a patch, by patch name; what follows is left out."""
    commits = repository.output("rev-list", "--reverse", f"{base}..{tip}").split()
    return dict(zip(names, commits, strict=False))
