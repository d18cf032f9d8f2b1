"""Read the environment of docker-jitsi-meet's Prosody image.

Follows prosody/rootfs/defaults/{prosody.cfg.lua,conf.d/jitsi-meet.cfg.lua} of release stable-10978 in upstream's
repository (https://github.com/jitsi/docker-jitsi-meet). Only options that a rule looks at are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardener.servercheck.deployments import directories
from hardener.servercheck.model import GLOBAL, Prosody, Section, Setting, Table, Unknown, Where
from hardener.servercheck.readers import lua

if TYPE_CHECKING:
    from hardener.servercheck.deployments.environment import Environment
    from hardener.servercheck.model import Deployment

JAAS_KEYS = "https://jaas-public-keys.jitsi.net/jitsi-components/prod-8x8"
PROVIDERS = {
    "internal": "internal_hashed",
    "ldap": "cyrus",
    "matrix": "matrix_user_verification",
    "hybrid_matrix_token": "hybrid_matrix_token",
}


def prosody(env: Environment, result: Deployment) -> Prosody:
    """Return Prosody's configuration as the image writes it; what cannot be determined goes to ``result``."""
    made = Prosody()
    _everywhere(made, env, result)
    mode = env.text("PROSODY_MODE", "client")
    if mode.value == "visitors":
        name = f"v0.{env.text('VISITORS_XMPP_DOMAIN', 'meet.jitsi').value}"
        node = made.section("VirtualHost", name, mode.where)
        node.settings["authentication"] = Setting("jitsi-anonymous", mode.where)
        return made
    kind = _people(made, env, result)
    _services(made, env)
    _rooms(made, env, kind, result)
    return made


def _everywhere(made: Prosody, env: Environment, result: Deployment) -> None:
    federated = env.on("ENABLE_VISITORS") or env.on("PROSODY_ENABLE_S2S")
    section = made.section("global", GLOBAL, Where(env.file))
    names = "roster saslauth tls disco admin_shell posix ping http_health version"
    _modules(section, names + (" s2s_whitelist" if federated else ""), env.words("GLOBAL_MODULES"))
    disabled = ["offline", "register"] + ([] if federated else ["s2s"])
    _list(section, "modules_disabled", disabled, env.where("PROSODY_ENABLE_S2S"))
    section.settings["allow_registration"] = Setting(value=False, where=Where(env.file))
    level = env.text("LOG_LEVEL", "info")
    section.settings["log"] = Setting(Table((level,)), level.where)
    section.settings["admins"] = Setting(Table(tuple(env.words("PROSODY_ADMINS"))), env.where("PROSODY_ADMINS"))
    section.settings["muc_mapper_domain_base"] = env.text("XMPP_DOMAIN", "meet.jitsi")
    _raw(made, section, env, "GLOBAL_CONFIG", "\\n", result)


def _people(made: Prosody, env: Environment, result: Deployment) -> str:
    """Return the hosts that people log in to; returns how, as AUTH_TYPE calls it."""
    domain = env.text("XMPP_DOMAIN", "meet.jitsi")
    if env.on("ENABLE_JAAS_COMPONENTS"):
        jaas = made.section("VirtualHost", "jigasi.meet.jitsi", env.where("ENABLE_JAAS_COMPONENTS"))
        jaas.settings["authentication"] = Setting("token", jaas.where)
        jaas.settings["asap_key_server"] = Setting(JAAS_KEYS, jaas.where)
    main = made.section("VirtualHost", str(domain.value), domain.where)
    kind = _login(env, main)
    if kind == "ldap":
        main.settings["allow_unencrypted_plain_auth"] = Setting(value=True, where=main.settings["authentication"].where)
        result.directories.append(directories.of_environment(env))
        result.passwords_kept = main.settings["authentication"].where
    _modules(main, "bosh websocket smacks features_identity conference_duration", env.words("XMPP_MODULES"))
    main.settings["main_muc"] = env.text("XMPP_MUC_DOMAIN", "muc.meet.jitsi")
    main.settings["c2s_require_encryption"] = env.flag("PROSODY_C2S_REQUIRE_ENCRYPTION", default=True)
    _raw(made, main, env, "XMPP_CONFIGURATION", ",", result)
    if env.on("ENABLE_AUTH") and env.on("ENABLE_GUESTS"):
        name = env.text("XMPP_GUEST_DOMAIN", "guest.meet.jitsi")
        guest = made.section("VirtualHost", str(name.value), env.where("ENABLE_GUESTS"))
        provider = env.text("PROSODY_GUEST_AUTH_TYPE", "jitsi-anonymous")
        place = provider.where if provider.where.line else guest.where
        guest.settings["authentication"] = Setting(provider.value, place)
        _modules(guest, "smacks", env.words("XMPP_MODULES"))
        _raw(made, guest, env, "XMPP_CONFIGURATION", ",", result)
    return kind


