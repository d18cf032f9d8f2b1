"""A real Prosody as a plain process on loopback, with a configuration, accounts and a log of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
PLUGINS = (ROOT / "build" / "server" / "prosody", ROOT / "tests" / "attack" / "plugins")
DOMAIN = "meet.test"
MUC = f"muc.{DOMAIN}"
FOCUS = f"focus@focus.{DOMAIN}"
ACCOUNTS = {f"alice@{DOMAIN}": "alice-pw", f"bob@{DOMAIN}": "bob-pw", f"carol@{DOMAIN}": "carol-pw"}
_PATIENCE = 30


@dataclass(frozen=True)
class Setup:
    """A configuration as the official images make it for ENABLE_AUTH=1, AUTH_TYPE=internal, ENABLE_GUESTS=0, with a
    stand-in for the focus. The fields plant what must not be there.
    """

    authentication: str = "internal_hashed"
    everywhere: str = ""  # Lua, at the top of the file: for all hosts
    main: str = ""  # Lua, in the main virtual host
    main_modules: tuple[str, ...] = ()
    muc: str = ""  # Lua, in the MUC component
    muc_modules: tuple[str, ...] = ()
    focus: str = ""  # Lua, in the stand-in
    hosts: str = ""  # Lua, at the end: more hosts
    modules: tuple[str, ...] = ()  # loaded everywhere
    admins: tuple[str, ...] = (FOCUS,)
    restrict: bool = True  # only admins make rooms
    public_rooms: bool = False
    accounts: dict[str, str] = field(default_factory=lambda: dict(ACCOUNTS))
    plugins: tuple[Path, ...] = ()  # more folders of plugins
    environment: dict[str, str] = field(default_factory=dict)  # of the process

    def but(self, **changes: object) -> Setup:
        """Return the same with other fields."""
        return replace(self, **changes)

    def text(self, folder: Path, ports: dict[str, int]) -> str:
        """Return the configuration file."""

        def names(modules: tuple[str, ...]) -> str:
            return "{ " + " ".join(f'"{module}";' for module in modules) + " }"

        paths = ", ".join(f'"{path}"' for path in (*PLUGINS, *self.plugins))
        common = ("roster", "saslauth", "tls", "disco", "ping", "posix", *self.modules)
        return f"""
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
plugin_paths = {{ {paths} }}
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {ports["c2s"]} }}
s2s_ports = {{ {ports["s2s"]} }}
component_ports = {{ }}
https_ports = {{ }}
http_ports = {{ {ports["http"]} }}
http_interfaces = {{ "127.0.0.1" }}
http_default_host = "{DOMAIN}"
trusted_proxies = {{ "127.0.0.1" }}
consider_bosh_secure = true
consider_websocket_secure = true
c2s_require_encryption = true
component_admins_as_room_owners = true
storage = "internal"
admins = {names(self.admins)}
modules_enabled = {names(common)}
{self.everywhere}

VirtualHost "{DOMAIN}"
    authentication = "{self.authentication}"
    modules_enabled = {names(("bosh", "websocket", "smacks", *self.main_modules))}
    {self.main}

Component "{MUC}" "muc"
    storage = "memory"
    restrict_room_creation = {str(self.restrict).lower()}
    muc_room_default_public = {str(self.public_rooms).lower()}
    muc_room_default_public_jids = true
    muc_room_locking = false
    muc_tombstones = false
    modules_enabled = {names(self.muc_modules)}
    {self.muc}

Component "focus.{DOMAIN}" "test_focus"
    {self.focus}
{self.hosts}
"""


# What the attack suite must find nothing in: no federation, no in-band registration, no PLAIN, no unknown stanzas.
CLOSED = Setup(
    muc_modules=("muc_known_stanzas",),
    everywhere='modules_disabled = { "s2s"; "offline"; "register"; "register_ibr" }\n'
    'disable_sasl_mechanisms = { "PLAIN"; "DIGEST-MD5"; "OAUTHBEARER" }',
)


class Server:
    """A running Prosody. ``url`` serves /xmpp-websocket and /http-bind."""

    def __init__(self, folder: Path, setup: Setup) -> None:
        self.folder, self.setup = folder, setup
        self.ports = dict(zip(("http", "c2s", "s2s"), _free_ports(3), strict=True))
        self.url = f"http://127.0.0.1:{self.ports['http']}"
        self.log: list[str] = []
        self._news, self._ended = threading.Condition(), False
        for jid, password in setup.accounts.items():
            _write_account(folder / "data", jid, password)
        config = folder / "prosody.cfg.lua"
        config.write_text(setup.text(folder, self.ports), encoding="utf-8")
        self._process = subprocess.Popen(
            [executable(), "--config", str(config), "-F"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | setup.environment,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for(f"Activated service 'http' on [127.0.0.1]:{self.ports['http']}")
        except BaseException:
            self.stop()
            raise

    def _read(self) -> None:
        with self._process.stdout as lines:
            for line in lines:
                with self._news:
                    self.log.append(line.rstrip())
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, text: str) -> str:
        """Return the first line of the log that holds this text, once it is there."""

        def found() -> str:
            return next((line for line in self.log if text in line), "")

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, timeout=_PATIENCE)
            if not found():
                raise AssertionError(f"prosody has not said {text!r}:\n" + "\n".join(self.log))
            return found()

    def register(self, accounts: Mapping[str, str]) -> None:
        """Make accounts as an operator does, with prosodyctl: names and passwords are prepared by the server's own
        tool.
        """
        prosodyctl = Path(executable()).with_name("prosodyctl")
        for jid, password in accounts.items():
            command = [
                prosodyctl,
                "--config",
                self.folder / "prosody.cfg.lua",
                "register",
                *jid.rsplit("@", 1),
                password,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert not done.returncode, done.stdout + done.stderr

    def stop(self) -> None:
        """End it and wait for that."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()


def executable() -> str:
    """Return Prosody's program, or skip. HARDENER_PROSODY names another one."""
    found = os.environ.get("HARDENER_PROSODY") or shutil.which("prosody")
    if not found:
        pytest.skip("prosody is not installed: apt-get install prosody")
    return found


def serve(folder: Path, setup: Setup) -> Iterator[Server]:
    """Yield a server for as long as the caller's fixture lasts."""
    executable()
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, setup)
    try:
        yield server
    finally:
        server.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def _write_account(data: Path, jid: str, password: str) -> None:
    """Write an account in Prosody's own file format; internal_hashed hashes the password when it is first used."""
    user, host = jid.split("@")
    folder = data / host.replace(".", "%2e").replace("-", "%2d") / "accounts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{user}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n', encoding="utf-8")
