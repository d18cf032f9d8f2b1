"""From the raw record to the verdict. Pure: the same lines give the same summary."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.evidence.occupants import CANARY as OCCUPANT
from hardener.proof.evidence.occupants import PLANTED
from hardener.proof.evidence.site import HOST, STAGE
from hardener.proof.evidence.spoofs import MISTAKEN, WHO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

Event = dict[str, Any]
OWN = frozenset((HOST, STAGE, ""))
CANARY = "canary"  # runs whose name starts so plant canaries
WITNESSES = ("browser", "transport")
# Chromium's own services. Discounted only where every browser witness is silent about the host and each request on the
# wire is the browser's own by its address; shown nevertheless.
BROWSERS_OWN: dict[str, str] = {
    "accounts.google.com": "/ListAccounts",
    "optimizationguide-pa.googleapis.com": "/v1:",
    "content-autofill.googleapis.com": "/v1/",
    "passwordsleakcheck-pa.googleapis.com": "/v1/leaks:",
    "update.googleapis.com": "/service/update2",
    "clients2.google.com": "/",
    "android.clients.google.com": "/",
    "mtalk.google.com": "",
}
# What a contact may be made of. Everything else that is in the record (blocked, xmpp, local-udp ...) is none.
KINDS: dict[str, frozenset[str]] = {
    "browser": frozenset("request websocket webtransport beacon ice hint window-open".split()),
    "transport": frozenset("dns tcp tls request stun udp icmp ethertype".split()),
}


def judge(
    events: Iterable[Event], expected: Mapping[str, Sequence[str]] | None = None, own: AbstractSet[str] = OWN
) -> dict[str, Any]:
    """Return the summary of a record. ``own`` are the hosts that a page may contact.

    ``expected`` says whom upstream as it is contacts under an attack (or in a run, "JOURNEY + ATTACK"): for the
    negative control. For the verdict it says only in which runs who is there has to be compared with who is shown.
    """
    events = list(events)
    by_run: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_run[event["run"]].append(event)
    canary_runs = [name for name in by_run if name.startswith(CANARY)]
    canaries = [_canary(name, by_run[name]) for name in canary_runs]
    skipped = [event for event in events if event["kind"] == "skipped"]
    left_out = {event["run"] for event in skipped}
    runs = [_run(name, by_run[name], own) for name in by_run if name not in canary_runs and name not in left_out]
    runs = [run for run in runs if run["run"] or run["contacts"] or run["browsers_own"]]
    reasons = _void(runs, canaries, {name for name, wanted in (expected or {}).items() if MISTAKEN in wanted})
    reasons += _unwatched(events)
    contacts = [contact for run in runs for contact in run["contacts"]]
    walked = [run for run in runs if run["run"]]
    touched = any(contacts) or any(run["messages"] for run in runs)
    mistaken = [run for run in walked if run["mistaken"]]
    return {
        "verdict": "void" if reasons else ("contacts" if touched else ("mistaken" if mistaken else "clean")),
        "void_because": reasons,
        "canaries": canaries,
        "runs": runs,
        "unproven": [run["run"] for run in walked if not run["completed"]],
        "skipped": [{"run": event["run"], "reason": event["reason"]} for event in skipped],
        "control": [
            _control(name, hosts, runs) for name, hosts in sorted((expected or {}).items()) if name not in left_out
        ],
        "totals": {
            "runs": len(walked),
            "journeys": len({run["journey"] for run in walked}),
            "attacks": len({run["attack"] for run in walked} - {"none"}),
            "skipped": len(skipped),
            "completed": sum(1 for run in walked if run["completed"]),
            "missed_steps": sum(len(run["missed"]) for run in walked),
            "runs_with_contacts": sum(1 for run in walked if run["contacts"] or run["messages"]),
            "contacts": len(contacts),
            "hosts": sorted({contact["host"] for contact in contacts}),
            "browser": sum(1 for contact in contacts if contact["browser"]),
            "transport": sum(1 for contact in contacts if contact["transport"]),
            "disagreements": sum(1 for contact in contacts if not (contact["browser"] and contact["transport"])),
            "compared": sum(1 for run in walked if run["compared"]),
            "runs_with_mistaken": len(mistaken),
            "runs_with_messages": sum(1 for run in walked if run["messages"]),
            "events": len(events),
        },
    }


def _canary(name: str, events: Sequence[Event]) -> dict[str, Any]:
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in events:
        seen[event["witness"], event.get("host", "")].add(event["kind"])
    if name.startswith(OCCUPANT):
        rows = [_planted(events)]
        return {"run": name, "seen": sum(1 for row in rows if not row["missing"]), "of": len(rows), "rows": rows}
    rows = []
    for canary in CANARIES:
        browser, transport = seen["browser", canary.host], seen["transport", canary.host]
        rows.append(
            {
                "kind": canary.kind,
                "host": canary.host,
                "browser": sorted(browser),
                "transport": sorted(transport),
                "missing": sorted(
                    [f"browser:{kind}" for kind in canary.browser - browser]
                    + [f"transport:{kind}" for kind in canary.transport - transport]
                ),
            }
        )
    return {"run": name, "seen": sum(1 for row in rows if not row["missing"]), "of": len(rows), "rows": rows}


def _planted(events: Sequence[Event]) -> dict[str, Any]:
    """Return whether the comparison finds exactly the occupant that was not announced to the page."""
    found = [text for event in events if event["kind"] == "occupants" for text in event["differences"]]
    missing = [] if found == [f"{PLANTED} is not shown"] else ["page:occupants"]
    return {"kind": "occupant", "host": PLANTED, "browser": found, "transport": [], "missing": missing}


def _run(name: str, events: Sequence[Event], own_hosts: AbstractSet[str]) -> dict[str, Any]:
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: {source: set() for source in WITNESSES})
    first: dict[str, float] = {}
    requests: dict[str, list[str]] = defaultdict(list)
    for event in events:
        host, witness = str(event.get("host", "")).rstrip(".").lower(), event["witness"]
        if event["kind"] == "ethertype":
            host = f"ethertype {event.get('number')}"
        if host in own_hosts or event["kind"] not in KINDS.get(witness, ()):
            continue
        seen[host][witness].add(event["kind"])
        first.setdefault(host, event["t"])
        if witness == "transport" and event["kind"] == "request":
            requests[host].append(event.get("request", ""))
        if len(requests[host]) < 3 and event.get("url"):  # noqa: PLR2004 (examples)
            requests[host].append(event["url"])
    own = {host for host in seen if _browsers_own(host, seen[host], requests[host])}
    contacts = [
        {
            "host": host,
            "browser": sorted(kinds["browser"]),
            "transport": sorted(kinds["transport"]),
            "first": first[host],
            "examples": list(dict.fromkeys(requests[host]))[:3],
        }
        for host, kinds in sorted(seen.items())
        if host not in own
    ]
    steps = [event for event in events if event["kind"] == "step"]
    messages = sum(1 for event in events if event["kind"] == "message")
    journey, _, attack = name.partition(" + ")
    return {
        "run": name,
        "journey": journey,
        "attack": attack or "none",
        "start": min((event["t"] for event in events), default=0),
        "end": max((event["t"] for event in events), default=0),
        "completed": any(event["kind"] == "end" and event.get("ok") for event in events),
        "missed": [event["name"] for event in steps if not event["ok"]],
        "because": next((event.get("text", "") for event in events if event["kind"] == "end"), ""),
        "steps": len(steps),
        "media": [
            {key: event[key] for key in ("who", "state", "frames", "audio", "video")}
            for event in events
            if event["kind"] == "received"
        ],
        "contacts": contacts,
        "messages": messages,
        "compared": any(event["kind"] == "occupants" for event in events),
        "mistaken": [text for event in events if event["kind"] == "occupants" for text in event["differences"]],
        "peer_connections": sum(1 for event in events if event["kind"] == "peer-connection"),
        "browsers_own": sorted(own),
        "given_away": sorted({f"{event['what']}" for event in events if event["kind"] == "given-away"}),
        "stored": next((sorted(event["items"]) for event in events if event["kind"] == "stored"), []),
    }


def _control(attack: str, expected: Sequence[str], runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return whether an attack (or a run) had the effect that it has on upstream ("message": sent to a foreign page;
    "occupants": a person is not shown, or as what they are not).
    """
    its = [run for run in runs if attack in (run["attack"], run["run"])]
    hosts = {contact["host"] for run in its for contact in run["contacts"]}
    hosts |= {"message"} if any(run["messages"] for run in its) else set()
    hosts |= {"occupants"} if any(run["mistaken"] for run in its) else set()
    return {"attack": attack, "expected": list(expected), "missing": [host for host in expected if host not in hosts]}


