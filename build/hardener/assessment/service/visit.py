"""A visit: steps over HTTP and XMPP whose results are kept, so that an interrupted visit resumes."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hardener import __version__
from hardener.assessment.service import attack, browser, logins, tls
from hardener.assessment.service.client import AGENT, MOST, Client, SpentError, origin_of, reached
from hardener.assessment.service.download import INDEX, Download
from hardener.errors import UnreachableError, UsageError
from hardener.pipeline.proofs import site_digest
from hardener.proof.attack import campaign
from hardener.proof.attack.record import Target
from hardener.proof.redact import hide
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hardener.assessment.declaration import Declaration
    from hardener.assessment.service.client import Answer
    from hardener.proof.attack.record import Account

# Headers that are kept; all others may hold anything.
HEADERS = (
    "content-security-policy strict-transport-security referrer-policy permissions-policy x-content-type-options"
    " x-frame-options content-type server"
).split()
_SCRIPT = "/libs/app.bundle.min.js"  # asked for where the page names a script by what has to be hidden
OLDEST = dt.timedelta(hours=24)  # of a finished step that is used again


@dataclass
class Visited:
    """The results of all steps: ``facts`` by step, the downloaded files in ``site``, requests in all."""

    origin: str
    own: tuple[str, ...]
    site: Path
    facts: dict[str, Any] = field(default_factory=dict)
    requests: int = 0

    @property
    def host(self) -> str:
        """Return the host of the service."""
        return urlsplit(self.origin).netloc


@dataclass(frozen=True)
class Plan:
    """The target of a visit, and where the results of its steps are kept."""

    address: str
    kept: Path
    room: str = ""
    ca_file: str = ""
    account: Account | None = None
    resume: bool = False
    attack: bool = False


def target_of(address: str, declaration: Declaration) -> str:
    """Return the origin of a service. Raises UsageError for one that the declaration does not name."""
    origin = origin_of(address)
    if origin not in map(reached, declaration.own_hosts):
        raise UsageError(
            f"{origin} is not a host of the declaration, so it is not visited",
            hint=f'if it is your service: own_hosts = ["{origin}"] in [service] of operator.toml',
        )
    return origin


class _Steps:
    """Runs steps and keeps each result with its key, date and number of requests."""

    def __init__(
        self,
        plan: Plan,
        visited: Visited,
        client: Client,
        moderators: str,
        now: dt.datetime,
        tell: Callable[[str], None],
    ) -> None:
        self._folder, self._resume, self._visited, self._client = plan.kept, plan.resume, visited, client
        self._now, self._tell = now, tell
        self._reads = [
            visited.origin,
            sorted(visited.own),
            plan.room,
            plan.account.user if plan.account else "",
            moderators,
        ]

    def run(self, name: str, step: Callable[[], Any], *, valid: Callable[[Any], bool] = lambda _value: True) -> Any:
        """Return the result of a step: the kept one, if ``--resume`` was given and it is of the last hours."""
        found = self._kept(name)
        if found and valid(found["value"]):
            self._tell(f"{name}: kept, {int(found['age'].total_seconds()) // 60} minutes old")
            self._client.count += found["requests"]
            return self._noted(name, found["value"])
        self._tell(name)
        before = self._client.count
        value = hide(step())
        self._keep(name, value, before)
        return self._noted(name, value)

    def resumed(self, name: str, valid: Callable[[Any], bool]) -> Any:
        """Return what :meth:`stopped` has kept of a step that did not come to its end; None if nothing can be used."""
        found = self._kept(f"{name}-begun")
        if not found or not valid(found["value"]):
            return None
        self._client.count += found["requests"]
        return found["value"]

    def stopped(self, name: str, value: Any, before: int) -> None:
        """Keep a part of a step; ``before`` is how many requests had been sent when it began."""
        self._keep(f"{name}-begun", value, before)

    def _kept(self, name: str) -> dict[str, Any] | None:
        found = disk.read_json(self._folder / f"{name}.json") if self._resume else None
        if not isinstance(found, dict) or found.get("key") != self._key(name):
            return None
        age = self._now - dt.datetime.fromisoformat(found["date"])
        return found | {"age": age} if dt.timedelta() <= age <= OLDEST else None

    def _keep(self, name: str, value: Any, before: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # the delivered files are in it as they came
        kept = {"date": self._now.isoformat(), "requests": self._client.count - before, "value": value}
        disk.write_json(self._folder / f"{name}.json", kept | {"key": self._key(name)})

    def _key(self, name: str) -> str:
        return stamps.key(__version__, name, *self._reads)

    def _noted(self, name: str, value: Any) -> Any:
        self._visited.facts[name] = value
        return value


def visit(
    plan: Plan,
    declaration: Declaration,
    now: dt.datetime,
    tell: Callable[[str], None],
    *,
    client: Client | None = None,
    attempt: logins.Try | None = None,
    browse: browser.Browse = browser.browse,
    attacked: attack.Run = campaign.run,
) -> Visited:
    """Visit a service. Raises UsageError for a foreign or wrong target, UnreachableError where it does not answer."""
    origin = target_of(plan.address, declaration)
    if plan.attack:
        attack.permitted(declaration, now.date())
    client = client or Client(origin, declaration.own_hosts, ca_file=plan.ca_file)
    visited = Visited(origin, declaration.own_hosts, plan.kept / "site")
    steps = _Steps(plan, visited, client, declaration.moderators, now, tell)
    try:
        front = steps.run("front", lambda: _front(client, visited), valid=lambda kept: _is_front(visited.site, kept))
        steps.run("headers", lambda: _headers(client, plan.room, front, visited.own))
        steps.run("cleartext", lambda: _cleartext(client))
        steps.run("tls", lambda: tls.offered(client.origin, client.spend, client.shake))
        steps.run("files", lambda: _files(client, visited.site, steps), valid=lambda kept: _same(visited.site, kept))
        steps.run("logins", lambda: _logins(client, visited.site, plan, attempt))
        goal = browser.Goal(origin, tuple(map(reached, declaration.own_hosts)), visited.site, plan.room, plan.account)
        steps.run("browser", lambda: browse(goal, client.spend, tell), valid=lambda kept: "missing" not in kept)
        if plan.attack and (target := _target(client, _hosts(visited.site), plan)):
            target = replace(target, named_hosts=declaration.moderators == "named")
            steps.run("attack", lambda: attack.run(target, tell, attacked))
    except SpentError as error:
        raise UsageError(
            f"the bound of {MOST} requests was reached before the visit was complete", hint="repeat it without --resume"
        ) from error
    except UnreachableError as error:
        if any(plan.kept.glob("*.json")):
            error.hint += "; then repeat with --resume, which keeps finished steps and files"
        raise
    visited.requests = client.count
    return visited


def _front(client: Client, visited: Visited) -> dict[str, Any]:
    """Get the first page, which has to be that of Jitsi Meet; other steps read it from the folder."""
    answer = client.get("/")
    text = answer.body.decode("utf-8", "replace")
    if answer.foreign:
        raise UsageError(
            f"{client.origin} leads to {hide(answer.foreign)}, which is not declared",
            hint="add the origin to own_hosts, or name the address at which Jitsi Meet answers",
        )
    script = next((word for word in text.replace("'", '"').split('"') if "libs/app.bundle" in word), "")
    if answer.status != 200 or not script or "config.js" not in text:  # noqa: PLR2004
        raise UsageError(
            f"{client.origin} is not a Jitsi Meet: its first page (HTTP {answer.status}) does not load the client",
            hint="name the origin at which the web client answers; a path below it is not supported",
        )
    try:
        path = urlsplit(script).path
    except ValueError as error:
        raise UsageError(
            f"{client.origin} is not a Jitsi Meet: the address of its script is not valid",
            hint="look at the first page: <script src> has to name libs/app.bundle.min.js",
        ) from error
    disk.remove(visited.site)
    disk.write(visited.site / INDEX, answer.body)
    digest = stamps.file_digest(visited.site / INDEX)
    return {"script": path if hide(path) == path else _SCRIPT, "answer": _kept(answer, visited.own), "sha256": digest}


def _is_front(site: Path, kept: Mapping[str, Any]) -> bool:
    return (site / INDEX).is_file() and kept.get("sha256") == stamps.file_digest(site / INDEX)


def _headers(client: Client, room: str, front: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """Get one path of each class; keep the status and the headers that protect."""
    random = secrets.token_hex(8)
    paths = {
        "room": f"/{room or 'hardener-' + random}",
        "static": front["script"],
        "config": "/config.js",
        "error": f"/static/hardener-{random}.html",
        "http-bind": "/http-bind",
        "xmpp-websocket": "/xmpp-websocket",
    }
    answers = {name: client.get(path, keep=name in {"static", "config"}) for name, path in paths.items()}
    return {"index": front["answer"]} | {name: _kept(answer, own) for name, answer in answers.items()}


def _kept(answer: Answer, own: tuple[str, ...]) -> dict[str, Any]:
    """Return status and headers. Addresses are hidden later, so own ones are marked: a policy may allow them."""
    headers: Mapping[str, str] = answer.headers
    shown = {name: headers[name][:4000] for name in HEADERS if name in headers}
    for name in {urlsplit(origin).hostname or "" for origin in own}:
        if re.fullmatch(r"[\d.]+", name):
            shown = {
                header: re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", "[own]", text)
                for header, text in shown.items()
            }
    return {
        "status": answer.status,
        "headers": shown,
        "foreign": answer.foreign,
        "cookies": int("set-cookie" in headers),
    }


def _cleartext(client: Client) -> dict[str, Any]:
    """Ask port 80, where the service has the usual port for HTTPS: it has to redirect, or to be closed."""
    parts = urlsplit(client.origin)
    if parts.scheme != "https" or parts.port:
        return {"asked": False}
    try:
        answer = client.once(f"http://{parts.netloc}/")
    except UnreachableError:
        return {"asked": True, "closed": True, "encrypted": True}
    return {"asked": True, "closed": False, "encrypted": answer.place.lower().startswith("https://")}


def _files(client: Client, site: Path, steps: _Steps) -> dict[str, Any]:
    """Download the files. Where that ends early, those that are there are used by the next run."""
    before = client.count
    begun = steps.resumed("files", lambda kept: site.is_dir() and kept["sha256"] == site_digest(site))
    download = Download(client, site, begun["known"] if begun else None)
    try:
        download.run()
    except (UnreachableError, KeyboardInterrupt):
        steps.stopped("files", {"known": download.known, "sha256": site_digest(site)}, before)
        raise
    return {
        "absent": download.absent,
        "foreign": sorted(set(download.foreign)),
        "complete": download.complete,
        "sha256": site_digest(site),
    }


def _same(site: Path, kept: Mapping[str, Any]) -> bool:
    return (site / INDEX).is_file() and kept.get("sha256") == site_digest(site)


def _hosts(site: Path) -> dict[str, str]:
    path = site / "config.js"
    return logins.hosts_of(path.read_bytes()) if path.is_file() else {}


def _target(client: Client, hosts: dict[str, str], plan: Plan) -> Target | None:
    """Return the XMPP server, if config.js names a host and the server is that of the service."""
    if logins.elsewhere(hosts, client.origin) or "hosts.domain" not in hosts:
        return None
    muc = hosts.get("hosts.muc", f"conference.{hosts['hosts.domain']}")
    return Target(client.origin, hosts["hosts.domain"], muc, plan.account, ca_file=plan.ca_file, agent=AGENT)


def _logins(client: Client, site: Path, plan: Plan, attempt: logins.Try | None) -> dict[str, Any]:
    """Ask the XMPP server, if config.js names a host and the server is that of the service."""
    hosts = _hosts(site)
    target = _target(client, hosts, plan)
    if target is None:
        other = logins.elsewhere(hosts, client.origin)
        return {"attempts": [], "elsewhere": other, "domain": "hosts.domain" in hosts, "first": None}
    more = {"attempt": attempt} if attempt else {}
    return {
        "attempts": logins.ask(target, hosts, client.spend, **more),
        "elsewhere": "",
        "domain": True,
        "first": logins.first_in(target, client.spend, **more) if plan.account else None,
    }
