"""Verdicts: a refusal is what a standard names so, a success needs proof, and everything else is unclear."""

from __future__ import annotations

from unittest.mock import Mock
from xml.etree.ElementTree import fromstring

import pytest

from hardener.cli import attack
from hardener.errors import UsageError
from hardener.proof.attack import campaign, tokens, verdict
from hardener.proof.attack.record import (
    Account,
    Attacked,
    NotTried,
    Target,
    Transcript,
    Verdict,
    refused,
    succeeded,
    unclear,
)
from hardener.proof.attack.session import Way
from hardener.proof.xmpp.streams import Closed, Garbled
from support.fakes import write_files

TARGET = Target("http://127.0.0.1:1", "meet.test", patience=1)
SECRET = "hunter2-secret"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("<success/>", Verdict.SUCCEEDED),
        ("<failure><not-authorized/></failure>", Verdict.REFUSED),
        ("<failure><text>no</text><invalid-mechanism/></failure>", Verdict.REFUSED),
        ("<failure><temporary-auth-failure/></failure>", Verdict.UNCLEAR),
        ("<failure/>", Verdict.UNCLEAR),
        ("<challenge/>", Verdict.UNCLEAR),
    ],
)
def test_sasl(answer: str, expected: Verdict) -> None:
    assert verdict.of_sasl(fromstring(answer)).verdict == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("<iq type='result'/>", Verdict.SUCCEEDED),
        ("<presence/>", Verdict.SUCCEEDED),
        ("<iq type='error'><query/><error type='auth'><forbidden/></error></iq>", Verdict.REFUSED),
        ("<presence type='error'><error><text/><not-allowed/></error></presence>", Verdict.REFUSED),
        ("<iq type='error'><error><internal-server-error/></error></iq>", Verdict.UNCLEAR),
        ("<iq type='error'><error><resource-constraint/></error></iq>", Verdict.UNCLEAR),
        ("<iq type='error'/>", Verdict.UNCLEAR),
        ("<iq type='set'/>", Verdict.UNCLEAR),
    ],
)
def test_stanzas(answer: str, expected: Verdict) -> None:
    assert verdict.of_stanza(fromstring(answer)).verdict == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("", Verdict.REFUSED), ("host-unknown", Verdict.REFUSED), ("policy-violation", Verdict.REFUSED)]
    + [
        (cause, Verdict.UNCLEAR) for cause in ("internal-server-error", "system-shutdown", "see-other-host", "HTTP 502")
    ],
)
def test_ends_of_streams(condition: str, expected: Verdict) -> None:
    assert verdict.of_closing(condition).verdict == expected


@pytest.mark.parametrize(
    ("status", "body", "usual", "expected"),
    [
        (404, b"tell", False, Verdict.REFUSED),
        (200, b"the usual page, with tell in it", True, Verdict.REFUSED),
        (200, b"... tell ...", False, Verdict.SUCCEEDED),
        (200, b"something else", False, Verdict.UNCLEAR),
        (302, b"", False, Verdict.UNCLEAR),
        (502, b"tell", False, Verdict.UNCLEAR),
    ],
)
def test_pages(status: int, body: bytes, usual: bool, expected: Verdict) -> None:
    assert verdict.of_page(status, body, "tell", usual=usual).verdict == expected


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Closed(), Verdict.REFUSED),
        (Closed("internal-server-error"), Verdict.UNCLEAR),
        (TimeoutError(), Verdict.UNCLEAR),
        (Garbled("<"), Verdict.UNCLEAR),
        (ConnectionRefusedError(), Verdict.UNCLEAR),
        (ValueError("no room to be had"), Verdict.UNCLEAR),
    ],
)
def test_a_way_that_ends_early_never_counts_as_refused_unless_the_server_ended_it(end, expected) -> None:
    def run(_scene):
        raise end

    assert campaign.attempt(Way("area", "name", run), TARGET, "websocket").verdict == expected


def test_one_unclear_attempt_spoils_a_run_and_an_empty_run_is_not_clean() -> None:
    attempts = [
        Transcript().attempt("n", "a", "t", judgement("because")) for judgement in (refused, succeeded, unclear)
    ]
    assert Attacked(TARGET, (attempts[0],), (), 1.0).clean
    assert not Attacked(TARGET, (attempts[0], attempts[1]), (), 1.0).clean
    assert not Attacked(TARGET, (attempts[0], attempts[2]), (), 1.0).clean
    assert not Attacked(TARGET, (), (NotTried("n", "a", "why"),), 1.0).clean


def test_records_hold_no_secrets_and_no_megabytes() -> None:
    transcript = Transcript((SECRET, ""))
    transcript.sent(f"<auth mechanism='PLAIN'>{SECRET}</auth> and {SECRET}")
    transcript.said("x" * 100_000)
    attempt = transcript.attempt("n", "a", "t", refused("no"))
    assert SECRET not in repr(attempt)
    assert len(attempt.said[0]) < 2000
    assert SECRET not in repr(Target("", "", account=Account("u", SECRET, SECRET)))


def test_foreign_servers_are_attacked_only_on_the_callers_word(tmp_path) -> None:
    with pytest.raises(UsageError, match="not this machine"):
        campaign.run(Target("https://meet.example.org", "meet.example.org"), tmp_path)


def test_each_forged_token_is_another_one() -> None:
    forged = tokens.forged("meet.test", "room", 1_700_000_000)
    assert len(set(forged.values())) == len(forged)
    assert forged["alg-none"].endswith(".")


def test_names_of_ways_are_unique_within_their_area() -> None:
    names = [(way.area, way.name) for way in campaign.ways(Target("", "meet.test", muc="muc.meet.test"))]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("word", ["c2s", "nobody=1", "c2s=x"])
def test_a_port_that_is_none_is_a_mistake(word: str) -> None:
    with pytest.raises(UsageError):
        attack._ports([word])


def test_a_run_that_ends_early_leaves_no_record_of_an_earlier_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"summary.json": "{}", "attempts.ndjson": "{}"})
    monkeypatch.setattr(campaign, "_ready", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        campaign.run(Target("https://localhost", "localhost"), tmp_path)
    assert not list(tmp_path.iterdir())
