"""A class and an attacker behind one address: the limits of build/nginx before real servers.

Figures go to .work/logins.json; docs/operator.md has those of one machine.
"""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from hardener.proof import stack as stack_module
from hardener.proof.attack.record import Account, Target
from hardener.proof.attack.session import Scene
from hardener.proof.xmpp.client import Refused
from hardener.system import disk
from support import nginx_server

from .conftest import ROOT, SNIPPETS
from .meeting import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from hardener.proof.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]

CLASS = 30
ATTACKERS, GUESSES = 16, 20  # connections, half of them over BOSH, and wrong passwords on each
FIGURES = ROOT / ".work" / "logins.json"
SERVER = """
  {zones}
  server {{
    listen 127.0.0.1:{{port}}; root {{site}};
    set $hardener_xmpp http://{prosody}:5280; set $hardener_bridge http://127.0.0.1:9;
    include hardener/site.conf;
  }}
"""


@dataclass(frozen=True)
class Front:
    """An nginx with the snippets before the Prosody of the stack."""

    kind: str
    url: str


@pytest.fixture(params=["limits", "no limits"])
def front(request: pytest.FixtureRequest, bridged: Stack, nginx: str, tmp_path: Path) -> Iterator[Front]:
    """Provide nginx with and without the optional limits."""
    shutil.copytree(SNIPPETS, tmp_path / "hardener")
    zones = ""
    if request.param == "limits":
        shutil.copy(SNIPPETS / "limits" / "limits.conf", tmp_path / "hardener")
        zones = (SNIPPETS / "limits" / "zones.conf").read_text(encoding="utf-8")
    http = SERVER.format(zones=zones, prosody=stack_module.address(bridged.name, "prosody"))
    server, address = nginx_server.start(nginx, tmp_path, http)
    yield Front(request.param, address)
    nginx_server.stop(server)


def _note(name: str, **figures: Any) -> None:
    known = disk.read_json(FIGURES)
    disk.write_json(FIGURES, (known if isinstance(known, dict) else {}) | {name: figures})


def _log_in(target: Target, transport: str) -> float:
    """Log in with the account of the target; returns the seconds that it took."""
    began, scene = time.monotonic(), Scene(target, transport)
    try:
        scene.client()
    finally:
        scene.close()
    return time.monotonic() - began


@pytest.mark.parametrize("transport", ["websocket", "bosh"])
def test_class_behind_one_address_logs_in_at_the_same_time(bridged: Stack, front: Front, transport: str) -> None:
    target = Target(front.url, bridged.domain, account=Account("bob", bridged.users["bob"]), patience=180.0)
    together = threading.Barrier(CLASS)

    def log_in(_number: int) -> float:
        together.wait()
        return _log_in(target, transport)

    with ThreadPoolExecutor(CLASS) as pupils:
        seconds = sorted(pupils.map(log_in, range(CLASS)))  # raises where a pupil is refused
    _note(f"{CLASS} logins, {transport}, {front.kind}", first=seconds[0], last=seconds[-1])


def _guess(target: Target, transport: str) -> list[str]:
    """Try wrong passwords on one connection; returns how the server refuses each."""
    scene, refusals = Scene(target, transport), []
    client = scene.guest()
    for _ in range(GUESSES):
        scene.more_time()
        try:
            client.log_in("bob", "a wrong password")
        except Refused as refusal:
            refusals.append(str(refusal))
    scene.close()
    return refusals


def test_call_stays_up_beside_a_flood_of_wrong_passwords(
    bridged: Stack, front: Front, launch_browser: Callable[[], Browser], browsers: list[Browser]
) -> None:
    """People who had left the room and come back would have other names in it."""
    call = Call(bridged, launch_browser, browsers)
    for name in ("alice", "bob"):
        call.enter(name)
    call.together()
    names = [person.page.evaluate("APP.conference.getMyUserId()") for person in call.people.values()]
    target, began = Target(front.url, bridged.domain, patience=180.0), time.monotonic()
    with ThreadPoolExecutor(ATTACKERS) as attackers:
        tries = [
            attackers.submit(_guess, target, ("websocket", "bosh")[number % 2]) for number in range(ATTACKERS)
        ]  # fmt: skip
        while not all(attempt.done() for attempt in tries):
            for person, other in permutations(call.people.values(), 2):
                person.wait_for_more_from(other.name)
    refusals = [refusal for attempt in tries for refusal in attempt.result()]
    _note(f"{len(refusals)} wrong passwords beside a call, {front.kind}", seconds=time.monotonic() - began)
    assert refusals == ["not-authorized"] * ATTACKERS * GUESSES
    for person, other in permutations(call.people.values(), 2):
        person.wait_for_more_from(other.name)
    assert [person.page.evaluate("APP.conference.getMyUserId()") for person in call.people.values()] == names
    call.close()
