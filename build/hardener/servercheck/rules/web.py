"""Find what the web server and ``config.js`` leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.servercheck.model import Hit, Table, Where
from hardener.servercheck.queries import TOKEN, is_true, jicofo_authenticates, main_host, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Proxy, Setting, Site

# Keys of config.js that make upstream's client talk to another person, or hand something over. The hardened client has
# none of the code behind them; another client that is served from the same configuration has.
FOREIGN = (
    "analytics.amplitudeAPPKey analytics.googleAnalyticsTrackingId analytics.matomoEndpoint analytics.scriptURLs"
    " analytics.rtcstatsEnabled callStatsID callStatsSecret dropbox.appKey giphy.sdkKey googleApiApplicationClientID"
    " microsoftApiApplicationClientID dialInNumbersUrl dialInConfCodeUrl dynamicBrandingUrl brandingDataUrl"
).split()
OUTSIDERS = ("jitsi.net", "jit.si", "8x8", "google.com")
# What the client needs of the servers behind nginx.
NEEDED = ("/http-bind", "/xmpp-websocket", "/colibri-ws/", "/colibri-relay-ws/")
# Where they listen by default; SERVERS: Prosody, and the bridge's side for participants.
JICOFO, BRIDGE = frozenset({"8888"}), frozenset({"8080"})
SERVERS = frozenset("5222 5223 5269 5280 5281 5347 9090".split())
REST = ("jicofo.rest.port", "jicofo.rest.tls-port", "jicofo.rest.tls.port")
PRIVATE = ("videobridge.http-servers.private.port", "videobridge.http-servers.private.tls-port")
PUBLIC = ("videobridge.http-servers.public.port", "videobridge.http-servers.public.tls-port")
PORTS = tuple(
    f"{service}_ports"
    for service in "http https c2s c2s_direct_tls legacy_ssl s2s s2s_direct_tls component console".split()
)
OTHERS = (
    ("etherpad", "etherpad-open"),
    ("/p/", "etherpad-open"),
    ("socket.io", "whiteboard-open"),
    ("rtcstats", "foreign-service"),
    ("rtc-visualizer", "foreign-service"),
)
STREAMED = {
    "5222": "c2s-open",
    "5223": "c2s-tls-open",
    "5280": "http-open",
    "5281": "https-open",
    "5347": "component-open",
    "8888": "jicofo-rest-on-web",
    "8080": "bridge-rest-on-web",
}
LOOSE = frozenset({"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"})
# Code from a text that the page itself has made; harmless for pictures.
MADE = frozenset({"blob:", "data:", "filesystem:"})
CODE = ("default-src", "script-src", "script-src-elem", "child-src", "worker-src")
EXPECTED = {
    "strict-transport-security": "browsers may be sent to the site without encryption",
    "x-content-type-options": "browsers may guess what a file is",
    "referrer-policy": "the name of the room is sent to the target of a link",
    "permissions-policy": "embedded pages may ask for devices and sensors",
}


def check(deployment: Deployment) -> Iterator[Hit]:
    """Yield all findings about the web server and the client's configuration."""
    ports = _ports(deployment)
    for site in deployment.sites:
        if site.serves and not site.redirects:
            yield from _headers(site)
            yield from _served(site)
        for where in site.writable:
            yield Hit("files-writable", where, "dav_methods without a login")
        if site.cleartext is not None:
            yield Hit("web-cleartext", site.cleartext, "the client is served without TLS")
        for proxy in site.proxies:
            yield from _proxy(deployment, site, proxy, ports)
        for folder in site.published:
            if folder.known:
                what = f"{folder.what} leads to files with passwords, keys or accounts"
                yield Hit("secrets-published", folder.where, what)
            else:
                yield Hit("cannot-tell", folder.where, f"{folder.what}: not known which folders are served")
        for port, where in site.streams:
            kind = _streamed(port, ports) if port else "cannot-tell"
            what = f"port {port}" if port else "a port that is not known"
            yield Hit(kind, where, f"nginx passes TCP connections on to {what}")
    if deployment.web is not None:
        yield from _config(deployment, deployment.web)
        yield from _outsiders(deployment.web)
    yield from _bridge(deployment)


