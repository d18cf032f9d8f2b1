"""The rows about patching: one series, applied by us and by what a maintainer would take instead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from measure import BenchError, in_process
from report import Row, Side

from hardener.git.fetch import mirror_of
from hardener.git.history import History
from hardener.git.repository import Repository
from hardener.pipeline.checkout import STATE, checkout
from hardener.series import patch
from hardener.series.apply import try_apply
from hardener.series.lists import SERIES, read_series
from hardener.system import disk
from hardener.system.process import environment
from hardener.upstream.drift.cells import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from measure import Sample
    from workplace import Workplace

    from hardener.config import Component

PATCHES = 30
# Side -> the program it needs and the package that brings it.
TOOLS = {
    "quilt push -a": ("quilt", "quilt"),
    "gbp pq import": ("gbp", "git-buildpackage"),
    "stg import --series": ("stg", "stgit"),
}
_IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (
    ("NAME", "bench"), ("EMAIL", "bench@bench.invalid"), ("DATE", "2026-01-01T00:00:00Z"))}  # fmt: skip
_GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "TZ": "UTC"} | _IDENTITY
_APPLY = "import sys, pathlib; from hardener.series.apply import try_apply; a = sys.argv; p = pathlib.Path\n"
_APPLY += "sys.exit(not try_apply(a[1], p(a[2]), a[3], p(a[4])).fits)"


@dataclass(frozen=True)
class Case:
    """A series for a component's pinned tree, and a git clone of that tree without history."""

    title: str
    component: Component
    folder: Path
    clone: Path


def rows(place: Workplace) -> list[Row]:
    """Return a synthetic series of 30 patches, and each real one."""
    site = place.project.site
    made = Case(
        f"{PATCHES} synthetic patches of one line",
        site,
        place.home / "patching" / "series",
        _clone(place, site),
    )
    _synthesize(made)
    cases = [made]
    for component in place.project.components:
        names = read_series(place.project.patches(component))
        if names:
            folder = place.home / "patching" / f"series-{component.name}"
            disk.remove(folder)
            # Without remove.list: the others have no counterpart to it.
            shutil.copytree(place.project.patches(component), folder, ignore=shutil.ignore_patterns("remove.list"))
            title = f"our series for {component.name} ({len(names)} patches)"
            cases.append(Case(title, component, folder, _clone(place, component)))
    return [_compare(place, case) for case in cases]


