"""Effects of upstream's new tree on overlays, aliases, removals and the paths of upstream.toml.

A person settles a finding by editing the project's own files, or with ``--confirm`` (upstream's change was looked at,
ours is) and ``--drop`` (the entry goes). An unchanged file needs no decision.
"""

from __future__ import annotations

import functools
import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.series import imports, overlay
from hardener.series.lists import REMOVALS, Removal, read_removals
from hardener.system import disk
from hardener.upstream.lift import blame, tomledit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.git.repository import Entry, Repository
    from hardener.series.overlay import Alias, OverlayFile
    from hardener.upstream.lift.blame import Between


@dataclass(frozen=True)
class Finding:
    """One entry that the new tree does not agree with.

    ``kind`` is what happened, ``settle`` what a person can do, ``diff`` upstream's own change to the file between its
    contents ``old`` and ``new``.
    """

    component: str
    path: str
    kind: str
    text: str
    settle: str
    causes: tuple[str, ...] = ()
    diff: bytes = b""
    old: bytes = b""
    new: bytes = b""

    def __str__(self) -> str:
        """Return lines for a person."""
        causes = "".join(f"\n      upstream: {cause}" for cause in self.causes)
        return f"{self.component} {self.path}: {self.kind}: {self.text}{causes}\n      {self.settle}"