def _headers(site: Site) -> Iterator[Hit]:
    policy = site.headers.get("content-security-policy")
    if policy is None:
        yield Hit("csp-missing", site.where, "no Content-Security-Policy is sent")
    elif weak := loose(str(policy.value)):
        yield Hit("csp-weak", policy.where, f"the Content-Security-Policy allows {', '.join(weak)}")
    for where in site.dropped:
        yield Hit("csp-dropped", where, "this location has headers of its own, and so sends no policy")
    for name, means in EXPECTED.items():
        if name not in site.headers:
            yield Hit("header-missing", site.where, f"{name} is not sent: {means}", {"header": name})
    if "x-frame-options" not in site.headers and "frame-ancestors" not in str(policy.value if policy else ""):
        yield Hit("embedding-any-page", site.where, "neither X-Frame-Options nor frame-ancestors is sent")
    for origin in site.foreign:
        if origin.value == "*":
            yield Hit("cors-any-origin", origin.where, "Access-Control-Allow-Origin: *")


def loose(policy: str) -> list[str]:
    """Return the words of a policy that let a page run more than its own files.

    >>> loose("default-src 'none'; img-src data: blob:; worker-src 'self' blob:; script-src *")
    ['*', 'worker-src blob:']
    """
    directives = [words for directive in policy.split(";") if (words := directive.lower().split())]
    weak = {word for words in directives for word in words[1:] if word in LOOSE}
    weak |= {f"{words[0]} {word}" for words in directives if words[0] in CODE for word in words[1:] if word in MADE}
    return sorted(weak)


@dataclass(frozen=True)
class _Ports:
    """The ports of the servers behind: by their own settings, and those that they have without any."""

    jicofo: frozenset[str]
    bridge: frozenset[str]
    servers: frozenset[str]


def _ports(deployment: Deployment) -> _Ports:
    prosody = deployment.prosody
    lists = [prosody.get("*", key) for key in PORTS] if prosody else []
    numbers = {
        str(item.value)
        for setting in lists
        if setting is not None
        for item in (setting.value.items if isinstance(setting.value, Table) else (setting,))
    }
    return _Ports(
        JICOFO | _set(deployment.jicofo, REST),
        BRIDGE | _set(deployment.bridge, PRIVATE),
        SERVERS | numbers | _set(deployment.bridge, PUBLIC),
    )


