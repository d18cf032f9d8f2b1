"""Run all subprocesses.

Everything that hardener starts goes through :func:`run`, so that there is one place that logs argv, directory and
duration, one place that cleans the environment, and one place that turns a missing program into a clear error.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import StackError
from hardener.system import locks, workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

log = logging.getLogger("hardener.system.process")

# Variables that would change what git, npm or node do without standing in our command lines. Those that only say how
# to reach the network (proxies, certificate stores, a registry mirror) stay: content is checked by id and integrity.
# npm reads its own variables in capitals, too, so names are compared without case.
_DROPPED = frozenset(
    "language git_dir git_work_tree git_index_file git_object_directory git_alternate_object_directories git_prefix"
    " git_config_parameters git_config_count node_options node_env node_path npm_config_omit npm_config_include".split()
)
# All that code of upstream and of its packages (bundler configuration, loaders, Makefile, linters) is given. Tokens and
# passwords are none of its business, and what it could read unseen (SASS_PATH, MAKEFLAGS) would be in no step's key.
_FOR_UPSTREAM = frozenset("PATH HOME USER LOGNAME TMPDIR TEMP TMP".split())


@dataclass(frozen=True)
class Completed:
    """A finished process: its exit status, output bytes and wall time in seconds."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Standard output as text, without the line end."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")

    @property
    def complaint(self) -> str:
        """Return what the process said on standard error (or, if it was silent there, on standard output)."""
        return (self.stderr or self.stdout).decode("utf-8", "replace").strip()


def environment(extra: Mapping[str, str] | None = None, *, upstreams: bool = False) -> dict[str, str]:
    """Return the environment for a child: ours, less what would change its behaviour unseen, in a fixed locale.

    A child that runs ``upstreams`` code gets a few variables of ours and nothing else.
    """
    names = {name for name in os.environ if name.lower() not in _DROPPED}
    env = {name: os.environ[name] for name in (names & _FOR_UPSTREAM if upstreams else names)}
    env |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return env | dict(extra or {})


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    upstreams: bool = False,
) -> Completed:
    """Run one program to its end and return what it did; a non-zero status is the caller's to judge.

    ``env`` is added to the cleaned environment, which ``upstreams`` code gets little of (see :func:`environment`). The
    child gets its own process group, so that an interrupt ends its children too. Raises StackError when the program is
    not there or is killed, and GivenUpError in a thread of a block (see system/workers.py) that has ended with an
    error.
    """
    words = tuple(str(word) for word in argv)
    workers.refuse_when_given_up()
    started = time.monotonic()
    try:
        with locks.spawning:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=environment(env, upstreams=upstreams),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=tuple(locks.held_locks),
            )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise StackError(
            f"cannot run {words[0]} (in {cwd or '.'}): {error.strerror}", hint="hardener doctor"
        ) from error
    with process:  # closes the pipes and waits, whatever happens
        try:
            with workers.holding(process):
                stdout, stderr = process.communicate(stdin)
        except BaseException:
            workers.end(process)
            raise
    seconds = time.monotonic() - started
    log.debug("%s (in %s): status %d, %.2f s", " ".join(words), cwd or ".", process.returncode, seconds)
    done = Completed(words, process.returncode, stdout, stderr, seconds)
    if done.status and done.complaint:
        log.debug("it said:\n%s", done.complaint)
    workers.refuse_when_given_up()  # its output may be truncated, and is not an answer
    if process.returncode == -signal.SIGKILL:  # by the kernel when memory runs out, or by a person
        raise StackError(
            f"{words[0]} was killed while it ran: {' '.join(words[:8])}",
            hint="see whether memory ran out (dmesg); the same command resumes where it stopped",
        )
    return done


def start(argv: Sequence[str], log_file: Path) -> int:
    """Start a program that outlives us, in a session of its own, and return its process id.

    What it writes goes to ``log_file``. It inherits no lock (Python's files are closed in it). Raises StackError when
    the program is not there.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.fspath(log_file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        with locks.spawning:
            pid = os.posix_spawnp(argv[0], list(argv), environment(), file_actions=actions, setsid=True)
    except OSError as error:
        raise StackError(f"cannot start {argv[0]}: {error.strerror}", hint="hardener doctor") from error
    log.debug("%s: started as process %d, output in %s", " ".join(argv), pid, log_file)
    return pid
