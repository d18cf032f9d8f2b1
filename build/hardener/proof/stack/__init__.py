"""The test stack: the bundle and its servers in containers without internet access, on a loopback port.

``up`` builds what is missing, starts the containers, waits until all are healthy, and makes the accounts; ``down``
removes everything again, whatever state a killed run left. A stack has a name, so that several can run side by side.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import re
import secrets
import socket
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from hardener.errors import StackError, UsageError
from hardener.proof.stack import docker, images
from hardener.proof.stack.containers import containers, health, remove
from hardener.proof.stack.flavours import FLAVOURS, prepare
from hardener.system import disk, locks, stamps
from hardener.system.process import run
from hardener.system.tables import nearest

__all__ = [
    "FLAVOURS",
    "SETTINGS",
    "USERS",
    "VARIABLE",
    "Gone",
    "Stack",
    "address",
    "chosen",
    "default_name",
    "docker",
    "down",
    "health",
    "lock",
    "logs",
    "read",
    "up",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from hardener.proof.stack.flavours import Flavour

DOMAIN = "meet.jitsi"
VARIABLE = "HARDENER_STACK"  # names the flavour, for the command line and the tests
USERS = ("alice", "bob", "carol", "dave")
# What may be set from outside: names of docker-jitsi-meet's variables, so that all flavours are set alike.
SETTINGS = (
    "GLOBAL_CONFIG", "GLOBAL_MODULES", "LOG_LEVEL", "XMPP_CONFIGURATION", "XMPP_MODULES",
    "XMPP_MUC_CONFIGURATION", "XMPP_MUC_MODULES",
)  # fmt: skip
HEALTHY = 300  # seconds until all containers have to be healthy: Java starts slowly on a busy machine
EDGE = ipaddress.IPv4Network("198.18.0.0/15")  # for tests between networks (RFC 2544), not in real use


@dataclass(frozen=True)
class Stack:
    """A stack that runs: where it answers, and who may log in there (``users``: name -> password)."""

    name: str
    flavour: str
    url: str
    domain: str
    users: Mapping[str, str]
    key: str
    site: str
    images: Mapping[str, str]
    fresh: bool = field(default=True, compare=False)


def default_name(root: Path) -> str:
    """Return the name of a checkout's own stack: two checkouts on one machine do not disturb each other.

    >>> from pathlib import Path
    >>> default_name(Path("/home/me/hardener"))
    'hardener-8f50d5'
    """
    return f"hardener-{hashlib.sha256(os.fspath(root.resolve()).encode()).hexdigest()[:6]}"


@contextlib.contextmanager
def lock(waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes from building images and from starting or stopping stacks or the daemon."""
    with locks.lock(stamps.home() / "stack.lock", waiting=waiting):
        yield


def up(
    name: str,
    folder: Path,
    site: Path,
    plugins: dict[str, bytes],
    *,
    flavour: str = "local",
    upstream: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    port: int = 0,
    users: tuple[str, ...] = USERS,
    tell: Callable[[str], None] = lambda _text: None,
) -> Stack:
    """Start the stack, or return the one that runs if it is the same.

    ``folder`` keeps its state (0700: passwords are there), ``site`` is a folder or an archive, ``plugins`` are
    upstream's Prosody plugins of the pin, ``upstream`` its images for the flavour 'official'. ``port`` 0 lets Docker
    choose a free one. Raises StackError (exit code 8) when Docker, an image or a healthy container cannot be had;
    UsageError for an unknown setting, an impossible user name or a missing site.
    """
    settings = dict(settings or {})
    kind = FLAVOURS[flavour]
    _refuse_strange(kind, settings, users)
    tell("asking Docker")
    docker.ensure()
    made = prepare(kind, site, plugins, upstream or {}, tell)
    compose = [*images.compose(tell), "--project-name", name]
    for file in kind.files:
        compose += ["--file", os.fspath(file)]
    key = stamps.key(flavour, made, settings, port, users, [stamps.file_digest(file) for file in kind.files])
    if running := _running(name, folder, key):
        return running
    remove(name)
    disk.remove(folder)
    secret = {"JICOFO_AUTH_PASSWORD": secrets.token_urlsafe(24), "JVB_AUTH_PASSWORD": secrets.token_urlsafe(24)}
    tell("starting containers")
    started = run(
        [*compose, "up", "--detach", "--wait", "--wait-timeout", str(HEALTHY)],
        env=made | secret | _edge(name) | {"WEB_PORT": str(port or _free_port(kind))} | settings,
    )
    if started.status:
        raise StackError(
            f"the stack {name} does not become healthy",
            hint=f"hardener stack logs --name {name}; then: hardener stack down --name {name}",
            details=tuple(started.complaint.splitlines()[-8:]),
        )
    tell("accounts")
    found = containers(name)
    passwords = {user: secrets.token_urlsafe(12) for user in users}
    for user, password in passwords.items():
        register = ("prosodyctl", "--config", kind.configuration, "register", user, DOMAIN, password)
        docker.output("exec", found["prosody"], *register)
    published = docker.output("port", found["web"], "8080/tcp").splitlines()[0]
    stack = Stack(name, flavour, f"http://{published}", DOMAIN, passwords, key, os.fspath(site), made)
    _answers(stack)
    _keep(folder, asdict(stack))
    return stack


