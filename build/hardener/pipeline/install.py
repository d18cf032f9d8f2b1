"""Step 5: the npm packages that the web build reads, exactly as upstream locked them.

The set is derived from upstream's package.json and package-lock.json before anything is installed
(``build/node/webdeps.mjs``): react-native, test and lint packages stay away, versions and integrity stay upstream's.
``npm ci --ignore-scripts`` installs it once per lock into the user's cache; work trees get hard links to it. What we
build ourselves takes its place among them once it is built.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import InstallError
from hardener.git.repository import PLAIN_ENVIRONMENT, PLAIN_OPTIONS
from hardener.system import disk, node, stamps
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.config import Component, Substitute
    from hardener.pipeline.checkout import WorkTree

_UPSTREAMS_PATCHES = "patches"  # patch-package's folder in upstream's tree


@dataclass(frozen=True)
class Installed:
    """``packages`` of ``of`` locked packages are installed; ``key`` identifies the node_modules as it is.

    ``store`` is their name for :func:`hardener.system.node.stored`, beside whose folder their lock is; empty without
    packages.
    """

    key: str
    packages: int
    of: int
    patched: tuple[str, ...]
    fresh: bool
    store: str = ""


def install(
    component: Component,
    work: WorkTree,
    toolchain: str,
    provided: tuple[str, ...],
    substitutes: tuple[Substitute, ...] = (),
) -> Installed:
    """Give the work tree the npm packages of its ``node_modules``.

    ``provided`` are those that :func:`provide` brings afterwards. ``substitutes`` are archives in place of packages
    that are left out otherwise; what they depend on comes from upstream's lock. Raises InstallError for a lock that
    cannot be honoured, UnreachableError when the registry does not answer.
    """
    if component.recipe == "none":
        return Installed(stamps.key("no packages"), 0, 0, (), fresh=False)
    key = stamps.key(
        work.key,
        (component.recipe, component.roots, component.omit, component.tsconfig, toolchain),
        provided,
        [(substitute.package, substitute.lock_entry) for substitute in substitutes],
        node.recipes_digest(),
        stamps.file_digest_of(__file__),
    )
    modules = work.path / "node_modules"
    stamp = stamps.Stamp(modules / ".hardener.json")
    facts = stamp.facts(key)
    fresh = facts is None
    if facts is None:
        facts = _derive(component, work, toolchain, provided, substitutes)
        if stamp.last().get("store") != facts["store"]:
            stamp.clear()
            _link(node.stored(facts["store"]), modules)
        stamp.set(key, facts)
    store, patched = facts["store"], tuple(facts["patched"])
    return Installed(store, facts["packages"], facts["of"], patched, fresh=fresh, store=store)


def provide(work: WorkTree, installed: Installed, built: Mapping[str, Path]) -> Installed:
    """Put packages that we built ourselves (npm name -> folder) in the place of upstream's tarballs."""
    modules = work.path / "node_modules"
    stamp = stamps.Stamp(modules / ".hardener-provided.json")
    there = stamp.facts(installed.key) or {}
    wanted = {name: stamps.folder_digest(path) for name, path in built.items()}
    for name, digest in wanted.items():
        if there.get(name) != digest:
            stamp.clear()
            disk.remove(modules / name)
            with disk.full_disk_explained():
                shutil.copytree(built[name], modules / name)
            there[name] = digest
            stamp.set(installed.key, there)
    return replace(installed, key=stamps.key(installed.key, wanted))


def _derive(
    component: Component,
    work: WorkTree,
    toolchain: str,
    provided: tuple[str, ...],
    substitutes: tuple[Substitute, ...],
) -> dict[str, Any]:
    """Derive the web-only set and make sure that it is in the store; returns the facts for the stamp."""
    # What each source file imports, for one version of the recipes.
    cache = work.path.with_name(f"imports-{stamps.key(node.recipes_digest(), bool(component.tsconfig))[:16]}.json")
    for other in work.path.parent.glob("imports-*"):
        if other != cache:
            other.unlink()
    with tempfile.TemporaryDirectory(prefix="hardener-deps-") as folder:
        derived = node.recipe(
            "webdeps.mjs",
            {
                "root": work.path,
                "out": folder,
                "toolchain": toolchain,
                "config": "webpack.config.js" if component.recipe == "webpack" else None,
                "roots": component.roots,
                "provided": provided,
                "omit": component.omit,
                "substitutes": {substitute.package: substitute.lock_entry for substitute in substitutes},
                "types": bool(component.tsconfig),
                "cache": cache,
            },
            error=InstallError,
            hint=f"the tree is {work.path}; what is left out of its package-lock.json is in upstream.toml",
        )
        files = {name: (Path(folder) / name).read_bytes() for name in ("package.json", "package-lock.json")}
    for substitute in substitutes:
        if substitute.package not in derived["roots"]:
            raise InstallError(
                f"nothing of {component.name} imports {substitute.package}", hint="leave out its --substitute"
            )
        files[substitute.archive] = substitute.content
    files[".npmrc"] = node.npmrc(work.path)
    theirs = sorted((work.path / _UPSTREAMS_PATCHES).glob("*.patch"))

    def finish(fresh: Path) -> None:
        for path in theirs:
            _apply_upstreams(path, fresh)

    store = node.stored_modules(files, finish, salt=stamps.key([path.read_bytes() for path in theirs]))
    return {
        "store": store.parent.name,
        "packages": derived["packages"],
        "of": derived["of"],
        "patched": [path.name for path in theirs if _concerns(path, store)],
    }


def _concerns(patch: Path, modules: Path) -> bool:
    """Return whether a patch-package file (``@scope+name+1.2.3.patch``) is for a package that is installed."""
    parts = patch.name.removesuffix(".patch").split("+")
    return (modules / "/".join(parts[:-1])).is_dir()


def _apply_upstreams(patch: Path, folder: Path) -> None:
    """Apply one of upstream's own patch-package files: ``--ignore-scripts`` also skips upstream's ``postinstall``."""
    if not _concerns(patch, folder / "node_modules"):
        return
    environment = PLAIN_ENVIRONMENT | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    done = run(["git", *PLAIN_OPTIONS, "apply", "--whitespace=nowarn", patch], cwd=folder, env=environment)
    if done.status:
        raise InstallError(
            f"upstream's own patch {patch.name} does not apply: {done.complaint}", hint="check upstream's lock"
        )


def _link(store: Path, target: Path) -> None:
    """Give the work tree the stored packages: hard links where the file system can, copies where it cannot."""
    new = target.with_name("node_modules.new")
    disk.remove(new)
    done = run(["cp", "--archive", "--link", store, new])
    if done.status and "cross-device" in done.complaint.lower():
        disk.remove(new)
        done = run(["cp", "--archive", store, new])
    if done.status:
        disk.remove(new)
        last = (done.complaint.splitlines() or [f"status {done.status}"])[-1]
        disk.refuse_full_disk(last, target)
        raise InstallError(f"cannot link the packages into the work tree: {last}", hint="hardener clean")
    disk.remove(target)
    new.rename(target)
