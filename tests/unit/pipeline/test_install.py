"""pipeline/install.py: a work tree gets its packages once, and its own built packages whenever they change. No Node
runs here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.config import Component
from hardener.errors import InstallError, StackError
from hardener.pipeline import install
from hardener.pipeline.checkout import WorkTree
from hardener.system import disk, node, stamps
from hardener.system.process import Completed
from support.fakes import write_files

if TYPE_CHECKING:
    from hardener.pipeline.install import Installed

SITE = Component("site", "../x", "a" * 40, "v1", recipe="webpack")
CONTENT = {"a/index.js": "x", "a+b/no.js": "", "@s/c/c.txt": "one\ntwo\nthree\n", ".package-lock.json": "{}"}
PATCH = (
    "diff --git a/node_modules/@s/c/c.txt b/node_modules/@s/c/c.txt\nindex 1..2 100644\n"
    "--- a/node_modules/@s/c/c.txt\n+++ b/node_modules/@s/c/c.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n"
)


class World:
    """A work tree, with npm and the recipe replaced by stand-ins."""

    def __init__(self, tmp_path: Path) -> None:
        self.work = WorkTree(write_files(tmp_path / "tree", {"package.json": "{}"}), "t1", fresh=True)
        self.lock = b'{"lockfileVersion": 3}'
        self.derived = 0
        self.installed = 0

    def recipe(self, name: str, job: dict[str, object], **_: object) -> dict[str, int]:
        """Replace webdeps.mjs."""
        assert name == "webdeps.mjs"
        self.derived += 1
        write_files(Path(str(job["out"])), {"package.json": "{}", "package-lock.json": self.lock})
        return {"packages": 2, "of": 5}

    def npm_ci(self, folder: Path) -> None:
        """Replace npm ci."""
        self.installed += 1
        write_files(folder / "node_modules", CONTENT)

    def install(self, built: dict[str, Path] | None = None, component: Component = SITE) -> Installed:
        """Install, and put what we built in its place."""
        packages = install.install(component, self.work, "rspack", tuple(built or {}))
        return install.provide(self.work, packages, built) if built else packages

    @property
    def modules(self) -> Path:
        """Return the work tree's node_modules."""
        return self.work.path / "node_modules"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world without Node."""
    world = World(tmp_path)
    monkeypatch.setattr(node, "recipe", world.recipe)
    monkeypatch.setattr(node, "npm_ci", world.npm_ci)
    return world


def test_a_component_without_recipe_needs_no_packages(world: World) -> None:
    assert world.install(component=Component("x", "../x", "a" * 40, "v1")).packages == 0
    assert (world.derived, world.installed) == (0, 0)
    assert not world.modules.exists()


def test_packages_are_hard_links_to_the_store(world: World) -> None:
    done = world.install()
    assert (done.packages, done.of, done.fresh) == (2, 5, True)
    assert (world.modules / "a/index.js").read_text() == "x"
    assert (world.modules / "a/index.js").stat().st_nlink == 2


def test_the_second_time_nothing_is_done(world: World) -> None:
    first, second = world.install(), world.install()
    assert (second.fresh, second.key) == (False, first.key)
    assert (world.derived, world.installed) == (1, 1)


def test_another_tree_with_the_same_lock_keeps_the_packages(world: World) -> None:
    first = world.install()
    inode = world.modules.stat().st_ino
    world.work = WorkTree(world.work.path, "t2", fresh=True)
    second = world.install()
    assert (second.fresh, second.key, world.installed) == (True, first.key, 1)
    assert inode == world.modules.stat().st_ino


def test_another_lock_brings_other_packages(world: World) -> None:
    first = world.install()
    write_files(world.modules, {"left-over.js": "x"})
    world.work, world.lock = WorkTree(world.work.path, "t2", fresh=True), b'{"lockfileVersion": 2}'
    assert first.key != world.install().key
    assert world.installed == 2
    assert not (world.modules / "left-over.js").exists()


def test_a_change_of_packages_that_breaks_off_leaves_no_half_for_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the packages before are removed, and then those are wanted again."""
    world.install()
    with monkeypatch.context() as patched:

        def half(path: Path) -> None:
            if path == world.modules:
                (path / "a/index.js").unlink()
                raise KeyboardInterrupt

        patched.setattr(install.disk, "remove", half)
        world.work, lock, world.lock = replace(world.work, key="t2"), world.lock, b'{"lockfileVersion": 2}'
        with pytest.raises(KeyboardInterrupt):
            world.install()
    world.work, world.lock = replace(world.work, key="t1"), lock
    assert world.install().fresh
    assert (world.modules / "a/index.js").read_text() == "x"


def test_removed_packages_are_put_back(world: World) -> None:
    world.install()
    disk.remove(world.modules)
    assert world.install().fresh
    assert (world.modules / "a/index.js").exists()


