"""lift.target: which commits a release means, read from package.json and its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.errors import PinError, UsageError
from hardener.git.history import open_history
from hardener.upstream.target import Goal, resolve
from support.lifting import World, manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.processes


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return two upstreams of this test's own, and a project that pins their first release."""
    return World(tmp_path)


@pytest.fixture
def goal(world: World) -> Callable[..., Goal]:
    """Resolve what a person typed behind --to."""

    def resolved(wanted: str, **given: str) -> Goal:
        project = config.load(world.root)
        histories = {
            component.name: open_history(component, [component.repository]) for component in project.components
        }
        return resolve(project, histories, wanted, given)

    return resolved


@pytest.mark.parametrize("wanted", ["102", "2.0.102", "stable/site_102", "refs/tags/stable/site_102"])
def test_spellings_of_a_release(world, goal, wanted):
    """Number, label, tag and full ref are the same release; the label is made as the pin's was."""
    found = goal(wanted)

    site, lib = found.target("site"), found.target("lib")
    assert (site.commit, site.release, site.ref) == (world.site2, "2.0.102", "refs/tags/stable/site_102")
    assert (lib.commit, lib.release, lib.ref) == (world.lib2, "v2.0.0", f"refs/tags/v2.0.0+{world.lib2[:8]}")
    assert "package.json" in lib.how


def test_commit_takes_the_release_that_names_it(world, goal):
    """A full or an abbreviated id."""
    assert goal(world.site2) == goal(world.site2[:10])
    assert goal(world.site2).target("site").release == "2.0.102"


def test_commit_without_a_release(world, goal):
    """Is labelled by its id and pins no ref."""
    site = goal(world.taker).target("site")

    assert (site.release, site.ref) == (world.taker[:12], "")


def test_branch_is_pinned_by_commit_alone(world, goal):
    """A branch moves: as a ref it would stop the next build."""
    site = goal("main").target("site")

    assert (site.commit, site.release, site.ref) == (world.site2, f"main-{world.site2[:8]}", "")


def test_tree_of_the_project(world, goal):
    """A [tree.NAME] means the commits that are there."""
    found = goal("next")

    assert [target.commit for target in found.targets] == [world.lib2, world.site2]


def test_tree_that_contradicts_package_json(world, goal):
    """Is not lifted to: one of the two is wrong."""
    path = world.root / "upstream.toml"
    path.write_text(path.read_text("utf-8").replace(f'lib = "{world.lib2}"', f'lib = "{world.lib1}"'), "utf-8")

    with pytest.raises(PinError, match=r"\[tree.next\] has lib at"):
        goal("next")


def test_nothing_of_that_name(goal):
    """The newest releases are offered."""
    with pytest.raises(UsageError, match="no tag, branch or commit '999'") as caught:
        goal("999")
    assert "stable/site_101, stable/site_102" in caught.value.hint


def test_tag_whose_digits_are_another_commits(world, goal):
    """A tag that was moved is a warning sign, and stops everything."""
    world.lib.tag(f"v2.0.0+{world.lib2[:8]}", commit=world.lib1)

    with pytest.raises(PinError, match="does not begin with"):
        goal("102")


def test_tag_that_is_missing(world, goal):
    """Then the digits in its name do."""
    world.lib.commit({"x": b"x"}, "Later")
    commit = world.site.commit(manifest(f"v9.9.9+{world.lib1[:8]}"), "Old library", parent=world.site2)

    lib = goal(commit).target("lib")

    assert (lib.commit, lib.ref) == (world.lib1, "")


def test_release_that_does_not_exist(world, goal):
    """Is an error that says how to name the commit by hand; by hand it works."""
    commit = world.site.commit(manifest("v9.9.9"), "Unknown library", parent=world.site2)

    with pytest.raises(PinError, match=r"lib has no 'v9\.9\.9'") as caught:
        goal(commit)
    assert "--at lib=COMMIT" in caught.value.hint
    assert goal(commit, lib=world.lib2).target("lib").commit == world.lib2


def test_lock_that_says_something_else(world, goal):
    """package.json and its lock have to name the same tarball."""
    other = manifest("v1.0.0")["package-lock.json"]
    commit = world.site.commit({"package-lock.json": other}, "Strange lock", parent=world.site2)

    with pytest.raises(PinError, match=r"its lock at"):
        goal(commit)


def test_version_of_a_registry_names_no_commit(world, goal):
    """The component stays at its pin, and a note says so."""
    content = b'{"dependencies": {"lib-fake": "^2.0.0"}}'
    commit = world.site.commit({"package.json": content}, "From the registry", parent=world.site2)

    found = goal(commit)

    assert found.target("lib").commit == world.lib1
    assert "lib stays at its pin" in found.notes[0]


def test_node_follows_nvmrc(world, goal):
    """Upstream's .nvmrc says which Node."""
    assert goal("102").node == 24
    commit = world.site.commit({".nvmrc": b"26.1\n"}, "Newer Node", parent=world.site2)
    assert goal(commit).node == 26


def test_site_goes_where_to_says(goal):
    """--at is for the others."""
    with pytest.raises(UsageError, match=r"--at site"):
        goal("102", site="101")
