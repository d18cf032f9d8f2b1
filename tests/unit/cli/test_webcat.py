"""The subcommand webcat: what it writes, and what it refuses; then the folder is as before."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main, webcat
from support import packaging
from support.fakes import write_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROJECT = f"""
[project]
name = "demo"
revision = 2
node = 24
[component.meet]
repository = "/m"
commit = "{packaging.COMMIT}"
release = "2.0.10978"
"""
CONFIG = "var config = { theirs: true };"


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Run the subcommand in a project whose site is built already; returns its answer."""
    write_files(tmp_path, {"upstream.toml": PROJECT, "mine.js": CONFIG})
    client = SimpleNamespace(component=SimpleNamespace(name="meet"), work=SimpleNamespace(path=tmp_path))
    result = SimpleNamespace(site=SimpleNamespace(path=packaging.site(tmp_path)), components=(client,))
    monkeypatch.setattr(webcat.build, "build", lambda *_: result)
    monkeypatch.setattr(webcat.webcat, "modules_made", lambda _sources: {"made"})
    monkeypatch.chdir(tmp_path)

    def answer(*words: str) -> dict[str, Any]:
        code = main.main(["webcat", "--json", "--project", str(tmp_path), *words])
        return {"exit": code} | json.loads(capsys.readouterr().out)

    return answer


def files_of(folder: Path) -> dict[str, str]:
    """Return the text of each file in a folder."""
    return {str(path.relative_to(folder)): path.read_text("latin-1") for path in folder.rglob("*") if path.is_file()}


def test_site_and_manifest_are_written_and_replaced(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    answer = run("--config", "mine.js", "--out", "new/out")
    out = tmp_path / "new/out"
    assert (answer["exit"], answer["version"]) == (0, "2.10978.2")
    assert "made" in answer["wasm"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert {f"/{name}" for name in files_of(out / "site")} - {"/libs/app.bundle.min.js.gz"} == set(manifest["files"])
    assert (out / "site/config.js").read_text() == CONFIG

    before = files_of(out)
    (out / "site/left.js").write_text("of an earlier release")
    assert run("--config", "mine.js", "--out", "new/out")["exit"] == 0
    assert files_of(out) == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--config", "none.js", "--out", "out"), 2, "none.js"),
        (("--config", "out", "--out", "out"), 2, "out"),
        (("--config", "mine.js", "--out", "mine.js"), 2, "mine.js"),
        (("--config", "mine.js", "--out", "other"), 2, "holds other files: notes.txt"),
        (("--config", "mine.js", "--out", "out", "--embed", "portal"), 2, "portal is not an origin"),
        (("--config", "host.js", "--out", "out"), 3, "only the web server knows host"),
    ],
)
def test_what_is_refused_changes_nothing(
    run: Callable[..., dict[str, Any]], tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    assert run("--config", "mine.js", "--out", "out")["exit"] == 0
    write_files(tmp_path, {"other/notes.txt": "mine", "host.js": "'<!--# echo var=\"host\" -->'"})
    before = files_of(tmp_path)
    answer = run(*words)
    assert answer["exit"] == code
    assert says in answer["error"]
    assert answer["hint"]
    assert files_of(tmp_path) == before
