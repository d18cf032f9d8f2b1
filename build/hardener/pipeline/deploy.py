"""Step 7: css, sounds, images, languages, static pages and bundles, laid out as upstream deploys them.

Upstream's own Makefile targets copy and compile, upstream's own Debian install list (dh_install(1)) says which of it
belongs into ``/usr/share/jitsi-meet``: what upstream adds tomorrow flows through.
"""

from __future__ import annotations

import re
import shlex
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import BundleError, BusyError, ConfigError
from hardener.pipeline import compressed, versions
from hardener.pipeline.checkout import FILES, STATE
from hardener.system import disk, node, stamps
from hardener.system.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.config import Component
    from hardener.pipeline.bundle import Bundled
    from hardener.pipeline.checkout import WorkTree
    from hardener.pipeline.install import Installed

# Where Debian's package puts the web files, and so the root of our archive.
_PREFIX = "usr/share/jitsi-meet/"


@dataclass(frozen=True)
class Deployed:
    """The site as it is served: ``key`` identifies it, ``files`` and ``size`` (bytes) count what is in it."""

    path: Path
    key: str
    files: int
    size: int
    fresh: bool


def deploy(
    component: Component,
    work: WorkTree,
    installed: Installed,
    bundled: Bundled,
    target: Path,
    *,
    as_upstream: bool = False,
) -> Deployed:
    """Lay out the site in ``target``: with versions in its addresses and compressed copies, unless ``as_upstream``.

    Raises BundleError when upstream's Makefile fails, the site holds a link, or what is to be left out is not there;
    ConfigError for a layout that is new.
    """
    key = stamps.key(
        bundled.key,
        installed.key,
        (component.make, component.site, component.site_files, component.site_without),
        node.recipes_digest(),
        as_upstream,
        compressed.VERSIONS,
        [stamps.file_digest_of(file) for file in (__file__, versions.__file__, compressed.__file__)],
    )
    stamp = stamps.Stamp(target.with_suffix(".json"))
    facts = stamp.facts(key) if target.is_dir() else None
    if facts is not None:
        return Deployed(target, key, facts["files"], facts["size"], fresh=False)
    stamp.clear()
    _make(component, work, installed, target.with_name("styles"))

    def fill(new: Path) -> None:
        _lay_out(component, work, new)
        if not as_upstream:
            versions.stamp(new)
            compressed.compress(new, target.with_name("compressed"))

    disk.replace_folder(target, fill)
    files = [path for path in target.rglob("*") if path.is_file()]
    facts = {"files": len(files), "size": sum(path.stat().st_size for path in files)}
    stamp.set(key, facts)
    return Deployed(target, key, facts["files"], facts["size"], fresh=True)


def refuse_rebuilt(site: Deployed) -> None:
    """Raise BusyError where another build has changed the site since: what was read of it may be of both.

    For files that are made of a site after its build, when the lock of the build is free again.
    """
    if stamps.Stamp(site.path.with_suffix(".json")).facts(site.key) is None:
        raise BusyError(f"another build has changed {site.path} meanwhile", hint="let it end, and run this again")


def _make(component: Component, work: WorkTree, installed: Installed, kept: Path) -> None:
    """Run upstream's Makefile targets; an omitted npm package is an empty folder to them, not an error.

    ``kept`` is a folder with the compiled style sheets of the last run: half of the time goes into them.
    """
    # From the folder in which make runs: upstream quotes no path, and that of the checkout may have spaces.
    variables = [word.replace("{empty}", f"{STATE}/empty") for word in component.make]
    (work.path / STATE / "empty" / "fonts").mkdir(parents=True, exist_ok=True)
    started = time.time()
    key = _styles_key(work, installed)
    # The shell splits these, after make has read them.
    once, folder, seed = (
        shlex.quote(str(word)).replace("$", "$$")
        for word in (node.RECIPES / "once.cjs", kept if key else "", node.RECIPES / "seed-random.cjs")
    )
    # Upstream's css calls math.random(): the preload makes the compiler's random numbers the same every time.
    programs = {"NODE_SASS": f"--require {seed} node_modules/.bin/sass", "CLEANCSS": "node_modules/.bin/cleancss"}
    words = [f"{name}=node {once} {folder} '{key}' {program}" for name, program in programs.items()]
    done = run(
        ["make", "--no-print-directory", *words, *variables], cwd=work.path, env=node.search_path(), upstreams=True
    )
    for path in kept.glob("*"):
        if path.stat().st_mtime < started - 1:  # of an earlier run, and not used in this one
            path.unlink()
    if done.status:
        disk.refuse_full_disk(done.complaint, work.path)
        lines = done.complaint.splitlines()
        raise BundleError(
            f"{component.name}: upstream's Makefile fails: {lines[-1] if lines else done.status}",
            hint="hardener build --verbose shows its whole output",
            details=tuple(lines[-6:-1]),
        )


