"""The rows about building: the bundler cold and warm, the whole build, our own share of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from measure import BenchError, Sample
from report import Row, Side
from workplace import copy_mirrors, copy_project

from hardener.git.fetch import mirror_of
from hardener.pipeline.checkout import STATE, checkout
from hardener.pipeline.install import install, provide
from hardener.series.apply import apply
from hardener.series.overlay import lay
from hardener.system import disk, node, stamps

if TYPE_CHECKING:
    from pathlib import Path

    from workplace import Workplace

    from hardener.config import Component
    from hardener.pipeline.checkout import WorkTree
    from hardener.series.overlay import Alias

HEAP = "--max-old-space-size=8192"  # upstream's Makefile gives webpack as much
NEEDS_BUNDLE = "needs the row 'bundle' in the same run"
ANEW = (
    "theirs: the samples of the row 'bundle', as upstream's production build keeps no cache and starts anew each time"
)
TRANSPILE_ONLY = (
    "theirs is upstream's webpack with upstream's configuration and transpileOnly; their own 'make' has ts-loader check"
    " the types in each compiler besides, which takes minutes more and is left out here"
)


@dataclass(frozen=True)
class Tree:
    """The site's patched tree with its packages, ready for a bundler."""

    component: Component
    toolchain: str
    work: WorkTree
    aliases: tuple[Alias, ...]


@dataclass
class Upstream:
    """What upstream's way took, for the rows that compare with the same thing again: samples of each repetition."""

    compile: list[Sample]
    make: list[Sample]
    modules: Path | None = None


def tree_for(place: Workplace, toolchain: str) -> Tree:
    """Lay out the site's patched tree for a bundler of its own, as the pipeline does."""
    project, site = place.project, place.project.site
    place.tell(f"laying out {site.name} for {toolchain}")
    mirror = mirror_of(site)
    applied = apply(site.name, mirror, site.commit, project.patches(site))
    laid = lay(site.name, mirror, site.commit, applied.commit, project.overlays(site))
    work = checkout(site, mirror, laid.tree, place.home / "bundle" / toolchain / "tree")
    needed = {project.component(name).package: project.work / "hardened" / name / "package" for name in site.needs}
    provide(work, install(site, work, toolchain, tuple(needed)), needed)
    return Tree(site, toolchain, work, laid.aliases)


def compile_tree(place: Workplace, tree: Tree, cache_folder: Path | None = None) -> Sample:
    """Run a tree's bundler, and nothing else."""
    component, root = tree.component, tree.work.path
    result, file = place.home / "bundle" / "result.json", place.home / "bundle" / "job.json"
    job = {
        "root": root,
        "out": root / component.out,
        "tools": node.tools(),
        "result": result,
        "toolchain": tree.toolchain,
        "config": "webpack.config.js",
        "cache": cache_folder,
        "alias": {alias.module: root / alias.file for alias in tree.aliases},
        "drop": component.drop,
    }
    file.write_text(json.dumps(job, default=str), "utf-8")
    disk.remove(root / component.out)
    disk.remove(result)
    env = node.search_path() | ({"NODE_OPTIONS": HEAP} if tree.toolchain == "webpack" else {})
    return place.run([node.home() / "bin" / "node", node.RECIPES / "bundle.cjs", file], cwd=root, env=env)


def deploy_tree(place: Workplace, tree: Tree) -> Sample:
    """Run ``make deploy``, the same for both."""
    empty = tree.work.path / STATE / "empty"
    (empty / "fonts").mkdir(parents=True, exist_ok=True)
    words = [word.replace("{empty}", str(empty)) for word in tree.component.make]
    return place.run(["make", "--no-print-directory", *words], cwd=tree.work.path, env=node.search_path())


def bundle(place: Workplace, trees: tuple[Tree, Tree]) -> tuple[list[Row], Upstream]:
    """Measure upstream's webpack against rspack without cache, in turns, on the same patched tree."""
    versions: dict[str, str] = {}
    samples: dict[str, tuple[list[Sample], list[Sample]]] = {tree.toolchain: ([], []) for tree in trees}
    for turn in range(place.repeat):
        for tree in trees:
            place.tell(f"bundle {turn + 1}/{place.repeat}: {tree.toolchain}")
            compiled = compile_tree(place, tree)
            versions |= disk.read_json(place.home / "bundle" / "result.json")["versions"]
            samples[tree.toolchain][0].append(compiled)
            samples[tree.toolchain][1].append(compiled + deploy_tree(place, tree))
    theirs, ours = samples["webpack"], samples["rspack"]
    sides = f"webpack {versions['webpack']}", f"rspack {versions['rspack']}, without cache"
    rows = [
        Row(
            "Bundle, cold: bundler alone",
            [Side(sides[0], theirs[0])],
            Side(sides[1], ours[0]),
            (TRANSPILE_ONLY,),
        ),
        Row("Bundle, cold: bundler and 'make deploy'", [Side(sides[0], theirs[1])], Side(sides[1], ours[1])),
    ]
    return rows, Upstream(*theirs, modules=trees[0].work.path / "node_modules")


