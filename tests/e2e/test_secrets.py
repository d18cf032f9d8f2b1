"""Nothing of a link that a person could log in with is in a log. 'unpatched' is the control."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from hardener.proof.xmpp.stub import Door

from .conftest import ROOT
from .test_login import _token as unsigned_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit, Xmpp

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

PATH = "/HardenerTestRoom"
PREJOIN = '[data-testid="prejoin.joinMeeting"]'
LOADED = "() => window.APP?.store?.getState()['features/base/config']?.hosts"
TOKEN = unsigned_token(context={"user": {"name": "Planted"}})
OPAQUE = "opaque-Zaunkoenig-7"

# Where a secret is in a link, and what must not be logged of it. A value without quotes is not JSON.
LINKS = {
    "query": (f"?jwt={TOKEN}", TOKEN),
    "hash": (f"#jwt=%22{TOKEN}%22", TOKEN),
    "unquoted": (f"#jwt={TOKEN}", TOKEN),
    "opaque": (f"#jwt={OPAQUE}", OPAQUE),
    "recorder": ("#appData.localStorageContent=" + quote('{"xmpp_password_override":"' + OPAQUE), OPAQUE),
    "config": (f"#config.anything={OPAQUE}", OPAQUE),
    "broken": (f"#jwt=%E0%A4%A{OPAQUE}", OPAQUE),
}
# The page is loaded again as if the server had moved the meeting; a moment later, so that the call itself has its
# answer.
RELOAD = """() => { window.before = true; setTimeout(() => APP.store.dispatch({ type: 'CONNECTION_FAILED', connection: {},
    error: { name: JitsiMeetJS.errors.connection.SHARD_CHANGED_ERROR } })) }"""
PLACES = """() => ({
    logs: JSON.stringify(APP.store.getState()['features/base/connection'].connection?.getLogs() ?? {}),
    name: window.name,
    session: JSON.stringify({ ...sessionStorage }),
    local: JSON.stringify({ ...localStorage }),
})"""


@pytest.mark.parametrize("where", LINKS)
def test_no_secret_of_a_link_is_logged(
    visit: Callable[..., Visit], xmpp: Xmpp, configure: Callable[..., None], where: str
) -> None:
    """Neither when the link is read, nor when the page is loaded again; nor is it left in a storage."""
    xmpp.door = Door(("ANONYMOUS",))
    configure(
        personalLogin={"mode": "token"},
        enableForcedReload=True,
        hosts={"domain": "127.0.0.1", "muc": "conference.127.0.0.1"},
        websocket="ws://127.0.0.1/xmpp-websocket",
    )
    link, secret = LINKS[where]
    signed = where in {"query", "hash"}
    leaked = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/static/offline.html", login=False)
        said: list[str] = []
        seen.page.on("console", lambda message, said=said: said.append(message.text))
        seen.page.goto(seen.page.url.replace("/static/offline.html", PATH + link))
        seen.page.wait_for_function(LOADED)
        seen.wait_for(PREJOIN if signed or variant == "unpatched" else '[data-testid="personal-login"]')
        places = seen.page.evaluate(PLACES)
        if signed:
            seen.page.evaluate(RELOAD)
            # Upstream changes the hash first, which is a navigation as well; nothing is closed in the middle of the
            # second.
            seen.page.wait_for_function("() => !window.before && document.readyState === 'complete'")
            seen.page.wait_for_function(LOADED)
            seen.wait_for(PREJOIN)
            assert any("Reloading the conference using URL" in text for text in said)
        places["console"] = "\n".join(said)
        # The head of a token alone says nothing; an error of the parser quotes as much.
        leaked[variant] = {place for place, text in places.items() if secret in text or secret[-12:] in text}

    assert leaked["hardened"] == set()
    assert "console" in leaked["unpatched"]


def test_the_two_loggers_are_the_same() -> None:
    """Each component has the logger once, and our files before it are copies."""
    there = ROOT / "overlays/lib-jitsi-meet/modules/hardener"
    here = ROOT / "overlays/jitsi-meet/react/features/hardener"
    for name in ("redact.ts", "logger.ts"):
        original, other = ((folder / name).read_text(encoding="utf-8").splitlines() for folder in (there, here))
        assert [line for line in original if "The same file is in" not in line] == [
            line for line in other if "The same file is in" not in line
        ]
