"""Write a series back in canonical form: from the work tree of ``hardener edit``, or from the files as they are.

One commit is one file; order is the order of commits. A file keeps its name (``Patch-Name:`` in the message, or else
the same subject), a new one is named after its subject. Only what changed is written, and not before the new series is
known to give, patch by patch, exactly the files of the work tree.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.errors import PatchError, UnfinishedError
from hardener.git import leftovers
from hardener.git.repository import Repository
from hardener.series import header
from hardener.series import patch as patches
from hardener.series.canonical import APPLY, EXPORT, Canon, DoesNotApplyError, requirements, unmailable
from hardener.series.edit import NAME_FIELD, EditTree, State, fingerprint, mail, refuse_notes, trees_in
from hardener.series.lists import SERIES, judge_series, read_series, rewrite_series
from hardener.series.table import catalogue
from hardener.system import disk, locks, transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.series.extras import Layer
    from hardener.series.patch import Patch

_UNFOLDED = re.compile(r"(?:fixup|squash|amend)! ")
_NAME_LENGTH = 60


@dataclass(frozen=True)
class Regenerated:
    """The result for the files: by name, and their source (``work tree`` or ``files``)."""

    component: str
    source: str
    written: tuple[str, ...]
    added: tuple[str, ...]
    dropped: tuple[str, ...]
    kept: int
    reordered: bool
    unfilled: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The content to write for one layer of a component: ``files`` by path, None for one that goes."""

    result: Regenerated
    tree: EditTree
    folder: Path
    series: tuple[Patch, ...]
    files: Mapping[Path, bytes | None]


