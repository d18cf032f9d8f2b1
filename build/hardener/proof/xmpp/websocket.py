"""RFC 6455 as far as this needs it: both ends, text frames, no extensions."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _CLOSE, _PING, _PONG = 0, 1, 8, 9, 10


def accept_key(key: str) -> str:
    """The answer to a client's key.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()


def frame(text: bytes, *, opcode: int = _TEXT, mask: bytes = b"") -> bytes:
    """One frame; clients mask with four bytes.

    >>> frame(b"hi")
    b'\\x81\\x02hi'
    """
    size, bit = len(text), 0x80 if mask else 0
    if size < 126:  # noqa: PLR2004
        head = struct.pack("!BB", 0x80 | opcode, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, bit | 127, size)
    return head + mask + (masked(text, mask) if mask else text)


def masked(data: bytes, mask: bytes) -> bytes:
    """A payload with the mask put on or taken off."""
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


class HandshakeError(ConnectionError):
    """The other side speaks HTTP, and no WebSocket; its answer is the message."""


class WebSocket:
    """A connection whose handshake is done. Sending is safe from several threads, receiving is for one."""

    def __init__(self, connection: socket.socket, *, client: bool = False, rest: bytes = b"") -> None:
        self._connection, self._client, self._buffer = connection, client, rest
        self._lock = threading.Lock()

    def send(self, text: str, *, opcode: int = _TEXT) -> None:
        """Send one message."""
        mask = os.urandom(4) if self._client else b""
        with self._lock:
            self._connection.sendall(frame(text.encode(), opcode=opcode, mask=mask))

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            more = self._connection.recv(1 << 16)
            if not more:
                raise EOFError
            self._buffer += more
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def receive(self) -> str:
        """The next message; EOFError when the other side has gone."""
        message = b""
        while True:
            first, second = self._take(2)
            size = second & 127
            if size >= 126:  # noqa: PLR2004
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")  # noqa: PLR2004
            mask = self._take(4) if second & 0x80 else b""
            data = self._take(size)
            data = masked(data, mask) if mask else data
            opcode = first & 15
            if opcode == _CLOSE:
                raise EOFError
            if opcode == _PING:
                self.send(data.decode("latin-1"), opcode=_PONG)
            elif opcode != _PONG:
                message += data
                if first & 0x80:
                    return message.decode("utf-8", "replace")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def connect(connection: socket.socket, host: str, path: str, protocol: str = "") -> WebSocket:
    """Shake hands as a client; ``protocol`` is the subprotocol to ask for (``xmpp``, say).

    Raises HandshakeError, with what came instead, where the other side does not take the handshake.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    connection.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(4096)
        if not more:
            raise EOFError
        answer += more
    header, rest = answer.split(b"\r\n\r\n", 1)
    if b" 101 " not in header.split(b"\r\n", 1)[0]:
        raise HandshakeError(header.decode("latin-1"))
    return WebSocket(connection, client=True, rest=rest)
