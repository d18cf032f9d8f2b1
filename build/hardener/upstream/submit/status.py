"""Query the state of sent patches, and update their headers.

A pull request that is open makes ``Upstream-Status: Submitted ADDRESS``, one that was merged ``Backport COMMIT`` with
``Applied-Upstream: COMMIT``, one that was closed without a merge ``Denied closed without a merge``; a reason that
a person has written there already stays. A patch is never removed here: this is done when the pin is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import PatchError
from hardener.series import patch as patches
from hardener.series.header import body
from hardener.series.lists import read_series
from hardener.system import disk
from hardener.upstream.submit.export import find

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Project
    from hardener.series.patch import Patch
    from hardener.upstream.github import Forge, PullRequest


@dataclass(frozen=True)
class Standing:
    """A sent patch: its pull request's state, and the header fields that changed (name -> value)."""

    component: str
    patch: str
    url: str
    state: str
    changes: Mapping[str, str]


def status(
    project: Project, names: Sequence[str], forge: Forge, today: dt.date, *, write: bool = True
) -> tuple[Standing, ...]:
    """Ask for all patches whose ``Forwarded`` is an address (or for those named) and bring their headers up to date.

    Raises UsageError for an unknown patch or a malformed address, UnreachableError when the forge gives no answer: then
    no header has been changed.
    """
    sent = [
        (c, path, patch)
        for c, path, patch in _sent(project, names)
        if patch.fields.get("Forwarded", "").startswith("http")
    ]
    answers = [(c, path, patch, forge.pull_request(patch.fields["Forwarded"])) for c, path, patch in sent]
    standings, files = [], {}
    for component, path, patch, request in answers:
        changes = _changes(patch, request, today)
        if changes:
            files[path] = with_fields(patch, changes)
        standings.append(Standing(component, patch.name, request.url, request.state, changes))
    if write and files:
        disk.write_all(files)
    return tuple(standings)


def _sent(project: Project, names: Sequence[str]) -> Iterator[tuple[str, Path, Patch]]:
    if names:
        for name in names:
            component, patch = find(project, name)
            yield component.name, project.patches(component) / patch.name, patch
    else:
        for component in project.components:
            for path in read_series(project.patches(component)):
                yield component.name, path, patches.read(path)


def _changes(patch: Patch, request: PullRequest, today: dt.date) -> dict[str, str]:
    wanted = {}
    said = patch.fields.get("Upstream-Status", "")
    if request.state == "merged":
        wanted = {"Upstream-Status": f"Backport {request.commit}", "Applied-Upstream": request.commit}
        # A release that a person has written is more precise than the forge's answer.
        if patch.fields.get("Applied-Upstream"):
            wanted.pop("Applied-Upstream")
    elif request.state == "open":
        wanted = {"Upstream-Status": f"Submitted {request.url}"}
    elif request.state == "closed" and not said.startswith("Denied"):
        wanted = {"Upstream-Status": "Denied closed without a merge"}
    changed = {name: value for name, value in wanted.items() if patch.fields.get(name) != value}
    return changed | {"Last-Update": today.isoformat()} if changed else {}


def with_fields(patch: Patch, fields: Mapping[str, str]) -> bytes:
    """Return the patch's bytes with these header fields set; everything else stays as it is. Raises PatchError."""
    block = body(patch.description)
    for name, value in fields.items():
        block = block.with_field(name, value)
    before = patch.description.encode()
    head, found, rest = patch.content.partition(before)
    if not found or b"\ndiff --git " in head:
        raise PatchError(
            f"{patch.name}: its header cannot be changed in place",
            hint="bring it into canonical form first: hardener regen",
        )
    return head + str(block).encode() + rest
