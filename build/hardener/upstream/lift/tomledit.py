"""Changes to the files that people write: format, order and comments stay as they are (tomlkit)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tomlkit

from hardener.errors import ConfigError
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hardener.config import Project
    from hardener.upstream.target import Goal


def overlay(
    path: Path,
    table: str,
    key: str,
    name: str,
    *,
    replaces: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
    drop: bool = False,
) -> None:
    """Change the entry of overlays.toml whose ``key`` is ``name``, or take it out.

    ``replaces`` maps the names of trees to blob ids. ``only`` is left as it is for None, taken out where it is empty.
    """
    text = path.read_bytes().decode("utf-8")
    if drop:
        # As text: comments between the entries have to stay, and belong to the entry that follows.
        block = re.compile(
            rf"^\[\[{table}\]\]\n(?:(?!\[\[|#|\n).*\n)*?{key} = {re.escape(_quoted(name))}\n(?:(?!\[\[|\n).*\n)*\n?",
            re.MULTILINE,
        )
        text, times = block.subn("", text, count=1)
        if not times:
            raise ConfigError(f"{path}: the entry of {name} cannot be removed automatically", hint="remove it by hand")
        disk.write(path, text.encode())
        return
    document = tomlkit.parse(text)
    entry = next(entry for entry in _tables(document, table) if entry[key] == name)
    if replaces:
        blobs: dict[str, list[str]] = {}
        for tree, blob in replaces.items():
            blobs.setdefault(blob, []).append(tree)
        if len(blobs) == 1:
            entry["replaces"] = next(iter(blobs))
        else:
            array = tomlkit.array()
            for blob, trees in blobs.items():
                array.add_line(blob, indent="    ", comment=", ".join(trees))
            array.add_line(indent="")
            entry["replaces"] = array
    if only:
        # Above the reason, where people write it.
        reason = entry.pop("reason")
        entry["only"] = list(only)
        entry["reason"] = reason
    elif only is not None:
        entry.pop("only", None)
    disk.write(path, tomlkit.dumps(document).encode())


def removal(path: Path, name: str, *, only: Sequence[str] = (), drop: bool = False) -> None:
    """Limit a line of remove.list to trees (none: it is for all of them), or take it out."""
    lines = path.read_bytes().decode("utf-8").splitlines(keepends=True)
    kept = []
    for line in lines:
        if line.split(" ", 1)[0].rstrip() != name:
            kept.append(line)
        elif not drop:
            reason = line.partition(" #")[2]
            limit = f" only={','.join(only)}" if only else ""
            kept.append(f"{name}{limit} #{reason}")
    disk.write(path, "".join(kept).encode())


def series(text: str, dropped: Sequence[str]) -> str:
    """Return a series without some of its patches; comments stay."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip() not in dropped)


def pins(text: str, project: Project, goal: Goal) -> str:
    """Return upstream.toml at the new pins: commits, releases, refs, Node, and the revision back at 1."""
    document = tomlkit.parse(text)
    for target in goal.targets:
        table = document["component"][target.component]
        before = project.component(target.component)
        _set(table, "commit", target.commit, before.commit)
        _set(table, "release", target.release, before.release)
        if target.ref:
            _set(table, "ref", target.ref, before.ref)
        elif "ref" in table:
            del table["ref"]
    head = document["project"]
    if project.site.commit != goal.target(project.site.name).commit:
        _set(head, "revision", 1, project.revision)
    _set(head, "node", goal.node, project.node)
    return tomlkit.dumps(document)


def debian(text: str, versions: Mapping[str, str], maintainer: str = "") -> str:
    """Return upstream.toml with upstream's versions in ``[debian]``; a table that is not there is added at the end."""
    document = tomlkit.parse(text)
    if "debian" not in document:
        entry = tomlkit.table()
        entry.add("maintainer", maintainer)
        entry.add(tomlkit.nl())
        document.add("debian", entry)
    table: Any = document["debian"]
    for name, version in versions.items():
        _set(table, name, version, table.get(name, ""))
    return tomlkit.dumps(document)


def _set(table: Any, key: str, value: str | int, before: str | int) -> None:
    """Set a value where it is another one; the comment at the line's end stays."""
    if value != before:
        item = tomlkit.item(value)
        if key in table:
            item.trivia.comment_ws, item.trivia.comment = table[key].trivia.comment_ws, table[key].trivia.comment
        table[key] = item


def _tables(document: tomlkit.TOMLDocument, table: str) -> Any:
    return document.get(table, [])


def _quoted(text: str) -> str:
    return tomlkit.item(text).as_string()
