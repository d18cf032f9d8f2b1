"""Features that load from third parties, however they are enabled. 'unpatched' is the control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
READY = '[data-testid="prejoin.joinMeeting"]'

# A room in which a participant shares a video: the command as it comes from the server.
SHARE = """async () => {
    const listeners = {};
    const conference = new Proxy({ addCommandListener: (name, listener) => { listeners[name] = listener; } },
        { get: (target, key) => key === 'then' ? undefined : target[key] ?? (() => undefined) });
    try {
        APP.store.dispatch({ type: 'CONFERENCE_WILL_JOIN', conference });
        APP.store.dispatch({ type: 'CONFERENCE_JOIN_IN_PROGRESS', conference });
    } catch (error) { /* of those who need a real room */ }
    listeners['shared-video']?.(
        { value: 'dQw4w9WgXcQ', attributes: { state: 'start', from: 'mallory', time: '0' } }, 'mallory');
    return 'shared-video' in listeners;
}"""
OWN_PICTURE = "() => { new Image().src = '/images/avatar.png?canary'; }"


def test_a_video_that_a_participant_shares_is_not_loaded(visit: Callable[..., Visit]) -> None:
    listens, hosts = {}, {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM)
        seen.wait_for(READY)
        # There the thumbnail is asked for. Here the command is ignored, so no request can follow later either.
        foreign, own = ("requestfailed", "https://img.youtube.com/"), ("requestfinished", "/images/avatar.png?canary")
        name, part = foreign if variant == "unpatched" else own
        with seen.page.expect_event(name, lambda asked, part=part: part in asked.url):
            listens[variant] = seen.page.evaluate(SHARE)
            seen.page.evaluate(OWN_PICTURE)
        hosts[variant] = {url.split("/")[2] for url in seen.foreign}

    assert listens == {"unpatched": True, "hardened": False}
    assert hosts["unpatched"] & {"img.youtube.com", "www.youtube.com"}
    assert hosts["hardened"] == set()


def test_no_calendar_even_where_it_is_configured(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    configure(enableCalendarIntegration=True, googleApiApplicationClientID="x", microsoftApiApplicationClientID="y")
    shown = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/")
        seen.wait_for("#enter_room_field")
        shown[variant] = seen.page.locator("#calendar-tab").count()

    assert shown == {"unpatched": 1, "hardened": 0}


@pytest.mark.parametrize(
    "mark",
    [
        "api.giphy.com",
        "i.giphy.com",
        "apis.google.com",
        "accounts.google.com",
        "www.googleapis.com",
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "dropboxapi.com",
        "www.youtube.com",
        "img.youtube.com",
        "vpaas-magic-cookie-",
        "iceServers.replace",
        "useHostPageLocalStorage",
        "chrome-extension://",
        "www.gravatar.com",
        "rtcApiKey",
    ],
)
def test_fingerprint_is_in_the_unpatched_script_and_not_in_ours(visit: Callable[..., Visit], mark: str) -> None:
    """Words by which the code is known, so that a host of another name would not hide it."""
    found = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/static/offline.html")
        found[variant] = seen.page.evaluate(
            "mark => fetch('/libs/app.bundle.min.js').then(r => r.text()).then(text => text.includes(mark))", mark
        )

    assert found == {"unpatched": True, "hardened": False}
