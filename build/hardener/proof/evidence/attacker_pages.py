"""Inputs of attackers: a forged token, a page that embeds the site, a page that opens it in a new window."""

from __future__ import annotations

import base64
import json
from typing import Any

from hardener.proof.evidence.site import HOST

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
    """Return an embedding page that uses the IFrame API, and says what it is told."""
    wanted = {"roomName": "ROOM", "width": 1200, "height": 760} | options
    return f"""<!doctype html><meta charset=utf-8><title>Stage</title><body><div id=here></div>
<script src="https://{HOST}/external_api.js"></script><script>
addEventListener('message', event => {{ if (event.origin === 'https://{HOST}') {{
    __hardenerWitness('message', JSON.stringify({{ text: JSON.stringify(event.data).slice(0, 200) }})); }} }});
{first}
const options = {json.dumps(wanted)}; options.parentNode = document.getElementById('here');
options.roomName = location.hash.slice(1) || 'stage';
const api = new JitsiMeetExternalAPI('{HOST}', options);
api.on('videoConferenceJoined', () => {{ {then} }});
</script>"""


def opening(then: str) -> str:
    """Return a page that opens a room in a new window, and listens and talks to it as an embedding page would."""
    return f"""<!doctype html><meta charset=utf-8><title>Stage</title><body><button id=go>go</button><script>
let other;
addEventListener('message', event => {{ if (event.origin === 'https://{HOST}') {{
    __hardenerWitness('message', JSON.stringify({{ text: JSON.stringify(event.data).slice(0, 200) }})); {then} }} }});
document.getElementById('go').onclick = () => {{ other = window.open('https://{HOST}/' + location.hash.slice(1)
    + '#jitsi_meet_external_api_id=7&config.apiLogLevels=%5B%22info%22%2C%22warn%22%5D'); }};
</script>"""
