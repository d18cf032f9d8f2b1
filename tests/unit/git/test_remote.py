"""git/remote.py when the source is on the network: retries, and what is said about an answer. Nothing is sent here."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import git
import pytest
import requests

from hardener.errors import StackError, UnreachableError
from hardener.git import remote
from hardener.git.fetch import fetch
from hardener.git.remote import diagnose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.fakes import FakeUpstream

URL = "https://git.invalid/x.git"


class Network:
    """A substitute for the network: counts tries and pauses, answers with one failure."""

    def __init__(self, complaint: str) -> None:
        self.complaint = complaint
        self.tries: list[str] = []
        self.pauses: list[float] = []

    def once(self, _transfer: object, verb: str, words: tuple[str, ...], _stdin: str) -> str:
        """Return one conversation that fails."""
        self.tries.append(verb)
        raise git.GitCommandError(["git", verb, *words], 128, stderr=self.complaint)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return a network that fails in a way that may pass."""
    network = Network(f"fatal: unable to access '{URL}/': Could not resolve host: git.invalid")
    monkeypatch.setattr(remote.Transfer, "_once", lambda *words: network.once(*words))  # noqa: PLW0108
    monkeypatch.setattr("time.sleep", network.pauses.append)
    monkeypatch.setattr(requests, "get", lambda *_, **__: (_ for _ in ()).throw(requests.exceptions.Timeout))
    return network


def test_a_failure_that_may_pass_is_tried_again_after_each_pause(upstream: FakeUpstream, network: Network) -> None:
    told: list[str] = []
    with pytest.raises(UnreachableError, match="Could not resolve host") as caught:
        fetch(upstream.component(repository=URL), tell=lambda text, _: told.append(text))
    assert network.pauses == list(remote.PAUSES) == [1.0, 4.0, 16.0]
    assert len(network.tries) == len(remote.PAUSES) + 1
    assert told == ["no answer, next try in 1 s", "no answer, next try in 4 s", "no answer, next try in 16 s"]
    assert caught.value.exit_code == 4
    assert "HARDENER_UPSTREAM" in caught.value.hint
    assert caught.value.details == ("the host does not answer within 10 s",)


def far_away(
    conversation: remote.Transfer, *words: object, begin: Callable[..., None] = remote.Transfer.__init__
) -> None:
    """Begin a conversation with a local source that is talked to as if it were on the network."""
    begin(conversation, *words)
    conversation.local = False


def test_a_failure_that_passes_is_no_failure(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    real, pauses, failures = remote.Transfer._once, [], [2]

    def once(transfer: remote.Transfer, verb: str, words: tuple[str, ...], stdin: str) -> str:
        if failures[0]:
            failures[0] -= 1
            raise git.GitCommandError(["git", verb], 128, stderr="fatal: the remote end hung up unexpectedly")
        return real(transfer, verb, words, stdin)

    monkeypatch.setattr(remote.Transfer, "_once", once)
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr(remote.Transfer, "__init__", far_away)
    assert fetch(upstream.component()).objects > 0
    assert pauses == [1.0, 4.0]


PERMANENT = {
    "not found": f"fatal: repository '{URL}/' not found",
    "forbidden": f"fatal: unable to access '{URL}/': The requested URL returned error: 403",
    "authentication": f"fatal: Authentication failed for '{URL}/'",
    "no credentials": f"fatal: could not read Username for '{URL}': terminal prompts disabled",
    "ssh key": "git@git.invalid: Permission denied (publickey). fatal: Could not read from remote repository.",
}


@pytest.mark.parametrize("complaint", PERMANENT.values(), ids=PERMANENT.keys())
def test_a_failure_that_stays_is_not_tried_again(upstream: FakeUpstream, network: Network, complaint: str) -> None:
    network.complaint = complaint
    with pytest.raises(UnreachableError) as caught:
        fetch(upstream.component(repository=URL))
    assert (len(network.tries), network.pauses) == (1, [])
    assert caught.value.hint


def test_a_local_source_is_not_tried_again(upstream: FakeUpstream, network: Network) -> None:
    with pytest.raises(UnreachableError) as caught:
        fetch(upstream.component())
    assert (len(network.tries), network.pauses) == (1, [])
    assert caught.value.details == ()


def test_git_never_asks_for_a_password(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []
    real = git.Git.execute

    def execute(self: git.Git, command: list[str], *words: object, **more: object) -> object:
        seen.append(self._environment.get("GIT_TERMINAL_PROMPT"))
        return real(self, command, *words, **more)

    monkeypatch.setattr(git.Git, "execute", execute)
    fetch(upstream.component())
    assert "0" in seen
    assert "GIT_TERMINAL_PROMPT" not in os.environ


def answer(status: int, reason: str) -> requests.Response:
    """Return an HTTP answer."""
    response = requests.Response()
    response.status_code, response.reason = status, reason
    response.raw = io.BytesIO()
    return response


DIAGNOSES: dict[str, tuple[object, str]] = {
    "certificate": (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), "TLS certificate"),
    "proxy": (requests.exceptions.ProxyError("407"), "proxy"),
    "time-out": (requests.exceptions.ReadTimeout(), "does not answer within 10 s"),
    "time-out while connecting": (requests.exceptions.ConnectTimeout(), "does not answer within 10 s"),
    "name": (requests.exceptions.ConnectionError("Failed to resolve 'git.invalid'"), "cannot be resolved"),
    "refused": (requests.exceptions.ConnectionError("Connection refused"), "refuses the connection"),
    "other": (requests.exceptions.TooManyRedirects("Exceeded 30 redirects."), "Exceeded 30 redirects"),
    "HTTP 404": (answer(404, "Not Found"), "HTTP 404 Not Found"),
    "HTTP 503": (answer(503, "Service Unavailable"), "HTTP 503"),
}


@pytest.mark.parametrize(("outcome", "said"), DIAGNOSES.values(), ids=DIAGNOSES.keys())
def test_what_the_source_answers_is_said_in_words(monkeypatch: pytest.MonkeyPatch, outcome: object, said: str) -> None:
    asked: list[str] = []

    def get(url: str, **more: object) -> object:
        asked.append(url)
        assert more["timeout"] == 10
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(requests, "get", get)
    (line,) = diagnose(URL)
    assert said in line
    assert asked == [f"{URL}/info/refs"]


def test_an_answer_that_is_right_says_no_more_than_git_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda *_, **__: answer(200, "OK"))
    assert diagnose(URL) == ()


