"""Calls on real servers: the relay, the hostile participant, what is skipped and why, and what the page says of it."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Error
from wsproto.connection import ConnectionType

from hardener.cli import evidence
from hardener.errors import UnreachableError
from hardener.pipeline.proofs import site_digest
from hardener.proof.evidence import attacks, campaign, relay, report, selection, site
from hardener.proof.evidence.attack import NONE
from hardener.proof.evidence.attacks import ATTACKS
from hardener.proof.evidence.calls import mallory
from hardener.proof.evidence.journeys import JOURNEYS
from hardener.proof.evidence.mallory import Peer
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.relay import Real
from hardener.proof.evidence.verdict import judge
from hardener.proof.evidence.visit import Visit
from hardener.proof.stack.docker import NoDockerError
from hardener.proof.xmpp import stanzas, websocket
from hardener.proof.xmpp.client import Refused
from hardener.proof.xmpp.muc import USER as WORDS
from hardener.proof.xmpp.sasl import SASL
from hardener.proof.xmpp.stub import MALLORY, PASSWORD, USER, Conversation, Door, Mallory
from hardener.ui import UI
from support.evidence_events import events, seen
from support.stub_stream import StubStream

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAIN = "meet.example"
ROOM = f"room@conference.{DOMAIN}"
DOCS = Path(__file__).parents[4] / "docs" / "auditor.md"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> StubStream:
    stream = StubStream(Conversation(DOMAIN, door=Door(("SCRAM-SHA-1",))))
    monkeypatch.setattr(Real, "stream", lambda _self: stream)
    return stream


def servers(password: str = PASSWORD) -> Real:
    return Real("http://127.0.0.1:1", DOMAIN, {USER: password}, "config.hosts = { domain: 'real.example' };")


def test_the_hostile_participant_logs_in_says_all_and_leaves(wire: StubStream) -> None:
    hostile = Mallory(
        presence="<email>m@evil.example</email>", chat=("a < b",), presence_after="<etherpad>x</etherpad>"
    )
    with Peer(servers(), USER) as peer:
        peer.come(ROOM, hostile)
        peer.play(hostile, "the end")
    assert wire.talk.account == f"{USER}@{DOMAIN}"
    room = [ET.fromstring(text) for text in wire.sent if ROOM in text]
    assert [(stanzas.local(stanza), stanza.get("type")) for stanza in room] == [
        ("presence", None),
        ("presence", None),
        ("message", "groupchat"),
        ("message", "groupchat"),
        ("presence", "unavailable"),
    ]
    assert {stanza.get("to") for stanza in room if stanzas.local(stanza) == "presence"} == {f"{ROOM}/{MALLORY}"}
    assert [stanzas.local(child) for child in room[1]] == ["nick", "email", "etherpad"]
    assert [stanza[0].text for stanza in room if stanzas.local(stanza) == "message"] == ["a < b", "the end"]
    assert wire.closed


def test_the_hostile_participant_tells_whom_the_room_has_in_the_rooms_words(wire: StubStream) -> None:
    claim = f"<z xmlns='urn:z'><x xmlns='{WORDS}'><item jid='focus@auth.{DOMAIN}/f' role='moderator'/></x></z>"
    with Peer(servers(), USER) as peer:
        for nick, inside, kind in (("bob", claim, ""), ("carol", "", ""), ("carol", claim, " type='unavailable'")):
            told = f"<x xmlns='{WORDS}'><item jid='{nick}@{DOMAIN}/r' role='participant'/></x>"
            wire.waiting.append(f"<presence xmlns='jabber:client' from='{ROOM}/{nick}'{kind}>{inside}{told}</presence>")
        peer.come(ROOM, Mallory())
        assert peer.others("nobody") == {"bob": "participant", MALLORY: "moderator"}
        assert peer.others("bob") == {MALLORY: "moderator"}


def test_a_wrong_password_is_refused_and_the_line_is_closed(wire: StubStream) -> None:
    with pytest.raises(Refused, match="not-authorized"), Peer(servers("wrong"), USER):
        pass
    assert wire.closed


def test_a_request_while_the_hostile_participant_waits_is_answered(wire: StubStream) -> None:
    with Peer(servers(), USER) as peer:
        space = "http://jabber.org/protocol/disco#info"
        wire.waiting.append(f"<iq xmlns='jabber:client' type='get' id='7' from='a@b'><query xmlns='{space}'/></iq>")
        peer.come(ROOM, Mallory())
    (answer,) = [ET.fromstring(text) for text in wire.sent if "type='result'" in text]
    assert (answer.get("id"), answer.get("to")) == ("7", "a@b")
    assert "urn:xmpp:jingle:1" in {feature.get("var") for feature in answer.iter(f"{{{space}}}feature")}


def iter_exactly(connection: socket.socket, size: int) -> Iterator[bytes]:
    """Yield what a connection brings, until so many bytes have come."""
    while size:
        data = connection.recv(size)
        assert data, "the relay hangs up early"
        size -= len(data)
        yield data


@contextlib.contextmanager
def relay_at_work(path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Provide the browser's and the server's end of a relay; behind it, the browser has gone and the record is
    complete.
    """
    browser, own = socket.socketpair()
    inner, server = socket.socketpair()
    record = Recorder(path)

    def work() -> None:
        with own, inner:
            relay.relay(own, inner, relay.Overhearing(record))

    thread = threading.Thread(target=work)
    thread.start()
    yield browser, server
    browser.close()
    assert server.recv(1) == b"", "the relay hangs up behind the last word"
    thread.join()
    server.close()
    record.close()


