"""From a project to its test stack: which site, upstream's Prosody plugins at the pin, and then the stack."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hardener.git.fetch import fetch
from hardener.git.repository import Repository
from hardener.proof import stack
from hardener.system import locks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Project
    from hardener.ui import UI

PLUGINS = "resources/prosody-plugins/"


def folder(project: Project, name: str) -> Path:
    """Return where a stack's state is kept."""
    return project.work / "stack" / name


def plugins(project: Project, sources: Mapping[str, str], ui: UI) -> dict[str, bytes]:
    """Return upstream's Prosody plugins of the pinned commit: path below their folder -> content."""
    component = project.site
    repository = Repository(fetch(component, sources.get(component.name, ""), waiting=ui.waits).mirror)
    entries = repository.entries(component.commit)
    found = {path.removeprefix(PLUGINS): entry.blob for path, entry in entries.items() if path.startswith(PLUGINS)}
    return {path: repository.blob(blob) for path, blob in found.items()}


def upstream_images(project: Project) -> dict[str, str]:
    """Return upstream's published images of the pinned release; release 2.0.10978 has the tag ``stable-10978``."""
    tag = "stable-" + project.site.release.rpartition(".")[2]
    return {role: f"docker.io/jitsi/{role}:{tag}" for role in ("prosody", "jicofo", "jvb")}


def up(
    project: Project,
    name: str,
    ui: UI,
    *,
    site: Path | None = None,
    sources: Mapping[str, str] | None = None,
    flavour: str = "local",
    settings: Mapping[str, str] | None = None,
    port: int = 0,
    users: tuple[str, ...] = stack.USERS,
) -> stack.Stack:
    """Start a project's stack with a site (default: the one that the last build left).

    Raises StackError when Docker, an image or a healthy container cannot be had, UsageError when there is no site,
    UnreachableError when upstream's plugins have to be fetched and cannot be.
    """
    where = site or project.work / "hardened" / "site"
    # What the last build left must not change while it is read; an archive or a folder of the user's own is theirs.
    quiet = contextlib.nullcontext() if site else locks.lock(project.work / "lock", waiting=ui.waits)
    with ui.step("stack", name) as line:
        with stack.lock(ui.waits), quiet:
            running = stack.up(
                name, folder(project, name), where, plugins(project, sources or {}, ui),
                flavour=flavour, upstream=upstream_images(project), settings=settings, port=port, users=users,
                tell=line.tell,
            )  # fmt: skip
        line.say(f"{running.url} ({running.flavour})" + ("" if running.fresh else ", unchanged"))
    return running