def chosen() -> str:
    """Return the flavour that HARDENER_STACK names, by default 'local'. Raises UsageError for an unknown one."""
    name = os.environ.get(VARIABLE) or "local"
    if name not in FLAVOURS:
        near = nearest(name, FLAVOURS)
        hint = f"did you mean {VARIABLE}={near}?" if near else f"the flavours are: {', '.join(FLAVOURS)}"
        raise UsageError(f"{VARIABLE}: there is no flavour {name!r} of the stack", hint=hint)
    return name


def _refuse_strange(kind: Flavour, settings: Mapping[str, str], users: tuple[str, ...]) -> None:
    known = SETTINGS + kind.settings
    for setting in settings:
        if setting not in known:
            raise UsageError(
                f"the flavour {kind.name} has no setting {setting!r}", hint="the settings are: " + ", ".join(known)
            )
    for user in users:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", user):
            raise UsageError(f"{user!r} is not a user name", hint="lower-case letters, digits, dot, dash, underscore")


def _edge(name: str) -> dict[str, str]:
    """Return eight addresses for the network of the published port, by the stack's name."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()) % 2 ** (29 - EDGE.prefixlen)
    subnet = ipaddress.IPv4Network((int(EDGE.network_address) + 8 * number, 29))
    return {"EDGE_SUBNET": str(subnet), "EDGE_GATEWAY": str(subnet[1]), "EDGE_UNUSED": str(subnet[6])}


def _free_port(kind: Flavour) -> int:
    """Return a free port where the bridge has to know the address of the site beforehand; else 0, so Docker chooses."""
    if "JVB_WS_DOMAIN" not in kind.settings:
        return 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(stack: Stack) -> None:
    """Wait until the site and, through it, Prosody answer: healthy one by one is not yet healthy together."""
    import requests  # noqa: PLC0415 (a fifth of a second to load, and most subcommands start no stack)

    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{stack.url}/http-bind", timeout=5).ok:
                return
        if time.monotonic() > until:
            raise StackError(f"{stack.url}/http-bind does not answer", hint=f"hardener stack logs --name {stack.name}")
        time.sleep(0.1)


def _keep(folder: Path, state: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "stack.json"
    disk.write_json(path, state)
    path.chmod(0o600)


def read(folder: Path) -> Stack | None:
    """Return the stack that ``up`` left there, whether or not it still runs; it writes this down last."""
    told = disk.read_json(folder / "stack.json")
    names = {attribute.name for attribute in fields(Stack)}
    return Stack(**told) if isinstance(told, dict) and set(told) == names else None


def _running(name: str, folder: Path, key: str) -> Stack | None:
    stack = read(folder)
    if stack is None or stack.key != key or stack.name != name:
        return None
    states = health(name)
    if set(states) == FLAVOURS[stack.flavour].services and set(states.values()) == {"healthy"}:
        return Stack(**asdict(stack) | {"fresh": False})
    return None


@dataclass(frozen=True)
class Gone:
    """The result of ``down``: how many containers, networks and volumes it removed, whether it stopped our daemon."""

    name: str
    removed: int
    daemon: bool


def down(name: str, folder: Path) -> Gone:
    """Remove a stack and its accounts; stop the daemon if we started it and nothing else runs in it.

    Images stay: they are the cache of the next ``up``. Does nothing where no daemon answers, since then nothing runs.
    """
    removed = remove(name) if docker.answers() else 0
    disk.remove(folder)
    return Gone(name, removed, docker.stop_ours())


def address(name: str, service: str) -> str:
    """Return the IP address of a service on the internal network; empty where the stack has no such service."""
    container = containers(name).get(service)
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return docker.output("inspect", "--format", form, container).split()[0] if container else ""


def logs(name: str) -> str:
    """Return what the containers of a stack wrote, service by service. Raises StackError when the stack does not
    run.
    """
    found = containers(name) if docker.answers() else {}
    if not found:
        raise StackError(f"the stack {name} does not run", hint="hardener stack up")
    texts = []
    for service, container in sorted(found.items()):
        done = docker.docker("logs", "--timestamps", container)
        texts += [f"== {service}", done.text, done.stderr.decode("utf-8", "replace")]
    return "\n".join(texts)
