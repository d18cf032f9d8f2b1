"""Parts of the plan: all shards together are all runs, and a change selects at least what it can touch."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import grimp
import pytest

from hardener.errors import UsageError
from hardener.proof.evidence import selection
from hardener.proof.evidence.attack import NONE
from hardener.proof.evidence.selection import Shard, name_of, of_control, plan, since, touched

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_all_shards_together_are_the_plan_and_none_has_much_more_than_another(of: int) -> None:
    shards = [Shard(number, of).take(plan()) for number in range(1, of + 1)]
    assert Counter(name_of(*pair) for shard in shards for pair in shard) == Counter(name_of(*pair) for pair in plan())
    assert max(map(len, shards)) - min(map(len, shards)) <= 10


def test_the_runs_of_an_attack_are_in_one_shard_as_the_control_expects_its_hosts_in_any_of_them() -> None:
    for attack in {attack.name for _journey, attack in plan()} - {NONE.name}:
        holders = [
            number
            for number in range(1, 6)
            if any(other.name == attack and not journey.people for journey, other in Shard(number, 5).take(plan()))
        ]
        assert len(holders) <= 1, attack


def test_the_control_leaves_out_what_proves_nothing_but_never_all() -> None:
    left_out = [name_of(*pair) for pair in plan() if pair not in of_control(plan())]
    assert left_out == ["real-two + none", "real-three + none", "real-mallory + none"]
    assert of_control(plan(["real-two", "real-three"])) == plan(["real-two", "real-three"])
    assert of_control([]) == []


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "a/b", "1/3/5", "-1/3", "1/99999", " 1/3"])
def test_what_is_not_a_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a part of a whole"):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["docs/design.md", "tests/unit/test_docs.py", "CHANGELOG.md", "patches/README.md", "hosts.toml"], set()),
        (["build/docker/compose.yml"], {"real-two", "real-three", "real-mallory"}),
        (["build/hardener/proof/evidence/relay.py", "README.md"], {"real-two", "real-three", "real-mallory"}),
        (["overlays/jitsi-meet/lang/main.json"], None),
        (["patches/jitsi-meet/0001-x.patch"], None),
        (["build/hardener/proof/xmpp/stub.py"], None),
        (["build/hardener/proof/web/server.py"], None),
        (["build/hardener/pipeline/deploy.py", "build/docker/compose.yml"], None),
        (["something/new.py"], None),
    ],
)
def test_a_change_selects_what_it_can_touch(paths: list[str], names: set[str] | None) -> None:
    found = touched(paths, plan())
    chosen = {journey.name for journey, _attack in found.pairs}
    assert chosen == ({journey.name for journey, _attack in plan()} if names is None else names)
    assert sorted(path for reason in found.reasons.values() for path in reason) == sorted(paths)


def test_no_module_that_makes_a_run_counts_as_unable_to_touch_it() -> None:
    graph = grimp.build_graph("hardener")
    used = graph.find_upstream_modules("hardener.proof.evidence.campaign")
    assert "hardener.proof.web.server" in used
    unable = [
        module
        for module in sorted(used)
        if selection._reach(f"build/{module.replace('.', '/')}.py").touches is selection._none
    ]
    assert unable == []


def test_the_change_since_a_commit_holds_what_is_not_committed_yet(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(("git", "-C", tmp_path, *identity, *words), check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "README.md").touch()
    git("add", "-A")
    git("commit", "-qm", "first")
    assert since(tmp_path, "HEAD", plan()).pairs == []
    (tmp_path / "build" / "docker").mkdir(parents=True)
    (tmp_path / "build" / "docker" / "compose.yml").touch()
    new = since(tmp_path, "HEAD", plan())
    git("add", "-A")
    git("commit", "-qm", "second")
    committed = since(tmp_path, "HEAD~1", plan())
    assert new == committed
    (reason,) = new.reasons
    assert re.fullmatch(r"\d+ of \d+ runs: belongs to the servers of real calls", reason)
    assert {bool(journey.people) for journey, _attack in new.pairs} == {True}
    with pytest.raises(UsageError, match="no commit"):
        since(tmp_path, "nonsense", plan())
