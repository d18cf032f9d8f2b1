"""The way to a running service: from the sealed network, its declared hosts can be reached, and nothing else.

Each host has an address at the wire's end. What arrives there is carried to the real host byte for byte, so TLS stays
between the browser and the service. A service on this machine's loopback is reached at the browser's own loopback.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from hardener.proof.evidence import namespaces, relay
from hardener.proof.evidence.cdp import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from urllib.parse import SplitResult

_PORTS = {"https": 443, "http": 80}
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_CONNECT = 15  # seconds


class Tunnels:
    """Context manager: listens for each origin, and carries connections.

    ``addresses`` are the hosts with their addresses in the sealed network, ``known`` the addresses that they have
    outside, and ``media`` where their bridges may listen for media.
    """

    def __init__(self, net: namespaces.SealedNetwork, origins: Iterable[str]) -> None:
        self._net = net
        self._ends = sorted({(host_of(origin), _port(urlsplit(origin))) for origin in origins})
        self._open: list[socket.socket] = []
        self.addresses: dict[str, str] = {}
        self.known: dict[str, str] = {}
        self.media: frozenset[tuple[str, int]] = frozenset()

    def __enter__(self) -> Self:
        remote = sorted({host for host, _port_ in self._ends if host not in _LOOPBACK})
        first = ipaddress.IPv4Address(namespaces.FIRST_TARGET)
        for number, host in enumerate(remote):
            literal = _literal(host)
            self.known |= dict.fromkeys(_outside(host), host)
            self.addresses[host] = literal or str(first + number)
        self.media = frozenset((address, relay.MEDIA) for address in self.known)
        for address in {*self.addresses.values(), *self.known}:
            self._net.claim(address)
        for host, port in self._ends:
            inside = host in _LOOPBACK
            listener = self._net.tcp("127.0.0.1" if inside else self.addresses[host], port, inside=inside)
            self._open.append(listener)
            threading.Thread(target=self._accept, args=(listener, (host, port)), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        for listener in self._open:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket, end: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = listener.accept()
                threading.Thread(target=_carry, args=(connection, end), daemon=True).start()


def _carry(connection: socket.socket, end: tuple[str, int]) -> None:
    with contextlib.suppress(OSError), connection, socket.create_connection(end, timeout=_CONNECT) as service:
        service.settimeout(relay.PATIENCE)
        connection.settimeout(relay.PATIENCE)
        relay.relay(connection, service, lambda _data: None)


def _port(origin: SplitResult) -> int:
    return origin.port or _PORTS[origin.scheme]


def _literal(host: str) -> str:
    """Return the address that a host is written as; empty for a name."""
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return ""


def _outside(host: str) -> list[str]:
    """Return the public and private IPv4 addresses of a host, without those of this machine's loopback."""
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [address for address in addresses if not ipaddress.IPv4Address(address).is_loopback]
