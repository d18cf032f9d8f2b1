"""Visit the service with Chromium in a sealed network: only the declared hosts answer, all else is recorded.

Nothing is clicked before the call. A call needs the test account, or a service that asks for no login. What is kept are
hosts that were contacted, keys of the storage and counts: no addresses, contents or values.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import tempfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.assessment.service import storage
from hardener.assessment.service.client import AGENT, SpentError
from hardener.errors import StackError
from hardener.proof.evidence import calls, verdict
from hardener.proof.evidence.attack import NONE
from hardener.proof.evidence.cdp import host_of
from hardener.proof.evidence.journeys import ANDROID, IPHONE, PHONE, canary
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.relay import Real
from hardener.proof.evidence.visit import APP_PROMO, LOGIN, PREJOIN, WELCOME, Missed, Visit
from hardener.proof.evidence.witness import Watched
from hardener.proof.redact import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from playwright.sync_api import BrowserContext, Page

    from hardener.proof.attack.record import Account

    Browse = Callable[..., dict[str, Any]]

MOST = 150  # requests of one page to the service
_PEOPLE = 2  # in the call
_HOSTS = 500  # contacted hosts that are kept
_VOID = ("canary ", "no canaries", "network ")  # reasons that say that a witness was blind
_LONGEST = 120  # seconds of a journey, for each person in it
_LINGER = 4  # seconds for a page to do what it should not do
_PATIENCE = 30  # seconds until something of the client is shown
# What a page shows first, in the order in which it is looked for.
_SHOWN = {
    "apps": APP_PROMO,
    "login": f"{LOGIN}, #login-dialog-username",
    "prejoin": PREJOIN,
    "call": "#largeVideoContainer",
    "welcome": WELCOME,
    "page": "#react button, #react a",
}
# Links into the stores of apps. An intent without an address of its own leads to the store, too.
_STORES = r"""() => [...document.querySelectorAll('a[href]')].filter(({ href }) => {
    const store = /play\.google\.com|(apps|itunes)\.apple\.com|^(market|itms[\w-]*):/i;
    return store.test(href.replace(/%2F/gi, '/')) || (/^intent:/i.test(href) && !/S\.browser_fallback_url=/.test(href));
}).length"""
# Whether the own camera or microphone is sent into the room.
_SENDING = """() => {
    const room = window.APP?.conference?._room;
    return Boolean(room?.isJoined?.() && room.getLocalTracks().some(track => !track.isMuted()));
}"""
_LEAVE = f'{calls.LEAVE}, [data-testid="toolbar.hangup"], .hangup-button'
_PRIVATE = tuple(
    map(ipaddress.ip_network, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7 fe80::/10".split())
)


@dataclass(frozen=True)
class Goal:
    """The service to be visited: its origin, all declared origins, the room, and the test account if there is one."""

    origin: str
    own: tuple[str, ...]
    site: Path
    room: str = ""
    account: Account | None = None


class _Counting(Recorder):
    """A recorder that counts what one journey does: requests to the service, and attempts to open devices."""

    def __init__(self, path: Path, own: AbstractSet[str]) -> None:
        super().__init__(path)
        self._own = own
        self.exceeded: Callable[[], None] = lambda: None
        self.devices = 0
        self._asked = [0, 0]
        self.people = 1

    def begin(self, name: str, people: int = 1) -> None:
        """Begin a journey."""
        self.run, self.people, self.devices, self._asked = name, people, 0, [0, 0]
        self.add("harness", "start", network="1")

    def add(self, witness: str, kind: str, **facts: Any) -> None:
        """Write and count an event. Playwright and the browser report the same requests, and each misses some."""
        super().add(witness, kind, **facts)
        self.devices += kind == "devices"
        if witness == "browser" and kind in {"request", "websocket"} and facts["host"] in self._own:
            source = facts["target"] == "playwright"
            self._asked[source] += 1
            if self._asked[source] == MOST * self.people + 1:
                self.exceeded()

    @property
    def requests(self) -> int:
        """Return how many requests a journey sent; it is ended at the bound, and what was still waiting is not sent."""
        return min(max(self._asked), MOST * self.people)


@dataclass
class _Walk:
    """A visit in progress: what has been found so far."""

    goal: Goal
    watched: Watched
    record: _Counting
    spend: Callable[[int], None]
    tell: Callable[[str], None]
    journeys: list[dict[str, Any]] = field(default_factory=list)
    left: list[storage.Left] = field(default_factory=list)
    after: list[storage.Left] = field(default_factory=list)
    traces: set[str] = field(default_factory=set)  # rooms and names that were entered
    stopped: str = ""  # why the present journey was ended from outside

    def stop(self, reason: str) -> None:
        """End the browsers of the present journey, from another thread: a page can keep Playwright waiting for ever."""
        self.stopped = reason
        self.watched.interrupt()

    @property
    def agent(self) -> str:
        """Return the browser's own name, with ours."""
        version = re.search(r"\d+", self.watched.browser_version)
        chrome = f"Chrome/{version[0] if version else 140}.0.0.0 Safari/537.36"
        return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) {chrome} {AGENT}"