class Lists:
    """The entries of one component, compared with its old and its new tree."""

    def __init__(
        self, project: Project, component: Component, repository: Repository, between: Between, changes: Path
    ) -> None:
        self.project = project
        self.changes = changes
        self.component = component
        self.repository = repository
        self.between = between
        self.overlays = project.overlays(component)
        self.removals = project.patches(component) / REMOVALS
        entries = functools.cache(between.history.entries)  # a tree is often at the commit of one of the pins
        self.old = entries(between.old)
        self.new = entries(between.new)
        self.trees = {
            name: entries(commits[component.name])
            for name, commits in project.trees.items()
            if between.history.commit(commits.get(component.name, ""))
        }

    def refresh(self) -> list[str]:
        """Bring entries up to date that fit the new pin exactly as they are; returns what was changed, in words.

        An entry for other trees alone counts for the pin too where the pin has that very file now: it needs the
        treatment that it gets there, and would go without it otherwise. Blob ids that no tree has any more go.
        """
        told = []
        for file in self._files():
            if file.action != "replace" or self._blob(file.path) not in file.replaces:
                continue
            known = self._known(file)
            if (PIN not in file.only and file.only) or set(known.values()) != set(file.replaces):
                self._edit(file, replaces=known)
                told.append(f"{file.path}: for {', '.join(known)}")
        for removal in read_removals(self.removals.parent):
            if removal.only and PIN not in removal.only and self._hits(removal, self.new):
                tomledit.removal(self.removals, removal.path, only=self._with_pin(removal.only))
                told.append(f"{removal.path}: for the pin too")
        return told

    def findings(self, patched: str) -> list[Finding]:
        """Return all entries that need a person; ``patched`` is the new series on the new pin."""
        now = self.repository.entries(patched)
        found = [finding for file in self._files() if (finding := self._file(file, now))]
        found += [finding for alias in self._aliases() if (finding := self._alias(alias))]
        found += [
            finding for removal in read_removals(self.removals.parent) if (finding := self._removal(removal, now))
        ]
        for key in ("site", "tsconfig"):
            path = str(getattr(self.component, key))
            if path in self.old and path not in self.new:
                settle = f"fix {key} of [component.{self.component.name}] in upstream.toml"
                found.append(self._finding(path, "gone", f"upstream.toml names it ({key})", settle))
        return [*found, *self._used(patched)]

    def _used(self, patched: str) -> list[Finding]:
        """Return files that the old pin did not have importing what a removal or an alias takes, and do so now."""
        ours = {file.path for file in self._files() if self._applies(file.only, PIN)}
        aliases = self._aliases()
        removed = imports.taken({*self.old, *self.new}, read_removals(self.removals.parent), PIN)
        found = imports.uses(self.repository, patched, removed, aliases, self.component.exclude)
        if found:
            before = imports.uses(self.repository, self.between.old, removed, aliases, self.component.exclude)
            found = imports.new_uses(found, before)
        return [
            Finding(
                self.component.name,
                use.path,
                "used",
                str(use),
                f"{use.remedy}; then: --confirm {use.path}",
                blame.of_import(self.between, use.path, use.said),
            )
            for use in found
            if use.path not in ours
        ]

    def confirm(self, path: str) -> bool:
        """Write upstream's new blob id into an overlay's ``replaces``; False where no such overlay is listed."""
        file = next((file for file in self._files() if file.path == path and file.action == "replace"), None)
        if file is None or path not in self.new:
            return False
        self._edit(file, replaces=self._known(file))
        return True

    def drop(self, name: str) -> bool:
        """Take an overlay, alias or removal out for the pin; False where none is listed under that name.

        Where another tree of upstream.toml still needs it, it stays for that one.
        """
        hit = False
        for file in self._files():
            if file.path == name:
                others = tuple(
                    tree for tree, entries in self.trees.items() if name in entries and self._applies(file.only, tree)
                )
                tomledit.overlay(self.overlays / overlay.NAME, "file", "path", name, only=others, drop=not others)
                if not others:
                    (self.overlays / name).unlink(missing_ok=True)
                hit = True
        for alias in self._aliases():
            if alias.module == name:
                tomledit.overlay(self.overlays / overlay.NAME, "alias", "module", name, drop=True)
                hit = True
        for removal in read_removals(self.removals.parent):
            if removal.path == name:
                others = tuple(
                    tree
                    for tree, entries in self.trees.items()
                    if self._hits(removal, entries) and self._applies(removal.only, tree)
                )
                tomledit.removal(self.removals, name, only=others, drop=not others)
                hit = True
        return hit

    def _known(self, file: OverlayFile) -> dict[str, str]:
        """Return the blob ids that an overlay replaces now, by tree: the pin's, and those of trees that it fitted
        before.
        """
        trees = {name: tree[file.path].blob for name, tree in self.trees.items() if file.path in tree}
        return {PIN: self.new[file.path].blob} | {name: blob for name, blob in trees.items() if blob in file.replaces}

    def _with_pin(self, only: tuple[str, ...]) -> tuple[str, ...]:
        """Return the trees of an entry and the pin; nothing where these are all there are."""
        names = (PIN, *(name for name in only if name != PIN))
        return () if set(names) >= {PIN, *self.project.trees} else names

    def _edit(self, file: OverlayFile, replaces: Mapping[str, str]) -> None:
        only = self._with_pin(file.only) if file.only else None
        tomledit.overlay(self.overlays / overlay.NAME, "file", "path", file.path, replaces=replaces, only=only)

    def _files(self) -> tuple[OverlayFile, ...]:
        return overlay.read(self.overlays, (PIN, *self.project.trees)).files

    def _aliases(self) -> tuple[Alias, ...]:
        return overlay.read(self.overlays, (PIN,)).aliases

    @staticmethod
    def _applies(only: tuple[str, ...], tree: str) -> bool:
        return not only or tree in only

    def _blob(self, path: str) -> str:
        return self.new[path].blob if path in self.new else ""

    @staticmethod
    def _hits(removal: Removal, entries: Mapping[str, Entry]) -> bool:
        below = removal.path if removal.path.endswith("/") else "\0"
        return removal.path in entries or any(path.startswith(below) for path in entries)

    def _finding(self, path: str, kind: str, text: str, settle: str) -> Finding:
        commits = list(reversed(self.between.touching([path.rstrip("/")])))
        causes = self.between.show(commits if kind == "changed" else commits[:1])
        return Finding(self.component.name, path, kind, text, settle, causes)

    def _file(self, file: OverlayFile, now: Mapping[str, Entry]) -> Finding | None:
        theirs = self._blob(file.path)
        mine = f"overlays/{self.component.name}/{file.path}"
        if not self._applies(file.only, PIN):
            return self._tree_specific(file, theirs, mine)
        if file.action == "add":
            settle = f"rename ours, or replace theirs: {mine}"
            return self._finding(file.path, "exists", "upstream has this file now", settle) if theirs else None
        if not theirs:
            where = self._moved(file.path)
            settle = f"move {mine} there and its entry" if where else f"if nothing needs it: --drop {file.path}"
            return self._finding(file.path, "gone", f"now {where}" if where else "upstream removed it", settle)
        if file.action == "merge":
            return self._merged(file, now, mine)
        return None if theirs in file.replaces else self._changed(file, theirs, mine)

    def _tree_specific(self, file: OverlayFile, theirs: str, mine: str) -> Finding | None:
        """Return an entry that was not for the old pin, whose file the new pin has in a version that it was not made
        for.
        """
        if not theirs or file.action != "replace" or file.path in self.old:
            return None
        text = f"new at this pin; the overlay is only for {', '.join(file.only)}, for another version of it"
        return self._finding(file.path, "new", text, f"look at it, edit {mine}; then: --confirm {file.path}")

    def _changed(self, file: OverlayFile, theirs: str, mine: str) -> Finding:
        before = self.old[file.path].blob if file.path in self.old else file.replaces[0]
        text = f"upstream changed it: {before[:12]} -> {theirs[:12]}"
        sides = " ".join(
            shlex.quote(f"{self.changes / self.component.name / file.path}.{side}") for side in ("old", "new")
        )
        ours = shlex.quote(str(self.overlays / file.path))
        settle = f"merge it into {mine}: git merge-file {ours} {sides}; then: --confirm {file.path}"
        diff = self.repository.git("diff", "--no-ext-diff", before, theirs).stdout
        for side, blob in ((b"a/", before), (b"b/", theirs)):  # git knows no path of a blob
            diff = diff.replace(side + blob.encode(), side + file.path.encode())
        return replace(
            self._finding(file.path, "changed", text, settle),
            diff=diff,
            old=self.repository.blob(before),
            new=self.repository.blob(theirs),
        )

    def _merged(self, file: OverlayFile, now: Mapping[str, Entry], mine: str) -> Finding | None:
        try:
            content = (self.overlays / file.path).read_bytes()
            overlay.merge_json(self.repository.blob(now[file.path].blob), content, file.override)
        except (ValueError, KeyError) as error:
            return self._finding(file.path, "changed", str(error), f"edit {mine}, or 'override' of its entry")
        return None

    def _alias(self, alias: Alias) -> Finding | None:
        before, after = self._packages(self.old), self._packages(self.new)
        if alias.package not in before or alias.package in after:
            return None
        text = f"no lock of upstream has the package {alias.package} any more"
        return self._finding(alias.module, "gone", text, f"--drop {alias.module}, and look where its use went")

    def _packages(self, entries: Mapping[str, Entry]) -> frozenset[str]:
        if "package-lock.json" not in entries:
            return frozenset()
        lock = json.loads(self.repository.blob(entries["package-lock.json"].blob))
        return frozenset(path.rpartition("node_modules/")[2] for path in lock.get("packages", {}))

    def _removal(self, removal: Removal, now: Mapping[str, Entry]) -> Finding | None:
        if not self._applies(removal.only, PIN) or self._hits(removal, now):
            return None
        where = self._moved(removal.path)
        settle = f"remove.list: write {where}" if where else f"if nothing took its place: --drop {removal.path}"
        return self._finding(removal.path, "gone", f"now {where}" if where else "upstream has none any more", settle)

    def _moved(self, path: str) -> str:
        """Return where a file went: the one new file with its content, or else of its name."""
        fresh = [other for other in self.new if other not in self.old]
        blob = self.old[path].blob if path in self.old else ""
        name = path.rstrip("/").rsplit("/", 1)[-1]
        if path.endswith("/"):
            folders = {other[: other.index(f"/{name}/") + len(name) + 2] for other in fresh if f"/{name}/" in other}
            return folders.pop() if len(folders) == 1 else ""
        for hits in (
            [other for other in fresh if self.new[other].blob == blob],
            [other for other in fresh if other.rsplit("/", 1)[-1] == name],
        ):
            if len(hits) == 1:
                return hits[0]
        return ""


def names(project: Project, component: Component) -> set[str]:
    """Return all overlays, aliases and removals that a project lists for a component."""
    listed = overlay.read(project.overlays(component), (PIN, *project.trees))
    removals = read_removals(project.patches(component))
    return {
        *(file.path for file in listed.files),
        *(alias.module for alias in listed.aliases),
        *(removal.path for removal in removals),
    }


def write_diffs(folder: Path, findings: list[Finding]) -> None:
    """Put upstream's change of each file, and both its sides, into the lift's folder, for the person who merges it."""
    for finding in findings:
        for ending, content in (("diff", finding.diff), ("old", finding.old), ("new", finding.new)):
            if finding.diff:
                disk.write(folder / finding.component / f"{finding.path}.{ending}", content)
