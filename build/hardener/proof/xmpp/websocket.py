"""WebSockets over plain sockets (RFC 6455), both ends: text messages, no extensions. wsproto speaks the protocol."""

from __future__ import annotations

import contextlib
import secrets
import struct
import threading
from typing import TYPE_CHECKING, NoReturn

import h11
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, RejectConnection, Request, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import H11Handshake
from wsproto.utilities import ProtocolError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from wsproto.events import Event

LARGEST = 1 << 26  # characters of one message; a record of Chromium's has a few megabytes
_AT_ONCE = 1 << 16
_BAD_HANDSHAKE = (ProtocolError, h11.ProtocolError, UnicodeError)  # UnicodeError: wsproto reads some headers as ASCII


class HandshakeError(ConnectionError):
    """The other side does not take the handshake. ``status`` is its HTTP status, 0 where the answer is not valid."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class EndedError(EOFError):
    """The other side has ended the connection; ``code`` is its close code, 1006 where it hung up without one."""

    def __init__(self, code: int = CloseReason.ABNORMAL_CLOSURE) -> None:
        super().__init__(f"closed with {int(code)}")
        self.code = int(code)


class ViolationError(ValueError):
    """The other side breaks the protocol; ``code`` is the close code for that."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = int(code)


class Inbox:
    """Text messages and control frames in the bytes that one end sends. It has no socket and answers nothing.

    ``end`` is the end that reads: a client expects frames without a mask, a server masked ones.
    """

    def __init__(self, end: ConnectionType | Connection) -> None:
        self.protocol = end if isinstance(end, Connection) else Connection(end)
        self._pieces: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self.protocol.receive_data(data)

    def read(self) -> Iterator[str | Ping | CloseConnection]:
        """Yield what has come, one message at a time. Raises ViolationError."""
        for event in self.protocol.events():
            if isinstance(event, CloseConnection):
                if self.protocol.state is ConnectionState.OPEN:  # wsproto has found a fault
                    raise ViolationError(event.reason or "a broken frame", event.code)
                yield event
            elif isinstance(event, Ping):
                yield event
            elif isinstance(event, TextMessage):
                yield from self._add(event)
            elif isinstance(event, Message):
                raise ViolationError("a binary message", CloseReason.UNSUPPORTED_DATA)

    def _add(self, event: TextMessage) -> Iterator[str]:
        self._size += len(event.data)
        if self._size > LARGEST:
            raise ViolationError(f"a message of more than {LARGEST} characters", CloseReason.MESSAGE_TOO_BIG)
        if event.data:
            self._pieces.append(event.data)
        if event.message_finished:
            text, self._pieces, self._size = "".join(self._pieces), [], 0
            yield text


class WebSocket:
    """A connection whose handshake is done. Several threads may send, one may receive."""

    def __init__(self, connection: socket.socket, end: ConnectionType | Connection) -> None:
        self.connection = connection
        self._inbox = Inbox(end)
        self._lock = threading.Lock()
        self._end: Exception | None = None

    def send(self, text: str) -> None:
        """Send one message. Raises OSError where the other side has gone."""
        self._send(TextMessage(data=text))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are: frames that are broken on purpose (:func:`raw_frame`)."""
        with self._lock:
            self.connection.sendall(data)

    def _send(self, event: Event) -> None:
        with self._lock:
            try:
                data = self._inbox.protocol.send(event)
            except ProtocolError as error:
                raise ConnectionResetError("the other side has closed the WebSocket") from error
            self.connection.sendall(data)

    def receive(self, left: Callable[[], float] | None = None) -> str:
        """Return the next message. ``left`` returns the seconds that remain, and is asked before each wait.

        Raises EndedError when the other side has gone, ViolationError when it breaks the protocol, and TimeoutError.
        """
        if self._end:
            raise self._end
        while True:
            try:
                for event in self._inbox.read():
                    if isinstance(event, str):
                        return event
                    self._send(event.response())
                    if isinstance(event, CloseConnection):
                        self._stop(EndedError(event.code))
            except ViolationError as error:
                with contextlib.suppress(OSError):
                    self._send(CloseConnection(code=error.code, reason=str(error)))
                self._stop(error)
            if left:
                self.connection.settimeout(left())
            data = self.connection.recv(_AT_ONCE)
            if not data:
                self._stop(EndedError())
            self._inbox.feed(data)

    def _stop(self, reason: Exception) -> NoReturn:
        self._end = reason
        raise reason

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def connect(
    connection: socket.socket,
    host: str,
    path: str,
    protocol: str = "",
    left: Callable[[], float] | None = None,
    agent: str = "",
) -> WebSocket:
    """Shake hands as a client; ``protocol`` is the subprotocol that the server has to speak (``xmpp``, say), ``agent``
    the User-Agent.

    Raises HandshakeError where the server does not take the handshake or its answer is not valid, EndedError where it
    hangs up, and TimeoutError.
    """
    handshake = H11Handshake(ConnectionType.CLIENT)
    try:
        headers = [(b"User-Agent", agent.encode("ascii"))] if agent else []
        request = Request(host=host, target=path, subprotocols=[protocol] if protocol else [], extra_headers=headers)
        connection.sendall(handshake.send(request))
        answer = None
        while answer is None:
            if left:
                connection.settimeout(left())
            data = connection.recv(_AT_ONCE)
            if not data:
                raise EndedError
            handshake.receive_data(data)
            answer = next(handshake.events(), None)
    except _BAD_HANDSHAKE as error:
        raise HandshakeError(f"no WebSocket: {error}") from error
    if isinstance(answer, RejectConnection):
        raise HandshakeError(f"HTTP {answer.status_code}", answer.status_code)
    if not isinstance(answer, AcceptConnection) or handshake.connection is None:
        raise TypeError(answer)
    if answer.subprotocol != (protocol or None):  # RFC 7395, section 3.1; browsers do the same
        raise HandshakeError(f"no WebSocket: the server does not speak the subprotocol {protocol}")
    return WebSocket(connection, handshake.connection)


def accept(connection: socket.socket, path: str, headers: Iterable[tuple[str, str]]) -> WebSocket:
    """Take a client's handshake (the path and headers of its GET), with the first subprotocol that it names.

    Raises HandshakeError where it is not valid.
    """
    handshake = H11Handshake(ConnectionType.SERVER)
    try:
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        handshake.initiate_upgrade_connection(encoded, path)
        request = next(handshake.events())
    except _BAD_HANDSHAKE as error:
        raise HandshakeError(f"no WebSocket: {error}") from error
    if not isinstance(request, Request):
        raise TypeError(request)
    connection.sendall(handshake.send(AcceptConnection(subprotocol=next(iter(request.subprotocols), None))))
    if handshake.connection is None:
        raise TypeError(handshake.state)
    return WebSocket(connection, handshake.connection)


def raw_frame(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame with any opcode and any bytes. wsproto makes none that is broken.

    >>> len(raw_frame(5, b"hi"))
    8
    """
    size, mask = len(payload), secrets.token_bytes(4)
    if size < 126:  # noqa: PLR2004
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    repeated = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + masked.to_bytes(size, "big")
