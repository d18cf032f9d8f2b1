"""Hostile inputs: links, tokens, embedding and opening pages, and a second participant who means no good."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from hardener.proof.evidence import override_keys
from hardener.proof.evidence.attack import DIRECT, HARMLESS, Attack
from hardener.proof.evidence.attacker_pages import EVIL, SAY_AVATAR, SEED, embedding, opening, token
from hardener.proof.evidence.site import BAIT, HOST
from hardener.proof.evidence.spoofs import SPOOFS
from hardener.proof.xmpp.stub import MALLORY, Mallory

CALLS = ("call-mallory",)
BOTH = (*CALLS, "real-mallory")  # at our stub, and at real servers
_PAD = f"<etherpad>https://pad.{EVIL}/p</etherpad>"
_MARKUP = "<img src=https://{}." + EVIL + "/x.png>"
_MARKDOWN = f"![x](https://md.{EVIL}/z.png)"
_GIF = "gif[https://i.giphy.com/media/abc123/giphy.gif]"
_AVATAR = f"<avatar-url>https://tracker.{EVIL}/pixel.png</avatar-url>"
_MAIL = f"<email>mallory@{EVIL}</email>"
_BREAKOUT = "a:b}&{background-image:url(https://brand." + EVIL + "/x.png);c"
_SVG = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='https://svg.{EVIL}/x.png'/></svg>"
# What a careful operator of upstream writes into config.js; links are meant to get round it.
LOCKED = (
    "config.disableThirdPartyRequests = true; config.gravatar = { disabled: true };"
    " config.analytics = { disabled: true }; config.giphy = { enabled: false };"
    " config.p2p = { enabled: true, stunServers: [] };\n"
)
ANALYTICS = (
    "config.analytics = { disabled: true, rtcstatsEnabled: false, amplitudeAPPKey: 'key', matomoSiteID: '1',"
    " matomoEndpoint: 'https://matomo.operator.example/', rtcstatsEndpoint: 'wss://rtcstats.operator.example/',"
    " scriptURLs: ['https://scripts.operator.example/a.js'] };\n"
)
# A call of Mallory's (Jingle, XEP-0166 and 0176) that names addresses of others as her own. In a call without bridge,
# any participant may say where the other browser is to send its STUN packets; host names in there are looked up, too.
# No Content-Security-Policy covers that.
UNREACHED = "203.0.113.9"  # an address for documentation (RFC 5737)
NAME = f"ice.{EVIL}"
_UNLOCK = {"disableThirdPartyRequests": False, "gravatar.disabled": False, "analytics.disabled": False}


def _candidate(address: str) -> str:
    return (
        "<candidate foundation='1' component='1' protocol='udp' priority='1' generation='0' type='host'"
        f" ip='{address}' port='443'/>"
    )


def _content(name: str, media: str, payload: str) -> str:
    return (
        f"<content creator='initiator' name='{name}' senders='both'>"
        f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>{payload}<rtcp-mux/></description>"
        "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789abcdef01234567'>"
        "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>"
        f"{':'.join(['AB'] * 32)}</fingerprint>{_candidate(UNREACHED)}{_candidate(NAME)}</transport></content>"
    )


# Sound and picture, as the client offers them itself: it answers no less.
CALL = (
    _content("0", "audio", "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>")
    + _content("1", "video", "<payload-type id='100' name='VP8' clockrate='90000'/>")
    + "<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='0'/><content name='1'/></group>"
)


def _peer(name: str, text: str, mallory: Mallory, *expects: str) -> Attack:
    return Attack(name, "peer", text, BOTH, mallory=mallory, expects=expects)


def _shares(video: str) -> Mallory:
    command = f"<shared-video from='{MALLORY}' state='start' time='0' muted='false'>{video}</shared-video>"
    return Mallory(presence_after=command)


def _embedded(name: str, text: str, options: dict[str, Any], then: str = "", *, first: str = "", **more: Any) -> Attack:
    script = embedding(options, then, first)
    return Attack(name, "embedded", text, ("embedded",), script=script, mallory=HARMLESS, **more)


def _brands(name: str, text: str, branding: dict[str, Any], *expects: str) -> Attack:
    """Return an answer of the operator's branding service, taken over or not the operator's own."""
    address = "data:application/json," + quote(json.dumps(branding))
    settings = f"config.dynamicBrandingUrl = {json.dumps(address)};\n"
    return Attack(name, "branding", text, ("prejoin",), settings=settings, expects=expects)


def _groups() -> list[Attack]:
    """Return every key that upstream lets a link override, with a hostile value, in groups."""
    found = []
    for number, group in enumerate(override_keys.groups(override_keys.CONFIG)):
        values = {key: override_keys.hostile(key) for key in group}
        text = f"overrides {group[0]} … {group[-1]}"
        name = f"keys-{number:02}"
        found.append(Attack(name, "link", text, ("welcome", *CALLS), config=values, mallory=HARMLESS))
    for number, group in enumerate(override_keys.groups(override_keys.INTERFACE)):
        values = {key: override_keys.hostile(key) for key in group}
        text = f"overrides {group[0]} … {group[-1]}"
        name = f"interface-{number:02}"
        found.append(Attack(name, "link", text, ("welcome", *CALLS), interface=values, mallory=HARMLESS))
    return found


ATTACKS: tuple[Attack, ...] = (
    _peer("mallory-avatar", "presence with an avatar address", Mallory(presence=_AVATAR), f"tracker.{EVIL}"),
    _peer(
        "mallory-own-path",
        "presence with an avatar address on the own server",
        Mallory(presence=f"<avatar-url>https://{HOST}{BAIT}delete?room=x</avatar-url>"),
        f"bait.{HOST}",
    ),
    _peer("mallory-email", "presence with an e-mail address", Mallory(presence=_MAIL), "www.gravatar.com"),
    _peer("mallory-youtube", "shares a YouTube id", _shares("dQw4w9WgXcQ"), "www.youtube.com", "img.youtube.com"),
    _peer("mallory-video", "shares a video file", _shares(f"https://video.{EVIL}/a.mp4")),
    _peer("mallory-gif", "chat message with a gif link", Mallory(chat=(_GIF, f"https://chat.{EVIL}/x.png"))),
    _peer(
        "mallory-name", "markup as name and message", Mallory(_MARKUP.format("name"), chat=(_MARKUP.format("chat"),))
    ),
    _peer("mallory-etherpad", "etherpad command, Markdown picture", Mallory(presence_after=_PAD, chat=(_MARKDOWN,))),
    Attack(
        "mallory-candidate",
        "peer",
        "calls, and names addresses of others as her own",
        CALLS,
        mallory=Mallory(id="00000000", call=CALL),
        expects=(UNREACHED, NAME),
    ),
    Attack(
        "query-unlock",
        "link",
        "undoes the operator's lock in the query",
        CALLS,
        query="&".join(f"config.{key}=false" for key in _UNLOCK),
        settings=LOCKED,
        mallory=Mallory(presence=_AVATAR + _MAIL),
    ),
    Attack(
        "locked-avatar",
        "link",
        "undoes disableThirdPartyRequests; avatar and e-mail",
        BOTH,
        config=_UNLOCK,
        settings=LOCKED,
        mallory=Mallory(presence=_AVATAR + _MAIL),
        expects=(f"tracker.{EVIL}", "www.gravatar.com"),
    ),
    Attack(
        "watchrtc",
        "link",
        "sends call statistics to the attacker's account",
        ("call-mallory",),
        config={
            "analytics.watchRTCEnabled": True,
            "watchRTCConfigParams.rtcApiKey": "attackerkey",
            "watchRTCConfigParams.allowBrowserLogCollection": True,
            "watchRTCConfigParams.logGetStats": True,
        },
        mallory=HARMLESS,
        expects=("watchrtc.testrtc.com",),
    ),
    Attack(
        "watchrtc-locked",
        "link",
        "the same where the operator forbids it",
        ("call-mallory",),
        config=_UNLOCK | {"analytics.watchRTCEnabled": True, "watchRTCConfigParams.rtcApiKey": "attackerkey"},
        settings=LOCKED,
        mallory=HARMLESS,
        expects=("watchrtc.testrtc.com",),
    ),
    Attack(
        "analytics",
        "link",
        "turns the operator's disabled analytics on",
        ("prejoin", "call-mallory"),
        config={"analytics.disabled": False},
        settings=ANALYTICS,
        mallory=HARMLESS,
        expects=("matomo.operator.example", "scripts.operator.example"),
    ),
    Attack(
        "rtcstats",
        "link",
        "turns the operator's disabled rtcstats on",
        CALLS,
        config={"analytics.rtcstatsEnabled": True},
        settings=ANALYTICS,
        mallory=HARMLESS,
        expects=("rtcstats.operator.example",),
    ),
    Attack(
        "giphy",
        "link",
        "turns Giphy on; Mallory sends a gif",
        (*BOTH, "reactions"),
        config={"giphy": {"enabled": True, "sdkKey": "k", "displayMode": "all", "tileTime": 5000}},
        mallory=Mallory(chat=(_GIF,)),
        expects=("i.giphy.com",),
    ),
    Attack(
        "calendar",
        "link",
        "turns Google's calendar on",
        ("welcome", "calendar"),
        config={"enableCalendarIntegration": True, "googleApiApplicationClientID": "id"},
        expects=("apis.google.com",),
    ),
    Attack(
        "calendar-locked",
        "link",
        "the same where the operator forbids it",
        ("calendar",),
        config=_UNLOCK | {"enableCalendarIntegration": True, "googleApiApplicationClientID": "id"},
        settings=LOCKED,
        expects=("apis.google.com",),
    ),
    Attack(
        "dropbox",
        "link",
        "turns Dropbox on",
        ("settings", *CALLS),
        config={"dropbox.appKey": "key", "fileRecordingsEnabled": True},
        mallory=HARMLESS,
    ),
    Attack(
        "userinfo-email",
        "link",
        "names the visitor's e-mail address",
        ("prejoin", "call-mallory"),
        fragment=f"userInfo.email=%22victim@{EVIL}%22&userInfo.displayName=%22Victim%22",
        mallory=HARMLESS,
        expects=("www.gravatar.com",),
    ),
    Attack(
        "deep-link",
        "link",
        "turns the deep-linking page on",
        ("prejoin", "android"),
        config={"deeplinking.disabled": False, "deeplinking.desktop.enabled": True},
    ),
    Attack(
        "virtual-background",
        "link",
        "background model from elsewhere, blur saved earlier",
        ("prejoin", "call-mallory", "background"),
        config={"virtualBackground": {"enableV2": True}},
        storage={
            "features/virtual-background": {
                "backgroundEffectEnabled": True,
                "backgroundType": "blur",
                "blurValue": 25,
                "selectedThumbnail": "blur",
            }
        },
        mallory=HARMLESS,
    ),
    Attack(
        "whiteboard-state",
        "link",
        "a collaboration server in whiteboard.html's fragment",
        ("whiteboard",),
        fragment="state="
        + base64.b64encode(
            json.dumps(
                {
                    "collabDetails": {"roomId": "r", "roomKey": "k" * 22},
                    "collabServerUrl": f"https://collab.{EVIL}",
                    "localParticipantName": "x",
                }
            ).encode()
        ).decode(),
    ),
    Attack(
        "jwt",
        "token",
        "unsigned token with avatar and e-mail",
        ("prejoin", "call-mallory"),
        query=f"jwt={token()}",
        mallory=HARMLESS,
        expects=("www.gravatar.com",),
    ),
    Attack(
        "jwt-locked",
        "token",
        "the same, and undoes the operator's lock",
        ("call-mallory",),
        query=f"jwt={token()}",
        config=_UNLOCK,
        settings=LOCKED,
        mallory=HARMLESS,
        expects=(f"avatar.{EVIL}",),
    ),
    _brands(
        "brand-keys",
        "a theme with keys that become styles",
        {
            "customTheme": {
                "palette": {"uiBackground": {_BREAKOUT: "d"}, "preMeetingBackground": {_BREAKOUT: "d"}},
                "typography": {"bodyShortRegular": {_BREAKOUT.replace("brand", "type"): "d"}},
            }
        },
        f"brand.{EVIL}",
    ),
    _brands(
        "brand-values",
        "pictures, backgrounds, icons and texts from elsewhere",
        {
            "logoImageUrl": f"https://logo.{EVIL}/l.png",
            "premeetingBackground": f"url(https://pre.{EVIL}/p.png)",
            "backgroundImageUrl": f"https://back.{EVIL}/b.png",
            "avatarBackgrounds": [f"url(https://avatar.{EVIL}/a.png)"],
            "customIcons": {"IconMic": f"https://icon.{EVIL}/i.svg"},
            "brandedIcons": {"IconVideo": _SVG},
            "labels": {"en": f"https://labels.{EVIL}/l.json"},
            "virtualBackgrounds": [f"https://virtual.{EVIL}/v.png"],
            "inviteDomain": f"https://invite.{EVIL}",
        },
        f"pre.{EVIL}",
        f"icon.{EVIL}",
        f"labels.{EVIL}",
    ),
    _embedded("embed-plain", "embeds a room", {}),
    _embedded(
        "embed-logo",
        "foreign logo and toolbar icon",
        {
            "configOverwrite": {
                "defaultLogoUrl": f"https://logo.{EVIL}/l.png",
                "customToolbarButtons": [{"icon": f"https://icon.{EVIL}/i.svg", "id": "x", "text": "x"}],
                "toolbarButtons": ["x", "microphone"],
                "deploymentUrls": {
                    "userDocumentationURL": f"https://doc.{EVIL}/",
                    "downloadAppsUrl": f"https://{EVIL}/",
                },
                "liveStreaming": {"enabled": True, "termsLink": f"https://terms.{EVIL}/"},
            }
        },
        expects=(f"logo.{EVIL}",),
    ),
    _embedded(
        "embed-ice",
        "replaces the ICE servers",
        {
            "iceServers": {
                "replace": [
                    {"targetType": "stun", "urls": f"stun:stun.{EVIL}:3478"},
                    {"targetType": "turn", "urls": f"turn:turn.{EVIL}:3478", "username": "u", "credential": "c"},
                ]
            }
        },
        expects=(f"stun.{EVIL}", f"turn.{EVIL}"),
        server=frozenset({"extdisco"}),
        settings=DIRECT,
    ),
    _embedded(
        "embed-overwrite",
        "overwriteConfig, then an avatar",
        {},
        "api.executeCommand('overwriteConfig', { p2p: { enabled: true }, disableThirdPartyRequests: false,"
        f" gravatar: {{ disabled: false }} }}); api.executeCommand('email', 'victim@{EVIL}');"
        f" api.executeCommand('avatarUrl', 'https://av.{EVIL}/embed.png');",
        settings=LOCKED,
        expects=(f"av.{EVIL}", "www.gravatar.com"),
    ),
    _embedded(
        "embed-storage",
        "seeds localStorage",
        {"configOverwrite": {"useHostPageLocalStorage": True}},
        first=f"localStorage.setItem('jitsiLocalStorage', {json.dumps(json.dumps(SEED))});",
        expects=("www.gravatar.com", f"av.{EVIL}"),
    ),
    Attack(
        "opener",
        "opener",
        "a page that opened the room listens and sets an avatar",
        ("opened",),
        script=opening(SAY_AVATAR),
        mallory=Mallory(chat=("secret chat text",)),
        expects=("message",),
    ),
    *SPOOFS,
    *_groups(),
)
