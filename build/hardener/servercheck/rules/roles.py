"""Find who becomes moderator, and who can act as a service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Hit, Where, strings
from hardener.servercheck.queries import (
    SERVICE_ROOMS,
    SERVICES,
    all_rooms,
    hocon_switch,
    is_true,
    jicofo_authenticates,
    main_host,
    main_rooms,
    may_be_true,
    modules_known,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Prosody, Section, Setting

OWNER = "jicofo.conference.enable-auto-owner"
AUTH = "jicofo.authentication."
CHECKS = "jicofo.conference.enable-moderator-checks"
SWITCHES = (OWNER, AUTH + "enabled", AUTH + "enable-auto-login", CHECKS)
# Seconds. Prosody and Jicofo take "1 hour", "60m" …:
# https://github.com/lightbend/config/blob/main/HOCON.md#duration-format
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LONG = 3600
# Modules of Prosody that hand out roles by the login: upstream's, and the project's own (docs/operator.md#roles).
GRANTING = frozenset({"token_affiliation", "muc_named_hosts"})
# Prosody 13: a role for all accounts of a host, or for all who come to a Component.
ROLES = "default_user_role host_user_role server_user_role public_user_role default_provisioned_role".split()
HARMLESS = frozenset({"prosody:guest", "prosody:registered", "prosody:member"})
HIGH = frozenset({"prosody:admin", "prosody:operator"})
PERMISSIONS = ("custom_roles", "add_permissions")


def check(deployment: Deployment) -> Iterator[Hit]:
    """Yield all findings about roles."""
    if deployment.jicofo is not None:
        yield from _jicofo(deployment, deployment.jicofo)
    if deployment.prosody is not None:
        yield from _rooms(deployment.prosody)
        yield from _admins(deployment.prosody)
        yield from _unchecked(deployment.prosody)
        yield from _roles(deployment.prosody)
        yield from _brewery(deployment.prosody)
        yield from _service_hosts(deployment.prosody)


def _jicofo(deployment: Deployment, jicofo: dict[str, Setting]) -> Iterator[Hit]:
    for key in SWITCHES:
        switch = jicofo.get(key)
        if switch is not None and not switch.unknown and switch.value is not None and hocon_switch(jicofo, key) is None:
            yield Hit("cannot-tell", switch.where, f"{key} is neither on nor off")
    authenticates = jicofo_authenticates(deployment)
    owner = jicofo.get(OWNER)
    enabled = jicofo.get(AUTH + "enabled")
    file = Where(
        next((setting.where.file for setting in jicofo.values()), "jicofo.conf"), 0, "enable-auto-owner is not set"
    )
    where = owner.where if owner else file
    # jicofo's reference.conf: enable-auto-owner = true
    in_force = hocon_switch(jicofo, OWNER) is not False
    unknown = [setting for setting in (owner, enabled) if setting is not None and setting.unknown]
    if in_force and not authenticates and unknown:
        yield Hit("cannot-tell", unknown[0].where, unknown[0].value.reason)
    elif in_force and not authenticates:
        yield Hit("auto-owner", where, "the first one in becomes moderator")
    elif in_force:
        yield Hit("auto-owner-behind-login", where, "enable-auto-owner is on; only jicofo.authentication holds it back")
    granting = _granting(deployment.prosody)
    if authenticates is False and not in_force and not granting:
        yield Hit("nobody-moderates", enabled.where if enabled else where, "nothing here makes a person moderator")
    if authenticates and granting:
        what = f"jicofo.authentication is on and {granting} is loaded"
        yield Hit("all-are-moderators", enabled.where if enabled else where, what)
    if authenticates:
        yield from _session(jicofo, enabled.where if enabled else where)
    checks = jicofo.get(CHECKS)
    if checks is not None and checks.value is not None and hocon_switch(jicofo, CHECKS) is not True:
        yield Hit("moderator-checks-off", checks.where, "enable-moderator-checks is not on")


def _session(jicofo: dict[str, Setting], place: Where) -> Iterator[Hit]:
    """Yield a login that Jicofo remembers for the next one at the same browser."""
    auto = jicofo.get(AUTH + "enable-auto-login")
    if hocon_switch(jicofo, AUTH + "enable-auto-login") is not False:
        where = auto.where if auto else Where(place.file, 0, "enable-auto-login is not set")
        yield Hit("auto-login", where, "enable-auto-login is on")
    lifetime = jicofo.get(AUTH + "authentication-lifetime")
    seconds = duration(str(lifetime.value)) if lifetime else 24 * 3600
    if lifetime is not None and seconds is None:
        yield Hit(
            "cannot-tell-minor", lifetime.where, f"authentication-lifetime {lifetime.value!r} is not a length of time"
        )
    elif seconds is not None and seconds > LONG:
        where = lifetime.where if lifetime else Where(place.file, 0, "authentication-lifetime is not set")
        yield Hit("long-session", where, f"Jicofo remembers a login for {seconds / 3600:g} hours")


def duration(text: str) -> float | None:
    """Return the seconds of a HOCON duration (a plain number: milliseconds); None if it is not a duration.

    >>> duration("24 hours"), duration("90 seconds"), duration("1500"), duration("soon")
    (86400.0, 90.0, 1.5, None)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text.strip())
    if not match:
        return None
    word = match[2].lower()
    unit = "ms" if word in {"", "ms", "milli", "millis", "millisecond", "milliseconds"} else word[:1]
    return float(match[1]) * UNITS[unit] if unit in UNITS else None


