"""The subcommand of the daily loop: ``hardener dev COMPONENT`` builds and shows what is being edited."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from watchfiles import DefaultFilter, watch

from hardener.cli.options import project_of, sources_of
from hardener.errors import BusyError, HardenerError, PatchError
from hardener.pipeline import build
from hardener.pipeline.results import Options
from hardener.proof.web.live import Live
from hardener.proof.web.site import Site
from hardener.proof.xmpp import stub
from hardener.series.edit import EDIT, EditTree, edit
from hardener.series.extras import layers_of
from hardener.series.source import Opened, fetch_pinned, ground
from hardener.system import locks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from watchfiles import Change

    from hardener.config import Project
    from hardener.ui import UI

# Milliseconds: until the watcher says that it is there, and in which changes count as one. A change comes at once.
_START, _PAUSE = 1000, 400


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` and ``extra`` are the parsers of options that it shares."""
    parser = subcommand(
        "dev", _dev, "open a series for change, show its site, build it again at each save", source, extra
    )
    parser.add_argument("component", metavar="COMPONENT", help="a component of upstream.toml")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")


def _dev(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Build and serve until an interrupt.

    Raises BusyError for a second instance, StackError where the port is taken, PatchError where the series does not
    fit, UnfinishedError where the edit tree and the series have both changed.
    """
    project = project_of(given)
    component = project.component(given.component)
    layer = layers_of(project, component)[-1]
    tree = EditTree.of(project.work / EDIT, component, layer)
    site = project.work / "dev" / "site"
    live = Live(Site(site))
    with contextlib.suppress(KeyboardInterrupt), _only_instance(project), live.serving(given.port) as url:
        sources = sources_of(given, project)
        mirror = fetch_pinned(component, sources, ui).mirror
        base = ground(project, component, layer, mirror, ui)
        edited = edit(component, mirror, base, layer, project.work / EDIT, waiting=ui.waits)
        if edited.stopped:
            raise PatchError(
                f"{component.name}: {edited.stopped[0]} does not fit",
                hint=f"{tree.cd} && git status; solve it, git add, git am --continue; then the same command again",
            )
        ui.print(f"{edited.how}: {edited.path}, {edited.patches} patches as commits", "bold")
        options = Options(sources=sources)
        with contextlib.closing(live):
            for _change in _changes([tree.path, *_overlays(project)]):
                _rebuild(project, options, tree, live, ui)
                ui.print(f"{url}  account: {stub.USER}, password: {stub.PASSWORD}. Ctrl-C stops.")
    ui.print(f"stopped. To write the series back: commit in {tree.path}, then: {tree.regen}")
    return {"site": os.fspath(site), "tree": os.fspath(tree.path), "exit": 128 + signal.SIGINT}


@contextlib.contextmanager
def _only_instance(project: Project) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locks.lock(project.work / "dev.lock", wait=False))
        except BusyError as error:
            raise BusyError(
                f"another 'hardener dev' runs in this checkout: {error.message}",
                hint="stop it (Ctrl-C), or use it: it shows all components",
            ) from error
        yield


def _overlays(project: Project) -> list[Path]:
    """Return the folders with our files, and those of an operator."""
    return [folder for root in (project.root, *project.extras) if (folder := root / "overlays").is_dir()]


class _Saved(DefaultFilter):
    """Let through what a person saves, and the log of git's HEAD: after a rebase it is all that changes.

    Other files of git, those of editors, and node_modules do not count.
    """

    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith("/.git/logs/HEAD") or super().__call__(change, path)


def _changes(folders: Sequence[Path]) -> Iterator[None]:
    """Yield once, as soon as changes are noticed, and then after each change of a file below the folders."""
    noticed = watch(*folders, watch_filter=_Saved(), yield_on_timeout=True, rust_timeout=_START, debounce=_PAUSE)
    next(noticed)  # nothing, when the watcher is there
    yield
    for changes in noticed:
        if changes:
            yield


def _rebuild(project: Project, options: Options, tree: EditTree, live: Live, ui: UI) -> None:
    """Build the site and show it; where that fails, report why and keep the site that is there."""
    try:
        opened = Opened(tree.repository.path, tree.snapshot())  # with changes that are in no commit
        site = build.preview(project, replace(options, opened={tree.component: opened}), ui)
    except HardenerError as error:
        ui.problem(error.message, error.hint, details=error.details)
        if live.key:
            ui.note("the site of the last build is still shown")
        return
    live.show(site.key)
