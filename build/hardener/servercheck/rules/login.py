"""Find ways in without a personal login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import ANONYMOUS, GLOBAL, Hit, Setting, Table, strings
from hardener.servercheck.queries import (
    PERSONAL,
    SERVICES,
    TOKEN,
    all_rooms,
    guessable,
    hocon_switch,
    is_true,
    main_host,
    main_rooms,
    may_be_false,
    may_be_true,
    modules_known,
    outside,
    words,
)
from hardener.system.tables import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Prosody, Section

KEY_SERVERS = ("asap_key_server", "cache_keys_url")
# Whose keys they are does not depend on how the name is written.
FOREIGN_KEYS = re.compile(r"(?i)\b(?:jitsi\.net|jit\.si|8x8\.(?:com|vc))\b|8x8")
# By TLS, from a file, or from this machine itself.
ENCRYPTED = re.compile(r"(?i)(?:https|file)://|https?://(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?:[:/]|$)")
SHORTEST, SHORT = 16, 32  # characters; a key for HS256 has to be as long as its hash: 32 bytes (RFC 7518, 3.2)


def check(deployment: Deployment) -> Iterator[Hit]:
    """Yield all findings about logging in."""
    prosody = deployment.prosody
    if prosody is None:
        return
    main = main_host(prosody)
    for host in prosody.hosts:
        yield from _provider(prosody, host, main)
        yield from _mechanisms(deployment, prosody, host, main)
        yield from _registration(prosody, host)
        yield from _tokens(prosody, host)
    if main is not None:
        yield from _names(prosody, main)
    yield from _plain(prosody)
    yield from _elsewhere(deployment, prosody)
    yield from _visitors(deployment, prosody)
    yield from _federation(deployment, prosody)
    for where in deployment.dial_in:
        yield Hit("dial-in", where, "a telephone gateway is set up")


def _provider(prosody: Prosody, host: Section, main: Section | None) -> Iterator[Hit]:
    provider = prosody.provider(host)
    if provider.unknown:
        yield Hit("cannot-tell", provider.where, provider.value.reason)
        return
    names = {"host": host.name}
    if provider.value in ANONYMOUS:
        yield Hit(
            _without_login(host, main),
            provider.where,
            f"VirtualHost {host.name}: authentication is {provider.value}",
            names,
        )
    elif provider.value == "jitsi-shared-secret":
        yield Hit("shared-login", provider.where, f"VirtualHost {host.name} has one secret for everybody", names)
    elif provider.value not in PERSONAL:
        near = nearest(str(provider.value), sorted(PERSONAL))
        meant = f"; did you mean {near}?" if near else ""
        what = f"VirtualHost {host.name}: {provider.value!r} is a provider not known here{meant}"
        yield Hit("cannot-tell", provider.where, what)
    if provider.value == "internal_plain":
        yield Hit(
            "passwords-stored-plain", provider.where, f"VirtualHost {host.name} keeps passwords as they are", names
        )
    if provider.value in PERSONAL and may_be_true(plain := prosody.get(host, "allow_unencrypted_plain_auth")):
        if plain is not None:
            yield Hit(
                "cleartext-login", plain.where, f"VirtualHost {host.name}: allow_unencrypted_plain_auth is true", names
            )
    elif (
        provider.value in PERSONAL
        and may_be_false(encrypted := prosody.get(host, "c2s_require_encryption"))
        and encrypted
    ):
        yield Hit(
            "cleartext-login", encrypted.where, f"VirtualHost {host.name}: c2s_require_encryption is false", names
        )


def _without_login(host: Section, main: Section | None) -> str:
    return "anonymous-login" if main is not None and host.name == main.name else "guest-vhost"


def _mechanisms(deployment: Deployment, prosody: Prosody, host: Section, main: Section | None) -> Iterator[Hit]:
    """Yield whether Cyrus SASL offers ANONYMOUS, as it does with all modules of Debian and no list of mechanisms.

    The file with the list has the name of the application (libsasl(5), mod_auth_cyrus). The image has one for xmpp.
    """
    provider, name = prosody.provider(host), prosody.get(host, "cyrus_application_name")
    application = name.value if name is not None else "prosody"
    disabled = {string.value for string in strings(prosody.get(host, "disable_sasl_mechanisms"))}
    image = deployment.form == "docker" and application == "xmpp"
    if provider.value != "cyrus" or "ANONYMOUS" in disabled or image:
        return
    lists = deployment.sasl.get(application, []) if isinstance(application, str) else []
    for mechanisms in lists:
        if "ANONYMOUS" in (mechanisms.value or ()):
            what = f"VirtualHost {host.name}: Cyrus SASL offers ANONYMOUS"
            yield Hit(_without_login(host, main), mechanisms.where, what, {"host": host.name})
    if not all(mechanisms.value for mechanisms in lists) or not lists:
        where = next((mechanisms.where for mechanisms in lists if not mechanisms.value), provider.where)
        file = f"/etc/sasl/{application}.conf" if isinstance(application, str) else "its file in /etc/sasl"
        state = "has no mech_list" if lists else "is not here"
        what = f"VirtualHost {host.name}: {file} {state}: without its line mech_list: PLAIN it may offer ANONYMOUS"
        yield Hit("cannot-tell", where, what)


def _names(prosody: Prosody, host: Section) -> Iterator[Hit]:
    """Yield a note where a person who tries names learns which ones exist."""
    if not str(prosody.provider(host).value).startswith("internal"):
        return  # another one's directory answers
    if "even_logins" not in prosody.modules(host) and modules_known(prosody, host):
        what = f"VirtualHost {host.name} does not load even_logins"
        yield Hit("names-can-be-tried", host.where, what, {"host": host.name})


def _registration(prosody: Prosody, host: Section) -> Iterator[Hit]:
    if not str(prosody.provider(host).value).startswith(("internal", "sql")):
        return  # mod_register cannot make accounts in other people's directories
    modules = prosody.modules(host)
    allowed = prosody.get(host, "allow_registration")
    # mod_register loads mod_register_ibr if allow_registration says so; listed itself, that module has no such
    # condition.
    by = (
        "register_ibr"
        if "register_ibr" in modules
        else "register"
        if "register" in modules and may_be_true(allowed)
        else ""
    )
    if by:
        where = allowed.where if by == "register" and allowed is not None else modules[by]
        only = prosody.get(host, "registration_invite_only")
        invited = "invites_register" in modules and not may_be_false(only)
        kind = "registration-by-invitation" if invited else "registration-open"
        yield Hit(kind, where, f"VirtualHost {host.name}: mod_{by} makes accounts", {"host": host.name})
    users = prosody.get(host, "allow_user_invites")
    if may_be_true(users) and users is not None and "invites_adhoc" in modules:
        yield Hit(
            "registration-by-invitation",
            users.where,
            f"VirtualHost {host.name}: every user may invite",
            {"host": host.name},
        )


def _tokens(prosody: Prosody, host: Section) -> Iterator[Hit]:
    servers = [server for key in KEY_SERVERS if (server := prosody.get(host, key)) is not None and server.value]
    names = {"host": host.name}
    for server in servers:
        if FOREIGN_KEYS.search(str(server.value)):
            yield Hit("jaas-vhost", server.where, f"VirtualHost {host.name}: tokens of {server.value}", names)
            return
    if prosody.provider(host).value not in TOKEN:
        return
    empty = prosody.get(host, "allow_empty_token")
    if empty is not None and may_be_true(empty):
        yield Hit("empty-token", empty.where, f"VirtualHost {host.name}: allow_empty_token is not false", names)
    secret = prosody.get(host, "app_secret")
    if secret is not None and isinstance(secret.value, str):
        yield from _secret(secret, host)
    for server in servers:
        if server.unknown:
            yield Hit("cannot-tell", server.where, f"VirtualHost {host.name}: where token keys come from is not known")
        elif not ENCRYPTED.match(str(server.value)):
            yield Hit("token-key-cleartext", server.where, f"VirtualHost {host.name}: keys come without TLS", names)
    yield from _addressed(prosody, host, names)
    yield from _token_rooms(prosody, host, names)


def _addressed(prosody: Prosody, host: Section, names: dict[str, str]) -> Iterator[Hit]:
    """Yield whether tokens count that are meant for other services."""
    issuers = prosody.get(host, "asap_accepted_issuers")
    if issuers is not None and "*" in words(issuers.value):
        yield Hit("token-any-issuer", issuers.where, f"VirtualHost {host.name}: asap_accepted_issuers has *", names)
    audiences = prosody.get(host, "asap_accepted_audiences")
    if audiences is None or "*" in words(audiences.value):
        where = audiences.where if audiences else prosody.provider(host).where
        what = f"VirtualHost {host.name}: asap_accepted_audiences {'has *' if audiences else 'is not set'}"
        yield Hit("token-any-audience", where, what, names)


def _token_rooms(prosody: Prosody, host: Section, names: dict[str, str]) -> Iterator[Hit]:
    """Yield which rooms a token opens."""
    # Upstream's default is true (token/util.lib.lua); the Docker image's is false.
    domain = prosody.get(host, "enable_domain_verification")
    if domain is not None and may_be_false(domain):
        yield Hit(
            "token-rooms-not-bound",
            domain.where,
            f"VirtualHost {host.name}: enable_domain_verification is not true",
            names,
        )
    claim = prosody.get(host, "asap_require_room_claim")
    if claim is not None and may_be_false(claim):
        what = f"VirtualHost {host.name}: asap_require_room_claim is not true"
        yield Hit("token-rooms-not-bound", claim.where, what, names)
    for room in main_rooms(prosody):
        if "token_verification" not in prosody.modules(room) and modules_known(prosody, room):
            what = f"Component {room.name} does not load token_verification"
            yield Hit("token-rooms-not-checked", room.where, what, {"host": room.name})
        for exempt in strings(prosody.get(room, "token_verification_allowlist")):
            user, _, domain = exempt.value.rpartition("@")
            if domain.lower() == host.name and not (user and SERVICES.match(exempt.value)):
                what = (
                    f"Component {room.name}: {exempt.value} in token_verification_allowlist needs no token for the room"
                )
                yield Hit("token-rooms-not-checked", exempt.where, what, {"host": room.name})


def _secret(secret: Setting, host: Section) -> Iterator[Hit]:
    size = len(secret.value)
    example = guessable(secret.value)
    if example or size < SHORTEST:
        what = "is an example or a placeholder" if example else f"has {size} characters"
        yield Hit(
            "token-secret-weak", secret.where, f"VirtualHost {host.name}: the secret that tokens are signed with {what}"
        )
    elif size < SHORT:
        yield Hit("token-secret-short", secret.where, f"VirtualHost {host.name}: the secret has {size} characters")


def _elsewhere(deployment: Deployment, prosody: Prosody) -> Iterator[Hit]:
    """Yield hosts that config.js names and Prosody's files do not: their configuration is not here."""
    if deployment.form != "files":
        return
    names = {section.name for section in prosody.sections.values()}
    for key in ("hosts.domain", "hosts.anonymousdomain"):
        setting = (deployment.web or {}).get(key)
        if (
            setting is not None
            and isinstance(setting.value, str)
            and setting.value
            and setting.value.lower() not in names
        ):
            what = f"{key} is {setting.value}, of which Prosody's files here say nothing"
            yield Hit("cannot-tell", setting.where, what)


