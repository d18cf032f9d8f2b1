"""Sign-in at an OpenID provider, a token from the reference gateway, and a real Prosody that takes it.

The provider is oidc-provider, which is certified; the gateway is tests/support/identity/gateway.py, a reference and not a
product. Prosody has the plugins of the pin.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwk, jwt

from hardener.errors import ConfigError
from hardener.proof.attack import campaign, tokens
from hardener.proof.attack.record import Account, Target, Verdict
from hardener.proof.attack.session import Scene
from hardener.proof.xmpp.muc import moderates, role
from hardener.proof.xmpp.stanzas import condition, local
from support import prosody_server
from support.identity import servers
from support.identity.gateway import Gateway, Refused
from support.identity.servers import CODE, SECRET, Browser
from support.people import PATIENCE
from support.prosody_server import DOMAIN, MUC

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "operator.md"
pytestmark = [pytest.mark.attack, pytest.mark.upstream]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Provide the gateway with its provider."""
    with servers.identity(tmp_path_factory.mktemp("identity")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Provide the gateway; what a test changes in its settings is undone."""
    for name in ("acr", "lifetime", "audience", "issuer", "client", "provider"):
        monkeypatch.setattr(running.settings, name, getattr(running.settings, name))
    return running


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory, developers_cache: Path) -> Iterator[prosody_server.Server]:
    """Provide the server that takes the gateway's tokens."""
    folder = tmp_path_factory.mktemp("tokens")
    yield from prosody_server.serve(folder / "server", servers.setup(folder, developers_cache))


def _scene(server: prosody_server.Server, token: str) -> Scene:
    account = Account("", "", token)
    return Scene(Target(server.url, DOMAIN, muc=MUC, account=account, patience=PATIENCE), "websocket")


def _end(server: prosody_server.Server, token: str) -> str:
    """Return "success", or the condition with which the server refuses a token."""
    scene = _scene(server, token)
    try:
        end = scene.guest(query=f"token={token}" if token else "").exchange("ANONYMOUS", None)
        return condition(end) or local(end)
    finally:
        scene.close()


def _join(server: prosody_server.Server, token: str, room: str = "meeting") -> tuple[tuple[str, str], bool, str]:
    """Return role and affiliation of a person in a room, whether that person moderates, and why the room refuses."""
    scene = _scene(server, token)
    try:
        client = scene.client()
        scene.conference(client, f"{room}@{MUC}")
        said = client.join(f"{room}@{MUC}", "nick")
        assert said is not None
        return role(said), moderates(said), said.get("type", "")
    finally:
        scene.close()


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, jwk.OctKey.import_key(SECRET)).claims


def test_a_person_signs_in_and_the_server_takes_the_token(gateway: Gateway, prosody: prosody_server.Server) -> None:
    """A wrong password at the provider ends there; without a token the server refuses."""
    browser = Browser(gateway)
    token = browser.sign_in()
    assert (browser.forms, _end(prosody, token)) == (1, "success")
    assert _claims(token)["context"]["user"]["id"] == "teacher"
    assert _end(prosody, "") != "success"

    stranger = Browser(gateway)
    assert (stranger.sign_in(user="stranger"), stranger.status) == ("", 401)


def test_the_role_at_the_provider_makes_a_moderator(gateway: Gateway, prosody: prosody_server.Server) -> None:
    """The first in the room is not one, and a token opens no other room."""
    pupil, teacher = Browser(gateway).sign_in(user="pupil"), Browser(gateway).sign_in()
    (_role, affiliation), moderator, refusal = _join(prosody, pupil)
    assert (affiliation, moderator, refusal) == ("member", False, "")
    (_role, affiliation), moderator, refusal = _join(prosody, teacher)
    assert (affiliation, moderator, refusal) == ("owner", True, "")
    assert _join(prosody, teacher, "another")[2] == "error"


def test_sign_out_ends_the_session_at_the_provider(gateway: Gateway) -> None:
    """The next sign-in asks for the password again; before, it did not."""
    browser = Browser(gateway)
    assert browser.sign_in()
    assert browser.sign_in()
    assert browser.forms == 0
    browser.go(f"{gateway.address}/logout")
    assert (browser.status, browser.said) == (200, "Signed out.")
    assert browser.sign_in(more="&prompt=none") == ""
    assert browser.sign_in()
    assert browser.forms == 1


def test_a_token_that_ends_in_a_call_ends_no_call_and_opens_no_other(
    gateway: Gateway, prosody: prosody_server.Server
) -> None:
    """The connection lasts; a new one needs a new token, which the provider's session gives without a password."""
    browser = Browser(gateway)
    for gateway.settings.lifetime in (2, 4, 8, 16, 32):  # a machine under load needs some seconds to log in
        token = browser.sign_in()
        scene = _scene(prosody, token)
        with contextlib.suppress(ConfigError):
            client = scene.client()
            break
        scene.close()
    while (end := _end(prosody, token)) == "success":
        assert time.time() < _claims(token)["exp"] + PATIENCE
    assert end == "not-allowed"
    assert client.until_ping() == []
    scene.close()

    gateway.settings.lifetime = 300
    fresh = browser.sign_in(more="&prompt=none")
    assert (browser.forms, _end(prosody, fresh)) == (0, "success")
    assert Browser(gateway).sign_in(more="&prompt=none") == ""  # control: a browser that has not signed in


def test_the_second_factor_is_asked_for_and_checked(gateway: Gateway) -> None:
    """The provider states what it has seen (acr); without the setting, a password is enough."""
    assert Browser(gateway).sign_in()
    gateway.settings.acr = "mfa"
    browser = Browser(gateway)
    assert browser.sign_in() == ""
    assert (browser.status, "acr" in browser.said) == (403, True)
    assert Browser(gateway).sign_in(code=CODE)


