"""Step 3: lay a component's overlay files over its patched tree.

``overlays.toml`` beside the files says for each one what it does and why. ``add`` brings a file that upstream does not
have; ``replace`` takes the place of upstream's file, pinned by its blob id, so that upstream's change to it is noticed;
``merge`` is a JSON fragment that is deep-merged into upstream's file. An ``alias`` sends a module to one of our files.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.config import PIN
from hardener.errors import ConfigError, OverlayError
from hardener.git.repository import EXECUTABLE, REGULAR, Entry, Identity, Repository
from hardener.series.lists import safe_path
from hardener.system import tables
from hardener.system.tables import Key, choice, text, text_or_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hardener.system.tables import Table

NAME = "overlays.toml"
ACTIONS = ("add", "replace", "merge")
_PATH = Key(lambda value: isinstance(value, str) and safe_path(value), "a path inside the tree", required=True)
_REASON = text("a sentence", required=True)
_ONLY = text_or_texts("the name of a tree, or a list of names")
_FILE_KEYS = {
    "path": _PATH,
    "action": choice(ACTIONS, required=True),
    "reason": _REASON,
    "replaces": text_or_texts("the blob id of upstream's file, or a list: git rev-parse COMMIT:PATH", r"[0-9a-f]{40}"),
    "override": text_or_texts("a dotted key of upstream's file, or a list of keys"),
    "only": _ONLY,
}
_ALIAS_KEYS = {
    "module": text("a module as webpack's resolve.alias names it", required=True),
    "file": _PATH,
    "reason": _REASON,
    "only": _ONLY,
}


@dataclass(frozen=True)
class OverlayFile:
    """One ``[[file]]``: ``replaces`` are the blob ids of upstream's file that ours was written against."""

    path: str
    action: str
    reason: str
    replaces: tuple[str, ...] = ()
    override: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alias:
    """One ``[[alias]]``: imports of ``module`` resolve to ``file`` (a path of the tree).

    ``module`` follows webpack's rules (resolve.alias): ``name$`` is exactly that module, ``name`` also those below it.
    """

    module: str
    file: str
    reason: str
    only: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """Return the npm package that the module is of.

        >>> Alias("@jitsi/excalidraw/index.css", "x", "y").package, Alias("react$", "x", "y").package
        ('@jitsi/excalidraw', 'react')
        """
        parts = self.module.removesuffix("$").split("/")
        return "/".join(parts[: 2 if parts[0].startswith("@") else 1])


@dataclass(frozen=True)
class Overlays:
    """The content of ``overlays.toml``."""

    files: tuple[OverlayFile, ...] = ()
    aliases: tuple[Alias, ...] = ()

    def of_packages(self, packages: tuple[str, ...]) -> Overlays:
        """Return only the aliases of these npm packages (or of modules inside them), and the files they lead to."""
        aliases = tuple(a for a in self.aliases if any(a.package == p for p in packages))
        return Overlays(tuple(f for f in self.files if any(f.path == alias.file for alias in aliases)), aliases)


@dataclass(frozen=True)
class Laid:
    """A tree with overlays: ``paths`` are the files that are ours now."""

    component: str
    commit: str
    tree: str
    paths: tuple[str, ...]
    aliases: tuple[Alias, ...]


def read(folder: Path, tree_names: tuple[str, ...]) -> Overlays:
    """Read ``overlays.toml``, keeping the entries that are for one of these trees; no folder means no overlays.

    Raises ConfigError for malformed entries, for files without an entry and entries without a file.
    """
    path = folder / NAME
    if not path.exists():
        stray = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        if stray:
            raise ConfigError(f"{folder}: {stray[0]} has no entry", hint=f"say in {path} what it does and why")
        return Overlays()
    document = tables.load(path)
    document.holds("[[file]]", "[[alias]]")
    files = [_file(table) for table in document.tables("file", _FILE_KEYS, unique="path")]
    aliases = [Alias(**table.values) for table in document.tables("alias", _ALIAS_KEYS)]
    listed = {file.path for file in files}
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {NAME}
    for name in sorted(listed - present):
        raise ConfigError(f"{path}: {name} is not in {folder}", hint="add the file or remove its [[file]]")
    for name in sorted(present - listed - {"README.md"}):
        raise ConfigError(f"{path}: {name} has no entry", hint="add a [[file]] with a reason, or remove the file")
    return Overlays(
        tuple(file for file in files if not file.only or set(file.only) & set(tree_names)),
        tuple(alias for alias in aliases if not alias.only or set(alias.only) & set(tree_names)),
    )


