"""The forge's API, against a server of our own on loopback: what became of sent patches, and newer releases."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main
from support.fakes import FakeUpstream, lines, write_project, write_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MERGE = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "planted-token"
URL = "https://github.com/fake/meet/pull/7"


@dataclass
class Answers:
    """What the server says: path -> (status, headers, body); ``asked`` is what it was asked, with the token."""

    port: int = 0
    said: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def say(self, path: str, body: Any, status: int = 200, **heads: str) -> None:
        """Set the answer for a path."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.said[path] = (status, {name.replace("_", "-"): value for name, value in heads.items()}, content)


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Provide a forge on loopback that hardener is pointed to."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append((self.path, self.headers.get("Authorization", "")))
            status, heads, content = answers.said.get(self.path, (404, {}, b"{}"))
            self.send_response(status)
            for name, value in heads.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HARDENER_FORGE_API", f"http://127.0.0.1:{answers.port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("HARDENER_FORGE_TOKEN", "GITHUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield answers
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Provide a project with one patch that was sent and one that was not."""
    upstream = FakeUpstream.with_release(tmp_path / "upstream.git")
    upstream.tag("stable/meet_90")
    fields = f"Why.\n\nReason: upstreamable\nForwarded: {URL}\nUpstream-Status: Pending\nLast-Update: 2026-01-01\n"
    sent = upstream.patch({"src/app.js": lines(l5="five")}, f"Sent\n\n{fields}")
    kept = upstream.patch({"src/app.js": lines(l25="x")}, "Kept\n\nReason: build\nForwarded: not-needed\n")
    public = '"https://forge.example/fake/meet.git"'
    root = write_project(tmp_path / "project", upstream, repository=public, ref='"refs/tags/stable/meet_90"')
    write_series(root / "patches" / "fake", {"sent.patch": sent, "kept.patch": kept})
    return root


def ask(project: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Run ``hardener upstream --status`` (or what ``words`` say); exit code, answer, and all that was shown."""
    code = main.main([*(words or ("upstream", "--status")), "--project", str(project), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), out + err


def head(project: Path) -> str:
    """Return the header of the patch that was sent."""
    return (project / "patches" / "fake" / "sent.patch").read_text("utf-8").partition("diff --git")[0]


@pytest.mark.parametrize(
    ("answer", "state", "wanted"),
    [
        ({"state": "open"}, "open", [f"Upstream-Status: Submitted {URL}"]),
        (
            {"state": "closed", "merged": True, "merge_commit_sha": MERGE},
            "merged",
            [f"Upstream-Status: Backport {MERGE}", f"Applied-Upstream: {MERGE}"],
        ),
        ({"state": "closed", "merge_commit_sha": MERGE}, "closed", ["Upstream-Status: Denied closed without a merge"]),
    ],
    ids=("open", "merged", "closed"),
)
def test_the_header_follows_the_pull_request(
    forge: Answers,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    answer: dict[str, Any],
    state: str,
    wanted: list[str],
) -> None:
    forge.say("/repos/fake/meet/pulls/7", answer)
    before = (project / "patches" / "fake" / "sent.patch").read_bytes()
    code, said, _ = ask(project, capsys, "upstream", "--status", "--dry-run")
    assert (code, said["patches"][0]["state"]) == (0, state)
    assert (project / "patches" / "fake" / "sent.patch").read_bytes() == before
    assert ask(project, capsys)[0] == 0
    assert all(f"\n{line}\n" in head(project) for line in wanted)
    assert "2026-01-01" not in head(project)
    assert (project / "patches" / "fake" / "sent.patch").read_bytes().partition(b"diff --git")[2] == before.partition(
        b"diff --git"
    )[2]
    assert [path for path, _ in forge.asked] == ["/repos/fake/meet/pulls/7"] * 2
    changes = ask(project, capsys)[1]["patches"][0]["changes"]
    assert changes == {}, "a second time there is nothing to change"


def test_a_reason_that_somebody_wrote_stays(forge: Answers, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "patches" / "fake" / "sent.patch"
    path.write_bytes(path.read_bytes().replace(b"Status: Pending", b"Status: Denied they want a switch"))
    forge.say("/repos/fake/meet/pulls/7", {"state": "closed"})
    assert ask(project, capsys)[1]["patches"][0]["changes"] == {}


def test_the_token_goes_to_the_forge_and_nowhere_else(
    forge: Answers, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    forge.say("/repos/fake/meet/pulls/7", {}, status=401)
    code, said, shown = ask(project, capsys)
    assert forge.asked[0][1] == f"Bearer {TOKEN}"
    assert (code, "GITHUB_TOKEN" in said["hint"], TOKEN in shown) == (4, True, False)
    # A redirect to another host would take the token along.
    forge.say("/repos/fake/meet/pulls/7", {}, status=302, Location="https://elsewhere.example/")
    code, said, _ = ask(project, capsys)
    assert (code, "HTTP 302" in said["error"]) == (4, True)


@pytest.mark.parametrize(
    ("status", "heads", "said"),
    [
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1"}, "rate limit is used up; it ends in 0 minutes"),
        (429, {"Retry_After": "600"}, "rate limit is used up; it ends in 10 minutes"),
        (404, {}, "answers with HTTP 404"),
        (500, {}, "answers with HTTP 500"),
    ],
    ids=("limit", "retry", "missing", "broken"),
)
def test_every_refusal_is_code_4_and_changes_no_header(
    forge: Answers,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    heads: dict[str, str],
    said: str,
) -> None:
    forge.say("/repos/fake/meet/pulls/7", {}, status=status, **heads)
    before = head(project)
    code, answer, _ = ask(project, capsys)
    assert (code, said in answer["error"], bool(answer["hint"])) == (4, True, True)
    assert ("GITHUB_TOKEN" in answer["hint"]) == (status != 500)
    assert head(project) == before


def test_something_else_than_json_is_code_4(forge: Answers, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forge.say("/repos/fake/meet/pulls/7", b"<html>log in</html>")
    code, answer, _ = ask(project, capsys)
    assert (code, "not with JSON" in answer["error"]) == (4, True)


def test_offline_is_code_4_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forge: Answers
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_address[1]
    monkeypatch.setenv("HARDENER_FORGE_API", f"http://127.0.0.1:{port}")
    for words in ((), ("outdated", "--api")):
        code, answer, _ = ask(project, capsys, *words)
        assert (code, "does not answer" in answer["error"], "network" in answer["hint"]) == (4, True, True)


def test_newer_releases_by_the_api_over_several_pages(
    forge: Answers, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/repos/fake/meet/git/matching-refs/tags/stable/meet_?per_page=100&page="
    tags = [f"refs/tags/stable/meet_{number}" for number in (89, 90, 91)]
    forge.say(path + "1", [{"ref": ref, "object": {"sha": MERGE}} for ref in tags])
    forge.say(path + "2", [{"ref": "refs/tags/stable/meet_100", "object": {"sha": MERGE}}])
    forge.say(path + "3", [])
    code, answer, _ = ask(project, capsys, "outdated", "--api")
    assert (code, answer["components"][0]["newer"]) == (9, ["stable/meet_91", "stable/meet_100"])
