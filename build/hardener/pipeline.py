"""The build: fetch, patch, overlay, check out, install, bundle, deploy, scan, package; component by component.

Every step has a key (the hash of all that it reads) and is left out when its output stands for that key already.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hardener import __version__, cache, hosts, node, scan, sdks
from hardener.bundle import Bundled, bundle, deliver
from hardener.checkout import WorkTree, checkout, write_tree
from hardener.deploy import Deployed, deploy
from hardener.git import Repository
from hardener.install import Installed, install
from hardener.package import Packaged, archive_records, package, read_records, write_records
from hardener.source import Layered, Source, fetch_pinned, source
from hardener.typecheck import Checked, typecheck

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.fetch import Fetched
    from hardener.ui import UI


@dataclass(frozen=True)
class Options:
    """What a build may be told: where to fetch from, which toolchain, and whether upstream is left as it is.

    ``judged=False`` counts the hosts of the site without holding them against hosts.toml and sdks.toml.
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
    source: Source
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
    area = project.work / (options.variant + project.mark)
    with cache.lock(
        project.work / "lock", wait=options.wait, waiting=lambda who: ui.note(f"{who} builds here: waiting")
    ):
        built: dict[str, Built] = {}
        for component in project.components:
            # Upstream as it is: what we leave out of its site is there.
            one = replace(component, drop=(), site_without=()) if options.unpatched else component
            built[component.name] = _build_component(project, one, options, built, area, ui)
        return _finish(project, options, tuple(built.values()), area, ui)


def _build_component(
    project: Project, component: Component, options: Options, built: Mapping[str, Built], area: Path, ui: UI
) -> Built:
    home = area / component.name
    fetched = fetch_pinned(component, options.sources, ui)
    sources = source(project, component, fetched.mirror, ui, unpatched=options.unpatched)
    tree = sources.last.laid.tree
    with ui.step("checkout", component.name) as line:
        work = checkout(component, fetched.mirror, tree, home / "tree")
        line.say(f"tree {tree[:12]}" + ("" if work.fresh else ", unchanged"))
    with ui.step("install", component.name) as line:
        line.tell("npm packages")
        substitutes = tuple(one for one in project.substitutes if one.component == component.name)
        installed = install(component, work, options.toolchain, _packages(component, built, area), substitutes)
        line.say(f"{installed.packages} of {installed.of} packages" + ("" if installed.fresh else ", unchanged"))
    with ui.step("bundle", component.name) as line, ThreadPoolExecutor(1) as pool:
        line.tell(options.toolchain)
        checking = pool.submit(
            typecheck,
            component,
            work,
            installed.key,
            sources.paths,
            Repository(fetched.mirror).changed(component.commit, sources.last.applied.commit),
            lambda folder: write_tree(component, fetched.mirror, component.commit, folder),
        )
        # An alias leads away from a package that is left out, and so not where there is a substitute for it.
        brought = {one.package for one in substitutes}
        aliases = tuple(alias for alias in sources.aliases if alias.package not in brought)
        bundled = bundle(component, work, installed, aliases, options.toolchain, home)
        checked = checking.result()
        size = sum(size for name, size in bundled.sizes.items() if name.endswith(".js"))
        text = f"{len(bundled.sizes)} assets, {size / 1e6:.2f} MB JS; {checked.ours} files of ours type-checked"
        line.say(text if bundled.fresh or checked.fresh else "unchanged")
    for warning in bundled.warnings if bundled.fresh else ():
        ui.note(warning)
    return Built(component, fetched, sources, work, installed, bundled, checked)


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
        found, fresh = _scan(project, options, built, site, area)
        judged = f", all listed; none of {len(found['sdks'])} SDKs" if fresh else ", unchanged"
        line.say(f"{len(found['hosts'])} hosts" + (", not judged" if options.unpatched else judged))
    with ui.step("package", last.component.name) as line:
        line.tell("compressing")
        variant = options.variant + project.mark
        dist = project.dist if variant == "hardened" else project.dist / variant
        label = f"{last.component.name}-{last.component.release}-unpatched" if options.unpatched else project.label
        mtime = Repository(last.fetched.mirror).committed(last.component.commit)
        packaged = package(site.path, label, site.key, mtime, dist, area)
        line.say(
            f"{packaged.site.path.name}, {packaged.site.size / 1e6:.1f} MB" + ("" if packaged.fresh else ", unchanged")
        )
    manifest = None if packaged.fresh else read_records(dist, packaged)
    # A header, a list or a substitute's name that changed alone gives the same archive, but not the same record of it.
    records = [_component_record(one) for one in built]
    if (
        manifest is None
        or _inputs(manifest["components"]) != _inputs(records)
        or manifest.get("sdks_excluded") != found["sdks"]
        or manifest["substitutions"] != _substitutions(project)
    ):
        manifest = _manifest(project, options, built, found, packaged, ui) | {"label": label}
        write_records(dist, packaged, manifest)
    return Result(built, site, packaged, manifest)


