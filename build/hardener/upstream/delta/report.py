"""The delta report: Markdown for people, JSON for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hardener.system import disk
from hardener.upstream.delta.detectors import DETECTORS
from hardener.upstream.delta.diff import compare_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hardener.config import Project
    from hardener.git.history import History
    from hardener.ui import UI
    from hardener.upstream.delta.diff import ComponentDelta, Fresh, SiteDelta
    from hardener.upstream.target import Goal

_PACKAGES = {
    "hosts": "Hosts that no package came from before",
    "foreign": "From elsewhere than the usual registry",
    "unlocked": "Without integrity",
    "scripts": "With an install script (which never runs here)",
    "direct": "Asked for by package.json",
    "new": "New names",
}


def summary(deltas: Sequence[ComponentDelta]) -> list[tuple[str, str]]:
    """Return one line for each kind that has something new: title and, for each component, how much."""
    lines = []
    for detector in DETECTORS:
        counts = [
            (delta.component, [fresh for fresh in delta.fresh[detector.name] if fresh.unknown]) for delta in deltas
        ]
        said = [f"{name} {len(found)}" for name, found in counts if found]
        if said:
            lines.append((detector.title, ", ".join(said)))
    for key, title in _PACKAGES.items():
        said = [
            f"{delta.component} {len(getattr(delta.packages, key))}" for delta in deltas if getattr(delta.packages, key)
        ]
        if said:
            lines.append((f"Packages: {title[0].lower()}{title[1:]}", ", ".join(said)))
    return lines


def markdown(title: str, deltas: Sequence[ComponentDelta], site: SiteDelta | None = None) -> str:
    """Return the whole report."""
    lines = [f"# {title}", "", "What upstream brings, before anything is patched. Written by `hardener delta`.", ""]
    lines += [f"All {len(DETECTORS)} detectors found their planted controls in this run.", ""]
    for delta in deltas:
        lines += [f"## {delta.component}", ""]
        lines += [
            f"{delta.old[:12]} to {delta.new[:12]}: {delta.commits} commits, {delta.files} files that differ.",
            "",
        ]
        for detector in DETECTORS:
            lines += _section(detector.title, delta.fresh[detector.name], delta.gone[detector.name])
        lines += _packages(delta)
    if site:
        lines += ["## The built site", ""]
        for head, counts in (("Hosts named more often", site.hosts), ("Calls", site.calls)):
            lines += [f"### {head}", "", *(f"- `{name}`: {old} -> {new}" for name, (old, new) in counts.items())]
            lines += ["" if counts else "None.\n"]
    return "\n".join(lines).rstrip() + "\n"


def _section(title: str, fresh: Sequence[Fresh], gone: Sequence[str]) -> list[str]:
    if not fresh and not gone:
        return []
    lines = [f"### {title}", ""]
    unknown: dict[str, list[Fresh]] = {}
    for addition in fresh:
        if addition.unknown:
            unknown.setdefault(addition.place.value, []).append(addition)
    for value, places in unknown.items():
        first = places[0].place
        mark = " (comment)" if first.in_comment else ""
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        # Where the line itself is what is compared, it is not said twice.
        name = "" if value == "".join(first.text.split())[: len(value)] else f"**{_plain(value)}**: "
        lines.append(f"- {name}`{_plain(first.text)}`{mark} {first.path}:{first.line}{more}")
    again = sorted({addition.place.value for addition in fresh if not addition.unknown})
    if again and title == "Hosts":
        lines.append(f"- known, at further places: {', '.join(again)}")
    if gone:
        shown = ", ".join(f"`{_plain(value[:60])}`" for value in gone[:8]) + (
            f" and {len(gone) - 8} more" if gone[8:] else ""
        )
        lines.append(f"- gone: {shown}")
    return [*lines, ""]


def _packages(component: ComponentDelta) -> list[str]:
    found = {
        title: getattr(component.packages, key) for key, title in _PACKAGES.items() if getattr(component.packages, key)
    }
    if not found and not component.packages.changed:
        return []
    lines = [
        "### npm packages",
        "",
        f"{component.packages.changed} in another version, {len(component.packages.gone)} gone.",
        "",
    ]
    for title, entries in found.items():
        lines += [f"{title} ({len(entries)}):", "", *(f"- `{entry}`" for entry in entries), ""]
    return lines


def _plain(text: str) -> str:
    """Return text that cannot end a code span or a line: upstream's bytes go into a document that people click in."""
    return "".join(char if char.isprintable() else " " for char in text).replace("`", "'")


def as_json(deltas: Sequence[ComponentDelta], site: SiteDelta | None = None) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "schema": 1,
        "detectors": [detector.name for detector in DETECTORS],
        "components": [asdict(delta) for delta in deltas],
        "site": asdict(site) if site else None,
    }


def write(
    project: Project,
    histories: Mapping[str, History],
    old: Goal,
    new: Goal,
    out: Path,
    ui: UI,
    site: SiteDelta | None = None,
) -> dict[str, Any]:
    """Write the report below ``out`` and print what it counts; returns it as JSON values with its paths."""
    deltas = []
    for component in project.components:
        before, after = old.target(component.name).commit, new.target(component.name).commit
        if before != after:
            with ui.step("delta", component.name) as line:
                deltas.append(compare_trees(histories[component.name], component, before, after))
                line.say(f"{deltas[-1].commits} commits, {deltas[-1].files} files")
    names = [goal.target(project.site.name).release for goal in (old, new)]
    value = as_json(deltas, site)
    out.mkdir(parents=True, exist_ok=True)
    paths = {kind: out / f"{names[0]}..{names[1]}.{kind}" for kind in ("md", "json")}
    title = f"{project.site.name}: {names[0]} to {names[1]}"
    disk.write(paths["md"], markdown(title, deltas, site).encode("utf-8", "replace"))
    disk.write_json(paths["json"], value)
    for text, counts in summary(deltas):
        ui.print(f"  new: {text}: {counts}")
    ui.print(f"  upstream's changes: {paths['md']}")
    return value | {"files": {kind: str(path) for kind, path in paths.items()}}
