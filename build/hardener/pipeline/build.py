"""The build: fetch, patch, overlay and check out all components; install and bundle one after the other; deploy, scan,
package.

Every step has a key (the hash of all that it reads) and is left out when its output means that key already. Some
work runs beside the line that a person sees, because it would keep one core of several busy and nothing else: npm
installs for later components while earlier ones are bundled, the type checker runs beside the bundler, and the site is
compressed while it is scanned. The time on a line is what the build had to wait for that step.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.config import PIN
from hardener.git.repository import Repository
from hardener.pipeline import compressed, manifest, readings, scan, versions
from hardener.pipeline.bundle import bundle, deliver
from hardener.pipeline.checkout import checkout, write_tree
from hardener.pipeline.deploy import Deployed, deploy
from hardener.pipeline.install import Installed, install, provide
from hardener.pipeline.package import pack, package, write_records
from hardener.pipeline.results import Built, Options, Prepared, Result
from hardener.pipeline.typecheck import typecheck
from hardener.policy import hosts, sdks
from hardener.series.source import fetch_pinned, source
from hardener.system import locks, node, stamps
from hardener.system.workers import Beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from hardener.config import Component, Project
    from hardener.ui import UI


def build(project: Project, options: Options, ui: UI) -> Result:
    """Build the project's archive into ``dist/``. Raises HardenerError; then ``dist/`` is as it was before.

    The components are those of ``options.tree``. Another tree than the pin has a folder of its own in ``dist/``, and of
    ``hosts.toml`` only the counts of entries for that tree have to be right.
    """
    area = _area(project, options)
    with _built(project, options, area, ui) as (built, beside):
        return _finish(project, options, built, area, beside, ui)


def preview(project: Project, options: Options, ui: UI) -> Deployed:
    """Build only the site, in the work area: it is neither scanned nor packed. Raises HardenerError."""
    area = _area(project, options)
    with _built(project, options, area, ui) as (built, _beside):
        return _deploy(options, built[-1], area, ui)


def _area(project: Project, options: Options) -> Path:
    return project.work / (options.variant + project.mark)


@contextlib.contextmanager
def _built(project: Project, options: Options, area: Path, ui: UI) -> Iterator[tuple[tuple[Built, ...], Beside]]:
    """Bundle all components, and hold the work area and the worker threads until the block ends."""
    node.check_major(project.node)
    with (
        locks.lock(project.work / "lock", wait=options.wait, waiting=ui.waits),
        Beside(threads=os.cpu_count() or 1) as installing,
        Beside(threads=1) as beside,
    ):
        new = any(
            component.recipe != "none" and not (area / component.name).exists() for component in project.components
        )
        # A recipe is sure to run then, and sources can be made without our tools.
        tools = installing.submit(node.tools) if new else None
        # All sources come first, so that a patch or overlay that does not fit is reported before anything is installed.
        prepared = [_prepare(project, component, options, area, ui) for component in project.components]
        order = [prepared[-1], *prepared[:-1]]  # the site takes longest by far
        packages = {ready.component.name: installing.submit(_install, ready, options, tools) for ready in order}
        built: dict[str, Built] = {}
        for ready in prepared:
            built[ready.component.name] = _bundle(
                ready, packages[ready.component.name], options, built, area, beside, ui
            )
        yield tuple(built.values()), beside


def _prepare(project: Project, component: Component, options: Options, area: Path, ui: UI) -> Prepared:
    """Fetch a component's pin, and write its patched tree."""
    if options.unpatched:  # upstream as it is: what we leave out of its site is there
        component = replace(component, drop=(), site_without=())
    fetched = fetch_pinned(component, options.sources, ui, wait=options.wait)
    opened = options.opened.get(component.name)
    if opened:  # a repository that borrows all objects of the mirror
        fetched = replace(fetched, mirror=opened.repository)
    sources = source(
        *(project, component, fetched.mirror, ui),
        unpatched=options.unpatched,
        tree=options.tree,
        kept=area / component.name / "series",
        opened=opened,
    )
    tree = sources.last.laid.tree
    with ui.step("checkout", component.name) as line:
        work = checkout(component, fetched.mirror, tree, area / component.name / "tree")
        line.say(f"tree {tree[:12]}" + ("" if work.fresh else ", unchanged"))
    return Prepared(
        component,
        fetched,
        sources,
        work,
        provided=tuple(project.component(name).package for name in component.needs),
        substitutes=tuple(substitute for substitute in project.substitutes if substitute.component == component.name),
    )


def _install(prepared: Prepared, options: Options, tools: Future[Path] | None) -> Installed:
    if tools:
        tools.result()  # where they cannot be had, that is the error, and they are not asked for once more
    return install(prepared.component, prepared.work, options.toolchain, prepared.provided, prepared.substitutes)


