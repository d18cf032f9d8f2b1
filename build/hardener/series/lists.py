"""Grammars of the two lists in a component's patch folder: ``series`` and ``remove.list``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SERIES, REMOVALS = "series", "remove.list"


@dataclass(frozen=True)
class Removal:
    """One line of ``remove.list``: a file (or, with a slash at its end, a folder) of upstream that goes, and why.

    ``only`` names the trees (``pin`` or a [tree.NAME] of upstream.toml) that the line is for; empty means all.
    """

    path: str
    reason: str
    only: tuple[str, ...] = ()


def parse_series(text: str) -> list[str]:
    """Return patch file names in the order of application.

    Raises ValueError with the line number for a name that is twice there, or is not a plain ``*.patch`` file name.

    >>> parse_series("# privacy\\nno-gravatar.patch\\n\\nno-stun.patch  # as of 2.0\\n")
    ['no-gravatar.patch', 'no-stun.patch']
    >>> parse_series("../x.patch")
    Traceback (most recent call last):
    ValueError: line 1: '../x.patch' is not a patch file name
    """
    names, problems = judge_series(text)
    if problems:
        raise ValueError(problems[0])
    return names


def judge_series(text: str) -> tuple[list[str], list[str]]:
    """Return the patch file names of a series, and everything that is wrong with its lines.

    >>> judge_series("a.patch\\na.patch\\nb.diff\\n")
    (['a.patch'], ["line 2: 'a.patch' is listed twice", "line 3: 'b.diff' is not a patch file name"])
    """
    names: list[str] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        name = series_name(line)
        if name and not re.fullmatch(r"[\w+-][\w.+-]*\.patch", name):
            problems.append(f"line {number}: {name!r} is not a patch file name")
        elif name in names:
            problems.append(f"line {number}: {name!r} is listed twice")
        elif name:
            names.append(name)
    return names, problems


def rewrite_series(text: str, names: Sequence[str]) -> str:
    """Return the series with these names in this order; comments above a name stay with it.

    Those of a name that goes pass to the next one. A new name comes without any.

    >>> rewrite_series("# first\\na.patch\\n\\n# second\\nb.patch # b\\nc.patch\\n", ["c.patch", "b.patch", "n.patch"])
    '# first\\n\\nc.patch\\n# second\\nb.patch # b\\nn.patch\\n'
    """
    kept = set(names)
    above: dict[str, list[str]] = {}
    pending: list[str] = []
    for line in text.splitlines():
        name = series_name(line)
        if name in kept:
            above[name] = [*pending, line]
            pending = []
        elif not name:
            pending.append(line)
    # What opens the file is about the series, not about the patch that happens to be first.
    opening: list[str] = []
    first = next(iter(above), "")
    if first and names and first != names[0] and above[first][0].startswith("#"):
        blank = next((place for place, line in enumerate(above[first]) if not line.strip()), -1)
        opening, above[first] = above[first][: blank + 1], above[first][blank + 1 :]
    lines = [*opening, *(line for name in names for line in above.get(name, [name])), *pending]
    return "".join(f"{line}\n" for line in lines)


def series_name(line: str) -> str:
    """Return what a line of the series names; empty for a blank line or a comment."""
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()


def parse_removals(text: str) -> list[Removal]:
    """Return the removals, one a line: ``PATH [only=TREE,TREE] # REASON``.

    Raises ValueError with the line number for a line without reason, a path that leaves the tree, or a path twice.

    >>> parse_removals("static/close3.html only=pin # empty upstream")
    [Removal(path='static/close3.html', reason='empty upstream', only=('pin',))]
    >>> parse_removals("static/close3.html")
    Traceback (most recent call last):
    ValueError: line 1: no reason: write 'PATH # REASON'
    """
    removals: list[Removal] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        head, _, reason = (part.strip() for part in line.partition(" #"))
        if not reason:
            raise ValueError(f"line {number}: no reason: write 'PATH # REASON'")
        match = re.fullmatch(r"(?P<path>.*?)(?:\s+only=(?P<only>[\w.,-]+))?", head)
        path = match["path"] if match else head
        if not match or not safe_path(path.removesuffix("/")):
            raise ValueError(f"line {number}: {path!r} is not a path inside the tree")
        if any(path == other.path for other in removals):
            raise ValueError(f"line {number}: {path!r} is listed twice")
        removals.append(Removal(path, reason, tuple((match["only"] or "").split(",")) if match["only"] else ()))
    return removals


def safe_path(path: str) -> bool:
    """Return whether a path is relative, stays inside its tree and does not reach into a ``.git`` folder.

    Compared without case, because the work tree may lie on a file system that does not distinguish cases
    (CVE-2014-9390).

    >>> [safe_path(p) for p in ("a/b", "/a", "a/../../b", "a/.GIT/config", "", "a//b", "a\\\\b")]
    [True, False, False, False, False, False, False]
    """
    parts = path.split("/")
    return (
        "\\" not in path and "\0" not in path and all(p not in ("", ".", "..") and p.lower() != ".git" for p in parts)
    )


def read_series(folder: Path) -> list[Path]:
    """Return the patch files of a component, in order; none where there is no series file.

    Raises ConfigError for a malformed series, a patch that is listed but not there, or there but not listed.
    """
    path = folder / SERIES
    if not path.exists():
        names: list[str] = []
    else:
        try:
            names = parse_series(path.read_text("utf-8"))
        except ValueError as error:
            raise ConfigError(
                f"{path}: {error}", hint="one patch file name a line, in order; # starts a comment"
            ) from error
    for name in names:
        if not (folder / name).is_file():
            raise ConfigError(f"{path}: lists {name}, which is not in {folder}", hint="add the file or remove the line")
    stray = sorted(file.name for file in folder.glob("*.patch") if file.name not in names)
    if stray:
        raise ConfigError(
            f"{folder}: not in the series: {', '.join(stray)}", hint=f"add a line to {path}, or remove the file"
        )
    return [folder / name for name in names]


def read_removals(folder: Path) -> list[Removal]:
    """Return the removals of a component; none where there is no list. Raises ConfigError for a malformed one."""
    path = folder / REMOVALS
    if not path.exists():
        return []
    try:
        return parse_removals(path.read_text("utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: {error}", hint="the grammar: PATH [only=TREE,TREE] # REASON") from error
