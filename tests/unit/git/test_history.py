"""open_history: the branch that HEAD of a source names is the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.git.history import open_history
from support.fakes import FakeUpstream, git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(
    ("head", "default"),
    [("refs/heads/develop", "refs/heads/develop"), ("refs/heads/gone", "refs/heads/main")],
)
def test_the_default_branch_is_the_one_that_head_names(tmp_path: Path, head: str, default: str) -> None:
    """A HEAD that names no branch that is there leaves the usual names."""
    upstream = FakeUpstream.with_release(tmp_path / "upstream.git")
    git(upstream.path, "update-ref", "refs/heads/develop", upstream.head)
    git(upstream.path, "symbolic-ref", "HEAD", head)
    history = open_history(upstream.component(), [str(upstream.path)])
    assert history.default_branch == default
    assert history.refs["refs/heads/develop"] == upstream.head


def test_the_first_source_with_a_default_branch_says_which_it_is(tmp_path: Path) -> None:
    paths = []
    for name in ("first", "second"):
        upstream = FakeUpstream.with_release(tmp_path / f"{name}.git")
        git(upstream.path, "update-ref", f"refs/heads/{name}", upstream.head)
        git(upstream.path, "symbolic-ref", "HEAD", f"refs/heads/{name}")
        paths.append(str(upstream.path))
    assert open_history(upstream.component(), paths).default_branch == "refs/heads/first"
    assert open_history(upstream.component(), paths[::-1]).default_branch == "refs/heads/second"
