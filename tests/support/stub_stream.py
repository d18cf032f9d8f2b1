"""A stream whose other end is the stub, without a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hardener.proof.xmpp import stanzas
from hardener.proof.xmpp.streams import Closed, Stream, Unrecorded

if TYPE_CHECKING:
    from hardener.proof.xmpp.stub import Conversation


class Nowhere:
    """A site without an address."""

    url = ca_file = agent = ""


class StubStream(Stream):
    """``sent`` is what the client has said, ``waiting`` what it has not read yet; when that is empty, the server
    hangs up.
    """

    name = "stub"

    def __init__(self, talk: Conversation) -> None:
        super().__init__(Nowhere(), Unrecorded(), lambda: math.inf)
        self.talk = talk
        self.sent: list[str] = []
        self.waiting: list[str] = []
        self.closed = False

    def restart(self, to: str) -> None:
        """Send the stream's head."""
        self.send(f"<open xmlns='{stanzas.FRAMING}' to='{to}' version='1.0'/>")

    def send(self, text: str) -> None:
        """Have the stub answer."""
        self.sent.append(text)
        self.waiting += self.talk.answer(text)

    def _fetch(self) -> None:
        if not self.waiting:
            raise Closed
        self._ready.append(self._parse(self.waiting.pop(0)))

    def close(self) -> None:
        """Note that the client has gone."""
        self.closed = True
