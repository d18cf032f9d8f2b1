"""The suite on real servers: nothing is found on a closed server, and each planted hole is found over each transport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hardener.proof.attack import campaign, spoofs
from hardener.proof.attack.record import Account, Attacked, Target, Verdict
from support.prosody_server import ACCOUNTS, CLOSED, DOMAIN, FOCUS, MUC, Server, Setup

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.attack
BOTH = frozenset({"websocket", "bosh"})
DISABLED = 'modules_disabled = { "offline" }\n'
REGISTRATION = CLOSED.but(everywhere=f"{DISABLED}allow_registration = true", main_modules=("register",))
# Prosody itself limits stanzas over WebSocket and not over BOSH: there nginx does (client_max_body_size, 1 MB by
# default).
BARE = {("huge input", name, "bosh") for name in ("huge login", "huge attribute", "deep nesting", "huge message")}


def attack(server: Server, out: Path, *only: str, **facts: object) -> Attacked:
    """Run a selection with Bob's account, who is on no list."""
    account = Account("bob", ACCOUNTS[f"bob@{DOMAIN}"])
    ports = tuple((kind, server.ports[kind]) for kind in ("c2s", "s2s"))
    facts = {
        "account": account,
        "named_hosts": True,
        "ports": ports,
        "patience": 30.0,
        "listen": 0.3,
        "crowd": 20,
    } | facts
    return campaign.run(Target(server.url, DOMAIN, **facts), out, only=only)


def found(attacked: Attacked) -> dict[str, set[str]]:
    """Return names of what succeeded, and over which transports."""
    names: dict[str, set[str]] = {}
    for attempt in attacked.of(Verdict.SUCCEEDED):
        names.setdefault(attempt.name, set()).add(attempt.transport)
    return names


@pytest.mark.slow
def test_nothing_is_found_where_all_is_closed(closed, tmp_path: Path) -> None:
    attacked = attack(closed, tmp_path)
    open_doors = {
        (attempt.area, attempt.name, attempt.transport)
        for attempt in attacked.attempts
        if attempt.verdict != Verdict.REFUSED
    }
    assert open_doors <= BARE
    assert not attacked.not_tried
    assert len(attacked.attempts) > 400
    record = (tmp_path / "attempts.ndjson").read_text(encoding="utf-8")
    assert len(record.splitlines()) == len(attacked.attempts)
    assert "bob-pw" not in record
    assert all(json.loads(line)["sent"] for line in record.splitlines())
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == attacked.summary


def host(name: str, authentication: str = "anonymous") -> str:
    """Return one more virtual host."""
    return f'VirtualHost "{name}"\n    authentication = "{authentication}"\n'


DOORS = {
    "guest host": (CLOSED.but(hosts=host(f"guest.{DOMAIN}")), {f"host guest.{DOMAIN}": BOTH}),
    "guest host of another name": (CLOSED.but(hosts=host("localhost")), {"host localhost": BOTH}),
    "logins of machines": (CLOSED.but(hosts=host(f"auth.{DOMAIN}", "internal_hashed")), {f"host auth.{DOMAIN}": BOTH}),
    "registration": (REGISTRATION, {"register before login": BOTH, "register is on offer": BOTH}),
    "rooms for all": (
        CLOSED.but(restrict=False, muc_modules=()),
        {f"make a room on {MUC}": BOTH, "sit down as focus before it comes": BOTH},
    ),
    "first one in": (
        CLOSED.but(focus="test_focus_auto_owner = true"),
        {"first one in": BOTH, "first one in, asking for it": BOTH},
    ),
    "listed rooms": (CLOSED.but(public_rooms=True), {"list the rooms": BOTH}),
    "bridges' room": (
        CLOSED.but(hosts=f'Component "internal-muc.{DOMAIN}" "muc"\n'),
        {"enter the bridges' room": BOTH, f"make a room on internal-muc.{DOMAIN}": BOTH},
    ),
    "nobody is focus": (
        CLOSED.but(focus="test_focus_absent = true", muc_modules=()),
        {"take the focus's name in a room": BOTH, "change the own name to focus": BOTH},
    ),
    "proxy for all": (CLOSED.but(focus="test_focus_proxy = true"), {"get the requests that are for focus": BOTH}),
    "forged senders": (
        CLOSED.but(modules=("test_trusts_sender",)),
        {"speak in the name of focus": BOTH, "answer for focus": BOTH},
    ),
    "administration": (
        CLOSED.but(admins=(FOCUS, f"bob@{DOMAIN}"), modules=("admin_adhoc",)),
        {"add an account": BOTH, "list the sessions": BOTH},
    ),
    "huge stanzas": (
        CLOSED.but(everywhere=f"{CLOSED.everywhere}\nc2s_stanza_size_limit = 8 * 1024 * 1024"
                   "\nc2s_unauthed_stanza_size_limit = 8 * 1024 * 1024"),
        {"huge message": BOTH},
    ),
    "federation": (
        CLOSED.but(everywhere=DISABLED, modules=("s2s",)),
        {"s2s": {"tcp"}},
    ),
    "passwords without TLS": (
        CLOSED.but(main="c2s_require_encryption = false\nallow_unencrypted_plain_auth = true"),
        {"c2s": {"tcp"}},
    ),
    "inside over HTTP": (
        CLOSED.but(main_modules=("test_inside",)),
        {"GET /sessions": {"http"}, "GET /room-size": {"http"}, "POST /conference-request/v1": {"http"}},
    ),
}  # fmt: skip


