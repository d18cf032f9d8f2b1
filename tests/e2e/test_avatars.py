"""Ways in which a foreign picture address comes to be a person's avatar. 'unpatched' is the control."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
READY = '[data-testid="prejoin.joinMeeting"]'
UPDATE = """change => {
    const { local } = APP.store.getState()['features/base/participants'];
    APP.store.dispatch({ type: 'PARTICIPANT_UPDATED', participant: { id: local.id, local: true, ...change } });
}"""


def _hosts(seen: Visit) -> set[str]:
    """Foreign hosts that were asked until our own picture was: avatars are looked up one after the other."""
    with seen.page.expect_request("**/images/avatar.png?canary"):
        seen.page.evaluate(f"({UPDATE})({{ avatarURL: `${{location.origin}}/images/avatar.png?canary` }})")
    return {url.split("/")[2] for url in seen.foreign}


def _token() -> str:
    """An unsigned token: the client believes it until a server looks at it."""
    claims = {
        "context": {
            "user": {"name": "X", "email": "x@example.org", "avatar": "https://avatars.invalid/a.png", "id": "1"}
        },
        "aud": "jitsi",
        "iss": "x",
        "sub": "x",
        "room": "*",
    }
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)
    ]
    return ".".join([*parts, ""])


@pytest.mark.parametrize(
    "address", [f"{ROOM}#userInfo.email=%22x@example.org%22", f"{ROOM}?jwt={_token()}"], ids=["link", "token"]
)
def test_no_avatar_from_an_address(visit: Callable[..., Visit], address: str) -> None:
    hosts = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, address)
        seen.wait_for(READY)
        hosts[variant] = _hosts(seen)

    assert hosts == {"unpatched": {"www.gravatar.com"}, "hardened": set()}


def test_avatar_component_draws_no_foreign_picture(visit: Callable[..., Visit]) -> None:
    """An address that has got around the look-up is not drawn either."""
    hosts = {}
    for variant in ("unpatched", "hardened"):
        # Without a picture of the camera, so that the avatar is to be seen.
        seen = visit(variant, f"{ROOM}#config.startWithVideoMuted=true")
        seen.wait_for(READY)
        seen.page.wait_for_selector(".premeeting-screen-avatar", state="attached")
        # Components are drawn within a frame or two; the own picture, which is always asked for, comes after that.
        expected = "**/drawn.png?canary" if variant == "unpatched" else "**/images/avatar.png?canary"
        with seen.page.expect_request(expected):
            seen.page.evaluate(
                """async () => {
                    const { local } = APP.store.getState()['features/base/participants'];
                    APP.store.dispatch({ type: 'SET_LOADABLE_AVATAR_URL', participant: {
                        id: local.id, loadableAvatarUrl: 'https://avatars.invalid/drawn.png?canary' } });
                    for (let frames = 0; frames < 5; frames++) {
                        await new Promise(requestAnimationFrame);
                    }
                    new Image().src = '/images/avatar.png?canary';
                }"""
            )
        hosts[variant] = {url.split("/")[2] for url in seen.foreign}

    assert hosts == {"unpatched": {"avatars.invalid"}, "hardened": set()}
