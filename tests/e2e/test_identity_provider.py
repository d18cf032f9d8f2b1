"""Sign-in and sign-out at an OpenID provider, by a gateway and a real Prosody, as a person sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import prosody_server
from support.identity import servers
from support.identity.servers import PASSWORD
from support.prosody_server import DOMAIN, MUC

from .test_login import LOGIN_BUTTON, PREJOIN, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory, developers_cache: Path) -> Iterator[prosody_server.Server]:
    """Provide the server that takes the gateway's tokens."""
    folder = tmp_path_factory.mktemp("tokens")
    yield from prosody_server.serve(folder / "server", servers.setup(folder, developers_cache))


def _at_provider(seen: Visit, user: str) -> None:
    """Fill in the provider's form."""
    seen.page.click(LOGIN_BUTTON)
    seen.page.fill("[name=login]", user)
    seen.page.fill("[name=password]", PASSWORD)
    seen.page.click("button")


def test_a_person_signs_in_at_the_provider_and_out_again(
    visit: Callable[..., Visit],
    configure: Callable[..., None],
    site: Callable[[str], str],
    prosody: prosody_server.Server,
    tmp_path: Path,
) -> None:
    """After the sign-out, the provider asks for the password again.

    A gateway with another key is the control: the same way ends at the login page.
    """
    with servers.identity(tmp_path / "identity", site("hardened")) as gateway:
        socket = f"{prosody.url.replace('http', 'ws', 1)}/xmpp-websocket"
        configure(
            hosts={"domain": DOMAIN, "muc": MUC},
            websocket=socket,
            bosh=None,
            p2p={"enabled": False},
            tokenAuthUrl=f"{gateway.address}/login?room={{room}}",
            tokenLogoutUrl=f"{gateway.address}/logout",
        )
        seen = visit("hardened", ROOM, login=False)
        for address in (gateway.address, gateway.settings.provider):
            seen.page.route(f"{address}/**", lambda asked: asked.continue_())
        seen.wait_for(LOGIN_BUTTON)
        _at_provider(seen, "teacher")
        seen.wait_for(PREJOIN)
        with seen.page.expect_navigation(url=f"{gateway.address}/signed-out*"):
            seen.page.get_by_role("button", name="Sign out").click()
        assert "Signed out." in seen.page.inner_text("body")

        gateway.settings.secret = "f" * 32
        seen.page.goto(site("hardened") + ROOM)
        seen.wait_for(LOGIN_BUTTON)
        _at_provider(seen, "teacher")
        seen.wait_for('[data-testid="personal-login.problem"]:not(:empty)')
        assert not seen.page.query_selector(PREJOIN)
