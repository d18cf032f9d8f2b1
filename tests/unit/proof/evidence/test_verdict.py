"""The verdict: contacts by either witness, canaries that must be seen, and runs that prove nothing."""

from __future__ import annotations

import pytest

from hardener.proof.evidence import campaign, occupants, report
from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.evidence.site import HOST, STAGE
from hardener.proof.evidence.verdict import BROWSERS_OWN, judge
from support.evidence_events import Event, events, seen


def test_own_hosts_alone_are_clean() -> None:
    summary = judge(events(seen("browser", "request", STAGE), seen("browser", "websocket", HOST)))
    assert (summary["verdict"], summary["void_because"], summary["totals"]["contacts"]) == ("clean", [], 0)
    assert summary["totals"]["runs"] == 1


@pytest.mark.parametrize(
    ("witness", "kind"),
    [("browser", kind) for kind in ("request", "websocket", "webtransport", "beacon", "ice", "hint", "window-open")]
    + [("transport", kind) for kind in ("dns", "tcp", "tls", "request", "stun", "udp", "icmp")],
)
def test_either_witness_suffices(witness: str, kind: str) -> None:
    summary = judge(events(seen(witness, kind)))
    assert summary["verdict"] == "contacts"
    (contact,) = summary["runs"][0]["contacts"]
    assert contact["host"] == "tracker.example"
    assert contact[witness] == [kind]
    assert summary["totals"]["disagreements"] == 1


def test_witnesses_that_agree() -> None:
    summary = judge(events(seen("browser", "ice"), seen("transport", "dns"), seen("transport", "stun")))
    assert summary["totals"]["disagreements"] == 0
    assert summary["totals"]["contacts"] == summary["totals"]["browser"] == summary["totals"]["transport"] == 1


@pytest.mark.parametrize("host", [f"{HOST}.evil.example", f"evil-{HOST}", "hardener.test", "198.19.0.9", f"x.{HOST}"])
def test_hosts_that_look_like_ours_are_foreign(host: str) -> None:
    assert judge(events(seen("transport", "tcp", host)))["totals"]["hosts"] == [host]


def test_our_name_in_another_spelling_is_ours() -> None:
    assert judge(events(seen("browser", "request", HOST.upper() + ".")))["verdict"] == "clean"


def test_what_another_page_is_told_is_a_contact() -> None:
    summary = judge(events({"witness": "browser", "kind": "message", "text": "{}"}, run="opened + opener"))
    assert summary["verdict"] == "contacts"
    assert summary["totals"]["runs_with_messages"] == 1


@pytest.mark.parametrize(
    "missing", [f"{canary.kind}:{witness}" for canary in CANARIES for witness in ("browser", "transport")]
)
def test_a_canary_that_one_witness_misses_voids_the_run(missing: str) -> None:
    summary = judge(events(without=missing))
    assert summary["verdict"] == "void"
    assert missing.split(":", maxsplit=1)[0] in summary["void_because"][0]


def test_no_canaries_no_journeys_no_verdict() -> None:
    assert judge([])["verdict"] == "void"
    assert judge([event for event in events() if not event["run"].startswith("canary")])["verdict"] == "void"
    assert judge([event for event in events() if event["run"].startswith("canary")])["verdict"] == "void"


def test_a_journey_without_attack_must_come_to_its_end() -> None:
    assert judge(events(ok=False))["verdict"] == "void"


def test_an_attack_that_ended_early_is_named() -> None:
    summary = judge(events(run="call-mallory + keys-01", ok=False))
    assert (summary["verdict"], summary["unproven"]) == ("clean", ["call-mallory + keys-01"])


def test_steps_that_failed_are_counted() -> None:
    step = {"witness": "harness", "kind": "step", "must": False}
    summary = judge(events(step | {"name": "tab 1", "ok": True}, step | {"name": "tab 2", "ok": False}))
    assert (summary["verdict"], summary["totals"]["missed_steps"]) == ("clean", 1)
    assert ("missed steps", "1", "1") in report.compare(summary, summary)


def test_contacts_between_runs_count() -> None:
    summary = judge([*events(), {"t": 99.0, "run": "", "witness": "transport", "kind": "dns", "host": "late.example"}])
    assert summary["totals"]["hosts"] == ["late.example"]


@pytest.mark.parametrize("host", BROWSERS_OWN)
def test_the_browsers_own_services_are_shown_but_not_counted(host: str) -> None:
    line = f"POST {BROWSERS_OWN[host]}x HTTP/1.1"
    summary = judge(events(seen("transport", "dns", host), seen("transport", "request", host, request=line)))
    assert summary["verdict"] == "clean"
    assert summary["runs"][0]["browsers_own"] == [host]


def test_a_page_that_calls_the_browsers_services_is_seen() -> None:
    host = "accounts.google.com"
    by_page = judge(events(seen("browser", "request", host), seen("transport", "dns", host)))
    by_path = judge(events(seen("transport", "request", host, request="GET /gsi/client HTTP/1.1")))
    assert by_page["totals"]["hosts"] == by_path["totals"]["hosts"] == [host]


