"""Read the environment of docker-jitsi-meet's images as a ``Deployment``.

Follows the templates of release stable-10978 in upstream's repository (https://github.com/jitsi/docker-jitsi-meet):
jicofo/rootfs/defaults/jicofo.conf, web/rootfs/defaults/{meet.conf,settings-config.js,system-config.js},
jvb/rootfs/defaults/jvb.conf, and ``docker_prosody``. stable-11146 differs in none of what is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.servercheck.deployments import prosody_image
from hardener.servercheck.model import Deployment, Proxy, Setting, Site, Table, Where

if TYPE_CHECKING:
    from hardener.servercheck.deployments.environment import Environment

PASSWORDS = (
    "JICOFO_AUTH_PASSWORD JVB_AUTH_PASSWORD JIGASI_XMPP_PASSWORD JIGASI_TRANSCRIBER_PASSWORD JIBRI_RECORDER_PASSWORD"
    " JIBRI_XMPP_PASSWORD"
).split()


def deployment(envs: dict[str, Environment], file: str) -> Deployment:
    """Build the deployment out of each container's environment (``prosody``, ``jicofo``, ``web``, ``jvb``)."""
    result = Deployment("docker")
    prosody, web = envs["prosody"], envs["web"]
    result.prosody = prosody_image.prosody(prosody, result)
    result.jicofo = _jicofo(envs["jicofo"])
    result.bridge = _bridge(envs["jvb"])
    result.web = _web(web)
    result.sites = [_site(web, file)]
    for env in envs.values():
        result.env = env.settings | result.env
        for where, reason in dict(env.doubts).items():
            result.doubt(where, reason, vital=True)
    result.secrets = [prosody.text(name) for name in PASSWORDS if name in prosody.settings]
    for name in PASSWORDS[:2]:
        if name not in prosody.settings:
            result.secrets.append(Setting("", prosody.absent(name)))
    return result


def _jicofo(env: Environment) -> dict[str, Setting]:
    enabled = env.flag("JICOFO_ENABLE_AUTH", env.flag("ENABLE_AUTH", default=False).value)
    if not enabled.where.line:
        enabled = Setting(enabled.value, env.where("ENABLE_AUTH"))
    kind = env.text("JICOFO_AUTH_TYPE", str(env.text("AUTH_TYPE", "internal").value))
    return {
        "jicofo.authentication.enabled": enabled,
        "jicofo.authentication.type": Setting("JWT" if kind.value == "jwt" else "XMPP", kind.where),
        "jicofo.authentication.enable-auto-login": env.flag("ENABLE_AUTO_LOGIN", default=True),
        "jicofo.authentication.authentication-lifetime": env.text("JICOFO_AUTH_LIFETIME", "24 hours"),
        "jicofo.conference.enable-auto-owner": env.flag("ENABLE_AUTO_OWNER", default=True),
        "jicofo.conference.enable-moderator-checks": env.flag("ENABLE_MODERATOR_CHECKS", default=True),
        "jicofo.conference.shared-document.use-random-name": env.flag(
            "ENABLE_SHARED_DOCUMENT_RANDOM_NAME", default=False
        ),
    }


def _bridge(env: Environment) -> dict[str, Setting]:
    asks = not env.on("JVB_DISABLE_STUN")
    servers = (
        env.text("JVB_STUN_SERVERS", "meet-jit-si-turnrelay.jitsi.net:443") if asks else env.text("JVB_DISABLE_STUN")
    )
    value = tuple(Setting(word, servers.where) for word in str(servers.value).split(",")) if asks else ()
    return {"ice4j.harvest.mapping.stun.addresses": Setting(Table(value), servers.where)}


def _web(env: Environment) -> dict[str, Setting]:
    made = {
        "disableDeepLinking": env.flag("DISABLE_DEEP_LINKING", default=False),
        "p2p.enabled": env.flag("ENABLE_P2P", default=True),
    }
    if env.on("ENABLE_AUTH") and env.on("ENABLE_GUESTS"):
        made["hosts.anonymousdomain"] = Setting(
            env.text("XMPP_GUEST_DOMAIN", "guest.meet.jitsi").value, env.where("ENABLE_GUESTS")
        )
    for path, name in (
        ("tokenAuthUrl", "TOKEN_AUTH_URL"),
        ("analytics.amplitudeAPPKey", "AMPLITUDE_ID"),
        ("analytics.googleAnalyticsTrackingId", "GOOGLE_ANALYTICS_ID"),
        ("analytics.matomoEndpoint", "MATOMO_ENDPOINT"),
        ("analytics.scriptURLs", "ANALYTICS_SCRIPT_URLS"),
        ("googleApiApplicationClientID", "GOOGLE_API_APP_CLIENT_ID"),
        ("microsoftApiApplicationClientID", "MICROSOFT_API_APP_CLIENT_ID"),
        ("dropbox.appKey", "DROPBOX_APPKEY"),
        ("dialInNumbersUrl", "DIALIN_NUMBERS_URL"),
        ("dialInConfCodeUrl", "CONFCODE_URL"),
        ("p2p.stunServers", "P2P_STUN_SERVERS"),
        ("etherpad_base", "ETHERPAD_URL_BASE"),
        ("etherpad_base", "ETHERPAD_PUBLIC_URL"),
    ):
        if env.text(name).value:
            made[path] = env.text(name)
    if env.on("RTCSTATS_ENABLED"):
        made["analytics.rtcstatsEnabled"] = env.flag("RTCSTATS_ENABLED", default=False)
    return made


def _site(env: Environment, file: str) -> Site:
    made = Site(Where(file))
    if env.text("CSP_HEADER").value:
        made.headers["content-security-policy"] = env.text("CSP_HEADER")
        made.dropped.append(env.where("CSP_HEADER"))  # static files and pages: their location has a header of its own
    made.headers["x-content-type-options"] = Setting("nosniff", Where(file))
    if env.on("ENABLE_HSTS", default=True):
        made.headers["strict-transport-security"] = Setting("max-age=63072000", env.where("ENABLE_HSTS"))
    for path, name in (("^~ /etherpad/", "ETHERPAD_URL_BASE"), ("= /socket.io/", "WHITEBOARD_COLLAB_SERVER_URL_BASE")):
        if env.text(name).value:
            made.proxies.append(Proxy(path, str(env.text(name).value), env.where(name)))
    origin = env.text("CORS_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN", "*")
    made.foreign.append(origin)
    made.logs.append(Setting("/dev/stdout jitsi_log", Where(file)))
    return made
