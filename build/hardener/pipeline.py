"""The build: fetch, patch, overlay, check out, install, bundle, deploy, scan, package; component by component.

Every step has a key (the hash of all that it reads) and is left out when its output stands for that key already.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hardener import __version__, cache, node, overlay, scan
from hardener.apply import PIN, Applied, apply
from hardener.bundle import Bundled, bundle, deliver
from hardener.checkout import WorkTree, checkout, write_tree
from hardener.deploy import Deployed, deploy
from hardener.fetch import Fetched, fetch
from hardener.git import Repository
from hardener.install import Installed, install
from hardener.overlay import Laid, lay
from hardener.package import Packaged, archive_records, package, read_records, write_records
from hardener.scan import NAME as HOSTS
from hardener.typecheck import Checked, typecheck

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.ui import UI


@dataclass(frozen=True)
class Options:
    """What a build may be told: where to fetch from, which toolchain, and whether upstream is left as it is.

    ``judged=False`` counts the hosts of the site without holding them against hosts.toml.
    """

    sources: Mapping[str, str]
    toolchain: str = "rspack"
    unpatched: bool = False
    judged: bool = True
    wait: bool = True

    @property
    def variant(self) -> str:
        """Name of the work area: variants do not disturb each other."""
        return ("unpatched" if self.unpatched else "hardened") + (
            "" if self.toolchain == "rspack" else f"-{self.toolchain}"
        )


@dataclass(frozen=True)
class Built:
    """One component after its bundler ran."""

    component: Component
    fetched: Fetched
    applied: Applied
    laid: Laid
    work: WorkTree
    installed: Installed
    bundled: Bundled
    checked: Checked


@dataclass(frozen=True)
class Result:
    """A finished build."""

    components: tuple[Built, ...]
    site: Deployed
    packaged: Packaged
    manifest: dict[str, Any]

    @property
    def fresh(self) -> bool:
        """Whether anything had to be packed anew."""
        return self.packaged.fresh


def build(project: Project, options: Options, ui: UI) -> Result:
    """Build the project's archive into ``dist/``. Raises HardenerError; then ``dist/`` is as it was before."""
    node.check_major(project.node)
    area = project.work / options.variant
    with cache.lock(
        project.work / "lock", wait=options.wait, waiting=lambda who: ui.note(f"{who} builds here: waiting")
    ):
        built: dict[str, Built] = {}
        for component in project.components:
            built[component.name] = _build_component(project, component, options, built, area, ui)
        return _finish(project, options, tuple(built.values()), area, ui)


def _build_component(
    project: Project, component: Component, options: Options, built: Mapping[str, Built], area: Path, ui: UI
) -> Built:
    home = area / component.name
    fetched = _fetch(component, options, ui)
    applied, laid = _source(project, component, options, fetched, ui)
    with ui.step("checkout", component.name) as line:
        work = checkout(component, fetched.mirror, laid.tree, home / "tree")
        line.say(f"tree {laid.tree[:12]}" + ("" if work.fresh else ", unchanged"))
    with ui.step("install", component.name) as line:
        line.tell("npm packages")
        installed = install(component, work, options.toolchain, _packages(component, built, area))
        line.say(f"{installed.packages} of {installed.of} packages" + ("" if installed.fresh else ", unchanged"))
    with ui.step("bundle", component.name) as line, ThreadPoolExecutor(1) as pool:
        line.tell(options.toolchain)
        checking = pool.submit(
            typecheck,
            component,
            work,
            installed.key,
            laid.paths,
            Repository(fetched.mirror).changed(component.commit, applied.commit),
            lambda folder: write_tree(component, fetched.mirror, component.commit, folder),
        )
        bundled = bundle(component, work, installed, laid.aliases, options.toolchain, home)
        checked = checking.result()
        size = sum(size for name, size in bundled.sizes.items() if name.endswith(".js"))
        text = f"{len(bundled.sizes)} assets, {size / 1e6:.2f} MB JS; {checked.ours} files of ours type-checked"
        line.say(text if bundled.fresh or checked.fresh else "unchanged")
    for warning in bundled.warnings if bundled.fresh else ():
        ui.note(warning)
    return Built(component, fetched, applied, laid, work, installed, bundled, checked)


def _fetch(component: Component, options: Options, ui: UI) -> Fetched:
    with ui.step("fetch", component.name) as line:
        waiting = lambda who: line.tell(f"{who} fetches here: waiting")  # noqa: E731
        fetched = fetch(component, options.sources.get(component.name, ""), tell=line.tell, waiting=waiting)
        state = f"{fetched.objects} objects from {fetched.source}" if fetched.objects else "in the cache"
        line.say(f"{component.release} ({component.commit[:12]}) {state}")
    for note in fetched.notes:
        ui.note(note)
    return fetched


def _source(project: Project, component: Component, options: Options, fetched: Fetched, ui: UI) -> tuple[Applied, Laid]:
    patches, overlays = project.patches(component), project.overlays(component)
    names = (PIN,)
    with ui.step("patch", component.name) as line:
        if options.unpatched:
            patches = project.root / "no patches"
        applied = apply(component.name, fetched.mirror, component.commit, patches, names)
        offsets = sum(bool(result.offsets) for result in applied.results)
        line.say(
            f"{len(applied.results)} patches, {len(applied.removed)} files removed"
            + (f", {offsets} with offset" if offsets else "")
        )
    for result in applied.results:
        if result.offsets:
            ui.note(str(result))
    with ui.step("overlay", component.name) as line:
        keep = component.omit if options.unpatched else None
        laid = lay(
            component.name, fetched.mirror, component.commit, applied.commit, overlays, names, only_aliases_of=keep
        )
        line.say(f"{len(laid.paths)} files, {len(laid.aliases)} aliases")
    return applied, laid