class TestBuilt:
    """Packages of ours in the place of upstream's."""

    def test_they_take_their_place(self, world: World, tmp_path: Path) -> None:
        ours = write_files(tmp_path / "ours", {"package.json": '{"name": "@s/c"}', "lib/x.js": "ours"})
        world.install({"@s/c": ours})
        assert (world.modules / "@s/c/lib/x.js").read_text() == "ours"
        assert not (world.modules / "@s/c/c.txt").exists()

    def test_the_store_stays_as_it_was(self, world: World, tmp_path: Path) -> None:
        world.install({"a": write_files(tmp_path / "ours", {"index.js": "ours"})})
        (store,) = (stamps.home() / "node_modules").glob("*/node_modules")
        assert (store / "a/index.js").read_text() == "x"

    def test_when_they_change_they_are_put_anew_and_nothing_else(self, world: World, tmp_path: Path) -> None:
        ours = write_files(tmp_path / "ours", {"x.js": "1"})
        first = world.install({"lib": ours})
        write_files(ours, {"x.js": "2"})
        second = world.install({"lib": ours})
        assert first.key != second.key
        assert (world.modules / "lib/x.js").read_text() == "2"
        assert (world.derived, world.installed) == (1, 1)

    def test_when_they_stay_they_are_left_alone(self, world: World, tmp_path: Path) -> None:
        ours = write_files(tmp_path / "ours", {"x.js": "1"})
        world.install({"lib": ours})
        inode = (world.modules / "lib").stat().st_ino
        world.install({"lib": ours})
        assert inode == (world.modules / "lib").stat().st_ino

    def test_a_copy_that_breaks_off_is_made_good(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours = write_files(tmp_path / "ours", {"x.js": "1", "y.js": "2"})
        world.install({"lib": ours})
        write_files(ours, {"x.js": "3"})
        with monkeypatch.context() as patched:
            patched.setattr(install.shutil, "copytree", half_a_copy)
            with pytest.raises(KeyboardInterrupt):
                world.install({"lib": ours})
        world.install({"lib": ours})
        assert {path.name: path.read_text() for path in (world.modules / "lib").iterdir()} == {"x.js": "3", "y.js": "2"}


def half_a_copy(_source: Path, target: Path) -> None:
    """shutil.copytree, interrupted."""
    target.mkdir()
    (target / "x.js").write_text("3")
    raise KeyboardInterrupt


class TestUpstreamsPatches:
    """Upstream's own patch-package files."""

    def test_those_of_installed_packages_are_applied(self, world: World) -> None:
        write_files(
            world.work.path, {"patches/@s+c+1.0.0.patch": PATCH, "patches/react-native+1.0.0.patch": "not even a patch"}
        )
        assert world.install().patched == ("@s+c+1.0.0.patch",)
        assert (world.modules / "@s/c/c.txt").read_text() == "one\nTWO\nthree\n"

    def test_one_that_does_not_apply_stops_the_build_and_stores_nothing(self, world: World) -> None:
        write_files(world.work.path, {"patches/@s+c+1.0.0.patch": PATCH.replace("-two", "-2")})
        with pytest.raises(InstallError, match=r"@s\+c\+1\.0\.0\.patch does not apply") as caught:
            world.install()
        assert (caught.value.exit_code, bool(caught.value.hint)) == (6, True)
        assert list((stamps.home() / "node_modules").glob("*/node_modules")) == []
        assert not world.modules.exists()

    def test_the_users_git_configuration_has_no_influence(self, world: World, user_home: Path) -> None:
        (user_home / ".gitconfig").write_text("[core]\n\tautocrlf = true\n[apply]\n\twhitespace = fix\n")
        write_files(world.work.path, {"patches/@s+c+1.0.0.patch": PATCH})
        world.install()
        assert (world.modules / "@s/c/c.txt").read_bytes() == b"one\nTWO\nthree\n"

    def test_another_patch_makes_another_store(self, world: World) -> None:
        first = world.install()
        write_files(world.work.path, {"patches/@s+c+1.0.0.patch": PATCH})
        world.work = WorkTree(world.work.path, "t2", fresh=True)
        assert first.key != world.install().key


class TestLink:
    """Hard links, or copies, or an error."""

    def fail(self, monkeypatch: pytest.MonkeyPatch, complaint: str, *, links_only: bool = False) -> None:
        """Make cp complain."""
        real = install.run

        def run(words: list[str | Path], **more: object) -> Completed:
            if words[0] == "cp" and ("--link" in words or not links_only):
                return Completed(tuple(map(str, words)), 1, b"", complaint.encode(), 0.0)
            return real(words, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(install, "run", run)

    def test_across_file_systems_copies_are_made(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, "cp: cannot create hard link: Invalid cross-device link", links_only=True)
        world.install()
        assert (world.modules / "a/index.js").stat().st_nlink == 1

    def test_a_full_disk_is_explained(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, "cp: error writing 'x': No space left on device")
        with pytest.raises(StackError) as caught:
            world.install()
        assert (caught.value.exit_code, bool(caught.value.hint)) == (8, True)
        assert not world.modules.exists()

    def test_anything_else_is_an_install_error(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, "cp: something else")
        with pytest.raises(InstallError, match="something else") as caught:
            world.install()
        assert (caught.value.exit_code, bool(caught.value.hint)) == (6, True)


def test_the_stamp_is_not_shared_with_the_store(world: World) -> None:
    """A stamp written through a hard link would land in the store of all projects."""
    world.install()
    (store,) = (stamps.home() / "node_modules").glob("*/node_modules")
    assert not (store / ".hardener.json").exists()
    assert json.loads((world.modules / ".hardener.json").read_text())["facts"]["store"] == store.parent.name
