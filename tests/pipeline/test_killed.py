"""A build that is killed anywhere: the same command then makes the same archives, and dist/ never holds a half of
one.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import MANIFEST, MAPS, PATIENCE, SITE, STEPS, SUMS, Minimeet, Reference, Run, digest, listing, put_copy

MOMENTS = [round(moment, 3) for moment in random.Random(20261123).choices([n / 1000 for n in range(1, 1000)], k=10)]
EDIT = ("overlays/minimeet/config.js", "What the operator of a site sets.", "What an operator sets.")


@pytest.fixture(scope="module")
def undisturbed(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that an undisturbed build takes here, from an empty work area."""
    minimeet = Minimeet(tmp_path_factory.mktemp("undisturbed"), reference.minimeet.cache.parent)
    start = time.monotonic()
    assert minimeet.build().code == 0
    return time.monotonic() - start


@dataclass(frozen=True)
class Outdated:
    """A project with an older build in dist/, and its files as they were at two moments, to put back at their place."""

    minimeet: Minimeet
    older: dict[str, str]
    untouched: Path  # nothing of the newer build is there
    packaging: Path  # killed before the first file of the newer build took its place in dist/

    def at(self, moment: Path) -> Minimeet:
        """Put the project back to a moment."""
        put_copy(moment, self.minimeet.root)
        return self.minimeet