def _bundle(
    prepared: Prepared,
    packages: Future[Installed],
    options: Options,
    built: Mapping[str, Built],
    area: Path,
    beside: Beside,
    ui: UI,
) -> Built:
    component, fetched, sources, work = prepared.component, prepared.fetched, prepared.source, prepared.work
    with ui.step("install", component.name) as line:
        line.tell("npm packages")
        installed = packages.result()
        if prepared.provided and component.recipe != "none":
            installed = provide(work, installed, _packages(component, built, area))
        line.say(f"{installed.packages} of {installed.of} packages" + ("" if installed.fresh else ", unchanged"))
    with ui.step("bundle", component.name) as line:
        line.tell(options.toolchain)
        checking = beside.submit(
            typecheck,
            component,
            work,
            installed.key,
            sources.paths,
            Repository(fetched.mirror).changed(component.commit, sources.last.applied.commit),
            lambda folder: write_tree(component, fetched.mirror, component.commit, folder),
        )
        # An alias leads away from a package that is left out, and so not where there is a substitute for it.
        brought = {substitute.package for substitute in prepared.substitutes}
        aliases = tuple(alias for alias in sources.aliases if alias.package not in brought)
        bundled = bundle(component, work, installed, aliases, options.toolchain, area / component.name)
        checked = checking.result()
        size = sum(size for name, size in bundled.sizes.items() if name.endswith(".js"))
        text = f"{len(bundled.sizes)} assets, {size / 1e6:.2f} MB JS; {checked.ours} files of ours type-checked"
        line.say(text if bundled.fresh or checked.fresh else "unchanged")
    for warning in bundled.warnings if bundled.fresh else ():
        ui.note(warning)
    return Built(**vars(prepared), installed=installed, bundled=bundled, checked=checked)


def _packages(component: Component, built: Mapping[str, Built], area: Path) -> dict[str, Path]:
    """Return what the components that this one needs deliver: npm name -> folder."""
    return {
        need.component.package: deliver(need.component, need.work, need.bundled, area / need.component.name / "package")
        for need in (built[name] for name in component.needs)
    }


def _deploy(options: Options, last: Built, area: Path, ui: UI) -> Deployed:
    with ui.step("deploy", last.component.name) as line:
        site = deploy(
            *(last.component, last.work, last.installed, last.bundled, area / "site"), as_upstream=options.unpatched
        )
        line.say(f"{site.files} files, {site.size / 1e6:.1f} MB" + ("" if site.fresh else ", unchanged"))
    return site


def _finish(project: Project, options: Options, built: tuple[Built, ...], area: Path, beside: Beside, ui: UI) -> Result:
    last = built[-1]
    # Web servers make ETags of time and size, so each revision of a pin has a time of its own.
    mtime = Repository(last.fetched.mirror).committed(last.component.commit) + project.revision
    site = _deploy(options, last, area, ui)
    packing = beside.submit(pack, site.path, mtime) if site.fresh else None
    with ui.step("scan", last.component.name) as line:
        found, fresh = _scan(project, options, built, site, area)
        judged = f", all listed; none of {len(found['sdks'])} SDKs" if fresh else ", unchanged"
        line.say(f"{len(found['hosts'])} hosts" + (", not judged" if options.unpatched else judged))
    with ui.step("package", last.component.name) as line:
        line.tell("compressing")
        variant = options.variant + project.mark
        dist = options.dist or (project.dist if variant == "hardened" else project.dist / variant)
        label = f"{last.component.name}-{last.component.release}-unpatched" if options.unpatched else project.label
        packaged = package(site.path, label, site.key, mtime, dist, area, packing.result if packing else None)
        line.say(
            f"{packaged.site.path.name}, {packaged.site.size / 1e6:.1f} MB" + ("" if packaged.fresh else ", unchanged")
        )
    record = manifest.record(project, options, built, found, packaged, label)
    log = manifest.log(built, label, ui.times)
    write_records(dist, packaged, record, log)
    return Result(built, site, packaged, mtime, record, log)


def _scan(
    project: Project, options: Options, built: tuple[Built, ...], site: Deployed, area: Path
) -> tuple[dict[str, Any], bool]:
    """Return hosts in the site with their counts and the SDKs that are not in it, and whether they were looked for
    just now.

    Unpatched ones are not judged, and no SDK is looked for.
    """
    known, more = _lists(project, hosts.NAME)
    ours, theirs = _lists(project, sdks.NAME)
    stamp = stamps.Stamp(area / "scan.json")
    listed = [(path.name, stamps.file_digest(path)) for path in (known, *more, ours, *theirs) if path.exists()]
    judged = options.judged and not options.unpatched
    files = (scan.__file__, readings.__file__, versions.__file__, compressed.__file__)
    sources = [*(stamps.file_digest_of(file) for file in files), stamps.folder_digest(Path(hosts.__file__).parent)]
    bundled = [finished.bundled.key for finished in built]
    key = stamps.key(site.key, bundled, listed, options.variant, judged, sources, readings.parsers())
    facts = stamp.facts(key)
    fresh = facts is None
    if facts is None:
        kept = area / "readings.json"
        exact = options.toolchain == "rspack" and options.tree == PIN
        forbidden = sdks.in_force(ours, theirs) if judged else ()
        bundles = {
            f"{finished.component.name}/{name}": paths
            for finished in built
            for name, paths in finished.bundled.modules.items()
        }
        scanned = (
            scan.check(
                *(site.path, known, forbidden, bundles), exact=exact, downstream=more, tree=options.tree, kept=kept
            )
            if judged
            else scan.scan(site.path, unread=hosts.read_unread(known), kept=kept)
        )
        counts = {host: list(counts) for host, counts in scanned.hosts.items()}
        facts = {"hosts": counts, "sdks": [sdk.name for sdk in forbidden]}
        stamp.set(key, facts)
    return facts, fresh


def _lists(project: Project, name: str) -> tuple[Path, list[Path]]:
    """Return a list of the project, and those of that name in the folders of an operator."""
    return project.root / name, [path for folder in project.extras if (path := folder / name).exists()]
