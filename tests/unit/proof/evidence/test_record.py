"""The record holds no secrets, and says in which run a thing was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest

from hardener.cli.main import main
from hardener.errors import UsageError
from hardener.proof import redact
from hardener.proof.evidence import campaign, cdp, occupants, record, selection
from hardener.proof.evidence.attacker_pages import token
from hardener.proof.stack import staging
from hardener.ui import UI
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "text",
    [
        f"https://host/room?jwt={SECRET}",
        f"https://host/room?x=1&jwt={SECRET}&y=2",
        f"https://host/room#config.subject=1&config.watchRTCConfigParams.rtcToken={SECRET}",
        f"https://host/#password={SECRET}",
        f"GET /xmpp-websocket?token={SECRET}&room=r HTTP/1.1",
        f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{SECRET}</auth>",
        f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{SECRET}</response>",
        f"<x xmlns='http://jabber.org/protocol/muc'><password>{SECRET}</password></x>",
        f"<transport pwd='{SECRET}'/>",
        f"a=ice-pwd:{SECRET}",
    ],
)
def test_secrets_are_redacted(text: str) -> None:
    assert SECRET in text
    assert SECRET not in redact.redact(text)
    assert redact.HIDDEN in redact.redact(text)


def test_a_token_is_redacted_wherever_it_stands() -> None:
    assert token() not in redact.redact(f"Joining with {token()} now")


@pytest.mark.parametrize(
    "text", ["https://i.giphy.com/media/abc123/giphy.gif", "<presence><nick>Mallory</nick></presence>"]
)
def test_evidence_stays(text: str) -> None:
    assert redact.redact(text) == text


def test_values_under_secret_names_are_hidden_at_any_depth() -> None:
    value = {"servers": [{"urls": "turn:host", "credential": SECRET, "username": "u"}], "jwt": SECRET, "n": 1}
    assert redact.clean(value) == {
        "servers": [{"urls": "turn:host", "credential": redact.HIDDEN, "username": "u"}],
        "jwt": redact.HIDDEN,
        "n": 1,
    }


def test_events_say_their_run_and_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    recorder = record.Recorder(path)
    recorder.run = "call + none"
    recorder.add("browser", "request", host="a.example", url=f"https://a.example/?jwt={SECRET}")
    recorder.run = ""
    recorder.add("transport", "dns", host="b.example\n")
    recorder.close()
    recorder.add("transport", "dns", host="late.example")
    events = record.read(path)
    assert [(event["run"], event["witness"], event["kind"], event["host"]) for event in events] == [
        ("call + none", "browser", "request", "a.example"),
        ("", "transport", "dns", "b.example\n"),
    ]
    assert SECRET not in path.read_text(encoding="utf-8")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize("odd", ["\ud83d", "\u2028", "\x00", "\u202e", "\r"])
def test_no_text_of_a_page_keeps_an_event_out_of_the_record(tmp_path: Path, odd: str) -> None:
    """The first 200 characters of a message can end in the middle of a pair of surrogates."""
    recorder = record.Recorder(tmp_path / "events.ndjson")
    recorder.add("browser", "message", text=f"a{odd}")
    cdp.Listener.url(mock.Mock(record=recorder), "ice", f"stun:a.example{odd}", "page")
    cdp.Listener.url(mock.Mock(record=recorder), "request", "https://[b.example/x", "page")
    recorder.close()
    message, ice, unreadable = record.read(tmp_path / "events.ndjson")
    assert (message["text"], ice["url"]) == (f"a{odd}", f"stun:a.example{odd}")
    assert unreadable["host"] == "[b.example"


def test_a_run_that_is_killed_leaves_no_verdict_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = write_files(tmp_path / "out", {"summary.json": "{}", "index.html": "clean", "screenshots/a.png": "a"})
    site = write_files(tmp_path / "site", {"index.html": ""})
    monkeypatch.setattr(campaign, "Watched", mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        campaign.run(site, earlier, UI(quiet=True), campaign.Scope(selection.plan()[:1]))
    assert sorted(path.name for path in earlier.iterdir()) == ["events.ndjson", "screenshots"]


def test_a_page_that_gives_no_answer_is_a_difference_and_the_error_stays(tmp_path: Path) -> None:
    """The first question fails already, so that nothing of the page is known."""
    recorder = record.Recorder(tmp_path / "events.ndjson")
    visit = mock.MagicMock(record=recorder)
    visit.step.return_value.__exit__.return_value = False
    visit.surface.evaluate.side_effect = RuntimeError("crashed")
    with pytest.raises(RuntimeError, match="crashed"):
        occupants.compare(visit, lambda: {"a": "participant"})
    recorder.close()
    (event,) = [entry for entry in record.read(tmp_path / "events.ndjson") if entry["kind"] == "occupants"]
    assert event["differences"] == ["the page did not answer"]


@pytest.mark.parametrize("wrong", ["site", "control"])
@pytest.mark.parametrize("kind", ["archive", "empty folder", "nothing"])
def test_what_is_no_site_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: str, kind: str
) -> None:
    for name in ("site", "control"):
        write_files(tmp_path / name, {"index.html": ""})
    place = tmp_path / wrong / "inside"
    if kind == "archive":
        place.write_bytes(b"")
    elif kind == "empty folder":
        place.mkdir()
    folders = {"site": tmp_path / "site", "control": tmp_path / "control"} | {wrong: place}
    monkeypatch.setattr(staging, "up", mock.Mock(side_effect=AssertionError("servers were started")))
    monkeypatch.setattr(campaign, "run", mock.Mock(side_effect=AssertionError("the run began")))
    assert main(["evidence", str(folders["site"]), "--control", str(folders["control"])]) == UsageError.exit_code
    said = capsys.readouterr().err
    assert str(place) in said
    assert "unpack" in said
