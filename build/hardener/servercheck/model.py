"""The configuration of a deployment, in one form for all sources.

A value that is set but not known without running something is ``Unknown`` with the reason: rules must say so
(``cannot-tell``) instead of passing it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Where:
    """A place in the configuration: file as it was named, line from 1 (0: not there), and a name if it has one."""

    file: str
    line: int = 0
    name: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} ({self.name})" if self.name else place


@dataclass(frozen=True)
class Unknown:
    """A value that is set, but not to something that can be determined by reading."""

    reason: str


@dataclass(frozen=True)
class Setting:
    """One value and where it was set. ``value``: str, bool, int, float, None, ``Table``, or ``Unknown``."""

    value: Any
    where: Where

    @property
    def unknown(self) -> bool:
        """Return whether the value cannot be determined."""
        return isinstance(self.value, Unknown)


@dataclass(frozen=True, eq=False)
class Table:
    """A list, a map, or a Lua table that is both. Compared by identity: a set of constants may be asked for it."""

    items: tuple[Setting, ...] = ()
    fields: dict[str, Setting] = field(default_factory=dict)
    complete: bool = True  # False: something in it could not be determined


def strings(setting: Setting | None) -> list[Setting]:
    """Return the strings in a setting, each with its own line: of a list, or the one string that is in its place."""
    if setting is None:
        return []
    if isinstance(setting.value, str):
        return [setting]
    if isinstance(setting.value, Table):
        return [item for item in setting.value.items if isinstance(item.value, str)]
    return []


@dataclass(frozen=True)
class Unclear:
    """Something that could not be read or determined. ``vital``: login or roles may depend on it."""

    where: Where
    reason: str
    vital: bool = False


@dataclass
class Section:
    """The global section of Prosody's configuration (name ``*``), a VirtualHost or a Component."""

    kind: str  # global, VirtualHost, Component
    name: str
    where: Where
    module: str = ""  # of a Component
    settings: dict[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """One finding: the key of ``findings.toml``, the place, what is there, and names to fill into the fix."""

    id: str
    where: Where
    what: str
    names: dict[str, str] = field(default_factory=dict)


GLOBAL = "*"
ANONYMOUS = frozenset({"anonymous", "jitsi-anonymous"})

# core/modulemanager.lua of Prosody 0.12 and 13: loaded without being named; what a Component takes from the globals.
AUTOLOADED = frozenset("presence message iq offline c2s s2s s2s_auth_certs".split())
INHERITED = frozenset("tls saslauth dialback iq s2s s2s_bidi smacks server_contact_info".split())


class Prosody:
    """Prosody's configuration with its own rules of inheritance (core/configmanager.lua, core/modulemanager.lua)."""

    def __init__(self) -> None:
        self.sections: dict[str, Section] = {}
        self.files: list[str] = []

    def section(self, kind: str, name: str, where: Where, module: str = "") -> Section:
        """Return the section of that name; a second ``VirtualHost "x"`` continues with the first one's."""
        name = name.lower()  # nameprep
        found = self.sections.get(name)
        if found is None:
            found = self.sections[name] = Section(kind, name, where, module)
        elif module:
            found.module = module
        return found

    @property
    def active(self) -> list[Section]:
        """Return the global section, and all hosts that are not switched off (core/hostmanager.lua: ``enabled =
        false``).
        """
        return [
            section
            for section in self.sections.values()
            if section.kind == "global" or (on := self.get(section, "enabled")) is None or on.value is not False
        ]

    @property
    def hosts(self) -> list[Section]:
        """Return all VirtualHosts: each can be logged in to, whichever one the client's address names."""
        return [section for section in self.active if section.kind == "VirtualHost"]

    @property
    def components(self) -> list[Section]:
        """Return all Components."""
        return [section for section in self.active if section.kind == "Component"]

    def own(self, section: Section | str, key: str) -> Setting | None:
        """Return a setting of the section itself. One that is nil is not set."""
        found = self.sections.get(section) if isinstance(section, str) else section
        setting = found.settings.get(key) if found else None
        return None if setting is None or setting.value is None else setting

    def get(self, section: Section | str, key: str) -> Setting | None:
        """Return a setting as it is in force for the section: its own, or else the global one."""
        own = self.own(section, key)
        return own if own is not None else self.own(GLOBAL, key)

    def modules(self, section: Section) -> dict[str, Where]:
        """Return the modules in force, each with the line that turns it on (autoloaded ones: that of the section)."""
        enabled: dict[str, Where] = dict.fromkeys(AUTOLOADED, section.where)
        enabled.update({string.value: string.where for string in strings(self.own(GLOBAL, "modules_enabled"))})
        for off in strings(self.own(GLOBAL, "modules_disabled")):
            enabled.pop(off.value, None)
        if section.kind == "Component":
            enabled = {name: where for name, where in enabled.items() if name in INHERITED}
            if section.module:
                enabled[section.module] = section.where
        if section.kind != "global":
            enabled.update({string.value: string.where for string in strings(section.settings.get("modules_enabled"))})
            for off in strings(section.settings.get("modules_disabled")):
                enabled.pop(off.value, None)
        return enabled

    def provider(self, host: Section) -> Setting:
        """Return how the host authenticates. Not set at all: Prosody's own default, internal_hashed."""
        old = self.get(host, "anonymous_login")  # still obeyed by 0.12 and 13, and it wins
        if old is not None and not (old.value is None or old.value is False or old.unknown):  # any text counts
            return Setting("anonymous", old.where)
        return self.get(host, "authentication") or Setting("internal_hashed", host.where)


@dataclass(frozen=True)
class Proxy:
    """A path of the web server that is passed on to another server."""

    path: str
    target: str
    where: Where
    reaches: str | None = None  # how each path begins on the server behind; None: it is not known
    ports: frozenset[str] = frozenset()  # of the server behind; empty: they are not known

    @property
    def challenge(self) -> bool:
        """Return whether only a client for certificates may answer there."""
        return self.path.split(" ")[-1].startswith("/.well-known/acme-challenge") and "|" not in self.path


@dataclass(frozen=True)
class Published:
    """A directive of the web server that publishes secrets. ``known``: False if that cannot be determined."""

    what: str
    where: Where
    known: bool = True


@dataclass
class Site:
    """One server of the web server: how it serves the client, and what it passes on."""

    where: Where
    serves: bool = True  # whether it has the client at all
    front: str = ""  # the front server that it is of, if it is not nginx
    redirects: bool = False  # it only sends people to https
    streams: list[tuple[str, Where]] = field(default_factory=list)  # ports that TCP is passed on to; empty: not known
    # header name in lower case: its value, and whether every place that sends headers of its own sends it, too
    headers: dict[str, Setting] = field(default_factory=dict)
    dropped: list[Where] = field(default_factory=list)  # locations whose own headers displace the policy
    proxies: list[Proxy] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)  # folders of configuration or accounts that are served
    listed: list[Where] = field(default_factory=list)  # where the names of all files of a folder are shown
    writable: list[Where] = field(default_factory=list)  # where files can be changed without a login
    foreign: list[Setting] = field(default_factory=list)  # Access-Control-Allow-Origin, as it is sent
    hides_cors: bool = False  # headers of that kind that come from Prosody are taken out
    logs: list[Setting] = field(default_factory=list)  # access_log lines; value: their arguments
    ssi: Setting | None = None  # value: the types, Table of strings
    cleartext: Where | None = None  # a server that serves the client without TLS
    compresses: bool = False  # scripts are compressed