def _browsers_own(host: str, seen: Mapping[str, set[str]], requests: Sequence[str]) -> bool:
    part = BROWSERS_OWN.get(host)
    if part is None or seen["browser"]:
        return False
    return all(part in line for line in requests)


def _void(
    runs: Sequence[Mapping[str, Any]], canaries: Sequence[Mapping[str, Any]], comparing: AbstractSet[str]
) -> list[str]:
    """Return why the run proves nothing, if so. ``comparing``: attacks (or runs) that make a comparison."""
    reasons = [] if canaries else ["no canaries were planted"]
    for canary in canaries:
        reasons += [
            f"{canary['run']}: {row['kind']} was not seen ({', '.join(row['missing'])})"
            for row in canary["rows"]
            if row["missing"]
        ]
    if not any(run["run"] for run in runs):
        reasons.append("no journey was made")
    reasons += [
        f"{run['run']}: the journey did not come to its end ({_why(run)})"
        for run in runs
        if run["run"] and run["attack"] == "none" and not run["completed"]
    ]
    reasons += [
        f"{run['run']}: who is there was not compared with who is shown to the end ({_why(run)})"
        for run in runs
        if (run["journey"] in WHO or not comparing.isdisjoint((run["attack"], run["run"])))
        and not (run["mistaken"] or (run["compared"] and run["completed"]))
    ]
    return reasons


def _unwatched(events: Iterable[Event]) -> list[str]:
    """Return the networks in which no canaries were planted before the first and after the last of the runs."""
    planted: dict[str, list[float]] = defaultdict(list)
    walked: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event["kind"] == "start" and "network" in event and not event["run"].startswith(OCCUPANT):
            (planted if event["run"].startswith(CANARY) else walked)[event["network"]].append(event["t"])
    return [
        f"network {network}: no canaries were planted before and after its runs"
        for network, times in sorted(walked.items())
        if not planted[network] or min(times) < min(planted[network]) or max(times) > max(planted[network])
    ]


def _why(event: Mapping[str, Any]) -> str:
    return event["because"] or (
        "missed: " + ", ".join(event["missed"]) if event["missed"] else "nothing of it is recorded"
    )
