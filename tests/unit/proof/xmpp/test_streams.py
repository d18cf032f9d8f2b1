"""BOSH answers that never end are given up."""

from __future__ import annotations

import io
import time

import pytest
import requests
from requests.adapters import BaseAdapter

from hardener.proof.xmpp import websocket
from hardener.proof.xmpp.streams import BoshStream, Garbled, Unrecorded


class Site:
    url, ca_file, agent = "https://meet.test", "", ""


class Endless(io.RawIOBase):
    """A body without an end."""

    def __init__(self, pause: float) -> None:
        super().__init__()
        self.pause = pause

    def read(self, size: int = -1) -> bytes:
        """Return as many bytes as wanted."""
        time.sleep(self.pause)
        return b"x" * size


class Web(BaseAdapter):
    """Answers each request with a body."""

    def __init__(self, body: io.IOBase) -> None:
        super().__init__()
        self.body = body

    def send(self, request: requests.PreparedRequest, **_words: object) -> requests.Response:
        """Answer."""
        answer = requests.Response()
        answer.request, answer.status_code, answer.url, answer.raw = request, 200, str(request.url), self.body
        return answer

    def close(self) -> None:
        """Close nothing."""


def stream(body: io.IOBase, seconds: float = 5) -> BoshStream:
    end = time.monotonic() + seconds
    made = BoshStream(Site(), Unrecorded(), lambda: end)
    made._http.mount("https://", Web(body))
    return made


def test_an_answer_is_read_as_utf_8() -> None:
    made = stream(io.BytesIO("<body sid='1'><a>ä</a></body>".encode()))
    made.restart("meet.test")
    assert made.receive().text == "ä"


def test_an_answer_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LARGEST", 1 << 16)
    with pytest.raises(Garbled, match="more than"):
        stream(Endless(0)).restart("meet.test")


def test_an_answer_that_trickles_is_given_up() -> None:
    made = stream(Endless(0.05), 0.1)
    made._wait = -1
    with pytest.raises(TimeoutError):
        made.restart("meet.test")
