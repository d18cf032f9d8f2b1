"""WebSockets of both ends: valid handshakes only, messages in pieces, control frames between them, and broken
frames.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import ConnectionType
from wsproto.utilities import generate_accept_token

from hardener.proof.xmpp import websocket
from hardener.proof.xmpp.streams import Closed, Garbled, Unrecorded, WebSocketStream
from hardener.proof.xmpp.websocket import EndedError, HandshakeError, ViolationError, WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT, SERVER = ConnectionType.CLIENT, ConnectionType.SERVER
MASK = b"\1\2\3\4"
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


class Wire:
    """A connection whose other end has said all that it will say, in chunks; then it hangs up."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks, self.sent, self.timeouts, self.closed = list(chunks), b"", [], False

    def recv(self, _size: int) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def settimeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def close(self) -> None:
        self.closed = True


class Server(Wire):
    """Answers a handshake; ``head`` may name the right token as {accept}, and bytes may follow at once."""

    def __init__(self, head: str, rest: bytes = b"") -> None:
        super().__init__()
        self.head, self.rest = head, rest

    def sendall(self, data: bytes) -> None:
        super().sendall(data)
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", data)
        if key:
            head = self.head.format(accept=generate_accept_token(key[1]).decode())
            self.chunks.append(f"{head}\r\n".encode("latin-1") + self.rest)


def frame(first: int, payload: bytes = b"", *, mask: bytes = b"") -> bytes:
    """Return a frame whose first byte (final bit, reserved bits, opcode) is given; at most 125 bytes."""
    hidden = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if mask else payload
    return bytes([first, (0x80 if mask else 0) | len(payload)]) + mask + hidden


def unmasked(data: bytes) -> tuple[int, bytes]:
    """Return the first byte and the payload of a client's only frame."""
    assert data[1] & 0x80, "a client masks"
    size, mask = data[1] & 0x7F, data[2:6]
    assert len(data) == 6 + size
    return data[0], bytes(byte ^ mask[place % 4] for place, byte in enumerate(data[6:]))


def client(*chunks: bytes) -> tuple[WebSocket, Wire]:
    wire = Wire(*chunks)
    return WebSocket(wire, CLIENT), wire


# --- handshakes


def test_a_valid_handshake_is_taken_and_what_comes_with_it_is_read() -> None:
    head = f"{SWITCH}Sec-WebSocket-Accept: {{accept}}\r\nSec-WebSocket-Protocol: xmpp\r\n"
    server = Server(head, frame(0x81, b"<early/>"))
    ready = websocket.connect(server, "meet.test", "/xmpp-websocket?token=t", "xmpp")
    assert ready.receive() == "<early/>"
    assert server.sent.startswith(b"GET /xmpp-websocket?token=t HTTP/1.1\r\nHost: meet.test\r\n")
    assert b"Sec-WebSocket-Protocol: xmpp\r\n" in server.sent
    assert b"Sec-WebSocket-Extensions" not in server.sent


ACCEPT, XMPP = "Sec-WebSocket-Accept: {accept}\r\n", "Sec-WebSocket-Protocol: xmpp\r\n"
UNANSWERED = {
    "another key's token": (f"{SWITCH}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{XMPP}", 0),
    "a token that is no base64": (f"{SWITCH}Sec-WebSocket-Accept: anything\r\n{XMPP}", 0),
    "an empty token": (f"{SWITCH}Sec-WebSocket-Accept:\r\n{XMPP}", 0),
    "no token": (f"{SWITCH}{XMPP}", 0),
    "no Upgrade": (f"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\n{ACCEPT}{XMPP}", 0),
    "no Connection": (f"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n{ACCEPT}{XMPP}", 0),
    "no subprotocol": (f"{SWITCH}{ACCEPT}", 0),
    "another subprotocol": (f"{SWITCH}{ACCEPT}Sec-WebSocket-Protocol: mqtt\r\n", 0),
    "a subprotocol that is not ASCII": (f"{SWITCH}{ACCEPT}Sec-WebSocket-Protocol: \xff\r\n", 0),
    "an extension that was not asked for": (f"{SWITCH}{ACCEPT}{XMPP}Sec-WebSocket-Extensions: permessage-deflate\r\n", 0),
    "an extension that is not ASCII": (f"{SWITCH}{ACCEPT}{XMPP}Sec-WebSocket-Extensions: \xff\r\n", 0),
    "no HTTP": ("SSH-2.0-x\r\n", 0),
    "a head without an end": (f"HTTP/1.1 101 Yes\r\nX: {'x' * (1 << 17)}", 0),
    "early hints": ("HTTP/1.1 103 Early Hints\r\n", 103),
    "a refusal": ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n", 403),
    "a page": ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 200),
    "a broken proxy": ("HTTP/1.0 502 Bad Gateway\r\n", 502),
}  # fmt: skip


