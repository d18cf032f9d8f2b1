"""system/workers.py: work beside the main thread, whose programs end when the main thread gives up."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from hardener.system import locks
from hardener.system.process import Completed, run
from hardener.system.workers import Beside, GivenUpError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

# Says that it runs, and then does so for ever as far as a test is concerned.
ENDLESS = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(3600)"


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """Return a named pipe that an endless program opens when it runs."""
    pipe = tmp_path / "started"
    os.mkfifo(pipe)
    return pipe


@contextlib.contextmanager
def failing(error: type[BaseException] = ValueError) -> Iterator[Beside]:
    """Provide a block that ends with an error."""
    with contextlib.suppress(error), Beside(1) as beside:
        yield beside
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_main_thread_ends_the_programs_of_the_others(started: Path, error: type[Exception]) -> None:
    futures: list[Future[Completed]] = []
    with failing(error) as beside:
        futures.append(beside.submit(run, [sys.executable, "-c", ENDLESS, started]))
        started.read_bytes()
    assert isinstance(futures[0].exception(timeout=0), GivenUpError), "what it has said so far is no answer"


def test_what_such_a_program_has_started_ends_with_it(started: Path) -> None:
    futures: list[Future[Completed]] = []
    with failing() as beside:
        shell = '"$0" -c "$1" "$2" & wait'
        futures.append(beside.submit(run, ["sh", "-c", shell, sys.executable, ENDLESS, started]))
        started.read_bytes()
    # It could be read to its end, which the grandchild would still hold open.
    assert isinstance(futures[0].exception(timeout=0), GivenUpError)


def test_after_an_error_nothing_more_is_started(tmp_path: Path) -> None:
    at_work, mark = threading.Event(), tmp_path / "mark"

    def two(beside: Beside) -> None:
        at_work.set()
        while not beside.given_up.is_set():
            run(["true"])
        run(["touch", mark])

    futures: list[Future[object]] = []
    with failing() as beside:
        futures += [beside.submit(two, beside), beside.submit(run, ["touch", mark])]
        at_work.wait()
    assert isinstance(futures[0].exception(timeout=0), GivenUpError)
    assert futures[1].cancelled()
    assert not mark.exists()


def test_without_an_error_the_block_waits_for_all(tmp_path: Path) -> None:
    with Beside(1) as beside:
        for name in "abc":
            beside.submit(run, ["touch", tmp_path / name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_an_error_of_the_work_is_raised_where_its_result_is_asked_for() -> None:
    def fail() -> None:
        raise ArithmeticError

    with Beside(1) as beside:
        failed = beside.submit(fail)
        with pytest.raises(ArithmeticError):
            failed.result()


def test_programs_of_the_main_thread_go_on_after_such_a_block() -> None:
    with failing():
        pass
    assert run(["true"]).status == 0


def test_a_thread_that_waits_for_a_lock_gives_up(tmp_path: Path) -> None:
    """Another project may install the same packages for minutes: Ctrl-C here does not wait for that."""
    waits = threading.Event()

    def wait() -> None:
        with locks.lock(tmp_path / "lock", waiting=lambda _: waits.set()):
            pass

    futures: list[Future[None]] = []
    with locks.lock(tmp_path / "lock"), failing() as beside:
        futures.append(beside.submit(wait))
        waits.wait()
    assert isinstance(futures[0].exception(timeout=0), GivenUpError)


def test_a_thread_that_waits_for_a_lock_gets_it(tmp_path: Path) -> None:
    waits = threading.Event()

    def wait() -> str:
        with locks.lock(tmp_path / "lock", waiting=lambda _: waits.set()):
            return "mine"

    with Beside(1) as beside:
        with locks.lock(tmp_path / "lock"):
            got = beside.submit(wait)
            waits.wait()
        assert got.result() == "mine"


def test_a_lock_is_free_though_a_program_of_another_thread_has_inherited_it(tmp_path: Path, started: Path) -> None:
    """Npm of one component runs on for long after the packages of another are there and their lock is let go."""
    with failing() as beside:
        with locks.lock(tmp_path / "lock"):
            beside.submit(run, [sys.executable, "-c", ENDLESS, started])
            started.read_bytes()
        with locks.lock(tmp_path / "lock", wait=False):
            pass