@dataclass(frozen=True)
class Port:
    """A port that others than this machine can reach."""

    service: str  # c2s, http, s2s, component, jicofo-rest, bridge-rest
    port: str
    where: Where


@dataclass(frozen=True)
class Directory:
    """Settings of logins by a directory (LDAP). Options have the names of saslauthd.conf."""

    where: Where
    settings: dict[str, Setting]
    unchecked: Where | None = None  # where libldap is made to accept any certificate
    host: str = ""  # the host whose Prosody module asks; empty: saslauthd does

    def text(self, name: str, default: str = "") -> str:
        """Return an option; what cannot be determined is empty."""
        setting = self.settings.get(name)
        return default if setting is None else "" if setting.unknown else str(setting.value)

    def place(self, name: str) -> Where:
        """Return the place of an option, or that of the whole."""
        return self.settings[name].where if name in self.settings else self.where


@dataclass
class Deployment:
    """All that was read. A part that is None was not there."""

    form: str  # docker or files: which kind of fix applies
    prosody: Prosody | None = None
    jicofo: dict[str, Setting] | None = None
    bridge: dict[str, Setting] | None = None
    web: dict[str, Setting] | None = None  # config.js, flattened: hosts.anonymousdomain
    sites: list[Site] = field(default_factory=list)
    environment: str = ""  # docker: the file that the variables come from
    env: dict[str, Setting] = field(default_factory=dict)  # docker: the variables themselves
    ports: list[Port] = field(default_factory=list)
    secrets: list[Setting] = field(default_factory=list)  # passwords of service accounts
    dial_in: list[Where] = field(default_factory=list)  # accounts of a phone gateway
    directories: list[Directory] = field(default_factory=list)  # that saslauthd asks
    # What Cyrus SASL may offer, by the name of its application: each mech_list, or None for a file without one.
    sasl: dict[str, list[Setting]] = field(default_factory=dict)
    passwords_kept: Where | None = None  # where saslauthd is made to keep passwords that were right
    ldap_conf: Setting | None = None  # TLS_REQCERT of libldap, for all programs of the machine
    found: list[Hit] = field(default_factory=list)  # what a reader has judged itself
    unclear: list[Unclear] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def absent(self, name: str) -> Where:
        """Return the place of a variable that is not set."""
        return Where(self.environment, 0, f"{name} is not set")

    def doubt(self, where: Where, reason: str, *, vital: bool = False) -> None:
        """Note something that could not be determined."""
        self.unclear.append(Unclear(where, reason, vital))
