"""Records of evidence runs, made by hand, for the tests of judge and report."""

from __future__ import annotations

import itertools
from typing import Any

from hardener.proof.evidence.canaries import CANARIES
from hardener.proof.evidence.site import HOST

Event = dict[str, Any]


def events(*more: Event, without: str = "", run: str = "call + none", ok: bool = True) -> list[Event]:
    """Return a record in which all is well, and more; without one canary's events at one witness, if asked."""
    found: list[Event] = []
    for canary in CANARIES:
        for witness, kinds in (("browser", canary.browser), ("transport", canary.transport)):
            found += [
                {"run": "canary 1", "witness": witness, "kind": kind, "host": canary.host}
                for kind in sorted(kinds)
                if without != f"{canary.kind}:{witness}"
            ]
    found.append({"run": run, "witness": "browser", "kind": "request", "host": HOST, "url": f"https://{HOST}/"})
    found += [{"run": run} | event for event in more]
    found.append({"run": run, "witness": "harness", "kind": "end", "ok": ok})
    times = itertools.count()
    return [{"t": float(next(times))} | event for event in found]


def seen(witness: str, kind: str, host: str = "tracker.example", **more: Any) -> Event:
    return {"witness": witness, "kind": kind, "host": host} | more
