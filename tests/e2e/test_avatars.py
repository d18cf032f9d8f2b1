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


# Where the operator of these tests keeps avatars.
FOLDER = "/avatars/"


def _hosts(seen: Visit) -> set[str]:
    """Foreign hosts that were asked until our own picture was: avatars are looked up one after the other."""
    with seen.page.expect_request(f"**{FOLDER}canary.png"):
        seen.page.evaluate(f"({UPDATE})({{ avatarURL: `${{location.origin}}{FOLDER}canary.png` }})")
    return {url.split("/")[2] for url in seen.foreign}


def _token() -> str:
    """Return an unsigned token: the client believes it until a server looks at it."""
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
def test_no_avatar_from_an_address(visit: Callable[..., Visit], configure: Callable[..., None], address: str) -> None:
    configure(avatarPaths=[FOLDER])
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
        # Set again and again: the look-up of the address that the page knows may end at any time, and takes it away.
        foreign, own = ("requestfailed", "/drawn.png?canary"), ("requestfinished", "/images/avatar.png?canary")
        name, canary = foreign if variant == "unpatched" else own
        with seen.page.expect_event(name, lambda asked, canary=canary: asked.url.endswith(canary)):
            seen.page.evaluate(
                """async () => {
                    const { local } = APP.store.getState()['features/base/participants'];
                    const set = () => APP.store.dispatch({ type: 'SET_LOADABLE_AVATAR_URL', participant: {
                        id: local.id, loadableAvatarUrl: 'https://avatars.invalid/drawn.png?canary' } });
                    set();
                    setInterval(set, 100);
                    for (let frames = 0; frames < 5; frames++) {
                        await new Promise(requestAnimationFrame);
                    }
                    new Image().src = '/images/avatar.png?canary';
                }"""
            )
        hosts[variant] = {url.split("/")[2] for url in seen.foreign}

    assert hosts == {"unpatched": {"avatars.invalid"}, "hardened": set()}


PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# {} is the page's own origin. Each would be a request of a participant's choice to the own server, or to another one.
REFUSED = (
    "{}/http-bind?x=1",
    "{}/rooms/delete",
    "/rooms/delete",
    "rooms/delete",
    "{}/avatars/a.png?x=1",
    "{}/avatars/a.png#x",
    "{}/avatars/../http-bind",
    "{}/avatars/./a.png",
    "{}/avatars/%2e%2e/http-bind",
    "{}/avatars/%2e%2e%2fhttp-bind",
    "{}/avatars/..%2fhttp-bind",
    "{}/avatars/..\\http-bind",
    "{}/avatars//a.png",
    "{}//avatars/a.png",
    "{}/avatars/",
    "{}/avatars",
    "{}/avatarsx/a.png",
    "{}/AVATARS/a.png",
    "{}/x/avatars/a.png",
    "{}/avatars/a.png;x=1",
    "{}/avatars/a\tb.png",
    "{}\\avatars\\a.png",
    "\\avatars\\a.png",
    "//127.0.0.1:9/avatars/a.png",
    "http://127.0.0.1:9/avatars/a.png",
    "https://127.0.0.1/avatars/a.png",
    "http://user:x@127.0.0.1/avatars/a.png",
    "http:/avatars/a.png",
    "http:avatars/a.png",
    " {}/avatars/a.png",
    "blob:{}/00000000-0000-0000-0000-000000000000",
    "filesystem:{}/temporary/a.png",
    "data:image/svg+xml;base64,PHN2Zy8+",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
    "data:text/html;base64,PGI+",
    "data:image/png,x",
    "javascript:fetch('/x')",
    "avatars/a.png",
)
TAKEN = ("/avatars/b.png", "{}/avatars/team/c-1.jpg", PICTURE)
# The look-ups run side by side; a request after them shows that theirs have begun.
LOOK_UP = """async ([ addresses, last ]) => {
    const { local } = APP.store.getState()['features/base/participants'];
    for (const avatarURL of addresses) {
        APP.store.dispatch({ type: 'PARTICIPANT_UPDATED', participant: { id: local.id, local: true, avatarURL } });
    }
    await new Promise(requestAnimationFrame);
    await fetch(last);
}"""


@pytest.mark.parametrize("folders", [[FOLDER], None, ["/", "avatars/", "/avatars", "/a/../", {}, "https://x.invalid/"]])
def test_only_the_operators_folders_serve_avatars(
    visit: Callable[..., Visit], configure: Callable[..., None], folders: list[str] | None
) -> None:
    """Whatever a participant names: no other path of the own server is asked for, and without the setting none at
    all.
    """
    configure(**({} if folders is None else {"avatarPaths": folders}))
    asked = {}
    for variant in ("unpatched", "hardened") if folders == [FOLDER] else ("hardened",):
        seen = visit(variant, ROOM)
        seen.wait_for(READY)
        seen.come_to_rest()
        before = len(seen.requests)
        own = seen.page.evaluate("location.origin")
        addresses = [address.replace("{}", own) for address in (*REFUSED, *TAKEN)]
        last = f"{own}/last"
        seen.page.evaluate(LOOK_UP, [addresses, last])
        seen.wait_until(lambda seen=seen, last=last: last in seen.requests, "the request after the avatars")
        seen.come_to_rest()
        asked[variant] = {
            url for url in seen.requests[before:] if url != last and not url.startswith("data:image/png;base64")
        }

    if folders == [FOLDER]:
        assert {f"{own}/avatars/b.png", f"{own}/avatars/team/c-1.jpg"} == asked["hardened"]
        assert len(asked["unpatched"]) > 15
    else:
        assert asked["hardened"] == set()
