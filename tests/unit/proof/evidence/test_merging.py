"""The records of shards, judged as one: all of them, about one site, and what each saw counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import UsageError
from hardener.pipeline.proofs import site_digest
from hardener.proof.evidence import campaign
from hardener.proof.evidence.merging import merge
from hardener.proof.evidence.selection import name_of, plan
from support.evidence_events import Event, events, seen

if TYPE_CHECKING:
    from pathlib import Path

ONLY = ("welcome+none", "call+none")
SCOPE = campaign.Scope(plan(ONLY), only=ONLY)
RUNS = [name_of(*pair) for pair in plan(ONLY)]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<p>", "utf-8")
    return folder


def shard(site: Path, number: int, *more: Event, of: int = 2, **facts: Any) -> Path:
    """Write the record of a shard with one run, as a run writes it."""
    folder = site.parent / f"{number}-{of}"
    (folder / campaign.PICTURES).mkdir(parents=True, exist_ok=True)
    lines = events(*more, run=RUNS[number - 1], without=facts.pop("without", ""))
    (folder / campaign.EVENTS).write_text("".join(json.dumps(event) + "\n" for event in lines), "utf-8")
    known = {"site": "x", "site_sha256": site_digest(site), "browser": "Chromium", "targets": ["page"], "since": ""}
    known |= {"only": list(ONLY), "shard": f"{number}/{of}", "networks": 1, "seconds": 2.5, "date": f"2026-0{number}"}
    campaign.finish(folder, [plan(ONLY)[number - 1]], known | facts)
    return folder


def test_a_contact_in_any_shard_is_in_the_verdict(site: Path, tmp_path: Path) -> None:
    parts = [shard(site, 2, seen("transport", "dns")), shard(site, 1)]
    summary = merge(site, parts, tmp_path / "out", SCOPE).summary
    assert (summary["verdict"], summary["totals"]["hosts"]) == ("contacts", ["tracker.example"])
    assert [run["run"] for run in summary["runs"]] == RUNS
    assert [canary["run"] for canary in summary["canaries"]] == ["canary 1, shard 2/2", "canary 1, shard 1/2"]
    assert (summary["seconds"], summary["date"], summary["only"]) == (5.0, "2026-01", list(ONLY))


def test_a_blind_witness_in_any_shard_voids_the_whole(site: Path, tmp_path: Path) -> None:
    summary = merge(site, [shard(site, 1), shard(site, 2, without="fetch:browser")], tmp_path / "out", SCOPE).summary
    assert summary["verdict"] == "void"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"shard": "1/2"}, "are not the run that was asked for"),
        ({"shard": "2/3"}, "are not the run that was asked for"),
        ({"only": ["welcome"]}, "are not the run that was asked for"),
        ({"since": "HEAD~1"}, "are not the run that was asked for"),
        ({"shard": ""}, "not the record of a shard"),
        ({"site_sha256": "0" * 64}, "another site"),
    ],
)
def test_what_is_not_one_run_is_refused(site: Path, tmp_path: Path, second: dict[str, Any], message: str) -> None:
    parts = [shard(site, 1), shard(site, 2, **second)]
    with pytest.raises(UsageError, match=message):
        merge(site, parts, tmp_path / "out", SCOPE)


def test_a_shard_that_is_missing_or_lacks_a_run_is_refused(site: Path, tmp_path: Path) -> None:
    first = shard(site, 1)
    with pytest.raises(UsageError, match="are not the run that was asked for"):
        merge(site, [first], tmp_path / "out", SCOPE)
    whole = shard(site, 1, only=[]), shard(site, 2, only=[])
    with pytest.raises(UsageError, match="are not the run"):
        merge(site, whole, tmp_path / "out", SCOPE)
    with pytest.raises(UsageError, match="do not have call"):
        merge(site, [shard(site, 1, of=1)], tmp_path / "out", SCOPE)


def test_the_control_may_lack_ordinary_calls_on_real_servers_and_the_site_may_not(site: Path, tmp_path: Path) -> None:
    only = (ONLY[0], "real-two+none")
    scope = campaign.Scope(plan(only), only=only)
    parts = [shard(site, 1, of=1, only=list(only))]
    assert merge(site, parts, tmp_path / "out", scope, control=True).summary["verdict"] == "clean"
    with pytest.raises(UsageError, match="do not have real-two"):
        merge(site, parts, tmp_path / "out", scope)
