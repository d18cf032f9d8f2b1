"""Further sources of settings of Jicofo and the bridge: older properties, and the options of their start.

Follows jicofo's AuthConfig.kt and ConferenceConfig.kt and the library of both, jitsi-metaconfig: an old property is
asked first, and a system property (``-D``) wins over the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Setting, Unclear, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.servercheck.model import Deployment

OLD = "org.jitsi.jicofo."
AUTH, CONFERENCE = "jicofo.authentication.", "jicofo.conference."
KINDS = {"XMPP": "XMPP", "EXT_JWT": "JWT", "JWT": "JWT"}
# Variables that Java itself, Debian's units or the images take options from.
VARIABLES = ("JAVA_SYS_PROPS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "JICOFO_OPTS")
FORCED = re.compile(r"\bCONFIG_FORCE_\w+|-Dconfig\.override_with_env_vars")


def old_jicofo(entries: Iterable[tuple[str, Setting]], made: dict[str, Setting], result: Deployment) -> None:
    """Lay Jicofo's older properties over ``made``. What opens something there, or contradicts the file, is a doubt."""
    for key, setting in entries:
        for new, value in _translated(key, setting):
            before = made.get(new)
            opens = value is None or value is (new == CONFERENCE + "enable-auto-owner" or new.endswith("auto-login"))
            other = before is not None and value is not None and not _same(before.value, value)
            reason = "set in the file of older releases, which may win over jicofo.conf: move it there"
            result.unclear.append(Unclear(setting.where, reason, vital=opens or other))
            if value is not None:
                made[new] = Setting(value, setting.where)


def _translated(key: str, setting: Setting) -> Iterator[tuple[str, str | bool | None]]:
    """Yield the newer key and its value; None: it is not known."""
    text = str(setting.value).strip()
    if key == OLD + "auth.URL":
        kind = KINDS.get(text.partition(":")[0].upper())
        yield AUTH + "enabled", True if kind else None
        yield AUTH + "type", kind
    elif key == OLD + "DISABLE_AUTO_OWNER":
        yield CONFERENCE + "enable-auto-owner", {"true": False, "false": True}.get(text.lower())
    elif key == OLD + "auth.DISABLE_AUTOLOGIN":
        yield AUTH + "enable-auto-login", {"true": False, "false": True}.get(text.lower())
    elif key.startswith(OLD + "auth.") and not key.endswith("AUTH_LIFETIME"):
        yield AUTH + "type", None


def _same(old: object, new: object) -> bool:
    return str(old).lower().replace("yes", "true").replace("on", "true") == str(new).lower()


def started(
    entries: Iterable[tuple[str, Setting]],
    made: dict[str, Setting] | None,
    prefixes: tuple[str, ...],
    result: Deployment,
) -> dict[str, Setting] | None:
    """Return ``made`` with the system properties of a start laid over it."""
    for key, setting in entries:
        if key in {"config.resource", "config.url"}:
            result.doubt(setting.where, f"the start option -D{key} names another configuration", vital=True)
        elif key == "config.file":
            read = {entry.where.file for entry in (made or {}).values()}
            if setting.unknown or not _names_one_of(str(setting.value), read):
                result.doubt(setting.where, "the start option -Dconfig.file names a file that was not read", vital=True)
        elif key.startswith(OLD):
            made = dict(made or {})
            old_jicofo([(key, setting)], made, result)
        elif key.startswith(prefixes):
            made = dict(made or {}) | {key: setting}
            if setting.unknown:
                result.doubt(setting.where, setting.value.reason, vital=True)
    return made


def forced(text: str, name: str, result: Deployment) -> None:
    """Note variables that replace single settings (the library's ``CONFIG_FORCE_…``)."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("#") and FORCED.search(line):
            result.doubt(Where(name, number), "variables of the start replace settings of the file", vital=True)


def _names_one_of(path: str, read: set[str]) -> bool:
    parts = path.strip("/").split("/")
    return not read or any(name.split("/")[-min(2, len(parts)) :] == parts[-2:] for name in read)
