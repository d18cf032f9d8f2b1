"""The texts of a lift: what a person reads at a stop, and the messages of its commits."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardener.config import Project
    from hardener.git.repository import Repository
    from hardener.series.patch import Patch
    from hardener.upstream.lift.rebase import Conflict, Merged
    from hardener.upstream.lift.state import Lifted, State

_LINES = 20  # of each side of a conflict
_SUBJECT = 72  # characters of a commit's first line (CONTRIBUTING.md)
_REGION = re.compile(
    r"^<{7} [^\n]*\n(?P<upstream>.*?)(?:^\|{7}[^\n]*\n(?P<base>.*?))?^={7}\n(?P<patch>.*?)^>{7} [^\n]*$",
    re.MULTILINE | re.DOTALL,
)


def size(patch: Patch) -> str:
    """Return how many lines a patch adds and takes."""
    return f"+{sum(touch.added for touch in patch.touches)} -{sum(touch.removed for touch in patch.touches)}"


def choices(patch: Patch) -> tuple[str, ...]:
    """Return what can be done at a stop."""
    return (
        f"its test: {patch.fields.get('Evidence', 'none named')}",
        f"without this patch: hardener lift --continue --drop {patch.name}; not at all: hardener lift --abort",
    )


def proof(patch: Patch, commits: Sequence[str]) -> list[str]:
    """Return why a patch is taken as merged upstream, and how to make sure of it."""
    return [
        "the new tree has this change: the patch applies to it in reverse, and does not apply forward",
        *(f"upstream: {commit}" for commit in commits),
        f"to be dropped when its test is green without it: {patch.fields.get('Evidence', 'it names none')}",
    ]


def conflict(repository: Repository, merged: Merged, clash: Conflict, commits: Sequence[str]) -> list[str]:
    """Return a conflict in one file: the upstream commits behind it, and its sides region by region."""
    lines = [clash.path, *(f"  upstream: {commit}" for commit in commits)]
    if not clash.upstream:
        return [*lines, "  upstream removed it; the patch changes it"]
    if not clash.patch:
        return [*lines, "  upstream changed it; the patch removes it"]
    entry = repository.entries(merged.tree).get(clash.path)
    text = repository.blob(entry.blob).decode("utf-8", "replace") if entry else ""
    for match in _REGION.finditer(text):
        base = (match["base"] or "").splitlines()
        for head, side in (("upstream's change", "upstream"), ("the patch's change", "patch")):
            change = list(difflib.unified_diff(base, match[side].splitlines(), n=2, lineterm=""))[3:]
            lines += [f"  {head}:", *(f"    {line}" for line in change[:_LINES])]
            lines += [f"    ... {len(change) - _LINES} more lines"] if len(change) > _LINES else []
    return lines


def with_message(patch: Patch, message: str) -> Patch:
    """Return a patch with the message of the commit that a person made of it."""
    subject, _, body = message.strip().partition("\n")
    return replace(patch, subject=subject.strip(), description=body.strip())


def message(project: Project, before: Project, state: State, group: str) -> str:
    """Return the message of one of a lift's commits; its last line is for machines: ``Lift:
    routine|by-hand|dropped``.
    """
    site = state.goal.target(project.site.name)
    what = {
        "routine": "pins, and patches that only moved",
        "by-hand": "patches and overlays changed by hand",
        "dropped": "patches that are not needed any more",
    }[group]
    head = f"Lift to {site.component} {site.release}: {what}"
    body: list[str] = []
    if group == "routine":
        for target in state.goal.targets:
            old = before.component(target.component)
            if old.commit != target.commit:
                body.append(f"{old.name} {old.release} ({old.commit[:12]}) -> {target.release} ({target.commit[:12]})")
        body += ["", "Each patch takes and adds the same lines as before:"]
    for name, done in state.done.items():
        for outcome in done:
            mine = "dropped" if outcome.kind == "dropped" else "routine" if outcome.routine else "by-hand"
            if mine == group:
                body += _line(name, outcome)
    edited = [path for path in state.groups[group] if not path.endswith((".patch", "/series")) and "/" in path]
    body += ["", *edited] if edited else []
    if group == "by-hand":
        for name, entry in state.decided.items():
            body += [
                f"{name}: {entry['kind']}, {entry['how']}",
                *(f"    upstream {cause}" for cause in entry["causes"]),
            ]
    if group == "routine":
        body += state.refreshed
    return "\n".join(
        [head if len(head) <= _SUBJECT else head[: _SUBJECT - 3] + "...", "", *body, "", f"Lift: {group}", ""]
    )


def _line(component: str, outcome: Lifted) -> list[str]:
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return [
        f"{component} {outcome.patch}: {outcome.kind}{detail}",
        *(f"    upstream {cause}" for cause in outcome.causes),
    ]
