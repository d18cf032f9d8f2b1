"""The cells of the drift matrix: how one patch fits one upstream tree, worked out without any checkout.

A cell is a function of the patch's bytes and of the blobs that it touches, and of nothing else. So its key is the hash
of both, equal cells are computed once, and they stay known on disk. ``git apply`` judges, as in a build, on a temporary
index that holds no more than the touched blobs of many cells, each cell below a folder of its own (``--directory``).

Patches are stacked as in a build: each one is tried on the tree with all earlier patches that fit it. What an earlier
patch makes of a file is the blob that a later one is keyed by.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.git.repository import Entry, Index
from hardener.git.trees import Trees
from hardener.series.apply import Status, judge
from hardener.system import stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hardener.git.history import History
    from hardener.series.patch import Patch

# What a touched path holds in one tree; None: there is no such file.
State = dict[str, Entry | None]


@dataclass(frozen=True)
class Cell:
    """The result for a patch and a tree. ``behind`` names earlier patches that it builds on and that do not fit
    themselves.
    """

    status: Status
    offsets: tuple[int, ...] = ()
    detail: str = ""
    behind: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Return whether a build could continue."""
        return self.status.fits


@dataclass(frozen=True)
class _Task:
    """A cell to compute: ``state`` is what the tree has at the touched paths, ``around`` where files may have gone."""

    key: str
    state: State
    around: Mapping[str, str]


