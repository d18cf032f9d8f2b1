"""Which runs are made: all, those that are named, a shard of them, or what a change can have touched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.git.project import Checkout
from hardener.proof.evidence.attack import NONE, Attack
from hardener.proof.evidence.attacks import ATTACKS
from hardener.proof.evidence.journeys import JOURNEYS, Journey
from hardener.proof.evidence.spoofs import MISTAKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Pair = tuple[Journey, Attack]


def name_of(journey: Journey, attack: Attack) -> str:
    """Return how a run is called in the record."""
    return f"{journey.name} + {attack.name}"


def plan(only: Sequence[str] = ()) -> list[Pair]:
    """Return what is to be walked. ``only`` names journeys, attacks, or ``JOURNEY+ATTACK``."""
    pairs = [(journey, NONE) for journey in JOURNEYS.values() if journey.alone]
    pairs += [(JOURNEYS[name], attack) for attack in ATTACKS for name in attack.journeys]
    if not only:
        return pairs
    wanted = {name.replace(" ", "") for name in only}
    known = {name for journey, attack in pairs for name in _names(journey, attack)}
    if unknown := sorted(wanted - known):
        raise UsageError(
            f"there is no journey or attack {', '.join(unknown)}", hint=f"there are: {', '.join(sorted(known))}"
        )
    return [(journey, attack) for journey, attack in pairs if wanted & _names(journey, attack)]


def of_control(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the runs of the control: in an ordinary call on real servers, upstream contacts no third party.

    If nothing else is selected, the control makes these calls: a control without a run proves nothing.
    """
    telling = [(journey, attack) for journey, attack in pairs if attack is not NONE or not journey.people]
    return telling or list(pairs)


def _names(journey: Journey, attack: Attack) -> set[str]:
    if attack is NONE:
        return {journey.name, f"{journey.name}+none"}
    return {attack.name, f"{journey.name}+{attack.name}"}


@dataclass(frozen=True)
class Shard:
    """The ``number``-th of ``of`` parts of a plan; all parts together are the plan."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that ``I/N`` denotes; raises UsageError for anything else.

        >>> Shard.parse("2/3")
        Shard(number=2, of=3)
        """
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text, re.ASCII)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"--shard {text!r} is not a part of a whole", hint="--shard 1/3, --shard 2/3, --shard 3/3")
        return cls(int(found[1]), int(found[2]))

    def take(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Return this part. The runs of an attack stay together: the control expects its hosts in any of them."""
        groups: dict[str, list[Pair]] = {}
        for journey, attack in pairs:
            apart = attack is NONE or journey.people
            groups.setdefault(name_of(journey, attack) if apart else attack.name, []).append((journey, attack))
        parts: list[list[Pair]] = [[] for _ in range(self.of)]
        for group in groups.values():
            min(parts, key=len).extend(group)
        mine = parts[self.number - 1]
        return [pair for pair in pairs if pair in mine]


@dataclass(frozen=True)
class _Reach:
    """The reach of a change of a file: a kind of runs, and why no others."""

    why: str
    touches: Callable[[Journey, Attack], bool]


def _all(_journey: Journey, _attack: Attack) -> bool:
    return True


def _none(_journey: Journey, _attack: Attack) -> bool:
    return False


def _in_calls(journey: Journey, _attack: Attack) -> bool:
    return bool(journey.people)


def _comparing(journey: Journey, attack: Attack) -> bool:
    return journey.name == "who" or MISTAKEN in attack.expects


_SITE = _Reach("is a part of the site or decides how it is built", _all)
_UNKNOWN = _Reach("is in no list of this command: anything may depend on it", _all)
# The first pattern that matches a path decides. What is not here counts as able to touch all runs.
_REACHES: tuple[tuple[str, _Reach], ...] = (
    (
        (
            r"(docs|\.ci|\.github|LICENSES)/.*|[^/]+\.md|(patches|overlays|build)/(.*/)?README\.md|LICENSE|NOTICE"
            r"|Makefile|noxfile\.py|\.gitignore|wordlist\.toml|baseline\.json|toolchains\.toml|allowed_signers"
            r"|hosts\.toml|sdks\.toml"
        ),
        _Reach("is neither in the site nor read by this command", _none),
    ),
    (r"tests/.*", _Reach("is a test; this command reads none", _none)),
    (
        r"build/hardener/(servercheck/(rules|deployments)|upstream|release|proof/(attack|compare))/.*",
        _Reach("neither builds the site nor visits it", _none),
    ),
    (r"build/(docker|server)/.*", _Reach("belongs to the servers of real calls", _in_calls)),
    (
        r"build/hardener/proof/(stack/.*|evidence/(calls|relay)\.py)",
        _Reach("is used only in calls on real servers", _in_calls),
    ),
    (
        r"build/hardener/proof/evidence/occupants\.py",
        _Reach("compares who is there with who is shown", _comparing),
    ),
    (
        (
            r"(patches|overlays)/.*|upstream\.toml|uv\.lock|pyproject\.toml|build/(node|nginx)/.*"
            r"|build/hardener/(pipeline|series|git|system)/.*|build/hardener/config\.py"
        ),
        _SITE,
    ),
    (r"build/hardener/proof/.*", _Reach("visits the site or judges what was seen", _all)),
)


def _reach(path: str) -> _Reach:
    return next((reach for pattern, reach in _REACHES if re.fullmatch(pattern, path)), _UNKNOWN)


@dataclass(frozen=True)
class Since:
    """The runs that a change can have touched, and for each reason the paths that it holds for."""

    pairs: list[Pair]
    reasons: dict[str, list[str]]


def touched(paths: Sequence[str], pairs: Sequence[Pair]) -> Since:
    """Return which of the runs a change of these files can have touched, and why."""
    reaches: dict[_Reach, list[str]] = {}
    for path in sorted(paths):
        reaches.setdefault(_reach(path), []).append(path)
    chosen = [pair for pair in pairs if any(reach.touches(*pair) for reach in reaches)]
    reasons = {}
    for reach, named in reaches.items():
        count = sum(reach.touches(*pair) for pair in pairs)
        reasons[f"{count} of {len(pairs)} runs: {reach.why}"] = named
    return Since(chosen, reasons)


def since(root: Path, ref: str, pairs: Sequence[Pair]) -> Since:
    """Return which of the runs the change from a commit of the project to its present files can have touched.

    Raises UsageError where the project has no such commit.
    """
    checkout = Checkout(root)
    commit = checkout.resolve(ref)
    if not commit:
        raise UsageError(f"{root} has no commit {ref!r}", hint="git fetch, or name another commit: --since origin/main")
    committed = checkout.changed(commit, checkout.resolve("HEAD"))
    return touched(sorted({*committed, *checkout.changes()}), pairs)
