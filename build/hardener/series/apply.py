"""Step 2: apply a component's patch series and removals to its pinned tree.

``git apply`` on a temporary index, in series order, on exact context: git has no fuzz, and an offset is reported. One
commit a patch, whose id is a pure function of pin and series. All patches that do not fit are reported, each with its
kind, and then nothing is left behind: there is a fully patched tree or none.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import ConfigError, PatchError
from hardener.git.repository import Identity, Index, Repository
from hardener.series import patch as patches
from hardener.series.lists import Removal, read_removals, read_series

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.series.patch import Patch

COMMITTER = ("hardener", "hardener@hardener.invalid")


class Status(enum.Enum):
    """The ways in which a patch fits a tree."""

    CLEAN = "clean"
    OFFSET = "offset"
    MERGED = "merged-upstream"
    CONFLICT = "conflict"
    MOVED = "target-moved"
    GONE = "target-gone"

    @property
    def fits(self) -> bool:
        """Return whether a build may continue."""
        return self in (Status.CLEAN, Status.OFFSET)


@dataclass(frozen=True)
class PatchResult:
    """The result for a patch: ``offsets`` in lines per moved hunk, ``detail`` in words, ``cause`` a commit."""

    name: str
    subject: str
    status: Status
    offsets: tuple[int, ...] = ()
    detail: str = ""
    cause: str = ""

    def __str__(self) -> str:
        """Return one line for a person: name, kind, detail, cause."""
        moved = f"by {', '.join(f'{lines:+d}' for lines in self.offsets)} lines" if self.offsets else ""
        cause = f"(since upstream {self.cause[:12]})" if self.cause else ""
        return " ".join(word for word in (f"{self.name}: {self.status.value}", moved, self.detail, cause) if word)


@dataclass(frozen=True)
class Applied:
    """A series on a tree: ``commit`` and ``tree`` are the result, empty where a patch does not fit."""

    component: str
    base: str
    commit: str
    tree: str
    results: tuple[PatchResult, ...]
    removed: tuple[str, ...]
    upstream_lines: int

    @property
    def fits(self) -> bool:
        """Return whether all patches and removals fitted."""
        return bool(self.commit)


def apply(
    component: str,
    mirror: Path,
    base: str,
    folder: Path,
    tree_names: tuple[str, ...] = (PIN,),
    *,
    upstream: str = "",
    hint: str = "hardener check",
) -> Applied:
    """Apply the series in ``folder`` to the commit ``base``; a folder that does not exist is an empty series.

    ``tree_names`` are the names under which ``remove.list`` knows this tree. ``upstream`` is upstream's commit below
    ``base``, where that is one of ours: only upstream's commits are named as causes. Raises PatchError (with ``hint``)
    that names all patches that do not fit, or that are not valid patches; ConfigError for a malformed or stale list.
    """
    applied = try_apply(component, mirror, base, folder, tree_names, upstream=upstream)
    bad = [str(result) for result in applied.results if not result.status.fits]
    if bad:
        raise PatchError(
            f"{component}: {len(bad)} of {len(applied.results)} patches do not fit {base[:12]}",
            hint=hint,
            details=tuple(bad),
        )
    return applied


def try_apply(
    component: str, mirror: Path, base: str, folder: Path, tree_names: tuple[str, ...] = (PIN,), *, upstream: str = ""
) -> Applied:
    """Run :func:`apply`, but only report patches that do not fit in the results."""
    return _on(component, mirror, base, folder, _read_all(folder), tree_names, upstream)


def remove_listed(component: str, mirror: Path, commit: str, folder: Path, tree_names: tuple[str, ...]) -> Applied:
    """Remove the files of a folder's remove.list from a commit that has the patches already."""
    return _on(component, mirror, commit, folder, [], tree_names, "")


def _on(
    component: str,
    mirror: Path,
    base: str,
    folder: Path,
    series: list[Patch],
    tree_names: tuple[str, ...],
    upstream: str,
) -> Applied:
    repository = Repository(mirror)
    removals = [removal for removal in read_removals(folder) if not removal.only or set(removal.only) & set(tree_names)]
    committer = Identity(*COMMITTER, f"{repository.committed(base)} +0000")
    results = []
    with repository.index(base) as index:
        commit = base
        failed: set[str] = set()
        for patch in series:
            result = _apply_one(repository, index, patch, failed, upstream or base)
            results.append(result)
            if result.status.fits:
                commit = repository.commit_tree(index.tree(), commit, patch.message, patch.author, committer)
            else:
                failed.add(patch.name)
        removed = _remove(index, removals, folder)
        if removed:
            message = "Remove files\n\n" + "".join(f"{removal.path}: {removal.reason}\n" for removal in removals)
            commit = repository.commit_tree(index.tree(), commit, message, committer, committer)
        tree = index.tree()
    fits = not failed
    return Applied(
        component=component,
        base=base,
        commit=commit if fits else "",
        tree=tree if fits else "",
        results=tuple(results),
        removed=removed,
        upstream_lines=sum(touch.added + touch.removed for patch in series for touch in patch.touches),
    )


