"""Whom a meeting speaks with: pages that embed or open it. 'unpatched' is the control."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from .conftest import enter, join

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Frame, Page

pytestmark = [pytest.mark.upstream, pytest.mark.slow, pytest.mark.usefixtures("xmpp")]

ROOM = "/HardenerTestRoom#jitsi_meet_external_api_id=0"
READY = '[data-testid="prejoin.joinMeeting"]'

# A page that listens as external_api.js does: it answers the handshake, and keeps the names of all that comes. There is one
# channel more for remote control, and in a meeting one for the power monitor; of those it keeps the names.
LISTEN = """() => {
    window.heard = [];
    window.addEventListener('message', ({ data, source }) => {
        if (data === 'canary') {
            return window.heard.push(data);
        }
        const message = JSON.parse(data);

        if (message.scope === 'jitsi_meet_external_api_0') {
            message.method === '__ready__' ? source.postMessage(data, '*') : window.heard.push(message.params.data?.name);
        } else {
            window.heard.push(message.scope);
        }
    });
}"""
SEND = """config => frames[0].postMessage(JSON.stringify({ postis: true, scope: 'jitsi_meet_external_api_0', method: 'message',
    params: { type: 'event', data: { name: 'overwrite-config', data: [ config ] } } }), '*')"""


def _page(context: BrowserContext, address: str) -> Page:
    """A page of ours with nothing on it; as 'localhost' it is foreign to the site, which we visit by its number."""
    page = context.new_page()
    page.goto(f"{address}/static/offline.html")
    page.evaluate(LISTEN)
    return page


def _foreign(address: str) -> str:
    return address.replace("127.0.0.1", "localhost")


def _frame(page: Page, address: str) -> Frame:
    """A meeting in a frame of the page."""
    page.evaluate(
        "src => document.body.append(Object.assign(document.createElement('iframe'), { src, width: 900, height: 600 }))",
        address,
    )
    page.wait_for_function("() => frames.length")
    frame = page.frames[-1]
    enter(frame, READY)
    return frame


# The library behind the channels knocks every 50 ms: four ticks of such a timer later, each of them has knocked.
CANARY = """target => new Promise(done => {
    let left = 4;
    const timer = setInterval(() => --left || (clearInterval(timer), window[target].postMessage('canary', '*'), done()), 50);
})"""


def _heard(page: Page, meeting: Page | Frame, target: str, awaited: set[str]) -> list[Any]:
    """What the page heard from a meeting that was joined until all ``awaited`` came, and then our own message."""
    page.wait_for_function("names => names.every(name => heard.includes(name))", arg=list(awaited))
    meeting.wait_for_function("() => APP.store.getState()['features/base/conference'].conference")
    meeting.evaluate(CANARY, target)
    page.wait_for_function("() => heard.includes('canary')")
    heard: list[Any] = page.evaluate("heard")
    return heard


@pytest.fixture
def everywhere(cache_home: Path, site: Callable[[str], str]) -> dict[str, str]:
    return {variant: site(variant) for variant in ("unpatched", "hardened")}


CHANNELS = {"ready", "jitsi-remote-control", "jitsi-power-monitor"}


@pytest.mark.usefixtures("open_house")
def test_an_opener_gets_no_messages(context: BrowserContext, everywhere: dict[str, str]) -> None:
    heard = {}
    for variant, address in everywhere.items():
        page = _page(context, _foreign(address))
        with page.expect_popup() as opened:
            page.evaluate("address => { window.open(address); }", address + ROOM)
        meeting = opened.value
        enter(meeting, READY)
        join(meeting)
        heard[variant] = _heard(page, meeting, "opener", CHANNELS if variant == "unpatched" else set())
        meeting.close()

    assert heard["hardened"] == ["canary"]


@pytest.mark.usefixtures("open_house")
def test_a_foreign_embedding_page_gets_no_messages(context: BrowserContext, everywhere: dict[str, str]) -> None:
    heard = {}
    for variant, address in everywhere.items():
        page = _page(context, _foreign(address))
        meeting = _frame(page, address + ROOM)
        join(meeting)
        heard[variant] = _heard(page, meeting, "parent", CHANNELS if variant == "unpatched" else set())

    assert heard["hardened"] == ["canary"]


def test_an_embedding_page_of_our_own_is_heard_and_hears(context: BrowserContext, everywhere: dict[str, str]) -> None:
    """The IFrame API still works where it may; what it overrides is the looks, and no more."""
    servers = {}
    for variant, address in everywhere.items():
        page = _page(context, address)
        frame = _frame(page, address + ROOM)
        page.wait_for_function("() => heard.includes('ready')")
        frame.evaluate(
            "APP.store.dispatch({ type: 'UPDATE_CONFIG', config: { p2p: { stunServers: [ { urls: 'stun:own' } ] } } })"
        )
        page.evaluate(SEND, {"p2p": {"enabled": True}, "hideConferenceTimer": True})
        frame.wait_for_function("() => APP.store.getState()['features/base/config'].hideConferenceTimer")
        servers[variant] = frame.evaluate("APP.store.getState()['features/base/config'].p2p.stunServers ?? null")

    assert servers == {"unpatched": None, "hardened": [{"urls": "stun:own"}]}


def test_a_foreign_embedding_page_is_heard_where_it_is_configured(
    context: BrowserContext, configure: Callable[..., None], everywhere: dict[str, str]
) -> None:
    address = everywhere["hardened"]
    configure(embeddingAllowedOrigins=[_foreign(address)])
    page = _page(context, _foreign(address))
    _frame(page, address + ROOM)

    page.wait_for_function("() => heard.includes('ready')")


def test_ice_servers_of_the_address_are_ignored(context: BrowserContext, everywhere: dict[str, str]) -> None:
    """A meeting in a frame, whose address names ICE servers."""
    replace = json.dumps([{"target": "turn:.*", "replace": "turn:turn.invalid"}])
    taken = {}
    for variant, address in everywhere.items():
        page = _page(context, address)
        frame = _frame(page, f"{address}{ROOM}&iceServers.replace={quote(replace)}")
        frame.evaluate(
            """() => {
                const { JitsiConnection } = JitsiMeetJS;
                JitsiMeetJS.JitsiConnection = function(appID, token, options) {
                    window.options = options;
                    return new JitsiConnection(appID, token, options);
                };
            }"""
        )
        frame.click(READY)
        frame.wait_for_function("() => window.options?.hosts")
        taken[variant] = frame.evaluate("() => JSON.stringify(options).includes('turn.invalid')")

    assert taken == {"unpatched": True, "hardened": False}