class Engine:
    """Cells of one series. ``store`` maps keys to results; it is added to, so that the caller can keep it."""

    def __init__(self, history: History, series: Sequence[Patch], store: dict[str, dict[str, Any]]) -> None:
        self.history = history
        self.series = tuple(series)
        self.store = store
        self.computed = 0
        self.distinct = 0
        self.keys: set[str] = set()
        self._paths = {patch.name: touched(patch) for patch in series}
        old = [touch for patch in series for touch in patch.touches if touch.old]
        self._names = {_name(touch.old or "") for touch in old}
        self._stems = {_stem(touch.old or "") for touch in old}
        self._blobs = tuple({touch.old_blob for touch in old if touch.old_blob})
        self._touched = frozenset().union(*self._paths.values())
        self.trees = Trees(history, self._matters)

    def chain(self, patch: Patch) -> tuple[Patch, ...]:
        """Return the patch and those before it on whose result its own hangs: same files, or required, and so on."""
        needed = [patch]
        for earlier in reversed(self.series[: self.series.index(patch)]):
            if any(self._builds_on(later, earlier) for later in needed):
                needed.append(earlier)
        return tuple(reversed(needed))

    def _builds_on(self, later: Patch, earlier: Patch) -> bool:
        required = {name.removesuffix(".patch") + ".patch" for name in later.requires}
        return earlier.name in required or bool(self._paths[later.name] & self._paths[earlier.name])

    def fill(self, commits: Iterable[str], series: Sequence[Patch] = ()) -> dict[str, dict[str, Cell]]:
        """Return the cells of all patches (or of ``series``, a :meth:`chain`) at these commits: commit -> name ->
        cell.
        """
        patches = tuple(series) or self.series
        asked = list(dict.fromkeys(commits))
        self.trees.read(asked)
        # Many commits between two releases change nothing that matters here: one of them represents all.
        first: dict[frozenset[tuple[str, Entry]], str] = {}
        stands_for = {commit: first.setdefault(frozenset(self.trees.files(commit).items()), commit) for commit in asked}
        all_paths = set().union(*(self._paths[patch.name] for patch in patches))
        states: dict[str, State] = {
            commit: {path: self.trees.files(commit).get(path) for path in all_paths} for commit in first.values()
        }
        answers: dict[str, dict[str, Cell]] = {commit: {} for commit in states}
        for number, patch in enumerate(patches):
            followed = any(self._paths[patch.name] & self._paths[later.name] for later in patches[number + 1 :])
            tasks = {commit: self._task(patch, commit, state) for commit, state in states.items()}
            self._compute(patch, {task.key: task for task in tasks.values()}, followed=followed)
            for commit, task in tasks.items():
                record = self.store[task.key]
                behind = tuple(
                    p.name
                    for p in patches[:number]
                    if self._builds_on(patch, p) and not answers[commit][p.name].status.fits
                )
                status = Status(record["status"])
                answers[commit][patch.name] = Cell(
                    status, tuple(record["offsets"]), record["detail"], () if status.fits else behind
                )
                for path, entry in record.get("result", {}).items():
                    states[commit][path] = Entry(*entry) if entry else None
        return {commit: answers[stands_for[commit]] for commit in asked}

    def _task(self, patch: Patch, commit: str, state: State) -> _Task:
        mine: State = {path: state[path] for path in sorted(self._paths[patch.name])}
        around: dict[str, str] = {}
        lost = [touch for touch in patch.touches if touch.old and not state.get(touch.old)]
        if lost:
            listing = {path: entry.blob for path, entry in (self.trees.files(commit) | state).items() if entry}
            names = {_name(touch.old or "") for touch in lost} | {_stem(touch.old or "") for touch in lost}
            blobs = tuple(touch.old_blob for touch in lost if touch.old_blob)
            around = {
                path: blob
                for path, blob in listing.items()
                if state.get(path, True) and (names & {_name(path), _stem(path)} or blob.startswith(blobs))
            }
        digest = hashlib.sha256(patch.content).hexdigest()
        seen = [(path, entry and (entry.mode, entry.blob)) for path, entry in mine.items()]
        key = stamps.key(digest, seen, sorted(around.items()))
        self.keys.add(key)
        return _Task(key, mine, around)

    def _matters(self, path: str, blob: str) -> bool:
        """Return whether a file is touched, or may be what a touched one has become: the same name, the same
        content.
        """
        return (
            path in self._touched
            or _name(path) in self._names
            or _stem(path) in self._stems
            or blob.startswith(self._blobs)
        )

    def _compute(self, patch: Patch, tasks: Mapping[str, _Task], *, followed: bool) -> None:
        open_ = [
            task
            for key, task in tasks.items()
            if key not in self.store
            or (followed and Status(self.store[key]["status"]).fits and "result" not in self.store[key])
        ]
        if not open_:
            return
        self.computed += len(open_)
        self.history.bring(entry.blob for task in open_ for entry in task.state.values() if entry)
        workers = min(len(open_), os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            shares = [open_[number::workers] for number in range(workers)]
            for records in pool.map(lambda share: _try(self.history, patch, share, followed=followed), shares):
                self.store.update(records)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    """Return the path without its ending; what it is called when its ending changes."""
    return path.rpartition(".")[0] + "."


def touched(patch: Patch) -> frozenset[str]:
    """Return all paths that a patch reads or writes."""
    return frozenset(path for touch in patch.touches for path in (touch.old, touch.new) if path)


def _try(history: History, patch: Patch, tasks: Sequence[_Task], *, followed: bool) -> dict[str, dict[str, Any]]:
    """Try a patch on several states, each a folder of one temporary index; ``followed`` keeps what it makes of them."""
    records: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="hardener-cells-") as folder:
        index = Index(history, Path(folder) / "index")
        lines = [
            f"{entry.mode} {entry.blob}\t{number}/{path}\0"
            for number, task in enumerate(tasks)
            for path, entry in task.state.items()
            if entry
        ]
        index.output("update-index", "-z", "--index-info", stdin="".join(lines).encode("utf-8", "surrogateescape"))
        for number, task in enumerate(tasks):
            words = ("apply", "--cached", f"--directory={number}", "--whitespace=nowarn")
            checking = () if followed else ("--check",)
            present = {path: entry.blob for path, entry in task.state.items() if entry} | dict(task.around)
            offsets: list[int] = []
            complaint = ""
            status, detail = Status.CONFLICT, ""
            # Without the files git could only say no; most cells of old trees are of that kind.
            if patch.reads <= present.keys():
                # --verbose is what makes git name offsets.
                done = index.git(*words, *checking, "--verbose", "-", stdin=patch.content)
                complaint = re.sub(rf"(?m)^(error: (?:patch failed: )?){number}/", r"\1", done.complaint)
                if done.status == 0:
                    offsets = [int(count) for count in re.findall(r"\(offset (-?\d+) lines?\)", complaint)]
                    status = Status.OFFSET if offsets else Status.CLEAN
            if not status.fits:
                status, detail = judge(patch, present, complaint)
                backwards = (*words, "--check", "--reverse", "-")
                if patch.leaves <= present.keys() and index.git(*backwards, stdin=patch.content).status == 0:
                    status, detail = Status.MERGED, "the tree has this change already"
            records[task.key] = {"status": status.value, "offsets": offsets, "detail": detail}
        if followed:
            _keep_results(index, patch, tasks, records)
    return records


def _keep_results(index: Index, patch: Patch, tasks: Sequence[_Task], records: dict[str, dict[str, Any]]) -> None:
    now: dict[str, tuple[str, str]] = {}
    for line in index.output("ls-files", "-s", "-z").split("\0"):
        if line:
            head, _, path = line.partition("\t")
            mode, blob, _ = head.split(" ")
            now[path] = (mode, blob)
    for number, task in enumerate(tasks):
        if Status(records[task.key]["status"]).fits:
            records[task.key]["result"] = {path: now.get(f"{number}/{path}") for path in sorted(touched(patch))}
