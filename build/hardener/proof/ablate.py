"""Ablation: leave out one patch at a time, and see the test that it names go red.

A patch whose absence no test notices is either not needed or not proven. The test is in the patch's ``Evidence:``
header; it is run on a site that is built without the patch (and without those that require it), and has to fail there.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener import config
from hardener.errors import HardenerError, UsageError
from hardener.pipeline import build
from hardener.pipeline.results import Options
from hardener.series import header
from hardener.series import patch as patches
from hardener.series.extras import extend, layers_of
from hardener.series.lists import SERIES, read_series
from hardener.system import disk
from hardener.system.process import run
from hardener.ui import UI

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hardener.config import Project
    from hardener.series.extras import Layer

# The browser tests read here which archive is 'hardened' (tests/e2e/conftest.py).
VARIABLE = "HARDENER_ARCHIVE"
_PYTEST_FAILED = 1


@dataclass(frozen=True)
class Ablation:
    """The test result without one patch: ``red`` is expected, ``green`` and ``unproven`` are findings."""

    patch: str
    evidence: str
    verdict: str
    detail: str = ""


def ablate(project: Project, only: tuple[str, ...], ui: UI) -> tuple[Ablation, ...]:
    """Leave out each patch of the project (or those named in ``only``) in turn and run its test.

    Raises UsageError for a name that is not a patch.
    """
    found = [
        (path, layer)
        for component in project.components
        for layer in layers_of(project, component)
        for path in read_series(layer.patches)
    ]
    unknown = sorted(set(only) - {path.name for path, _ in found})
    if unknown:
        raise UsageError(f"no series has {', '.join(unknown)}", hint="name the patch files as they are in the series")
    results = []
    for path, layer in found:
        if path.name in only or (not only and _wants_test(path, layer)):
            with ui.step("ablate", path.parent.name) as line:
                line.tell(path.name)
                result = _without(project, path)
                line.say(f"{path.name}: {result.verdict}")
            results.append(result)
    return tuple(results)


def _wants_test(path: Path, layer: Layer) -> bool:
    """Return whether a patch names a test, or has to: an operator's change of configuration need not."""
    patch = patches.read(path)
    return "Evidence" in (*patch.fields, *header.required(patch, layer))


def _without(project: Project, path: Path) -> Ablation:
    evidence = patches.read(path).fields.get("Evidence", "")
    if not evidence:
        return Ablation(path.name, "", "unproven", "it names no test (Evidence: in its header)")
    reduced = _copy(project, path)
    try:
        options = Options(sources={}, judged=False)
        archive = build.build(reduced, options, UI(quiet=True)).packaged.site.path
    except HardenerError as error:
        return Ablation(path.name, evidence, "red", f"does not build without it: {error.message}")
    words = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", evidence)
    # Evidence of an operator's patch is a test of the operator's folder: DIR/patches/COMPONENT/NAME.patch.
    done = run(words, cwd=header.folder_of_test(path.parents[2], evidence), env={VARIABLE: os.fspath(archive)})
    last = done.text.splitlines()[-1] if done.text else done.complaint[-200:]
    if done.status == 0:
        skipped = "passed" not in last
        return Ablation(path.name, evidence, "unproven" if skipped else "green", last)
    return Ablation(path.name, evidence, "red" if done.status == _PYTEST_FAILED else "unproven", last)


def _copy(project: Project, left_out: Path) -> Project:
    """Return the project without one patch and those that require it; its work area stays, so that little is built
    again.
    """
    root = project.work / "ablate"
    disk.remove(root / "extra")
    for source, target in _folders(project, root):
        for name in ("patches", "overlays"):
            disk.remove(target / name)
            if (source / name).is_dir():
                shutil.copytree(source / name, target / name)
    shutil.copy(project.root / config.NAME, root / config.NAME)
    extras = [target for _, target in _folders(project, root)][1:]
    copied = extend(replace(config.load(root), name="ablated"), extras)
    home = dict(_folders(project, root))[left_out.parents[2]]
    folder = home / "patches" / left_out.parent.name
    gone = set(_with_dependents(folder, left_out.name))
    lines = (folder / SERIES).read_text("utf-8").splitlines(keepends=True)
    disk.write(folder / SERIES, "".join(line for line in lines if line.split("#")[0].strip() not in gone).encode())
    for name in gone:
        (folder / name).unlink()
    return copied


def _folders(project: Project, root: Path) -> list[tuple[Path, Path]]:
    """Return the folders with patches and overlays (ours, then the extras), each with the place of its copy."""
    return [(project.root, root), *((folder, root / "extra" / folder.name) for folder in project.extras)]


def _with_dependents(folder: Path, name: str) -> Iterator[str]:
    gone = {name.removesuffix(".patch")}
    yield name
    for path in read_series(folder):
        if path.name != name and gone & {need.removesuffix(".patch") for need in patches.read(path).requires}:
            gone.add(path.name.removesuffix(".patch"))
            yield path.name