def _services(made: Prosody, env: Environment) -> None:
    """Add the hosts and rooms of Jicofo, bridges and recorders."""
    domain = env.text("XMPP_DOMAIN", "meet.jitsi")
    accounts = env.text("XMPP_AUTH_DOMAIN", "auth.meet.jitsi")
    made.section("VirtualHost", str(accounts.value), accounts.where)
    for name in ("ENABLE_RECORDING", "ENABLE_TRANSCRIPTIONS"):
        if env.on(name):
            hidden = env.text("XMPP_HIDDEN_DOMAIN", "hidden.meet.jitsi")
            made.section("VirtualHost", str(hidden.value), env.where(name))
    internal = env.text("XMPP_INTERNAL_MUC_DOMAIN", "internal-muc.meet.jitsi")
    rooms = made.section("Component", str(internal.value), internal.where, "muc")
    _modules(rooms, "muc_hide_all muc_filter_access", env.words("XMPP_INTERNAL_MUC_MODULES"))
    rooms.settings["muc_filter_whitelist"] = accounts
    rooms.settings["restrict_room_creation"] = Setting(value=True, where=internal.where)
    focus = made.section("Component", f"focus.{domain.value}", domain.where, "client_proxy")
    focus.settings["target_address"] = Setting(f"focus@{accounts.value}", accounts.where)
    if env.on("ENABLE_VISITORS"):
        where = env.where("ENABLE_VISITORS")
        made.section("Component", f"visitors.{domain.value}", where, "visitors_component")


def _rooms(made: Prosody, env: Environment, kind: str, result: Deployment) -> None:
    """Add the rooms of meetings. ``kind``: how people log in."""
    muc = env.text("XMPP_MUC_DOMAIN", "muc.meet.jitsi")
    rooms = made.section("Component", str(muc.value), muc.where, "muc")
    _modules(rooms, "muc_hide_all muc_meeting_id muc_password_whitelist", env.words("XMPP_MUC_MODULES"))
    if kind in {"jwt", "hybrid_matrix_token"}:
        _modules(rooms, "", [env.text("JWT_TOKEN_AUTH_MODULE", "token_verification")])
    for switch, loaded in (
        ("MATRIX_UVS_SYNC_POWER_LEVELS", {"matrix": "matrix_power_sync", "hybrid_matrix_token": "matrix_affiliation"}),
        ("MATRIX_LOBBY_BYPASS", {"hybrid_matrix_token": "matrix_lobby_bypass"}),
    ):
        if kind in loaded and env.on(switch):
            _modules(rooms, "", [Setting(loaded[kind], env.where(switch))])
    if env.on("PROSODY_ENABLE_RATE_LIMITS"):
        _modules(rooms, "muc_rate_limit rate_limit", [])
    rooms.settings["restrict_room_creation"] = Setting(value=True, where=rooms.where)
    rooms.settings["muc_room_default_public_jids"] = Setting(value=True, where=rooms.where)
    waiting = env.flag("WAIT_FOR_HOST_DISABLE_AUTO_OWNERS", default=False)
    if waiting.value is True:
        rooms.settings["wait_for_host_disable_auto_owners"] = waiting
    _raw(made, rooms, env, "XMPP_MUC_CONFIGURATION", ",", result)
    for name, switch, names, more in (
        ("breakout", "ENABLE_BREAKOUT_ROOMS", "muc_hide_all muc_meeting_id", "XMPP_BREAKOUT_MUC_MODULES"),
        ("lobby", "ENABLE_LOBBY", "muc_hide_all", "XMPP_LOBBY_MUC_MODULES"),
    ):
        if env.on(switch, default=True):
            domain = env.text("XMPP_DOMAIN", "meet.jitsi")
            beside = made.section("Component", f"{name}.{domain.value}", env.where(switch), "muc")
            _modules(beside, names, env.words(more))
            beside.settings["restrict_room_creation"] = Setting(value=True, where=beside.where)


