"""system/transaction.py: a failure or a kill at any moment leaves all files old, or all new."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.errors import StackError
from hardener.system import disk, transaction
from support.fakes import write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEFORE = {"a/one": b"old", "a/goes": b"old", "b/two": b"old"}
FSYNC = os.fsync
AFTER = {"a/one": b"new", "b/two": b"new", "b/more/fresh": b"new"}


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the old files."""
    return write_files(tmp_path, BEFORE)


def files(project: Path) -> dict[str, bytes]:
    """Return all files but those of the work area."""
    found = {path.relative_to(project).as_posix(): path for path in project.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".work/")}


def commit(project: Path) -> None:
    """Turn the old files into the new ones."""
    names = sorted({*BEFORE, *AFTER})
    transaction.commit({project / name: AFTER.get(name) for name in names}, project / ".work")


def cut(monkeypatch: pytest.MonkeyPatch, at: int, error: Callable[[], BaseException], *, ever_after: bool) -> None:
    """Let the write, move or removal number ``at`` fail, and where ``ever_after`` all behind it."""
    numbers = itertools.count()

    def wrap(whole: Callable[..., object]) -> Callable[..., object]:
        def step(*words: object, **more: object) -> object:
            number = next(numbers)
            if number == at or (ever_after and number > at):
                if whole is FSYNC:  # in the middle of a write
                    os.ftruncate(words[0], 1)  # type: ignore[arg-type]
                raise error()
            return None if whole is FSYNC else whole(*words, **more)

        return step

    for holder, name in ((Path, "replace"), (Path, "rename"), (Path, "unlink"), (os, "fsync"), (Path, "chmod")):
        monkeypatch.setattr(holder, name, wrap(getattr(holder, name)))


def moments(
    project: Path, error: Callable[[], BaseException], *, ever_after: bool
) -> list[tuple[dict[str, bytes], dict[str, bytes]]]:
    """Cut the run at each moment; the files after each cut, and after the next command."""
    found = []
    for at in itertools.count():
        for name in files(project):
            (project / name).unlink()
        write_files(project, BEFORE)
        with pytest.MonkeyPatch.context() as patch:
            cut(patch, at, error, ever_after=ever_after)
            try:
                commit(project)
            except (Killed, StackError):
                at_once = files(project)
            else:
                return found
        transaction.settle(project / ".work")
        found.append((at_once, files(project)))
    raise AssertionError


def test_a_failure_at_any_write_leaves_every_file_as_it_was(project: Path) -> None:
    found = moments(project, lambda: PermissionError(13, "denied", "x"), ever_after=False)
    assert len(found) > 3 * len(AFTER)
    # A file that cannot be cleared up afterwards is cleared up by the next command; no content is mixed at any time.
    assert all(settled in (BEFORE, AFTER) for _, settled in found)
    assert all(whole(at_once) in (whole(BEFORE), whole(AFTER)) for at_once, _ in found)


def whole(state: dict[str, bytes]) -> dict[str, bytes | None]:
    """Return the content of each file that is in either state."""
    return {name: state.get(name) for name in {*BEFORE, *AFTER}}


def test_a_kill_at_any_moment_is_settled_by_the_next_command(project: Path) -> None:
    found = moments(project, Killed, ever_after=True)
    mixed = [at_once for at_once, _ in found if whole(at_once) not in (whole(BEFORE), whole(AFTER))]
    assert mixed, "the control: without the journal, some moments leave a mixture"
    assert all(settled in (BEFORE, AFTER) for _, settled in found)
    assert {settled == BEFORE for _, settled in found} == {True, False}


def test_the_mode_of_a_file_that_is_put_back_and_a_link_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "a/one").chmod(0o755)
    (project / "link").symlink_to("b/two")
    transaction.commit({project / "link": b"through"}, project / ".work")
    assert (project / "link").is_symlink()
    assert (project / "b/two").read_bytes() == b"through"
    monkeypatch.setattr(disk, "write_json", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        commit(project)
    assert (project / "a/one").stat().st_mode & 0o777 == 0o755


def test_a_killed_run_is_not_finished_in_the_original_of_a_copy(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction._Move, "forward", lambda _: (_ for _ in ()).throw(Killed))
        patch.setattr(transaction._Move, "back", lambda _: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            commit(project)
    killed = files(project)
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    transaction.settle(copy / ".work")
    assert files(copy) == BEFORE
    assert files(project) == killed
    transaction.settle(project / ".work")
    assert files(project) == BEFORE


def refuse_moves_of_new(move: Callable[[Path, str], Path]) -> Callable[[Path, str], Path]:
    """Return Path.replace that fails for a new content."""

    def refuse(path: Path, target: str) -> Path:
        if path.name.endswith(".new"):
            raise PermissionError(13, "denied", str(path))
        return move(path, target)

    return refuse


def test_a_link_that_goes_goes_without_its_target_and_comes_back_as_a_link(project: Path) -> None:
    (project / "link").symlink_to("b/two")
    transaction.commit({project / "link": None}, project / ".work")
    assert files(project) == BEFORE
    assert not os.path.lexists(project / "link")
    (project / "link").symlink_to("b/two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", refuse_moves_of_new(Path.replace))
        with pytest.raises(StackError):
            transaction.commit({project / "link": None, project / "a/one": b"new"}, project / ".work")
    assert (project / "link").readlink() == Path("b/two")
    assert files(project) == BEFORE | {"link": b"old"}


def test_a_file_that_another_process_wrote_while_waiting_is_not_removed_by_a_failure(project: Path) -> None:
    fresh = project / "b/more/fresh"

    @contextlib.contextmanager
    def lock(_: Path, **_waiting: object) -> Iterator[None]:
        write_files(project, {"b/more/fresh": b"of another"})
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction.locks, "lock", lock)
        patch.setattr(transaction._Move, "forward", lambda _: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            commit(project)
    assert fresh.read_bytes() == b"of another"
