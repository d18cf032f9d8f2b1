"""Work beside the main thread, whose programs end when the main thread gives up.

A build installs packages for one component while it bundles another. When the bundler fails, or a person presses
Ctrl-C, it would take too long to wait for npm.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")

_thread = threading.local()


class GivenUpError(Exception):
    """The main thread has given up: no program is started any more. It stays in a future that is never read."""


class Beside:
    """Threads for a ``with`` block, which ends when they have ended; with an error, their programs are ended first."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, initializer=self._mark)
        self._lock = threading.Lock()
        self._programs: set[subprocess.Popen[bytes]] = set()
        self.given_up = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            self._give_up()
        try:
            self._pool.shutdown(cancel_futures=kind is not None)
        except KeyboardInterrupt:
            # What a thread is in the middle of still has to end before the caller releases a lock.
            self._give_up()
            self._pool.shutdown(cancel_futures=True)
            raise

    def submit(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Start ``work`` in a thread; the future has its result, or raises its error where it is asked for it."""
        return self._pool.submit(work, *arguments, **named)

    def _give_up(self) -> None:
        with self._lock:
            self.given_up.set()
            for program in self._programs:
                end(program)

    def _mark(self) -> None:
        _thread.beside = self

    @contextlib.contextmanager
    def holding(self, program: subprocess.Popen[bytes]) -> Iterator[None]:
        """Note a program for as long as it runs in one of the threads."""
        with self._lock:
            self._programs.add(program)
            if self.given_up.is_set():
                end(program)
        try:
            yield
        finally:
            with self._lock:
                self._programs.discard(program)


def refuse_when_given_up() -> None:
    """Raise GivenUpError in a thread whose block has ended with an error."""
    pause(0)


def pause(seconds: float) -> None:
    """Wait in a thread of a block; raise GivenUpError as soon as that has ended with an error."""
    if (beside := _here()) and beside.given_up.wait(seconds):
        raise GivenUpError


def is_here() -> bool:
    """Return whether this is a thread of a block."""
    return _here() is not None


def holding(program: subprocess.Popen[bytes]) -> contextlib.AbstractContextManager[None]:
    """End a program that runs when the main thread gives up. In the main thread this does nothing."""
    beside = _here()
    return beside.holding(program) if beside else contextlib.nullcontext()


def _here() -> Beside | None:
    return getattr(_thread, "beside", None)


def end(program: subprocess.Popen[bytes]) -> None:
    """Ask a program that leads a process group of its own, and all that it started, to end."""
    if program.returncode is None:  # it has not been waited for: its number is still its own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