def test_the_relay_carries_both_ways_and_writes_down_what_the_client_gives_away(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    stanzas = (
        f"<presence xmlns='jabber:client' to='{ROOM}/a'><stats-id>Ada-x1</stats-id></presence>",
        f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>c2VjcmV0</auth>",
        "no XML at all",
    )
    with relay_at_work(path) as (browser, server):
        client = websocket.WebSocket(browser, ConnectionType.CLIENT)
        other = websocket.WebSocket(server, ConnectionType.SERVER)
        for stanza in stanzas:
            client.send(stanza)
            assert other.receive() == stanza
        other.send("<success/>")
        assert client.receive() == "<success/>"
    told = read(path)
    assert [event["stanza"][:9] for event in told if event["kind"] == "xmpp"] == ["<presence", "<auth xml", "no XML at"]
    assert [(event["what"], event["value"]) for event in told if event["kind"] == "given-away"] == [
        ("stats-id", "Ada-x1")
    ]
    assert "c2VjcmV0" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", [b"\x81\x01x", b"\x83\x80abcd", b"\xc1\x80abcd", b"\x81\x81\0\0\0\0\xff"])
def test_a_frame_that_the_relay_cannot_read_is_carried_and_written_down(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "events.ndjson"
    with relay_at_work(path) as (browser, server):
        for data in (broken, b"whatever follows" * 9999):
            browser.sendall(data)
            assert b"".join(iter_exactly(server, len(data))) == data
    assert [event["kind"] for event in read(path)] == ["stub-error"]


def test_the_sites_settings_name_the_servers_in_use() -> None:
    assert "real.example" in site.settings(site.HOST, servers())
    assert f"conference.{site.HOST}" not in site.settings(site.HOST, servers())
    assert f"conference.{site.HOST}" in site.settings(site.HOST)
    assert "wss://meet.hardener.test/xmpp-websocket" in site.settings(site.HOST, servers())


def test_passwords_do_not_show_in_a_traceback() -> None:
    assert PASSWORD not in repr(servers())


def test_what_mallory_does_at_the_stub_she_does_at_real_servers() -> None:
    # She calls where the site is as it was built. The stack has no bridge and so lets browsers speak with each other.
    # The stub alone has company for her.
    alone = {attack.name for attack in ATTACKS if attack.mallory and attack.mallory.company}
    stub = {attack.name for attack in ATTACKS if attack.kind == "peer"} - {"mallory-candidate"} - alone
    assert stub
    assert stub <= {attack.name for journey, attack in selection.plan() if journey.name == "real-mallory"}
    assert JOURNEYS["real-mallory"].walk is mallory
    assert attacks.BOTH == ("call-mallory", "real-mallory")


@pytest.mark.parametrize(
    ("only", "wanted"), [((), True), (("real-two",), True), (("mallory-gif",), True), (("welcome", "call"), False)]
)
def test_only_journeys_with_people_need_servers(only: tuple[str, ...], *, wanted: bool) -> None:
    assert any(journey.people for journey, _attack in selection.plan(only)) is wanted


def skipped(name: str, reason: str) -> list[dict[str, Any]]:
    return [{"t": 0.0, "run": name, "witness": "harness", "kind": "skipped", "reason": reason}]


def test_what_was_skipped_is_listed_with_its_reason_and_counted() -> None:
    reason = "Docker is not <here>"
    summary = judge(events() + skipped("real-two + none", reason), {"real-two + none": ("stun.example",)})
    assert summary["skipped"] == [{"run": "real-two + none", "reason": reason}]
    assert (summary["totals"]["skipped"], summary["totals"]["runs"], summary["verdict"]) == (1, 1, "clean")
    assert summary["control"] == [], "a run that was not made is no weak control"
    page = report.page(summary)
    assert "real-two + none" in page
    assert "Docker is not &lt;here&gt;" in page
    assert ("skipped", "1", "1") in report.compare(summary, summary)


def test_a_part_is_not_shown_as_the_whole() -> None:
    whole = judge(events())
    assert "class=part" not in report.page(whole)
    assert "Only a part was asked for / Nur ein Teil war verlangt: real-two" in report.page(
        whole | {"only": ["real-two"]}
    )
    lacking = report.page(judge(events() + skipped("real-two + none", "no")))
    assert lacking.index("Nicht durchgeführte Konferenzen über echte Server: 1") < lacking.index("<table")


def test_nothing_but_skipped_proves_nothing() -> None:
    only = [event for event in events() if event["run"].startswith("canary")]
    assert judge(only + skipped("real-two + none", "no"))["verdict"] == "void"


def test_the_stub_cannot_stand_in_for_real_servers_in_the_control() -> None:
    attack = next(known for known in ATTACKS if known.name == "mallory-avatar")
    expected = campaign._expected([(JOURNEYS[name], attack) for name in attacks.BOTH])
    (host,) = attack.expects
    record = events(seen("browser", "request", host), run="call-mallory + mallory-avatar")
    missing = {row["attack"]: row["missing"] for row in judge(record, expected)["control"]}
    assert missing["mallory-avatar"] == []
    assert missing["real-mallory + mallory-avatar"] == [host]


def test_the_page_says_what_was_seen_and_heard_in_a_call() -> None:
    told = {"witness": "harness", "kind": "received", "who": "alice", "state": "connected"}
    record = events(told | {"frames": 61, "audio": 6001, "video": 50000}, run="real-two + none")
    summary = judge(record) | {"people": {"real-two": ["alice", "bob"]}}
    assert summary["runs"][0]["media"][0]["frames"] == 61
    page = report.page(summary)
    assert "alice, bob" in page
    assert "alice: 61 frames, 6001 + 50000 bytes (connected)" in page
    assert "Calls on real servers" not in report.page(judge(events()))


def test_names_are_explained() -> None:
    texts = {"journeys": {"call": "join <x>"}, "attacks": {"none": "nothing hostile"}}
    page = report.page(judge(events()) | {"texts": texts})
    assert "<td>call</td><td>join &lt;x&gt;</td>" in page
    assert "nothing hostile" in page


def test_the_hash_of_a_site_is_what_the_documentation_works_out(tmp_path: Path) -> None:
    if not shutil.which("sha256sum"):
        pytest.skip("sha256sum is not installed: apt-get install coreutils")
    (tmp_path / "libs").mkdir()
    for name in ("index.html", "libs/a.js", "libs-b.js", "Z.js", "libs/a.js.map"):
        (tmp_path / name).write_text(name)
    (command,) = re.findall(
        r"find \. -type f ! -name '\*\.map' .*sha256sum \| sha256sum", DOCS.read_text(encoding="utf-8")
    )
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == site_digest(tmp_path)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Provide the subcommand without servers: staging.up does what ``door['up']`` says, and what is taken down is
    noted.
    """
    said: dict[str, Any] = {"down": []}

    def up(_project: Any, name: str, _ui: UI, **words: Any) -> Any:
        if isinstance(said["up"], Exception):
            raise said["up"]
        return argparse.Namespace(url="http://127.0.0.1:1", domain=DOMAIN, users={USER: PASSWORD}, name=name, **words)

    monkeypatch.setattr(evidence.staging, "up", up)
    monkeypatch.setattr(evidence.stack, "lock", contextlib.nullcontext)
    monkeypatch.setattr(evidence.stack, "down", lambda name, _folder: said["down"].append(name))
    project = argparse.Namespace(root=tmp_path, work=tmp_path, components=())
    monkeypatch.setattr(evidence, "project_of", lambda _given: project)
    return said


def serve(door: dict[str, Any], **flags: bool) -> tuple[Real | None, str]:
    given = argparse.Namespace(stack=False, no_stack=False, upstream=[], site=Path("site"))
    vars(given).update(flags)
    with evidence._servers(given, UI(quiet=True)) as (found, missing):
        assert found is None or door["down"] == [], "the servers stay up while the run needs them"
        return found, missing


NO_DOCKER = NoDockerError("Docker is not installed", hint="apt-get install docker.io")


@pytest.mark.parametrize("error", [NO_DOCKER, UnreachableError("no answer", hint="look")])
def test_without_docker_the_reason_is_kept(door: dict[str, Any], error: NoDockerError) -> None:
    door["up"] = error
    assert serve(door) == (None, f"{error.message} ({error.hint})")


def test_whoever_asks_for_the_stack_gets_it_or_an_error(door: dict[str, Any]) -> None:
    door["up"] = NO_DOCKER
    with pytest.raises(NoDockerError):
        serve(door, stack=True)


def test_whoever_refuses_the_stack_is_told_so(door: dict[str, Any]) -> None:
    assert serve(door, no_stack=True) == (None, "--no-stack was given")


def test_the_servers_are_a_stack_of_their_own_and_go_at_the_end(door: dict[str, Any]) -> None:
    door["up"] = None
    found, missing = serve(door)
    assert found is not None
    assert (found.domain, found.accounts, missing) == (DOMAIN, {USER: PASSWORD}, "")
    assert "config.hosts" in found.config
    assert [name.endswith("-evidence") for name in door["down"]] == [True]


def test_a_record_without_secrets(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "events.ndjson")
    relay.note(record, f"<response xmlns='{SASL}'>c2VjcmV0</response>")
    record.close()
    assert json.loads((tmp_path / "events.ndjson").read_text())["stanza"].endswith(">[redacted]</response>")


def test_a_picture_that_cannot_be_taken_ends_no_journey(tmp_path: Path) -> None:
    def screenshot(**_words: Any) -> None:
        raise Error("Timeout exceeded")

    page = argparse.Namespace(screenshot=screenshot)
    record = Recorder(tmp_path / "events.ndjson")
    visit = Visit(argparse.Namespace(new_page=lambda: page), NONE, "room", record, name="bob", pictures=tmp_path)
    visit.photograph()
    record.close()
    (step,) = read(tmp_path / "events.ndjson")
    assert (step["name"], step["ok"], step["must"]) == ("bob: screenshot", False, False)


def test_a_journey_that_ends_early_says_why() -> None:
    record = events(run="real-two + none", ok=False)
    record[-1]["text"] = "Error: the page is gone"
    (reason,) = judge(record)["void_because"]
    assert reason == "real-two + none: the journey did not come to its end (Error: the page is gone)"
