"""What is kept of a visit with a browser: contacts without the visitor's traces."""

from __future__ import annotations

from typing import Any

from hardener.assessment.service.browser import _contacts


def run(*hosts: str) -> dict[str, Any]:
    """Return what the witnesses saw in a journey."""
    contacts = [{"host": host, "browser": ["request"], "transport": ["dns"]} for host in hosts]
    return {"run": "room 1", "contacts": contacts}


def test_a_foreign_host_that_has_the_room_in_its_name_is_shown_without_it() -> None:
    found = _contacts([run("my-room.tracker.example", "cdn.example")], {"My-Room", "dn"})
    assert [contact["host"] for contact in found] == ["[redacted].tracker.example", "cdn.example"]


def test_an_own_network_is_no_third_party() -> None:
    found = _contacts([run("10.0.0.5", "192.168.1.2", "198.51.100.7")], ())
    assert [contact["host"] for contact in found] == ["198.51.100.0/24"]
