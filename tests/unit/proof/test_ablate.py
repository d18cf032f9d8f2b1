"""proof/ablate.py: one patch is left out with those that require it, and only a test that fails then is good news."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest

from hardener import config
from hardener.errors import BundleError, UsageError
from hardener.pipeline import build as pipeline
from hardener.proof import ablate
from hardener.series.lists import read_series
from hardener.system.process import Completed
from hardener.ui import UI
from support.fakes import FakeUpstream, write_series

if TYPE_CHECKING:
    from pathlib import Path

TOML = """
[project]
name = "site"
revision = 1
node = 24
[component.fake]
repository = "/nowhere"
commit = "{commit}"
release = "v1.0"
"""


@pytest.fixture
def project(tmp_path: Path) -> config.Project:
    """Provide a project with three patches, of which the second requires the first."""
    upstream = FakeUpstream.with_release(tmp_path / "upstream.git")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "upstream.toml").write_text(TOML.format(commit=upstream.head), "utf-8")
    messages = {
        "first.patch": "First\n\nEvidence: tests/a.py::test_a",
        "second.patch": "Second\n\nRequires: first\nEvidence: tests/b.py::test_b",
        "third.patch": "Third",
    }
    patches = {name: upstream.patch({f"{name}.txt": b"x\n"}, message) for name, message in messages.items()}
    write_series(tmp_path / "project" / "patches" / "fake", patches)
    return config.load(tmp_path / "project")


def ablation(
    project: config.Project, monkeypatch: pytest.MonkeyPatch, status: int, said: str, *only: str
) -> tuple[list[ablate.Ablation], list[list[str]]]:
    """Ablate with a build that makes nothing and a pytest with a given answer; also the series that were built."""
    built: list[list[str]] = []

    def build(reduced: config.Project, *_: object) -> mock.Mock:
        built.append([path.name for path in read_series(reduced.patches(reduced.site))])
        return mock.Mock()

    monkeypatch.setattr(pipeline, "build", build)
    monkeypatch.setattr(ablate, "run", lambda words, **_: Completed(tuple(words), status, said.encode(), b"", 0.1))
    monkeypatch.setattr(ablate.os, "fspath", str)
    return list(ablate.ablate(project, only, UI(quiet=True))), built


def test_each_patch_is_left_out_with_those_that_require_it(
    project: config.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, built = ablation(project, monkeypatch, 1, "1 failed")
    assert built == [["third.patch"], ["first.patch", "third.patch"]]
    assert [(result.patch, result.verdict) for result in results] == [
        ("first.patch", "red"),
        ("second.patch", "red"),
        ("third.patch", "unproven"),
    ]


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (1, "1 failed in 3 s", "red"),
        (0, "1 passed in 3 s", "green"),
        (0, "1 skipped in 3 s", "unproven"),
        (4, "ERROR: not found: tests/a.py::test_a", "unproven"),
        (5, "no tests ran", "unproven"),
        (2, "interrupted", "unproven"),
    ],
)
def test_only_a_failed_test_is_red(
    project: config.Project, monkeypatch: pytest.MonkeyPatch, status: int, said: str, verdict: str
) -> None:
    (result,), _ = ablation(project, monkeypatch, status, said, "first.patch")
    assert (result.verdict, result.detail) == (verdict, said)


def test_what_does_not_build_without_a_patch_needs_it(project: config.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ablation(project, monkeypatch, 0, "", "third.patch")
    monkeypatch.setattr(pipeline, "build", mock.Mock(side_effect=BundleError("no module")))
    (result,) = ablate.ablate(project, ("first.patch",), UI(quiet=True))
    assert (result.verdict, result.detail) == ("red", "does not build without it: no module")


def test_a_patch_that_is_not_there_is_a_usage_error(project: config.Project) -> None:
    with pytest.raises(UsageError, match=r"no-such\.patch") as caught:
        ablate.ablate(project, ("no-such.patch",), UI(quiet=True))
    assert caught.value.hint


def test_the_project_itself_is_left_alone(project: config.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in (project.root / "patches").rglob("*") if path.is_file()}
    ablation(project, monkeypatch, 1, "1 failed")
    assert before == {path: path.read_bytes() for path in (project.root / "patches").rglob("*") if path.is_file()}