def lay(
    component: str,
    mirror: Path,
    base: str,
    patched: str,
    folder: Path,
    tree_names: tuple[str, ...] = (PIN,),
    *,
    only_aliases_of: tuple[str, ...] | None = None,
) -> Laid:
    """Lay the overlays in ``folder`` over the commit ``patched``, which was made from upstream's ``base``.

    With ``only_aliases_of`` (npm names) only the aliases of these packages and their files are laid: what an unpatched
    build needs to do without a package that cannot be had. Returns the new commit and tree.
    Raises OverlayError that names every file that does not fit, ConfigError for a malformed overlays.toml.
    """
    repository = Repository(mirror)
    overlays = read(folder, tree_names)
    if only_aliases_of is not None:
        overlays = overlays.of_packages(only_aliases_of)
    if not overlays.files and not overlays.aliases:
        return Laid(component, patched, repository.tree_of(patched), (), ())
    upstream, now = repository.entries(base), repository.entries(patched)
    problems: list[str] = []
    whole: dict[str, tuple[str, Path]] = {}
    with repository.index(patched) as index:
        for file in overlays.files:
            place = folder / file.path
            try:
                _check(file, upstream, now)
                if file.action == "merge":
                    entry = now[file.path]
                    merged = merge_json(repository.blob(entry.blob), place.read_bytes(), file.override)
                    index.put(file.path, entry.mode, merged)
                else:
                    whole[file.path] = (EXECUTABLE if place.stat().st_mode & 0o100 else REGULAR, place)
            except ValueError as error:
                problems.append(f"{file.path}: {error}")
        index.put_files(whole)
        tree = index.tree()
    ours = {file.path for file in overlays.files}
    problems += [
        f"alias {alias.module}: {alias.file} is not in the tree"
        for alias in overlays.aliases
        if alias.file not in now and alias.file not in ours
    ]
    if problems:
        raise OverlayError(
            f"{component}: {len(problems)} overlay(s) do not fit",
            hint=f"see {folder / NAME}; 'hardener lift' offers a three-way merge of upstream's change",
            details=tuple(problems),
        )
    committer = Identity("hardener", "hardener@hardener.invalid", f"{repository.committed(base)} +0000")
    message = "Overlays\n\n" + "".join(f"{file.path}: {file.reason}\n" for file in overlays.files)
    commit = repository.commit_tree(tree, patched, message, committer, committer) if overlays.files else patched
    return Laid(component, commit, tree, tuple(sorted(ours)), overlays.aliases)


def _check(file: OverlayFile, upstream: Mapping[str, Entry], now: Mapping[str, Entry]) -> None:
    theirs, current = upstream.get(file.path), now.get(file.path)
    if file.action == "add":
        if theirs or current:
            raise ValueError('upstream has this file: use action = "replace" with its blob id')
        clash = next((path for path in now if path.startswith(file.path + "/") or file.path.startswith(path + "/")), "")
        if clash:
            raise ValueError(f"a file cannot also be a folder: upstream has {clash}")
        return
    if not theirs:
        raise ValueError(f"upstream has no such file to {file.action}")
    if current != theirs:
        raise ValueError("a patch or remove.list touches this file too: one of them has to go")
    if file.action == "replace" and theirs.blob not in file.replaces:
        raise ValueError(
            f"upstream changed it: its blob is {theirs.blob}, ours was written against {', '.join(file.replaces)}"
        )


def merge_json(theirs: bytes, fragment: bytes, override: Iterable[str]) -> bytes:
    """Deep-merge a JSON fragment into upstream's JSON file; keys are added at the end, indentation is upstream's.

    ``override`` are the dotted keys that upstream has and that we change on purpose. Raises ValueError for a key that
    upstream has and that is not overridden, for an override that is not needed, and for JSON that is none.

    >>> merge_json(b'{"a": {"b": "x"}}', b'{"a": {"c": "y"}}', []).decode()
    '{\\n  "a": {\\n    "b": "x",\\n    "c": "y"\\n  }\\n}\\n'
    >>> merge_json(b'{"a": 1}', b'{"a": 2}', [])
    Traceback (most recent call last):
    ValueError: upstream has the key a: add it to 'override' if the change is wanted
    """
    try:
        target, ours = (json.loads(side, object_pairs_hook=_no_key_twice) for side in (theirs, fragment))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not valid JSON: {error}") from error
    if not isinstance(target, dict) or not isinstance(ours, dict):
        raise ValueError("both sides of a merge have to be JSON objects")
    unused = set(override)
    _merge(target, ours, "", unused, frozenset(override))
    if unused:
        raise ValueError(f"override names keys that are not changed: {', '.join(sorted(unused))}")
    indent = re.search(rb"\n( +)\S", theirs)
    return (json.dumps(target, indent=len(indent[1]) if indent else 2, ensure_ascii=False) + "\n").encode()


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated key; Python's parser would keep the last one and drop the others without a word."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)} is listed twice")
    return members


def _merge(
    target: dict[str, Any], ours: dict[str, Any], prefix: str, unused: set[str], override: frozenset[str]
) -> None:
    for key, value in ours.items():
        name = prefix + key
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value, name + ".", unused, override)
            continue
        if key in target and name not in override:
            raise ValueError(f"upstream has the key {name}: add it to 'override' if the change is wanted")
        if key in target:
            unused.discard(name)
        target[key] = value


def _file(table: Table) -> OverlayFile:
    file = OverlayFile(**table.values)
    if (file.action == "replace") != bool(file.replaces):
        raise table.error(
            f"'replaces' is {'missing' if file.action == 'replace' else 'for action replace only'}",
            hint=f"the blob id(s) of upstream's file: git rev-parse COMMIT:{file.path}",
        )
    if file.override and file.action != "merge":
        raise table.error("'override' is for action merge only", hint="remove it", key="override")
    return file