@pytest.mark.parametrize("url", ["ssh://git.invalid/x", "/srv/x.git", "file:///srv/x.git"])
def test_other_sources_are_not_asked(url: str) -> None:
    assert diagnose(url) == ()


def test_the_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.example:3128")
    monkeypatch.setattr(requests, "get", lambda *_, **__: (_ for _ in ()).throw(requests.exceptions.ProxyError))
    (line,) = diagnose(URL)
    assert "proxy.example:3128" in line
    assert "secret" not in line


def test_a_git_that_is_killed_at_its_first_question_is_an_error_with_a_hint() -> None:
    """GitPython asks for git's version while it is imported, and calls a failure an ImportError."""
    code = (
        "import sys; sys.modules['git'] = None\n"
        "from hardener.errors import StackError\n"
        "try:\n    import hardener.git.remote\nexcept StackError as error:\n    print(error.message, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("git does not start: ")
    assert "the same command again" in done.stdout


# What git prints on a machine that lets it write no more, beside what it then takes for a failure of the host.
MACHINE = (
    "fatal: write error: No space left on device\nfatal: index-pack failed",
    "error: unable to write file objects/pack/tmp_pack_x: Disk quota exceeded",
    "fatal: Unable to create temporary file '/cache/x': Read-only file system",
    "fatal: cannot create pipe: Too many open files",
    "error: cannot open FETCH_HEAD: Too many open files in system",
    "error: insufficient permission for adding an object to repository database objects\nfatal: early EOF",
    "fatal: Unable to create '/cache/mirrors/x.git/shallow.lock': Permission denied",
    "fatal: unable to create temporary file '/cache/mirrors/x.git/objects/pack/tmp_pack_x': Operation not permitted",
)


@pytest.mark.parametrize("complaint", MACHINE)
def test_what_this_machine_refuses_is_not_taken_for_the_network(
    upstream: FakeUpstream, network: Network, complaint: str
) -> None:
    network.complaint = complaint
    with pytest.raises(StackError) as caught:
        fetch(upstream.component(repository=URL))
    assert (caught.value.exit_code, network.pauses) == (8, [])


@pytest.mark.parametrize("complaint", ["git@host: Permission denied (publickey).", "remote: Permission denied to bot"])
def test_what_a_host_denies_is_still_the_hosts(upstream: FakeUpstream, network: Network, complaint: str) -> None:
    network.complaint = complaint
    with pytest.raises(UnreachableError):
        fetch(upstream.component(repository=URL))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE])
def test_a_full_folder_for_temporary_files_is_not_a_bug(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), "/tmp/x")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(StackError, match="/tmp/x"):
        fetch(upstream.component())


def test_a_named_path_without_a_repository_is_to_be_corrected(upstream: FakeUpstream, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError) as caught:
        fetch(upstream.component(repository=str(tmp_path / "nowhere")))
    assert "correct what HARDENER_UPSTREAM" in caught.value.hint
