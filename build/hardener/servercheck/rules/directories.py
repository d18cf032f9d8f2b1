"""Find what a directory (LDAP) behind Prosody leaves open: saslauthd, mod_auth_ldap and mod_auth_ldap2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Directory, Hit, Setting, Table, strings
from hardener.servercheck.queries import LOOPBACK, is_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Prosody, Section

ASKING = frozenset({"cyrus", "ldap", "ldap2"})
CHECKED = frozenset({"", "demand", "hard"})
ADDRESS = re.compile(r"(?:(?P<scheme>\w+)://)?(?P<host>\[[^\]]*\]|[^:/\s]*)\S*")
ASSERTION = re.compile(r"\(([^()=<>~]+)[~<>]?=([^()]*)\)")
NAME = re.compile(r"%[uU]|\$user|%s")
# Parts of a name after an @, which Cyrus SASL leaves out of the name in the meeting.
REALM = re.compile(r"%[rRd1-9]")
YES = frozenset({"1", "on", "yes", "true"})


def check(deployment: Deployment) -> Iterator[Hit]:
    """Yield all findings about directories that are asked for passwords."""
    prosody = deployment.prosody
    if prosody is None:
        return
    asking = [host for host in prosody.hosts if prosody.provider(host).value in ASKING]
    for host in asking:
        yield from _mechanisms(prosody, host)
    cyrus = any(prosody.provider(host).value == "cyrus" for host in asking)
    if cyrus and deployment.passwords_kept is not None:
        yield Hit("ldap-answers-kept", deployment.passwords_kept, "saslauthd is started with -c")
    found = list(deployment.directories) if cyrus else []
    found += [_of_module(deployment, prosody, host) for host in asking if prosody.provider(host).value != "cyrus"]
    for directory in found:
        yield from _connection(directory)
        yield from _filter(directory)
        method = directory.text("ldap_auth_method").lower()
        if method in {"custom", "getpasswd"}:
            what = f"passwords are compared here ({method})"
            yield Hit("ldap-passwords-read", directory.place("ldap_auth_method"), what)


def _mechanisms(prosody: Prosody, host: Section) -> Iterator[Hit]:
    """Yield a host that cannot let a person in, and one whose module does not make sure of names."""
    provider = prosody.provider(host)
    disabled = prosody.get(host, "disable_sasl_mechanisms")
    if disabled is not None and "PLAIN" in {string.value for string in strings(disabled)}:
        what = f"VirtualHost {host.name} asks a directory, and does not offer PLAIN"
        yield Hit("ldap-without-plain", disabled.where, what, {"host": host.name})
    if provider.value == "ldap2":
        what = f"VirtualHost {host.name}: mod_auth_ldap2 does not make sure of the name of a login"
        yield Hit("ldap-names-not-checked", provider.where, what, {"host": host.name})


def _of_module(deployment: Deployment, prosody: Prosody, host: Section) -> Directory:
    """Return what a module of Prosody is set to, with the names of saslauthd's options."""
    provider = prosody.provider(host)
    if provider.value == "ldap2":
        table = prosody.get(host, "ldap")
        fields = table.value.fields if table is not None and isinstance(table.value, Table) else {}
        user = fields.get("user")
        names = {"hostname": "ldap_servers", "bind_dn": "ldap_bind_dn", "use_tls": "ldap_start_tls"}
        settings = {new: fields[old] for old, new in names.items() if old in fields}
        inner = user.value.fields if user is not None and isinstance(user.value, Table) else {}
        if "filter" in inner:
            settings["ldap_filter"] = inner["filter"]
    else:
        names = {
            "ldap_server": "ldap_servers",
            "ldap_rootdn": "ldap_bind_dn",
            "ldap_tls": "ldap_start_tls",
            "ldap_filter": "ldap_filter",
            "ldap_mode": "ldap_auth_method",
        }
        settings = {new: found for old, new in names.items() if (found := prosody.get(host, old)) is not None}
    tls = settings.get("ldap_start_tls")
    settings["ldap_start_tls"] = Setting("yes" if is_true(tls) else "no", tls.where if tls else provider.where)
    required = deployment.ldap_conf
    unchecked = required.where if required is not None and required.value not in CHECKED else None
    if deployment.form == "docker":
        unchecked = provider.where  # the image's own ldap.conf
    return Directory(provider.where, settings, unchecked=unchecked, host=host.name)


def _connection(directory: Directory) -> Iterator[Hit]:
    place = directory.place("ldap_servers")
    servers = directory.settings.get("ldap_servers")
    if servers is not None and servers.unknown:
        yield Hit("cannot-tell-minor", place, "the address of the directory is not known")
        return
    far = [server for server in directory.text("ldap_servers", "localhost").split() if not _is_here(server)]
    starts = directory.text("ldap_start_tls").lower() in YES
    if any(not server.lower().startswith("ldaps://") and not starts for server in far):
        yield Hit("ldap-cleartext", place, "the directory is asked without encryption")
    elif far and not directory.host and directory.text("ldap_tls_check_peer").lower() not in YES:
        option = directory.settings.get("ldap_tls_check_peer")
        yield Hit("ldap-not-verified", option.where if option else place, "its certificate is not checked")
    elif far and directory.unchecked is not None:
        yield Hit("ldap-not-verified", directory.unchecked, "TLS_REQCERT lets any certificate pass")
    if not directory.text("ldap_bind_dn") and "fastbind" not in directory.text("ldap_auth_method"):
        yield Hit("ldap-anonymous", directory.place("ldap_bind_dn"), "no account of its own is set for the search")


def _is_here(server: str) -> bool:
    match = ADDRESS.fullmatch(server)
    host = match["host"].strip("[]").lower() if match else server
    return bool(match and match["scheme"] == "ldapi") or host in LOOPBACK or host.startswith("127.")


def _filter(directory: Directory) -> Iterator[Hit]:
    """Yield filters that ask for nothing but a name, or for one that several people may have."""
    setting = directory.settings.get("ldap_filter")
    if setting is not None and setting.unknown:
        yield Hit("cannot-tell-minor", setting.where, "the filter of the directory is not known")
        return
    text = directory.text("ldap_filter", "(uid=%u)")
    text = text if text.startswith("(") else f"({text})"
    place = directory.place("ldap_filter")
    assertions = ASSERTION.findall(text)
    names = [value for _attribute, value in assertions if NAME.search(value)]
    others = [
        attribute
        for attribute, value in assertions
        if not NAME.search(value) and attribute.strip().lower() not in {"objectclass", "objectcategory"}
    ]
    if not others:
        yield Hit("ldap-closed-accounts", place, f"the filter is {text}")
    if len(names) > 1 or any("*" in value or REALM.search(value) for value in names):
        yield Hit("ldap-names-shared", place, f"the filter is {text}")