def test_each_spoofed_stanza_is_found_where_the_server_passes_on_what_participants_send(
    prosody, tmp_path: Path
) -> None:
    attacked = attack(prosody(CLOSED.but(muc_modules=())), tmp_path / "out", spoofs.AREA)
    tried = {(attempt.name, attempt.transport) for attempt in attacked.attempts if attempt.area == spoofs.AREA}
    stripped = {"a word of the room", "an item, in the join's own element"}  # by Prosody itself
    seen = {(attempt.name, attempt.transport) for attempt in attacked.of(Verdict.SUCCEEDED)}
    assert seen == {way for way in tried if way[0] not in stripped}
    assert len({name for name, _transport in tried}) == len(spoofs.spoofs(attacked.target))


@pytest.mark.parametrize("name", DOORS)
def test_a_planted_door_is_found(prosody, tmp_path: Path, name: str) -> None:
    setup, expected = DOORS[name]
    attacked = attack(prosody(setup), tmp_path / "out", *expected)
    by_name = found(attacked)
    seen = {wanted: {t for got, ts in by_name.items() if wanted in got for t in ts} for wanted in expected}
    assert seen == {wanted: set(transports) for wanted, transports in expected.items()}, attacked.summary["found"]
    assert not attacked.clean


def test_open_to_anybody_is_found_without_an_account(prosody, tmp_path: Path) -> None:
    setup = CLOSED.but(authentication="anonymous")
    attacked = attack(prosody(setup), tmp_path / "out", "logins: ANONYMOUS", "roles", account=None)
    assert found(attacked) == {"ANONYMOUS": BOTH, "ANONYMOUS with a trace": BOTH}
    assert {attempt.area for attempt in attacked.not_tried} == {"roles"}


def test_a_server_that_takes_any_token_is_found_by_each_carrier(prosody, tmp_path: Path) -> None:
    setup = Setup(authentication="test_any_token")
    attacked = attack(prosody(setup), tmp_path / "out", "alg-none", account=None)
    carriers = {"alg-none token by query": BOTH, "alg-none token by PLAIN": BOTH}
    assert {name: transports for name, transports in found(attacked).items() if "OAUTH" not in name} == carriers
    other = attack(prosody(CLOSED), tmp_path / "control", "alg-none", account=None)
    assert other.clean


def test_a_registered_account_is_taken_away_again(prosody, tmp_path: Path) -> None:
    server = prosody(REGISTRATION)
    attacked = attack(server, tmp_path / "out", "register before login", account=None)
    assert {attempt.why.partition("; ")[2] for attempt in attacked.of(Verdict.SUCCEEDED)} == {"it is gone again"}
    accounts = {path.stem for path in (server.folder / "data").glob("*/accounts/*.dat")}
    assert accounts == {"alice", "bob", "carol"}
