"""Ports, secrets of services, interfaces for administrators, logs, and what else belongs to running the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.servercheck.model import GLOBAL, Hit, Port, Table
from hardener.servercheck.queries import guessable, is_false, is_true, may_be_true, outside, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Prosody, Section, Setting, Where

WEAK, SHORT = 10, 16  # characters
# What Prosody listens with: the service, the first part of its options, modules that bring it, the port without option.
WEB = frozenset({"bosh", "websocket", "http"})
LISTENING = (
    ("c2s", "c2s", frozenset({"c2s"}), "5222"),
    ("c2s-tls", "c2s_direct_tls", frozenset({"c2s"}), ""),
    ("c2s-tls", "legacy_ssl", frozenset({"c2s"}), ""),
    ("http", "http", WEB, "5280"),
    ("https", "https", WEB, "5281"),
)
# Modules that open a way in for administrators or testers, by where they listen.
ADMIN_TELNET = "admin_telnet"
ADMIN_HTTP = frozenset("admin_web http_admin_api admin_rest rest http_upload_external http_host_status_check".split())
TESTING = frozenset("test_observer test_observer_http debug_traceback log_ringbuffer".split())
COUNTING = frozenset("muc_census muc_size".split())
# Services that Prosody opens on this machine only, whatever ``interfaces`` says (portmanager: ``private``).
PRIVATE = frozenset({"http"})
# Modules that answer over HTTP, and the option that makes them ask for a token (None: nothing does; its default).
ANSWERING = {
    "turncredentials_http": (None, False),
    "muc_password_check": ("enable_password_token_verification", True),
}


def check(deployment: Deployment) -> Iterator[Hit]:
    """Yield all findings about how the servers are run."""
    prosody = deployment.prosody
    ports = list(deployment.ports)
    if prosody is not None:
        yield from _admin(prosody)
        yield from _logs(prosody)
        if deployment.form == "files":
            ports += prosody_ports(prosody)
    for port in ports:
        if port.service != "s2s":  # judged with the rooms: rules_login
            yield Hit(f"{port.service}-open", port.where, f"port {port.port} can be reached from other machines")
    if deployment.form == "files":
        yield from _rest(deployment)
    yield from _secrets(deployment.secrets)
    yield from _environment(deployment)


def prosody_ports(prosody: Prosody) -> list[Port]:
    """Return the ports that Prosody opens beyond this machine, by its own settings."""
    somewhere = prosody.sections[GLOBAL].where if GLOBAL in prosody.sections else None
    found: list[Port] = []
    loaded = {name for section in prosody.active for name in prosody.modules(section)}
    for service, option, modules, number in LISTENING:
        interfaces = next(
            (setting for key in _interfaces(service, option) if (setting := prosody.get(GLOBAL, key)) is not None),
            None,
        )
        ports = prosody.get(GLOBAL, f"{option}_ports")
        none = ports is not None and isinstance(ports.value, Table) and ports.value.complete and not ports.value.items
        if not number and (ports is None or ports.value is None):  # opened only where ports are named
            continue
        brought = modules & loaded or (modules is WEB and any(name.startswith("http_") for name in loaded))
        private = service in PRIVATE and interfaces is None
        if brought and not private and outside(interfaces) and not none and somewhere is not None:
            where = interfaces.where if interfaces else ports.where if ports else somewhere
            found.append(Port(service, number or "of that option", where))
    components = prosody.get(GLOBAL, "component_interfaces") or prosody.get(GLOBAL, "component_interface")
    if components is not None and outside(components):
        found.append(Port("component", "5347", components.where))
    return found


def _interfaces(service: str, option: str) -> tuple[str, ...]:
    """Return the options that define where a service listens; the first that is set takes precedence."""
    rest = ("local_interfaces",) if service in PRIVATE else ("interfaces", "interface")
    return (f"{option}_interfaces", f"{option}_interface", *rest)


def _admin(prosody: Prosody) -> Iterator[Hit]:
    seen: set[tuple[str, Where]] = set()
    for section in prosody.active:
        for name, where in prosody.modules(section).items():
            if (name, where) in seen:
                continue
            seen.add((name, where))
            place = "everywhere" if section.kind == "global" else f"{section.kind} {section.name}"
            if name == ADMIN_TELNET:
                console = prosody.get(GLOBAL, "console_interfaces")
                wide = console is not None and outside(console)
                yield Hit("admin-console-open" if wide else "admin-console", where, f"mod_{name} is loaded ({place})")
            elif name in TESTING:
                yield Hit("testing-module", where, f"mod_{name} is loaded ({place})")
            elif name in ADMIN_HTTP:
                yield Hit("admin-over-http", where, f"mod_{name} is loaded ({place})")
            elif name in COUNTING and not is_true(prosody.get(section, "enable_roomsize_token_verification")):
                yield Hit("rooms-counted", where, f"mod_{name} is loaded ({place})")
            elif name in ANSWERING:
                yield from _answers(prosody, section, name, where)
            elif name == "muc_poltergeist" and may_be_true(
                prosody.get(section, "disable_polergeist_token_verification")
            ):
                yield Hit("testing-module", where, "mod_muc_poltergeist takes calls without a token")


def _answers(prosody: Prosody, section: Section, name: str, where: Where) -> Iterator[Hit]:
    option, asks = ANSWERING[name]
    setting = prosody.get(section, option) if option else None
    if not (is_true(setting) if setting is not None else asks):
        what = f"mod_{name} answers without a token ({section.kind} {section.name})"
        yield Hit("http-without-token", setting.where if setting else where, what, {"module": name})


def _logs(prosody: Prosody) -> Iterator[Hit]:
    log = prosody.get(GLOBAL, "log")
    if log is not None and "debug" in words(log.value):
        yield Hit("log-debug", log.where, "Prosody logs at level debug")
    loud = prosody.get(GLOBAL, "http_default_cors_enabled")
    cross = prosody.get(GLOBAL, "cross_domain_bosh")
    if cross is not None and may_be_true(cross) and not is_false(loud):
        yield Hit("bosh-cross-domain", cross.where, "cross_domain_bosh is true")


def _rest(deployment: Deployment) -> Iterator[Hit]:
    for key, kind, made in (
        ("jicofo.rest.host", "jicofo-rest-open", deployment.jicofo),
        ("videobridge.http-servers.private.host", "bridge-rest-open", deployment.bridge),
    ):
        setting = (made or {}).get(key)
        if setting is not None and outside(setting):
            yield Hit(kind, setting.where, f"{key} is {setting.value if not setting.unknown else 'not known'}")


def _secrets(secrets: list[Setting]) -> Iterator[Hit]:
    """Check passwords of service accounts, and print none of them."""
    seen: dict[str, Where] = {}
    for secret in secrets:
        if secret.unknown:
            yield Hit("cannot-tell", secret.where, "a service's password comes from elsewhere")
            continue
        value = str(secret.value)
        if not value:
            if secret.where.name.upper().startswith(("JICOFO", "JVB", "VIDEOBRIDGE")):
                yield Hit("service-password-missing", secret.where, "a service account has no password")
        elif guessable(value) or len(value) < WEAK:
            yield Hit(
                "service-password-weak",
                secret.where,
                "a service account has a password that is known or quickly guessed",
            )
        elif len(value) < SHORT:
            yield Hit(
                "service-password-short", secret.where, f"a service account's password has {len(value)} characters"
            )
        if value and value in seen and _account(seen[value]) != _account(secret.where):
            yield Hit("service-password-reused", secret.where, f"the same password as at {seen[value]}")
        seen.setdefault(value, secret.where)


def _account(where: Where) -> str:
    """Return the key of an account: files of Jicofo and the bridge may name it several times, variables only once."""
    return where.name.split(".", maxsplit=1)[0]


def _environment(deployment: Deployment) -> Iterator[Hit]:
    """Check variables of docker-jitsi-meet that no other reader judges."""
    env = deployment.env
    if deployment.form != "docker" or not deployment.environment:
        return
    redirect, https = env.get("ENABLE_HTTP_REDIRECT"), env.get("DISABLE_HTTPS")
    if not _on(redirect) and not _on(https):
        yield Hit(
            "web-cleartext",
            redirect.where if redirect else deployment.absent("ENABLE_HTTP_REDIRECT"),
            "the site is served over HTTP, too",
        )
    version = env.get("JITSI_IMAGE_VERSION")
    if version is not None and str(version.value) in {"latest", "unstable", "stable"}:
        yield Hit("image-not-pinned", version.where, f"JITSI_IMAGE_VERSION is {version.value}")
    if not _on(env.get("PROSODY_ENABLE_RATE_LIMITS")):
        where = (
            env["PROSODY_ENABLE_RATE_LIMITS"].where
            if "PROSODY_ENABLE_RATE_LIMITS" in env
            else deployment.absent("PROSODY_ENABLE_RATE_LIMITS")
        )
        yield Hit("no-rate-limit", where, "nothing slows down guessing of passwords")


def _on(setting: Setting | None) -> bool:
    return setting is not None and str(setting.value).strip("\"'").lower() in {"1", "t", "true"}