def _scan(
    project: Project, options: Options, built: tuple[Built, ...], site: Deployed, area: Path
) -> tuple[dict[str, Any], bool]:
    """Hosts in the site with their counts and the SDKs that are not in it, and whether they were looked for just now.

    Unpatched ones are not judged, and no SDK is looked for.
    """
    known, more = _lists(project, hosts.NAME)
    ours, theirs = _lists(project, sdks.NAME)
    stamp = cache.Stamp(area / "scan.json")
    listed = [(path.name, cache.file_digest(path)) for path in (known, *more, ours, *theirs) if path.exists()]
    judged = options.judged and not options.unpatched
    sources = [cache.file_digest_of(file) for file in (scan.__file__, hosts.__file__, sdks.__file__)]
    key = cache.key(site.key, [one.bundled.key for one in built], listed, options.variant, judged, sources)
    facts = stamp.facts(key)
    fresh = facts is None
    if facts is None:
        exact = options.toolchain == "rspack"
        forbidden = sdks.in_force(ours, theirs) if judged else ()
        bundles = {
            f"{one.component.name}/{name}": paths for one in built for name, paths in one.bundled.modules.items()
        }
        scanned = (
            scan.check(site.path, known, forbidden, bundles, exact=exact, downstream=more)
            if judged
            else scan.scan(site.path)
        )
        counts = {host: list(counts) for host, counts in scanned.hosts.items()}
        facts = {"hosts": counts, "sdks": [sdk.name for sdk in forbidden]}
        stamp.set(key, facts)
    return facts, fresh


def _lists(project: Project, name: str) -> tuple[Path, list[Path]]:
    """A list of the project, and those of that name in the folders of an operator."""
    return project.root / name, [path for folder in project.extras if (path := folder / name).exists()]


def _manifest(
    project: Project,
    options: Options,
    built: tuple[Built, ...],
    found: dict[str, Any],
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
        "components": [_component_record(one) for one in built],
        "substitutions": _substitutions(project),
        "hosts": found["hosts"],
        "sdks_excluded": found["sdks"],
        "sizes": packaged.sizes,
        "archives": archive_records(packaged),
        "seconds": ui.times,
    }


def _substitutions(project: Project) -> list[dict[str, str]]:
    """Packages that a person brought; a release has to refuse a manifest in which there is one."""
    return [one.record() for one in project.substitutes]


def _inputs(records: list[dict[str, Any]]) -> bytes:
    """What went in, whichever source it was fetched from; as JSON, which knows no difference of lists and tuples."""
    return cache.json_bytes([record | {"fetched_from": ""} for record in records])


def _component_record(one: Built) -> dict[str, Any]:
    component = one.component
    ours, *downstream = one.source.layers
    return {
        "name": component.name,
        "repository": component.repository,
        "commit": component.commit,
        "release": component.release,
        "fetched_from": one.fetched.source,
        "patched_commit": ours.applied.commit,
        "commit_with_overlays": ours.laid.commit,
        "tree": one.source.last.laid.tree,
        "downstream": [{"name": layer.layer.name, "commit": layer.laid.commit} | _layer(layer) for layer in downstream],
        "omitted": list(component.omit),
        "packages": one.installed.packages,
        "upstreams_own_patches": list(one.installed.patched),
        "files_type_checked": one.checked.ours,
    } | _layer(ours)


def _layer(one: Layered) -> dict[str, Any]:
    """What one owner brought: ours, or a downstream layer."""
    patches, overlays = one.layer.patches, one.layer.overlays
    return {
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
    }