def warm(place: Workplace, tree: Tree, upstream: Upstream | None) -> list[Row]:
    """Measure Rspack's persistent cache with nothing changed, and one changed line from the source to the archive."""
    folder = place.home / "bundle" / "cache"
    disk.remove(folder)
    place.tell("warm: filling rspack's cache")
    fill = compile_tree(place, tree, folder)
    unchanged, changed = [], []
    for turn in range(place.repeat):
        place.tell(f"warm {turn + 1}/{place.repeat}: nothing changed, one line changed")
        unchanged.append(compile_tree(place, tree, folder))
        changed.append(_changed_line(place, turn))
    compiled, made = (upstream.compile, upstream.make) if upstream else ([], [])
    filled = (f"filling the cache took {fill.wall:.1f} s, {fill.cpu:.1f} CPU s",)
    theirs = [Side("webpack", compiled, NEEDS_BUNDLE)], [Side("webpack, 'make deploy'", made, NEEDS_BUNDLE)]
    whole = ("ours is the whole of 'hardener build': patch, type check, bundle, deploy, scan and both archives",)
    return [
        Row(
            "Bundle again, nothing changed",
            theirs[0],
            Side("rspack, persistent cache", unchanged),
            (ANEW, *filled),
        ),
        Row(
            "One changed source line to the new bundle",
            theirs[1],
            Side("hardener build", changed),
            (ANEW, *whole),
        ),
    ]


def _changed_line(place: Workplace, turn: int) -> Sample:
    """Change a line that has to arrive in the bundle, and build."""
    project = place.project
    overlays = project.overlays(project.site)
    file = next(iter(sorted(overlays.rglob("*.ts"))), None)
    if file is None:
        raise BenchError(f"there is no TypeScript overlay in {overlays}", hint="leave out the row 'warm'")
    mark = f"hardener bench {turn}"
    original = file.read_bytes()
    file.write_bytes(original + f"\n(window as any).hardenerBench = '{mark}';\n".encode())
    try:
        sample = place.harden("build", "--project", project.root)
    finally:
        file.write_bytes(original)
    site = project.work / "hardened" / "site"
    if not any(mark.encode() in script.read_bytes() for script in site.rglob("*.js")):
        raise BenchError("the changed line is not in the new bundle", hint=f"see {place.log}")
    return sample


def cold(place: Workplace, upstream: Upstream | None) -> tuple[Row, Row, Row]:
    """Return the whole build from nothing but repositories and npm's cache, the same again, and our share of the
    first.
    """
    first, again, shares, steps = [], [], [], {}
    for turn in range(place.repeat):
        place.tell(f"cold {turn + 1}/{place.repeat}: the whole build, and again")
        home, trace = place.home / "cold", place.home / "trace.json"
        disk.remove(home)
        copy_project(place.root, home / "project")
        copy_mirrors(place.project, place.home / "cache" / "hardener" / "mirrors", home / "cache")
        env = {"XDG_CACHE_HOME": str(home / "cache")}
        first.append(place.harden("build", "--project", home / "project", env=env, trace=trace))
        shares.append(disk.read_json(trace))
        steps = disk.read_json(home / "project" / "dist" / "build-log.json")["seconds"]
        again.append(place.harden("build", "--project", home / "project", env=env))
    theirs = Side("npm ci, webpack, 'make deploy' of the last component", _install(place, upstream), NEEDS_BUNDLE)
    rebuilt = Side("webpack, 'make deploy'", upstream.make if upstream else [], NEEDS_BUNDLE)
    count = len(place.project.components)
    who = f"hardener build, {count} components"
    notes = (
        "ours: empty work area and cache but for the git repositories; npm's own cache is warm",
        "theirs is a lower bound: web-only packages and ready-made other components; upstream's npm install takes more",
    )
    return (
        Row("Whole build, cold", [theirs], Side(who, first), notes),
        Row(
            "Whole build again, nothing changed",
            [rebuilt],
            Side(who, again),
            (ANEW,),
        ),
        _overhead(first, shares, steps),
    )


def _install(place: Workplace, upstream: Upstream | None) -> list[Sample]:
    """Return upstream's cold build: ``npm ci`` measured now, and what the row 'bundle' took."""
    if upstream is None or upstream.modules is None:
        return []
    store = node.stored(stamps.Stamp(upstream.modules / ".hardener.json").last()["store"]).parent
    npm = node.home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    samples = []
    for made in upstream.make:
        folder = place.home / "npm"
        disk.remove(folder)
        folder.mkdir()
        for name in ("package.json", "package-lock.json", ".npmrc"):
            (folder / name).write_bytes((store / name).read_bytes())
        place.tell("cold: npm ci for webpack")
        words = ("ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
        samples.append(
            place.run([node.home() / "bin" / "node", npm, *words], cwd=folder, env=node.search_path()) + made
        )
    return samples


def _overhead(first: list[Sample], shares: list[dict[str, object]], steps: dict[str, float]) -> Row:
    """Return what is left of the cold build when git, npm, bundlers, make and type checker are taken out."""
    own = median(sample.wall - float(str(share["outside"])) for sample, share in zip(first, shares, strict=True))
    own_cpu = median(float(str(share["own_cpu"])) for share in shares)
    wall, cpu = median(sample.wall for sample in first), median(sample.cpu for sample in first)
    last = shares[-1]["seconds"]
    kinds = sorted(last.items(), key=lambda pair: -pair[1]) if isinstance(last, dict) else []
    longest = sorted(steps.items(), key=lambda pair: -pair[1])[:8]
    lines = [
        ("wall of the cold build", f"{wall:.1f} s"),
        (
            "of it with none of git, npm, bundler, make, type checker running: ours",
            f"{own:.1f} s ({100 * own / wall:.0f} %)",
        ),
        ("CPU of our own process, of all CPU", f"{own_cpu:.1f} s ({100 * own_cpu / cpu:.0f} %)"),
        *((f"some {name} was running (last repetition)", f"{seconds:.1f} s") for name, seconds in kinds),
        *((f"step '{name}' (last repetition)", f"{seconds:.1f} s") for name, seconds in longest),
    ]
    note = (
        "copying, linking, hashing, scanning and compressing count as ours; programs run side by side, so kinds overlap"
    )
    return Row("Our own overhead in the cold build", [], None, (note,), tuple(lines))
