"""The inputs of each image: our files of build/docker, build/nginx and build/server, the site, upstream's plugins."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from hardener.errors import UsageError
from hardener.system import stamps

_BESIDE = Path(__file__).parents[2]
# In a checkout these folders of build/ lie beside the package; a wheel carries them inside it.
DOCKER, NGINX, SERVER = (
    next(path for path in (_BESIDE.parent / name, _BESIDE / name) if path.is_dir())
    for name in ("docker", "nginx", "server")
)

_HEALTH: dict[str, bytes | Path] = {"health.sh": DOCKER / "health.sh"}


def read_site(where: Path) -> dict[str, bytes]:
    """Return the files of a site (path in the site -> content) from a folder or from an archive of ``dist/``; no
    source maps.

    Raises UsageError when there is no site.
    """
    if where.is_dir():
        files = {file.relative_to(where).as_posix(): file.read_bytes() for file in where.rglob("*") if file.is_file()}
    elif where.is_file() and tarfile.is_tarfile(where):
        with tarfile.open(where) as archive:
            files = {
                entry.name.removeprefix("./"): opened.read()
                for entry in archive
                if entry.isfile() and (opened := archive.extractfile(entry))
            }
    else:
        files = {}
    if "index.html" not in files or "config.js" not in files:
        raise UsageError(
            f"{where} is not a site: it lacks index.html or config.js", hint="hardener build, or --site DIR"
        )
    return {name: data for name, data in files.items() if not name.endswith(".map")}


def settings(flavour: str) -> bytes:
    """Return what a flavour appends to the bundle's config.js."""
    files = (DOCKER / "web" / name for name in ("config.js", f"config.{flavour}.js"))
    return b"".join(file.read_bytes() for file in files if file.exists())


def web(site: dict[str, bytes], flavour: str) -> dict[str, bytes | Path]:
    """Return the image of the bundle: the site as it is, its config.js with the flavour's settings behind,
    build/nginx.
    """
    files: dict[str, bytes | Path] = {f"site/{name}": data for name, data in site.items()}
    files |= {"Dockerfile": DOCKER / "web" / "Dockerfile", "nginx.conf": DOCKER / "web" / "nginx.conf"} | _HEALTH
    files |= {f"hardener/{file.name}": file for file in NGINX.glob("*.conf")}
    files["config.js"] = site["config.js"] + settings(flavour)
    # nginx makes ETags of time and size: another site, another time. Seconds, so that every builder has the same.
    digests = [(name, hashlib.sha256(data).hexdigest()) for name, data in sorted(site.items())]
    files["epoch"] = str(int(stamps.key(digests)[:7], 16)).encode()
    return files


def prosody(plugins: dict[str, bytes]) -> dict[str, bytes | Path]:
    """Return the image of Prosody: upstream's plugins of the pin (path below their folder -> content) and ours."""
    files: dict[str, bytes | Path] = {f"upstream-plugins/{name}": data for name, data in plugins.items()}
    files |= {f"plugins/{file.name}": file for file in (SERVER / "prosody").glob("mod_*.lua")}
    return files | _folder("prosody")


def focus() -> dict[str, bytes | Path]:
    """Return the image of jicofo's stand-in."""
    return _folder("focus")


def jicofo(folder: Path) -> dict[str, bytes | Path]:
    """Return the image of Jicofo: what its package installs, and the settings of build/server."""
    roles: dict[str, bytes | Path] = {f"roles/{file.name}": file for file in (SERVER / "jicofo").glob("*.conf")}
    return _installed(folder / "jicofo") | _folder("jicofo") | roles


def jvb(folder: Path) -> dict[str, bytes | Path]:
    """Return the image of the videobridge: what its package installs."""
    return _installed(folder / "jitsi-videobridge") | _folder("jvb")


def _installed(folder: Path) -> dict[str, bytes | Path]:
    return {f"server/{file.relative_to(folder)}": file for file in folder.rglob("*") if file.is_file()}


def _folder(name: str) -> dict[str, bytes | Path]:
    folder = DOCKER / name
    return {
        file.relative_to(folder).as_posix(): file
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    } | _HEALTH
