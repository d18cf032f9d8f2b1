"""Which upstream commits are behind a stop: those between the two pins that touched the very lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardener.git.history import History
    from hardener.git.repository import Repository
    from hardener.series.patch import Patch
    from hardener.upstream.lift.rebase import Conflict

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+[\d,]+ @@[^\n]*\n((?:[-+\\].*(?:\n|$))*)", re.MULTILINE)
_TURNED = {"+": "-", "-": "+"}
_MOST = 5  # commits that a message names


@dataclass(frozen=True)
class Hunk:
    """A change without context: its ``place`` in the file before (first and last line), and its lines with sign."""

    place: tuple[int, int]
    lines: frozenset[str]


@dataclass(frozen=True)
class Between:
    """The stretch of upstream's history that a lift crosses; ``backwards`` when the new pin is the older one."""

    history: History
    old: str
    new: str

    @cached_property
    def backwards(self) -> bool:
        """Return whether the lift goes down: then the commits are those that it leaves behind."""
        return self.history.git("merge-base", "--is-ancestor", self.new, self.old).status == 0

    def touching(self, paths: Sequence[str]) -> list[str]:
        """Return commits in between that touch one of the paths, oldest first."""
        before, after = (self.new, self.old) if self.backwards else (self.old, self.new)
        return self.history.touching(before, after, paths)

    def changes(self, path: str) -> list[tuple[str, list[Hunk]]]:
        """Return the commits that touch a file, newest first, each with its hunks there."""
        found = []
        for commit in reversed(self.touching([path])):
            text = self.history.output("show", "--format=", "--unified=0", "--no-ext-diff", commit, "--", path)
            found.append((commit, _parse(text)))
        return found

    def show(self, commits: Iterable[str]) -> tuple[str, ...]:
        """Return each commit as ``id subject``, the newest first."""
        unique = list(dict.fromkeys(commits))
        shown = [f"{commit[:12]} {self.history.subject(commit)}" for commit in unique[:_MOST]]
        more = [f"and {len(unique) - _MOST} more"] if len(unique) > _MOST else []
        return tuple(shown + more)


def of_conflict(repository: Repository, between: Between, conflict: Conflict) -> tuple[str, ...]:
    """Return the commits that removed what a conflict is about, or wrote or took its very lines; newest first.

    Where that cannot be determined (upstream moved the file, say), all that touched the file.
    """
    commits = list(reversed(between.touching([conflict.path])))
    if not conflict.upstream or not conflict.base or not conflict.patch:
        return between.show(commits[:1])
    _bring(between, [conflict.path])
    theirs = _hunks(repository, conflict.base, conflict.upstream)
    ours = _hunks(repository, conflict.base, conflict.patch)
    hit = [hunk for hunk in theirs if any(_meet(hunk.place, mine.place) for mine in ours)]
    lines = {line if not between.backwards else _TURNED[line[0]] + line[1:] for hunk in hit for line in hunk.lines}
    found = [commit for commit, hunks in between.changes(conflict.path) if any(lines & h.lines for h in hunks)]
    return between.show(found or commits)


def of_import(between: Between, path: str, said: str) -> tuple[str, ...]:
    """Return the newest commit that wrote a line with this text into a file, or else the newest one that touched it."""
    _bring(between, [path])
    sign = "-" if between.backwards else "+"
    changes = between.changes(path)
    found = [
        commit for commit, hunks in changes if any(said in line for h in hunks for line in h.lines if line[0] == sign)
    ]
    return between.show((found or [commit for commit, _ in changes])[:1])


def of_merge(repository: Repository, between: Between, patch: Patch) -> tuple[str, ...]:
    """Return the upstream commit after which the tree had the patch's change: the first one where it applies in
    reverse.
    """
    paths = sorted({path for touch in patch.touches for path in (touch.old, touch.new) if path})
    commits = between.touching(paths)
    _bring(between, paths)
    first, last = 0, len(commits)
    while first < last:  # upstream takes a change once: what has it stays behind what lacks it
        middle = (first + last) // 2
        with repository.small_index(between.history.slice(commits[middle], paths)) as index:
            has = index.git("apply", "--cached", "--check", "--reverse", "-", stdin=patch.content).status == 0
        first, last = (first, middle) if has != between.backwards else (middle + 1, last)
    return between.show(commits[first : first + 1])


def _bring(between: Between, paths: Sequence[str]) -> None:
    """Have the files of all commits in between here: a partial clone holds commits and folders only."""
    blobs = set()
    for commit in between.touching(paths):
        for revision in (commit, commit + "^"):
            if between.history.commit(revision):
                blobs |= {entry.blob for entry in between.history.slice(revision, paths).values()}
    between.history.bring(blobs)


def _hunks(repository: Repository, before: str, after: str) -> list[Hunk]:
    return _parse(repository.git("diff", "--unified=0", "--no-ext-diff", before, after).text)


def _parse(text: str) -> list[Hunk]:
    found = []
    for old, olds, rest in _HUNK.findall(text):
        first, count = int(old), int(olds or 1)
        place = (first, first + count - 1) if count else (first, first + 1)
        # A lone bracket or an empty line says nothing about who wrote it.
        lines = {line for line in rest.split("\n") if line[:1] in ("+", "-") and re.search(r"\w", line)}
        found.append(Hunk(place, frozenset(lines)))
    return found


def _meet(span: tuple[int, int], other: tuple[int, int]) -> bool:
    # Neighbours count: git lets two changes conflict when no line lies between them.
    return span[0] <= other[1] + 1 and other[0] <= span[1] + 1
