"""Step 1: bring a component's pinned commit into a bare mirror in the user's cache directory.

Only what the build reads is asked for: one commit (``--depth=1``), its trees, and then the files outside the
component's ``exclude`` list (``--filter=blob:none`` and a second request by blob id). A server that cannot filter sends
everything, a server that cannot serve a commit by id is asked for its branches and tags; both give the same content,
because content is what is pinned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import HardenerError, PinError
from hardener.git.mirror import held, make, put_aside, sound
from hardener.git.repository import Repository, inside
from hardener.git.sources import VARIABLE, without_password
from hardener.system import stamps

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.config import Component


@dataclass(frozen=True)
class Fetched:
    """The place of a component's pinned commit; ``objects`` is 0 if everything was in the cache."""

    component: str
    mirror: Path
    commit: str
    source: str
    objects: int
    notes: tuple[str, ...] = ()


def mirror_of(component: Component) -> Path:
    """Return the bare repository of a component in the user's cache."""
    return stamps.home() / "mirrors" / f"{component.name}.git"


def fetch(
    component: Component,
    source: str = "",
    *,
    tell: Callable[[str, float], None] = lambda _text, _share: None,
    wait: bool = True,
    waiting: Callable[[str], None] | None = None,
) -> Fetched:
    """Make sure that the mirror holds the pinned commit and every file of it that the build reads.

    ``source`` replaces the component's repository; ``tell(text, share)`` gets the progress of a transfer (0 to 1).
    Touches the network only when something is missing, or git cannot read the mirror: then it is put aside and made
    again, with a note. Raises UnreachableError when the source does not answer, PinError when it does not have the
    commit, the pin is not a commit, or the release's ref has moved, BusyError when a person's git is at work in the
    mirror, or another hardener (with ``wait=False``; else ``waiting`` is called with its name).
    """
    mirror = mirror_of(component)
    with held(mirror, wait=wait, waiting=waiting):
        where = source or component.repository
        url = where if "://" in where else str(Path(where).resolve())
        notes: tuple[str, ...] = ()
        if not _usable(mirror, url):
            aside = put_aside(mirror)
            notes = (f"{component.name}: git could not read the mirror, so it is made again (old: {aside})",)
            make(mirror, url)
        try:
            fetched = _bring(component, mirror, where, tell)
        except HardenerError as error:
            error.details += notes
            raise
    return replace(fetched, notes=notes + fetched.notes)


def _usable(mirror: Path, url: str) -> bool:
    if mirror.exists() and not mirror.is_dir():
        return False
    make(mirror, url)
    return sound(mirror)


def _bring(component: Component, mirror: Path, where: str, tell: Callable[[str, float], None]) -> Fetched:
    repository = Repository(mirror)
    shown = without_password(where)
    wanted = _wanted(repository, component)
    kept = _kept(component)
    if wanted == [] and repository.commit(kept):
        return Fetched(component.name, mirror, component.commit, "cache", 0)
    notes: tuple[str, ...] = ()
    objects = 0
    if wanted != []:
        from hardener.git.remote import Transfer  # noqa: PLC0415 (GitPython and requests take a quarter of a second to load)

        transfer = Transfer(mirror, where, tell)
        notes = transfer.check_ref(component)
        if wanted is None:
            transfer.commit(component)
            objects += 1
            _refuse_other(repository, component, shown)
            wanted = _wanted(repository, component) or []
        if wanted:
            transfer.blobs(wanted)
            objects += len(wanted)
        if left := _wanted(repository, component):
            raise PinError(
                f"{component.name}: {shown} lacks {len(left)} files of commit {component.commit}",
                hint=f"fetch from a complete repository: {VARIABLE}={component.name}=URL",
            )
    repository.output("update-ref", kept, component.commit)
    return Fetched(component.name, mirror, component.commit, shown, objects, notes)


def is_fetched(component: Component) -> bool:
    """Return whether an earlier fetch has brought the pinned commit into the cache; nothing is asked or changed."""
    mirror = mirror_of(component)
    return mirror.is_dir() and Repository(mirror).commit(_kept(component)) is not None


def _kept(component: Component) -> str:
    """Return the ref of a commit that was fetched: it keeps git from collecting it as garbage."""
    return f"refs/hardener/{component.commit}"


def _wanted(repository: Repository, component: Component) -> list[str] | None:
    """Return the blob ids that the build reads and the mirror lacks; None when it lacks the commit itself.

    A fetch that was killed after its pack was in place has the commit, but has not noted yet that history ends there.
    """
    if not repository.ends_at(component.commit):
        return None
    missing = repository.missing(component.commit)
    if not missing:
        return []
    entries = repository.entries(component.commit, links=True)  # a checkout writes these as well
    return sorted({e.blob for path, e in entries.items() if e.blob in missing and not inside(path, component.exclude)})


def _refuse_other(repository: Repository, component: Component, where: str) -> None:
    found = repository.commit(component.commit)
    if found is None:
        raise PinError(
            f"{component.name}: {where} has no commit {component.commit}",
            hint=f"check the pin in upstream.toml, or name a source that has it: {VARIABLE}={component.name}=URL",
        )
    if found != component.commit:
        raise PinError(
            f"{component.name}: the pin {component.commit} is a tag object; its commit is {found}",
            hint=f"write commit = {found!r} into upstream.toml",
        )
