"""Type check, beside the bundler: our files have to type-check in upstream's tree.

Upstream's web tree does not check clean without its native packages, so the judgement is about *our* files: overlay
files may have no error at all, files that a patch touches may have none that the unpatched tree does not have (error
code and message are compared, not line numbers).

The checker keeps what it found beside the tree (``--incremental``), by the content of each file that it has read: after
an edit it checks the changed files and those that they reach. The messages of the unpatched tree are kept by key.
"""

from __future__ import annotations

import os
import re
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from hardener.errors import BundleError
from hardener.system import disk, node, stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from hardener.config import Component
    from hardener.pipeline.checkout import WorkTree

_ERROR = re.compile(
    r"^(?P<file>[^(\n]+)\((?P<line>\d+),(?P<column>\d+)\): error (?P<code>TS\d+): (?P<text>.*)$", re.MULTILINE
)


@dataclass(frozen=True, order=True)
class TypeProblem:
    """One message of the type checker, without its place in the file."""

    file: str
    code: str
    text: str


@dataclass(frozen=True)
class Checked:
    """``ours`` files were judged; ``foreign`` counts messages in upstream's own files, which are not our concern."""

    ours: int
    foreign: int
    fresh: bool


def typecheck(
    component: Component,
    work: WorkTree,
    installed_key: str,
    overlaid: Collection[str],
    patched: Collection[str],
    base: Callable[[Path], None],
) -> Checked:
    """Check the work tree against ``component.tsconfig``.

    ``overlaid`` and ``patched`` are the paths that are ours; ``base(folder)`` writes upstream's unpatched tree, and is
    called only when a patched file has messages. Raises BundleError that lists ours.
    """
    ours = sorted(path for path in {*overlaid, *patched} if path.endswith((".ts", ".tsx", ".js", ".jsx")))
    if not component.tsconfig or not ours:
        return Checked(0, 0, fresh=False)
    key = stamps.key(
        work.key,
        installed_key,
        ours,
        component.tsconfig,
        node.tool_version("typescript"),
        stamps.file_digest_of(__file__),
    )
    stamp = work.stamp("typecheck")
    facts = stamp.facts(key)
    if facts is not None:
        return Checked(len(ours), facts["foreign"], fresh=False)
    found = _run(component, work.path)
    suspects = [problem for problem in found if problem.file in ours]
    if any(problem.file in patched for problem in suspects):
        known = _base_problems(component, work, installed_key, base)
        suspects = [problem for problem in suspects if problem.file in overlaid or problem not in known]
    if suspects:
        raise BundleError(
            f"{component.name}: {len(suspects)} type error(s) in our files",
            hint="fix the overlay or patch; the files are in " + str(work.path),
            details=tuple(f"{problem.file}: {problem.code}: {problem.text}" for problem in sorted(suspects)),
        )
    foreign = sum(problem.file not in ours for problem in found)
    stamp.set(key, {"foreign": foreign})
    return Checked(len(ours), foreign, fresh=True)


def _base_problems(
    component: Component, work: WorkTree, installed_key: str, base: Callable[[Path], None]
) -> set[TypeProblem]:
    """Return the messages of upstream's unpatched tree with the packages that are installed."""
    key = stamps.key(
        (component.commit, component.exclude, component.generated, component.tsconfig),
        installed_key,
        node.tool_version("typescript"),
        stamps.file_digest_of(__file__),
    )
    folder = work.path.with_name("base")
    stamp = stamps.Stamp(folder.with_suffix(".json"))
    facts = stamp.facts(key)
    if facts is None:
        try:
            disk.replace_folder(folder, base)
            (folder / "node_modules").symlink_to(work.path / "node_modules")
            facts = {"problems": sorted(astuple(problem) for problem in _run(component, folder))}
        finally:
            disk.remove(folder)
        stamp.set(key, facts)
    return {TypeProblem(*problem) for problem in facts["problems"]}


def _run(component: Component, tree: Path) -> list[TypeProblem]:
    found = tree.with_name(f"{tree.name}.tsbuildinfo")
    words = ["--noEmit", "--pretty", "false", "--singleThreaded", "--types", "*", "--project", component.tsconfig]
    words += ["--incremental", "--tsBuildInfoFile", os.fspath(found)]
    # TypeScript 7 is strict and takes in no ambient @types by itself; upstream's 5.7 is and does the opposite.
    if not re.search(r'"strict"\s*:', (tree / component.tsconfig).read_text("utf-8")):
        words += ["--strict", "false"]
    done = node.node(node.tools() / "node_modules" / "typescript" / "bin" / "tsc", *words, cwd=tree)
    output = done.stdout.decode("utf-8", "replace")
    problems = [
        TypeProblem(os.path.normpath(match["file"]), match["code"], match["text"]) for match in _ERROR.finditer(output)
    ]
    if done.status < 0 or (done.status and not problems):  # killed, it has not reported all
        said = done.complaint.splitlines()[0] if done.complaint else f"status {done.status}"
        raise BundleError(
            f"{component.name}: the type checker failed: {said}",
            hint=f"check tsconfig = {component.tsconfig!r} in upstream.toml",
        )
    return problems