def test_state_and_pkce_bind_an_answer_to_the_browser_that_asked(gateway: Gateway) -> None:
    """An answer that is repeated, that comes in another browser or with another state, and a code without its verifier."""
    browser = Browser(gateway)
    assert browser.sign_in()
    (begun,) = [parse_qs(urlsplit(url).query) for url in browser.visited if "code_challenge=" in url]
    assert begun["code_challenge_method"] == ["S256"]
    answer = next(url for url in browser.visited if "/callback?" in url)
    for other in (browser, Browser(gateway)):
        assert (other.go(answer), other.status) == ("", 403)

    for spoil in ({"state": "x"}, {"verifier": "x" * 48}, {"nonce": "x"}):
        victim = Browser(gateway)
        first = victim.session.get(f"{gateway.address}/login?room=meeting", allow_redirects=False)
        gateway._pending[victim.session.cookies["gateway"]] |= spoil
        assert (victim.go(first.headers["Location"]), victim.status) == ("", 403), spoil
    assert Browser(gateway).sign_in(room="../evil") == ""


def test_a_statement_that_the_provider_did_not_make_for_us_is_refused(gateway: Gateway) -> None:
    """For another client, from another issuer, for another login, unsigned, or signed by another key."""
    browser = Browser(gateway)
    assert browser.sign_in()
    statement = gateway._signed_in[browser.session.cookies["gateway"]]
    keys = jwk.KeySet.import_key_set(browser.session.get(f"{gateway.settings.provider}/jwks").json())
    claims = jwt.decode(statement, keys, algorithms=["RS256"]).claims
    nonce = claims["nonce"]
    assert gateway.identity(statement, nonce)["sub"] == "teacher"
    body = statement.split(".")[1]
    unsigned = [tokens._part({"alg": name, "typ": "JWT"}) + f".{body}." for name in ("none", "None", "NONE")]
    foreign = jwt.encode({"alg": "RS256"}, claims, jwk.RSAKey.generate_key(2048))
    confused = tokens.signed(claims, "gateway-secret")
    for forged in (*unsigned, foreign, confused, statement[:-4] + "AAAA", "x"):
        with pytest.raises(Refused):
            gateway.identity(forged, nonce)
    with pytest.raises(Refused):
        gateway.identity(statement, "another")
    for name, value in (("client", "other"), ("provider", gateway.settings.provider.replace("127.0.0.1", "localhost"))):
        kept = getattr(gateway.settings, name)
        setattr(gateway.settings, name, value)
        with pytest.raises(Refused):
            gateway.identity(statement, nonce)
        setattr(gateway.settings, name, kept)


def test_the_server_refuses_tokens_that_are_not_the_gateways(gateway: Gateway, prosody: prosody_server.Server) -> None:
    """Forged ones, and those of a gateway with the right key for another audience, issuer, time or domain."""
    forged = tokens.forged(DOMAIN, "meeting", int(time.time()))
    assert {name for name, token in forged.items() if _end(prosody, token) == "success"} == set()
    good = _claims(Browser(gateway).sign_in())
    assert _end(prosody, tokens.signed(good, SECRET)) == "success"
    wrong: dict[str, dict[str, Any]] = {
        "audience": {"aud": "another"},
        "issuer": {"iss": "another"},
        "ended": {"exp": int(time.time()) - 60},
        "not yet": {"nbf": int(time.time()) + 3600},
    }
    said = {name: _end(prosody, tokens.signed(good | change, SECRET)) for name, change in wrong.items()}
    assert "success" not in said.values(), said
    # The domain is compared at the room.
    assert _join(prosody, tokens.signed(good | {"sub": "another.test"}, SECRET))[2] == "error"


def test_a_token_may_be_used_again_while_it_lasts(gateway: Gateway, prosody: prosody_server.Server) -> None:
    """A client needs it again to reconnect, so a copy of it opens the room until it ends: docs/operator.md says so."""
    token = Browser(gateway).sign_in()
    assert [_end(prosody, token) for _attempt in range(2)] == ["success"] * 2
    assert _claims(token)["exp"] - time.time() <= 300


def test_the_attack_suite_finds_no_way_to_a_role_with_a_participants_token(
    gateway: Gateway, prosody: prosody_server.Server, tmp_path: Path
) -> None:
    """The token opens all rooms, as docs/operator.md says: the suite's attempts have rooms of their own.

    With a token of a moderator, which is the control, attempts succeed.
    """

    def left(person: str, *words: str) -> set[str]:
        claims = _claims(Browser(gateway).sign_in(user=person)) | {"room": "*"}
        account = Account("", "", tokens.signed(claims, SECRET))
        target = Target(prosody.url, DOMAIN, muc=MUC, account=account, named_hosts=True, patience=PATIENCE, listen=0.2)
        attacked = campaign.run(target, tmp_path, only=words)
        assert len(attacked.attempts) > 2
        return {f"{attempt.name}: {attempt.why}" for attempt in attacked.attempts if attempt.verdict != Verdict.REFUSED}

    assert left("pupil", "roles") == set()
    assert left("teacher", "first one in") != set()


def test_the_operators_page_describes_the_token_of_the_reference_gateway(prosody: prosody_server.Server) -> None:
    """Its payload, with the domain of the tests and a time that is now, makes a moderator."""
    (example,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    claims, now = json.loads(example), int(time.time())
    assert claims["exp"] - claims["nbf"] == 310
    claims |= {"sub": DOMAIN, "nbf": now - 10, "exp": now + 300}
    (_role, affiliation), moderator, refusal = _join(prosody, tokens.signed(claims, SECRET), claims["room"])
    assert (affiliation, moderator, refusal) == ("owner", True, "")
