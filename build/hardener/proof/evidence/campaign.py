"""The evidence run: canaries, every journey, every attack on its journeys, canaries again; then the verdict."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.pipeline.proofs import site_digest
from hardener.proof.evidence import report, verdict
from hardener.proof.evidence.attack import HARMLESS, NONE, Attack
from hardener.proof.evidence.attacks import ATTACKS
from hardener.proof.evidence.journeys import JOURNEYS, Journey, canary
from hardener.proof.evidence.occupants import CANARY
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.spoofs import MISTAKEN, PLANTED_OCCUPANT
from hardener.proof.evidence.visit import Missed, Visit
from hardener.proof.evidence.witness import Watched
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hardener.proof.evidence.relay import Real
    from hardener.ui import UI

PAGE, SUMMARY, PICTURES = "index.html", "summary.json", "screenshots"
SETTLE = 0.4  # seconds after a run in which what it sent still counts as its own


@dataclass(frozen=True)
class Result:
    """The verdict and where everything lies."""

    summary: dict[str, Any]
    folder: Path

    @property
    def clean(self) -> bool:
        """Return whether neither witness saw a contact, and both saw each canary."""
        return bool(self.summary["verdict"] == "clean")


def plan(only: Sequence[str] = ()) -> list[tuple[Journey, Attack]]:
    """Return what is to be walked. ``only`` names journeys, attacks, or ``JOURNEY+ATTACK``."""
    pairs = [(journey, NONE) for journey in JOURNEYS.values() if journey.alone]
    pairs += [(JOURNEYS[name], attack) for attack in ATTACKS for name in attack.journeys]
    if not only:
        return pairs
    wanted = {name.replace(" ", "") for name in only}
    known = {name for journey, attack in pairs for name in _names(journey, attack)}
    if unknown := sorted(wanted - known):
        raise UsageError(
            f"there is no journey or attack {', '.join(unknown)}", hint=f"there are: {', '.join(sorted(known))}"
        )
    return [(journey, attack) for journey, attack in pairs if wanted & _names(journey, attack)]


def needs_servers(only: Sequence[str] = ()) -> bool:
    """Return whether some of what is to be walked leads to real servers."""
    return any(journey.people for journey, _attack in plan(only))


def _names(journey: Journey, attack: Attack) -> set[str]:
    if attack is NONE:
        return {journey.name, f"{journey.name}+none"}
    return {attack.name, f"{journey.name}+{attack.name}"}


def name_of(journey: Journey, attack: Attack) -> str:
    """Return how a run is called in the record."""
    return f"{journey.name} + {attack.name}"


def run(
    site: Path, out: Path, ui: UI, only: Sequence[str] = (), real: Real | None = None, missing: str = "not asked for"
) -> Result:
    """Walk the plan on a built site; writes events.ndjson, summary.json, index.html and screenshots of real calls.

    ``real`` are the servers for journeys that need them; without them those are skipped, and ``missing`` says why.
    """
    if not (site / "index.html").is_file():
        raise UsageError(f"{site} has no index.html", hint="give the folder of an unpacked site")
    pairs = plan(only)
    for name in (PAGE, SUMMARY, PICTURES):  # of an earlier run, which proves nothing about this site
        disk.remove(out / name)
    (out / PICTURES).mkdir(parents=True)
    record = Recorder(out / "events.ndjson")
    started = time.time()
    try:
        with ui.step("evidence", site.parent.name or site.name) as line, Watched(site, record) as watched:
            _walk(watched, Journey("canary", "planted requests", canary), NONE, name="canary 1")
            if any(journey.name == "who" or MISTAKEN in attack.expects for journey, attack in pairs):
                _walk(watched, JOURNEYS["who"], PLANTED_OCCUPANT, "planted", name=CANARY)
            for number, (journey, attack) in enumerate(pairs):
                line.tell(name_of(journey, attack), number / len(pairs))
                if journey.people and real is None:
                    record.run = name_of(journey, attack)
                    record.add("harness", "skipped", reason=missing)
                    record.run = ""
                elif journey.people:
                    # A room of its own: who left abruptly stays in one as a ghost for a minute.
                    room = f"Room{secrets.token_hex(4)}"
                    _walk(watched, journey, attack, room, real=real, pictures=out / PICTURES)
                else:
                    _walk(watched, journey, attack, f"room{number}")
            _walk(watched, Journey("canary", "planted requests", canary), NONE, name="canary 2")
            line.say(f"{len(pairs)} runs, {record.count} events")
            version, targets = watched.browser_version, sorted(watched.targets)
    finally:
        record.close()
    summary = verdict.judge(read(out / "events.ndjson"), _expected(pairs))
    summary["site"] = str(site)
    summary["only"] = list(only)
    summary["site_sha256"] = site_digest(site)
    summary["people"] = {journey.name: list(journey.people) for journey, _attack in pairs if journey.people}
    summary["texts"] = {
        "journeys": {journey.name: journey.text for journey, _attack in pairs},
        "attacks": {attack.name: attack.text for _journey, attack in pairs},
    }
    summary["browser"] = version
    summary["targets"] = targets
    summary["keys_tried"] = sum(
        len(tried.config) + len(tried.interface) for tried in ATTACKS if tried.name.startswith(("keys", "interface"))
    )
    summary["seconds"] = round(time.time() - started, 1)
    summary["date"] = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(started))
    disk.write(out / PAGE, report.page(summary).encode())
    disk.write_json(out / SUMMARY, summary)
    return Result(summary, out)


def _expected(pairs: Sequence[tuple[Journey, Attack]]) -> dict[str, tuple[str, ...]]:
    """Return the hosts that unpatched upstream contacts: by attack, and for real servers by run, without the stub's."""
    found = {attack.name: attack.expects for journey, attack in pairs if not journey.people}
    for journey, attack in pairs:
        if journey.people:
            found[name_of(journey, attack)] = attack.expects
    return {name: hosts for name, hosts in found.items() if hosts}


