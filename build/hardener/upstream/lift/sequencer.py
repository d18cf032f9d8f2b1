"""The course of a lift: all series, patch by patch, then overlays and lists, then files and commits.

Each patch that is through is written down at once. A killed lift continues with ``--continue``: what was written down
is, what was not is done again, and no patch of the project changes before the whole series fits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from hardener import config
from hardener.errors import OverlayError, PatchError, StackError, UsageError
from hardener.git.fetch import fetch
from hardener.series.apply import apply
from hardener.series.lists import read_series
from hardener.series.table import catalogue
from hardener.system import disk
from hardener.upstream.lift import blame, export, messages, overlays, rebase, snapshot, state, worktree
from hardener.upstream.lift.blame import Between
from hardener.upstream.lift.state import Lifted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.git.history import History
    from hardener.git.repository import Repository
    from hardener.series import patch as patches
    from hardener.ui import UI
    from hardener.upstream.lift.state import State
    from hardener.upstream.target import Goal

README = "patches/README.md"
# Of the commits, in this order: what needed no decision comes first.
GROUPS = ("routine", "by-hand", "dropped")


@dataclass(frozen=True)
class Options:
    """The options of a lift: other sources and commits, what goes (``drop``) or is as it is (``confirm``)."""

    sources: Mapping[str, str]
    given: Mapping[str, str]
    drop: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()
    make_commits: bool = True


@dataclass(frozen=True)
class Result:
    """A finished lift: the new pins, what became of every patch, the commits made, notes for a person."""

    goal: Goal
    patches: Mapping[str, tuple[Lifted, ...]]
    commits: tuple[str, ...]
    notes: tuple[str, ...]


class Course:
    """One run over what is still to be done."""

    def __init__(
        self, project: Project, under_way: State, histories: Mapping[str, History], options: Options, ui: UI
    ) -> None:
        self.project = project
        self.state = under_way
        self.histories = histories
        self.options = options
        self.ui = ui
        self.folder = state.folder(project)
        self.before = config.load(self.folder / "before")
        self.notes: list[str] = list(under_way.goal.notes)
        self._repositories: dict[str, Repository] = {}

    def go(self) -> Result:
        """Lift as far as possible. Raises PatchError or OverlayError where a person is needed."""
        if self.state.phase != "commit":
            self._note_drops()
            for component in self._moving():
                self._series(component)
            self._lists()
            self._write()
        self._commit()
        done = {name: tuple(lifted) for name, lifted in self.state.done.items()}
        result = Result(self.state.goal, done, tuple(snapshot.made(self.project, self.state.head)), tuple(self.notes))
        # First the file that says that a lift is under way: what is left of the folder is cleared by the next one.
        self.state.path.unlink()
        disk.remove(self.folder)
        return result

    def _moving(self) -> list[Component]:
        """Return the components whose commit changes, at their old pins."""
        pairs = ((self.before.component(component.name), component) for component in self.project.components)
        olds = [replace(component, commit=old.commit, release=old.release, ref=old.ref) for old, component in pairs]
        return [old for old in olds if old.commit != self.state.goal.target(old.name).commit]

    def _between(self, component: Component) -> Between:
        return Between(self.histories[component.name], component.commit, self.state.goal.target(component.name).commit)

    def _repository(self, component: Component) -> Repository:
        """Return the lift's repository of a component, with both pins' files at hand."""
        if component.name not in self._repositories:
            for pinned in (component, self.state.goal.apply(component)):
                # Only by commit: target.py has checked the tag.
                source = self.options.sources.get(component.name, "")
                mirror = fetch(replace(pinned, ref=""), source, waiting=self.ui.waits).mirror
            history = self.histories[component.name]
            self._repositories[component.name] = rebase.open_repository(self._tree(component), history, mirror)
        return self._repositories[component.name]

    def _tree(self, component: Component) -> Path:
        return self.folder / component.name

    def _patches(self, component: Component) -> Path:
        """Return the component's patch folder as it was when the lift began."""
        return self.folder / "before" / "patches" / component.name

    def _note_drops(self) -> None:
        """Keep in mind which patches go, by the person's word; a name that is not a patch is for the lists."""
        for name in self.options.drop:
            file = name.removesuffix(".patch") + ".patch"
            for component in self._moving():
                if not any(path.name == file for path in read_series(self._patches(component))):
                    continue
                if any(
                    outcome.patch == file and outcome.kind != "dropped"
                    for outcome in self.state.done.get(component.name, ())
                ):
                    raise UsageError(f"{file} is lifted already", hint=f"hardener lift --restart --drop {file}")
                self.state.drop.append(file)
        if orphans := export.orphans(map(self._patches, self._moving()), self.state.drop):
            words = "".join(f" --drop {name}" for name in (*self.options.drop, *orphans))
            raise UsageError(
                "; ".join(f"{name} requires {lost}" for name, lost in orphans.items()),
                hint=f"drop all of them: hardener lift --continue{words}",
            )
        self.state.save()

    def _series(self, component: Component) -> None:
        """Carry a component's series over, patch by patch, and write down each one that is through."""
        names = tuple(path.name for path in read_series(self._patches(component)))
        done = self.state.done.setdefault(component.name, [])
        if len(done) == len(names):
            return
        repository = self._repository(component)
        if not repository.commit(self.state.tip(component.name)):
            raise StackError(f"{self._tree(component)} has lost what was lifted", hint="hardener lift --restart")
        with self.ui.step("lift", component.name) as line:
            applied = apply(component.name, repository.path, component.commit, self._patches(component))
            old = rebase.chain(repository, component.commit, applied.commit, names)
            for name in names[len(done) :]:
                line.tell(name, len(done) / len(names))
                done.append(self._one(component, repository, name, old[name]))
                self.state.stop = None
                self.state.save()
            kinds = [outcome.kind for outcome in done]
            line.say(", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)))

    def _one(self, component: Component, repository: Repository, name: str, old: str) -> Lifted:
        """Carry one patch over; raises PatchError where it needs a person."""
        tip, new_base = self.state.tip(component.name), self.state.goal.target(component.name).commit
        stop = self.state.stop if self.state.stop and self.state.stop["patch"] == name else None
        behind = tuple(stop["causes"]) if stop else ()
        if name in self.state.drop:
            return Lifted(name, "dropped", tip, by_hand=True, detail=stop["kind"] if stop else "", causes=behind)
        before = rebase.export(repository, old, name)
        if stop:
            return self._resolved(component, repository, before, stop)
        merged = rebase.merge(repository, tip, old)
        if merged.conflicts or merged.tree == repository.tree_of(tip):
            self._stop(component, repository, merged, before, old)
        commit = rebase.commit(repository, merged.tree, tip, before, new_base)
        after = rebase.export(repository, commit, name)
        kind = rebase.compare(before, after)
        detail = f"upstream has some of its lines now: {messages.size(before)} -> {messages.size(after)}"
        between = self._between(component)
        touched = between.touching([touch.old for touch in before.touches if touch.old]) if kind == "changed" else []
        return Lifted(
            name, kind, commit, detail=detail if kind == "changed" else "", causes=between.show(reversed(touched))
        )

    def _resolved(
        self, component: Component, repository: Repository, before: patches.Patch, stop: Mapping[str, str]
    ) -> Lifted:
        """Take over what a person made of a stop."""
        tip = self.state.tip(component.name)
        try:
            tree, message = worktree.collect(self._tree(component), repository, tip)
        except PatchError as error:
            where = f"hardener lift waits at {component.name} {before.name}: {stop['kind']}"
            raise PatchError(error.message, hint=error.hint, details=(where, *messages.choices(before))) from error
        source = messages.with_message(before, message) if message else before
        commit = rebase.commit(repository, tree, tip, source, self.state.goal.target(component.name).commit)
        after = rebase.export(repository, commit, before.name)
        kind = rebase.compare(before, after)
        # A person's decision is kept apart from routine, even where the lines came out the same.
        sizes = f"{messages.size(before)} -> {messages.size(after)}" if kind == "changed" else kind
        detail = f"{stop['kind']}, resolved: {sizes}"
        return Lifted(before.name, "changed", commit, by_hand=True, detail=detail, causes=tuple(stop["causes"]))

    def _stop(
        self, component: Component, repository: Repository, merged: rebase.Merged, before: patches.Patch, old: str
    ) -> NoReturn:
        """Open the work tree, write the stop down, and say all that a person needs."""
        tip, between = self.state.tip(component.name), self._between(component)
        kind = rebase.kind_of_stop(repository, tip, before, merged) if merged.conflicts else "merged-upstream"
        found: tuple[str, ...] = ()
        details: list[str] = []
        if kind == "merged-upstream":
            found = blame.of_merge(repository, between, before)
            details = messages.proof(before, found)
        for conflict in merged.conflicts if kind != "merged-upstream" else ():
            why = blame.of_conflict(repository, between, conflict)
            details += messages.conflict(repository, merged, conflict, why)
            found += why
        worktree.open_at(self._tree(component), tip, old, component.exclude)
        self.state.stop = {"patch": before.name, "kind": kind, "causes": list(dict.fromkeys(found))}
        self.state.save()
        raise PatchError(
            f"{component.name} {before.name}: {kind} ({before.subject})",
            hint=f"resolve it in {self._tree(component)} with git and an editor, then: hardener lift --continue",
            details=(*details, *messages.choices(before)),
        )

    def _lists(self) -> None:
        """Lift overlays, aliases and removals of all components; raise OverlayError with all that need a person."""
        first = self.state.phase == "series"
        found: list[overlays.Finding] = []
        settled: set[str] = set()
        for component in self._moving():
            lists = overlays.Lists(
                self.project,
                self.state.goal.apply(component),
                self._repository(component),
                self._between(component),
                self.folder / "upstream-changes",
            )
            if first:
                untouched = not snapshot.edited(self.project, self.folder / "before", component.name)
                self.state.refreshed += [f"{component.name} {change}" for change in lists.refresh()]
                changed = snapshot.edited(self.project, self.folder / "before", component.name) if untouched else []
                self.state.routine |= {name: snapshot.digest(self.project, name) for name in changed}
            tip = self.state.tip(component.name)
            self.state.note(component.name, lists.findings(tip))
            self.state.save()  # before the decisions are written, which a finding is not there after
            confirmed = {path for path in self.options.confirm if lists.confirm(path)}
            dropped = {name for name in self.options.drop if lists.drop(name)}
            settled |= confirmed | dropped
            # The same command again, after a kill, finds what it dropped gone.
            settled |= set(self.options.drop) & overlays.names(self.before, component)
            findings = lists.findings(tip)
            used = {finding.path for finding in findings if finding.kind == "used"}
            confirmed |= {path for path in used if path in self.options.confirm}
            settled |= confirmed
            accepted = confirmed | self.state.confirmed(component.name)
            open_findings = [finding for finding in findings if finding.kind != "used" or finding.path not in accepted]
            self.state.settle(component.name, open_findings, confirmed, dropped)
            found += open_findings
        self.state.phase = "lists"
        self.state.save()
        if unknown := sorted(set(self.options.confirm) - settled):
            raise UsageError(f"--confirm {unknown[0]}: no finding is about that", hint="the paths of the message")
        known = settled | {name.removesuffix(".patch") for name in self.state.drop} | set(self.state.drop)
        if unknown := sorted(set(self.options.drop) - known):
            raise UsageError(f"--drop {unknown[0]}: no such patch, overlay, alias or removal", hint="see the message")
        if found:
            diffs = self.folder / "upstream-changes"
            overlays.write_diffs(diffs, found)
            raise OverlayError(
                f"{len(found)} overlay(s), alias(es) or removal(s) do not fit the new pin",
                hint=f"settle each (upstream's changes: {diffs}), then: hardener lift --continue",
                details=tuple(line for finding in found for line in str(finding).split("\n")),
            )

    def _write(self) -> None:
        """Try the new files in a folder apart, then write all of them."""
        disk.remove(self.folder / "staged")
        groups: dict[str, list[str]] = {name: [] for name in GROUPS}
        contents: dict[Path, bytes | None] = {}
        for component in self._moving():
            new, repository = self.state.goal.apply(component), self._repository(component)
            done = self.state.done[component.name]
            with self.ui.step("prove", component.name) as line:
                written = export.series(repository, new, self._patches(component), done, self.state.today)
                trial = export.Trial(self._patches(component), self.project.patches(component), self.folder / "staged")
                tree = export.prove(repository, new, trial, self.project.overlays(component), written, self.state)
                line.say(f"{len(written.files)} files written again; they give tree {tree[:12]}")
            self.notes += written.notes
            for name, content in written.files.items():
                path = self.project.patches(component) / name
                contents[path] = content
                groups[export.group(name, done)].append(path.relative_to(self.project.root).as_posix())
        contents |= export.pins(self.project, self.before, self.state)
        groups["routine"].append(config.NAME)
        for name in snapshot.edited(self.project, self.folder / "before"):
            routine = self.state.routine.get(name) == snapshot.digest(self.project, name)
            groups["routine" if routine else "by-hand"].append(name)
        disk.write_all({path: content for path, content in contents.items() if content is not None})
        for path in (path for path, content in contents.items() if content is None):
            path.unlink(missing_ok=True)
        catalogue(config.load(self.project.root)).write()
        if README in snapshot.changed(self.project, self.folder / "before"):
            # The table holds for the series as it is after the last commit.
            groups[[name for name, paths in groups.items() if paths][-1]].append(README)
        self.state.groups = groups
        self.state.phase = "commit"
        self.state.save()

    def _commit(self) -> None:
        """Make a commit for routine, for hand work and for what was dropped; each only where there is something."""
        if not self.state.make_commits:
            return
        for group in GROUPS:
            message = messages.message(self.project, self.before, self.state, group)
            snapshot.commit(self.project, self.state.groups[group], message)