@pytest.mark.parametrize(("head", "status"), UNANSWERED.values(), ids=UNANSWERED)
def test_no_other_answer_is_taken_for_a_handshake(head: str, status: int) -> None:
    with pytest.raises(HandshakeError) as caught:
        websocket.connect(Server(head), "meet.test", "/", "xmpp")
    assert caught.value.status == status


def test_a_subprotocol_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(HandshakeError):
        websocket.connect(Server(f"{SWITCH}{ACCEPT}{XMPP}"), "meet.test", "/")


def test_a_hang_up_in_the_handshake_is_an_end() -> None:
    for chunks in ((), (b"HTTP/1.1 101 Swi",)):
        with pytest.raises(EndedError):
            websocket.connect(Wire(*chunks), "meet.test", "/")


@pytest.mark.parametrize("path", ["/ a", "/\r\nX: y", "/ä"])
def test_an_address_that_is_no_address_is_not_sent(path: str) -> None:
    wire = Wire()
    with pytest.raises(HandshakeError):
        websocket.connect(wire, "meet.test", path)
    assert not wire.sent


GET = {
    "Host": "meet.test",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def test_a_server_takes_a_handshake_with_the_first_subprotocol_and_without_extensions() -> None:
    wire = Wire(frame(0x81, b"hi", mask=MASK))
    offered = {"Sec-WebSocket-Protocol": "xmpp, mqtt", "Sec-WebSocket-Extensions": "permessage-deflate"}
    ready = websocket.accept(wire, "/xmpp-websocket", (GET | offered).items())
    assert wire.sent.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in wire.sent, (
        "the example of RFC 6455, section 1.3"
    )
    assert b"Sec-WebSocket-Protocol: xmpp\r\n" in wire.sent
    assert b"Extensions" not in wire.sent
    assert ready.receive() == "hi"
    websocket.accept(plain := Wire(), "/", GET.items())
    assert b"Sec-WebSocket-Protocol" not in plain.sent


@pytest.mark.parametrize("changed", [{name: None} for name in GET] + [
    {"Sec-WebSocket-Version": "8"}, {"Upgrade": "h2c"}, {"Sec-WebSocket-Protocol": "\xff"}, {"Connection": "\xff"},
])  # fmt: skip
def test_a_server_takes_no_other_handshake(changed: dict[str, str | None]) -> None:
    wire = Wire()
    headers = [(name, value) for name, value in (GET | changed).items() if value is not None]
    with pytest.raises(HandshakeError):
        websocket.accept(wire, "/", headers)
    assert not wire.sent


# --- messages


@given(text=st.text(max_size=300), sizes=st.lists(st.integers(1, 40), max_size=8), from_client=st.booleans())
def test_what_is_sent_comes_back_in_chunks_of_any_size(text: str, sizes: list[int], *, from_client: bool) -> None:
    wire = Wire()
    WebSocket(wire, CLIENT if from_client else SERVER).send(text)
    data, chunks = wire.sent, []
    for size in sizes:
        chunks, data = [*chunks, data[:size]], data[size:]
    other = WebSocket(Wire(*filter(None, (*chunks, data))), SERVER if from_client else CLIENT)
    assert other.receive() == text


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_raw_frames_of_any_size_are_valid_where_they_are_not_broken(size: int) -> None:
    assert WebSocket(Wire(websocket.raw_frame(1, b"x" * size)), SERVER).receive() == "x" * size


@pytest.mark.parametrize("payload", [b"\xff\x80", b"", b"\0" * 125, "ü".encode()])
@pytest.mark.parametrize("end", [CLIENT, SERVER])
def test_a_ping_is_answered_with_its_own_bytes(payload: bytes, end: ConnectionType) -> None:
    mask = MASK if end is SERVER else b""
    wire = Wire(frame(0x89, payload, mask=mask) + frame(0x81, b"x", mask=mask))
    assert WebSocket(wire, end).receive() == "x"
    assert (unmasked(wire.sent) if end is CLIENT else (wire.sent[0], wire.sent[2:])) == (0x8A, payload)


def test_control_frames_between_the_pieces_of_a_message_do_not_become_part_of_it() -> None:
    pieces = (
        frame(0x01, b"<a>\xc3"),
        frame(0x89, b"p"),
        frame(0x8A, b"never asked"),
        frame(0x00),
        frame(0x80, b"\xbc"),
    )
    for chunks in (pieces, (b"".join(pieces),), tuple(bytes([byte]) for byte in b"".join(pieces))):
        ready, wire = client(*chunks)
        assert ready.receive() == "<a>ü", "a character may be divided, too"
        assert unmasked(wire.sent) == (0x8A, b"p")


def test_several_messages_in_one_chunk_are_several() -> None:
    ready, _wire = client(frame(0x81, b"a") + frame(0x81) + frame(0x81, b"b") + frame(0x88))
    assert [ready.receive() for _number in range(3)] == ["a", "", "b"]
    with pytest.raises(EndedError):
        ready.receive()


def test_a_message_goes_on_after_a_timeout() -> None:
    ready, wire = client(frame(0x01, b"a"))

    def up() -> float:
        if wire.chunks:
            return 1.0
        raise TimeoutError

    with pytest.raises(TimeoutError):
        ready.receive(up)
    wire.chunks.append(frame(0x80, b"b"))
    assert ready.receive(up) == "ab"


def test_the_time_that_remains_is_asked_for_before_each_wait() -> None:
    ready, wire = client(*[frame(0x89)] * 9, frame(0x81, b"x"))
    remaining = iter(range(10, 0, -1))
    assert ready.receive(lambda: float(next(remaining))) == "x"
    assert wire.timeouts == [float(number) for number in range(10, 0, -1)]


# --- ends and violations


@pytest.mark.parametrize(
    ("payload", "code", "answer"),
    [(b"", 1005, b""), (b"\x03\xe8", 1000, b"\x03\xe8"), (b"\x03\xe9bye", 1001, b"\x03\xe9bye"), (b"\x0f\xa0", 4000, b"\x0f\xa0")],
)  # fmt: skip
def test_a_close_is_answered_and_ends_the_connection(payload: bytes, code: int, answer: bytes) -> None:
    ready, wire = client(frame(0x81, b"x") + frame(0x88, payload), frame(0x81, b"too late"))
    assert ready.receive() == "x"
    for _time in range(2):
        with pytest.raises(EndedError) as caught:
            ready.receive()
        assert caught.value.code == code
    assert unmasked(wire.sent) == (0x88, answer)
    with pytest.raises(ConnectionResetError):
        ready.send("nobody listens")


def test_a_hang_up_is_an_end_with_a_code_of_its_own() -> None:
    for chunks in ((), (frame(0x81, b"half")[:3],), (frame(0x01, b"half"),)):
        with pytest.raises(EndedError) as caught:
            client(*chunks)[0].receive()
        assert caught.value.code == 1006


BROKEN = {
    "a mask from a server": (frame(0x81, b"x", mask=MASK), 1002),
    "a reserved bit, as of a compressed message": (frame(0xC1, b"x"), 1002),
    "a reserved opcode": (frame(0x83, b"x"), 1002),
    "a reserved opcode of control": (frame(0x8B), 1002),
    "a piece of nothing": (frame(0x80, b"x"), 1002),
    "a new message in an unfinished one": (frame(0x01, b"x") + frame(0x81, b"y"), 1002),
    "a ping in pieces": (frame(0x09, b"x"), 1002),
    "a long ping": (b"\x89\x7e\x00\x7e" + b"x" * 126, 1002),
    "a length in too many bytes": (b"\x81\x7e\x00\x01x", 1002),
    "a length in far too many bytes": (b"\x81\x7f" + bytes(7) + b"\x01x", 1002),
    "a negative length": (b"\x81\x7f\xff" + bytes(7), 1002),
    "a close of one byte": (frame(0x88, b"\x03"), 1002),
    "a close code that is never sent": (frame(0x88, b"\x03\xee"), 1002),
    "a close code out of range": (frame(0x88, b"\x00\x01"), 1002),
    "a close reason that is not UTF-8": (frame(0x88, b"\x03\xe8\xff"), 1007),
    "a text that is not UTF-8": (frame(0x81, b"\xff"), 1007),
    "a surrogate": (frame(0x81, b"\xed\xa0\x80"), 1007),
    "half a character at the end": (frame(0x01, b"\xc3") + frame(0x80), 1007),
    "a binary message": (frame(0x82, b"x"), 1003),
}


@pytest.mark.parametrize(("data", "code"), BROKEN.values(), ids=BROKEN)
def test_a_violation_is_told_the_other_side_and_ends_the_connection(data: bytes, code: int) -> None:
    ready, wire = client(data, frame(0x81, b"as if nothing had been"))
    for _time in range(2):
        with pytest.raises(ViolationError):
            ready.receive()
    first, payload = unmasked(wire.sent)
    assert (first, int.from_bytes(payload[:2], "big")) == (0x88, code)


def test_a_frame_without_a_mask_from_a_client_is_a_violation() -> None:
    with pytest.raises(ViolationError):
        WebSocket(Wire(frame(0x81, b"x")), SERVER).receive()


@pytest.mark.parametrize("first", [0x81, 0x01], ids=["one frame", "many frames"])
def test_a_message_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(websocket, "LARGEST", 1000)
    piece = frame(first, b"x" * 100)
    if first == 0x81:
        piece = b"\x81\x7f" + (1 << 40).to_bytes(8, "big") + b"x" * 100
    ready, wire = client(piece, *[frame(0x00, b"x" * 100) if first == 0x01 else b"x" * 100] * 99)
    with pytest.raises(ViolationError):
        ready.receive()
    assert len(wire.chunks) > 80, "it is given up early"
    assert unmasked(wire.sent)[1][:2] == (1009).to_bytes(2, "big")


# --- what a stream of XMPP makes of it


class Place:
    url, ca_file, agent = "http://meet.test", "", ""


def stream(monkeypatch: pytest.MonkeyPatch, wire: Wire, *, protocol: ConnectionType | None = CLIENT) -> WebSocketStream:
    monkeypatch.setattr("socket.create_connection", lambda *_words, **_facts: wire)
    opened = WebSocketStream(Place(), Unrecorded(), lambda: time.monotonic() + 60)
    if protocol:
        opened._socket = WebSocket(wire, protocol)
    return opened


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (frame(0x88, b"\x03\xe8"), Closed("")),
        (b"", Closed("")),
        (frame(0x88, b"\x03\xf3"), Closed("WebSocket close code 1011")),
        (frame(0x82, b"<a/>"), Garbled("a binary message")),
        (frame(0x81, b"<a>\xff</a>"), Garbled()),
        (frame(0x81, b"<a>"), Garbled()),
    ],
)
def test_only_a_proper_end_counts_as_a_refusal(monkeypatch: pytest.MonkeyPatch, data: bytes, ending: Exception) -> None:
    with pytest.raises(type(ending)) as caught:
        stream(monkeypatch, Wire(data)).receive()
    assert str(ending) in str(caught.value)


