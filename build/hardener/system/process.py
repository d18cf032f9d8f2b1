"""Run all subprocesses.

Everything that hardener starts goes through :func:`run`, so that there is one place that logs argv, directory and
duration, one place that cleans the environment, and one place that turns a missing program into a clear error.
"""

from __future__ import annotations

import logging
import os
import re
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

# The variables that programs are given: how to find programs and folders, and how to reach the network (proxies,
# certificate stores, a registry, credentials). Content is checked by id and integrity, so those cannot change a result.
# Any other variable stays away: git, npm, node, Python and the dynamic linker know hundreds that change an answer
# without a word in our command lines. npm and proxies read both cases, so names are compared in lower case.
_PASSED = re.compile(
    r"path|home|user|logname|shell|term|tmpdir|temp|tmp|xdg_\w+|hardener_\w+|no_color|gnupghome"
    r"|(?:https?|all|ftp|no)_proxy"
    r"|ssl_cert_(?:file|dir)|requests_ca_bundle|curl_ca_bundle|node_extra_ca_certs"
    r"|git_(?:ssl_\w+|ssh|ssh_command|ssh_variant|askpass|proxy_command|http_proxy_authmethod|terminal_prompt)"
    r"|ssh_(?:auth_sock|agent_pid|askpass|askpass_require)|display|docker_\w+"
    r"|npm_token|node_auth_token|npm_config_(?://.*|.*:registry|registry|cache|ca|cafile|https?_proxy|proxy|noproxy"
    r"|strict_ssl|userconfig|globalconfig|_auth\w*|fetch_\w+|maxsockets)"
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
        """Return standard output as text, without the line end."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")

    @property
    def complaint(self) -> str:
        """Return what the process said on standard error (or, if it was silent there, on standard output)."""
        return (self.stderr or self.stdout).decode("utf-8", "replace").strip()


def environment(extra: Mapping[str, str] | None = None, *, upstreams: bool = False) -> dict[str, str]:
    """Return the environment for a child: what it needs of ours (:data:`_PASSED`), in a fixed locale.

    A child that runs ``upstreams`` code gets a few variables of ours and nothing else.
    """
    names = {name for name in os.environ if is_passed(name)}
    env = {name: os.environ[name] for name in (names & _FOR_UPSTREAM if upstreams else names)}
    env |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return env | dict(extra or {})


def is_passed(name: str) -> bool:
    """Return whether programs are given a variable of this name."""
    return _PASSED.fullmatch(name.lower()) is not None


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