def browse(goal: Goal, spend: Callable[[int], None], tell: Callable[[str], None]) -> dict[str, Any]:
    """Visit the service. Returns what was seen, or ``missing``: why no browser could be started here.

    Where ``spend`` raises SpentError, no more journeys are made.
    """
    with tempfile.TemporaryDirectory(prefix="hardener-visit-") as name:
        path = Path(name) / "events.ndjson"
        own = {host_of(origin) for origin in goal.own}
        record = _Counting(path, own)
        try:
            with Watched(goal.site, record, service=goal.own) as watched:
                walk = _Walk(goal, watched, record, spend, tell)
                record.exceeded = lambda: walk.stop(f"a page sent more than {MOST} requests to the service")
                _walk(walk)
                version = watched.browser_version
        except StackError as error:
            return {"missing": error.message}
        finally:
            record.close()
        summary = verdict.judge(read(path), own=verdict.OWN | own | watched.known)
    return {
        "browser": version,
        "void": [reason for reason in summary["void_because"] if reason.startswith(_VOID)],
        "journeys": walk.journeys,
        "contacts": _contacts(summary["runs"], walk.traces)[:_HOSTS],
        "browsers_own": sorted({host for run in summary["runs"] for host in run["browsers_own"]}),
        "stored": storage.judged(walk.left),
        "left": storage.judged(walk.after) if walk.after else None,
    }


def _walk(walk: _Walk) -> None:
    rooms = [walk.goal.room or f"hardener-{secrets.token_hex(6)}" for _visit in range(2)]
    walk.traces |= {*rooms}
    _canaries(walk, "canary 1")
    with contextlib.suppress(SpentError):  # what was seen until then counts
        _journeys(walk, rooms)
    _canaries(walk, "canary 2")


def _journeys(walk: _Walk, rooms: Sequence[str]) -> None:
    _look(walk, "welcome", "/", "")
    for number, room in enumerate(rooms, 1):  # twice: what differs is an identifier
        _look(walk, f"room {number}", f"/{room}", room)
    for name, agent in (("android", ANDROID), ("iphone", IPHONE)):
        _look(walk, name, f"/{rooms[0]}", rooms[0], **PHONE, user_agent=f"{agent} {AGENT}")
    if walk.goal.account or any(journey["shown"] in {"prejoin", "call"} for journey in walk.journeys):
        _call(walk)


def _canaries(walk: _Walk, name: str) -> None:
    """Plant requests to foreign hosts on a page of our own."""
    from playwright.sync_api import Error  # noqa: PLC0415 (a development dependency)

    walk.tell(name)
    walk.record.begin(name)
    ok = True
    try:
        with walk.watched.browser() as context:
            canary(Visit(context, NONE, "", walk.record))
    except (Error, Missed):
        ok = False
    walk.record.add("harness", "end", ok=ok)
    walk.record.run = ""


@contextlib.contextmanager
def _journey(walk: _Walk, name: str, people: int = 1) -> Iterator[dict[str, Any]]:
    """Make a journey: what falls into it is recorded as its own."""
    from playwright.sync_api import Error  # noqa: PLC0415 (a development dependency)

    walk.tell(f"browser: {name}")
    walk.spend(0)
    walk.record.begin(name, people)
    facts: dict[str, Any] = {"name": name, "shown": "", "requests": 0, "devices": 0, "completed": False}
    walk.stopped = ""
    limit = threading.Timer(
        _LONGEST * people, walk.stop, (f"the journey did not end within {_LONGEST * people} seconds",)
    )
    limit.daemon = True
    limit.start()
    try:
        yield facts
        facts["completed"] = not walk.stopped
    except (Error, Missed, StackError) as error:
        facts["missed"] = _why(error)
    finally:
        limit.cancel()
        if walk.stopped:
            facts["missed"] = walk.stopped
        walk.record.add("harness", "end", ok=facts["completed"])
        facts |= {"requests": walk.record.requests, "devices": walk.record.devices}
        walk.record.run = ""
        walk.journeys.append(facts)
        walk.spend(facts["requests"])


def _why(error: Exception) -> str:
    """Return why a journey ended early, without addresses and names.

    >>> _why(Missed("nothing of the client is shown")), _why(ValueError("Page.goto: net::ERR_TIMED_OUT at https://a/b"))
    ('nothing of the client is shown', 'ERR_TIMED_OUT')
    """
    if isinstance(error, Missed):
        return re.sub(r"/.*", "/", str(error))
    if isinstance(error, StackError):
        return error.message
    code = re.search(r"\bERR_[A-Z_]+", str(error))
    return code[0] if code else "the page did not do what was waited for"


def _look(walk: _Walk, name: str, path: str, room: str, **settings: Any) -> None:
    """Open a page in a fresh profile, click nothing, and see what it does."""
    wanted: dict[str, Any] = {"user_agent": walk.agent} | settings
    with _journey(walk, name) as facts, walk.watched.browser(accept_downloads=False, **wanted) as context:
        page = context.new_page()
        _open(page, facts, walk.goal.origin + path)
        _wait(page, _LINGER)
        facts["sending"] = bool(page.evaluate(_SENDING))
        promoted = page.evaluate(_STORES)
        facts["promoted"] = promoted if isinstance(promoted, int) else 1  # the page may have replaced what counts
        walk.left.append(_stored(context, page, (room,), name.rstrip(" 12")))


