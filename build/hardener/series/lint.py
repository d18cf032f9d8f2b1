"""Judge one layer's patch folder: lists complete, headers by the standard, each patch canonical and independent.

A build checks only that series and overlays fit the tree (series/apply.py, series/overlay.py). These rules keep the
series maintainable. One run reports all findings, each with the command that fixes it.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import ConfigError, PatchError
from hardener.git.repository import Repository, inside
from hardener.series import header
from hardener.series import patch as patches
from hardener.series.canonical import APPLY, Canon, DoesNotApplyError, requirements
from hardener.series.lists import REMOVALS, SERIES, judge_series
from hardener.series.patch import context_lines

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Component
    from hardener.series.extras import Layer
    from hardener.series.patch import Patch

LANGUAGE = re.compile(r"(?:^|/)lang/[^/]+\.json$")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: which file, by which rule, a text, and the command or step that fixes it."""

    where: str
    rule: str
    text: str
    fix: str
    exit_code: int = PatchError.exit_code

    def __str__(self) -> str:
        """Return one line for a person, without the remedy."""
        return f"{self.where}: {self.text}"


@dataclass(frozen=True)
class Measure:
    """The size of a patch: lines added and removed, and lines of context, which can break it as well."""

    name: str
    added: int
    removed: int
    context: int


@dataclass(frozen=True)
class Linted:
    """A judged folder."""

    findings: tuple[Finding, ...]
    measures: tuple[Measure, ...]

    @property
    def readable(self) -> bool:
        """Return whether the series can be applied at all: each file is a patch, and the order is one."""
        unreadable = any(finding.rule in ("series", "form") for finding in self.findings)
        return not unreadable and not any(finding.text.startswith("Requires names") for finding in self.findings)


def lint(component: Component, mirror: Path, base: str, layer: Layer, today: dt.date) -> Linted:
    """Judge the series of a layer on ``base``: the pinned commit, or for a downstream layer what lies below it.

    Reads the mirror and leaves it as it is. Raises nothing for what it judges.
    """
    judge = _Judge(component, layer)
    names = list(judge.lists())
    series = list(judge.read(names))
    places = {name: place for place, name in enumerate(names)}
    for patch in series:
        judge.header(patch, places, today)
        judge.content(patch)
    with Repository(mirror).scratch() as repository:
        judge.form(Canon(repository, base), series)
    measures = tuple(
        Measure(p.name, sum(t.added for t in p.touches), sum(t.removed for t in p.touches), context_lines(p.content))
        for p in series
    )
    return Linted(tuple(judge.findings), measures)


