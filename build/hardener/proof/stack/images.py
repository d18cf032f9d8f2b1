"""Images: the Debian base, what is built on it, and Docker Compose where the machine has none.

An image's tag is the hash of all that it is made of, so that an unchanged one is not built again, and two checkouts of
one version share theirs. Everything comes from Debian's packages: the base is pulled where a registry answers and made
by debootstrap where none does, under the same name, so that one Dockerfile serves both.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import StackError
from hardener.proof.stack import docker
from hardener.proof.stack.docker import NoDockerError
from hardener.system import disk, stamps
from hardener.system.process import Completed, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASE = "debian:trixie-slim"
SUITE = "trixie"
PULLING = 60  # seconds for a registry to deliver the base (30 MB)
LABEL = "org.hardener.proof.stack"  # on everything of ours: images by role
KEPT = 4  # images of a role that stay: those of the last few sites, so that going back to one is quick

# What Debian's own slim images have over a plain minbase: no documentation, no service starts.
_SLIM = {
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "etc/dpkg/dpkg.cfg.d/docker-slim": "path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n"
    "path-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\npath-exclude /usr/share/info/*\n",
    "etc/apt/apt.conf.d/docker-slim": 'Acquire::Languages "none";\n',
    "etc/resolv.conf": "",
}
# Leaves the plugin of Debian's Compose package in the image, whence it is copied out.
_COMPOSE = f"""FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends docker-compose
"""
_PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"


def identity(name: str) -> str | None:
    """Return the id of an image that is here, or None."""
    done = docker.docker("image", "inspect", "--format", "{{.Id}}", name)
    return done.text if done.status == 0 else None


def pull(reference: str, seconds: int) -> Completed:
    """Pull an image, within that many seconds (a network that swallows packets would hold us up for minutes)."""
    return run(["timeout", str(seconds), "docker", "pull", "--quiet", reference])


def base(tell: Callable[[str], None]) -> str:
    """Make sure that the base image is here; returns its id. Raises NoDockerError when it can be had in no way."""
    if found := identity(BASE):
        return found
    tell(f"pulling {BASE}")
    pulled = pull(BASE, PULLING)
    if pulled.status:
        _debootstrap(tell, pulled)
    return docker.output("image", "inspect", "--format", "{{.Id}}", BASE)


def _debootstrap(tell: Callable[[str], None], pulled: Completed) -> None:
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise NoDockerError(
            f"{BASE} can be neither pulled nor built",
            hint=f"apt-get install debootstrap and run as root, or: docker load it, tagged {BASE}",
            details=tuple(pulled.complaint.splitlines()[-3:]),
        )
    tell("no registry answers: making the base image with debootstrap")
    mirror, security = sources()
    folder = stamps.home() / "base-image"
    disk.remove(folder)
    # In a mount namespace of its own, so that what it mounts is gone whatever happens to it.
    flags = ("--force-check-gpg", "--variant=minbase", "--include=ca-certificates")
    made = run(["unshare", "--mount", "debootstrap", *flags, SUITE, folder, *([mirror] if mirror else [])])
    if made.status:
        disk.refuse_full_disk(made.complaint, folder)
        raise StackError(
            f"debootstrap of {SUITE} from {mirror or 'its default archive'} failed",
            hint="apt-get update (is Debian's mirror reachable?); apt-get install debian-archive-keyring",
            details=tuple(made.text.splitlines()[-3:] + made.complaint.splitlines()[-3:]),
        )
    listed = folder / "etc/apt/sources.list"  # debootstrap's own names the archive that it took
    lines = sources_list(mirror or listed.read_text("utf-8").split()[1], security)
    for name, text in (_SLIM | {"etc/apt/sources.list": lines}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "usr/sbin/policy-rc.d").chmod(0o755)
    for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/man", "usr/share/locale", "usr/share/info"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    file = folder.with_suffix(".tar")
    packed = run(["tar", "--numeric-owner", "--directory", folder, "--create", "--file", file, "."])
    if packed.status:
        disk.refuse_full_disk(packed.complaint, file)
        raise StackError(f"tar of {folder} failed: {packed.complaint}", hint="hardener clean --cache")
    docker.output("import", "--change", 'CMD ["bash"]', "--change", f"LABEL {LABEL}=debootstrap", file, BASE)
    disk.remove(folder)
    file.unlink()


def sources_list(mirror: str, security: str) -> str:
    """Return the image's ``sources.list``. Where no security archive is known, it is the one beside Debian's own.

    >>> print(sources_list("http://mirror.example/debian", ""), end="")
    deb http://mirror.example/debian trixie main
    deb http://mirror.example/debian trixie-updates main
    deb http://mirror.example/debian-security trixie-security main
    """
    places = ((mirror, ""), (mirror, "-updates"), (security or f"{mirror.rstrip('/')}-security", "-security"))
    return "".join(f"deb {place} {SUITE}{suffix} main\n" for place, suffix in places)


def sources() -> tuple[str, str]:
    """Return Debian's archive and security archive as this machine's own apt names them; empty where it names none."""
    found = {"Debian": "", "Debian-Security": ""}
    if shutil.which("apt-get"):
        listed = run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"])
        for line in listed.text.splitlines():
            origin, label, address = line.split("|", 2)
            if origin == "Debian" and label in found and address.startswith("http"):
                found[label] = address.rstrip("/")
    return found["Debian"], found["Debian-Security"]


def build(role: str, files: Mapping[str, bytes | Path], on: str) -> tuple[str, bool]:
    """Build an image from a context of files (path in the context -> content, or a file that holds it).

    ``on`` is the id of the base. Returns the tag, and whether anything was built. Raises StackError with the build's
    last lines when it fails.
    """
    contents = {name: file if isinstance(file, bytes) else file.read_bytes() for name, file in sorted(files.items())}
    executable = {name for name, file in files.items() if isinstance(file, Path) and os.access(file, os.X_OK)}
    parts = [(name, name in executable, hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    tag = f"hardener-{role}:{stamps.key(on, parts)[:16]}"
    if identity(tag):
        return tag, False
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if name in executable else 0o644
            archive.addfile(entry, io.BytesIO(data))
    done = docker.docker("build", "--tag", tag, "--label", f"{LABEL}={role}", "-", stdin=packed.getvalue())
    if done.status:
        disk.refuse_full_disk(done.complaint, "Docker's data folder")
        said = tuple((done.text.splitlines() + done.complaint.splitlines())[-12:])
        raise StackError(
            f"the image of {role} could not be built",
            hint="apt-get update (is Debian's mirror reachable?)",
            details=said,
        )
    _prune(role)
    return tag, True


def _prune(role: str) -> None:
    """Remove older images of a role (Docker lists the newest first); one that a container uses stays."""
    tags = docker.output(
        "images", "--filter", f"label={LABEL}={role}", "--format", "{{.Repository}}:{{.Tag}}", f"hardener-{role}"
    )
    for tag in tags.splitlines()[KEPT:]:
        docker.docker("image", "rm", tag)


def compose(tell: Callable[[str], None]) -> list[str]:
    """Return the command of Docker Compose v2: the machine's own plugin, or Debian's, taken from its package once.

    Raises NoDockerError when there is neither.
    """
    if docker.docker("compose", "version").status == 0:
        return ["docker", "compose"]
    plugin = stamps.home() / "docker-compose"
    if not plugin.exists():
        tell("taking Docker Compose from Debian's package")
        on = base(tell)
        tag, _ = build("compose", {"Dockerfile": _COMPOSE.encode()}, on)
        container = docker.output("create", tag)
        try:
            beside = plugin.with_suffix(".new")
            docker.output("cp", f"{container}:{_PLUGIN}", beside)
            beside.replace(plugin)
        finally:
            docker.output("rm", container)
    if run([plugin, "version"]).status:
        raise NoDockerError(
            "this machine has no Docker Compose, and Debian's does not run here",
            hint="apt-get install docker-compose-v2 (Ubuntu), or https://docs.docker.com/compose/install/",
        )
    return [str(plugin)]
