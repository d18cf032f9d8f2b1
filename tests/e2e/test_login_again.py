"""The login is kept when the connection is lost for good: the page connects again, and says why the meeting is
interrupted.

Against the stub; test_login_stack.py has the restart of a real server.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from hardener.proof.xmpp.stub import USER, Door

from .conftest import LOGIN, Visit, Xmpp, sign_in
from .test_login import (
    ATTEMPT,
    CANARY,
    ENDED,
    FIND,
    GATEWAY,
    JOINED,
    PREJOIN,
    ROOM,
    SHIFTED,
    STATUS,
    _door,
    _forms,
    _in_meeting,
    _joins,
    _signs_in_upstream,
    _token,
    go,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

__all__ = ["go"]
WAITING = '[data-testid="personal-login.waiting"]'
LOST = "The connection to the conference server was lost. You stay signed in"
# The own name, and what is muted.
MYSELF = """() => [
    APP.store.getState()['features/base/participants'].local.name,
    APP.conference.isLocalAudioMuted(),
    APP.conference.isLocalVideoMuted()
]"""
# Whether there is a picture, and the others can take the own tracks for those of this participant.
SOURCES = """() => APP.conference._room.getLocalTracks('video').length
    && APP.conference._room.getLocalTracks()
        .every(track => track.getSourceName().startsWith(`${APP.conference.getMyUserId()}-`))"""


def _meeting(go: Callable[..., Visit]) -> Visit:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _in_meeting(seen)
    return seen


@pytest.mark.full_browser
def test_a_server_that_was_restarted_gets_everybody_back(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Under the same name, with camera and microphone, and muted who was muted; upstream counts down to a reload,
    which would forget the login.
    """
    control = go("unpatched")
    _signs_in_upstream(control)
    control.page.wait_for_function(JOINED)
    xmpp.stop()
    control.wait_for("#reloadProgressBar")

    xmpp.down = False
    seen = _meeting(go)
    seen.page.evaluate("() => APP.conference.muteAudio(true)")
    seen.page.wait_for_function("() => APP.conference.isLocalAudioMuted()")
    before, talks = seen.page.evaluate(MYSELF), len(xmpp.conversations)
    xmpp.stop()
    expect(seen.page.locator(WAITING)).to_contain_text(LOST)
    assert not seen.page.query_selector("#reloadProgressBar")
    xmpp.down = False
    expect(seen.page.locator(WAITING)).to_have_count(0, timeout=60_000)
    seen.page.wait_for_function(JOINED)

    seen.page.wait_for_function(SOURCES)
    assert seen.page.evaluate(MYSELF) == before
    assert before[1:] == [True, False]
    assert len(xmpp.conversations) > talks
    assert set(xmpp.accounts) == {"alice@127.0.0.1"}
    assert not seen.page.query_selector(LOGIN)


