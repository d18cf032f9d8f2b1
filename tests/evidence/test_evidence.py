"""Small evidence runs end to end. What leaks on the unpatched site must be seen by both witnesses.

Each run begins and ends with planted requests, so journeys on one site share a run.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from hardener.errors import StackError
from hardener.proof.evidence import campaign, cdp, occupants, selection
from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.xmpp import stub
from hardener.ui import UI

from .conftest import Evidence, hosts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

WHO = "who + spoofed-first"


@pytest.fixture(scope="module")
def unpatched(collect: Callable[..., Evidence]) -> Evidence:
    """Provide four journeys into upstream's site as it is."""
    return collect("unpatched", "mallory-avatar", "opener", "login", "who+spoofed-first")


@pytest.fixture(scope="module")
def hardened(collect: Callable[..., Evidence]) -> Evidence:
    """Provide four journeys into the hardened site."""
    return collect("hardened", "welcome+none", "background+none", "settings+none", "who+spoofed-first")


def test_every_canary_is_seen_and_nothing_voids_the_run(unpatched: Evidence) -> None:
    summary = unpatched.summary
    rows = [("canary 1", len(CANARIES)), (occupants.CANARY, 1), ("canary 2", len(CANARIES))]
    assert [(row["run"], row["seen"]) for row in summary["canaries"]] == rows
    assert [(row["run"], row["of"]) for row in summary["canaries"]] == rows
    assert (summary["verdict"], summary["void_because"], campaign.weak_control(summary)) == ("contacts", [], [])
    assert {"page", "worker", "service_worker"} <= set(summary["targets"])


def test_mallorys_avatar_and_stun_are_seen_by_both(unpatched: Evidence) -> None:
    (walked,) = [run for run in unpatched.summary["runs"] if run["attack"] == "mallory-avatar"]
    assert hosts([walked]) == {"tracker.evil.example": (True, True), "meet-jit-si-turnrelay.jitsi.net": (True, True)}
    kinds = {(event["witness"], event["kind"]) for event in unpatched.events_of(walked["run"])}
    assert {("transport", "stun"), ("browser", "ice"), ("browser", "request"), ("transport", "tls")} <= kinds


def test_an_opener_is_told_what_is_said(unpatched: Evidence) -> None:
    assert [run["run"] for run in unpatched.summary["runs"] if run["messages"]] == ["opened + opener"]
    assert unpatched.summary["totals"]["runs_with_messages"] == 1
    assert "av.evil.example" in hosts([unpatched.walked("opened + opener")])


def test_signing_in_leaves_no_secret_in_the_record(unpatched: Evidence) -> None:
    assert unpatched.walked("login + none")["completed"]
    text = json.dumps(unpatched.events_of("login + none"))
    assert "SCRAM-SHA-1" in text
    assert "[redacted]</auth>" in text
    assert "[redacted]</response>" in text
    assert stub.PASSWORD not in unpatched.text


def test_a_blind_witness_voids_the_run(collect: Callable[..., Evidence], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdp.Listener, "url", lambda *_words, **_facts: None)
    summary = collect("unpatched", "welcome+none").summary
    assert summary["verdict"] == "void"
    assert any("fetch was not seen (browser:request)" in reason for reason in summary["void_because"])


def test_the_hardened_site_is_clean(hardened: Evidence) -> None:
    summary = hardened.summary
    assert (summary["verdict"], summary["void_because"], hosts(summary["runs"])) == ("clean", [], {})
    assert summary["totals"]["completed"] == summary["totals"]["runs"] == 4


def test_journeys_leave_out_nothing_that_the_hardened_site_has(hardened: Evidence) -> None:
    assert {run["run"]: run["missed"] for run in hardened.summary["runs"] if run["missed"]} == {}
    assert hardened.summary["totals"]["missed_steps"] == 0
    steps = [event["name"] for event in hardened.events_of("settings + none") if event["kind"] == "step"]
    assert sum(step.startswith("settings tab") for step in steps) > 5


def test_journeys_into_the_hardened_site_log_in_first(hardened: Evidence) -> None:
    text = json.dumps(hardened.events_of("background + none"))
    assert text.count("SCRAM-SHA-1") >= 2, "the login page asks, and then the meeting connects"
    assert "ANONYMOUS" not in hardened.text
    assert stub.PASSWORD not in hardened.text


def test_whoever_is_not_shown_as_what_the_server_says_is_seen(unpatched: Evidence) -> None:
    mistaken = unpatched.walked(WHO)["mistaken"]
    assert {"a0000001 is not shown", "a0000002 is shown as moderator and is participant"} <= set(mistaken)


def test_everybody_is_shown_as_what_the_server_says_whatever_they_claim(hardened: Evidence) -> None:
    walked = hardened.walked(WHO)
    assert (walked["compared"], walked["mistaken"]) == (True, [])


def test_without_namespaces_there_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").touch()
    with pytest.raises(StackError):
        campaign.run(site, tmp_path / "out", UI(quiet=True), campaign.Scope(selection.plan()))
    assert not (tmp_path / "out" / "summary.json").exists()
