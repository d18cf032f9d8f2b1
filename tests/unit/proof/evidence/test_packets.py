"""What is in packets: names asked for, server names, STUN, and what is none of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.proof.evidence import packets


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def ip(protocol: int, payload: bytes, target: str = "198.19.0.1") -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    return head + bytes([198, 18, 0, 10]) + bytes(int(part) for part in target.split(".")) + payload


def tcp(flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", 40000, 443, 0, 0, 0x50, flags, 0, 0, 0)


def hello(name: str) -> bytes:
    sni = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name.encode()
    extensions = struct.pack("!HH", 0x0A0A, 0) + struct.pack("!HH", 0, len(sni)) + sni
    body = b"\x03\x03" + bytes(32) + b"\0" + struct.pack("!HH", 2, 0x1301) + b"\x01\0"
    body += struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


@pytest.mark.parametrize(("kind", "name"), [(1, "A"), (28, "AAAA"), (65, "HTTPS"), (99, "99")])
def test_question_says_name_and_type(kind: int, name: str) -> None:
    assert packets.dns_question(query("WWW.Gravatar.com", kind)) == ("www.gravatar.com", name)


def test_an_answer_is_no_question() -> None:
    answer = packets.dns_answer(query("a.example"), "198.19.0.1")
    assert packets.dns_question(answer) is None


def test_answer_holds_the_address_and_the_question() -> None:
    asked = query("a.example")
    answer = packets.dns_answer(asked + b"additional", "198.19.0.1")
    assert answer[:2] == asked[:2]
    assert answer[12 : len(asked)] == asked[12:]
    assert answer.endswith(bytes([198, 19, 0, 1]))
    assert packets.dns_answer(asked, None)[6:8] == b"\0\0"


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    packets.dns_question(data)
    packets.server_name(data)
    packets.ipv4(data)
    packets.is_stun(data)


def test_server_name_of_a_hello() -> None:
    assert packets.server_name(hello("Watchrtc.testrtc.com")) == "watchrtc.testrtc.com"
    assert packets.server_name(b"GET / HTTP/1.1\r\n" + bytes(60)) is None


@given(st.integers(0, 120))
def test_a_cut_hello_has_no_wrong_name(size: int) -> None:
    assert packets.server_name(hello("a.example")[:size]) in (None, "", *("a.example"[:cut] for cut in range(1, 10)))


def test_only_the_first_packet_of_a_connection_is_a_connect() -> None:
    assert packets.ipv4(ip(6, tcp(0x02))) == packets.Packet("198.18.0.10", "198.19.0.1", "tcp", 443, syn=True)
    for flags in (0x12, 0x10, 0x18, 0x04):
        packet = packets.ipv4(ip(6, tcp(flags)))
        assert packet
        assert not packet.syn


def test_stun_in_a_datagram() -> None:
    binding = struct.pack("!HH", 1, 0) + packets.STUN_COOKIE + bytes(12)
    packet = packets.ipv4(ip(17, struct.pack("!HHHH", 40000, 3478, 8 + len(binding), 0) + binding))
    assert packet
    assert (packet.protocol, packet.port) == ("udp", 3478)
    assert packets.is_stun(packet.payload)
    assert not packets.is_stun(query("a.example"))


def test_other_protocols_are_named() -> None:
    assert packets.ipv4(ip(1, bytes(8))).protocol == "icmp"
    assert packets.ipv4(ip(47, bytes(8))).protocol == "47"
