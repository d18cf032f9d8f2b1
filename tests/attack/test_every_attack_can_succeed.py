"""An attack that can never say "succeeded" is a defect: each one, tried on a server that says yes to everything."""

from __future__ import annotations

import socket

import pytest

from hardener.proof.attack import campaign
from hardener.proof.attack.record import Account, Target, Verdict
from support.yes_man import YesMan

DOMAIN = "meet.test"
# Real servers show these: they need more than a yes (tests/attack/test_planted_doors.py).
ELSEWHERE = {"a crowd that does not log in"}
TARGET = Target("", DOMAIN, muc=f"muc.{DOMAIN}", account=Account("bob", "bob-pw"), named_hosts=True, listen=0.05)
WAYS = [
    pytest.param(way, transport, id=f"{way.area}: {way.name} ({transport})")
    for way in campaign.ways(TARGET)
    for transport in way.transports
    if way.name not in ELSEWHERE and (transport != "bosh" or way.transports == ("bosh",))
]


@pytest.mark.parametrize(("way", "transport"), WAYS)
def test_it_succeeds_where_everything_is_open(way, transport) -> None:
    ordinary = way.area == "roles" and not way.name.startswith("first one in")  # has to be one, to want more
    with YesMan(DOMAIN, generous=not ordinary) as server:
        target = Target(server.url, DOMAIN, TARGET.muc, TARGET.account, named_hosts=True, patience=5, listen=0.05)
        attempt = campaign.attempt(way, target, transport)
    assert attempt.verdict == Verdict.SUCCEEDED, (attempt.why, attempt.sent, attempt.said)
    assert attempt.sent


def test_a_server_that_a_crowd_silences_is_found() -> None:
    crowd = next(way for way in campaign.ways(TARGET) if way.name in ELSEWHERE)
    with YesMan(DOMAIN, dies_after=8) as server:
        attempt = campaign.attempt(crowd, Target(server.url, DOMAIN, crowd=10, patience=5), "websocket")
    assert (attempt.verdict, attempt.why) == (
        Verdict.SUCCEEDED, "after 8 streams without login the server does not answer any more",
    )  # fmt: skip


def test_open_ports_are_found_and_closed_ones_are_not() -> None:
    kinds = ("component", "http", "telnet", "jicofo", "jvb")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
        closed = other.getsockname()[1]
        other.close()
        ports = tuple((kind, listener.getsockname()[1]) for kind in kinds)
        target = Target("http://127.0.0.1:1", DOMAIN, ports=(*ports, ("https", closed)), patience=5)
        found = {
            way.name.partition(" ")[0]: campaign.attempt(way, target, "tcp").verdict
            for way in campaign.ways(target)
            if way.area == "ports"
        }
    assert found == dict.fromkeys(kinds, Verdict.SUCCEEDED) | {"https": Verdict.REFUSED}
