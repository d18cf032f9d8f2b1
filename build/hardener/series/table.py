"""The table of patches in patches/README.md: generated from the patches, so that it cannot say anything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.series import patch as patches
from hardener.series.lists import REMOVALS, read_removals, read_series
from hardener.series.patch import context_lines
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.series.patch import Patch

START = "<!-- From here to the next mark: written by 'hardener regen'. -->"
END = "<!-- End of what 'hardener regen' writes. -->"
HEADS = ("component", "patch", "what it does", "upstream", "red without it", "lines of upstream")


@dataclass(frozen=True)
class Catalogue:
    """The README as it is and as it would have to be; None where the project has none."""

    path: Path
    is_now: str | None
    wanted: str | None

    @property
    def current(self) -> bool:
        """Return whether nothing is to be done."""
        return self.is_now == self.wanted

    def write(self) -> bool:
        """Write the table into the README if it is not right; returns whether it had to be."""
        if self.current or self.wanted is None:
            return False
        disk.write(self.path, self.wanted.encode())
        return True


def catalogue(project: Project, pending: Mapping[Path, Sequence[Patch]] | None = None) -> Catalogue:
    """Return what patches/README.md says and what it should say. Raises HardenerError for a series that cannot be read.

    ``pending`` are series that are about to be written, by folder. Without marks in it, the table is added at the end.
    """
    path = project.root / "patches" / "README.md"
    if not path.exists():
        return Catalogue(path, None, None)
    text = path.read_bytes().decode("utf-8")
    block = f"{START}\n\n{_table(project, pending or {})}\n{END}"
    match = re.search(f"{re.escape(START)}.*?{re.escape(END)}", text, re.DOTALL)
    wanted = text[: match.start()] + block + text[match.end() :] if match else f"{text.rstrip()}\n\n{block}\n"
    return Catalogue(path, text, wanted)


def _table(project: Project, pending: Mapping[Path, Sequence[Patch]]) -> str:
    rows = [HEADS, ("---",) * len(HEADS)]
    empty = []
    for component in project.components:
        found = _rows(project, component, pending)
        rows += found
        empty += [] if found else [component.name]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n" + (f"\nNo patches: {', '.join(empty)}.\n" if empty else "")


def _rows(project: Project, component: Component, pending: Mapping[Path, Sequence[Patch]]) -> list[tuple[str, ...]]:
    folder = project.patches(component)
    series = pending[folder] if folder in pending else [patches.read(path) for path in read_series(folder)]
    rows = [_row(component.name, patch) for patch in series]
    if removals := read_removals(folder):
        link = f"[{REMOVALS}]({component.name}/{REMOVALS})"
        rows.append(
            (component.name, link, f"{len(removals)} files and folders are removed, each with a reason", "", "", "")
        )
    return rows


def _row(component: str, patch: Patch) -> tuple[str, ...]:
    name = patch.name.removesuffix(".patch")
    added, removed = (sum(getattr(touch, side) for touch in patch.touches) for side in ("added", "removed"))
    test = patch.fields.get("Evidence", "")
    proof = (
        f"`{test.rpartition('::')[2]}` in [{test.partition('::')[0].rpartition('/')[2]}](../{test.partition('::')[0]})"
    )
    return (
        component,
        f"[{name}]({component}/{patch.name})",
        patch.subject,
        upstream_state(patch),
        proof if test else "",
        f"+{added} -{removed}, {context_lines(patch.content)} of context",
    )


def upstream_state(patch: Patch) -> str:
    """Return where a patch is with upstream, in a few words."""
    fields = patch.fields
    word, _, rest = fields.get("Upstream-Status", "").partition(" ")
    if applied := fields.get("Applied-Upstream"):
        return f"in since {applied}"
    return {
        "Pending": "to be sent",
        "Submitted": f"[submitted]({rest})",
        "Denied": f"refused: {rest}",
        "Inappropriate": f"not for upstream: {rest}",
        "Backport": f"from upstream's {rest[:12]}",
    }.get(word, "unknown")
