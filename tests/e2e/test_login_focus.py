"""The focus is not there: the page says so after a bounded time, keeps the login, and joins once the focus is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from hardener.proof.xmpp.stub import PASSWORD, USER, Door

from .conftest import LOGIN, Visit, Xmpp, sign_in
from .test_login import DIALOG, JOINED, _joins, _until, go
from .test_login_again import SOURCES, WAITING, focus_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

__all__ = ["go"]
NO_FOCUS = "The conference server is not ready to open the meeting. You stay signed in"
REQUEST = """password => {
    window.failures = [];
    const connection = new JitsiMeetJS.JitsiConnection(null, null, { hosts: { domain: '127.0.0.1', muc: 'muc.127.0.0.1' },
        serviceUrl: 'ws://127.0.0.1/xmpp-websocket', p2p: {}, flags: {}, ...window.how });
    connection.addEventListener(JitsiMeetJS.events.connection.CONNECTION_FAILED, name => failures.push(name));
    connection.addEventListener(JitsiMeetJS.events.connection.CONNECTION_ESTABLISHED, () => {
        connection.initJitsiConference('room', {}).join();
        window.asked = true;
    });
    connection.connect({ id: 'alice@127.0.0.1', password });
}"""


@pytest.mark.parametrize("way", ["service-unavailable", "internal-server-error", "silent", "busy"])
def test_a_focus_that_is_down_is_reported_and_waited_for(go: Callable[..., Visit], xmpp: Xmpp, way: str) -> None:
    """Not there, broken, without an answer, or never ready."""
    xmpp.door = Door(("SCRAM-SHA-1",), focus=way)
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _joins(seen)
    expect(seen.page.locator(WAITING)).to_contain_text(NO_FOCUS, timeout=45_000)
    assert not seen.page.query_selector(f"{LOGIN}, {DIALOG}")
    assert "Rejoin" not in seen.page.inner_text("body")

    xmpp.door = Door(("SCRAM-SHA-1",))
    expect(seen.page.locator(WAITING)).to_have_count(0, timeout=60_000)
    seen.page.wait_for_function(JOINED)
    assert set(xmpp.accounts) == {f"{USER}@127.0.0.1"}


@pytest.mark.full_browser
def test_a_focus_that_leaves_a_meeting_is_waited_for(go: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Upstream leaves the meeting, disconnects, and loads the page again, which would forget the login.

    Camera and microphone are opened in the meeting and no earlier, and the microphone of who was muted is not.
    """
    seen = go("hardened")
    seen.wait_for(LOGIN)
    sign_in(seen.page)
    _joins(seen)
    seen.page.wait_for_function(JOINED)
    seen.page.evaluate("() => APP.conference.muteAudio(true)")
    seen.page.wait_for_function("() => APP.conference.isLocalAudioMuted()")
    asked = seen.page.evaluate("askedFor")
    before = seen.page.evaluate_handle("APP.connection")
    xmpp.door = Door(("SCRAM-SHA-1",), focus="service-unavailable")
    xmpp.sockets[-1].send(focus_leaves(seen))
    expect(seen.page.locator(WAITING)).to_contain_text(NO_FOCUS, timeout=45_000)
    assert not seen.page.query_selector("#reloadProgressBar")
    talks = len(xmpp.conversations)
    # Each attempt has two connections: one that asks the server about the login, and one that asks for the meeting.
    seen.wait_until(lambda: len(xmpp.conversations) > talks + 2, "another attempt")
    assert seen.page.evaluate("askedFor") == asked
    xmpp.door = Door(("SCRAM-SHA-1",))
    expect(seen.page.locator(WAITING)).to_have_count(0, timeout=60_000)
    seen.page.wait_for_function("before => APP.connection !== before && APP.conference.isJoined()", arg=before)
    seen.page.wait_for_function(SOURCES)

    assert seen.page.evaluate("askedFor") == [*asked, "video"]
    assert seen.page.evaluate("APP.conference.isLocalAudioMuted()")


@pytest.mark.parametrize("over", ["XMPP", "HTTP"])
def test_a_request_without_an_answer_fails(go: Callable[..., Visit], xmpp: Xmpp, over: str) -> None:
    """Only the library, with a clock that is set forward; upstream waits for ever."""
    failures = {}
    for variant in ("unpatched", "hardened"):
        xmpp.door = Door(("SCRAM-SHA-1",), focus="silent")
        seen = go(variant, "/static/offline.html")
        page = seen.page
        address = page.url.removesuffix("/static/offline.html")
        page.route("**/conference-request/**", lambda _route: None)
        page.clock.install()
        page.goto(f"{address}/")
        page.wait_for_function("() => window.JitsiMeetJS")
        how = {"conferenceRequestUrl": f"{address}/conference-request/v1"} if over == "HTTP" else {}
        page.evaluate("how => { window.how = how; }", how)
        page.evaluate(REQUEST, PASSWORD)
        _until(page, lambda page=page: page.evaluate("window.asked"))
        page.clock.fast_forward(20_000)
        if variant == "hardened":
            page.wait_for_function("() => failures.length")
        failures[variant] = page.evaluate("failures")

    assert failures == {"unpatched": [], "hardened": ["connection.conferenceRequestFailed"]}
