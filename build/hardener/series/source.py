"""From pin to source tree: fetch a component, then lay ours and each downstream layer over it, patches before overlays.

Part of the flow (it calls steps); pipeline/build.py builds what comes out, and ``hardener check`` stops here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import ConfigError
from hardener.git.fetch import Fetched, fetch
from hardener.series import overlay
from hardener.series.apply import remove_listed
from hardener.series.extras import layers_of
from hardener.series.lists import read_series
from hardener.series.results import Results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.series.apply import Applied
    from hardener.series.extras import Layer
    from hardener.series.overlay import Alias, Laid
    from hardener.ui import UI


@dataclass(frozen=True)
class Layered:
    """One layer on its component: what its patches and overlays came to."""

    layer: Layer
    applied: Applied
    laid: Laid


@dataclass(frozen=True)
class Opened:
    """A series that is being edited: ``commit`` has the files of its work tree, with all objects in ``repository``."""

    repository: Path
    commit: str


@dataclass(frozen=True)
class Source:
    """A component with all layers on it; the first one is ours."""

    layers: tuple[Layered, ...]

    @property
    def ours(self) -> Layered:
        """Return the project's own layer."""
        return self.layers[0]

    @property
    def last(self) -> Layered:
        """Return the layer whose tree is built."""
        return self.layers[-1]

    @property
    def paths(self) -> tuple[str, ...]:
        """Return files that are overlays of some layer."""
        return tuple(sorted({path for layer in self.layers for path in layer.laid.paths}))

    @property
    def aliases(self) -> tuple[Alias, ...]:
        """Return the aliases of all layers."""
        return tuple(alias for layer in self.layers for alias in layer.laid.aliases)


def fetch_pinned(component: Component, sources: Mapping[str, str], ui: UI, *, wait: bool = True) -> Fetched:
    """Fetch a component's pinned commit (see git/fetch.py) under its line of the terminal."""
    with ui.step("fetch", component.name) as line:
        fetched = fetch(component, sources.get(component.name, ""), tell=line.tell, wait=wait, waiting=ui.waits)
        state = f"{fetched.objects} objects from {fetched.source}" if fetched.objects else "in the cache"
        line.say(f"{component.release} ({component.commit[:12]}) {state}")
    for note in fetched.notes:
        ui.note(note)
    return fetched


def source(
    project: Project,
    component: Component,
    mirror: Path,
    ui: UI,
    *,
    unpatched: bool = False,
    tree: str = PIN,
    kept: Path | None = None,
    opened: Opened | None = None,
) -> Source:
    """Apply and lay all layers of the project on the component's commit, which is that of ``tree``.

    With ``unpatched`` only the aliases of packages that cannot be had are laid. ``kept`` is a folder for what each
    layer came to: with the same inputs it is not applied again. With ``opened``, its files take the place of the last
    layer's patches. Raises HardenerError where something does not fit, and ConfigError where a downstream layer uses a
    name of a layer before it.
    """
    names = (tree,)
    results = Results(kept, mirror)
    base = component.commit
    layers: list[Layered] = []
    wanted = layers_of(project, component)[: 1 if unpatched else None]
    for layer in wanted:
        refuse_clashes(layer, layers, names)
        patches = project.root / "no patches" if unpatched else layer.patches
        with ui.step("patch", component.name) as line:
            hint = remedy(component, layer, tree)
            if opened and layer is wanted[-1]:
                applied, fresh = remove_listed(component.name, mirror, opened.commit, patches, names), True
            else:
                applied, fresh = results.applied(
                    layer.name, component.name, base, patches, names, upstream=component.commit, hint=hint
                )
            offsets = sum(bool(result.offsets) for result in applied.results)
            line.say(
                f"{layer}{len(applied.results)} patches, {len(applied.removed)} files removed"
                + (f", {offsets} with offset" if offsets else "")
                + ("" if fresh else ", unchanged")
            )
        report_offsets(applied, ui)
        with ui.step("overlay", component.name) as line:
            keep = component.omit if unpatched else None
            laid, fresh = results.laid(
                layer.name, component.name, base, applied.commit, layer.overlays, names, only_aliases_of=keep
            )
            line.say(f"{layer}{len(laid.paths)} files, {len(laid.aliases)} aliases" + ("" if fresh else ", unchanged"))
        layers.append(Layered(layer, applied, laid))
        base = laid.commit
    return Source(tuple(layers))


def remedy(component: Component, layer: Layer, tree: str) -> str:
    """Return how a person starts where patches or overlays of a layer do not fit a tree."""
    if tree == PIN:
        return layer.command("edit", component.name)
    return f"find upstream's commit: hardener drift {tree}; carry it over: hardener lift --to {tree}"


def ground(project: Project, component: Component, layer: Layer, mirror: Path, ui: UI) -> str:
    """Return the commit that a layer's patches apply to: the pin for ours, for another what the layers below it
    make.
    """
    below = project.extras[: [lower.name for lower in layers_of(project, component)].index(layer.name)]
    if not layer.name:
        return component.commit
    return source(replace(project, extras=below[:-1]), component, mirror, ui).last.laid.commit


def refuse_clashes(layer: Layer, before: list[Layered], names: tuple[str, ...]) -> None:
    """Raise ConfigError where a layer has a patch, an overlay or an alias of a name that an earlier layer has."""
    if not before:
        return
    patches = {path.name for path in read_series(layer.patches)}
    overlays = overlay.read(layer.overlays, names)
    for layered in before:
        taken = (
            [("patch", name) for name in sorted(patches & {result.name for result in layered.applied.results})]
            + [("overlay", file.path) for file in overlays.files if file.path in layered.laid.paths]
            + [("alias", a.module) for a in overlays.aliases if a.module in {b.module for b in layered.laid.aliases}]
        )
        for kind, name in taken:
            fix = {"patch": "rename yours", "overlay": f"change ours by a patch in {layer.patches}"}
            raise ConfigError(
                f"{layer.root}: {layered.layer.owner} has the {kind} {name} already",
                hint=fix.get(kind, "remove yours: a module has one alias"),
            )


def components_at(project: Project, tree: str) -> tuple[Component, ...]:
    """Return the components with the commits of a tree; those that it does not name stay at their pin."""
    commits = {} if tree == PIN else project.trees[tree]
    return tuple(c.at(commits[c.name]) if c.name in commits else c for c in project.components)


def report_offsets(applied: Applied, ui: UI) -> None:
    """Name each patch that fits with an offset."""
    for result in applied.results:
        if result.offsets:
            ui.note(str(result))
