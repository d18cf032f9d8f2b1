"""What stays in the browser when a visit is over. 'unpatched' is the control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import enter
from .test_avatars import _token

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
READY = '[data-testid="prejoin.joinMeeting"]'
NAME = "Nobody Knows"

# What may stay, and why, is in docs/privacy.md.
MAY_STAY = {"chosenLanguage"}

STORED = """async () => ({
    local: { ...localStorage }, session: { ...sessionStorage }, databases: (await indexedDB.databases()).map(d => d.name),
    cookies: document.cookie
})"""


def test_nothing_personal_is_kept(visit: Callable[..., Visit]) -> None:
    kept = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM)
        seen.wait_for(READY)
        seen.page.evaluate(
            """name => APP.store.dispatch({ type: 'SETTINGS_UPDATED',
                settings: { displayName: name, email: 'x@example.org' } })""",
            NAME,
        )
        seen.page.wait_for_function(
            "name => APP.store.getState()['features/base/settings'].displayName === name", arg=NAME
        )
        # Upstream writes two seconds after a change at the latest, and when the page is left.
        seen.page.goto(seen.page.url.replace(ROOM, "/static/offline.html"))
        kept[variant] = seen.page.evaluate(STORED)

    assert NAME in str(kept["unpatched"])
    assert "features/base/settings" in kept["unpatched"]["local"]
    assert set(kept["hardened"]["local"]) <= MAY_STAY
    assert (kept["hardened"]["session"], kept["hardened"]["databases"], kept["hardened"]["cookies"]) == ({}, [], "")


@pytest.mark.usefixtures("xmpp")
def test_what_earlier_visits_have_left_goes(visit: Callable[..., Visit]) -> None:
    kept = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/static/offline.html")
        seen.page.evaluate(
            """() => [ 'features/recent-list', 'features/base/known-domains', '__AMDID', 'virtualBackgrounds',
            'another' ]
                .forEach(key => localStorage.setItem(key, '[]'))"""
        )
        seen.page.goto(seen.page.url.replace("/static/offline.html", ROOM))
        enter(seen.page, READY)
        kept[variant] = set(seen.page.evaluate("Object.keys(localStorage)"))

    assert {"features/recent-list", "__AMDID", "another"} <= kept["unpatched"]
    assert kept["hardened"] - MAY_STAY == {"another"}, "a key that is not ours is not ours to remove"


def test_no_token_is_left_in_the_tab(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    configure(enableClosePage=True)
    left = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, f"{ROOM}?jwt={_token()}")
        seen.wait_for(READY)
        with seen.page.expect_navigation(url="**/static/close*"):
            seen.page.evaluate("() => { APP.conference.hangup(false); }")
        left[variant] = seen.page.evaluate("({ ...sessionStorage })")

    assert left["unpatched"]["jwt"] == _token()
    # Who logs in with a password is a guest to upstream, whatever token the link had: it is dropped (test_login.py).
    assert left["hardened"] == {"guest": "true"}
