"""A small evidence run end to end, on the unpatched site: what leaks there must be seen by both witnesses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main
from hardener.errors import StackError
from hardener.proof.evidence import campaign, cdp, occupants, selection
from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.evidence.namespaces import SealedNetwork
from hardener.proof.evidence.record import read
from hardener.proof.stack.docker import NoDockerError
from hardener.proof.xmpp import stub
from hardener.ui import UI
from support.sites import built
from support.threads import beside_playwright

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


@pytest.fixture(autouse=True)
def cache_home(developers_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the developer's own cache, from whose mirrors and packages the sites are built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
    return developers_cache


def run(variant: str, out: Path, *only: str, jobs: int = 1) -> dict[str, Any]:
    """Run a selection on a built site; skipped, with the reason, where that is not possible."""
    scope = campaign.Scope(selection.plan(only), jobs)
    try:
        return beside_playwright(campaign.run, built(variant), out, UI(quiet=True), scope).summary
    except StackError as error:
        pytest.skip(f"{error.message} ({error.hint})")


def hosts(summary: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
    """Return who was contacted, and whether the browser and the transport saw it."""
    contacts = [contact for walked in summary["runs"] for contact in walked["contacts"]]
    return {contact["host"]: (bool(contact["browser"]), bool(contact["transport"])) for contact in contacts}


def test_mallorys_avatar_and_stun_are_seen_by_both(tmp_path: Path) -> None:
    summary = run("unpatched", tmp_path / "out", "mallory-avatar")
    assert not summary["void_because"]
    assert [(canary["seen"], canary["of"]) for canary in summary["canaries"]] == [(len(CANARIES), len(CANARIES))] * 2
    assert hosts(summary) == {"tracker.evil.example": (True, True), "meet-jit-si-turnrelay.jitsi.net": (True, True)}
    assert summary["verdict"] == "contacts"
    assert not campaign.weak_control(summary)
    assert {"page", "worker", "service_worker"} <= set(summary["targets"])
    kinds = {(event["witness"], event["kind"]) for event in read(tmp_path / "out" / "events.ndjson")}
    assert {("transport", "stun"), ("browser", "ice"), ("browser", "request"), ("transport", "tls")} <= kinds


def test_an_opener_is_told_what_is_said(tmp_path: Path) -> None:
    summary = run("unpatched", tmp_path / "out", "opener")
    assert summary["totals"]["runs_with_messages"] == 1
    assert "av.evil.example" in hosts(summary)


def test_signing_in_leaves_no_secret_in_the_record(tmp_path: Path) -> None:
    summary = run("unpatched", tmp_path / "out", "login")
    assert summary["totals"]["completed"] == 1
    text = (tmp_path / "out" / "events.ndjson").read_text(encoding="utf-8")
    assert "SCRAM-SHA-1" in text
    assert "[redacted]</auth>" in text
    assert "[redacted]</response>" in text
    assert stub.PASSWORD not in text


def test_a_blind_witness_voids_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdp.Listener, "url", lambda *_words, **_facts: None)
    summary = run("unpatched", tmp_path / "out", "welcome+none")
    assert summary["verdict"] == "void"
    assert any("fetch was not seen (browser:request)" in reason for reason in summary["void_because"])


def test_welcome_page_of_the_hardened_site_is_clean(tmp_path: Path) -> None:
    summary = run("hardened", tmp_path / "out", "welcome+none")
    assert (summary["verdict"], summary["void_because"], hosts(summary)) == ("clean", [], {})


def test_journeys_into_the_hardened_site_log_in_first(tmp_path: Path) -> None:
    summary = run("hardened", tmp_path / "out", "call+none")
    assert (summary["verdict"], summary["totals"]["completed"]) == ("clean", summary["totals"]["runs"])
    text = (tmp_path / "out" / "events.ndjson").read_text(encoding="utf-8")
    assert text.count("SCRAM-SHA-1") >= 2, "the login page asks, and then the meeting connects"
    assert "ANONYMOUS" not in text
    assert stub.PASSWORD not in text


def test_whoever_is_not_shown_as_what_the_server_says_is_seen_and_so_is_a_planted_occupant(tmp_path: Path) -> None:
    summary = run("unpatched", tmp_path / "out", "who+spoofed-first")
    (walked,) = summary["runs"]
    assert {"a0000001 is not shown", "a0000002 is shown as moderator and is participant"} <= set(walked["mistaken"])
    rows = [("canary 1", len(CANARIES)), (occupants.CANARY, 1), ("canary 2", len(CANARIES))]
    assert [(row["run"], row["seen"]) for row in summary["canaries"]] == rows
    assert not campaign.weak_control(summary)


def test_everybody_is_shown_as_what_the_server_says_whatever_they_claim(tmp_path: Path) -> None:
    summary = run("hardened", tmp_path / "out", "who+spoofed-first")
    (walked,) = summary["runs"]
    assert (summary["verdict"], walked["compared"], walked["mistaken"]) == ("clean", True, [])


def test_without_namespaces_there_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").touch()
    with pytest.raises(StackError):
        campaign.run(site, tmp_path / "out", UI(quiet=True), campaign.Scope(selection.plan()))
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.stack
def test_people_in_a_call_on_real_servers_and_a_hostile_one(tmp_path: Path) -> None:
    """The unpatched site beside it shows that what Mallory sends through Prosody does reach out where nothing stops
    it.
    """
    sites = [built(variant) for variant in ("hardened", "unpatched")]
    only = ("real-two", "real-three", "real-mallory+mallory-avatar")
    words = ["evidence", os.fspath(sites[0]), "--control", os.fspath(sites[1]), "--stack", "--out", os.fspath(tmp_path)]
    given = main._parser().parse_args([*words, "--only", *only])
    try:
        with SealedNetwork():
            pass
    except StackError as error:
        pytest.skip(f"{error.message} ({error.hint})")
    try:
        answer = beside_playwright(given.run, given, UI(quiet=True))
    except NoDockerError as error:
        if os.environ.get("HARDENER_REQUIRE_STACK") == "1":
            raise
        pytest.skip(f"no stack: {error.message} ({error.hint})")
    hardened, unpatched = answer["site"], answer["control"]
    assert (hardened["verdict"], hardened["totals"]["completed"], hosts(hardened)) == ("clean", 3, {})
    media = [told for walked in hardened["runs"] for told in walked["media"]]
    assert [told["who"] for told in media] == ["alice", "bob"]
    assert min(told["frames"] for told in media) >= 60
    assert hosts(unpatched)["tracker.evil.example"] == (True, True)
    assert not campaign.weak_control(unpatched)
    assert answer["exit"] == 0
    assert any((tmp_path / "site" / campaign.PICTURES).glob("real-two-none-*.png"))