class _Judge:
    def __init__(self, component: Component, layer: Layer) -> None:
        self.component, self.layer = component, layer
        self.findings: list[Finding] = []

    def find(self, where: str, rule: str, text: str, fix: str, code: int = PatchError.exit_code) -> None:
        name = f"patches/{self.component.name}/{where}"
        self.findings.append(Finding(f"{self.layer.name}/{name}" if self.layer.name else name, rule, text, fix, code))

    def command(self, verb: str) -> str:
        """Return ``edit`` or ``regen`` for this component and layer, as it is typed."""
        return self.layer.command(verb, self.component.name)

    def lists(self) -> Iterator[str]:
        """Yield the patch files that are listed and there; everything else about ``series`` and the folder is a
        finding.
        """
        folder, code = self.layer.patches, ConfigError.exit_code
        if not folder.is_dir():
            return
        names: list[str] = []
        if (folder / SERIES).is_file():
            try:
                names, problems = judge_series((folder / SERIES).read_text("utf-8"))
            except UnicodeDecodeError as error:
                problems = [str(error)]
            for problem in problems:
                self.find(SERIES, "series", problem, f"correct the line in {folder / SERIES}", code)
        present = {path.name for path in folder.iterdir()}
        for name in names:
            if name in present:
                yield name
            else:
                fix = f"git checkout -- {_typed(folder / name)} (or remove the line from {SERIES})"
                self.find(SERIES, "series", f"lists {name}, which does not exist", fix, code)
        for name in sorted(present - set(names) - {SERIES, REMOVALS, "README.md"}):
            patch = name.endswith(".patch")
            away = f"mv {_typed(folder / name)} {_typed(self.layer.root)}"
            fix = f"echo {name} >> {_typed(folder / SERIES)} (or: {away})" if patch else away
            self.find(name, "series", "is not in the series" if patch else "does not belong here", fix, code)

    def read(self, names: Sequence[str]) -> Iterator[Patch]:
        """Yield the patches that are patches."""
        for name in names:
            path = self.layer.patches / name
            content = path.read_bytes()
            if b"\r\n" in content.partition(b"\n\n")[0] or content.partition(b"\n")[0].endswith(b"\r"):
                fix = f"git config core.autocrlf false && git stash push -- {_typed(path)} (what is there is kept)"
                self.find(name, "form", "its line ends are CRLF: an editor or git's autocrlf rewrote it", fix)
                continue
            try:
                yield patches.parse(name, content)
            except ValueError as error:
                fix = f"write it again from a commit: {self.command('edit')}, then {self.command('regen')}"
                self.find(name, "form", str(error), fix)

    def header(self, patch: Patch, places: Mapping[str, int], today: dt.date) -> None:
        """Check the header standard."""
        for problem in header.problems(patch, self.layer, places, places[patch.name], today):
            self.find(patch.name, "header", problem, f"correct the file (or: {self.command('edit')})")
        base = patch.fields.get("Base", "")
        if re.fullmatch(r"[0-9a-f]{40}", base) and base != self.component.commit:
            text = f"Base is {base[:12]}, the pin is {self.component.commit[:12]}"
            self.find(patch.name, "base", text, self.command("regen"))
        evidence = patch.fields.get("Evidence", "")
        if re.fullmatch(header.GRAMMAR["Evidence"][0], evidence) and not has_test(self.layer.root, evidence):
            fix = f"write the test, or name the one that is red without the patch: {self.command('edit')}"
            self.find(patch.name, "evidence", f"there is no test {evidence}", fix)

    def content(self, patch: Patch) -> None:
        """Report notes that no commit keeps, and paths that a patch must not touch."""
        if patch.notes:
            text = f"has text behind '---', which a commit does not keep: {patch.notes.splitlines()[0][:60]!r}"
            fix = f"move it into the message, or remove it: {self.layer.patches / patch.name}"
            self.find(patch.name, "notes", text, fix)
        for touch in patch.touches:
            path = touch.old or touch.path
            if LANGUAGE.search(path):
                fix = f'action = "merge" in {self.layer.overlays / "overlays.toml"}'
                self.find(patch.name, "language", f"patches {path}, which changes every week upstream", fix)
            if inside(path, self.component.exclude):
                text = f"touches {path}, which 'exclude' keeps out: it is neither fetched nor built"
                self.find(patch.name, "excluded", text, f"drop it from the patch: {self.command('edit')}")
        listed = self.layer.patches / REMOVALS
        removed = {line.split(" ")[0] for line in listed.read_text("utf-8").splitlines()} if listed.is_file() else set()
        for path in patch.overlay:
            if path not in removed and not (self.layer.overlays / path).is_file():
                text = f"Overlay names {path}, which is neither in {self.layer.overlays} nor in {REMOVALS}"
                self.find(patch.name, "overlay", text, "name a file of overlays.toml or a line of remove.list")

    def form(self, canon: Canon, series: Sequence[Patch]) -> None:
        """Check that each patch is canonical, applies on only what it requires, and in any order."""
        needs = requirements(series)
        alone = []
        for patch in series:
            try:
                exported = canon.patch(patch, needs[patch.name])
            except DoesNotApplyError as error:
                self._dependent(canon, patch, series, needs, str(error))
            except ValueError as error:
                self.find(patch.name, "canonical", str(error), self.command("edit"))
            else:
                alone.append(patch)
                if exported != patch.content and not patch.notes:
                    self.find(patch.name, "canonical", _difference(patch.content, exported), self.command("regen"))
        if len(alone) == len(series):
            self._any_order(canon, series, needs)

    def _dependent(
        self, canon: Canon, patch: Patch, series: Sequence[Patch], needs: Mapping[str, list[Patch]], said: str
    ) -> None:
        """Name the earlier patches that it cannot do without, or say that it fits nowhere."""
        needed = canon.needed(patch, series[: series.index(patch)], needs[patch.name])
        if needed is None:
            self.find(patch.name, "fit", f"does not apply on {canon.base[:12]} ({said})", self.command("edit"))
            return
        names = " ".join(prerequisite.name.removesuffix(".patch") for prerequisite in needed)
        self.find(
            patch.name,
            "requires",
            f"applies only after {names}, which Requires does not name",
            f"write 'Requires: {names}' into its header, then {self.command('regen')}",
        )

    def _any_order(self, canon: Canon, series: Sequence[Patch], needs: Mapping[str, list[Patch]]) -> None:
        """Check that the series backwards (but for what is required) gives the same files."""
        backwards: list[Patch] = []
        for patch in reversed(series):
            backwards += [need for need in (*needs[patch.name], patch) if need not in backwards]
        trees = []
        for order in (series, backwards):
            with canon.index(series) as index:
                for place, patch in enumerate(order):
                    if index.git(*APPLY, stdin=patch.content).status:
                        before = ", ".join(earlier.name for earlier in order[:place] if _share_a_file(earlier, patch))
                        text = f"applies without the others, but not after {before}: they depend on their order"
                        fix = f"let one require the other, or set their hunks apart: {self.command('edit')}"
                        self.find(patch.name, "order", text, fix)
                        return
                trees.append(index.tree())
        if trees and trees[0] != trees[-1]:
            text = "another order gives other files: a hunk fits at two places"
            self.find(SERIES, "order", text, f"give it Requires, or more context: {self.command('edit')}")


def _share_a_file(patch: Patch, other: Patch) -> bool:
    return bool({t.path for t in patch.touches} & {t.path for t in other.touches})


def _difference(ours: bytes, exported: bytes) -> str:
    """Return in what a file differs from its canonical form, for a person."""
    extra = context_lines(ours) - context_lines(exported)
    if extra > 0:
        return f"has {extra} more lines of context than the form's three around a change"
    lines = [(a, b) for a, b in zip(ours.split(b"\n"), exported.split(b"\n"), strict=False) if a != b]
    shown = lines[0] if lines else (b"the end of the file", b"another end")
    has, wants = (line[:60].decode("utf-8", "replace") for line in shown)
    return f"is not in canonical form: {has!r} would be {wants!r}"


def _typed(path: Path) -> str:
    return shlex.quote(os.fspath(path))


def has_test(root: Path, evidence: str) -> bool:
    """Return whether a test of that name is in the file, found by parsing it: nothing is imported or run."""
    name, _, test = evidence.partition("[")[0].partition("::")
    try:
        return test in _tests((header.folder_of_test(root, evidence) / name).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False


@functools.lru_cache(maxsize=64)  # several patches name the same file
def _tests(source: bytes) -> frozenset[str]:
    """Return the functions and classes of a test file by their ids: ``name``, and ``Class::name`` of a method."""

    def ids(nodes: Iterable[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield prefix + node.name
                yield from ids(node.body, f"{prefix}{node.name}::")

    return frozenset(ids(ast.parse(source).body))
