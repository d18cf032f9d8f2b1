"""The evidence run: canaries, every journey, every attack on its journeys, canaries again; then the verdict.

The runs are shared out to sealed networks that work side by side (sharing.py), each with canaries of its own.
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.pipeline.proofs import site_digest
from hardener.proof.evidence import report, verdict
from hardener.proof.evidence.attack import HARMLESS, NONE
from hardener.proof.evidence.attacks import ATTACKS
from hardener.proof.evidence.journeys import JOURNEYS, Journey, canary
from hardener.proof.evidence.occupants import CANARY
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.selection import name_of
from hardener.proof.evidence.sharing import Work
from hardener.proof.evidence.spoofs import MISTAKEN, PLANTED_OCCUPANT
from hardener.proof.evidence.visit import Missed, Visit
from hardener.proof.evidence.witness import Watched
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hardener.proof.evidence.attack import Attack
    from hardener.proof.evidence.relay import Real
    from hardener.proof.evidence.selection import Pair
    from hardener.proof.evidence.sharing import Item
    from hardener.ui import UI

EVENTS, PAGE, SUMMARY, PICTURES = "events.ndjson", "index.html", "summary.json", "screenshots"
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


@dataclass(frozen=True)
class Scope:
    """The part of the plan that is walked: the runs, how many side by side, and how they were selected.

    ``only``, ``shard`` and ``since`` are for readers of the record.
    """

    pairs: Sequence[Pair]
    jobs: int = 1
    only: Sequence[str] = ()
    shard: str = ""
    since: str = ""

    @property
    def networks(self) -> int:
        """Return how many networks work side by side: each costs two sets of canaries."""
        return max(1, min(self.jobs, len(self.pairs)))


@dataclass(frozen=True)
class _Stage:
    """The things that all networks of a run share."""

    site: Path
    work: Work
    lanes: list[Watched]
    pictures: Path
    comparing: bool  # whether some run compares who is there with who is shown
    real: Real | None
    missing: str


def refuse_no_site(site: Path) -> None:
    """Raise UsageError unless this is the folder of an unpacked site."""
    if site.is_file():
        raise UsageError(f"{site} is a file", hint="unpack an archive into a folder: tar -xzf FILE -C FOLDER")
    if not (site / "index.html").is_file():
        raise UsageError(f"{site} has no index.html", hint="give the folder of an unpacked site")


def run(
    site: Path, out: Path, ui: UI, scope: Scope, real: Real | None = None, missing: str = "not asked for"
) -> Result:
    """Walk the plan on a built site; writes events.ndjson, summary.json, index.html and screenshots of real calls.

    ``real`` are the servers for journeys that need them; without them those are skipped, and ``missing`` says why.
    """
    pairs, networks = scope.pairs, scope.networks
    clear(out)
    record = Recorder(out / EVENTS)
    started = time.time()
    try:
        with ui.step("evidence", site.parent.name or site.name) as line:
            work = Work(pairs, lambda pair, part: line.tell(name_of(*pair), part), repeat=networks > 1)
            comparing = any(journey.name == "who" or MISTAKEN in attack.expects for journey, attack in pairs)
            stage = _Stage(site, work, [], out / PICTURES, comparing, real, missing)
            _side_by_side(stage, record, networks)
            beside = f" in {networks} networks side by side" if networks > 1 else ""
            line.say(f"{len(pairs)} runs{beside}, {record.count} events")
            version = stage.lanes[0].browser_version
            targets = sorted({target for watched in stage.lanes for target in watched.targets})
    finally:
        record.close()
    facts: dict[str, Any] = {
        "site": str(site),
        "site_sha256": site_digest(site),
        "browser": version,
        "targets": targets,
    }
    facts |= {"only": list(scope.only), "shard": scope.shard, "since": scope.since, "networks": networks}
    facts |= {"date": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(started))}
    return finish(out, pairs, facts | {"seconds": round(time.time() - started, 1)})


def clear(out: Path) -> None:
    """Make the folder of a record, without the verdict of an earlier run: it proves nothing about this site."""
    for name in (PAGE, SUMMARY, PICTURES):
        disk.remove(out / name)
    (out / PICTURES).mkdir(parents=True)


def finish(out: Path, pairs: Sequence[Pair], facts: dict[str, Any]) -> Result:
    """Judge the events in ``out``, and write summary.json, which has these facts as well, and index.html."""
    order = {name_of(*pair): number for number, pair in enumerate(pairs)}
    events = sorted(read(out / EVENTS), key=lambda event: order.get(event["run"], -1))  # stable: the order of the plan
    summary = verdict.judge(events, _expected(pairs)) | facts
    summary["people"] = {journey.name: list(journey.people) for journey, _attack in pairs if journey.people}
    summary["texts"] = {
        "journeys": {journey.name: journey.text for journey, _attack in pairs},
        "attacks": {attack.name: attack.text for _journey, attack in pairs},
    }
    summary["keys_tried"] = sum(
        len(tried.config) + len(tried.interface) for tried in ATTACKS if tried.name.startswith(("keys", "interface"))
    )
    disk.write(out / PAGE, report.page(summary).encode())
    disk.write_json(out / SUMMARY, summary)
    return Result(summary, out)


def _side_by_side(stage: _Stage, record: Recorder, networks: int) -> None:
    """Make all runs in so many networks; where one of them fails, or on an interrupt, end the others first."""
    if networks == 1:  # in this thread, so that an interrupt ends it at once
        _network(stage, record, 1)
        return
    with ThreadPoolExecutor(networks) as pool:
        try:
            recorders = [record, *(record.beside() for _ in range(1, networks))]
            futures = [pool.submit(_network, stage, recorder, number) for number, recorder in enumerate(recorders, 1)]
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
        except BaseException:
            stage.work.stop()
            for watched in list(stage.lanes):
                watched.interrupt()
            raise


def _network(stage: _Stage, record: Recorder, number: int) -> None:
    """Make runs in a sealed network until none is left, between two sets of canaries."""
    network = str(number)
    mark = "" if number == 1 else f", network {number}"
    planted = Journey("canary", "planted requests", canary)
    with Watched(stage.site, record, stage.real) as watched:
        stage.lanes.append(watched)
        _walk(watched, planted, NONE, name=f"canary 1{mark}", network=network)
        if stage.comparing and number == 1:
            _walk(watched, JOURNEYS["who"], PLANTED_OCCUPANT, "planted", name=CANARY, network=network)
        while item := stage.work.take():
            ok = False
            try:
                ok = _made(stage, watched, item, network)
            finally:
                stage.work.done(item, ok=ok)
        if not stage.work.stopped:
            _walk(watched, planted, NONE, name=f"canary 2{mark}", network=network)


def _made(stage: _Stage, watched: Watched, item: Item, network: str) -> bool:
    """Make a run; returns whether it came to its end, or was skipped."""
    journey, attack = item.pair
    if not journey.people:
        return _walk(watched, journey, attack, f"room{item.number}", network=network)
    if stage.real is None:
        watched.record.run = name_of(journey, attack)
        watched.record.add("harness", "skipped", reason=stage.missing)
        watched.record.run = ""
        return True
    # A room of its own: who left abruptly stays in one as a ghost for a minute.
    room = f"Room{secrets.token_hex(4)}"
    return _walk(watched, journey, attack, room, network=network, real=stage.real, pictures=stage.pictures)


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
    network: str,
    name: str = "",
    real: Real | None = None,
    pictures: Path | None = None,
) -> bool:
    """Make a run in a network; returns whether the journey came to its end."""
    record, scene = watched.record, watched.scene
    record.run = name or name_of(journey, attack)
    scene.settings = journey.settings + attack.settings
    scene.page, scene.mallory = attack.script, attack.mallory
    scene.features, scene.real = journey.server | attack.server, real
    if journey.name in {"call-mallory", "own-stun", "who"} and attack is NONE:
        scene.mallory = HARMLESS
    record.add("harness", "start", address=attack.address("/"), network=network)
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
    return ok


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