def test_the_control_says_what_it_did_not_see() -> None:
    expected = {"mallory-avatar": ("tracker.example", "other.example"), "opener": ("message",)}
    record = events(seen("browser", "request"), run="call-mallory + mallory-avatar")
    summary = judge(record, expected)
    assert [(row["attack"], row["missing"]) for row in summary["control"]] == [
        ("mallory-avatar", ["other.example"]),
        ("opener", ["message"]),
    ]
    assert len(campaign.weak_control(summary)) == 2


def compared(*found: str, run: str = "who + none") -> Event:
    """Return a comparison of who is there with who is shown."""
    return {"run": run, "witness": "harness", "kind": "occupants", "server": {}, "page": {}, "differences": list(found)}


def planted(*found: str) -> list[Event]:
    return [{"t": 0.0} | compared(*found, run=occupants.CANARY)]


def test_whoever_is_not_shown_as_what_they_are_spoils_the_verdict() -> None:
    for found, verdict, count in (((), "clean", 0), (("a is not shown",), "mistaken", 1)):
        summary = judge(events(compared(*found), run="who + none"))
        assert summary["verdict"] == verdict
        assert (summary["totals"]["compared"], summary["totals"]["runs_with_mistaken"]) == (1, count)


@pytest.mark.parametrize(
    ("found", "void"),
    [
        ((f"{occupants.PLANTED} is not shown",), False),
        ((), True),
        (("somebody is not shown",), True),
        ((f"{occupants.PLANTED} is not shown", "somebody is not shown"), True),
    ],
    ids=["found", "not found", "another", "more"],
)
def test_a_comparison_that_misses_the_planted_occupant_or_sees_others_voids_the_run(found, *, void: bool) -> None:
    summary = judge(events() + planted(*found))
    assert (summary["verdict"] == "void") is void
    assert any("occupant" in reason for reason in summary["void_because"]) is void
    assert not judge(events())["void_because"], "a plan without comparisons needs no planted occupant"


def test_the_control_has_to_show_somebody_as_what_they_are_not() -> None:
    expected = {"spoofed-first": ("occupants",)}
    for found, missing in ((("a is not shown",), []), ((), ["occupants"])):
        (row,) = judge(events(compared(*found, run="who + spoofed-first"), run="who + spoofed-first"), expected)[
            "control"
        ]
        assert row["missing"] == missing


def test_a_control_without_contacts_is_weak() -> None:
    assert campaign.weak_control(judge(events()))
    assert not campaign.weak_control(judge(events(seen("transport", "dns"))))


def test_the_same_record_gives_the_same_page() -> None:
    record = events(seen("browser", "request"), seen("transport", "dns"))
    assert report.page(judge(record)) == report.page(judge(record))


@pytest.mark.parametrize("run", ["who + spoofed-first", "who + none", "who + spoofed-leave", "real-mallory + spoofed"])
@pytest.mark.parametrize(
    ("found", "ok", "verdict"),
    [
        (None, False, "void"),
        (None, True, "void"),
        ((), False, "void"),
        ((), True, "clean"),
        (("a is not shown",), False, "mistaken"),
    ],
    ids=["ended before", "left out", "ended after", "the same", "different, then ended"],
)
def test_a_run_that_was_to_compare_and_did_not_proves_nothing(
    run: str, found: tuple[str, ...] | None, *, ok: bool, verdict: str
) -> None:
    expected = {"spoofed-first": ("occupants",), "real-mallory + spoofed": ("occupants",)}
    record = events(*([] if found is None else [compared(*found, run=run)]), run=run, ok=ok)
    summary = judge(record, expected)
    if run.endswith("none") and not ok:
        verdict = "void"
    assert summary["verdict"] == verdict
    assert any("not compared" in reason and run in reason for reason in summary["void_because"]) is (
        verdict == "void" and not found
    )


def test_only_attacks_whose_effect_a_comparison_shows_need_one() -> None:
    run = "real-mallory + mallory-avatar"
    assert judge(events(run=run, ok=False), {run: ("tracker.example",)})["verdict"] == "clean"


@pytest.mark.parametrize(
    ("canaries", "void"), [((0.0, 9.0), False), ((0.0,), True), ((9.0,), True), ((), True), ((3.0, 4.0), True)]
)
def test_each_network_has_canaries_before_and_after_its_runs(canaries: tuple[float, ...], *, void: bool) -> None:
    def start(time: float, run: str) -> Event:
        return {"t": time, "run": run, "witness": "harness", "kind": "start", "network": "2"}

    planted = [start(time, f"canary {number}, network 2") for number, time in enumerate(canaries, 1)]
    summary = judge([*events(), *planted, start(2.0, "call + none"), start(5.0, "call + none")])
    reasons = [reason for reason in summary["void_because"] if reason.startswith("network 2")]
    assert bool(reasons) is void
