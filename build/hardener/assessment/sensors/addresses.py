"""Sensors over the addresses and the foreign code in a bundle: hosts, SDKs, ICE servers."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.pipeline.readings import readings
from hardener.policy import hosts as host_list
from hardener.policy import sdks as sdk_list

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where apps with trackers come from, and mail services that learn of a meeting if it is shared through them.
STORES = re.compile(r"(?:play\.google|itunes\.apple|apps\.apple|appgallery\.huawei)\.com|.*\.(?:app\.link|page\.link)")
WEBMAIL = re.compile(r"mail\.google\.com|outlook\.(?:office|live)\.com|compose\.mail\.yahoo\.com|calendar\.google\.com")
VENDOR = re.compile(r"(?:.*\.)?(?:jitsi\.(?:org|net)|jit\.si|8x8\.(?:com|vc))")
# Code that measures or reports; the others contact a service for a feature.
TELEMETRY = frozenset({"amplitude", "matomo", "rtcstats", "watchrtc", "precall-test", "script-loader"})
_HINTS = frozenset({"preconnect", "dns-prefetch", "prefetch", "preload", "modulepreload", "prerender"})
_ICE = re.compile(r"(?:stun|turn)s?:(?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})\b", re.IGNORECASE)


class _Hints(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        kinds = _HINTS.intersection(values.get("rel", "").lower().split())
        if tag == "link" and kinds and (host := _host(values.get("href", ""))):
            self.found.append(f"{', '.join(sorted(kinds))}: {host}")


def _host(address: str) -> str:
    """Return the host of an address, without user and port; empty for a path, ``?`` for what cannot be read."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "?"
    return (parts.hostname or "?") if parts.netloc else ""


def hosts(subject: Subject) -> Measured:
    """Compare the hosts and the code of third parties in all served files with ``hosts.toml`` and ``sdks.toml``."""
    if subject.site is None:
        raise MissingError("no bundle was given", "Es wurde kein Bundle angegeben.")
    sdks = sdk_list.in_force(subject.root / sdk_list.NAME)
    path = subject.root / host_list.NAME
    unread = tuple(entry for entry in host_list.read_unread(path) if not entry.tree)
    looked = readings(subject.site, subject.names, sdks, unread, subject.kept)
    entries = {entry.host: entry for entry in host_list.read_hosts(path) if not entry.tree}
    found: dict[str, list[str]] = {}
    for reading in looked:
        for find in reading.read.finds:
            found.setdefault(find.host, []).append(f"{find.file}:{find.offset}")  # an excerpt may name a person
    names = {host for host in found if not host.endswith(":")}
    unknown = sorted(names - set(entries))
    by_class = {
        kind: sorted(name for name in names if name in entries and entries[name].kind == kind)
        for kind in host_list.CLASSES
    }
    traces = sorted({trace.sdk for reading in looked for trace in reading.traces})
    hints = list(_hints(subject))
    kinds = {
        name: [host for host in sorted(names) if pattern.fullmatch(host)]
        for name, pattern in (("stores", STORES), ("webmail", WEBMAIL), ("vendor", VENDOR))
    }
    vendor = [host for host in kinds["vendor"] if host in unknown or host in by_class["link"]]
    return Measured(
        {
            "hosts.unknown": len(unknown),
            "hosts.open": len(by_class["open"]),
            "hosts.links": len(by_class["link"]),
            "hosts.hints": len(hints),
            "hosts.stores": len(kinds["stores"]),
            "hosts.webmail": len(kinds["webmail"]),
            "hosts.vendor": len(vendor),
            "hosts.unread": sum(1 for reading in looked if reading.read.unread),
            "hosts.sdks": len(traces),
            "hosts.telemetry": len(TELEMETRY.intersection(traces)),
        },
        {
            "files": len(looked),
            "unknown": {host: found[host][:3] for host in unknown},
            "known": {kind: listed for kind, listed in by_class.items() if listed},
            "hints": hints,
            "sdks": traces,
            **kinds,
        },
    )


def _hints(subject: Subject) -> Iterator[str]:
    for name in subject.names:
        if name.endswith((".html", ".htm")):
            parser = _Hints()
            parser.feed(subject.text(name))
            yield from (f"{name}: {hint}" for hint in parser.found)


def ice(subject: Subject) -> Measured:
    """Find STUN and TURN servers that the scripts name: a client falls back to them without any configuration."""
    found = sorted({match[0] for match in _ICE.finditer(subject.scripts())})
    return Measured({"ice.constants": len(found)}, {"constants": found})


_PLANTED = """<link rel="preconnect" href="https://cdn.planted.example">
<a href="https://play.google.com/store/apps/details?id=org.jitsi.meet">app</a>
<a href="https://mail.google.com/mail/?view=cm">mail</a>"""

HOSTS = Sensor(
    "hosts",
    named("hosts", *"unknown open links hints stores webmail vendor unread sdks telemetry".split()),
    {
        "en": "Hosts, link hints and code of third parties in all delivered files",
        "de": "Hosts, Link-Hinweise und Fremdcode in allen ausgelieferten Dateien",
    },
    hosts,
    {
        "index.html": _PLANTED,
        "libs/a.js": 'fetch("https://tracker.planted.example/x");open("https://web-cdn.jitsi.net/h");s="watchrtcConfig"',
    },
    "hosts.unknown > 2 and hosts.hints == 1 and hosts.stores == 1 and hosts.webmail == 1 and hosts.vendor == 1"
    " and hosts.telemetry == 1",
)
ICE = Sensor(
    "ice",
    named("ice", "constants"),
    {"en": "STUN and TURN servers that scripts name", "de": "STUN- und TURN-Server, die in Skripten genannt sind"},
    ice,
    {"libs/a.js": 'var a=[{urls:"stun:stun.planted.example:443"},{urls:"turns:relay.planted.example"}]'},
    "ice.constants == 2",
)
