"""The transport witness: answers every name and every connection of the sealed network, and writes down each."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING

from hardener.proof.evidence import namespaces, packets

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from hardener.proof.evidence.record import Recorder

# A connect to any other port is seen as well (by the tap), but refused.
PORTS = (80, 443, 3478, 5349, 8080, 8443, 9101)
_ANSWER = (
    b"HTTP/1.1 404 Not Found\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Names:
    """Which address means which name: own names share the own server, every foreign one gets its own.

    ``targets`` are the names of a running service with their addresses in the sealed network; ``known`` are addresses
    that it has outside.
    """

    def __init__(
        self, own: Sequence[str], targets: Mapping[str, str] | None = None, known: Mapping[str, str] | None = None
    ) -> None:
        self._targets = targets or {}
        self.own = frozenset((*own, *self._targets))
        self._lock = threading.Lock()
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {namespaces.OWN: own[0], **(known or {})}
        self._names |= {address: name for name, address in self._targets.items()}

    def address(self, name: str) -> str:
        """Return the address of a name (a new one for a name never asked for)."""
        if name in self.own:
            return self._targets.get(name, namespaces.OWN)
        with self._lock:
            if name not in self._addresses:
                following = ipaddress.IPv4Address(namespaces.FIRST_FOREIGN) + len(self._addresses)
                self._addresses[name] = str(following)
                self._names[str(following)] = name
            return self._addresses[name]

    def name(self, address: str) -> str:
        """Return the name that an address means, or the address itself if no name was asked for."""
        return self._names.get(address, address)


class Sinkhole:
    """Runs the resolver, the TCP and UDP sinks and the tap until it is closed."""

    def __init__(
        self,
        net: namespaces.SealedNetwork,
        names: Names,
        record: Recorder,
        tls: ssl.SSLContext,
        media: AbstractSet[tuple[str, int]] = frozenset(),
    ) -> None:
        self.names, self.record, self.tls = names, record, tls
        self._media = media  # where the own bridges are
        self._open: list[socket.socket] = []
        self._seen: set[tuple[str, str, str, int]] = set()
        self._serve(net.udp(namespaces.RESOLVER, 53), self._resolver)
        self._serve(net.tap(), self._tap)
        for port in PORTS:
            self._serve(net.tcp("0.0.0.0", port), self._accept)  # noqa: S104 (in a sealed namespace)

    def _serve(self, listener: socket.socket, loop: Callable[[socket.socket], None]) -> None:
        self._open.append(listener)

        def guarded() -> None:
            with contextlib.suppress(OSError):
                loop(listener)

        threading.Thread(target=guarded, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        for listener in self._open:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _resolver(self, listener: socket.socket) -> None:
        while True:
            query, asker = listener.recvfrom(4096)
            question = packets.dns_question(query)
            if question is None:
                self.record.add("transport", "dns-garbage", size=len(query))
                continue
            name, kind = question
            if name not in self.names.own:
                self.record.add("transport", "dns", host=name, qtype=kind)
            listener.sendto(packets.dns_answer(query, self.names.address(name) if kind == "A" else None), asker)

    def _tap(self, listener: socket.socket) -> None:
        while True:
            data, origin = listener.recvfrom(65535)
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            if origin[1] not in (0x0800, 0x0806):  # IPv4 is read below, ARP stays on the cable
                self.record.add("transport", "ethertype", number=hex(origin[1]))
                continue
            packet = packets.ipv4(data) if origin[1] == 0x0800 else None  # noqa: PLR2004
            if packet and packet.source == namespaces.BROWSER:
                self._packet(packet)

    def _packet(self, packet: packets.Packet) -> None:
        if packet.protocol == "tcp" and not packet.syn:
            return
        # ICMP: the browser's kernel says of an answer of the resolver that it came too late.
        ours = packet.port in (443, 80, 53) or packet.protocol == "icmp"
        if packet.target in (namespaces.OWN, namespaces.RESOLVER) and ours:
            return
        kind = packet.protocol
        if kind == "udp" and packets.is_stun(packet.payload):
            kind = "stun"
        host = self.names.name(packet.target)
        if any(self._is_media(packet, bridge) for bridge in self._media):
            kind, host = "media", ""
        elif not packets.is_public(packet.target) or packet.target == namespaces.BROWSER:
            kind = "local-" + kind
        key = (self.record.run, kind, host, packet.port)
        if kind != "tcp" and key in self._seen:  # a STUN server is asked again and again
            return
        self._seen.add(key)
        self.record.add("transport", kind, host=host, ip=packet.target, port=packet.port)

    @staticmethod
    def _is_media(packet: packets.Packet, bridge: tuple[str, int]) -> bool:
        """Return whether a packet goes to the own bridge: a datagram, or the kernel's "unreachable" to a late one."""
        if packet.protocol == "icmp" and packet.target == bridge[0]:
            answered = packets.ipv4(packet.payload)
            return answered is not None and (answered.source, answered.protocol) == (bridge[0], "udp")
        return packet.protocol == "udp" and (packet.target, packet.port) == bridge

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _peer = listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            connection.settimeout(20)
            host = self.names.name(connection.getsockname()[0])
            port = connection.getsockname()[1]
            first = connection.recv(4096, socket.MSG_PEEK)
            if not first:
                return
            name = packets.server_name(first)
            stream = connection
            if name or first[0] == 22:  # noqa: PLR2004 (a TLS handshake)
                self.record.add("transport", "tls", host=host, port=port, sni=name)
                stream = self.tls.wrap_socket(connection, server_side=True)
            with stream:
                request = stream.recv(8192).decode("latin-1")
                if request:
                    line = request.split("\r\n", 1)[0][:600]
                    self.record.add("transport", "request", host=host, port=port, request=line)
                    stream.sendall(_ANSWER)