@pytest.fixture(scope="module")
def outdated(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Outdated:
    """Make the older build once, and of the newer one all that comes before dist/."""
    minimeet = Minimeet(tmp_path_factory.mktemp("outdated"), reference.minimeet.cache.parent)
    minimeet.edit(*EDIT)
    assert minimeet.build().code == 0
    older = listing(minimeet.dist)
    assert older[SITE] != reference.files[SITE]
    name, old, new = EDIT
    minimeet.edit(name, new, old)
    untouched, packaging = minimeet.folder / "untouched", minimeet.folder / "packaging"
    put_copy(minimeet.root, untouched)
    assert minimeet.build(driver=dies_before(SITE)).code == -signal.SIGKILL
    left = listing(minimeet.dist)
    assert [name for name in (SITE, MAPS, MANIFEST, SUMS) if left[name] != older[name]] == []
    put_copy(minimeet.root, packaging)
    return Outdated(minimeet, older, untouched, packaging)


def dies_before(name: str) -> str:
    """Return a driver that kills the build before a file takes its place in dist/."""
    return (
        "import os; replace = os.replace\n"
        f"os.replace = lambda *a: os.kill(os.getpid(), 9) if str(a[1]).endswith('/dist/{name}') else replace(*a)"
    )


def heals(minimeet: Minimeet, reference: Reference) -> Run:
    """Run the same command again and compare its output with an undisturbed build's."""
    run = minimeet.build()
    assert run.code == 0, run.stderr
    assert run.sums == reference.run.sums
    made = listing(minimeet.dist)
    names = (SITE, MAPS, SUMS, MANIFEST)
    assert {name: made[name] for name in names} == {name: reference.files[name] for name in names}
    return run


@pytest.mark.parametrize("step", STEPS)
def test_kill_after_each_step(apart: Minimeet, reference: Reference, step: str) -> None:
    """SIGKILL as soon as a step's line is there."""
    with apart.start("build") as running:
        running.until_said(step)
        running.kill()
        reference.intact(apart.dist)
        heals(apart, reference)


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_at_any_moment(apart: Minimeet, reference: Reference, undisturbed: float, moment: float) -> None:
    """SIGKILL after a share of an undisturbed build's time."""
    with apart.start("build") as running:
        deadline = time.monotonic() + moment * undisturbed
        while (left := deadline - time.monotonic()) > 0 and running.listen(left):
            pass
        running.kill()
        reference.intact(apart.dist)
        heals(apart, reference)


def test_kill_over_and_over(apart: Minimeet, reference: Reference) -> None:
    """Killed in one step after the other, each time in what the run before left behind."""
    for step in STEPS:
        with apart.start("build") as running:
            running.until_said(step)
            running.kill()
            reference.intact(apart.dist)
    heals(apart, reference)


@pytest.mark.slow
def test_kill_while_npm_installs(without_packages: Minimeet, reference: Reference) -> None:
    """SIGKILL while packages are unpacked into the cache; npm, which is not killed, must not be in the next run's
    way.
    """
    store = without_packages.cache / "node_modules"
    with without_packages.start("build") as running:
        running.until(lambda: any(store.glob("*.new/node_modules/*")))
        running.kill()
        heals(without_packages, reference)


@pytest.mark.parametrize("step", ["bundle", "package"])
def test_kill_with_an_older_build_in_dist(outdated: Outdated, reference: Reference, step: str) -> None:
    """An archive is the older one or the newer one; then the same command brings all four files up to date."""
    minimeet = outdated.at(outdated.untouched)
    with minimeet.start("build") as running:
        running.until_said(step)
        running.kill()
        for archive in reference.run.sums:
            assert digest(minimeet.dist / archive) in (outdated.older[archive], reference.files[archive])
        heals(minimeet, reference)


@pytest.mark.parametrize("name", [SITE, MAPS, MANIFEST, SUMS])
def test_kill_before_a_file_of_dist_takes_its_place(outdated: Outdated, reference: Reference, name: str) -> None:
    """Some of the four files are of an older build then: the same command brings all of them up to date."""
    minimeet = outdated.at(outdated.packaging)
    assert minimeet.build(driver=dies_before(name)).code == -signal.SIGKILL, "the control"
    left = listing(minimeet.dist)
    assert left[name] == outdated.older[name]
    for archive in (SITE, MAPS):
        assert left[archive] in (outdated.older[archive], reference.files[archive])
    heals(minimeet, reference)


def test_kill_while_an_archive_is_written(minimeet: Minimeet, reference: Reference) -> None:
    """No half archive under its name, and what was written beside it does not stay in dist/ for ever."""
    driver = (
        "import os; sync = os.fsync\n"
        "def fsync(number):\n"
        "    sync(number)\n"
        "    if '/dist/' in os.readlink(f'/proc/self/fd/{number}'): os.kill(os.getpid(), 9)\n"
        "os.fsync = fsync"
    )
    assert minimeet.build(driver=driver).code == -signal.SIGKILL
    assert minimeet.dist.exists(), "the control: it was killed in package"
    reference.intact(minimeet.dist)
    heals(minimeet, reference)
    assert set(listing(minimeet.dist)) == set(reference.files)


def test_kill_of_the_process_alone_frees_the_lock(minimeet: Minimeet, reference: Reference) -> None:
    """``kill -9 PID`` during the scan, whose workers are not killed: the next build starts nevertheless."""
    driver = (
        "import os; from concurrent.futures import ProcessPoolExecutor as Pool; submit = Pool.submit\n"
        "Pool.submit = lambda *a, **k: (submit(*a, **k), os.kill(os.getpid(), 9))"
    )
    with minimeet.start("build", driver=driver) as running:
        assert running.process.wait(PATIENCE) == -signal.SIGKILL
        with minimeet.start("build") as again:
            again.until_said("fetch", seconds=20)
            assert again.end().sums == reference.run.sums


GIT = """#!/bin/sh
case " $* " in *" fetch "*) mkdir "{folder}/asked" 2>/dev/null && read -r _ < "{folder}/answer" ;; esac
PATH="{path}" exec git "$@"
"""


class Slow:
    """A git whose first fetch begins only when it is allowed to."""

    def __init__(self, folder: Path, path: str) -> None:
        folder.mkdir()
        self.asked, self.answer = folder / "asked", folder / "answer"
        os.mkfifo(self.answer)
        (folder / "git").write_text(GIT.format(folder=folder, path=path))
        (folder / "git").chmod(0o755)
        self.env = {"PATH": f"{folder}:{path}"}

    def go_on(self) -> None:
        """Allow it."""
        with self.answer.open("w") as file:
            file.write("\n")


def children(parent: int) -> list[int]:
    """Return the git programs that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, _, rest = stat.read_text().partition(" (git) ")
            found += [int(number)] if rest and int(rest.split()[1]) == parent else []
    return found


def test_kill_of_git_alone_is_no_failure(apart: Minimeet, reference: Reference) -> None:
    """``kill -9`` of the git that fetches: the same build asks once more."""
    slow = Slow(apart.folder / "bin", apart.env["PATH"])
    with apart.start("build", env=slow.env) as running:
        running.until(slow.asked.exists)
        (fetching,) = children(running.process.pid)
        os.kill(fetching, signal.SIGKILL)
        run = running.end()
    assert run.code == 0, run.stderr
    assert run.sums == reference.run.sums


def test_a_git_that_outlives_a_killed_hardener_is_named_and_waited_for(apart: Minimeet, reference: Reference) -> None:
    """``kill -9`` of only hardener: no other process writes to the mirror beside the git that it left behind."""
    slow = Slow(apart.folder / "bin", apart.env["PATH"])
    with apart.start("build", env=slow.env) as running:
        running.until(slow.asked.exists)
        (fetching,) = children(running.process.pid)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        refused = apart.build("--no-wait")
        assert refused.code == 75
        assert re.search(rf"process {fetching}\), left by a hardener that was killed", refused.answer["error"])
        with apart.start("build") as again:
            again.until_said("note")
            slow.go_on()
            run = again.end()
    assert run.code == 0, run.stderr
    assert run.sums == reference.run.sums


@pytest.mark.parametrize("end", ["group", "git"])
@pytest.mark.parametrize("share", [round(n / 1000, 3) for n in random.Random(75).choices(range(1000), k=2)])
def test_kill_while_git_fetches(
    apart: Minimeet, reference: Reference, undisturbed: float, share: float, end: str
) -> None:
    """SIGKILL of all, or of a git that works in the mirror, at some moment of the fetch."""
    with apart.start("build") as running:
        running.until((apart.cache / "mirrors" / "minimeet.git").exists)
        deadline = time.monotonic() + share * undisturbed / 5  # the fetch is a smaller part of a build
        while time.monotonic() < deadline and running.listen(deadline - time.monotonic()):
            pass
        for number in children(running.process.pid) if end == "git" else ():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        if end == "group":
            running.kill()
        elif running.end().code == 0:
            assert digest(apart.dist / SITE) == reference.files[SITE]
        reference.intact(apart.dist)
        heals(apart, reference)


@pytest.mark.parametrize(
    ("step", "number"), [("checkout", signal.SIGINT), ("install", signal.SIGINT), ("install", signal.SIGTERM)]
)
def test_interrupt_ends_at_once_and_in_order(
    apart: Minimeet, reference: Reference, number: signal.Signals, step: str
) -> None:
    """Ctrl-C or SIGTERM: exit code 130, one line, no traceback; the same command continues."""
    # As in a shell's foreground: tests that run in the background hand on that SIGINT is ignored.
    driver = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    with apart.start("build", driver=driver) as running:
        running.until_said(step)
        os.kill(running.process.pid, number)
        run = running.end()
    assert run.code == 130, run.stderr
    assert "Traceback" not in run.stderr
    assert "the same command resumes" in run.stderr
    heals(apart, reference)


def test_two_builds_at_once(minimeet: Minimeet, reference: Reference) -> None:
    """The second waits and says for whom, or with --no-wait says who is at work and ends with 75."""
    with minimeet.start("build") as first:
        first.until_said("patch")
        first.signal(signal.SIGSTOP)  # it holds the lock for as long as this test likes
        holder = f"process {first.process.pid}"
        refused = minimeet.build("--no-wait")
        assert refused.code == 75
        assert re.search(r"^hint: +\S", refused.stderr, re.MULTILINE)
        assert refused.answer["exit"] == 75
        assert re.search(rf"{holder}\b", refused.answer["error"])
        with minimeet.start("build") as second:
            second.until_said("note")
            assert re.search(rf"{holder}\b.*waiting", second.said)
            first.signal(signal.SIGCONT)
            runs = [first.end(), second.end()]
    assert [run.code for run in runs] == [0, 0], runs[1].stderr
    assert runs[0].sums == runs[1].sums == reference.run.sums
    assert runs[1].rebuilt() == []


@pytest.mark.slow
def test_two_projects_at_once_share_one_cold_cache(without_packages: Minimeet, reference: Reference) -> None:
    """Two projects that start together with an empty mirror and store: both end well, packages are installed once."""
    other = Minimeet(without_packages.folder / "other", without_packages.cache.parent)
    with without_packages.start("build") as first, other.start("build") as second:
        runs = [first.end(), second.end()]
    assert [run.code for run in runs] == [0, 0], runs[0].stderr + runs[1].stderr
    assert runs[0].sums == runs[1].sums == reference.run.sums
    assert len(list((without_packages.cache / "node_modules").glob("*/node_modules"))) == 2  # tools and minimeet's
