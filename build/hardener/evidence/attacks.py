"""Hostile inputs: links, tokens, embedding and opening pages, and a second participant who means no good."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hardener.evidence import keys
from hardener.evidence.own_server import HOST
from hardener.evidence.xmpp_stub import MALLORY, Mallory

EVIL = "evil.example"
CALLS = ("call-mallory",)
_VIDEO = f"<shared-video from='{MALLORY}' state='start' time='0' muted='false'>"
_GIF = "gif[https://i.giphy.com/media/abc123/giphy.gif]"
_AVATAR = f"<avatar-url>https://tracker.{EVIL}/pixel.png</avatar-url>"
_MAIL = f"<email>mallory@{EVIL}</email>"
HARMLESS = Mallory(chat=("Hello",))
# What a careful operator of upstream writes into config.js; links are meant to get round it.
LOCKED = (
    "config.disableThirdPartyRequests = true; config.gravatar = { disabled: true }; config.analytics = { disabled: true };"
    " config.giphy = { enabled: false }; config.p2p = { enabled: true, stunServers: [] };\n"
)
ANALYTICS = (
    "config.analytics = { disabled: true, rtcstatsEnabled: false, amplitudeAPPKey: 'key', matomoSiteID: '1',"
    " matomoEndpoint: 'https://matomo.operator.example/', rtcstatsEndpoint: 'wss://rtcstats.operator.example/',"
    " scriptURLs: ['https://scripts.operator.example/a.js'] };\n"
)
_UNLOCK = {"disableThirdPartyRequests": False, "gravatar.disabled": False, "analytics.disabled": False}


@dataclass(frozen=True)
class Attack:
    """One hostile input. ``expects`` are hosts that upstream as it is calls then: the negative control."""

    name: str
    kind: str  # none, link, peer, token, embedded, opener
    text: str
    journeys: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)  # overrides in the fragment
    interface: dict[str, Any] = field(default_factory=dict)
    fragment: str = ""  # what else stands there
    query: str = ""
    settings: str = ""  # lines of the operator's config.js
    mallory: Mallory | None = None
    storage: dict[str, Any] = field(default_factory=dict)  # what an earlier visit left
    script: str = ""  # of the embedding or opening page
    expects: tuple[str, ...] = ()
    extra_keys: int = 0

    def address(self, path: str) -> str:
        """The link to a page of the site that carries this attack."""
        values = [f"config.{key}={quote(json.dumps(one))}" for key, one in self.config.items()]
        values += [f"interfaceConfig.{key}={quote(json.dumps(one))}" for key, one in self.interface.items()]
        values += [self.fragment] if self.fragment else []
        return (
            f"https://{HOST}{path}" + (f"?{self.query}" if self.query else "") + ("#" + "&".join(values) if values else "")
        )


def token() -> str:
    """An unsigned JWT that names an avatar and an e-mail address."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    user = {"name": "Victim", "avatar": f"https://avatar.{EVIL}/a.png", "email": f"victim@{EVIL}", "id": "1"}
    claims = {"aud": "jitsi", "iss": "x", "sub": HOST, "room": "*", "exp": 4102444800, "context": {"user": user}}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.x"


def _stage(options: dict[str, Any], then: str = "") -> str:
    """An embedding page that uses the IFrame API, and says what it is told."""
    wanted = {"roomName": "ROOM", "width": 1200, "height": 760} | options
    return f"""<!doctype html><meta charset=utf-8><title>Stage</title><body><div id=here></div>
<script src="https://{HOST}/external_api.js"></script><script>
addEventListener('message', event => {{ if (event.origin === 'https://{HOST}') {{
    __hardenerWitness('message', JSON.stringify({{ text: JSON.stringify(event.data).slice(0, 200) }})); }} }});
const options = {json.dumps(wanted)}; options.parentNode = document.getElementById('here');
options.roomName = location.hash.slice(1) || 'stage';
const api = new JitsiMeetExternalAPI('{HOST}', options);
api.on('videoConferenceJoined', () => {{ {then} }});
</script>"""


def _opener(then: str) -> str:
    """A page that opens a room in a new window, and listens and talks to it as an embedding page would."""
    return f"""<!doctype html><meta charset=utf-8><title>Stage</title><body><button id=go>go</button><script>
let other;
addEventListener('message', event => {{ if (event.origin === 'https://{HOST}') {{
    __hardenerWitness('message', JSON.stringify({{ text: JSON.stringify(event.data).slice(0, 200) }})); {then} }} }});
document.getElementById('go').onclick = () => {{ other = window.open('https://{HOST}/' + location.hash.slice(1)
    + '#jitsi_meet_external_api_id=7&config.apiLogLevels=%5B%22info%22%2C%22warn%22%5D'); }};
</script>"""