def _git(folder: Path, *words: str | Path) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=environment(_GIT), capture_output=True, check=False)
    if done.returncode:
        raise BenchError(f"git {words[0]} failed in {folder}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "replace").rstrip("\n")


def _clone(place: Workplace, component: Component) -> Path:
    """Return a repository with one commit: the pinned tree, less what our checkout leaves out."""
    folder = place.home / "patching" / component.name
    if not (folder / ".git").is_dir():
        place.tell(f"patch: writing {component.name}")
        disk.remove(folder)
        checkout(replace(component, generate=()), mirror_of(component), component.commit, folder)
        disk.remove(folder / STATE)
        _git(folder, "init", "--quiet", "--initial-branch=bench")
        _git(folder, "add", "--all", "--force")
        _git(folder, "commit", "--quiet", "--message=base")
        _git(folder, "gc", "--quiet")
    return folder


def _synthesize(case: Case) -> None:
    """Cut patches that change one line each, in files spread over the tree."""
    disk.remove(case.folder)
    base = _git(case.clone, "rev-parse", "HEAD")
    files = [
        path for path in _git(case.clone, "ls-files", "*.ts").splitlines() if (case.clone / path).stat().st_size > 1000
    ]
    for number in range(PATCHES):
        path = case.clone / files[number * len(files) // PATCHES]
        lines = path.read_bytes().split(b"\n")
        middle = len(lines) // 2
        lines[middle] += b" // changed"
        path.write_bytes(b"\n".join(lines))
        _git(case.clone, "commit", "--quiet", "--all", f"--message=Change {path.name} ({number})")
    _git(
        case.clone,
        "format-patch",
        "--quiet",
        "--full-index",
        "--no-signature",
        "--output-directory",
        case.folder,
        base,
    )
    names = sorted(path.name for path in case.folder.glob("*.patch"))
    (case.folder / SERIES).write_text("".join(f"{name}\n" for name in names), "utf-8")
    _git(case.clone, "reset", "--quiet", "--hard", base)


def _compare(place: Workplace, case: Case) -> Row:
    ours, process, am = (Side(who) for who in ("in a build (try_apply)", "as a program of its own", "git am"))
    judged = Side("only judged")
    runners = {"quilt push -a": _quilt, "gbp pq import": _gbp, "stg import --series": _stgit}
    others = {who: Side(who) for who in runners}
    for who, (program, package) in TOOLS.items():
        if not shutil.which(program):
            others[who].missing = f"{program} is missing (apt-get install {package})"
    for turn in range(place.repeat):
        place.tell(f"patch {turn + 1}/{place.repeat}: {case.title}")
        tree = _ours(place, case, ours.samples, process.samples)
        _judge(place, case, judged.samples)
        clone = _git_am(place, case, am.samples)
        _agree(case, tree, clone)
        for who, side in others.items():
            if not side.missing:
                _same_files(case, clone, runners[who](place, case, side.samples), who)
    notes = (
        "one call for the whole series in each; each starts from a fresh copy, and the resulting files were compared",
        "ours, git am, gbp and StGit make one commit a patch; ours leaves the work tree to the next step of the build",
        f"ours, only judged and not committed (what drift asks of a tree): {_brief(judged)}",
        f"ours as a program of its own, with Python's start: {_brief(process)}; peaks are of that program",
    )
    # The peak memory inside of the benchmark's process says nothing; that of the same work in a process of its own
    # does.
    ours.samples = [
        replace(sample, peak=whole.peak, peak_all=whole.peak_all, floored=whole.floored)
        for sample, whole in zip(ours.samples, process.samples, strict=True)
    ]
    return Row(f"Patch step: {case.title}", [am, *others.values()], ours, notes)


def _brief(side: Side) -> str:
    return ", ".join(f"{sample.wall:.2f} s wall and {sample.cpu:.2f} s CPU" for sample in side.samples)


def _ours(place: Workplace, case: Case, inside: list[Sample], process: list[Sample]) -> str:
    """Apply by our own applier, once in here and once as a program; returns the tree id."""
    mirror = _fresh(place, mirror_of(case.component), "mirror.git")
    with in_process(inside):
        applied = try_apply(case.component.name, mirror, case.component.commit, case.folder)
    if not applied.fits:
        raise BenchError(f"{case.title}: does not fit", details=tuple(str(result) for result in applied.results))
    mirror = _fresh(place, mirror_of(case.component), "mirror.git")
    process.append(
        place.run([sys.executable, "-c", _APPLY, case.component.name, mirror, case.component.commit, case.folder])
    )
    return applied.tree


def _judge(place: Workplace, case: Case, samples: list[Sample]) -> None:
    """Say of each patch how it fits, on an index of only the touched files."""
    history = History(_fresh(place, mirror_of(case.component), "judged.git"), {}, "", (), 0)
    series = [patch.read(path) for path in read_series(case.folder)]
    with in_process(samples):
        cells = Engine(history, series, {}).fill([case.component.commit])[case.component.commit]
    if not all(cell.fits for cell in cells.values()):
        raise BenchError(f"{case.title}: a cell does not fit where the series does")


def _git_am(place: Workplace, case: Case, samples: list[Sample]) -> Path:
    clone = _fresh(place, case.clone, "clone")
    _git(clone, "status", "--short")  # the copy's times are new: let the index know them before the clock runs
    samples.append(place.run(["git", "am", "--quiet", *read_series(case.folder)], cwd=clone, env=_GIT))
    return clone


def _quilt(place: Workplace, case: Case, samples: list[Sample]) -> Path:
    tree = _fresh(place, case.clone, "quilt")
    disk.remove(tree / ".git")
    env = {"QUILT_PATCHES": str(case.folder), "QUILT_SERIES": str(case.folder / SERIES)}
    samples.append(place.run(["quilt", "--quiltrc", "-", "push", "-a", "-q"], cwd=tree, env=env))
    return tree


def _gbp(place: Workplace, case: Case, samples: list[Sample]) -> Path:
    """Run Debian's patch queue: the series has to be in debian/patches of the branch."""
    clone = _fresh(place, case.clone, "gbp")
    shutil.copytree(case.folder, clone / "debian" / "patches")
    if not (clone / "debian" / "control").exists():
        disk.write(clone / "debian" / "control", b"Source: bench\nMaintainer: bench <bench@bench.invalid>\n")
    _git(clone, "add", "--all", "--force", "debian")
    _git(clone, "commit", "--quiet", "--message=debian/patches")
    samples.append(place.run(["gbp", "pq", "import"], cwd=clone, env=_GIT))
    return clone


def _stgit(place: Workplace, case: Case, samples: list[Sample]) -> Path:
    clone = _fresh(place, case.clone, "stgit")
    env = _GIT | {"HOME": str(place.home)}
    place.run(["stg", "init"], cwd=clone, env=env)
    samples.append(place.run(["stg", "import", "--series", case.folder / SERIES], cwd=clone, env=env))
    return clone


def _fresh(place: Workplace, source: Path, name: str) -> Path:
    target = place.home / "patching" / "run" / name
    disk.remove(target)
    shutil.copytree(source, target, symlinks=True)
    return target


def _agree(case: Case, tree: str, clone: Path) -> None:
    """Check that we and git am changed the same files to the same content."""
    mirror = Repository(clone.parent / "mirror.git")
    ours, theirs = mirror.entries(tree), Repository(clone / ".git").entries("HEAD")
    wanted = {path: ours[path].blob for path in mirror.changed(case.component.commit, tree) if path in ours}
    found = {path: theirs[path].blob for path in _changed(clone) if path in theirs}
    if not wanted or wanted != found:
        raise BenchError(f"{case.title}: git am and try_apply do not make the same files")


def _changed(clone: Path) -> list[str]:
    root = _git(clone, "rev-list", "--max-parents=0", "HEAD")
    return _git(clone, "diff", "--name-only", "--no-renames", root, "HEAD").splitlines()


def _same_files(case: Case, clone: Path, tree: Path, who: str) -> None:
    for path in _changed(clone):
        expected, made = clone / path, tree / path
        if expected.exists() != made.exists() or (expected.exists() and expected.read_bytes() != made.read_bytes()):
            raise BenchError(f"{case.title}: git am and {who} do not make the same {path}")