def _granting(prosody: Prosody | None) -> str:
    found = {name for room in main_rooms(prosody) for name in prosody.modules(room)} if prosody else set()
    return ", ".join(sorted(GRANTING & found))


def _rooms(prosody: Prosody) -> Iterator[Hit]:
    main = main_rooms(prosody)
    for room in all_rooms(prosody):
        modules = prosody.modules(room)
        names = {"host": room.name}
        if "muc_allowners" in modules:
            yield Hit("muc-allowners", modules["muc_allowners"], f"Component {room.name} makes everybody owner", names)
        if "muc_wait_for_host" in modules:
            yield from _waiting(prosody, room, modules["muc_wait_for_host"])
        restricted = prosody.get(room, "restrict_room_creation")
        # "local" lets every account of the host in question open one; Prosody 0.12 takes any other text for "admin".
        if restricted is None or not (restricted.value is True or restricted.value == "admin"):
            what = f"Component {room.name}: the creator of a room owns it"
            yield Hit("room-creation-open", restricted.where if restricted else room.where, what, names)
        if "muc_hide_all" not in modules and modules_known(prosody, room):
            yield Hit("rooms-listed", room.where, f"Component {room.name} does not load muc_hide_all", names)
        if "muc_known_stanzas" not in modules and modules_known(prosody, room):
            what = f"Component {room.name} does not load muc_known_stanzas"
            yield Hit("stanzas-not-checked", room.where, what, names)
        public = prosody.get(room, "muc_room_default_public_jids")
        if room in main and may_be_true(public) and public is not None:
            yield Hit(
                "login-names-visible", public.where, f"Component {room.name}: muc_room_default_public_jids", names
            )


def _waiting(prosody: Prosody, room: Section, where: Where) -> Iterator[Hit]:
    """Check who counts as host for muc_wait_for_host."""
    vanilla = [host for host in prosody.hosts if prosody.provider(host).value == "anonymous"]
    if vanilla:
        what = f"muc_wait_for_host beside VirtualHost {vanilla[0].name} with authentication anonymous"
        yield Hit("wait-for-host-anonymous", where, what, {"host": room.name})
    if not is_true(prosody.get(room, "wait_for_host_disable_auto_owners")):
        yield Hit("wait-for-host-owners", where, "muc_wait_for_host makes every account owner", {"host": room.name})


def _admins(prosody: Prosody) -> Iterator[Hit]:
    for admin in [string for section in prosody.active for string in strings(section.settings.get("admins"))]:
        if not SERVICES.match(admin.value):
            yield Hit("person-is-admin", admin.where, f"{admin.value} is in admins: owner of every room")


def _unchecked(prosody: Prosody) -> Iterator[Hit]:
    """Check the accounts that mod_muc_known_stanzas lets say anything: those of machines, not of persons."""
    main = main_host(prosody)
    for section in prosody.active:
        for string in strings(section.settings.get("known_stanzas_services")):
            if SERVICES.match(string.value) or ("@" not in string.value and not (main and string.value == main.name)):
                continue
            what = f"{string.value} is in known_stanzas_services: what it sends is not checked"
            yield Hit("stanzas-not-checked", string.where, what, {"host": section.name})


def _roles(prosody: Prosody) -> Iterator[Hit]:
    """Check Prosody 13's roles (mod_authz_internal). Those that prosodyctl gave a person are in its data, not here."""
    for section in prosody.active:
        for key in ROLES:
            setting = section.settings.get(key)
            if setting is None or setting.unknown or setting.value is None or setting.value in HARMLESS:
                continue
            kind = "role-for-everybody" if setting.value in HIGH else "cannot-tell"
            yield Hit(
                kind, setting.where, f"{section.kind} {section.name}: {key} is {setting.value}", {"host": section.name}
            )
        for key in PERMISSIONS:
            setting = section.settings.get(key)
            if setting is not None and not setting.unknown and any(True for _ in words(setting.value)):
                yield Hit(
                    "cannot-tell", setting.where, f"{section.kind} {section.name}: {key} changes what roles may do"
                )
        setting = section.settings.get("authorization")
        if setting is not None and not setting.unknown and setting.value != "internal":
            yield Hit(
                "cannot-tell", setting.where, f"authorization {setting.value!r} is not known here: it says who is admin"
            )


def _service_hosts(prosody: Prosody) -> Iterator[Hit]:
    """Yield hosts of service accounts, which a stream over BOSH or WebSocket may name like any other."""
    targets = [component.settings.get("target_address") for component in prosody.components]
    names = {str(target.value).rpartition("@")[2] for target in targets if target is not None and not target.unknown}
    web = any({"bosh", "websocket"} & set(prosody.modules(host)) for host in prosody.hosts)
    for host in prosody.hosts:
        if host.name in names and web and "closed_to_web" not in prosody.modules(host) and modules_known(prosody, host):
            what = f"VirtualHost {host.name} answers on /xmpp-websocket and /http-bind"
            yield Hit("service-accounts-on-web", host.where, what, {"host": host.name})


def _brewery(prosody: Prosody) -> Iterator[Hit]:
    """Yield the rooms where bridges report to Jicofo."""
    for component in prosody.components:
        if component.module != "muc" or not component.name.startswith(SERVICE_ROOMS):
            continue
        modules = prosody.modules(component)
        if not modules_known(prosody, component):
            continue
        if "muc_filter_access" not in modules or prosody.get(component, "muc_filter_whitelist") is None:
            what = f"Component {component.name} lets every account in"
            domain = component.name.removeprefix("internal.").removeprefix("internal-muc.")
            yield Hit("service-rooms-open", component.where, what, {"host": component.name, "domain": domain})
