"""Who becomes moderator, and who can act as one of the services."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.server.ask import is_false, is_true, jicofo_authenticates, modules_told, rooms
from hardener.server.model import Hit, Where, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.server.model import Deployment, Prosody, Section, Setting

OWNER = "jicofo.conference.enable-auto-owner"
AUTH = "jicofo.authentication."
# Seconds. Prosody and Jicofo take "1 hour", "60m" …: https://github.com/lightbend/config/blob/main/HOCON.md#duration-format
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LONG = 3600
# Modules of Prosody that hand out roles by the login: upstream's, and the project's own (docs/roles.md).
GRANTING = frozenset({"token_affiliation", "muc_named_hosts"})
SERVICES = re.compile(r"^(focus|jvb|jicofo|jigasi|jibri|recorder|transcriber)\d*@")


def check(deployment: Deployment) -> Iterator[Hit]:
    """All findings about roles."""
    if deployment.jicofo is not None:
        yield from _jicofo(deployment, deployment.jicofo)
    if deployment.prosody is not None:
        yield from _rooms(deployment.prosody)
        yield from _admins(deployment.prosody)
        yield from _brewery(deployment.prosody)
        yield from _service_hosts(deployment.prosody)


def _jicofo(deployment: Deployment, jicofo: dict[str, Setting]) -> Iterator[Hit]:
    authenticates = jicofo_authenticates(deployment)
    owner = jicofo.get(OWNER)
    enabled = jicofo.get(AUTH + "enabled")
    file = Where(next((one.where.file for one in jicofo.values()), "jicofo.conf"), 0, "enable-auto-owner is not set")
    where = owner.where if owner else file
    # jicofo's reference.conf: enable-auto-owner = true
    in_force = owner is None or is_true(owner)
    if in_force and not authenticates:
        yield Hit("auto-owner", where, "the first one in becomes moderator")
    elif in_force:
        yield Hit("auto-owner-behind-login", where, "enable-auto-owner is on; only jicofo.authentication holds it back")
    granting = _granting(deployment.prosody)
    if authenticates is False and owner is not None and is_false(owner) and not granting:
        yield Hit("nobody-moderates", enabled.where if enabled else where, "nothing here makes anybody moderator")
    if authenticates and granting:
        what = f"jicofo.authentication is on and {granting} is loaded"
        yield Hit("all-are-moderators", enabled.where if enabled else where, what)
    if authenticates:
        yield from _session(jicofo, enabled.where if enabled else where)
    checks = jicofo.get("jicofo.conference.enable-moderator-checks")
    if checks is not None and is_false(checks):
        yield Hit("moderator-checks-off", checks.where, "enable-moderator-checks is false")


def _session(jicofo: dict[str, Setting], place: Where) -> Iterator[Hit]:
    """A login that Jicofo remembers for the next one at the same browser."""
    auto = jicofo.get(AUTH + "enable-auto-login")
    if auto is None or is_true(auto):
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
    """Seconds of a HOCON duration (a plain number: milliseconds); None if it is none.

    >>> duration("24 hours"), duration("90 seconds"), duration("1500"), duration("soon")
    (86400.0, 90.0, 1.5, None)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    if not match:
        return None
    word = match[2].lower()
    unit = "ms" if word in {"", "ms", "milli", "millis", "millisecond", "milliseconds"} else word[:1]
    return float(match[1]) * UNITS[unit] if unit in UNITS else None


def _granting(prosody: Prosody | None) -> str:
    found = {name for room in rooms(prosody) for name in prosody.modules(room)} if prosody else set()
    return ", ".join(sorted(GRANTING & found))


def _rooms(prosody: Prosody) -> Iterator[Hit]:
    for room in rooms(prosody):
        modules = prosody.modules(room)
        names = {"host": room.name}
        if "muc_allowners" in modules:
            yield Hit("muc-allowners", modules["muc_allowners"], f"Component {room.name} makes everybody owner", names)
        if "muc_wait_for_host" in modules:
            yield from _waiting(prosody, room, modules["muc_wait_for_host"])
        restricted = prosody.get(room, "restrict_room_creation")
        if restricted is None or is_false(restricted):
            what = f"Component {room.name}: whoever opens a room owns it"
            yield Hit("room-creation-open", restricted.where if restricted else room.where, what, names)
        if "muc_hide_all" not in modules and modules_told(prosody, room):
            yield Hit("rooms-listed", room.where, f"Component {room.name} does not load muc_hide_all", names)
        public = prosody.get(room, "muc_room_default_public_jids")
        if public is not None and is_true(public):
            yield Hit(
                "login-names-visible", public.where, f"Component {room.name}: muc_room_default_public_jids", names
            )


def _waiting(prosody: Prosody, room: Section, where: Where) -> Iterator[Hit]:
    """muc_wait_for_host: who counts as host."""
    vanilla = [host for host in prosody.hosts if prosody.provider(host).value == "anonymous"]
    if vanilla:
        what = f"muc_wait_for_host beside VirtualHost {vanilla[0].name} with authentication anonymous"
        yield Hit("wait-for-host-anonymous", where, what, {"host": room.name})
    if not is_true(prosody.get(room, "wait_for_host_disable_auto_owners")):
        yield Hit("wait-for-host-owners", where, "muc_wait_for_host makes every account owner", {"host": room.name})


def _admins(prosody: Prosody) -> Iterator[Hit]:
    for one in [one for section in prosody.sections.values() for one in strings(section.settings.get("admins"))]:
        if not SERVICES.match(one.value):
            yield Hit("person-is-admin", one.where, f"{one.value} is in admins: owner of every room")


def _service_hosts(prosody: Prosody) -> Iterator[Hit]:
    """Hosts of service accounts, which a stream over BOSH or WebSocket may name like any other."""
    targets = [one.settings.get("target_address") for one in prosody.components]
    names = {str(one.value).rpartition("@")[2] for one in targets if one is not None and not one.unknown}
    web = any({"bosh", "websocket"} & set(prosody.modules(host)) for host in prosody.hosts)
    for host in prosody.hosts:
        if host.name in names and web and "closed_to_web" not in prosody.modules(host) and modules_told(prosody, host):
            what = f"VirtualHost {host.name} answers on /xmpp-websocket and /http-bind"
            yield Hit("service-accounts-on-web", host.where, what, {"host": host.name})


def _brewery(prosody: Prosody) -> Iterator[Hit]:
    """The rooms where bridges report to Jicofo."""
    for one in prosody.components:
        if one.module != "muc" or not one.name.startswith("internal"):
            continue
        modules = prosody.modules(one)
        if not modules_told(prosody, one):
            continue
        if "muc_filter_access" not in modules or prosody.get(one, "muc_filter_whitelist") is None:
            what = f"Component {one.name} lets every account in"
            domain = one.name.removeprefix("internal.").removeprefix("internal-muc.")
            yield Hit("service-rooms-open", one.where, what, {"host": one.name, "domain": domain})