def _plain(prosody: Prosody) -> Iterator[Hit]:
    """Yield one finding for all hosts that share the line to be changed."""
    hosts = [host for host in prosody.hosts if str(prosody.provider(host).value) == "internal_hashed"]
    groups: dict[object, list[Section]] = {}
    for host in hosts:
        disabled = prosody.get(host, "disable_sasl_mechanisms")
        if (disabled is None or not disabled.unknown) and "PLAIN" not in {string.value for string in strings(disabled)}:
            groups.setdefault(disabled.where if disabled else None, []).append(host)
    for place, group in groups.items():
        where = group[0].where if place is None else prosody.get(group[0], "disable_sasl_mechanisms")
        names = ", ".join(host.name for host in group)
        yield Hit(
            "plain-offered",
            where.where if isinstance(where, Setting) else where or group[0].where,
            f"SASL PLAIN is offered for {names}",
            {"host": names},
        )


def _visitors(deployment: Deployment, prosody: Prosody) -> Iterator[Hit]:
    for component in prosody.components:
        if component.module == "visitors_component":
            yield Hit("visitors", component.where, f"Component {component.name}")
            return
    for host in prosody.hosts:
        if "visitors" in (modules := prosody.modules(host)):
            yield Hit("visitors", modules["visitors"], f"VirtualHost {host.name} loads mod_visitors")
            return
    enabled = (deployment.jicofo or {}).get("jicofo.visitors.enabled")
    on = hocon_switch(deployment.jicofo, "jicofo.visitors.enabled")
    if enabled is not None and enabled.value is not None and on is not False:
        yield Hit("visitors", enabled.where, "jicofo.visitors.enabled is not off")