def _read_all(folder: Path) -> list[Patch]:
    read, bad = [], []
    for path in read_series(folder):
        try:
            read.append(patches.read(path))
        except PatchError as error:
            bad.append(error)
    if bad:
        first = bad[0]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise PatchError(first.message + more, hint=first.hint, details=tuple(error.message for error in bad[1:]))
    earlier: set[str] = set()
    for patch in read:
        for name in patch.requires:
            if name.removesuffix(".patch") + ".patch" not in earlier:
                raise ConfigError(
                    f"{folder}/{patch.name}: requires {name}, which is not before it in the series",
                    hint=f"move it up in {folder}/series",
                )
        earlier.add(patch.name)
    return read


def _apply_one(repository: Repository, index: Index, patch: Patch, failed: set[str], base: str) -> PatchResult:
    # --verbose is what makes git name offsets; whitespace is not repaired, because bytes are what is reviewed.
    done = index.git("apply", "--cached", "--verbose", "--whitespace=nowarn", "-", stdin=patch.content)
    if done.status == 0:
        offsets = tuple(int(lines) for lines in re.findall(r"\(offset (-?\d+) lines?\)", done.complaint))
        return PatchResult(patch.name, patch.subject, Status.OFFSET if offsets else Status.CLEAN, offsets)
    status, detail = _classify(index, patch, done.complaint)
    broken = [name for name in patch.requires if name.removesuffix(".patch") + ".patch" in failed]
    if broken:
        detail += f" (requires {', '.join(broken)}, which does not fit either)"
    cause = "" if status is Status.CONFLICT and broken else _cause(repository, patch, base)
    return PatchResult(patch.name, patch.subject, status, (), detail, cause)


def _classify(index: Index, patch: Patch, complaint: str) -> tuple[Status, str]:
    if index.git("apply", "--cached", "--check", "--reverse", "-", stdin=patch.content).status == 0:
        return Status.MERGED, "the tree has this change already"
    listed = [line.split("\t", 1) for line in index.output("ls-files", "-s", "-z").split("\0") if line]
    return judge(patch, {path: head.split(" ")[1] for head, path in listed}, complaint)


def judge(patch: Patch, present: dict[str, str], complaint: str) -> tuple[Status, str]:
    """Return why a patch that is not in the tree already does not fit it, and the details in words.

    ``present`` maps the tree's paths to blob ids, ``complaint`` is what ``git apply`` said.
    """
    gone = [touch for touch in patch.touches if touch.old and touch.old not in present]
    if not gone:
        failing = re.findall(r"^error: patch failed: (.+:\d+)$", complaint, re.MULTILINE)
        exists = re.findall(r"^error: (.+): already exists in index$", complaint, re.MULTILINE)
        where = [f"hunk at {place}" for place in failing] + [f"{path} exists already" for path in exists]
        return Status.CONFLICT, "; ".join(where) or complaint.splitlines()[-1].removeprefix("error: ")
    moves = []
    for touch in gone:
        target = _moved_to(present, touch.old or "", touch.old_blob)
        if not target:
            return Status.GONE, ", ".join(touch.old or "" for touch in gone)
        moves.append(f"{touch.old} is now {target}")
    return Status.MOVED, "; ".join(moves)


def _moved_to(present: dict[str, str], path: str, blob: str) -> str:
    """Return where a file went: the same content, else the same path with another ending, else the only one of that
    name.
    """
    same_content = [other for other, other_blob in present.items() if blob and other_blob.startswith(blob)]
    same_stem = [other for other in present if other.rpartition(".")[0] == path.rpartition(".")[0] != ""]
    name = path.rsplit("/", 1)[-1]
    same_name = [other for other in present if other.rsplit("/", 1)[-1] == name]
    for found in (same_content, same_stem, same_name):
        if len(found) == 1:
            return found[0]
    return ""


def _cause(repository: Repository, patch: Patch, base: str) -> str:
    """Return the newest upstream commit since the patch's Base that touched its files, where history is here."""
    start = patch.fields.get("Base", "")
    if not re.fullmatch(r"[0-9a-f]{40}", start) or start == base or repository.commit(start) is None:
        return ""
    paths = [touch.old for touch in patch.touches if touch.old]
    done = repository.git("log", "-1", "--format=%H", f"{start}..{base}", "--", *paths)
    # In a shallow mirror the walk stops at the tree itself, which says nothing about the cause.
    return done.text if done.status == 0 and done.text != base else ""


def _remove(index: Index, removals: list[Removal], folder: Path) -> tuple[str, ...]:
    paths = index.output("ls-files", "-z").split("\0") if removals else []
    removed: list[str] = []
    for removal in removals:
        hits = [p for p in paths if p == removal.path or (removal.path.endswith("/") and p.startswith(removal.path))]
        if not hits:
            raise ConfigError(
                f"{folder / 'remove.list'}: {removal.path} matches nothing in the tree",
                hint="remove the line, or limit it to the trees that have the file: only=NAME",
            )
        removed += hits
    index.drop(removed)
    return tuple(removed)
