"""The row 'edits': random edits, each built in the work area of the one before and from an empty one: the same bytes."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from measure import BenchError
from report import Row, Side
from workplace import copy_project

from hardener import config
from hardener.system import disk
from hardener.system.sums import SUMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from measure import Sample
    from workplace import Workplace

# Ending of an overlay -> the text with one more or another line, for an edit with this number.
_CHANGES: dict[str, Callable[[str, int], str]] = {
    ".ts": lambda text, number: f"{text}\n(globalThis as any).hardenerEdit{number} = {number};\n",
    ".tsx": lambda text, number: f"{text}\n(globalThis as any).hardenerEdit{number} = {number};\n",
    ".js": lambda text, number: f"{text}\nglobalThis.hardenerEdit{number} = {number};\n",
    ".html": lambda text, number: f"{text}<!-- edit {number} -->\n",
    ".scss": lambda text, number: f"{text}\n.edit-{number} {{ order: {number}; }}\n",
    ".json": lambda text, number: re.sub(r'(": ")(?=[A-Z])', rf"\g<1>Edit {number} ", text, count=1),
}


def edits(place: Workplace) -> Row:
    """Make as many random edits as there are repetitions. Raises BenchError where a warm build has other bytes."""
    warm, cold = place.home / "edits" / "warm", place.home / "edits" / "cold"
    for folder in (warm, cold):
        disk.remove(folder)
        copy_project(place.root, folder)
    choose = random.Random(place.seed)
    place.tell("edits: building what is edited")
    _build(place, warm)
    samples: dict[str, list[Sample]] = {"warm": [], "cold": []}
    original: dict[Path, bytes] = {}
    for number in range(place.repeat):
        if original and choose.random() < 0.2:
            path = choose.choice(sorted(original))
            content, what = original.pop(path), f"undo {path}"
        else:
            path, content = _edit(warm, choose, number)
            original.setdefault(path, (warm / path).read_bytes())
            what = str(path)
        for folder in (warm, cold):
            disk.write(folder / path, content)
        samples["warm"].append(_build(place, warm))
        disk.remove(cold / ".work")
        samples["cold"].append(_build(place, cold))
        sums = [(folder / "dist" / SUMS).read_bytes() for folder in (warm, cold)]
        place.tell(
            f"edits: {number + 1} of {place.repeat}, {what}: {'the same bytes' if sums[0] == sums[1] else 'other bytes'}"
        )
        if sums[0] != sums[1]:
            raise BenchError(
                f"a warm build after {what} has other bytes than a cold one", hint=f"compare {warm}, {cold}"
            )
    sides = Side("hardener build, empty work area", samples["cold"]), Side("after the last edit", samples["warm"])
    note = f"seed {place.seed}; each pair of builds gave the same bytes"
    return Row("Random edits to both archives, warm and cold", [sides[0]], sides[1], (note,))


def _edit(project: Path, choose: random.Random, number: int) -> tuple[Path, bytes]:
    """Return an overlay of any component, and its content after an edit."""
    folders = [config.load(project).overlays(component) for component in config.load(project).components]
    files = sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in _CHANGES and not file.name.endswith(".d.ts")
    )
    file = choose.choice(files)
    return file.relative_to(project), _CHANGES[file.suffix](file.read_text("utf-8"), number).encode()


def _build(place: Workplace, project: Path) -> Sample:
    return place.harden("build", "--project", project)
