"""Real servers behind the own server: what the browser says on its XMPP WebSocket goes to Prosody and back.

The own server listens in the sealed network, but runs outside of it: a socket stays in the namespace where it was made,
and this module makes the other one on the machine's own loopback. Nothing but these WebSockets goes that way.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET  # only our own client's stanzas are read

from hardener.proof.xmpp import stub, websocket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hardener.proof.evidence.record import Recorder

PATH = "/xmpp-websocket"
PATIENCE = 120.0  # seconds in which one of the two has to say something
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Real:
    """The servers: the address of their web server, the XMPP domain, passwords by account, their lines of config.js."""

    url: str
    domain: str
    accounts: Mapping[str, str] = field(repr=False)
    config: str = ""

    def connect(self, query: str = "") -> tuple[socket.socket, websocket.WebSocket]:
        """A WebSocket to Prosody, and the connection below it. Raises OSError or EOFError where it is refused."""
        parts = urlsplit(self.url)
        connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=PATIENCE)
        try:
            path = PATH + (f"?{query}" if query else "")
            return connection, websocket.connect(connection, parts.netloc, path, "xmpp")
        except BaseException:
            connection.close()
            raise


class Readable(Protocol):
    """One end of a relay: a socket, as a rule; ``pending`` are bytes of TLS that have been read already."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def fileno(self) -> int: ...


def relay(browser: Readable, server: Readable, overheard: Callable[[bytes], None]) -> None:
    """Carry bytes both ways until one side has gone or both are silent; ``overheard`` gets what the browser sends.

    In one thread: a TLS connection must not be read and written at the same time.
    """
    other = {browser: server, server: browser}
    while True:
        waiting = getattr(browser, "pending", int)()
        ready = [browser] if waiting else select.select([browser, server], [], [], PATIENCE)[0]
        if not ready:
            return
        for one in ready:
            data = one.recv(_AT_ONCE)
            if not data:
                return
            other[one].sendall(data)
            if one is browser:
                overheard(data)


class Overhearing:
    """Context manager: reads a copy of what a client sends on its WebSocket and writes the stanzas down."""

    def __init__(self, record: Recorder) -> None:
        self._record = record
        self._mouth, self._ear = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Callable[[bytes], None]:
        self._thread.start()
        return self._mouth.sendall

    def __exit__(self, *_exception: object) -> None:
        self._mouth.close()
        self._thread.join()
        self._ear.close()

    def _listen(self) -> None:
        stream = websocket.WebSocket(self._ear)
        with contextlib.suppress(EOFError, OSError):
            while True:
                note(self._record, stream.receive())


def note(record: Recorder, stanza: str) -> None:
    """Write down a client's stanza, and what it gives away of the person."""
    record.add("harness", "xmpp", stanza=stanza[:300])
    with contextlib.suppress(ET.ParseError):
        for kind, value in stub.given_away(ET.fromstring(stanza)):  # noqa: S314
            record.add("harness", "given-away", what=kind, value=value)
