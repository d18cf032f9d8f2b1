"""Which stable releases upstream has that are newer than the pins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.upstream.releases import pattern, short, version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hardener.config import Component, Project
    from hardener.upstream.github import Forge


@dataclass(frozen=True)
class Outdated:
    """A component's pinned release and the newer ones, oldest first; ``note`` says why there is nothing to say."""

    component: str
    pinned: str
    newer: tuple[str, ...] = ()
    note: str = ""


def outdated(
    project: Project, sources: Mapping[str, Sequence[str]], *, forge: Forge | None = None
) -> tuple[Outdated, ...]:
    """Ask upstream for its tags and compare those of the pinned one's kind, number by number.

    ``sources`` are URLs and paths by component (none: the repository in upstream.toml), asked with ``git ls-remote``;
    with ``forge`` its API is asked instead. Raises UnreachableError when one does not answer.
    """
    return tuple(_compare(component, tuple(sources.get(component.name, ())), forge) for component in project.components)


def _compare(component: Component, sources: Sequence[str], forge: Forge | None) -> Outdated:
    if not component.ref:
        return Outdated(component.name, component.release, note="pinned without a ref, so there is no kind to compare")
    kind = pattern(component.ref)
    refs = {ref for ref in _refs(component, sources, forge) if kind.fullmatch(ref)}
    newer = sorted((ref for ref in refs if version(ref) > version(component.ref)), key=version)
    note = ""
    if not refs:
        note = f"no tag like {short(component.ref)} there"
    elif component.ref not in refs:
        note = f"{short(component.ref)} itself is not there: the source may be older than the pin"
    return Outdated(component.name, short(component.ref), tuple(short(ref) for ref in newer), note)


def _refs(component: Component, sources: Sequence[str], forge: Forge | None) -> set[str]:
    # What is before the first digit is the same in all refs of the kind.
    first = next((place for place, sign in enumerate(component.ref) if sign.isdigit()), len(component.ref))
    prefix = component.ref[:first]
    if forge:
        return set(forge.tags(component.repository, prefix))
    from hardener.git.remote import Transfer  # noqa: PLC0415 (GitPython and requests take a quarter of a second to load)

    found: set[str] = set()
    for where in sources or (component.repository,):
        transfer = Transfer(None, where, lambda _text, _share: None)
        found |= transfer.refs(prefix + "*")
    return found
