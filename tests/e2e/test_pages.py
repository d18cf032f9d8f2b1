"""What a person who opens the built site sees, and whom the page talks to. 'unpatched' is the control in every test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from .conftest import SCREENSHOTS, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
READY = {"/": "#enter_room_field", ROOM: '[data-testid="prejoin.joinMeeting"]'}


def _messages(seen: Visit) -> set[str]:
    """Console errors without what differs between two builds: addresses, positions, chunk names, mangled names."""
    texts = (re.sub(r"https?://\S+|\b[\w.]+\.min\.js\S*|\d+", "~", text.splitlines()[0]) for text in seen.errors)
    return {re.sub(r"\b[a-zA-Z]{1,2}~?\b", "~", text) for text in texts}


@pytest.mark.parametrize("path", READY, ids=["welcome", "prejoin"])
def test_page_has_no_console_error_that_the_unpatched_one_has_not(visit: Callable[..., Visit], path: str) -> None:
    said = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, path)
        seen.wait_for(READY[path])
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        seen.page.screenshot(path=SCREENSHOTS / f"{variant}-{'welcome' if path == '/' else 'prejoin'}.png")
        said[variant] = _messages(seen)
        assert seen.foreign == []

    assert said["hardened"] <= said["unpatched"]


def test_foreign_avatars_are_not_loaded(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    """Neither Gravatar nor a participant's own choice; pictures from the operator's folder still are."""
    configure(avatarPaths=["/avatars/"])
    hosts = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM)
        seen.wait_for(READY[ROOM])
        # Avatars are looked up one after the other: when our own picture has been asked for, the others were dealt
        # with.
        with seen.page.expect_request("**/avatars/canary.png") as canary:
            seen.page.evaluate(
                """async () => {
                    const { local } = APP.store.getState()['features/base/participants'];
                    const set = change => APP.store.dispatch(
                        { type: 'PARTICIPANT_UPDATED', participant: { id: local.id, local: true, ...change } });
                    set({ email: 'a person@example.org' });
                    set({ avatarURL: 'https://avatars.invalid/pixel.png' });
                    set({ avatarURL: `${location.origin}/avatars/canary.png` });
                }"""
            )
        assert canary.value.url
        hosts[variant] = {url.split("/")[2] for url in seen.foreign}

    assert hosts == {"unpatched": {"www.gravatar.com", "avatars.invalid"}, "hardened": set()}


def test_no_default_stun_server(visit: Callable[..., Visit]) -> None:
    """Without a configured STUN server, none is used."""
    servers = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/")
        seen.wait_for(READY["/"])
        servers[variant] = seen.page.evaluate(
            """() => {
                const options = { hosts: { domain: 'x.invalid', muc: 'muc.x.invalid' }, serviceUrl: 'wss://x.invalid/', p2p: {} };
                const connection = new JitsiMeetJS.JitsiConnection(null, null, options);
                return connection.xmpp.connection.jingle.p2pIceConfig.iceServers.map(server => server.urls);
            }"""
        )

    assert servers == {"unpatched": ["stun:meet-jit-si-turnrelay.jitsi.net:443"], "hardened": []}


@pytest.mark.parametrize("sdk", ["watchrtc.testrtc.com", "amplitude.com", "matomo.php", "meet-jit-si-turnrelay"])
def test_sdk_is_in_the_unpatched_scripts_and_not_in_ours(visit: Callable[..., Visit], sdk: str) -> None:
    found = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/")
        seen.wait_for(READY["/"])
        found[variant] = seen.page.evaluate(
            """async sdk => {
                const texts = await Promise.all([ 'app.bundle', 'lib-jitsi-meet' ].map(
                    name => fetch(`libs/${name}.min.js`).then(response => response.text())));
                return texts.some(text => text.includes(sdk));
            }""",
            sdk,
        )

    assert found == {"unpatched": True, "hardened": False}
