"""A lift that is killed anywhere: --continue then makes the same files and commits as an undisturbed lift."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from support.fakes import lines
from support.lifting import OURS, World

if TYPE_CHECKING:
    from collections.abc import Callable

KILLED = 137
SETTLED = ("--confirm", "README.md", "--drop", "static/old.html")


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Make both upstreams and the project once."""
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    # Commits of two lifts are compared, so they are made at one time.
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "1700000000 +0000")


def in_child(world: World, words: tuple[str, ...], dies_at: int) -> tuple[int, int]:
    """Run `hardener lift` in a child process that dies, without a word, before its n-th outside effect.

    Effects are programs that are started and files that are put in place. Returns the exit code and how many effects
    there were.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            count = len(file.read())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count
    counted = 0

    def effect(function: Callable) -> Callable:
        def wrapped(*args, **keywords):
            nonlocal counted
            counted += 1
            os.write(writer, b".")
            if counted == dies_at:
                os._exit(KILLED)
            return function(*args, **keywords)

        return wrapped

    subprocess.Popen.__init__ = effect(subprocess.Popen.__init__)
    Path.replace = effect(Path.replace)
    Path.rename = effect(Path.rename)
    Path.unlink = effect(Path.unlink)
    os._exit(main.main(["lift", "--project", str(world.root), "--quiet", *words]))


def finish(world: World) -> None:
    """Continue, as a person would, until the lift is through."""
    for _ in range(8):
        file = world.tree() / "src/b.js"
        if not (world.root / ".work/lift/state.json").exists():
            if "site2" in world.read("upstream.toml") or world.site2 in world.read("upstream.toml").split("[tree")[0]:
                return
            words = ("--to", "102")
        else:
            words = ("--continue",)
            if file.exists() and b"<<<<<<<" in file.read_bytes():
                file.write_bytes(lines(l12=OURS, l29="elsewhere"))
            if "lists" in (world.root / ".work/lift/state.json").read_text("utf-8"):
                words += SETTLED
        code, _ = in_child(
            world, (*words, *(("--drop", "taken") if "taken.patch" in world.read("patches/site/series") else ())), 0
        )
        assert code in (0, 5)
    raise AssertionError("the lift does not come to its end")


def outcome(world: World) -> tuple[dict[str, bytes], str]:
    """Return what a lift leaves behind: files, and commits with their content."""
    return world.files(), world.git("log", "--format=%T %s")


@pytest.fixture(scope="module")
def stages() -> dict[str, tuple[str, ...]]:
    """Return the commands of a whole lift, in order."""
    return {
        "start": ("--to", "102", "--drop", "taken"),
        "resolved": ("--continue",),
        "settled": ("--continue", *SETTLED),
    }


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["start", "resolved", "settled"])
def test_killed_before_each_effect(upstreams: World, tmp_path: Path, stages, stage: str) -> None:
    """Every eleventh program or file of each command, from beginning to end, is one that it does not live to see."""
    world, kept = upstreams.copy(tmp_path / "world"), tmp_path / "kept"
    for earlier, words in stages.items():
        if earlier == stage:
            break
        assert in_child(world, words, 0)[0] == 5
        (world.tree() / "src/b.js").write_bytes(lines(l12=OURS, l29="elsewhere"))
    shutil.copytree(world.root, kept, symlinks=True)
    code, effects = in_child(world, stages[stage], 0)
    assert code == (0 if stage == "settled" else 5)
    if stage == "start":
        (world.tree() / "src/b.js").write_bytes(lines(l12=OURS, l29="elsewhere"))
    finish(world)
    whole = outcome(world)
    assert effects > 40
    deaths = 0
    for moment in range(1, effects + 1, 11):
        shutil.rmtree(world.root)  # and back at the same place: its repositories name each other by their paths
        shutil.copytree(kept, world.root, symlinks=True)
        if in_child(world, stages[stage], moment)[0] != KILLED:
            break  # the first run had the cache to fill, and so more to do
        deaths += 1
        finish(world)

        assert outcome(world) == whole, f"killed before effect {moment} of {effects}"
    assert deaths > 4
