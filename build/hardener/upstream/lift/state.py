"""The state of a lift between two commands: one JSON file, written atomically after every step.

Everything else in the lift's folder follows from it and from the project, but for the work tree in which a person
resolves a conflict: that one is only read, until its result is in here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hardener.errors import StackError, UsageError
from hardener.system import disk
from hardener.upstream.target import Goal, Target

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hardener.config import Project
    from hardener.upstream.lift.overlays import Finding

SCHEMA = 2
# Patches that differ from the reviewed ones in nothing but place and surroundings.
ROUTINE = ("clean", "offset", "context", "moved")


@dataclass(frozen=True)
class Lifted:
    """One patch that is through: ``kind`` is clean, offset, context, moved, changed or dropped.

    ``commit`` is the new series up to and with this patch, ``by_hand`` says that a person resolved it, ``causes`` are
    the upstream commits that made it necessary.
    """

    patch: str
    kind: str
    commit: str
    by_hand: bool = False
    detail: str = ""
    causes: tuple[str, ...] = ()

    @property
    def routine(self) -> bool:
        """Return whether the patch does what it did, line for line."""
        return self.kind in ROUTINE


@dataclass
class State:
    """A lift under way.

    ``head`` is the project's commit at its start (empty: no git), ``stop`` the patch that waits for a person, ``phase``
    series, lists or commit. ``refreshed`` says what was changed in lists without a person, ``routine`` which files that
    left (path -> digest); ``groups`` are the files of each commit to make; ``decided`` are the findings about lists, by
    component and path, with how each was settled.
    """

    path: Path
    goal: Goal
    wanted: str
    given: dict[str, str]
    head: str
    today: str
    make_commits: bool
    done: dict[str, list[Lifted]] = field(default_factory=dict)
    stop: dict[str, Any] | None = None
    drop: list[str] = field(default_factory=list)
    phase: str = "series"
    refreshed: list[str] = field(default_factory=list)
    routine: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    decided: dict[str, dict[str, Any]] = field(default_factory=dict)

    def tip(self, component: str) -> str:
        """Return the new series of a component as far as it is lifted: a commit."""
        done = self.done.get(component, [])
        return done[-1].commit if done else self.goal.target(component).commit

    def note(self, component: str, findings: Iterable[Finding]) -> None:
        """Keep the findings about the lists of a component."""
        for finding in findings:
            entry = {"kind": finding.kind, "causes": list(finding.causes), "how": ""}
            self.decided.setdefault(f"{component} {finding.path}", entry)

    def settle(self, component: str, findings: Iterable[Finding], confirmed: set[str], dropped: set[str]) -> None:
        """Keep how the findings were settled that a component has no more."""
        still = {finding.path for finding in findings}
        for name, entry in self.decided.items():
            owner, path = name.split(" ", 1)
            if owner == component and path not in still and not entry["how"]:
                entry["how"] = "confirmed" if path in confirmed else "dropped" if path in dropped else "edited"

    def confirmed(self, component: str) -> set[str]:
        """Return the paths of a component that a person has confirmed."""
        names = (name.split(" ", 1) for name, entry in self.decided.items() if entry["how"] == "confirmed")
        return {path for owner, path in names if owner == component}

    def save(self) -> None:
        """Write the file; a killed run leaves the state before or after."""
        value = asdict(self) | {"schema": SCHEMA, "path": self.path.name}
        disk.write_json(self.path, value)


def folder(project: Project) -> Path:
    """Return where a lift of this project keeps its things."""
    return project.work / "lift"


def path(project: Project) -> Path:
    """Return the state file."""
    return folder(project) / "state.json"


def load(project: Project) -> State:
    """Return the lift that is under way. Raises UsageError where there is none, StackError for a file of another
    version.
    """
    file = path(project)
    if not file.exists():
        raise UsageError("no lift is under way here", hint="start one: hardener lift --to REF")
    value = disk.read_json(file)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise StackError(f"{file} cannot be read", hint="hardener lift --abort puts the files back as they were")
    goal = value["goal"]
    return State(
        path=file,
        goal=Goal(tuple(Target(**target) for target in goal["targets"]), goal["node"], tuple(goal["notes"])),
        done={
            name: [Lifted(**(outcome | {"causes": tuple(outcome["causes"])})) for outcome in lifted]
            for name, lifted in value["done"].items()
        },
        **{
            key: value[key]
            for key in ("wanted given head today make_commits stop drop phase refreshed routine groups decided".split())
        },
    )
