"""The subcommands that run a built site: ``hardener serve`` and ``hardener stack up | down | logs | status``."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of
from hardener.errors import StackError, UsageError
from hardener.git.sources import chosen_sources
from hardener.proof import stack
from hardener.proof.stack import staging
from hardener.proof.web.server import serving
from hardener.proof.web.site import Site
from hardener.ui import write_out

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.config import Project
    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommands to the command line; ``source`` is the parser of the option that ``stack`` shares."""
    parser = subcommand(
        "serve", _serve, "show the built site to the browsers of this machine, with the headers of build/nginx"
    )
    parser.add_argument(
        "site", nargs="?", type=Path, metavar="DIR", help="folder with a site (default: what the last build made)"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser = subcommand(
        "stack", _stack, "run the site with an XMPP server in containers without internet access", source
    )
    parser.add_argument("action", choices=("up", "down", "logs", "status"), help="what to do with the stack")
    parser.add_argument("--name", default="", help="several stacks run side by side (default: one for this checkout)")
    parser.add_argument(
        "--flavour", choices=tuple(stack.FLAVOURS), default="",
        help="local: Debian's packages and a substitute for jicofo; debian: with Jicofo and the videobridge in the"
        " folder that HARDENER_JITSI names; official: upstream's images",
    )  # fmt: skip
    parser.add_argument(
        "--site", type=Path, metavar="DIR", help="folder or archive to serve (default: what the last build made)"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--user", action="append", default=[], metavar="NAME", help=f"account (default: {', '.join(stack.USERS)})"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="settings",
        help="setting, as in docker-jitsi-meet: " + ", ".join(stack.SETTINGS) + "; of Jicofo and the bridge: "
        + ", ".join(sorted({name for flavour in stack.FLAVOURS.values() for name in flavour.settings})),
    )  # fmt: skip


def _serve(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Serve until an interrupt. Raises UsageError where there is no site, StackError where the port is taken."""
    folder = given.site or _built_site(project_of(given).work)
    if not (folder / "index.html").is_file():
        unpacked = "unpack an archive into a folder: tar -xzf FILE -C FOLDER"
        hint = unpacked if given.site else _what_to_serve(project_of(given).work)
        raise UsageError(f"{folder} is not a site: there is no index.html", hint=hint)
    site = Site(folder)
    with contextlib.suppress(KeyboardInterrupt), serving(site.answer, site.refuse, given.port) as url:
        ui.print(f"{url}  {folder}")
        ui.print("for browsers of this machine; without an XMPP server (hardener stack up has one). Ctrl-C stops.")
        threading.Event().wait()
    ui.print("stopped")
    return {"site": os.fspath(folder), "exit": 128 + signal.SIGINT}


def _built_site(work: Path) -> Path:
    return work / "hardened" / "site"


def _what_to_serve(work: Path) -> str:
    """Return the hint for a project that has not been built; the demo of a checkout is a project of its own."""
    demo = work / "demo" / "project"
    built = (_built_site(demo / ".work") / "index.html").is_file()
    return "hardener build" + (f"; to show the demo: --project {demo}" if built else "")


def _stack(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Do what was asked. Raises what the stack raises, UsageError for a malformed setting."""
    project = project_of(given)
    name = given.name or stack.default_name(project.root)
    folder = staging.folder(project, name)
    if given.action == "up":
        return _up(project, name, given, ui)
    if given.action == "down":
        with ui.step("stack", name) as line, stack.lock(ui.waits):
            gone = stack.down(name, folder)
            removed = f"{gone.removed} things removed" if gone.removed else "nothing to remove"
            line.say(removed + ("; the Docker daemon that hardener started is stopped" if gone.daemon else ""))
        return asdict(gone)
    if given.action == "logs":
        text = stack.logs(name)
        if not given.json:
            write_out(text)
        return {"logs": text}
    states = stack.health(name) if stack.docker.answers() else {}
    running = stack.read(folder) if states else None
    for service, state in sorted(states.items()):
        ui.print(f"  {service:<9} {state}", "green" if state == "healthy" else "red")
    if running:
        _print_result(running, folder, ui)
    elif not states:
        ui.print(f"the stack {name} does not run")
    wanted = stack.FLAVOURS[running.flavour].services if running else {"all"}
    well = set(states) == wanted and set(states.values()) == {"healthy"}
    told = {"name": name, "services": states, "stack": asdict(running) if running else None}
    return told | {"exit": 0 if well else StackError.exit_code}


def _up(project: Project, name: str, given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    settings = {}
    for entry in given.settings:
        key, sign, value = entry.partition("=")
        if not sign:
            raise UsageError(f"--set {entry!r} is not NAME=VALUE", hint="the names are: " + ", ".join(stack.SETTINGS))
        settings[key] = value
    sources = chosen_sources(tuple(given.upstream), tuple(component.name for component in project.components))
    users = tuple(given.user) or stack.USERS
    running = staging.up(
        project,
        name,
        ui,
        site=given.site,
        sources=sources,
        flavour=given.flavour or stack.chosen(),
        settings=settings,
        port=given.port,
        users=users,
    )
    _print_result(running, staging.folder(project, name), ui)
    return asdict(running)


def _print_result(running: stack.Stack, folder: Path, ui: UI) -> None:
    ui.print(f"{running.url}  accounts: {', '.join(running.users)}; passwords in {os.fspath(folder / 'stack.json')}")