@pytest.mark.parametrize(
    ("head", "ending"),
    [
        (f"{SWITCH}Sec-WebSocket-Accept: anything\r\n{XMPP}", Garbled("no WebSocket: Bad accept token")),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n", Closed("")),
        ("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n", Closed("")),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n", Closed("HTTP 502")),
    ],
)
def test_a_handshake_that_is_not_valid_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, head: str, ending: Exception
) -> None:
    server = Server(head)
    with pytest.raises(type(ending)) as caught:
        stream(monkeypatch, server, protocol=None).restart("meet.test")
    assert str(caught.value) == str(ending)
    assert server.closed


def test_a_server_that_only_pings_uses_up_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(*[frame(0x89)] * 50)
    opened = stream(monkeypatch, wire)
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    opened._deadline = lambda: 10.0
    with pytest.raises(TimeoutError):
        opened.receive()


@pytest.mark.parametrize(
    ("send", "opcode", "payload"),
    [
        (lambda opened: opened.send("<a/>"), 1, b"<a/>"),
        (lambda opened: opened.send("\udcc0\udcaf"), 1, b"\xc0\xaf"),
        (lambda opened: opened.send_raw_frame(5, b"x", shown="x"), 5, b"x"),
    ],
    ids=["text", "not UTF-8", "reserved opcode"],
)
def test_what_is_broken_on_purpose_goes_out_as_it_is(
    monkeypatch: pytest.MonkeyPatch, send: Callable[[WebSocketStream], None], opcode: int, payload: bytes
) -> None:
    wire = Wire()
    send(stream(monkeypatch, wire))
    assert unmasked(wire.sent) == (0x80 | opcode, payload)
