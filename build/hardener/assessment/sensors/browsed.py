"""The sensor over a visit with a browser: contacts in both witnesses, storage, devices, and links into stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.assessment.sensors.visited import facts_of, planted
from hardener.assessment.service.storage import COPY, HISTORY, IDENTIFIER, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hardener.assessment.conditions import Metrics

_DESKTOP = ("welcome", "room 1", "room 2")
_PHONES = ("android", "iphone")


def browser(subject: Subject) -> Measured:
    """Count what the browser did. Zero is said only of journeys that came to their end."""
    facts = facts_of(subject, "browser")
    if facts.get("missing"):
        raise MissingError(
            f"no browser could be started in a sealed network: {facts['missing']}",
            f"Im abgeschotteten Netz ließ sich kein Browser starten: {facts['missing']}.",
        )
    if facts["void"]:
        raise MissingError(
            "the witnesses did not see all requests that were planted for them",
            "Die Zeugen haben nicht alle eigens ausgelösten Anfragen gesehen.",
        )
    journeys: Mapping[str, Any] = {journey["name"]: journey for journey in facts["journeys"]}
    looked = _complete(journeys, _DESKTOP)
    everywhere = looked and _complete(journeys, _PHONES)
    kinds = [entry["kind"] for entry in facts["stored"]]
    ids = {
        (entry["area"], entry["key"])
        for entry in (*facts["stored"], *(facts["left"] or ()))
        if entry["kind"] == IDENTIFIER
    }
    counted = {
        "contacts": (sum(1 for contact in facts["contacts"] if contact["browser"]), everywhere),
        "transport": (sum(1 for contact in facts["contacts"] if contact["transport"]), everywhere),
        "ids": (len(ids), everywhere),
        "history": (kinds.count(HISTORY), everywhere),
        "others": (kinds.count(OTHER), everywhere),
        "devices": (_sum(journeys, _DESKTOP, "devices"), looked),
        "sending": (_sum(journeys, _DESKTOP, "sending"), looked),
        "promoted": (_sum(journeys, _PHONES, "promoted"), _complete(journeys, _PHONES)),
    }
    metrics: Metrics = {f"browser.{name}": count for name, (count, whole) in counted.items() if count or whole}
    if _complete(journeys, ("call",)):
        metrics["browser.calls"] = 1
    if facts["left"] is not None:
        metrics["browser.left"] = sum(entry["kind"] in {HISTORY, IDENTIFIER} for entry in facts["left"])
    prejoin = _before_the_call(journeys)
    if prejoin is not None:
        metrics["browser.devices_prejoin"] = prejoin
    return Measured(metrics, facts)


def _complete(journeys: Mapping[str, Any], names: Iterable[str]) -> bool:
    return all(name in journeys and journeys[name]["completed"] for name in names)


def _sum(journeys: Mapping[str, Any], names: Iterable[str], what: str) -> int:
    return sum(int(journeys[name].get(what, 0)) for name in names if name in journeys)


def _before_the_call(journeys: Mapping[str, Any]) -> int | None:
    """Return how often devices were opened on the page before the call; None where it was not reached."""
    call = journeys.get("call", {})
    if "devices_prejoin" in call:
        return int(call["devices_prejoin"])
    shown = [journeys[name] for name in _DESKTOP if journeys.get(name, {}).get("shown") in {"prejoin", "call"}]
    opened = sum(journey["devices"] for journey in shown)
    return opened if opened or any(journey["completed"] for journey in shown) else None


_JOURNEY: dict[str, Any] = {"completed": True, "devices": 1, "sending": True, "promoted": 1}
_PLANTED = {
    "browser": {
        "void": [],
        "journeys": [
            *({"name": name, "shown": "prejoin", **_JOURNEY} for name in (*_DESKTOP, *_PHONES)),
            {"name": "call", "shown": "call", "completed": True, "devices_prejoin": 1},
        ],
        "contacts": [{"host": "planted.example", "browser": ["request"], "transport": ["dns"], "in": ["room 1"]}],
        "stored": [{"area": "local", "key": kind, "kind": kind} for kind in (HISTORY, IDENTIFIER, OTHER, COPY)],
        "left": [{"area": "local", "key": "x", "kind": HISTORY}],
    }
}
BROWSER = Sensor(
    "browser",
    named(
        "browser", *"contacts transport calls ids history others left devices devices_prejoin sending promoted".split()
    ),
    {"en": "Visit of the running service with a browser", "de": "Besuch des laufenden Dienstes mit einem Browser"},
    browser,
    {"visit.json": json.dumps(_PLANTED)},
    "browser.contacts == 1 and browser.transport == 1 and browser.calls == 1 and browser.ids == 1 and"
    " browser.history == 1 and browser.others == 1 and browser.left == 1 and browser.devices == 3 and"
    " browser.devices_prejoin == 1 and browser.sending == 3 and browser.promoted == 2",
    planted,
)
