"""Measuring programs: wall time, CPU time, peak memory, and how quiet the machine was meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hardener.errors import HardenerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PERIOD = 0.1  # seconds between two looks at the memory of all processes
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class BenchError(HardenerError):
    """A measured program failed, or two sides that must agree do not."""

    exit_code = 6


@dataclass(frozen=True)
class Sample:
    """One measured run.

    ``cpu`` is user and system time with all descendants. ``peak`` is the largest single process (``ru_maxrss``), in
    bytes; Linux starts that counter at the size of the program that forked, so ``floored`` means 'at most so much'.
    ``peak_all`` is the largest sum over all processes of the run, seen every 100 ms (pages that they share count in
    each). 0 means: not measured. ``load`` is the load average at the start, ``steal`` the seconds that the hypervisor
    kept, ``others`` the CPU seconds that the rest of the machine used.
    """

    wall: float
    cpu: float
    peak: int = 0
    peak_all: int = 0
    floored: bool = False
    load: float = 0.0
    steal: float = 0.0
    others: float = 0.0

    def __add__(self, then: Sample) -> Sample:
        """Return the sum of two consecutive runs: times add up, peaks do not."""
        larger = max(self, then, key=lambda sample: sample.peak)
        return Sample(
            wall=self.wall + then.wall,
            cpu=self.cpu + then.cpu,
            peak=larger.peak,
            peak_all=max(self.peak_all, then.peak_all),
            floored=larger.floored,
            load=max(self.load, then.load),
            steal=self.steal + then.steal,
            others=self.others + then.others,
        )


def measure(argv: Sequence[str | Path], *, log: Path, cwd: Path, env: Mapping[str, str]) -> Sample:
    """Run a program to its end, with its output in ``log``; raises BenchError when it fails."""
    words = [str(word) for word in argv]
    _adopt_orphans()
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    load, before = os.getloadavg()[0], _machine_times()
    with log.open("ab") as output:
        output.write(f"$ {' '.join(words)}\n".encode())
        output.flush()
        started = time.monotonic()
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with _Sampler(process.pid) as sampler, _ended_with_us(process):
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        orphans = _orphans(process.pid)
    after = _machine_times()
    if process.returncode:
        tail = log.read_text("utf-8", "replace").splitlines()[-8:]
        raise BenchError(
            f"{Path(words[0]).name} ended with {process.returncode}", hint=f"see {log}", details=tuple(tail)
        )
    cpu = usage.ru_utime + usage.ru_stime + orphans
    return Sample(
        wall=wall,
        cpu=cpu,
        peak=usage.ru_maxrss * 1024,
        peak_all=sampler.peak,
        floored=usage.ru_maxrss <= floor,
        load=load,
        steal=after[1] - before[1],
        others=max(0.0, after[0] - before[0] - cpu),
    )


def _adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends before them: Python's fork server and its workers, say."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _orphans(group: int) -> float:
    """Wait for what a program has left in its process group; returns the CPU seconds of that."""
    cpu = 0.0
    with contextlib.suppress(ChildProcessError):
        while True:
            _, _, usage = os.wait4(-group, 0)
            cpu += usage.ru_utime + usage.ru_stime
    return cpu


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the program if the benchmark is interrupted."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        raise


def _machine_times() -> tuple[float, float]:
    """Return CPU seconds that the whole machine has used, and that the hypervisor has stolen (proc_stat(5))."""
    fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(field) / _TICK for field in fields[:8])
    return user + nice + system + irq + softirq, steal


class _Sampler(threading.Thread):
    """Looks every 100 ms at the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(PERIOD):
            self.peak = max(self.peak, _resident(self.pid))


def _resident(root: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes (pages that they share count in each)."""
    parents, pages = {}, {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (ten times a second: no Path objects)
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # proc_pid_stat(5), counted from behind the command's name, which may hold anything.
                fields = file.read().rpartition(b")")[2].split()
                parents[int(name)], pages[int(name)] = int(fields[1]), int(fields[21])
    family = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    return sum(pages.get(pid, 0) for pid in family) * _PAGE


@contextlib.contextmanager
def in_process(samples: list[Sample]) -> Iterator[None]:
    """Measure a block of Python with the processes that it starts (peaks are not measured)."""
    load, before, machine, started = os.getloadavg()[0], _own_times(), _machine_times(), time.monotonic()
    yield
    wall, cpu, after = time.monotonic() - started, _own_times() - before, _machine_times()
    others = max(0.0, after[0] - machine[0] - cpu)
    samples.append(Sample(wall=wall, cpu=cpu, load=load, steal=after[1] - machine[1], others=others))


def _own_times() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
