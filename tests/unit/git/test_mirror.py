"""mirror.make: the two small files of a bare repository, which a kill or a person may have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.git import mirror
from hardener.git.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.processes
URL = "https://git.example/x.git"


def promised(path: Path) -> str:
    """Return where missing objects are promised to be."""
    return Repository(path).git("config", f"remote.{mirror.REMOTE}.url").text


def test_where_objects_are_promised_to_be_stays_until_another_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.git"
    mirror.make(path, URL)
    mirror.make(path)
    assert promised(path) == URL
    mirror.make(path, URL.replace("git.", "mirror."))
    assert promised(path) == "https://mirror.example/x.git"


@pytest.mark.parametrize("name", ["HEAD", "config"])
def test_a_file_that_is_damaged_is_put_right(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.git"
    mirror.make(path, URL)
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-5] + b"?")
    mirror.make(path, URL)
    assert (path / name).read_bytes() == content
