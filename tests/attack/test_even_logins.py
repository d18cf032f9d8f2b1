"""mod_even_logins on a real Prosody: names that exist and names that do not get the same answers."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

from hardener.proof.attack.record import Account, Target
from hardener.proof.attack.session import Scene
from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.stanzas import condition, local
from support import prosody_server
from support.people import PATIENCE
from support.prosody_server import Setup

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.attack
UUID = re.compile(r"[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}")
KINDS = {
    "hashed": ("internal_hashed", "SHA-1"),
    "stronger": ("internal_hashed", "SHA-256"),
    "plain": ("internal_plain", "SHA-1"),
}
HOST = """
VirtualHost "{name}.test"
    authentication = "{authentication}"
    password_hash = "{digest}"
    modules_enabled = {{ {modules} }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[prosody_server.Server]:
    """Provide a host of each kind, with the module and without it."""
    hosts = [
        HOST.format(name=name + end, authentication=authentication, digest=digest, modules=modules)
        for name, (authentication, digest) in KINDS.items()
        for end, modules in (("", '"even_logins"'), ("-without", ""))
    ]
    accounts = {f"alice@{name}{end}.test": "alice-pw" for name in KINDS for end in ("", "-without")}
    setup = Setup(hosts="".join(hosts), accounts=accounts)
    yield from prosody_server.serve(tmp_path_factory.mktemp("prosody"), setup)


def _answers(
    server: prosody_server.Server, host: str, user: str, digest: str
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Try SCRAM twice, and PLAIN; return the form of each challenge, and how each ends."""
    said: list[dict[str, str]] = []
    ends = []
    scene = Scene(Target(server.url, host, muc=f"muc.{host}", patience=PATIENCE), "websocket")
    for _ in range(2):
        client = sasl.Scram(user, "wrong", f"SCRAM-{digest}")

        def final(challenge: str, client: sasl.Scram = client) -> str:
            said.append(dict(part.split("=", 1) for part in challenge.split(",")))
            return client.final(challenge)

        ends.append(scene.guest().exchange(f"SCRAM-{digest}", client.first(), final))
    ends.append(scene.guest().exchange("PLAIN", sasl.plain(user, "wrong")))
    scene.close()
    salts = [base64.b64decode(challenge["s"]).decode() for challenge in said]
    return (
        [
            (",".join(challenge), challenge["i"], "UUID" if UUID.fullmatch(salt) else salt, str(salt == salts[0]))
            for challenge, salt in zip(said, salts, strict=True)
        ],
        [f"{local(end)} {condition(end)}" for end in ends],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_does_not_exist_gets_the_same_challenge_and_the_same_end(
    server: prosody_server.Server, kind: str
) -> None:
    """SCRAM and PLAIN; without the module, SCRAM has no challenge for it. The salt of a name stays, where that of
    accounts does.
    """
    digest = KINDS[kind][1]
    known, unknown = (_answers(server, f"{kind}.test", user, digest) for user in ("alice", "nobody"))
    before = _answers(server, f"{kind}-without.test", "nobody", digest)

    assert before[0] == []
    assert len(known[0]) == 2
    assert known == unknown


def test_who_has_an_account_still_gets_in(server: prosody_server.Server) -> None:
    for kind in KINDS:
        host = f"{kind}.test"
        account = Account("alice", "alice-pw")
        scene = Scene(Target(server.url, host, muc=f"muc.{host}", account=account, patience=PATIENCE), "websocket")
        assert scene.client().jid.startswith(f"alice@{host}/")
        scene.close()
