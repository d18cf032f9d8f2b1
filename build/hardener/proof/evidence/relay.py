"""Real servers behind the own server: what the browser says on its WebSockets goes to Prosody and the bridge, and back.

The own server listens in the sealed network, but runs outside of it: a socket stays in the namespace where it was made,
and this module makes the other one on the machine's own loopback. Nothing but these WebSockets goes that way, and the
datagrams to the bridge's one address.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from xml.etree.ElementTree import ParseError

from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection

from hardener.proof.xmpp import streams, stub, websocket
from hardener.proof.xmpp.stanzas import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hardener.proof.evidence.record import Recorder

PATH = streams.WEBSOCKET
CHANNEL = "/colibri-ws/"  # of the bridge
MEDIA = 10000  # the bridge's port for picture and sound
PATIENCE = 120.0  # seconds in which one of the two has to say something
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Real:
    """The servers: the address of their web server, the XMPP domain, passwords by account, their lines of config.js.

    ``bridge`` is the IP address of the bridge, where there is one.
    """

    url: str
    domain: str
    accounts: Mapping[str, str] = field(repr=False)
    config: str = ""
    ca_file: str = ""
    bridge: str = ""
    agent: str = ""

    def stream(self) -> streams.WebSocketStream:
        """Return a stream to Prosody, which is not open yet."""
        return streams.WebSocketStream(self, streams.Unrecorded(), lambda: time.monotonic() + PATIENCE)

    def connect(self, query: str = "") -> websocket.WebSocket:
        """Open a WebSocket to Prosody. Raises OSError or EOFError where it is refused."""
        return streams.dial(self, query, lambda: PATIENCE)

    def channel(self, path: str, query: str) -> websocket.WebSocket:
        """Open a WebSocket to the bridge. Raises what :meth:`connect` raises."""
        return streams.dial(self, query, lambda: PATIENCE, path, "")


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
        for end in ready:
            data = end.recv(_AT_ONCE)
            if not data:
                return
            other[end].sendall(data)
            if end is browser:
                overheard(data)


def relay_media(wire: socket.socket, bridge: tuple[str, int]) -> None:
    """Carry datagrams between the browsers on a wire and the bridge, until the wire is shut down."""
    ways: dict[tuple[str, int], socket.socket] = {}
    browsers: dict[socket.socket, tuple[str, int]] = {}
    with contextlib.ExitStack() as stack:
        while True:
            for ready in select.select([wire, *browsers], [], [])[0]:
                with contextlib.suppress(ConnectionRefusedError):  # a bridge that restarts
                    if ready is not wire:
                        wire.sendto(ready.recv(_AT_ONCE), browsers[ready])
                        continue
                    data, browser = wire.recvfrom(_AT_ONCE)
                    if not browser:
                        return
                    if browser not in ways:
                        way = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                        way.connect(bridge)
                        ways[browser], browsers[way] = way, browser
                    ways[browser].send(data)


class Overhearing:
    """Reads a copy of the bytes that a client sends on its WebSocket, and writes the stanzas down."""

    def __init__(self, record: Recorder) -> None:
        self._record = record
        self._inbox: websocket.Inbox | None = websocket.Inbox(ConnectionType.SERVER)

    def __call__(self, data: bytes) -> None:
        if self._inbox is None:
            return
        self._inbox.feed(data)
        try:
            for event in self._inbox.read():
                if isinstance(event, str):
                    note(self._record, event)
                elif isinstance(event, CloseConnection):
                    self._inbox = None
        except websocket.ViolationError as error:
            self._inbox = None
            self._record.add("harness", "stub-error", error=repr(error), stanza="")


def note(record: Recorder, stanza: str) -> None:
    """Write down a client's stanza, and what it gives away of the person."""
    record.add("harness", "xmpp", stanza=stanza[:300])
    with contextlib.suppress(ParseError):
        for kind, value in stub.given_away(parse(stanza)):
            record.add("harness", "given-away", what=kind, value=value)
