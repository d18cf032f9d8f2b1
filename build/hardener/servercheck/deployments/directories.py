"""Read how saslauthd asks a directory: its files, or the environment of docker-jitsi-meet's Prosody image.

The image fills in prosody/rootfs/defaults/saslauthd.conf and starts ``saslauthd -a ldap -c``; its ldap.conf has
``TLS_REQCERT allow``. The options are those of saslauthd's LDAP_SASLAUTHD, "key: value" on each line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.model import Directory, Setting, Where

if TYPE_CHECKING:
    from hardener.servercheck.deployments.environment import Environment
    from hardener.servercheck.deployments.files import Folder
    from hardener.servercheck.model import Deployment

MOUNTED = "/etc/saslauthd.conf"
OPTION = re.compile(r"(ldap_\w+)\s*:\s*(.*)")
# Debian's /etc/default/saslauthd; -c may be joined with other options that have no value.
KEEPS = re.compile(r"""\s*OPTIONS=["']?(?:.*\s)?-(?:[dhlntTvV]*)c""")
MECHANISMS = re.compile(r"mech_list:\s*(.*)", re.IGNORECASE)
REQUIRE = re.compile(r"\s*TLS_REQCERT\s+(\w+)", re.IGNORECASE)
VARIABLES = {
    "ldap_servers": "LDAP_URL",
    "ldap_bind_dn": "LDAP_BINDDN",
    "ldap_filter": "LDAP_FILTER",
    "ldap_auth_method": "LDAP_AUTH_METHOD",
}


def saslauthd(text: str, file: str) -> Directory:
    """Return what a saslauthd.conf sets."""
    settings = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := OPTION.fullmatch(line.strip()):
            settings[match[1]] = Setting(match[2], Where(file, number, match[1]))
    return Directory(Where(file), settings)


def of_environment(env: Environment) -> Directory:
    """Return what the image makes of its variables."""
    settings = {option: env.text(name) for option, name in VARIABLES.items() if env.text(name).value}
    if env.on("LDAP_START_TLS"):
        settings["ldap_start_tls"] = Setting("yes", env.where("LDAP_START_TLS"))
    checks = env.on("LDAP_USE_TLS") and env.on("LDAP_TLS_CHECK_PEER")
    settings["ldap_tls_check_peer"] = Setting("yes" if checks else "no", env.where("LDAP_TLS_CHECK_PEER"))
    return Directory(env.where("LDAP_URL"), settings)


def of_folder(folder: Folder, result: Deployment) -> None:
    """Read Debian's files of saslauthd and of libldap."""
    for path in folder.find("default/saslauthd", "default/saslauthd-*"):
        text = folder.text(path)
        for number, line in enumerate(text.splitlines(), 1):
            if KEEPS.match(line):
                result.passwords_kept = Where(folder.name(path), number, "OPTIONS")
    for path in folder.find("sasl/*.conf", "sasl2/*.conf"):
        name = folder.name(path)
        lines = folder.text(path).splitlines()
        found = [
            (number, match) for number, line in enumerate(lines, 1) if (match := MECHANISMS.fullmatch(line.strip()))
        ]
        lists = [Setting(match[1].upper().split(), Where(name, number, "mech_list")) for number, match in found]
        result.sasl.setdefault(path.stem, []).extend(lists or [Setting(None, Where(name))])
    for path in folder.find("saslauthd.conf"):
        text = folder.text(path)
        result.directories.append(saslauthd(text, folder.name(path)))
    for path in folder.find("ldap/ldap.conf"):
        text = folder.text(path)
        for number, line in enumerate(text.splitlines(), 1):
            if match := REQUIRE.match(line):
                result.ldap_conf = Setting(match[1].lower(), Where(folder.name(path), number, "TLS_REQCERT"))