def _walk(
    watched: Watched,
    journey: Journey,
    attack: Attack,
    room: str = "",
    *,
    name: str = "",
    real: Real | None = None,
    pictures: Path | None = None,
) -> None:
    record, scene = watched.record, watched.scene
    record.run = name or name_of(journey, attack)
    scene.settings = journey.settings + attack.settings
    scene.page, scene.mallory = attack.script, attack.mallory
    scene.features, scene.real = journey.server | attack.server, real
    if journey.name in {"call-mallory", "own-stun", "who"} and attack is NONE:
        scene.mallory = HARMLESS
    record.add("harness", "start", address=attack.address("/"))
    ok, text = True, ""
    try:
        with ExitStack() as stack:
            visits = []
            for person in journey.people or ("",):
                context = stack.enter_context(watched.browser(permissions=["camera", "microphone"], **journey.profile))
                visits.append(
                    Visit(context, attack, room, record, real=real, name=person, pictures=pictures, scene=scene)
                )
            visits[0].others = tuple(visits[1:])
            journey.walk(visits[0])
    except Missed as error:
        ok, text = False, str(error)
    except Exception as error:  # noqa: BLE001 (a page that crashes under attack is a result, not our end)
        ok, text = False, f"{type(error).__name__}: {str(error)[:200]}"
    time.sleep(SETTLE)
    record.add("harness", "end", ok=ok, text=text)
    record.run = ""


def weak_control(summary: dict[str, Any]) -> list[str]:
    """Return what is wrong with a run on the unpatched site, where leaks must be found: nothing, or the reasons."""
    reasons = [f"the control is void: {reason}" for reason in summary["void_because"]]
    reasons += [
        f"the control did not see what {control['attack']} does to upstream as it is: {', '.join(control['missing'])}"
        for control in summary["control"]
        if control["missing"]
    ]
    if not summary["totals"]["contacts"]:
        reasons.append("the control found no contact at all")
    return reasons
