"""Sensors over the client's code and its shipped settings: overrides by links, storage, login."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.servercheck.model import Table, Unknown
from hardener.servercheck.readers import javascript, syntax
from hardener.servercheck.rules.web import FOREIGN

if TYPE_CHECKING:
    from hardener.assessment.conditions import Metrics

CONFIG = "config.js"
_HOST = re.compile(r"(?:stun|turn)s?:([a-z0-9.-]+)")
# Settings that protect, or that make a foreign service known. A client that lists one of them among the settings of
# links takes it from a link, from an embedding page and from a token.
PROTECTED = (
    "analytics.disabled",
    "analytics.rtcstatsEnabled",
    "analytics.watchRTCEnabled",
    "apiLogLevels",
    "disableThirdPartyRequests",
    "doNotStoreRoom",
    "dropbox.appKey",
    "enableDisplayNameInStats",
    "enableEmailInStats",
    "giphy",
    "googleApiApplicationClientID",
    "gravatar.baseUrl",
    "gravatar.disabled",
    "iceTransportPolicy",
    "p2p.enabled",
    "p2p.iceTransportPolicy",
    "p2p.stunServers",
    "prejoinConfig.enabled",
    "watchRTCConfigParams.rtcApiKey",
)
# Where one of these cannot be read, it is not known whom the client contacts and how people get in.
_DECISIVE = (*FOREIGN, "hosts.anonymousdomain", "conferenceRequestUrl", "p2p.stunServers")
# Settings that are on, off, unset or unclear, by the name of their metric.
_STATES = {
    "p2p": "p2p.enabled",
    "insecure_name_warning": "enableInsecureRoomNameWarning",
    "analytics_disabled": "analytics.disabled",
    "recording": "recordingService.enabled",
    "live_streaming": "liveStreaming.enabled",
    "transcription": "transcription.enabled",
    "room_not_stored": "doNotStoreRoom",
}
# Ids that stock clients keep in the browser and send to other participants or to the server at each meeting.
_KEPT_IDS = re.compile(r"""getItem\(["'](callStatsUserName|jitsiMeetId|billingId)["']\)""")
# The client's storage is in memory only: no name, room or id outlives the page.
_IN_MEMORY = re.compile(r"setLocalStorageDisabled\((?:!0|true)\)")
_KEPT_VALUES = re.compile(
    r"""["'](features/(?:recent-list|polls-history|base/settings|base/known-domains)|xmpp_password_override)["']"""
)
_FORGETS = re.compile(r"""startsWith\(["']features/["']\)""")
_LOGIN = "personalLogin"


def config(subject: Subject) -> Measured:
    """Read ``config.js`` as it is delivered, without running it."""
    if not subject.has(CONFIG):
        raise MissingError("the bundle has no config.js", "Das Bundle enthält keine config.js.")
    settings, unclear = javascript.read(subject.text(CONFIG).encode(), CONFIG)
    if not settings:
        raise MissingError(
            "config.js cannot be read: it is broken, too complex, or sets nothing",
            "Die config.js lässt sich nicht lesen: Sie ist fehlerhaft, zu verschachtelt oder legt nichts fest.",
        )

    def value(path: str) -> Any:
        parts = path.split(".")
        above = (settings.get(".".join(parts[:size])) for size in range(1, len(parts)))
        whole = next((setting.value for setting in above if setting and setting.unknown), None)
        return settings[path].value if path in settings else whole

    def state(path: str) -> str:
        """Return on, off, unset, or unclear for what only a browser can know."""
        found = value(path)
        if isinstance(found, Unknown):
            return "unclear"
        return "unset" if found is None else "on" if found else "off"

    tree = syntax.parse(javascript.GRAMMAR, subject.text(CONFIG).encode())
    stun = value("p2p.stunServers")
    servers = [json.dumps(_plain(item.value)) for item in stun.items] if isinstance(stun, Table) else []
    named_hosts = [_HOST.findall(server.lower()) for server in servers]
    # Only the hosts: next to them are user and password of a TURN server.
    foreign = [", ".join(names) or "?" for names in named_hosts if not subject.own_names.intersection(names)]
    unknown = [key for key in (*_DECISIVE, *_STATES.values()) if isinstance(value(key), Unknown)]
    metrics: Metrics = {
        "config.unclear": len(unclear) + len(set(unknown).intersection(_DECISIVE)),
        "config.broken": int(tree is None or tree.root_node.has_error),
        "config.foreign_services": sum(
            found not in {None, False, ""} and not isinstance(found, Unknown) for found in map(value, FOREIGN)
        ),
        "config.guests": int(state("hosts.anonymousdomain") == "on"),
        "config.conference_request": int(state("conferenceRequestUrl") == "on"),
        "config.foreign_stun": len(foreign),
        **{f"config.{name}": state(key) for name, key in _STATES.items()},
    }
    return Measured(
        metrics,
        {
            "settings": len(settings),
            "foreign_stun": foreign,
            "unclear": [
                *(f"line {entry.where.line}: {entry.reason.partition(':')[0]}" for entry in unclear),
                *(f"{key} has a value that needs to be run" for key in unknown),
            ],
        },
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Table):
        return {name: _plain(item.value) for name, item in value.fields.items()} or [
            _plain(i.value) for i in value.items
        ]
    return None if isinstance(value, Unknown) else value


def overrides(subject: Subject) -> Measured:
    """Find protective settings in lists of settings: such lists say what links and embedding pages may set."""
    scripts = subject.scripts()
    found = [key for key in PROTECTED if re.search(rf"""[\[,]["']{re.escape(key)}["'][\],]""", scripts)]
    return Measured({"overrides.protected": len(found)}, {"protected": found, "looked_for": list(PROTECTED)})


def storage(subject: Subject) -> Measured:
    """Find ids that are read from the browser's storage, and whether the client keeps its storage in memory."""
    scripts = subject.scripts()
    ids = sorted(set(_KEPT_IDS.findall(scripts)))
    memory = bool(_IN_MEMORY.search(scripts)) and bool(_FORGETS.search(scripts))
    kept = sorted(set(_KEPT_VALUES.findall(scripts)))
    metrics: Metrics = {"storage.ids": len(ids), "storage.history": 0 if memory else len(kept)}
    return Measured(metrics, {"ids": ids, "in_memory": memory, "keys": kept})


def login(subject: Subject) -> Measured:
    """Find the login page of this project: its texts and its code."""
    scripts, page = subject.scripts(), "lang/main.json"
    try:
        texts = json.loads(subject.text(page)) if subject.has(page) else {}
    except (ValueError, RecursionError):
        texts = {}
    there = isinstance(texts, dict) and _LOGIN in texts and f"{_LOGIN}." in scripts
    return Measured({"login.page": int(there)}, {"texts": _LOGIN in texts, "code": f"{_LOGIN}." in scripts})


CONFIG_SENSOR = Sensor(
    "config",
    named(
        "config",
        *"unclear broken foreign_services guests conference_request p2p foreign_stun insecure_name_warning".split(),
        *"analytics_disabled recording live_streaming transcription room_not_stored".split(),
    ),
    {"en": "Settings in the delivered config.js", "de": "Einstellungen der ausgelieferten config.js"},
    config,
    {
        CONFIG: "var config = { dropbox: { appKey: 'x' }, hosts: { anonymousdomain: 'g' },"
        " p2p: { enabled: true, stunServers: [{ urls: 'stun:planted.example' }] } };"
    },
    "config.p2p == on and config.foreign_stun == 1 and config.foreign_services == 1 and config.guests == 1",
)
OVERRIDES = Sensor(
    "overrides",
    named("overrides", "protected"),
    {
        "en": "Protective settings that links or embedding pages may change",
        "de": "Schutzeinstellungen, die Links oder einbettende Seiten ändern dürfen",
    },
    overrides,
    {"libs/a.js": 'var k=["subject","p2p.enabled","disableThirdPartyRequests"];'},
    "overrides.protected == 2",
)
STORAGE = Sensor(
    "storage",
    named("storage", "ids", "history"),
    {
        "en": "Ids and meeting history that the client keeps in the browser",
        "de": "Kennungen und Konferenzverlauf, die der Client im Browser speichert",
    },
    storage,
    {"libs/a.js": 'a=s.getItem("callStatsUserName")||s.getItem("jitsiMeetId");r("features/recent-list")'},
    "storage.ids == 2 and storage.history == 1",
)
LOGIN = Sensor(
    "login",
    named("login", "page"),
    {"en": "Login page before the meeting", "de": "Anmeldeseite vor der Konferenz"},
    login,
    {"lang/main.json": '{"personalLogin": {"title": "x"}}', "libs/a.js": 't("personalLogin.title")'},
    "login.page == 1",
)
