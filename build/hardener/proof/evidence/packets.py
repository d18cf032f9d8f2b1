"""Parse the bytes that leave the browser: IPv4, DNS questions, TLS server names, STUN. Pure functions."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

STUN_COOKIE = b"\x21\x12\xa4\x42"
QTYPES = {1: "A", 28: "AAAA", 65: "HTTPS", 33: "SRV", 16: "TXT", 12: "PTR", 64: "SVCB"}
_TCP, _UDP, _ICMP = 6, 17, 1
_UNREACHABLE = b"\x03"  # the type of an ICMP message (RFC 792)
_DNS_HEADER = 12
_POINTER = 0xC0
_CLIENT_HELLO = 1
_HANDSHAKE = 22


@dataclass(frozen=True)
class Packet:
    """One IPv4 packet: ``protocol`` is tcp, udp, icmp or a number; ``syn`` is a TCP connect.

    ``payload`` is what a datagram carries; of an ICMP "unreachable", the packet that it answers.
    """

    source: str
    target: str
    protocol: str
    port: int = 0
    syn: bool = False
    payload: bytes = b""


def ipv4(data: bytes) -> Packet | None:
    """Read an IPv4 packet; None where it is none, or is cut off."""
    if len(data) < 20 or data[0] >> 4 != 4:  # noqa: PLR2004 (RFC 791)
        return None
    start = (data[0] & 15) * 4
    source, target = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16))
    number, rest = data[9], data[start : struct.unpack("!H", data[2:4])[0]]
    if number == _TCP and len(rest) >= 20:  # noqa: PLR2004
        flags = rest[13]
        port = struct.unpack("!H", rest[2:4])[0]
        return Packet(source, target, "tcp", port, syn=bool(flags & 2) and not flags & 16)
    if number == _UDP and len(rest) >= 8:  # noqa: PLR2004
        return Packet(source, target, "udp", struct.unpack("!H", rest[2:4])[0], payload=rest[8:])
    if number == _ICMP and rest[:1] == _UNREACHABLE:
        return Packet(source, target, "icmp", payload=rest[8:])
    return Packet(source, target, "icmp" if number == _ICMP else str(number))


def is_stun(payload: bytes) -> bool:
    """Return whether a datagram is a STUN (or TURN) message: two zero bits, then RFC 8489's magic cookie.

    >>> is_stun(bytes.fromhex("0001 0000 2112a442") + bytes(12))
    True
    >>> is_stun(b"GET / HTTP/1.1\\r\\n and more")
    False
    """
    return len(payload) >= 20 and payload[0] < 64 and payload[4:8] == STUN_COOKIE  # noqa: PLR2004


def is_public(address: str) -> bool:
    """Return whether packets to an address leave the machine's own link: no multicast, broadcast, loopback, link-local.

    >>> is_public("198.18.64.1"), is_public("224.0.0.251"), is_public("127.0.0.1"), is_public("169.254.3.4")
    (True, False, False, False)
    """
    parsed = ipaddress.ip_address(address)
    broadcast = address == "255.255.255.255"
    return not (parsed.is_multicast or parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or broadcast)


def dns_question(data: bytes) -> tuple[str, str] | None:
    """Return the name (lower case, no dot at the end) and type that a DNS query asks for; None where it is not a query.

    >>> dns_question(bytes.fromhex("abcd 0100 0001 0000 0000 0000 03777777 0178 00 0001 0001"))
    ('www.x', 'A')
    """
    if len(data) < _DNS_HEADER or data[2] & 0x80 or struct.unpack("!H", data[4:6])[0] != 1:
        return None
    labels, at = [], _DNS_HEADER
    while at < len(data) and data[at]:
        size = data[at]
        if size & _POINTER or at + 1 + size > len(data):
            return None
        labels.append(data[at + 1 : at + 1 + size].decode("ascii", "backslashreplace"))
        at += 1 + size
    if at + 5 > len(data):
        return None
    number = struct.unpack("!H", data[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), QTYPES.get(number, str(number))


def dns_answer(query: bytes, address: str | None) -> bytes:
    """Return the answer to a query: one A record that must not be cached, or (without an address) an empty answer."""
    end = query.index(b"\0", _DNS_HEADER) + 5
    count = 1 if address else 0
    head = query[:2] + b"\x81\x80" + struct.pack("!HHHH", 1, count, 0, 0)
    if address is None:
        return head + query[_DNS_HEADER:end]
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + ipaddress.IPv4Address(address).packed
    return head + query[_DNS_HEADER:end] + record


def server_name(data: bytes) -> str | None:
    """Return the server name (SNI) of a TLS ClientHello; None where there is none."""
    if len(data) < 44 or data[0] != _HANDSHAKE or data[5] != _CLIENT_HELLO:  # noqa: PLR2004
        return None
    try:
        at = 43
        at += 1 + data[at]
        at += 2 + struct.unpack("!H", data[at : at + 2])[0]
        at += 1 + data[at]
        end = at + 2 + struct.unpack("!H", data[at : at + 2])[0]
        at += 2
        while at + 4 <= min(end, len(data)):
            kind, size = struct.unpack("!HH", data[at : at + 4])
            if kind == 0:
                length = struct.unpack("!H", data[at + 7 : at + 9])[0]
                return data[at + 9 : at + 9 + length].decode("ascii", "backslashreplace").lower()
            at += 4 + size
    except (IndexError, struct.error):
        return None
    return None