def _open(page: Page, facts: dict[str, Any], address: str) -> None:
    """Open an address, and wait for something of the client."""
    page.goto(address, wait_until="load", timeout=1000 * _PATIENCE)
    for _moment in range(4 * _PATIENCE):
        for name, selector in _SHOWN.items():
            if page.locator(selector).count():
                facts["shown"] = name
                return
        _wait(page, 0.25)
    raise Missed("nothing of the client is shown")


def _wait(page: Page, seconds: float) -> None:
    """Give a page time."""
    page.wait_for_timeout(1000 * seconds)


def _stored(context: BrowserContext, page: Page, traces: tuple[str, ...], way: str) -> storage.Left:
    entries = [storage.Entry(*map(str, entry)) for entry in page.evaluate(storage.STORED)]
    entries += [storage.Entry("cookie", cookie["name"], cookie["value"]) for cookie in context.cookies()]
    return storage.Left(tuple(entries), traces, way)


def _call(walk: _Walk) -> None:
    """Let two people meet, and leave again: with the test account, or without where the service asks for none."""
    with _journey(walk, "call", _PEOPLE) as facts, contextlib.ExitStack() as stack:
        try:
            _meet(walk, facts, stack)
        except Missed as error:  # a step of a person has the account in its name
            user = walk.goal.account.user if walk.goal.account else ""
            raise Missed(str(error).removeprefix(f"{user}: ")) from error


def _meet(walk: _Walk, facts: dict[str, Any], stack: contextlib.ExitStack) -> None:
    room, person = f"hardener-{secrets.token_hex(6)}", f"Visitor {secrets.token_hex(4)}"
    account = walk.goal.account
    user = account.user if account else ""
    walk.traces |= {room, person} | ({user} if user else set())
    real = Real(walk.goal.origin, "", {account.user: account.password}) if account else None
    attack = replace(NONE, origin=walk.goal.origin)
    visits: list[Visit] = []
    for _person in range(_PEOPLE):
        wanted: dict[str, Any] = {"user_agent": walk.agent, "permissions": ["camera", "microphone"]}
        context = stack.enter_context(walk.watched.browser(accept_downloads=False, **wanted))
        visit = Visit(context, attack, room, walk.record, patience=_PATIENCE, real=real, name=user, shown=person)
        visit.open(f"/{room}")
        visit.enter()
        if not visits:
            visit.find(f"{_SHOWN['prejoin']}, {_SHOWN['call']}").wait_for(state="attached", timeout=1000 * _PATIENCE)
            _wait(visit.page, _LINGER)
            facts["devices_prejoin"] = walk.record.devices
        visit.join()
        visits.append(visit)
    for visit in visits:
        visit.page.wait_for_function(calls.OTHERS, arg=_PEOPLE - 1, timeout=1000 * _PATIENCE)
    facts["shown"] = "call"
    _wait(visits[0].page, _LINGER)
    facts["received"] = visits[0].page.evaluate(calls.STATISTICS)
    for visit in visits:
        visit.find(_LEAVE).evaluate("button => button.click()")
        visit.page.wait_for_function(calls.GONE, timeout=1000 * _PATIENCE)
    _wait(visits[0].page, _LINGER)
    walk.after += [_stored(visit.context, visit.page, (room, person, user), "call") for visit in visits]


def _contacts(runs: Iterable[dict[str, Any]], traces: Iterable[str]) -> list[dict[str, Any]]:
    """Return the foreign hosts that were contacted: which witnesses saw it, and in which journeys. The names of room
    and person (``traces``) are hidden in them.

    An address of a private network is not that of a third party: a bridge may offer its own.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for run in runs:
        for contact in run["contacts"]:
            if not _is_private(contact["host"]):
                host = _masked(contact["host"])
                for trace in traces:
                    host = re.sub(rf"(?<![a-z0-9]){re.escape(trace)}(?![a-z0-9])", HIDDEN, host, flags=re.IGNORECASE)
                seen = found.setdefault(host, {"browser": set(), "transport": set(), "in": set()})
                seen["browser"] |= set(contact["browser"])
                seen["transport"] |= set(contact["transport"])
                seen["in"].add(run["run"])
    return [
        {"host": host, **{name: sorted(kinds) for name, kinds in seen.items()}} for host, seen in sorted(found.items())
    ]


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)


def _masked(host: str) -> str:
    """Return a host; of an address without a name, the network that it is in.

    >>> _masked("192.0.2.77"), _masked("2001:db8:1:2::3"), _masked("cdn.example")
    ('192.0.2.0/24', '2001:db8:1::/48', 'cdn.example')
    """
    try:
        return str(ipaddress.ip_network(f"{host}/{48 if ':' in host else 24}", strict=False))
    except ValueError:
        return host