def _embedded(name: str, text: str, options: dict[str, Any], then: str = "", **more: Any) -> Attack:
    return Attack(name, "embedded", text, ("embedded",), script=_stage(options, then), mallory=HARMLESS, **more)


def _groups() -> list[Attack]:
    """Every key that upstream lets a link override, with a hostile value, in groups."""
    found = []
    for number, group in enumerate(keys.groups(keys.CONFIG)):
        values = {key: keys.hostile(key) for key in group}
        text = f"overrides {group[0]} … {group[-1]}"
        name = f"keys-{number:02}"
        found.append(Attack(name, "link", text, ("welcome", *CALLS), config=values, mallory=HARMLESS))
    for number, group in enumerate(keys.groups(keys.INTERFACE)):
        values = {key: keys.hostile(key) for key in group}
        text = f"overrides {group[0]} … {group[-1]}"
        name = f"interface-{number:02}"
        found.append(Attack(name, "link", text, ("welcome", *CALLS), interface=values, mallory=HARMLESS))
    return found


_SEED = {
    "features/base/settings": json.dumps(
        {"displayName": "Victim", "email": f"victim@{EVIL}", "avatarURL": f"https://av.{EVIL}/seed.png"}
    )
}
_SAY_AVATAR = (
    "other.postMessage({ postis: true, scope: 'jitsi_meet_external_api_7', method: 'message', params:"
    f" {{ type: 'request', id: 1, name: 'avatar-url', data: ['https://av.{EVIL}/opener.png'] }} }}, '*');"
    "other.postMessage(JSON.stringify({ postis: true, scope: 'jitsi_meet_external_api_7', method: 'message', params:"
    f" {{ type: 'event', data: {{ name: 'avatar-url', data: ['https://av.{EVIL}/opener.png'] }} }} }}), '*');"
)

