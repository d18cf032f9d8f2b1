"""Which packets that leave the browser count as a contact."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from hardener.proof.evidence import namespaces, packets, verdict
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.sinkhole import Names, Sinkhole

if TYPE_CHECKING:
    from pathlib import Path

BRIDGE = ("172.20.0.5", 10000)
STUN = bytes(4) + packets.STUN_COOKIE + bytes(12)


def test_only_datagrams_to_the_port_of_the_own_bridge_are_no_contact(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "events.ndjson")
    sinkhole = Sinkhole.__new__(Sinkhole)  # without the sockets
    sinkhole.names, sinkhole.record, sinkhole._seen, sinkhole._media = Names(("own",)), record, set(), {BRIDGE}
    for address, port, kind in (
        (*BRIDGE, "udp"), (BRIDGE[0], 10001, "udp"), ("172.20.0.6", 10000, "udp"), (*BRIDGE, "tcp"),
    ):  # fmt: skip
        record.run = f"{address}:{port} {kind}"
        sinkhole._packet(packets.Packet(namespaces.BROWSER, address, kind, port, syn=kind == "tcp", payload=STUN))
    # A datagram of the bridge that comes after the page has gone: the browser's kernel says that no one listens.
    late = b"\x45" + bytes(8) + b"\x11" + bytes(2) + ipaddress.ip_address(BRIDGE[0]).packed + bytes(12)
    late = late[:2] + len(late).to_bytes(2, "big") + late[4:]
    for name, answered in (("late", late), ("echo", b"")):
        record.run = name
        sinkhole._packet(packets.Packet(namespaces.BROWSER, BRIDGE[0], "icmp", payload=answered))
    record.run = "resolver"
    sinkhole._packet(packets.Packet(namespaces.BROWSER, namespaces.RESOLVER, "icmp", payload=late))
    record.close()
    runs = verdict.judge(read(tmp_path / "events.ndjson"))["runs"]
    assert {run["run"] for run in runs if run["contacts"]} == {
        "172.20.0.5:10001 udp", "172.20.0.6:10000 udp", "172.20.0.5:10000 tcp", "echo",
    }  # fmt: skip
