"""The benchmark's tables, as Markdown for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from hardener import __version__
from hardener.system import node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from measure import Sample

FACTS = "median of {repeat}, lowest and highest in brackets; MB are powers of 1000"


@dataclass
class Side:
    """One of the things that are compared: who it is and its samples; ``missing`` says why there are none."""

    who: str
    samples: list[Sample] = field(default_factory=list)
    missing: str = ""


@dataclass
class Row:
    """One comparison: upstream's (or the field's) ways, ours, and what one has to know to read it."""

    title: str
    theirs: list[Side]
    ours: Side | None
    notes: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()


def machine() -> dict[str, str]:
    """Return what it was measured on."""
    info = Path("/proc/cpuinfo").read_text("utf-8")
    cpu = next(
        (line.split(": ")[1] for line in info.splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "machine": f"{os.cpu_count()} x {cpu}, {memory / 1e9:.0f} GB, Linux {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "hardener": __version__,
        "python": platform.python_version(),
        "node": node.node_version(),
        "git": git.removeprefix("git version ").strip(),
        "rspack": node.tool_version("@rspack/core"),
    }


def as_json(rows: Sequence[Row], facts: dict[str, str], repeat: int) -> dict[str, Any]:
    """Return the report with every sample."""
    return {"schema": 1, "repeat": repeat, "facts": facts, "rows": [asdict(row) for row in rows]}


def as_markdown(rows: Sequence[Row], facts: dict[str, str], repeat: int) -> str:
    """Return the report as it is read."""
    samples = [sample for row in rows for side in _sides(row) for sample in side.samples]
    share = (
        sum(sample.others + sample.steal for sample in samples) / max(1e-9, sum(sample.wall for sample in samples))
        if samples
        else 0.0
    )
    head = [
        "# Benchmark: ours against upstream's own way",
        "",
        ", ".join(f"{name} {value}" for name, value in facts.items() if name not in ("machine", "load", "warning"))
        + ".",
        f"{facts['machine']}; load average at the start {facts['load']}.",
        f"Of its {os.cpu_count()} cores, other work and the hypervisor took {share:.2f} while this was measured"
        + (
            ""
            if share < 0.15
            else ": **the machine was not quiet; times are too long, trust the ratios no further than that**"
        )
        + ".",
        *([f"**Not valid: {facts['warning']}.**"] if "warning" in facts else []),
        "Values: " + FACTS.format(repeat=repeat) + ".",
        "'CPU' is user and system time of all processes. 'largest process' is ru_maxrss; 'all processes' is the sum of their",
        "resident memory, looked at every 100 ms (shared pages count in each).",
    ]
    return "\n".join([*head, *(line for row in rows for line in _row(row))]) + "\n"


def _sides(row: Row) -> list[Side]:
    return [*row.theirs, *([row.ours] if row.ours else [])]


def _row(row: Row) -> list[str]:
    lines = ["", f"## {row.title}", ""]
    if row.ours or row.theirs:
        lines += [
            "| | wall s | CPU s | MB, largest process | MB, all processes |",
            "|---|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {'ours' if side is row.ours else 'theirs'}: {side.who} | {_cells(side)} |" for side in _sides(row)
        ]
        lines += [
            _ratio(row.ours, side, side.who if row.theirs[1:] else "theirs")
            for side in row.theirs
            if row.ours and row.ours.samples and side.samples
        ]
    if row.lines:
        lines += ["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in row.lines)]
    if row.notes:
        lines += ["", *(f"* {note}" for note in row.notes)]
    return lines


def _cells(side: Side) -> str:
    if not side.samples:
        return f"not measured: {side.missing} | | |"
    mark = "≤ " if any(sample.floored for sample in side.samples) else ""
    return " | ".join(
        (
            _spread([sample.wall for sample in side.samples]),
            _spread([sample.cpu for sample in side.samples]),
            _megabytes(side.samples, lambda sample: sample.peak, mark),
            _megabytes(side.samples, lambda sample: sample.peak_all),
        )
    )


def _spread(values: list[float]) -> str:
    digits = 2 if median(values) < 10 else 1
    text = f"{median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def _megabytes(samples: list[Sample], value: Callable[[Sample], int], mark: str = "") -> str:
    found = median(value(sample) for sample in samples)
    return f"{mark}{found / 1e6:.0f}" if found else "-"


def _ratio(ours: Side, theirs: Side, name: str) -> str:
    def cell(value: Callable[[Sample], float]) -> str:
        above, below = (median(value(sample) for sample in side.samples) for side in (ours, theirs))
        if not above or not below:
            return "-"
        return f"{above / below:.3f} ({below / above:.1f}x less)" if above < below else f"{above / below:.2f}"

    floored = any(sample.floored for side in (ours, theirs) for sample in side.samples)
    peak = "-" if floored else cell(lambda sample: sample.peak)
    cells = (
        cell(lambda sample: sample.wall),
        cell(lambda sample: sample.cpu),
        peak,
        cell(lambda sample: sample.peak_all),
    )
    return f"| **ours / {name}** | " + " | ".join(cells) + " |"
