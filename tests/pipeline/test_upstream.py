"""The real pinned trees, where the developer's cache holds them: the series fits, and the web-only set is upstream's
own.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.git.fetch import _wanted, mirror_of
from hardener.git.repository import Repository
from hardener.pipeline.checkout import checkout
from hardener.series.check import check
from hardener.system import node
from hardener.ui import UI

if TYPE_CHECKING:
    from hardener.config import Component, Project
    from hardener.series.apply import Applied

    from .conftest import Reference

pytestmark = [pytest.mark.upstream]

ROOT = Path(__file__).resolve().parents[2]
TREES = ("pin", "master")


@pytest.fixture
def project(developers_cache: Path, tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Provide the real project, with the developer's mirrors and the session's npm packages as its cache."""
    if not (developers_cache / "mirrors").is_dir():
        pytest.skip(
            f"needs the pinned commits in {developers_cache / 'mirrors'}: hardener check && hardener check --tree master"
        )
    (tmp_path / "hardener").mkdir()
    (tmp_path / "hardener" / "mirrors").symlink_to(developers_cache / "mirrors")
    (tmp_path / "hardener" / "node_modules").symlink_to(reference.minimeet.cache / "node_modules")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    node.tools.cache_clear()
    return config.load(ROOT)


def at(project: Project, tree: str) -> list[Component]:
    """Return the components at a tree; skipped where the mirrors do not hold it."""
    commits = {} if tree == "pin" else project.trees[tree]
    components = [c.at(commits[c.name]) if c.name in commits else c for c in project.components]
    for component in components:
        if not mirror_of(component).exists() or _wanted(Repository(mirror_of(component)), component) != []:
            more = f" --tree {tree}" if tree != "pin" else ""
            pytest.skip(
                f"needs {component.name} {component.commit[:12]} in the cache: HARDENER_UPSTREAM=... hardener check{more}"
            )
    return components


def applied(project: Project, tree: str) -> tuple[Applied, ...]:
    """Return the series of all components on a tree."""
    at(project, tree)
    # A source that nothing can be fetched from: what is not in the cache is an error.
    nowhere = {c.name: os.devnull for c in project.components}
    checked = check(project, tree, nowhere, dt.datetime.now(dt.UTC).date(), UI(quiet=True))
    assert checked.findings == ()
    return checked.applied


@pytest.mark.parametrize("tree", TREES)
def test_series_and_overlays_fit(project: Project, tree: str) -> None:
    """All patches, removals and overlays of all components fit, and there are some."""
    results = applied(project, tree)
    assert [result.component for result in results] == ["strophejs", "lib-jitsi-meet", "jitsi-meet"]
    assert all(result.fits for result in results)
    for result, component in zip(results, project.components, strict=True):
        assert len(result.results) == len(list(project.patches(component).glob("*.patch")))
    assert sum(len(result.results) for result in results) > 0


@pytest.mark.parametrize("tree", TREES)
def test_patched_commits_are_the_same_on_two_runs(project: Project, tree: str) -> None:
    """The patched commit is a function of pin and series."""
    first, second = (
        [(result.component, result.commit, result.tree) for result in applied(project, tree)] for _ in range(2)
    )
    assert first == second


def test_pin_and_master_are_two_trees(project: Project) -> None:
    """The control of the tests above: they look at different commits."""
    pin, master = ({result.component: result.base for result in applied(project, tree)} for tree in TREES)
    assert pin["jitsi-meet"] != master["jitsi-meet"]
    assert pin["lib-jitsi-meet"] != master["lib-jitsi-meet"]


@pytest.mark.parametrize("toolchain", config.TOOLCHAINS)
@pytest.mark.parametrize("tree", TREES)
def test_web_only_set_is_upstreams_lock_with_less_in_it(
    project: Project, tmp_path: Path, tree: str, toolchain: str
) -> None:
    """Every entry of the derived lock is in upstream's, word for word; nothing native, nothing of ours is in it."""
    component = next(component for component in at(project, tree) if component.name == "jitsi-meet")
    mirror = mirror_of(component)
    work = checkout(component, mirror, Repository(mirror).tree_of(component.commit), tmp_path / "tree")
    provided = tuple(c.package for c in project.components if c.package and c.name in component.needs)
    job = {
        "root": work.path,
        "out": tmp_path / "derived",
        "toolchain": toolchain,
        "config": "webpack.config.js",
        "roots": component.roots,
        "provided": provided,
        "omit": component.omit,
        "types": bool(component.tsconfig),
    }
    result = node.recipe("webdeps.mjs", job)
    theirs = json.loads((work.path / "package-lock.json").read_bytes())["packages"]
    ours = json.loads((tmp_path / "derived" / "package-lock.json").read_bytes())["packages"]
    root = ours.pop("")
    assert len(ours) == result["packages"] > 100
    assert len(ours) < len(theirs) / 2
    assert {key: entry for key, entry in ours.items() if entry != theirs.get(key)} == {}
    assert [key for key, entry in ours.items() if not entry.get("integrity") and not entry.get("inBundle")] == []
    names = {key.rpartition("node_modules/")[2] for key in ours}
    assert "node_modules/react-native" in theirs, "the control"
    assert not {name for name in names if re.match(r"(@types/)?@?react-native\b", name)}
    assert not names & {*provided, *component.omit}
    assert {"react", "react-dom"} <= names
    assert all(
        root["dependencies"][name] == theirs[f"node_modules/{name}"]["version"] for name in ("react", "react-dom")
    )
