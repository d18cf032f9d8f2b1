"""upstream/outdated.py: which releases are newer than the pin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.cli import main
from hardener.errors import UnreachableError
from hardener.upstream.outdated import outdated
from support.fakes import FakeUpstream, write_project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(upstream: FakeUpstream, tmp_path: Path) -> config.Project:
    """Provide a project that pins stable/meet_90."""
    upstream.tag("stable/meet_90")
    return config.load(write_project(tmp_path / "project", upstream, ref='"refs/tags/stable/meet_90"').resolve())


def test_newer_by_number_not_by_spelling(project: config.Project, upstream: FakeUpstream) -> None:
    for tag in ("stable/meet_89", "stable/meet_100", "stable/meet_91", "stable/meet_${VERSION}", "meet_101"):
        upstream.tag(tag, annotated=tag.endswith("1"))
    (release,) = outdated(project, {})
    assert (release.pinned, release.newer, release.note) == (
        "stable/meet_90",
        ("stable/meet_91", "stable/meet_100"),
        "",
    )


def test_the_newest_is_not_outdated(project: config.Project) -> None:
    (release,) = outdated(project, {})
    assert release.newer == ()


def test_a_mirror_without_tags_is_said_not_taken_for_up_to_date(project: config.Project, tmp_path: Path) -> None:
    other = FakeUpstream.with_release(tmp_path / "other.git")
    (release,) = outdated(project, {"fake": [str(other.path)]})
    assert release.note == "no tag like stable/meet_90 there"


def test_a_source_that_is_not_there_is_code_4(project: config.Project, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError) as caught:
        outdated(project, {"fake": [str(tmp_path / "nothing")]})
    assert caught.value.exit_code == 4


def test_exit_code_9_is_for_ci(
    project: config.Project, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["outdated", "--project", str(project.root), "--json"]
    assert main.main(words) == 0
    upstream.tag("stable/meet_91")
    capsys.readouterr()
    assert main.main(words) == 9
    assert json.loads(capsys.readouterr().out)["components"][0]["newer"] == ["stable/meet_91"]


@pytest.mark.parametrize(
    ("tags", "code"), [((), 3), (("stable/meet_89",), 3), (("stable/meet_90",), 0), (("stable/meet_91",), 9)]
)
def test_the_exit_code_says_where_the_source_cannot_tell(
    project: config.Project, tmp_path: Path, tags: tuple[str, ...], code: int
) -> None:
    """A mirror without such tags, or one that is older than the pin, is not an answer; a newer release is, wherever it is."""
    other = FakeUpstream.with_release(tmp_path / "other.git")
    for tag in tags:
        other.tag(tag)
    argv = ["outdated", "--project", str(project.root), "--upstream", f"fake={other.path}"]
    assert main.main(argv) == code