def plan(component: Component, mirror: Path, base: str, layer: Layer, area: Path, today: dt.date) -> Plan:
    """Return the series of a layer in canonical form on ``base``. The caller holds the lock of its work tree.

    ``today`` becomes the Last-Update of patches that changed. Raises UnfinishedError where the work tree is dirty, in
    the middle of a rebase, on another branch or not on ``base`` any more, or where the files changed beside it;
    PatchError that lists every commit that cannot be a patch.
    """
    tree, folder = EditTree.of(area, component, layer), layer.patches
    with Repository(mirror).scratch() as scratch:
        canon = Canon(scratch, base)
        leftovers.clear(tree.path / ".git")
        at_rest = not tree.exists or tree.pristine()
        _refuse_other_work(tree, area, at_rest=at_rest)
        if at_rest:
            series = [patches.read(path) for path in read_series(folder)]
            refuse_notes(folder, series)
            undated = [patch for patch in series if "Last-Update" not in patch.fields]
            series = [
                _with_field(patch, "Last-Update", today.isoformat()) if patch in undated else patch for patch in series
            ]
            new = _canonical(canon, component.commit, layer, series)
            result, contents = _compare(component.name, "files", folder, new)
            return Plan(
                result, tree, folder, tuple(new), {folder / name: content for name, content in contents.items()}
            )
        _judge_tree(tree, base, fingerprint(folder))
        old = _readable(folder)
        refuse_notes(folder, old)
        new = _canonical(canon, component.commit, layer, _commits(tree, base, old))
        new = _dated(canon, new, old, today)
        _prove(scratch, base, new, tree)
    result, contents = _compare(component.name, "work tree", folder, new)
    kept = {name: digest for name, digest in fingerprint(folder).items() if name not in result.dropped}
    written = kept | {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    files: dict[Path, bytes | None] = {folder / name: content for name, content in contents.items()}
    readable = {patch.name: patch for patch in old}
    for name in result.dropped:
        files[tree.dropped(name)] = mail(readable[name]) if name in readable else (folder / name).read_bytes()
        files[folder / name] = None
    files[tree.record] = disk.json_bytes(vars(State(base, tree.head(), written, tree.extras)))
    return Plan(result, tree, folder, tuple(new), files)


def write(project: Project, plans: Sequence[Plan], *, waiting: Callable[[str], None] | None = None) -> bool:
    """Write what was planned for all components and the table of patches/README.md: all of it, or nothing.

    Returns whether the table changed. While another process writes, ``waiting`` is called with its name. Raises
    HardenerError where a series of the project cannot be read.
    """
    files = {path: content for planned in plans for path, content in planned.files.items()}
    # The table is about all components, a run maybe about one.
    with locks.lock(project.work / "table.lock", waiting=waiting):
        table = catalogue(project, {planned.folder: planned.series for planned in plans})
        if not table.current and table.wanted is not None:
            files[table.path] = table.wanted.encode()
        if files:
            transaction.commit(files, project.work, waiting=waiting)
    return table.path in files


def _readable(folder: Path) -> list[Patch]:
    """Return the listed patches that can be read: where the work tree is the truth, a damaged file does not stop us."""
    names = judge_series((folder / SERIES).read_text("utf-8"))[0] if (folder / SERIES).exists() else []
    found = []
    for name in names:
        try:
            found.append(patches.parse(name, (folder / name).read_bytes()))
        except (ValueError, FileNotFoundError):
            continue
    return found


def _refuse_other_work(tree: EditTree, area: Path, *, at_rest: bool) -> None:
    """Raise UnfinishedError where a person has worked on another layer of the component, which would be left out."""
    for other in trees_in(area):
        if other.component != tree.component or other.path == tree.path or other.pristine():
            continue
        # With work in both trees, the later layer goes first: it is on top of what the earlier one is now.
        if at_rest or len(tree.extras) < len(other.extras):
            of = f"--extra {other.extras[-1]}" if other.extras else "the project"
            raise UnfinishedError(
                f"{other.path}: it has work for {of}, which this command leaves out", hint=other.regen
            )


def _judge_tree(tree: EditTree, base: str, files: Mapping[str, str]) -> None:
    """Raise UnfinishedError for a work tree that may not be written back."""
    state = tree.state()
    if state and not state.head:
        raise UnfinishedError(f"{tree.path}: an update with the series was interrupted", hint=tree.edit)
    tree.refuse_unfinished()
    hint = f"begin again (your work is kept on a branch, to cherry-pick from): {tree.restart}"
    if state is None:
        raise UnfinishedError(f"{tree.path}: its origin is unknown", hint=hint)
    tree.refuse_other_layer()
    if state.base != base:
        raise UnfinishedError(f"{tree.path}: it is on {state.base[:12]}, {tree.ground} {base[:12]} now", hint=hint)
    if tree.git("merge-base", "--is-ancestor", base, "HEAD").status:
        raise UnfinishedError(
            f"{tree.path}: the branch is not based on the pin {base[:12]} any more",
            hint=f"{tree.cd} && git rebase --onto {base[:12]} UPSTREAM (the commits below yours)",
        )
    changed = sorted(name for name in {*files, *state.files} if files.get(name) != state.files.get(name))
    if changed:
        raise UnfinishedError(
            f"{tree.path}: the series has changed since it was opened", hint=hint, details=tuple(changed)
        )


def _commits(tree: EditTree, base: str, old: Sequence[Patch]) -> list[Patch]:
    """Return the commits above ``base`` as patches on each other, with their file names; their messages without the
    name.
    """
    found: list[Patch] = []
    problems: list[str] = []
    by_subject = {patch.subject: patch.name for patch in old}
    for line in tree.output("rev-list", "--reverse", "--topo-order", "--parents", f"{base}..HEAD").splitlines():
        commit, *parents = line.split()
        where = tree.output("show", "-s", "--format=%h %s", commit)
        try:
            patch = _exported(tree, commit, parents)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        if _UNFOLDED.match(patch.subject):
            problems.append(f"{where}: not folded in yet: git rebase -i --autosquash hardener/base")
        wanted = re.findall(rf"^{NAME_FIELD}:[ \t]*(.*?)[ \t]*$", patch.description, re.MULTILINE)
        taken = {earlier.name for earlier in found}
        name = wanted[0] if wanted else by_subject.get(patch.subject, "")
        if name in taken or not name:
            name = _name(patch.subject, taken | {previous.name for previous in old})
        elif judge_series(name)[0] != [name]:
            problems.append(f"{where}: {NAME_FIELD}: {name!r} is not a patch file name")
        text = re.sub(rf"^{NAME_FIELD}:.*\n?", "", patch.description, flags=re.MULTILINE).strip()
        found.append(replace(patch, name=name, description=text, fields=_fields(text)))
    if problems:
        raise PatchError(
            f"{tree.path}: {len(problems)} commit(s) cannot become a patch",
            hint=f"{tree.cd} && git rebase -i hardener/base",
            details=tuple(problems),
        )
    return found


def _exported(tree: EditTree, commit: str, parents: Sequence[str]) -> Patch:
    """Return a commit as a patch; raises ValueError where it cannot be one, or would come back with another message."""
    if len(parents) > 1:
        raise ValueError("a merge; a series is a line: git rebase hardener/base")
    refused = "its message cannot be written as a patch: "
    if reason := unmailable(tree.output("show", "-s", "--format=%B", commit)):
        raise ValueError(refused + reason)
    content = tree.repository.git(*EXPORT, commit).stdout
    if not content:
        raise ValueError("changes nothing: drop it")
    patch = patches.parse("x.patch", content)
    if patch.description != tree.output("show", "-s", "--format=%b", commit).strip():
        raise ValueError(refused + "another text comes back from the file")
    return patch


def _fields(description: str) -> dict[str, str]:
    return {
        name: value.strip()
        for name, _, value in (line.partition(":") for line in header.body(description).block)
        if name in patches.FIELDS
    }


def _name(subject: str, taken: set[str]) -> str:
    """Return a file name after a subject, as ``git format-patch`` makes one, and in lower case.

    >>> _name("Load no foreign: pictures!", {"load-no-foreign-pictures.patch"})
    'load-no-foreign-pictures-2.patch'
    """
    stem = re.sub(r"[^a-z0-9]+", "-", subject.lower())[:_NAME_LENGTH].strip("-") or "patch"
    names = (f"{stem}{f'-{number}' if number > 1 else ''}.patch" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _with_field(patch: Patch, name: str, value: str) -> Patch:
    text = str(header.body(patch.description).with_field(name, value))
    return replace(patch, description=text, fields=patch.fields | {name: value})


def _canonical(canon: Canon, pin: str, layer: Layer, series: Sequence[Patch]) -> list[Patch]:
    """Return the series in canonical form, with the pin as Base and a line for each field that is missing."""
    new: list[Patch] = []
    problems: list[str] = []
    for original in series:
        patch = header.with_skeleton(_with_field(original, "Base", pin), layer)
        required = requirements([*new, patch])[patch.name]
        try:
            patch = replace(patch, content=canon.patch(patch, required))
        except DoesNotApplyError as error:
            needed = canon.needed(patch, new, required)
            names = " ".join(other.name.removesuffix(".patch") for other in needed or ())
            problems.append(
                f"{patch.name}: applies only after others; write into its message 'Requires: {names}'"
                if names
                else f"{patch.name}: does not apply on {canon.base[:12]}: {error}"
            )
        except ValueError as error:
            problems.append(f"{patch.name}: {error}")
        new.append(patch)
    if problems:
        raise PatchError(
            f"{len(problems)} patch(es) cannot be written",
            hint="amend the commits (git rebase -i), or separate their hunks, then the same command again",
            details=tuple(problems),
        )
    return new


def _dated(canon: Canon, new: Sequence[Patch], old: Sequence[Patch], today: dt.date) -> list[Patch]:
    """Return the series with Last-Update set to ``today`` in what changed and in what is new."""
    before = {patch.name: patch for patch in old}
    required = requirements(old)
    dated: list[Patch] = []
    for patch in new:
        previous = before.get(patch.name)
        value = today.isoformat()
        if previous and _same(canon, patch, previous, required[previous.name]):
            # The later one: the commit still has what the file had when it was imported.
            value = max(previous.fields.get("Last-Update", ""), patch.fields.get("Last-Update", "")) or value
        stamped = _with_field(patch, "Last-Update", value)
        dated.append(replace(stamped, content=canon.patch(stamped, requirements([*dated, stamped])[stamped.name])))
    return dated


def _same(canon: Canon, patch: Patch, previous: Patch, required: Sequence[Patch]) -> bool:
    try:
        exported = canon.patch(previous, required)
    except ValueError:
        return False
    return (patch.author, _substance(patch.subject, patch.description, patch.content)) == (
        previous.author,
        _substance(previous.subject, previous.description, exported),
    )


def _substance(subject: str, description: str, content: bytes) -> tuple[str, str, bytes]:
    """Return what a person wrote: the message without what regen writes, the diff without ids and line numbers."""
    text = str(header.body(description).without("Base").without("Last-Update"))
    diff = content[content.index(b"\ndiff --git ") :]
    return subject, text, re.sub(rb"^index .*$|^@@ .*? @@", b"", diff, flags=re.MULTILINE)


def _prove(scratch: Repository, base: str, new: Sequence[Patch], tree: EditTree) -> None:
    """Raise PatchError unless the series gives exactly the files of the work tree's branch."""
    with scratch.index(base) as index:
        for patch in new:
            done = index.git(*APPLY, stdin=patch.content)
            if done.status:
                raise PatchError(
                    f"{patch.name}: applies without the others, but not after those before it",
                    hint=f"let it require the one that it collides with, in {tree.path}",
                    details=tuple(done.complaint.splitlines()),
                )
        if index.tree() != tree.repository.tree_of("HEAD"):
            raise PatchError(
                f"{tree.path}: the written series would give other files than the branch: a hunk fits at two places",
                hint="let the patch require the one before it (Requires: in its message)",
            )


def _compare(component: str, source: str, folder: Path, new: Sequence[Patch]) -> tuple[Regenerated, dict[str, bytes]]:
    """Return the result, and the files that differ from it."""
    contents = {patch.name: patch.content for patch in new}
    path = folder / SERIES
    text = path.read_bytes() if path.exists() else b""
    listed = judge_series(text.decode("utf-8"))[0]
    if listed != list(contents):
        contents[SERIES] = rewrite_series(text.decode("utf-8"), list(contents)).encode()
    differing = {
        name: content
        for name, content in contents.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    }
    names = [patch.name for patch in new]
    result = Regenerated(
        component,
        source,
        written=tuple(name for name in names if name in differing and name in listed),
        added=tuple(name for name in names if name not in listed),
        dropped=tuple(name for name in listed if name not in names),
        kept=sum(name not in differing for name in names),
        reordered=[name for name in listed if name in names] != [name for name in names if name in listed],
        unfilled=tuple(patch.name for patch in new if header.TO_FILL_IN in patch.description),
    )
    return result, differing
