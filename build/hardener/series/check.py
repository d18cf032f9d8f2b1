"""``hardener check``: do all series and overlays fit, and is each patch as the standard wants it? Nothing is built.

Part of the flow: it asks series/apply.py and series/overlay.py about the fit, series/lint.py about form,
series/table.py about the README's
table, for every component and layer, and reports all that they find.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import ConfigError, HardenerError, OverlayError, PatchError
from hardener.git.history import open_history
from hardener.git.repository import Repository
from hardener.series import imports, overlay
from hardener.series.apply import Applied, apply
from hardener.series.extras import layers_of
from hardener.series.lint import Finding, Linted, Measure, lint
from hardener.series.lists import read_removals
from hardener.series.overlay import Laid, lay
from hardener.series.source import Layered, components_at, fetch_pinned, refuse_clashes, remedy, report_offsets
from hardener.series.table import catalogue

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.series.extras import Layer
    from hardener.series.imports import Use
    from hardener.series.lists import Removal
    from hardener.series.overlay import Overlays
    from hardener.ui import UI


@dataclass(frozen=True)
class Checked:
    """The applied patches, the findings, and the measures of the patches (pin only)."""

    applied: tuple[Applied, ...]
    findings: tuple[Finding, ...]
    measures: tuple[Measure, ...]

    @property
    def exit_code(self) -> int:
        """Return 0, or that of the worst finding."""
        return max((finding.exit_code for finding in self.findings), default=0)


def check(project: Project, tree: str, sources: Mapping[str, str], today: dt.date, ui: UI) -> Checked:
    """Check all layers of all components on a tree: ``pin``, or a [tree.NAME], where only the fit is asked for.

    Raises HardenerError only where a component cannot be fetched; everything else is a finding.
    """
    applied: list[Applied] = []
    findings: list[Finding] = []
    measures: list[Measure] = []
    for component in components_at(project, tree):
        fetched = fetch_pinned(component, sources, ui)
        base = component.commit
        before: list[Layered] = []
        fits = True
        for layer in layers_of(project, component):
            fit = _Fit(component, layer, tree)
            with ui.step("check", component.name) as line:
                judged = lint(component, fetched.mirror, base, layer, today) if tree == PIN else Linted((), ())
                layered = fit.layered(fetched.mirror, base, before, readable=judged.readable)
                line.say(_said(layer, layered, tree) if layered else f"{layer}does not fit {tree}")
            # Of a patch that does not fit, series/apply.py knows more than series/lint.py.
            known = {(finding.where, finding.rule) for finding in fit.findings}
            findings += fit.findings
            findings += [finding for finding in judged.findings if (finding.where, finding.rule) not in known]
            measures += judged.measures
            if layered is None:
                fits = False
                break  # a layer above has no ground to be judged on
            report_offsets(layered.applied, ui)
            applied.append(layered.applied)
            before.append(layered)
            base = layered.laid.commit
        # Without patches and overlays, files of the pin import what is removed. Another tree is compared with the pin.
        if fits or tree != PIN:
            findings += _used(project, component, tree, fetched.mirror, base, sources, ui)
    if tree == PIN:
        findings += _table(project)
    return Checked(tuple(applied), tuple(findings), tuple(measures))


def _used(
    project: Project, component: Component, tree: str, mirror: Path, commit: str, sources: Mapping[str, str], ui: UI
) -> Iterator[Finding]:
    """Yield upstream's files that import what a layer removes, or (not at the pin) what an alias newly takes.

    ``commit`` has the layers that fit. Lists that cannot be read are findings already.
    """
    repository, pinned = Repository(mirror), project.component(component.name)
    removals: list[Removal] = []
    listed: list[Overlays] = []
    for layer in layers_of(project, component):
        with contextlib.suppress(HardenerError):
            removals += read_removals(layer.patches)
            listed.append(overlay.read(layer.overlays, (tree,)))
    aliases = [alias for overlays in listed for alias in overlays.aliases]
    ours = {file.path for overlays in listed for file in overlays.files}
    removed = imports.taken(repository.entries(component.commit), removals, tree)
    found = imports.uses(repository, commit, removed, aliases if tree != PIN else (), component.exclude)
    if found and tree != PIN:
        fetch_pinned(pinned, sources, ui)
        known = imports.uses(repository, pinned.commit, removed, aliases, component.exclude)
        found = imports.new_uses(found, known)
    for use in found:
        # At the pin, a name is in code that nothing calls any more; what the site loads is a matter of its tests.
        if use.path not in ours and (tree != PIN or use.kind == "import"):
            cause = _brought_by(use, component, pinned.commit, sources) if tree != PIN else ""
            yield Finding(f"{component.name} {use.path}", "used", f"{use}{cause}", use.remedy)


def _brought_by(use: Use, component: Component, pin: str, sources: Mapping[str, str]) -> str:
    """Return upstream's commit that brought an import since the pin, if the cache has the history; else nothing."""
    source = sources.get(component.name, "")
    with contextlib.suppress(HardenerError):
        history = open_history(component, [source] if source else [], ask=False)  # a detail is not worth a download
        words = (f"{pin}..{component.commit}", "--", use.path)
        for wanted in ((f"-S{use.said}",), ()):  # in a partial clone, the contents are not at hand
            done = history.git("log", "-1", "--format=%h %s", *wanted, *words)
            if done.status == 0 and done.text:
                return f" (upstream: {done.text})"
    return ""


