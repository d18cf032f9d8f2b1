"""Whom a meeting speaks with: pages that embed or open it. 'unpatched' is the control."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from hardener import snippets
from support import nginx_server
from support.sites import archive_of

from .conftest import NGINX_WITH_SNIPPETS, enter, join

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Frame, Page

pytestmark = [pytest.mark.upstream, pytest.mark.slow, pytest.mark.usefixtures("xmpp")]

ROOM = "/HardenerTestRoom#jitsi_meet_external_api_id=0"
READY = '[data-testid="prejoin.joinMeeting"]'

# A page that listens as external_api.js does: it answers the handshake, and keeps the names of all that comes. There
# is one
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
    """Return a page of ours with nothing on it; as 'localhost' it is foreign to the site, which we visit by its
    number.
    """
    page = context.new_page()
    page.goto(f"{address}/static/offline.html")
    page.evaluate(LISTEN)
    return page


def _foreign(address: str) -> str:
    return address.replace("127.0.0.1", "localhost")


def _frame(page: Page, address: str) -> Frame:
    """Return a meeting in a frame of the page."""
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
    """Return what the page heard from a meeting that was joined until all ``awaited`` came, and then our own
    message.
    """
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


# external_api.js itself knows https only: it is loaded, and the frame that it would make is made as it makes it.
EMBED = """async address => {
    const add = (name, properties) => new Promise(done => document.body.append(
        Object.assign(document.createElement(name), properties, { onload: done, onerror: done })));

    await add('script', { src: `${address}/external_api.js` });
    await add('iframe', { src: `${address}/EmbeddedRoom#jitsi_meet_external_api_id=0`, width: 900, height: 600,
        allow: 'autoplay; camera; clipboard-write; display-capture; microphone' });
}"""


@pytest.mark.usefixtures("open_house")
def test_one_setting_lets_a_page_of_another_origin_embed_and_steer(
    cache_home: Path, context: BrowserContext, site: Callable[[str], str], nginx: str, tmp_path: Path
) -> None:
    """'hardener nginx --embed' for one portal. Another origin, and the portal without the setting, are the controls."""
    foreign = site("hardened")  # without headers of its own, and under two names two origins
    portal = _foreign(foreign)
    servers, seen = [], {}
    try:
        for allowed in (True, False):
            folder = tmp_path / str(allowed)
            with tarfile.open(archive_of("hardened")) as archive:
                archive.extractall(folder / "site", filter="data")
            snippets.write(folder / "hardener", [portal] if allowed else [])
            server, address = nginx_server.start(nginx, folder, NGINX_WITH_SNIPPETS)
            servers.append(server)
            for origin in (portal, foreign):
                page = _page(context, origin)
                page.evaluate(EMBED, address)
                frames = [frame for frame in page.frames[1:] if frame.url.startswith(address)]
                seen[origin == portal, allowed] = (page.evaluate("'JitsiMeetExternalAPI' in window"), bool(frames))
                if frames:
                    _steer(page, frames[0])
                page.close()
    finally:
        for server in servers:
            nginx_server.stop(server)

    # The script is for all, where any page may embed: the policy of resources knows no list.
    assert seen == {
        (True, True): (True, True),
        (False, True): (True, False),
        (True, False): (False, False),
        (False, False): (False, False),
    }


def _steer(page: Page, meeting: Frame) -> None:
    """Log in, see camera and microphone delegated, and change a setting as the IFrame API does."""
    enter(meeting, READY)
    page.wait_for_function("() => heard.includes('ready')")
    names = ["camera", "microphone", "display-capture"]
    allows = "names => names.map(name => document.featurePolicy.allowsFeature(name))"
    assert meeting.evaluate(allows, names) == [True, True, True]
    page.evaluate(SEND, {"hideConferenceTimer": True})
    meeting.wait_for_function("() => APP.store.getState()['features/base/config'].hideConferenceTimer")
