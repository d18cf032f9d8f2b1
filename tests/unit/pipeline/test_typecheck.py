"""pipeline/typecheck.py: our files are judged, upstream's are not; a checker that did not end well has judged
nothing.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from hardener.config import Component
from hardener.errors import BundleError
from hardener.pipeline.checkout import WorkTree
from hardener.pipeline.typecheck import Checked, typecheck
from hardener.system import node
from hardener.system.process import Completed
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

SITE = Component("site", "../x", "a" * 40, "v1", recipe="webpack", tsconfig="tsconfig.json")
FOREIGN = b"upstream.ts(1,1): error TS1: theirs\n"
OURS = b"ours.ts(3,2): error TS2: wrong\n"


class Checker:
    """A substitute for tsc: what it says of the tree and of upstream's unpatched one, and how it ends."""

    def __init__(self, tree: Path) -> None:
        self.work = WorkTree(write_files(tree, {"tsconfig.json": "{}", "ours.ts": ""}), "t1", fresh=True)
        self.says, self.base, self.status = b"", b"", 2
        self.looked: list[str] = []

    def node(self, *words: object, cwd: Path, **_: object) -> Completed:
        """Replace node.node()."""
        self.looked.append(cwd.name)
        said = self.says if cwd == self.work.path else self.base
        return Completed(tuple(map(str, words)), self.status, said, b"", 0.0)

    def check(self, overlaid: tuple[str, ...] = (), patched: tuple[str, ...] = (), packages: str = "k") -> Checked:
        """Check the tree."""
        return typecheck(
            SITE,
            self.work,
            packages,
            overlaid,
            patched,
            lambda folder: write_files(folder, {"tsconfig.json": "{}"}) and None,
        )


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """Return a checker without Node."""
    checker = Checker(tmp_path / "tree")
    monkeypatch.setattr(node, "node", checker.node)
    monkeypatch.setattr(node, "tools", lambda: tmp_path / "tools")
    return checker


def test_upstreams_messages_are_counted_and_no_more(checker: Checker) -> None:
    checker.says = FOREIGN
    assert checker.check(overlaid=("ours.ts",)) == Checked(1, 1, fresh=True)
    assert checker.check(overlaid=("ours.ts",)) == Checked(1, 1, fresh=False)


def test_a_message_in_an_overlay_stops_the_build(checker: Checker) -> None:
    checker.says = FOREIGN + OURS
    with pytest.raises(BundleError, match="1 type error") as caught:
        checker.check(overlaid=("ours.ts",))
    assert caught.value.details == ("ours.ts: TS2: wrong",)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(("base", "stops"), [(b"ours.ts(1,1): error TS2: wrong\n", False), (FOREIGN, True)])
def test_a_message_in_a_patched_file_counts_unless_upstream_has_it_too(
    checker: Checker, base: bytes, *, stops: bool
) -> None:
    checker.says, checker.base = OURS, base
    try:
        checker.check(patched=("ours.ts",))
    except BundleError:
        assert stops
    else:
        assert not stops


@pytest.mark.parametrize("says", [b"", FOREIGN], ids=["silent", "after a message"])
def test_a_checker_that_is_killed_has_judged_nothing(checker: Checker, says: bytes) -> None:
    """The next build asks again, and finds what this one did not get to say."""
    checker.says, checker.status = says, -signal.SIGKILL
    with pytest.raises(BundleError, match="type checker failed"):
        checker.check(overlaid=("ours.ts",))
    checker.says, checker.status = FOREIGN + OURS, 2
    with pytest.raises(BundleError, match="1 type error"):
        checker.check(overlaid=("ours.ts",))


def test_nothing_of_ours_needs_no_checker(checker: Checker) -> None:
    assert checker.check(overlaid=("style.css",)) == Checked(0, 0, fresh=False)


def test_upstreams_own_messages_are_looked_for_once_for_the_same_packages(checker: Checker) -> None:
    checker.says = checker.base = OURS
    checker.check(patched=("ours.ts",))
    checker.work = WorkTree(checker.work.path, "t2", fresh=True)
    assert checker.check(patched=("ours.ts",)).fresh
    assert checker.looked == ["tree", "base", "tree"]
    checker.check(patched=("ours.ts",), packages="others")
    assert checker.looked == ["tree", "base", "tree", "tree", "base"]
