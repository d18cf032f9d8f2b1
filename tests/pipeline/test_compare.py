"""``hardener compare`` from end to end on minimeet, and the parser that determines ECMAScript levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import BundleError
from hardener.system import node

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Minimeet, Reference

LINE = (
    '[[difference]]\ncheck = "{check}"\nwhere = "{where}"\nwhat = "{what}"\nonly = "{only}"\nreason = "reviewed here"\n'
)


def lines(differences: list[dict[str, Any]]) -> str:
    """toolchains.toml for what a comparison found open."""
    return "".join(
        LINE.format(**difference) + (f"within = {difference['percent']}\n" if difference["check"] == "sizes" else "")
        for difference in differences
    )


@pytest.mark.slow
def test_both_toolchains_are_built_and_held_together(minimeet: Minimeet, reference: Reference) -> None:
    """Open differences exit with 7; with a reviewed line each, 0; a line too many, 3."""
    for toolchain in ("rspack", "webpack"):
        assert minimeet.build("--toolchain", toolchain).code == 0
    first = minimeet.run("compare", "--no-browser")
    assert first.answer.get("error") is None, first.stderr
    assert first.answer["left_out"] == ["starts", "console", "twice"]
    nothing = {check for check, count in first.answer["checks"].items() if not count["compared"]}
    assert nothing == {"licences"}, "minimeet has no such comments, and all else to compare"
    assert (first.code == 7) == bool(first.answer["open"])
    assert not [difference for difference in first.answer["open"] if difference["check"] in ("libraries", "packages")]
    assert first.answer["checks"]["libraries"]["compared"] == 3
    assert {entry["script"] for entry in first.answer["scripts"]} >= {"minimeet/app.bundle.min.js"}

    minimeet.write("toolchains.toml", lines(first.answer["open"]))
    reviewed = minimeet.run("compare", "--no-browser")
    assert reviewed.code == 0, reviewed.stderr
    assert len(reviewed.answer["reviewed"]) == len(first.answer["open"])

    stale = LINE.format(check="modules", where="minimeet/*", what="nowhere.js", only="rspack")
    minimeet.write("toolchains.toml", lines(first.answer["open"]) + stale)
    third = minimeet.run("compare", "--no-browser")
    assert third.code == 3
    assert 'what = "nowhere.js"' in third.stderr

    # Planted in the one bundle that is there already: the build is not made again, and the comparison sees it.
    script = minimeet.tree / "build/external_api.min.js"
    script.write_text("var MinimeetExternalAPI = class { dispose() {} async *newer() { this.a ??= 1n; } };")
    fourth = minimeet.run("compare", "--no-browser")
    assert fourth.code == 7
    found = {(difference["check"], difference["only"]) for difference in fourth.answer["open"]}
    assert {("libraries", "rspack"), ("levels", "rspack"), ("sizes", "webpack")} <= found
    assert "nothing is exported: commonjs, where the other side has" in fourth.stderr


@pytest.mark.slow
def test_two_builds_of_each_side_have_the_same_bytes(minimeet: Minimeet, reference: Reference) -> None:
    """The second ones are made from nothing, in another folder; here with a file that the first one did not write."""
    for toolchain in ("rspack", "webpack"):
        assert minimeet.build("--toolchain", toolchain).code == 0
    (minimeet.root / ".work/hardened-webpack/site/planted.txt").write_text("by hand")
    run = minimeet.run("compare", "--no-browser", "--twice", "--quiet")
    assert run.answer["checks"]["twice"] == {"compared": 2 * 23 + 1, "differences": 1}, run.stderr
    (difference,) = (entry for entry in run.answer["open"] if entry["check"] == "twice")
    assert (difference["what"], difference["only"]) == ("planted.txt", "webpack")
    assert not (minimeet.root / ".work/again").exists()


LEVELS = {
    "var a = 1;": 5,
    "let a = () => 1;": 2015,
    "a ** 2;": 2016,
    "async () => 1;": 2017,
    "({ ...a });": 2018,
    "try { a } catch { b }": 2019,
    "a?.b ?? c;": 2020,
    "a ||= b;": 2021,
    "class A { #a = 1; }": 2022,
    "/a/v;": 2024,
}


def inspected(folder: Path, code: str) -> dict[str, Any]:
    """Return what inspect.cjs says of one script."""
    (folder / "out").mkdir()
    (folder / "out/a.js").write_text(code)
    (folder / "webpack.config.js").write_text("module.exports = { entry: { a: './a.js' }, output: {} };")
    return node.recipe("inspect.cjs", {"root": folder, "out": folder / "out", "config": "webpack.config.js"})


@pytest.fixture(autouse=True)
def tools(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own tools from the store of these tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(reference.minimeet.cache.parent))
    node.tools.cache_clear()


@pytest.mark.parametrize("code", LEVELS)
def test_the_level_of_a_script_is_that_of_its_newest_word(tmp_path: Path, code: str) -> None:
    assert inspected(tmp_path, code)["scripts"]["a.js"] == {"size": len(code), "level": LEVELS[code]}


def test_a_script_that_no_engine_can_read_stops_the_comparison(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"a\.js cannot be parsed at any level"):
        inspected(tmp_path, "let let = 1;")
