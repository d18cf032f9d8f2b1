"""Build one tree with both toolchains, and compare the differences with toolchains.toml."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener import config
from hardener.pipeline import build
from hardener.pipeline.results import Built, Options, Result
from hardener.policy import hosts, sdks
from hardener.proof.compare import browser, checks
from hardener.proof.compare.expected import NAME, judge, read
from hardener.proof.compare.model import SIDES, Comparison, Difference, Found, Side
from hardener.system import disk, node, stamps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.config import Project
    from hardener.ui import UI

AGAIN = "again"  # in the work area: the folder of the second builds


def compare(
    project: Project, sources: Mapping[str, str], ui: UI, *, pages: bool = True, twice: bool = False
) -> Comparison:
    """Compare the toolchains on the project's hardened tree.

    ``pages`` opens both sites in Chromium; ``twice`` builds each side once more from nothing, in another folder. What
    is left out is in the result. Raises HardenerError where a side cannot be built or looked at, ConfigError for a
    malformed toolchains.toml.
    """
    reviewed = read(project.root / NAME)
    built = {toolchain: _build(project, sources, toolchain, ui) for toolchain in SIDES}
    pairs = []
    for rspack, webpack in zip(built["rspack"].components, built["webpack"].components, strict=True):
        if rspack.component.recipe == "webpack":
            with ui.step("inspect", rspack.component.name) as line:
                pairs.append((_side(rspack), _side(webpack)))
                line.say(f"{len(pairs[-1][0].scripts)} scripts of Rspack, {len(pairs[-1][1].scripts)} of webpack")
    found = list(checks.join(check for pair in pairs for check in checks.inspect(*pair)))
    if pages:
        found += _look(built, [side for pair in pairs for side in pair], ui)
    if twice:
        found.append(_twice(project, sources, built, ui))
    covered, uncovered, stale = judge(found, reviewed)
    sizes = tuple(row for pair in pairs for row in checks.figures(*pair))
    return Comparison(tuple(found), covered, uncovered, stale, sizes)


def _build(project: Project, sources: Mapping[str, str], toolchain: str, ui: UI) -> Result:
    ui.print(f"{project.label}, {toolchain}", "bold")
    return build.build(project, Options(sources=sources, toolchain=toolchain), ui)


def _side(built: Built) -> Side:
    out = built.work.path / built.component.out
    seen = node.recipe("inspect.cjs", {"root": built.work.path, "out": out, "config": "webpack.config.js"})
    return Side(
        component=built.component.name,
        modules=built.bundled.modules,
        scripts=seen["scripts"],
        licences={name: tuple(comments) for name, comments in seen["licences"].items()},
        libraries={
            name: {surface: tuple(names) for surface, names in surfaces.items()}
            for name, surfaces in seen["libraries"].items()
        },
        entries=tuple(seen["entries"]),
    )


def _look(built: Mapping[str, Result], sides: list[Side], ui: UI) -> list[Found]:
    """Open both sites in Chromium: each file that upstream calls a worker or a worklet has to start."""
    worklets = {Path(entry["file"]).name for side in sides for entry in side.entries if entry["worklet"]}
    scripts = {Path(name).name for side in sides for name in side.scripts}
    seen = []
    for toolchain in SIDES:
        site = built[toolchain].site.path
        paths = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.js") if path.name in scripts)
        workers = [path for path in paths if "worker" in Path(path).name and Path(path).name not in worklets]
        with ui.step("browser", toolchain) as line:
            seen.append(browser.look(site, [path for path in paths if Path(path).name in worklets], workers))
            line.say(f"{len(seen[-1].starts)} workers and worklets, {len(browser.PAGES)} pages")
    return [browser.starts(*seen), browser.console(*seen)]


def _twice(project: Project, sources: Mapping[str, str], built: Mapping[str, Result], ui: UI) -> Found:
    """Build each side again from a copy of the project in another folder, without what the first build has kept."""
    root = project.work / AGAIN
    disk.remove(root)
    with disk.full_disk_explained():
        root.mkdir(parents=True)
        for name in (config.NAME, hosts.NAME, sdks.NAME):
            if (project.root / name).exists():
                shutil.copyfile(project.root / name, root / name)
        for name in ("patches", "overlays"):
            if (project.root / name).exists():
                shutil.copytree(project.root / name, root / name)
    differences: list[Difference] = []
    compared = 0
    for toolchain in SIDES:
        sites = (built[toolchain].site.path, _build(replace(project, root=root), sources, toolchain, ui).site.path)
        count, differing = unlike(*sites)
        compared += count
        differences += [Difference("twice", "site", name, toolchain) for name in differing]
    disk.remove(root)
    return Found("twice", compared, tuple(differences))


def unlike(left: Path, right: Path) -> tuple[int, tuple[str, ...]]:
    """Return how many files two folders have, and which are not in both with the same bytes."""
    digests = [
        {path.relative_to(folder).as_posix(): stamps.file_digest(path) for path in folder.rglob("*") if path.is_file()}
        for folder in (left, right)
    ]
    names = digests[0].keys() | digests[1].keys()
    return len(names), tuple(sorted(name for name in names if digests[0].get(name) != digests[1].get(name)))