def test_it_comes_back_as_often_as_it_takes(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Also where the directory behind the server is not there yet, and where the connection of the meeting is lost
    again.
    """
    seen = _meeting(go)
    for door in (Door(("PLAIN",), failure="temporary-auth-failure"), Door(("SCRAM-SHA-1",))):
        xmpp.door = door
        talks = len(xmpp.conversations)
        xmpp.stop()
        xmpp.down = False
        expect(seen.page.locator(WAITING)).to_contain_text(LOST)
        seen.wait_until(lambda talks=talks: len(xmpp.conversations) > talks, "another attempt")
    expect(seen.page.locator(WAITING)).to_have_count(0, timeout=60_000)
    seen.page.wait_for_function(JOINED)


def test_a_server_that_goes_down_before_the_meeting_is_waited_for(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    xmpp.stop()
    _joins(seen)
    expect(seen.page.locator(WAITING)).to_contain_text(LOST, timeout=30_000)
    xmpp.down = False
    expect(seen.page.locator(WAITING)).to_have_count(0, timeout=60_000)
    seen.page.wait_for_function(JOINED)


def test_a_computer_without_a_network_says_so(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """As after sleep: the library waits for the network without a word, and takes the same connection up again."""
    seen = _meeting(go)
    talks = len(xmpp.conversations)
    seen.page.context.set_offline(True)
    expect(seen.page.locator(WAITING)).to_contain_text(LOST)
    assert seen.page.evaluate("() => APP.conference.isJoined()")
    seen.page.context.set_offline(False)
    expect(seen.page.locator(WAITING)).to_have_count(0)

    assert seen.page.evaluate("() => APP.conference.isJoined()")
    assert len(xmpp.conversations) == talks


def test_a_password_that_was_changed_meanwhile_is_asked_for(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """With a reason, and with the name filled in."""
    seen = _meeting(go)
    xmpp.stop()
    xmpp.door = Door(("SCRAM-SHA-1",), {f"{USER}@127.0.0.1": "another"})
    xmpp.down = False
    with seen.page.expect_navigation():
        pass
    seen.wait_for("#personal-login-user")
    assert seen.page.inner_text(STATUS) == ENDED
    assert seen.page.input_value("#personal-login-user") == USER
    assert seen.page.input_value("#personal-login-password") == ""
    seen.page.wait_for_function("() => document.activeElement.id === 'personal-login-password'")

    seen.page.reload()
    seen.wait_for("#personal-login-user")
    assert seen.page.input_value("#personal-login-user") == ""


# What the library says when a connection has broken that it can resume.
RESUMING = """() => {
    const { connection } = APP.connection.xmpp;

    connection.eventEmitter.emit('CONN_STATUS_CHANGED', connection.constructor.Status.RESUMING);
}"""


@pytest.mark.parametrize("gateway", [GATEWAY, None], ids=["gateway", "portal"])
def test_a_token_that_has_run_out_meanwhile_is_not_sent_again(
    go: Callable[..., Visit], xmpp: Xmpp, gateway: str | None
) -> None:
    """Nor is a connection resumed with it: the library cancels that, and upstream says nothing where there is no
    gateway.
    """
    token = _token()
    xmpp.door = _door(token)
    seen = go("hardened", f"{ROOM}?jwt={token}", tokenAuthUrl=gateway, personalLogin={"mode": "token"})
    seen.wait_for(PREJOIN)
    seen.page.click(PREJOIN)
    seen.page.wait_for_function(JOINED)
    talks = len(xmpp.conversations)
    seen.page.evaluate(SHIFTED, 1)
    tomorrow = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(days=1), usegmt=True)
    seen.page.route(
        "**/*",
        lambda route: route.fulfill(headers={"Date": tomorrow}) if route.request.method == "HEAD" else route.fallback(),
    )
    if gateway:
        xmpp.stop()
        xmpp.down = False
    else:
        seen.page.evaluate(RESUMING)
    seen.wait_for(LOGIN)

    assert seen.page.inner_text(STATUS) == ENDED
    assert seen.page.locator('[data-testid="personal-login.gateway"]').count() == bool(gateway)
    assert len(xmpp.conversations) == talks


@pytest.mark.parametrize("since", ["before the login", "in the meeting"])
def test_a_clock_that_is_ahead_ends_no_session(
    go: Callable[..., Visit], xmpp: Xmpp, context: BrowserContext, since: str
) -> None:
    """The library takes the token for expired, and the server does not: the page connects again."""
    if since == "before the login":
        context.add_init_script(f"({SHIFTED})(1)")
    token = _token()
    xmpp.door = _door(token)
    seen = go("hardened", f"{ROOM}?jwt={token}", tokenAuthUrl=GATEWAY)
    seen.wait_for(PREJOIN)
    seen.page.click(PREJOIN)
    seen.page.wait_for_function(JOINED)
    if since == "in the meeting":
        seen.page.evaluate(SHIFTED, 1)
    before = seen.page.evaluate_handle("APP.connection")
    seen.page.evaluate(RESUMING)
    seen.page.wait_for_function("before => APP.connection !== before && APP.conference.isJoined()", arg=before)

    assert not seen.page.query_selector(LOGIN)


def test_who_waits_can_sign_out(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """And nothing tries to come back for them."""
    seen = _meeting(go)
    xmpp.stop()
    seen.wait_for(WAITING)
    with seen.page.expect_navigation():
        seen.page.locator(WAITING).get_by_role("button", name="Sign out").click()
    seen.wait_for("#personal-login-user")
    assert seen.page.inner_text(STATUS) == "You have been signed out."
    assert seen.page.input_value("#personal-login-user") == ""
    talks = len(xmpp.conversations)
    xmpp.down = False
    seen.page.evaluate(ATTEMPT)
    assert len(xmpp.conversations) == talks


# When a person hangs up on the way back: once upstream has begun to leave a meeting without a focus, while the server
# is asked
# about the login, once camera and microphone are closed, and when the connection is being made or has been made.
MOMENTS = {
    "leaving": "() => state['features/base/conference'].error",
    "asking": None,
    "closing the camera": "() => !state['features/base/tracks'].some(track => track.local)",
    "connecting": "() => state['features/base/connection'].connecting",
    "connected": "() => connection && connection !== state['features/base/connection'].connection"
    " && state['features/base/connection'].connection",
}
HANG_UP = """() => {
    const { connection } = APP.store.getState()['features/base/connection'];
    const stop = APP.store.subscribe(() => {
        const state = APP.store.getState();

        if ((MOMENT)()) {
            stop();
            setTimeout(() => {
                APP.conference.hangup(false);
                window.askedAtTheEnd = asked.length;
            });
        }
    });
}"""
LEFT = "() => !APP.conference.isJoined() && !APP.store.getState()['features/base/tracks'].some(track => track.local)"


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_hangs_up_on_the_way_back_stays_out(go: Callable[..., Visit], xmpp: Xmpp, moment: str) -> None:
    """No meeting, no camera, and no login is left; the page stays, as it does where it is embedded."""
    seen = go("hardened", welcomePage={"disabled": True})
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _in_meeting(seen)
    seen.page.clock.install()
    condition = MOMENTS[moment]
    if condition:
        seen.page.evaluate(HANG_UP.replace("MOMENT", condition))
    if moment == "leaving":
        xmpp.sockets[-1].send(focus_leaves(seen))
    else:
        xmpp.stop()
        seen.wait_for(WAITING)
        xmpp.door = Door(("SCRAM-SHA-1",), silent=not condition)
        xmpp.down = False
    talks = len(xmpp.conversations)
    if not condition:
        seen.page.clock.fast_forward(2_000)
        seen.wait_until(lambda: len(xmpp.conversations) > talks, "the question about the login")
        seen.page.evaluate("() => { APP.conference.hangup(false); window.askedAtTheEnd = asked.length; }")
        xmpp.door = Door(("SCRAM-SHA-1",))
    seen.page.wait_for_function("() => 'askedAtTheEnd' in window")
    talks = len(xmpp.conversations)
    for _ in range(3):
        seen.page.clock.fast_forward(30_000)
        seen.page.evaluate(ATTEMPT)
    seen.page.wait_for_function(LEFT)
    expect(seen.page.locator(WAITING)).to_have_count(0)

    assert seen.page.evaluate("asked.length === askedAtTheEnd")
    assert len(xmpp.conversations) == talks
    with seen.page.expect_navigation():
        seen.page.evaluate(
            "() => { APP.conference.init({ roomName: 'hardenertestroom', shouldDispatchConnect: true }); }"
        )
    seen.wait_for("#personal-login-user")


def focus_leaves(seen: Visit) -> str:
    room, jid = seen.page.evaluate("() => [ APP.conference._room.room.roomjid, APP.connection.getJid() ]")
    return (
        f"<presence xmlns='jabber:client' type='unavailable' from='{room}/focus' to='{jid}'>"
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='none'"
        " jid='focus@auth.127.0.0.1/focus'/></x></presence>"
    )


def test_the_password_is_nowhere_while_somebody_waits(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    xmpp.door = Door(("PLAIN",), {f"{USER}@127.0.0.1": CANARY})
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page, password=CANARY)
    _in_meeting(seen)
    xmpp.stop()
    seen.wait_for(WAITING)
    waiting = seen.page.evaluate(FIND, _forms(CANARY))
    xmpp.down = False
    expect(seen.page.locator(WAITING)).to_have_count(0, timeout=60_000)
    seen.page.wait_for_function(JOINED)

    assert waiting + seen.page.evaluate(FIND, _forms(CANARY)) == []


def test_the_page_waits_in_german(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    seen = go("hardened", f"{ROOM}?lang=de")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _in_meeting(seen)
    xmpp.stop()
    expect(seen.page.locator(WAITING)).to_contain_text(re.compile("wurde unterbrochen. Sie bleiben angemeldet"))