def _listens(prosody: Prosody, service: str) -> bool:
    """Return whether a port for other servers can be reached: that for TLS is there only if it has a number."""
    keys = (f"{service}_interfaces", f"{service}_interface", "interfaces", "interface")
    interfaces = next((found for key in keys if (found := prosody.get(GLOBAL, key)) is not None), None)
    ports = prosody.get(GLOBAL, f"{service}_ports")
    none = ports is not None and isinstance(ports.value, Table) and ports.value.complete and not ports.value.items
    return outside(interfaces) and not none and (ports is not None or service == "s2s")


def _federation(deployment: Deployment, prosody: Prosody) -> Iterator[Hit]:
    """Check s2s, which Prosody loads by itself; a Component of rooms then takes any account of another server."""
    if deployment.form == "docker" and not any(port.service == "s2s" for port in deployment.ports):
        return  # the images' port is not published
    if deployment.form != "docker" and not any(_listens(prosody, service) for service in ("s2s", "s2s_direct_tls")):
        return
    for room in all_rooms(prosody):
        modules = prosody.modules(room)
        if "s2s" in modules and "s2s_whitelist" not in modules and not is_true(prosody.get(room, "disallow_s2s")):
            what = f"Component {room.name} takes people from other XMPP servers"
            yield Hit("s2s-open", room.where, what, {"host": room.name})