ATTACKS: tuple[Attack, ...] = (
    Attack("mallory-avatar", "peer", "presence with an avatar address", CALLS, mallory=Mallory(presence=_AVATAR), expects=(f"tracker.{EVIL}",)),
    Attack("mallory-email", "peer", "presence with an e-mail address", CALLS, mallory=Mallory(presence=_MAIL), expects=("www.gravatar.com",)),
    Attack("mallory-youtube", "peer", "shares a YouTube id", CALLS, mallory=Mallory(presence_after=f"{_VIDEO}dQw4w9WgXcQ</shared-video>"), expects=("www.youtube.com", "img.youtube.com")),
    Attack("mallory-video", "peer", "shares a video file", CALLS, mallory=Mallory(presence_after=f"{_VIDEO}https://video.{EVIL}/a.mp4</shared-video>")),
    Attack("mallory-gif", "peer", "chat message with a gif link", CALLS, mallory=Mallory(chat=(_GIF, f"https://chat.{EVIL}/x.png"))),
    Attack("mallory-name", "peer", "markup as a name", CALLS, mallory=Mallory(name=f"<img src=https://name.{EVIL}/x.png>", chat=(f"<img src=https://chat.{EVIL}/y.png>",))),
    Attack("mallory-etherpad", "peer", "etherpad and whiteboard commands", CALLS, mallory=Mallory(presence_after=f"<etherpad>https://pad.{EVIL}/p</etherpad>", chat=(f"![x](https://md.{EVIL}/z.png)",))),
    Attack("locked-avatar", "link", "undoes disableThirdPartyRequests; avatar and e-mail", CALLS, config=_UNLOCK, settings=LOCKED, mallory=Mallory(presence=_AVATAR + _MAIL), expects=(f"tracker.{EVIL}", "www.gravatar.com")),
    Attack("watchrtc", "link", "sends call statistics to the attacker's account", ("call-mallory",), config={"analytics.watchRTCEnabled": True, "watchRTCConfigParams.rtcApiKey": "attackerkey", "watchRTCConfigParams.allowBrowserLogCollection": True, "watchRTCConfigParams.logGetStats": True}, mallory=HARMLESS, expects=("watchrtc.testrtc.com",)),
    Attack("watchrtc-locked", "link", "the same where the operator forbids it", ("call-mallory",), config=_UNLOCK | {"analytics.watchRTCEnabled": True, "watchRTCConfigParams.rtcApiKey": "attackerkey"}, settings=LOCKED, mallory=HARMLESS, expects=("watchrtc.testrtc.com",)),
    Attack("analytics", "link", "turns the operator's disabled analytics on", ("prejoin", "call-mallory"), config={"analytics.disabled": False}, settings=ANALYTICS, mallory=HARMLESS, expects=("matomo.operator.example", "scripts.operator.example")),
    Attack("rtcstats", "link", "turns the operator's disabled rtcstats on", CALLS, config={"analytics.rtcstatsEnabled": True}, settings=ANALYTICS, mallory=HARMLESS, expects=("rtcstats.operator.example",)),
    Attack("giphy", "link", "turns Giphy on; Mallory sends a gif", (*CALLS, "reactions"), config={"giphy": {"enabled": True, "sdkKey": "k", "displayMode": "all", "tileTime": 5000}}, mallory=Mallory(chat=(_GIF,)), expects=("i.giphy.com",)),
    Attack("calendar", "link", "turns Google's calendar on", ("welcome", "calendar"), config={"enableCalendarIntegration": True, "googleApiApplicationClientID": "id"}, expects=("apis.google.com",)),
    Attack("calendar-locked", "link", "the same where the operator forbids it", ("calendar",), config=_UNLOCK | {"enableCalendarIntegration": True, "googleApiApplicationClientID": "id"}, settings=LOCKED, expects=("apis.google.com",)),
    Attack("dropbox", "link", "turns Dropbox on", ("settings", *CALLS), config={"dropbox.appKey": "key", "fileRecordingsEnabled": True}, mallory=HARMLESS),
    Attack("userinfo-email", "link", "names the visitor's e-mail address", ("prejoin", "call-mallory"), fragment=f"userInfo.email=%22victim@{EVIL}%22&userInfo.displayName=%22Victim%22", mallory=HARMLESS, expects=("www.gravatar.com",)),
    Attack("deep-link", "link", "turns the deep-linking page on", ("prejoin", "android"), config={"deeplinking.disabled": False, "deeplinking.desktop.enabled": True}),
    Attack("virtual-background", "link", "background model from elsewhere, blur saved earlier", ("prejoin", "call-mallory", "background"), config={"virtualBackground": {"enableV2": True}}, storage={"features/virtual-background": {"backgroundEffectEnabled": True, "backgroundType": "blur", "blurValue": 25, "selectedThumbnail": "blur"}}, mallory=HARMLESS),
    Attack("whiteboard-state", "link", "a collaboration server in whiteboard.html's fragment", ("whiteboard",), fragment="state=" + base64.b64encode(json.dumps({"collabDetails": {"roomId": "r", "roomKey": "k" * 22}, "collabServerUrl": f"https://collab.{EVIL}", "localParticipantName": "x"}).encode()).decode()),
    Attack("jwt", "token", "unsigned token with avatar and e-mail", ("prejoin", "call-mallory"), query=f"jwt={token()}", mallory=HARMLESS, expects=("www.gravatar.com",)),
    Attack("jwt-locked", "token", "the same, and undoes the operator's lock", ("call-mallory",), query=f"jwt={token()}", config=_UNLOCK, settings=LOCKED, mallory=HARMLESS, expects=(f"avatar.{EVIL}",)),
    _embedded("embed-plain", "embeds a room", {}),
    _embedded("embed-logo", "foreign logo and toolbar icon", {"configOverwrite": {"defaultLogoUrl": f"https://logo.{EVIL}/l.png", "customToolbarButtons": [{"icon": f"https://icon.{EVIL}/i.svg", "id": "x", "text": "x"}], "toolbarButtons": ["x", "microphone"]}}, expects=(f"logo.{EVIL}",)),
    _embedded("embed-ice", "replaces the ICE servers", {"iceServers": {"replace": [{"targetType": "stun", "urls": f"stun:stun.{EVIL}:3478"}, {"targetType": "turn", "urls": f"turn:turn.{EVIL}:3478", "username": "u", "credential": "c"}]}}),
    _embedded("embed-overwrite", "overwriteConfig, then an avatar", {}, f"api.executeCommand('overwriteConfig', {{ p2p: {{ enabled: true }}, disableThirdPartyRequests: false, gravatar: {{ disabled: false }} }}); api.executeCommand('email', 'victim@{EVIL}'); api.executeCommand('avatarUrl', 'https://av.{EVIL}/embed.png');", settings=LOCKED, expects=(f"av.{EVIL}", "www.gravatar.com")),
    _embedded("embed-storage", "seeds localStorage", {"configOverwrite": {"useHostPageLocalStorage": True}, "appData": {"localStorageContent": json.dumps(_SEED)}}, expects=("www.gravatar.com",)),
    Attack("opener", "opener", "a page that opened the room listens and sets an avatar", ("opened",), script=_opener(_SAY_AVATAR), mallory=Mallory(chat=("secret chat text",)), expects=("message",)),
    *_groups(),
)
NONE = Attack("none", "none", "nothing hostile", (), mallory=None)