def _packages(component: Component, built: Mapping[str, Built], area: Path) -> dict[str, Path]:
    """What the components that this one needs deliver: npm name -> folder."""
    return {
        need.component.package: deliver(need.component, need.work, need.bundled, area / need.component.name / "package")
        for need in (built[name] for name in component.needs)
    }


def _finish(project: Project, options: Options, built: tuple[Built, ...], area: Path, ui: UI) -> Result:
    last = built[-1]
    with ui.step("deploy", last.component.name) as line:
        site = deploy(last.component, last.work, last.installed, last.bundled, area / "site")
        line.say(f"{site.files} files, {site.size / 1e6:.1f} MB" + ("" if site.fresh else ", unchanged"))
    with ui.step("scan", last.component.name) as line:
        hosts, fresh = _scan(project, options, site, area)
        line.say(
            f"{len(hosts)} hosts"
            + (", not judged" if options.unpatched else ", all listed" if fresh else ", unchanged")
        )
    with ui.step("package", last.component.name) as line:
        line.tell("compressing")
        dist = project.dist if options.variant == "hardened" else project.dist / options.variant
        label = f"{last.component.name}-{last.component.release}-unpatched" if options.unpatched else project.label
        mtime = Repository(last.fetched.mirror).committed(last.component.commit)
        packaged = package(site.path, label, site.key, mtime, dist, area)
        line.say(
            f"{packaged.site.path.name}, {packaged.site.size / 1e6:.1f} MB" + ("" if packaged.fresh else ", unchanged")
        )
    manifest = None if packaged.fresh else read_records(dist, packaged)
    if manifest is None:
        manifest = _manifest(project, options, built, hosts, packaged, ui) | {"label": label}
        write_records(dist, packaged, manifest)
    return Result(built, site, packaged, manifest)


def _scan(project: Project, options: Options, site: Deployed, area: Path) -> tuple[dict[str, list[int]], bool]:
    """Hosts in the site with their counts, and whether they were looked for just now; unpatched ones are not judged."""
    hosts = project.root / HOSTS
    stamp = cache.Stamp(area / "scan.json")
    listed = cache.file_digest(hosts) if hosts.exists() else ""
    judged = options.judged and not options.unpatched
    key = cache.key(site.key, listed, options.variant, judged, cache.file_digest_of(scan.__file__))
    facts = stamp.facts(key)
    fresh = facts is None
    if facts is None:
        exact = options.toolchain == "rspack"
        scanned = scan.check(site.path, hosts, exact=exact) if judged else scan.scan(site.path)
        facts = {"hosts": {host: list(counts) for host, counts in scanned.hosts.items()}}
        stamp.set(key, facts)
    return facts["hosts"], fresh


def _manifest(
    project: Project,
    options: Options,
    built: tuple[Built, ...],
    hosts: dict[str, list[int]],
    packaged: Packaged,
    ui: UI,
) -> dict[str, Any]:
    """``build-manifest.json``: what went in, how it was built, what came out."""
    return {
        "schema": 1,
        "hardener": __version__,
        "name": project.name,
        "variant": options.variant,
        "toolchain": {"name": options.toolchain, "node": node.node_version(), "recipes": node.recipes_digest()}
        | {name: version for one in built for name, version in one.bundled.versions.items()},
        "components": [_component_record(project, one) for one in built],
        "substitutions": [],
        "hosts": hosts,
        "sizes": packaged.sizes,
        "archives": archive_records(packaged),
        "seconds": ui.times,
    }


def _component_record(project: Project, one: Built) -> dict[str, Any]:
    component, patches, overlays = one.component, project.patches(one.component), project.overlays(one.component)
    return {
        "name": component.name,
        "repository": component.repository,
        "commit": component.commit,
        "release": component.release,
        "fetched_from": one.fetched.source,
        "patched_commit": one.applied.commit,
        "commit_with_overlays": one.laid.commit,
        "tree": one.laid.tree,
        "patches": [
            {
                "name": result.name,
                "subject": result.subject,
                "status": result.status.value,
                "offsets": list(result.offsets),
            }
            | {"sha256": cache.file_digest(patches / result.name)}
            for result in one.applied.results
        ],
        "removed": list(one.applied.removed),
        "overlays": [{"path": path, "sha256": cache.file_digest(overlays / path)} for path in one.laid.paths],
        "aliases": [asdict(alias) for alias in one.laid.aliases],
        "omitted": list(component.omit),
        "packages": one.installed.packages,
        "upstreams_own_patches": list(one.installed.patched),
        "files_type_checked": one.checked.ours,
    }


def check_series(project: Project, tree: str, options: Options, ui: UI) -> tuple[Applied, ...]:
    """Apply the series of all components to a tree (``pin`` or a [tree.NAME]) without building anything.

    Raises HardenerError when a patch or overlay does not fit.
    """
    commits = {} if tree == PIN else project.trees[tree]
    applied = []
    for pinned in project.components:
        component = pinned.at(commits[pinned.name]) if pinned.name in commits else pinned
        fetched = _fetch(component, options, ui)
        with ui.step("check", component.name) as line:
            series = apply(component.name, fetched.mirror, component.commit, project.patches(component), (tree,))
            laid = overlay.lay(
                component.name, fetched.mirror, component.commit, series.commit, project.overlays(component), (tree,)
            )
            line.say(
                f"{len(series.results)} patches, {len(series.removed)} removals, {len(laid.paths)} overlays fit {tree}"
            )
        for result in series.results:
            if result.offsets:
                ui.note(str(result))
        applied.append(series)
    return tuple(applied)