def _styles_key(work: WorkTree, installed: Installed) -> str:
    """Return the key of all style sheets of a tree and of its packages; empty where they are not known."""
    known = disk.read_json(work.path / STATE / FILES)
    if not isinstance(known, dict):
        return ""
    styles = {path: facts[0] for path, facts in known.items() if path.endswith((".scss", ".sass", ".css"))}
    return stamps.key(styles, installed.key, node.recipes_digest())


def _lay_out(component: Component, work: WorkTree, new: Path) -> None:
    install_list = work.path / component.site
    pairs = []
    for line in install_list.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            source, destination = _install_line(line)
            if not destination.startswith(_PREFIX):
                raise ConfigError(
                    f"{component.site}: {line.strip()!r} does not go to /{_PREFIX}",
                    hint="upstream changed its layout: see docs/maintaining.md#when-the-layout-of-the-site-changes",
                )
            pairs.append((source, destination.removeprefix(_PREFIX)))
    pairs += map(_install_line, component.site_files)
    for pattern, destination in pairs:
        sources = sorted(work.path.glob(pattern))
        if not sources:
            raise BundleError(
                f"{component.name}: {pattern} of {component.site} matches nothing",
                hint="was a deploy target left out (make in upstream.toml), or did remove.list remove the files?",
            )
        for path in sources:
            _copy(path, new / destination / path.name)
    _countries(work.path, new)
    _leave_out(component, new)
    if links := sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_symlink()):
        raise BundleError(
            f"{component.name}: {', '.join(links)} of the site is a symbolic link",
            hint="it may lead out of the pinned tree: leave it out (site_without), or replace it (overlays)",
        )
    for folder in sorted((path for path in new.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _leave_out(component: Component, new: Path) -> None:
    for pattern in component.site_without:
        unwanted = [path for path in new.glob(pattern) if path.is_file() or path.is_symlink()]
        if not unwanted:
            raise BundleError(
                f"{component.name}: there is no {pattern} to leave out of the site",
                hint="fix site_without = [...] in upstream.toml; upstream may have renamed the file",
            )
        for path in unwanted:
            path.unlink()


def _install_line(line: str) -> tuple[str, str]:
    """Return source pattern and destination folder of a line of dh_install(1).

    >>> _install_line("libs   /usr/share/jitsi-meet/"), _install_line("config.js")
    (('libs', 'usr/share/jitsi-meet/'), ('config.js', ''))
    """
    source, *destination = line.split()
    return source, destination[0].lstrip("/") if destination else ""


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
    else:
        shutil.copy(source, target, follow_symlinks=False)


def _countries(tree: Path, new: Path) -> None:
    """Copy country names per language, which the client loads at run time; upstream's debian/rules does so by hand."""
    names, languages = tree / "node_modules/i18n-iso-countries/langs", disk.read_json(tree / "lang/languages.json")
    if not names.is_dir() or not isinstance(languages, dict):
        return
    for language in sorted(languages):
        if not re.fullmatch(r"[A-Za-z-]+", language):
            continue
        found = next(
            (path for path in (names / f"{language}.json", names / f"{language[:2]}.json") if path.exists()), None
        )
        if found:
            _copy(found, new / "lang" / f"countries-{language}.json")
