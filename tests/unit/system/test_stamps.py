"""system/stamps.py: a killed run leaves the old or the new, never a half."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import BusyError, StackError
from hardener.system import disk, locks, stamps
from support.fakes import write_files

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestHome:
    """The XDG base directory rules."""

    def test_the_variable_is_followed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert stamps.home() == tmp_path / "hardener"

    @pytest.mark.parametrize("value", ["", "relative/cache", "./cache", "~/cache"])
    def test_a_value_that_is_not_absolute_is_ignored(
        self, monkeypatch: pytest.MonkeyPatch, user_home: Path, value: str
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert stamps.home() == user_home / ".cache" / "hardener"

    def test_without_the_variable_it_is_in_the_home_directory(
        self, monkeypatch: pytest.MonkeyPatch, user_home: Path
    ) -> None:
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert stamps.home() == user_home / ".cache" / "hardener"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestKey:
    """What is the same has the same key, what is not has another."""

    @given(st.dictionaries(st.text(), VALUE, max_size=5))
    def test_the_order_of_a_dictionary_does_not_matter(self, value: dict) -> None:
        assert stamps.key(value) == stamps.key(dict(reversed(value.items())))

    @given(VALUE, VALUE)
    def test_different_values_have_different_keys(self, left: object, right: object) -> None:
        if repr(left) != repr(right) and left != right:
            assert stamps.key(left) != stamps.key(right)

    @pytest.mark.parametrize(
        ("left", "right"),
        [(("ab", "c"), ("a", "bc")), (("a",), ("a", "")), ((["a"], []), ([], ["a"])), ((1,), ("1",)), ((None,), ("",))],
    )
    def test_parts_do_not_run_into_each_other(self, left: tuple, right: tuple) -> None:
        assert stamps.key(*left) != stamps.key(*right)

    def test_paths_and_bytes_have_keys(self) -> None:
        assert stamps.key(Path("/a"), b"\xff") == stamps.key("/a", "ff")

    def test_it_is_the_same_on_every_machine(self) -> None:
        assert stamps.key("a", {"z": 1, "ö": None}) == hashlib.sha256(rb'["a",{"z":1,"\u00f6":null}]').hexdigest()


class TestFolderDigest:
    """Names and contents, nothing else."""

    def test_times_and_modes_do_not_matter(self, tmp_path: Path) -> None:
        left, right = (write_files(tmp_path / name, {"a/b": "x", "c": "y"}) for name in ("left", "right"))
        os.utime(right / "c", (1, 1))
        (right / "c").chmod(0o600)
        assert stamps.folder_digest(left) == stamps.folder_digest(right)

    @pytest.mark.parametrize("files", [{"a": "x"}, {"a": "x", "b": "z"}, {"a": "xy", "b": ""}, {"a": "y", "b": "x"}])
    def test_names_and_contents_matter(self, tmp_path: Path, files: dict[str, str]) -> None:
        left, right = write_files(tmp_path / "left", {"a": "x", "b": "y"}), write_files(tmp_path / "right", files)
        assert stamps.folder_digest(left) != stamps.folder_digest(right)

    def test_a_missing_folder_is_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert stamps.folder_digest(tmp_path / "none") == stamps.folder_digest(tmp_path / "empty")


class TestWrite:
    """Atomic writes."""

    def test_it_makes_folders_and_a_file_that_all_may_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b.txt"
        disk.write(path, b"x\r\n")
        assert path.read_bytes() == b"x\r\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    @pytest.mark.parametrize(
        "error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=["EIO", "interrupt"]
    )
    def test_a_write_that_breaks_off_leaves_the_old_content_and_no_strays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
    ) -> None:
        path = tmp_path / "a.txt"
        disk.write(path, b"old")
        with monkeypatch.context() as patched:
            patched.setattr(os, call, lambda *_: (_ for _ in ()).throw(error))
            with pytest.raises(type(error)):
                disk.write(path, b"new")
        assert path.read_bytes() == b"old"
        assert [path] == list(tmp_path.iterdir())

    def test_the_content_is_on_the_disk_before_the_name_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[str] = []
        for name in ("fsync", "replace"):
            real = getattr(os, name)
            monkeypatch.setattr(os, name, lambda *words, name=name, real=real: (calls.append(name), real(*words))[1])
        disk.write(tmp_path / "a.txt", b"x")
        assert calls == ["fsync", "replace"]

    @pytest.mark.parametrize(
        ("code", "remedy"),
        [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"), (errno.EROFS, "findmnt")],
    )
    def test_a_disk_that_takes_nothing_is_explained(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
    ) -> None:
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(code, os.strerror(code))))
        with pytest.raises(StackError, match=os.strerror(code)) as caught:
            disk.write(tmp_path / "a.txt", b"x")
        assert caught.value.exit_code == 8
        assert remedy in caught.value.hint
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_the_place_of_the_folder_is_explained(self, tmp_path: Path) -> None:
        (tmp_path / "dist").touch()
        with pytest.raises(StackError, match=r"cannot write to .*dist: ") as caught:
            disk.write(tmp_path / "dist" / "a.txt", b"x")
        assert caught.value.hint.endswith(f"ls -ld {tmp_path / 'dist'}")

    def test_a_folder_that_is_not_ours_is_explained(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        denied = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / ".a.txt.12345678"))
        monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (_ for _ in ()).throw(denied))
        with pytest.raises(StackError, match=f"cannot write to {tmp_path}: Permission denied"):
            disk.write(tmp_path / "a.txt", b"x")

    def test_other_errors_stay_what_they_are(self) -> None:
        with pytest.raises(PermissionError), disk.full_disk_explained():
            raise PermissionError(errno.EACCES, "Permission denied")


class TestJson:
    """JSON files."""

    def test_it_comes_back(self, tmp_path: Path) -> None:
        disk.write_json(tmp_path / "a.json", {"ö": [1, None], "a": "b"})
        assert disk.read_json(tmp_path / "a.json") == {"a": "b", "ö": [1, None]}
        assert (tmp_path / "a.json").read_text("utf-8").startswith('{\n  "a"')

    @pytest.mark.parametrize(
        "content", [None, b"", b"{", b"\xff\xfe", b"{'a': 1}"], ids=["missing", "empty", "half", "binary", "python"]
    )
    def test_a_damaged_file_counts_as_not_there(self, tmp_path: Path, content: bytes | None) -> None:
        if content is not None:
            (tmp_path / "a.json").write_bytes(content)
        assert disk.read_json(tmp_path / "a.json") is None


class TestStamp:
    """Stamps."""

    def test_it_stands_for_its_key_only(self, tmp_path: Path) -> None:
        stamp = stamps.Stamp(tmp_path / "x" / "stamp.json")
        assert (stamp.facts("k"), stamp.last()) == (None, {})
        stamp.set("k", {"size": 1})
        assert (stamp.facts("k"), stamp.facts("other"), stamp.last()) == ({"size": 1}, None, {"size": 1})
        stamp.clear()
        stamp.clear()
        assert (stamp.facts("k"), stamp.last()) == (None, {})

    @pytest.mark.parametrize("content", ["", "[]", "3", '{"key": "k"}', '{"key": "k", "facts": 3}', '{"facts": {}}'])
    def test_a_damaged_stamp_stands_for_nothing(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "stamp.json").write_text(content)
        assert stamps.Stamp(tmp_path / "stamp.json").facts("k") is None


class TestReplaceFolder:
    """A folder as a whole."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """Return a folder with old content."""
        return write_files(tmp_path / "folder", {"old": "x"})

    def test_it_takes_the_place_of_the_old_one(self, target: Path) -> None:
        disk.replace_folder(target, lambda new: (new / "new").write_text("y"))
        assert [path.name for path in target.iterdir()] == ["new"]
        assert [path.name for path in target.parent.iterdir()] == ["folder"]

    @pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()], ids=["error", "interrupt"])
    def test_when_filling_fails_the_old_one_stays(self, target: Path, error: BaseException) -> None:
        def fill(new: Path) -> None:
            (new / "half").write_text("y")
            raise error

        with pytest.raises(type(error)):
            disk.replace_folder(target, fill)
        assert [path.name for path in target.iterdir()] == ["old"]
        assert [path.name for path in target.parent.iterdir()] == ["folder"]

    @pytest.mark.parametrize("renames", [0, 1], ids=["before the old one is moved", "before the new one is moved"])
    def test_when_it_is_killed_there_is_the_old_one_or_none_and_the_next_run_mends_it(
        self, target: Path, renames: int
    ) -> None:
        child = os.fork()
        if child == 0:  # a child that dies without any cleaning up, at its n-th rename
            real, left = Path.rename, [renames]

            def rename(path: Path, to: Path) -> Path:
                if not left[0]:
                    os._exit(9)
                left[0] -= 1
                return real(path, to)

            Path.rename = rename  # type: ignore[method-assign]
            disk.replace_folder(target, lambda new: (new / "half").write_text("y"))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert not target.exists() or [path.name for path in target.iterdir()] == ["old"]
        disk.replace_folder(target, lambda new: (new / "new").write_text("z"))
        assert [path.name for path in target.iterdir()] == ["new"]
        assert [path.name for path in target.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("kind", ["file", "folder", "link to a folder", "dangling link", "nothing"])
def test_remove_takes_away_what_is_there_and_nothing_behind_a_link(tmp_path: Path, kind: str) -> None:
    behind = write_files(tmp_path / "behind", {"kept": "x"})
    path = tmp_path / "path"
    {
        "file": lambda: path.write_text("x"),
        "folder": lambda: write_files(path, {"a/b": "x"}),
        "link to a folder": lambda: path.symlink_to(behind),
        "dangling link": lambda: path.symlink_to(tmp_path / "none"),
        "nothing": lambda: None,
    }[kind]()
    disk.remove(path)
    assert not os.path.lexists(path)
    assert (behind / "kept").exists()


class Holder:
    """A process that holds a lock."""

    def __init__(self, path: Path) -> None:
        ready, self.go = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with locks.lock(path):
                os.write(ready[1], b"x")
                os.read(self.go[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        for end in ready:
            os.close(end)
        self.ended = False

    def end(self, *, kill: bool = False) -> None:
        """Make it let go (or die) and wait until it is gone."""
        if self.ended:
            return
        self.ended = True
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        else:
            os.write(self.go[1], b"x")
        os.waitpid(self.pid, 0)
        for end in self.go:
            os.close(end)


class TestLock:
    """One hardener at a time."""

    @pytest.fixture
    def holder(self, tmp_path: Path) -> Iterator[Holder]:
        """Return another process that holds the lock until it is asked to release it."""
        holder = Holder(tmp_path / "lock")
        yield holder
        holder.end()

    def test_without_waiting_the_holder_is_named(self, tmp_path: Path, holder: Holder) -> None:
        lock = locks.lock(tmp_path / "lock", wait=False, waiting=lambda _: pytest.fail("it waits"))
        with pytest.raises(BusyError, match=f"process {holder.pid} ") as caught, lock:
            pass
        assert caught.value.exit_code == 75
        assert "--no-wait" in caught.value.hint

    def test_the_second_one_waits_and_is_told_for_whom(self, tmp_path: Path, holder: Holder) -> None:
        told: list[str] = []

        def waiting(who: str) -> None:
            told.append(who)
            holder.end()

        with locks.lock(tmp_path / "lock", waiting=waiting):
            assert told == [f"hardener, process {holder.pid}"]

    def test_the_lock_of_one_that_died_is_free(self, tmp_path: Path, holder: Holder) -> None:
        holder.end(kill=True)
        with locks.lock(tmp_path / "lock", wait=False):
            pass

    def test_it_is_free_after_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), locks.lock(tmp_path / "lock"):
            raise RuntimeError
        with locks.lock(tmp_path / "lock", wait=False):
            assert (tmp_path / "lock").read_text() == f"hardener, process {os.getpid()}"


def test_the_digest_of_a_folder_is_about_its_files_wherever_it_lies(tmp_path: Path) -> None:
    for folder in ("plain", "__pycache__/project"):
        write_files(tmp_path / folder, {"a": "1", "__pycache__/a.pyc": folder})
    assert stamps.folder_digest(tmp_path / "__pycache__/project") == stamps.folder_digest(tmp_path / "plain")


def test_half_of_a_surrogate_pair_comes_back_from_json(tmp_path: Path) -> None:
    disk.write_json(tmp_path / "facts.json", {"text": "a\ud800b"})
    assert disk.read_json(tmp_path / "facts.json") == {"text": "a\ud800b"}
