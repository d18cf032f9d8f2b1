"""The check of a server ends within limits of time and memory; its errors are those of the check."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hardener.errors import UsageError
from hardener.servercheck import check, limited

FILES = Path(__file__).parents[2] / "server_files"
# Each directive of a stream is compared with all others.
SLOW = {"nginx/nginx.conf": "stream {" + "a;" * 120_000 + "}"}
# Each variable gets the large value.
LARGE = {"docker-compose.override.yml": "services: {web: {environment: {" + ", ".join(f"B{n}: $A" for n in range(9_000)) + "}}}",
         ".env": "A=" + "x" * 200_000}  # fmt: skip


def tree(form: str, files: dict[str, str], folder: Path) -> Path:
    root = shutil.copytree(FILES / form, folder / form)
    for name, text in files.items():
        (root / name).write_text(text, "utf-8")
    return root


@pytest.mark.parametrize("form", ["debian", "docker", "container"])
def test_within_the_limits_the_answer_is_that_of_the_check(form: str):
    assert limited.check([FILES / form]) == check.check([FILES / form])


@pytest.mark.parametrize(("form", "files"), [("debian", SLOW), ("docker", LARGE)], ids=["time", "memory"])
def test_what_takes_too_much_is_refused(
    form: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limited, "SECONDS", 2)
    with pytest.raises(UsageError, match=r"takes more than 2 seconds or 250 MB"):
        limited.check([tree(form, files, tmp_path)])


def test_an_error_of_the_check_is_that_of_the_caller(tmp_path: Path):
    with pytest.raises(UsageError, match="there is no") as caught:
        limited.check([tmp_path / "nowhere"])
    assert caught.value.hint


def test_a_bug_in_the_check_is_no_limit():
    with pytest.raises(TypeError):
        limited.check([FILES / "debian"], [1])  # type: ignore[list-item]