def _set(settings: dict[str, Setting] | None, keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(str(setting.value) for key in keys if (setting := (settings or {}).get(key)) is not None)


def _streamed(port: str, ports: _Ports) -> str:
    if port in ports.jicofo | ports.bridge:
        return "jicofo-rest-on-web" if port in ports.jicofo else "bridge-rest-on-web"
    return STREAMED.get(port, "cannot-tell" if port in ports.servers - {"9090"} else "cannot-tell-minor")


def _proxy(deployment: Deployment, site: Site, proxy: Proxy, ports: _Ports) -> Iterator[Hit]:
    """Yield paths that are passed on although the client does not need them, or whose target is unknown."""
    what, reaches = f"{proxy.path} goes to {proxy.target}", proxy.reaches or ""
    if reaches.startswith(NEEDED) or f"{reaches}/" in NEEDED:
        return
    if reaches.startswith("/conference-request"):
        # With its authentication on, Jicofo opens no room for a caller without login.
        kind = "conference-request-guarded" if jicofo_authenticates(deployment) else "conference-request-open"
        yield Hit(kind, proxy.where, what)
    elif ports.jicofo & proxy.ports:
        yield Hit("jicofo-rest-on-web", proxy.where, what)
    elif ports.bridge & proxy.ports:
        yield Hit("bridge-rest-on-web", proxy.where, what)
    elif reaches.startswith(("/room-info", "/_api/room-info")):
        yield Hit("room-info", proxy.where, what)
    elif not site.serves and proxy.ports and not ports.servers & proxy.ports:
        return  # another site's
    elif proxy.challenge and proxy.ports and not ports.servers & proxy.ports:
        return
    elif not ports.servers & proxy.ports and (kind := _other(proxy)):
        yield Hit(kind, proxy.where, what)
    else:
        # Other sites of the machine often have a socket behind them.
        kind = "cannot-tell" if site.serves or proxy.ports or "$" in proxy.target else "cannot-tell-minor"
        yield Hit(kind, proxy.where, f"{what}: not a path that the client needs, or not known which")


def _other(proxy: Proxy) -> str:
    """Return the finding for a service that is known by its path; critical if the answering server is unknown."""
    kind = next((kind for mark, kind in OTHERS if mark in proxy.path), "")
    return "" if kind == "foreign-service" and not proxy.ports else kind


def _served(site: Site) -> Iterator[Hit]:
    if site.ssi is not None:
        types = set(words(site.ssi.value))
        if "*" not in types and "text/javascript" not in types:
            yield Hit("ssi-types", site.ssi.where, f"ssi_types: {' '.join(sorted(types)) or 'text/html only'}")
    if not site.compresses:
        yield Hit("scripts-uncompressed", site.where, "scripts are sent as they are")
    for where in site.listed:
        yield Hit("folders-listed", where, f"{where.name} on")
    log = site.logs[0] if site.logs else None
    if log is None or str(log.value) != "off":
        where = log.where if log else Where(site.where.file, 0, "access_log is not set")
        yield Hit("addresses-logged", where, f"access_log {log.value if log else '(default of nginx)'}")


def _config(deployment: Deployment, web: dict[str, Setting]) -> Iterator[Hit]:
    """Yield how the client logs people in, and what it shows them."""
    file = next((setting.where.file for setting in web.values()), "config.js")
    guest = web.get("hosts.anonymousdomain")
    if guest is not None and guest.value:
        yield Hit("guests-in-client", guest.where, f"hosts.anonymousdomain is {_shown(guest)}")
    if url := web.get("conferenceRequestUrl"):
        yield Hit("conference-request-in-client", url.where, "conferenceRequestUrl is set")
    main = main_host(deployment.prosody) if deployment.prosody else None
    if deployment.prosody and main and deployment.prosody.provider(main).value in TOKEN and not web.get("tokenAuthUrl"):
        where = Where(file, 0, "tokenAuthUrl is not set")
        yield Hit(
            "token-url-missing", where, f"VirtualHost {main.name} requires tokens, and no setting says where to get one"
        )
    linking = [web.get(key) for key in ("deeplinking.disabled", "disableDeepLinking")]
    if not any(is_true(setting) for setting in linking):
        where = next(
            (setting.where for setting in linking if setting), Where(file, 0, "deeplinking.disabled is not set")
        )
        yield Hit("deep-linking", where, "phones are sent to an app or its store")
    logs = web.get("enableSaveLogs")
    if logs is not None and logs.value:
        yield Hit("logs-for-download", logs.where, "enableSaveLogs is on")
    if (hidden := web.get("hiddenDomain")) and hidden.value:
        yield Hit("hidden-domain", hidden.where, f"hiddenDomain is {_shown(hidden)}")


def _outsiders(web: dict[str, Setting]) -> Iterator[Hit]:
    """Find the hosts that the client would contact, and the pages that may embed it."""
    for key in FOREIGN:
        setting = web.get(key)
        if setting is not None and setting.value not in {None, False, ""}:
            yield Hit("foreign-service", setting.where, f"{key} is set")
    stun = web.get("p2p.stunServers")
    if stun is not None and (names := [word for word in words(stun.value) if any(out in word for out in OUTSIDERS)]):
        yield Hit("foreign-stun", stun.where, f"p2p.stunServers has {', '.join(names)}")
    direct = web.get("p2p.enabled")
    if direct is not None and direct.value:
        yield Hit("direct-connections", direct.where, f"p2p.enabled is {_shown(direct)}")
    pad = web.get("etherpad_base")
    if pad is not None and pad.value:
        yield Hit("etherpad-in-client", pad.where, "etherpad_base is set")
    allowed = web.get("embeddingAllowedOrigins")
    if allowed is not None and "*" in words(allowed.value):
        yield Hit("embedding-any-page", allowed.where, "embeddingAllowedOrigins has *")


def _bridge(deployment: Deployment) -> Iterator[Hit]:
    """Yield a foreign STUN server that the videobridge asks for its own address."""
    setting = (deployment.bridge or {}).get("ice4j.harvest.mapping.stun.addresses")
    names = [word for word in words(setting.value) if any(out in word for out in OUTSIDERS)] if setting else []
    if setting is not None and names:
        yield Hit("bridge-foreign-stun", setting.where, f"the bridge asks {', '.join(names)}")


def _shown(setting: Setting) -> str:
    return "set" if setting.unknown else str(setting.value)
