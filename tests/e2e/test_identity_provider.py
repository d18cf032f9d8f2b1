"""Sign-in at an OpenID provider, by a gateway and a real Prosody, as a person sees it.

tests/attack/test_identity_provider.py asks the same questions without a browser, and more of each.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from joserfc import jwk, jwt

from hardener.proof.attack import tokens
from support import prosody_server
from support.identity import servers
from support.identity.servers import CODE, PASSWORD, SECRET
from support.prosody_server import DOMAIN, MUC

from .conftest import join
from .test_login import LOGIN_BUTTON, PREJOIN, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from support.identity.gateway import Gateway

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

FORM, PROBLEM = "[name=login]", '[data-testid="personal-login.problem"]:not(:empty)'
JOINED = "() => window.APP?.conference?.isJoined()"


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory, developers_cache: Path) -> Iterator[prosody_server.Server]:
    """Provide the server that takes the gateway's tokens."""
    folder = tmp_path_factory.mktemp("tokens")
    yield from prosody_server.serve(folder / "server", servers.setup(folder, developers_cache))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, site: Callable[[str], str]) -> Iterator[Gateway]:
    """Provide the gateway with its provider."""
    with servers.identity(tmp_path_factory.mktemp("identity"), site("hardened")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Provide the gateway; what a test changes in its settings is undone."""
    for name in ("acr", "lifetime", "secret"):
        monkeypatch.setattr(running.settings, name, getattr(running.settings, name))
    return running


@pytest.fixture
def page(
    context: BrowserContext,
    visit: Callable[..., Visit],
    configure: Callable[..., None],
    gateway: Gateway,
    prosody: prosody_server.Server,
) -> Page:
    """Provide the login page of a room."""
    configure(
        hosts={"domain": DOMAIN, "muc": MUC},
        websocket=f"{prosody.url.replace('http', 'ws', 1)}/xmpp-websocket",
        bosh=None,
        p2p={"enabled": False},
        tokenAuthUrl=f"{gateway.address}/login?room={{room}}",
        tokenLogoutUrl=f"{gateway.address}/logout",
    )
    context.add_init_script("window.cameTo = location.href")
    seen = visit("hardened", ROOM, login=False)
    for address in (gateway.address, gateway.settings.provider):
        seen.page.route(f"{address}/**", lambda asked: asked.continue_())
    seen.wait_for(LOGIN_BUTTON)
    return seen.page


def _sign_in(page: Page, user: str = "teacher", password: str = PASSWORD, code: str = "") -> None:
    """Go to the provider, and fill in its form."""
    page.click(LOGIN_BUTTON)
    page.fill(FORM, user)
    page.fill("[name=password]", password)
    page.fill("[name=code]", code)
    page.click("button")


def _token(page: Page) -> str:
    """Return the token with which the gateway sent the browser back."""
    (token,) = re.findall(r"#jwt=%22(.+)%22", page.evaluate("cameTo"))
    return str(token)


def _reads(page: Page, text: str) -> None:
    page.wait_for_function("text => document.body?.innerText.includes(text)", arg=text)


def _refused(page: Page, address: str, token: str) -> bool:
    """Open a room with a token; return whether the login page reports a problem."""
    page.goto("about:blank")
    page.goto(f"{address}{ROOM}#jwt=%22{token}%22")
    return page.wait_for_selector(f"{PREJOIN}, {PROBLEM}").get_attribute("data-testid") == "personal-login.problem"


def test_a_person_signs_in_at_the_provider_and_out_again(page: Page, gateway: Gateway) -> None:
    """After the sign-out, the provider asks for the password again.

    A gateway with another key is the control: the same way ends at the login page.
    """
    _sign_in(page)
    page.wait_for_selector(PREJOIN)
    with page.expect_navigation(url=f"{gateway.address}/signed-out*"):
        page.get_by_role("button", name="Sign out").click()
    _reads(page, "Signed out.")

    gateway.settings.secret = "f" * 32
    page.goto(gateway.settings.site + ROOM)
    _sign_in(page)
    page.wait_for_selector(PROBLEM)
    assert not page.query_selector(PREJOIN)


def test_a_wrong_password_ends_at_the_provider(page: Page, gateway: Gateway) -> None:
    _sign_in(page, password="wrong")
    _reads(page, "wrong")
    page.goto(gateway.settings.site + ROOM)
    page.wait_for_selector(LOGIN_BUTTON)


def test_without_the_second_factor_the_gateway_gives_no_token(page: Page, gateway: Gateway) -> None:
    gateway.settings.acr = "mfa"
    _sign_in(page)
    _reads(page, "the provider's statement is not valid")
    page.context.clear_cookies()
    page.goto(gateway.settings.site + ROOM)
    _sign_in(page, code=CODE)
    page.wait_for_selector(PREJOIN)


@pytest.mark.parametrize(("user", "role"), [("pupil", "participant"), ("teacher", "moderator")])
def test_the_first_in_the_room_moderates_by_the_role_at_the_provider_only(page: Page, user: str, role: str) -> None:
    _sign_in(page, user)
    page.wait_for_selector(PREJOIN)
    join(page)
    assert page.evaluate("APP.conference._room.getRole()") == role


def test_a_token_that_ends_in_a_call_ends_no_call_and_opens_no_other(page: Page, gateway: Gateway) -> None:
    """The page asks to sign in again, which takes no password as long as the provider's session lasts."""
    address = gateway.settings.site
    gateway.settings.lifetime = 8
    _sign_in(page)
    while page.wait_for_selector(f"{PREJOIN}, {PROBLEM}").get_attribute("data-testid") == "personal-login.problem":
        gateway.settings.lifetime *= 2  # a machine under load needs some seconds to log in
        page.goto(address + ROOM)
        page.click(LOGIN_BUTTON)
    token = _token(page)
    join(page)
    ends = jwt.decode(token, jwk.OctKey.import_key(SECRET)).claims["exp"]
    page.wait_for_function("ends => Date.now() > 1000 * ends + 1000", arg=ends, timeout=300_000)
    assert page.evaluate("() => new Promise(done => APP.connection.xmpp.connection.ping.ping("
                         "APP.connection.xmpp.connection.domain, () => done(true), () => done(false), 30000))")  # fmt: skip
    assert page.evaluate(JOINED)

    assert _refused(page, address, token)
    gateway.settings.lifetime = 300
    page.goto(address + ROOM)
    page.click(LOGIN_BUTTON)
    page.wait_for_selector(PREJOIN)  # the provider's form would have waited for a person
    assert _token(page) != token


def test_a_forged_token_opens_no_room(page: Page, gateway: Gateway) -> None:
    """The gateway's own token is the control."""
    address = gateway.settings.site
    forged = tokens.forged(DOMAIN, ROOM.strip("/"), int(time.time()))
    # One weak secret is enough, and what is not a token the page does not send.
    chosen = {name: token for name, token in forged.items() if not re.search(r"-[1-9]\d*$|garbage|empty", name)}
    assert {name for name, token in chosen.items() if not _refused(page, address, token)} == set()
    page.goto(address + ROOM)
    _sign_in(page)
    page.wait_for_selector(PREJOIN)
    assert not _refused(page, address, _token(page))


def test_an_answer_of_the_provider_is_valid_once_and_with_its_state_only(page: Page, gateway: Gateway) -> None:
    answers: list[str] = []
    page.on("request", lambda asked: answers.append(asked.url) if "/callback?" in asked.url else None)
    _sign_in(page)
    page.wait_for_selector(PREJOIN)
    (answer,) = answers
    page.goto(answer)
    _reads(page, "no login was begun in this browser")

    page.context.clear_cookies()
    page.goto(gateway.settings.site + ROOM)
    page.click(LOGIN_BUTTON)
    page.wait_for_selector(FORM)  # a login has begun in this browser
    page.goto(re.sub(r"state=[^&]+", "state=another", answer))
    _reads(page, "the provider's answer is not valid: mismatching_state")
