"""Read from the two trees what a reviewer of upstream would ask about an exported patch.

Five questions: does a text name something that only our repository has? Does a change take an option that upstream
documents, without a switch? Who else uses a constant or function whose definition changes? Has upstream a unit test
for a changed file that the patch does not touch? Does a native file import what the patch removes?
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.series import imports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Component
    from hardener.git.history import History
    from hardener.git.repository import Entry

_CODE = (".js", ".jsx", ".ts", ".tsx")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+|[\w-]+\.(?:toml|list|patch|md)")
_DEFINED = re.compile(
    r"\bexport\s+(?:default\s+)?(?:async\s+)?(?:const|let|function\*?|class|enum|type|interface)\s+(\w+)"
)
_OPTION = re.compile(r"^\s*(?://\s*)?(\w+):", re.MULTILINE)
_READ = re.compile(r"\b(?:config|\w*Config|options)\??\.(\w+)|\['features/base/config'\]\??\.(\w+)")
_MOST = 5  # files that a remark names


def remarks(
    history: History,
    component: Component,
    base: str,
    commit: str,
    files: Sequence[str],
    texts: Sequence[str],
    root: Path,
) -> tuple[str, ...]:
    """Return what a person has to settle before sending a patch, one sentence each.

    ``files`` are those that ``commit`` changes on ``base``, ``texts`` the prose of the message; ``root`` is our
    project, whose paths upstream does not know.
    """
    there = history.entries(commit)
    before = history.entries(base)
    sides = {path: (_text(history, before, path), _text(history, there, path)) for path in files}
    found = [
        *_ours(there, sides, texts, root),
        *_options(_text(history, before, "config.js"), sides),
        *_users(history, base, sides, component.exclude),
        *_tests(there, files),
        *_lost(history, commit, before, there, component.exclude),
    ]
    return tuple(dict.fromkeys(found))


def _text(history: History, entries: Mapping[str, Entry], path: str) -> str:
    entry = entries.get(path)
    return history.blob(entry.blob).decode("utf-8", "replace") if entry else ""


def _added(sides: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for path, (old, new) in sides.items():
        known = set(old.splitlines())
        yield from ((path, line) for line in new.splitlines() if line not in known)


def _ours(
    there: Mapping[str, Entry], sides: Mapping[str, tuple[str, str]], texts: Sequence[str], root: Path
) -> Iterator[str]:
    """Yield names of ours in texts, paths and added lines."""
    folders = {path.rpartition("/")[0] for path in there}
    for where, line in [*(("the message", text) for text in texts), *_added(sides), *((path, path) for path in sides)]:
        for match in _PATH.finditer(line):
            name = match[0].strip(".")
            if name not in there and name not in folders and (root / name).exists():
                yield f"{where} names {name}, which is a path of our repository"
        if re.search(r"\bhardener\b", line):
            yield f"{where} names hardener: {line.strip()[:60]}"


def _options(documented: str, sides: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Yield options of upstream's config.js that a changed file no longer reads: they need a switch, not a removal."""
    known = set(_OPTION.findall(documented))
    for path, (old, new) in sides.items():
        read = [{first or second for first, second in _READ.findall(text)} & known for text in (old, new)]
        for name in sorted(read[0] - read[1]) if path.endswith(_CODE) else ():
            yield f"{path} no longer reads {name}, which config.js documents: upstream will ask for a switch"


def _users(history: History, base: str, sides: Mapping[str, tuple[str, str]], exclude: Sequence[str]) -> Iterator[str]:
    """Yield the other users of what a patch redefines or removes."""
    for path, (old, new) in sides.items():
        kept = set(new.splitlines())
        changed = {name for line in old.splitlines() if line not in kept for name in _DEFINED.findall(line)}
        for name in sorted(changed):
            where = [*(f"*{ending}" for ending in _CODE), *(f":(exclude,top){folder}" for folder in exclude)]
            done = history.git("grep", "-I", "-l", "-w", "--fixed-strings", "-e", name, base, "--", *where)
            users = sorted({line.partition(":")[2] for line in done.text.splitlines()} - set(sides))
            if users:
                more = f" and {len(users) - _MOST} more" if len(users) > _MOST else ""
                yield f"{name} of {path} changes; it is also used by {', '.join(users[:_MOST])}{more}"


def _tests(there: Mapping[str, Entry], files: Sequence[str]) -> Iterator[str]:
    """Yield changed files with a unit test beside them that the patch leaves as it is."""
    for path in files:
        stem = re.sub(r"\.[jt]sx?$", "", path)
        for ending in ("spec.ts", "spec.js", "test.ts", "test.js"):
            test = f"{stem}.{ending}"
            if path.endswith(_CODE) and test in there and test not in files:
                yield f"{path} has a unit test, {test}, which the patch does not extend"


def _lost(
    history: History, commit: str, before: Mapping[str, Entry], there: Mapping[str, Entry], exclude: Sequence[str]
) -> Iterator[str]:
    """Yield files that import what the patch removes, those of the apps among them."""
    for use in imports.uses(history, commit, before.keys() - there.keys(), (), exclude):
        yield f"{use.path} {use}"
