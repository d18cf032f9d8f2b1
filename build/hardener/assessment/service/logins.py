"""Ask the XMPP server for what needs no account: one anonymous login for each host of config.js and transport.

With an account: whether the first person in a room moderates it.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from hardener.assessment.service.client import reached
from hardener.errors import ConfigError, UsageError
from hardener.proof.attack import authenticated, campaign, verdict
from hardener.proof.attack.record import Account
from hardener.proof.attack.session import Way
from hardener.proof.xmpp.client import Client
from hardener.proof.xmpp.streams import TRANSPORTS
from hardener.servercheck.readers import javascript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hardener.proof.attack.record import Attempt, Judgement, Target
    from hardener.proof.attack.session import Scene

    Try = Callable[[Way, Target, str], Attempt]

HOSTS = ("hosts.domain", "hosts.anonymousdomain", "hosts.authdomain")
# What one attempt sends at most: handshake, stream, login, and over BOSH a farewell.
REQUESTS = 6


def read_account(path: Path) -> Account:
    """Return the test account in a file: the user in its first line, the password in its second.

    Raises UsageError for another file. The file is read, and nothing of it is written anywhere.
    """
    hint = "first line: the user without @domain; second line: the password; chmod 600"
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}", hint=hint) from error
    if len(lines) < 2 or not lines[0].strip() or not lines[1]:  # noqa: PLR2004
        raise UsageError(f"{path} has no user and password", hint=hint)
    return Account(lines[0].strip(), lines[1])


def hosts_of(config: bytes) -> dict[str, str]:
    """Return the hosts of the XMPP server that config.js names, by setting; only constants count."""
    settings, _unclear = javascript.read(config, "config.js")
    found = {name: settings[name].value for name in (*HOSTS, "hosts.muc", "bosh", "websocket") if name in settings}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def elsewhere(hosts: dict[str, str], origin: str) -> str:
    """Return the host of bosh or websocket, where it is not that of the service; empty if it is."""
    for name in ("bosh", "websocket"):
        try:
            address = urljoin(origin + "/", hosts.get(name, ""))
            host = urlsplit(address).hostname or "?"
        except ValueError:
            return "?"
        web = re.sub(r"^ws(s?):", r"http\1:", address, flags=re.IGNORECASE)
        if reached(web) != origin:
            return host
    return ""


def ask(
    target: Target, hosts: dict[str, str], spend: Callable[[int], None], attempt: Try = campaign.attempt
) -> list[dict[str, Any]]:
    """Return the attempts: host, transport, verdict, and whether features came and registration is on offer."""
    made = []
    for setting in HOSTS:
        if setting not in hosts:
            continue
        for transport in TRANSPORTS:
            spend(REQUESTS)
            seen = {"answered": False, "registration": False}
            way = Way("service", "ANONYMOUS", partial(_anonymous, host=hosts[setting], seen=seen))
            tried = attempt(way, target, transport)
            made.append({"host": setting, "transport": transport, "verdict": str(tried.verdict), **seen})
    return made


def _anonymous(scene: Scene, host: str, seen: dict[str, bool]) -> Judgement:
    stream = scene.stream()
    client = Client(stream, stream.open(host), host)
    seen["answered"], seen["registration"] = True, client.offers("register")
    return verdict.of_sasl(client.exchange("ANONYMOUS", None))


def first_in(target: Target, spend: Callable[[int], None], attempt: Try = campaign.attempt) -> dict[str, Any]:
    """Log in with the account and be the first in a room with a random name; return whether it moderates.

    Raises ConfigError where the server refuses the account.
    """
    spend(3 * REQUESTS)
    tried = attempt(Way("service", "first one in", authenticated.first_in), target, next(iter(TRANSPORTS)))
    if "does not let the account" in tried.why:
        raise ConfigError("the service refuses the account of --login-file", hint="check user and password in the file")
    return {"verdict": str(tried.verdict)}
