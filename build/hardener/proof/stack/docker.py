"""Docker itself: whether a daemon answers, starting one where there is none, and the ``docker`` command.

A daemon is started only where Docker is installed, none runs on this machine, and we are root; never a second one
beside another (it would take the first one's bridge away). That we started it is remembered in a file of the user's
cache, and only such a one is ever stopped.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import StackError
from hardener.system import disk, stamps
from hardener.system.process import Completed, run, start

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoDockerError(StackError):
    """Docker, or what it needs from elsewhere, cannot be had on this machine: no fault of what is tested with it."""


STARTING = 60  # seconds until a daemon that we started has to answer
STOPPING = 60  # seconds until it has to be gone
INSTALL = "apt-get install docker.io, or https://docs.docker.com/engine/install/"


@dataclass(frozen=True)
class Process:
    """A process: its id, and the clock tick at which it began, so that a later one of the same id is not mistaken."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process of that id, or None where there is none (proc(5): field 22 of ``stat`` is the start
        time).
        """
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = stat.rpartition(") ")[2].split()
        return None if state == "Z" else cls(pid, fields[18])


def docker(*words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Completed:
    """Run the docker command; a non-zero status is the caller's to judge."""
    return run(["docker", *words], stdin=stdin, env=env)


def output(*words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """Return the standard output of a docker command that has to succeed; raises StackError with what it said."""
    done = docker(*words, stdin=stdin, env=env)
    if done.status:
        disk.refuse_full_disk(done.complaint, "Docker's data folder")
        said = tuple(done.complaint.splitlines()[-12:])
        raise StackError(
            f"docker {words[0]} failed", hint="docker info; then hardener stack down, and up again", details=said
        )
    return done.text


def answers() -> bool:
    """Return whether a daemon is there to be asked."""
    return shutil.which("docker") is not None and docker("version", "--format", "{{.Server.Version}}").status == 0


def memory() -> Path:
    """Return where it is which daemon we started."""
    return stamps.home() / "dockerd.json"


def ensure() -> bool:
    """Make sure that a daemon answers; returns whether it had to be started.

    Raises NoDockerError, whose hint says what to install or to start, when none can be had. The caller holds the lock
    of the stacks (:func:`hardener.proof.stack.lock`), so that two of us do not start one each.
    """
    if not shutil.which("docker"):
        raise NoDockerError("Docker is not installed", hint=INSTALL)
    asked = docker("version", "--format", "{{.Server.Version}}")
    if asked.status == 0:
        return False
    said = tuple(asked.complaint.splitlines()[-3:])
    if "permission denied" in asked.complaint:
        raise NoDockerError(
            "this user may not talk to the Docker daemon",
            hint="run as root, or: usermod --append --groups docker USER, and log in again",
            details=said,
        )
    if host := os.environ.get("DOCKER_HOST"):
        raise NoDockerError(f"no Docker daemon answers at DOCKER_HOST={host}", hint="start it, or: unset DOCKER_HOST")
    if other := running():
        raise NoDockerError(
            f"a Docker daemon runs (process {other}), but does not answer",
            hint="docker context ls; docker version",
            details=said,
        )
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        raise NoDockerError("no Docker daemon runs", hint="systemctl start docker, or run this as root", details=said)
    _start()
    return True


def running() -> int | None:
    """Return the process id of a ``dockerd`` on this machine, or None."""
    for entry in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            pid = int(entry.parent.name)
            if entry.read_text(encoding="utf-8").strip() == "dockerd" and Process.of(pid):
                return pid
    return None


def _start() -> None:
    log = stamps.home() / "dockerd.log"
    pid = start(["dockerd"], log)
    process = Process.of(pid)
    disk.write_json(memory(), vars(process) if process else {})
    until = time.monotonic() + STARTING
    while docker("version", "--format", "{{.Server.Version}}").status:
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > until:
            last = tuple(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
            raise StackError(f"the Docker daemon does not start: see {log}", hint="dockerd --debug", details=last)
        time.sleep(0.05)


def ours() -> Process | None:
    """Return the daemon that we started, if it still runs."""
    told = disk.read_json(memory())
    if not isinstance(told, dict) or not isinstance(told.get("pid"), int):
        return None
    process = Process.of(told["pid"])
    return process if process and process.began == told.get("began") else None


def stop_ours() -> bool:
    """Stop the daemon that we started, unless containers (of any user) still run; returns whether it was stopped.

    Raises StackError when it does not end.
    """
    process = ours()
    if process is None or (answers() and output("ps", "--quiet")):
        return False
    handle = os.pidfd_open(process.pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        if not ended.poll(STOPPING * 1000):
            raise StackError(f"the Docker daemon (process {process.pid}) does not end", hint=f"kill {process.pid}")
    finally:
        os.close(handle)
    memory().unlink(missing_ok=True)
    return True
