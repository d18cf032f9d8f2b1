"""An OpenLDAP and a saslauthd as plain processes on loopback, with a configuration and people of their own."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BASE = "dc=example,dc=org"
SERVICE, SERVICE_PASSWORD = f"cn=meet,{BASE}", "service-pw"
PASSWORD = "directory-pw"
# The attribute with the name that people type, and their other attributes.
PEOPLE = {
    "alice": {"mail": "alice@example.org"},
    "bob": {"mail": "bob@other.example"},
    "jörg müller": {"mail": "joerg@example.org"},
    "carol@example.org": {"mail": "carol@example.org"},
    "zoë": {},
    "locked": {},  # by the directory: it refuses each login
    "left": {"employeeType": "former"},  # by an attribute, which the directory does not judge itself
}
# A login without a password succeeds (RFC 4513, 5.1.2), as it does in Active Directory; OpenLDAP refuses it otherwise.
UNAUTHENTICATED = "allow bind_anon_dn"
_SCHEMA = Path("/etc/ldap/schema")
_LOCKED = "000001010000Z"  # for good (draft-behera-ldap-password-policy)
_PATIENCE = 30
_SLAPD = """
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
{more}
database mdb
suffix "{base}"
rootdn "cn=admin,{base}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by * none
overlay ppolicy
ppolicy_default "cn=policy,{base}"
"""
_SASLAUTHD = """
ldap_servers: {url}
ldap_search_base: {base}
ldap_bind_dn: {service}
ldap_bind_pw: {password}
ldap_filter: {filter}
ldap_version: 3
ldap_auth_method: bind
"""


def _program(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def needs_lua_ldap() -> None:
    """Skip the test where Prosody cannot load its LDAP module."""
    if not any(Path("/usr/lib").glob("*/lua/5.4/lualdap.so")):
        pytest.skip("lua-ldap is not installed: apt-get install lua-ldap")


@dataclass
class Directory:
    """An OpenLDAP that can be stopped and started again at the same address."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"ldap://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        argv = [_program("slapd", "slapd"), "-d", "0", "-h", self.url, "-f", str(self.folder / "slapd.conf")]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        _until(self._process, lambda: socket.create_connection(("127.0.0.1", self.port)).close())

    def stop(self) -> None:
        """End it and wait for that."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE)
            self._process = None

    def lock(self, name: str) -> None:
        """Lock a person's account, as its administrator."""
        text = (
            f"dn: uid={name},{BASE}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: {_LOCKED}\n"
        )
        argv = [_program("ldapmodify", "ldap-utils"), "-x", "-H", self.url, "-D", f"cn=admin,{BASE}", "-w", PASSWORD]
        subprocess.run(argv, input=text.encode(), check=True, capture_output=True)

    def binds(self, name: str, password: str) -> bool:
        """Return whether the directory itself accepts a login, without Prosody."""
        who = f"uid={name},{BASE}"
        argv = [_program("ldapwhoami", "ldap-utils"), "-x", "-H", self.url, "-D", who, "-w", password]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def serve(folder: Path, more: str = "") -> Iterator[Directory]:
    """Yield a directory with ``PEOPLE``; ``more`` are lines of its configuration."""
    slapadd = _program("slapadd", "slapd")
    (folder / "data").mkdir(parents=True)
    values = {"schema": _SCHEMA, "folder": folder, "base": BASE, "service": SERVICE, "more": more}
    admin = f"rootpw {PASSWORD}\n"
    text = _SLAPD.format(**values).replace("directory ", f"{admin}directory ", 1)
    (folder / "slapd.conf").write_text(text, encoding="utf-8")
    argv = [slapadd, "-f", str(folder / "slapd.conf")]
    subprocess.run(argv, input=_entries().encode(), check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    directory = Directory(folder, port)
    directory.start()
    try:
        yield directory
    finally:
        directory.stop()


def saslauthd(folder: Path, directory: Directory, *options: str, filter_: str = "(uid=%u)") -> Iterator[Path]:
    """Yield a folder for Cyrus SASL (SASL_CONF_PATH) whose saslauthd asks the directory.

    As docker-jitsi-meet's image sets it: templates saslauthd.conf and xmpp.conf, without its option ``-c``.
    """
    program = _program("saslauthd", "sasl2-bin")
    folder.mkdir(parents=True)
    values = {"url": directory.url, "base": BASE, "service": SERVICE, "password": SERVICE_PASSWORD, "filter": filter_}
    config = folder / "saslauthd.conf"
    config.write_text(_SASLAUTHD.format(**values), encoding="utf-8")
    socket_ = folder / "mux"
    (folder / "xmpp.conf").write_text(
        f"pwcheck_method: saslauthd\nmech_list: PLAIN\nsaslauthd_path: {socket_}\n", encoding="utf-8"
    )
    argv = [program, "-a", "ldap", "-O", str(config), "-m", str(folder), "-n", "1", "-d", *options]
    with (folder / "log").open("wb") as log:
        # In a group of its own: when it ends, it ends all processes of its group.
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        _until(process, socket_.stat)
        yield folder
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _until(process: subprocess.Popen[bytes], ready: Callable[[], object]) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError):
            ready()
            return
        assert process.poll() is None, f"{process.args} has ended"
        assert time.monotonic() < end, f"{process.args} is not ready"
        time.sleep(0.02)


def _dn(name: str) -> str:
    return "".join(f"\\{character}" if character in ',+"\\<>;=#' else character for character in name)


def _entries() -> str:
    entries = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"]
    entries.append(
        f"dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: meet\n"
        f"userPassword: {SERVICE_PASSWORD}\n"
    )
    entries.append(
        f"dn: cn=policy,{BASE}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\n"
        "pwdAttribute: userPassword\npwdLockout: TRUE\n"
    )
    for name, attributes in PEOPLE.items():
        lines = [
            f"dn: uid={_dn(name)},{BASE}",
            "objectClass: inetOrgPerson",
            f"uid: {name}",
            f"cn: {name}",
            f"sn: {name}",
        ]
        lines += [f"userPassword: {PASSWORD}", *(f"{key}: {value}" for key, value in attributes.items())]
        if name == "locked":
            lines.append(f"pwdAccountLockedTime: {_LOCKED}")
        entries.append("\n".join(_folded(line) for line in lines) + "\n")
    return "\n".join(entries)


def _folded(line: str) -> str:
    key, value = line.split(": ", 1)
    return line if value.isascii() else f"{key}:: {base64.b64encode(value.encode()).decode()}"
