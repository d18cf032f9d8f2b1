"""series/results.py: a layer is applied again where any of its inputs differs, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.config import PIN
from hardener.errors import PatchError
from hardener.series.results import Results
from hardener.system import stamps
from support.fakes import FakeUpstream, lines, write_files, write_series

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hardener.series.apply import Applied
    from hardener.series.overlay import Laid

OURS = '[[file]]\npath = "src/ours.js"\naction = "add"\nreason = "because"\n'


class Layer:
    """A series and an overlay on the newest commit of an upstream, with the results of the last time."""

    def __init__(self, upstream: FakeUpstream, folder: Path) -> None:
        self.upstream, self.folder = upstream, folder
        self.base, self.tree_names = upstream.head, (PIN,)
        write_series(folder / "patches", {"p.patch": upstream.patch({"src/app.js": lines(l2="two")})})
        write_files(folder / "overlays", {"overlays.toml": OURS, "src/ours.js": "ours\n"})

    def results(self) -> Results:
        return Results(self.folder / "kept", self.upstream.path)

    def applied(self, hint: str = "") -> tuple[Applied, bool]:
        patches, names = self.folder / "patches", self.tree_names
        return self.results().applied("", "fake", self.base, patches, names, upstream=self.base, hint=hint)

    def laid(self) -> tuple[Laid, bool]:
        overlays, names = self.folder / "overlays", self.tree_names
        return self.results().laid("", "fake", self.base, self.base, overlays, names, only_aliases_of=None)


@pytest.fixture
def layer(upstream: FakeUpstream, tmp_path: Path) -> Layer:
    return Layer(upstream, tmp_path)


def test_the_second_time_nothing_is_applied_and_the_result_is_equal(layer: Layer) -> None:
    applied, fresh = layer.applied()
    laid, also_fresh = layer.laid()
    assert fresh
    assert also_fresh
    assert layer.applied("another hint") == (applied, False)
    assert layer.laid() == (laid, False)


def change_patch(layer: Layer) -> None:
    write_series(layer.folder / "patches", {"p.patch": layer.upstream.patch({"src/app.js": lines(l2="zwei")})})


def add_patch(layer: Layer) -> None:
    more = {"p.patch": layer.upstream.patch({"src/app.js": lines(l2="two")})}
    write_series(layer.folder / "patches", more | {"q.patch": layer.upstream.patch({"README.md": b"# Ours\n"})})


def remove_file(layer: Layer) -> None:
    write_files(layer.folder / "patches", {"remove.list": "static/old.html  # because\n"})


def move_base(layer: Layer) -> None:
    layer.base = layer.upstream.commit({"new.txt": b"new\n"})


def rename_tree(layer: Layer) -> None:
    layer.tree_names = ("master",)


@pytest.mark.parametrize("change", [change_patch, add_patch, remove_file, move_base, rename_tree])
def test_other_inputs_have_the_series_applied_again(layer: Layer, change: Callable[[Layer], None]) -> None:
    before, _ = layer.applied()
    change(layer)
    applied, fresh = layer.applied()
    assert fresh
    assert applied != before or change is rename_tree


def change_overlay(layer: Layer) -> None:
    write_files(layer.folder / "overlays", {"src/ours.js": "changed\n"})


def make_executable(layer: Layer) -> None:
    (layer.folder / "overlays/src/ours.js").chmod(0o755)


def change_reason(layer: Layer) -> None:
    write_files(layer.folder / "overlays", {"overlays.toml": OURS.replace("because", "for another reason")})


@pytest.mark.parametrize("change", [change_overlay, make_executable, change_reason, move_base])
def test_other_inputs_have_the_overlays_laid_again(layer: Layer, change: Callable[[Layer], None]) -> None:
    before, _ = layer.laid()
    change(layer)
    laid, fresh = layer.laid()
    assert fresh
    assert laid.commit != before.commit


@pytest.mark.parametrize("package", ["git", "series", "system"])
def test_other_code_of_ours_has_the_series_applied_again(
    layer: Layer, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is made by git/repository.py, an overlay's list is read by system/tables.py."""
    applied, _ = layer.applied()
    digest = stamps.folder_digest
    monkeypatch.setattr(
        stamps, "folder_digest", lambda path, **more: "changed" if path.name == package else digest(path, **more)
    )
    assert layer.applied() == (applied, True)
    assert layer.applied() == (applied, False)


def test_a_commit_that_is_not_in_the_mirror_is_made_again(layer: Layer, tmp_path: Path) -> None:
    """A cache that was cleaned has another mirror."""
    applied, _ = layer.applied()
    commit = layer.upstream.path / "objects" / applied.commit[:2] / applied.commit[2:]
    commit.unlink()
    assert layer.applied() == (applied, True)
    assert commit.exists()


def test_a_series_that_does_not_fit_is_reported_each_time(layer: Layer) -> None:
    layer.base = layer.upstream.commit({"src/app.js": b"all new\n"})
    for _ in range(2):
        with pytest.raises(PatchError, match="1 of 1 patches do not fit"):
            layer.applied()


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"key": 1, "facts": 2}'])
def test_a_damaged_result_is_made_again(layer: Layer, damage: bytes) -> None:
    applied, _ = layer.applied()
    (kept,) = (layer.folder / "kept").glob("*.json")
    kept.write_bytes(damage)
    assert layer.applied() == (applied, True)


def test_without_a_folder_nothing_is_kept(layer: Layer) -> None:
    results = Results(None, layer.upstream.path)
    for _ in range(2):
        patches = layer.folder / "patches"
        assert results.applied("", "fake", layer.base, patches, (PIN,), upstream=layer.base, hint="")[1]
    assert not (layer.folder / "kept").exists()