def _said(layer: Layer, layered: Layered, tree: str) -> str:
    return (
        f"{layer}{len(layered.applied.results)} patches, {len(layered.applied.removed)} removals, "
        f"{len(layered.laid.paths)} overlays fit {tree}"
    )


class _Fit:
    """One layer on one tree; what does not fit becomes a finding."""

    def __init__(self, component: Component, layer: Layer, tree: str) -> None:
        self.component, self.layer, self.tree = component, layer, tree
        self.findings: list[Finding] = []

    def layered(self, mirror: Path, base: str, before: list[Layered], *, readable: bool) -> Layered | None:
        """Return what the layer came to; None where something does not fit. A series that is not ``readable`` is left
        out.
        """
        name, commit = self.component.name, self.component.commit
        self._try(lambda: refuse_clashes(self.layer, before, (self.tree,)))
        applied = (
            self._try(lambda: apply(name, mirror, base, self.layer.patches, (self.tree,), upstream=commit))
            if readable
            else self._try(lambda: read_removals(self.layer.patches))
        )
        patched = applied.commit if isinstance(applied, Applied) else base
        laid = self._try(lambda: lay(name, mirror, base, patched, self.layer.overlays, (self.tree,)))
        if self.findings or not isinstance(applied, Applied) or not isinstance(laid, Laid):
            return None
        return Layered(self.layer, applied, laid)

    def _try(self, step: Callable[[], object]) -> object:
        try:
            return step()
        except HardenerError as error:
            for text in error.details or (error.message,):
                self.findings.append(self._finding(text, error))
            return None

    def _finding(self, text: str, error: HardenerError) -> Finding:
        name, colon, rest = text.partition(": ")
        is_patch = bool(colon) and name.endswith(".patch") and "/" not in name
        where = f"patches/{self.component.name}/{name}" if is_patch else self.component.name
        where = f"{self.layer.name}/{where}" if self.layer.name else where
        misfit = is_patch or (self.tree != PIN and isinstance(error, PatchError | OverlayError))
        fix = remedy(self.component, self.layer, self.tree) if misfit else error.hint
        return Finding(where, "fit", rest if is_patch else text, fix, error.exit_code)


def _table(project: Project) -> list[Finding]:
    try:
        found = catalogue(project)
    except HardenerError:
        return []  # the series cannot be read, which is a finding already
    if found.current:
        return []
    text = "its table is not what the patches say"
    return [Finding("patches/README.md", "table", text, "hardener check --fix", ConfigError.exit_code)]