def _login(env: Environment, main: Section) -> str:
    """Return how people log in; returns the kind, as AUTH_TYPE calls it."""
    auth = env.flag("ENABLE_AUTH", default=False)
    kind = env.text("PROSODY_AUTH_TYPE", str(env.text("AUTH_TYPE", "internal").value))
    where = kind.where if kind.where.line else env.where("AUTH_TYPE")
    if auth.unknown:
        main.settings["authentication"] = auth
        return ""
    if not auth.value:
        main.settings["authentication"] = Setting("jitsi-anonymous", auth.where)
        return ""
    where = where if where.line else auth.where
    if kind.value == "internal":
        _list(main, "disable_sasl_mechanisms", ["DIGEST-MD5", "OAUTHBEARER"], where)
    if kind.value == "ldap":
        main.settings["cyrus_application_name"] = Setting("xmpp", where)
    if kind.value in {"jwt", "hybrid_matrix_token"}:
        _tokens(env, main)
    if kind.value == "jwt":
        provider: Any = env.text("JWT_AUTH_TYPE", "token").value
    elif kind.unknown or kind.value not in PROVIDERS:
        # The template then writes no line at all, and the global internal_hashed is in force.
        provider = Unknown(f"AUTH_TYPE={kind.value} is not one that the image knows")
    else:
        provider = PROVIDERS[str(kind.value)]
    main.settings["authentication"] = Setting(provider, where)
    return str(kind.value)


def _tokens(env: Environment, main: Section) -> None:
    """Set which tokens count."""
    main.settings["allow_empty_token"] = env.flag("JWT_ALLOW_EMPTY", default=False)
    main.settings["enable_domain_verification"] = env.flag("JWT_ENABLE_DOMAIN_VERIFICATION", default=False)
    for option, name in (("app_secret", "JWT_APP_SECRET"), ("asap_key_server", "JWT_ASAP_KEYSERVER")):
        if env.text(name).value:
            main.settings[option] = env.text(name)
    for name in ("JWT_ACCEPTED_ISSUERS", "JWT_ACCEPTED_AUDIENCES"):
        if env.text(name).value:
            option = name.replace("JWT", "asap").lower()
            main.settings[option] = Setting(Table(tuple(env.words(name))), env.where(name))


def _modules(section: Section, names: str, more: list[Setting]) -> None:
    old = section.settings.get("modules_enabled")
    items = tuple(Setting(name, section.where) for name in names.split()) + tuple(more)
    section.settings["modules_enabled"] = Setting(Table((old.value.items if old else ()) + items), section.where)


def _list(section: Section, key: str, words: list[str], where: Where) -> None:
    section.settings[key] = Setting(Table(tuple(Setting(word, where) for word in words)), where)


def _raw(made: Prosody, section: Section, env: Environment, name: str, separator: str, result: Deployment) -> None:
    """Read the lines of configuration that a variable carries into Prosody's file as they are."""
    setting = env.text(name)
    if setting.unknown or not setting.value:
        return
    lines = "\n".join(word for word in str(setting.value).split(separator) if word)
    result.unclear += lua.fragment(lines, section, made, setting.where)
