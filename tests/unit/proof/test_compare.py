"""`hardener compare`: each detector finds what is planted, and toolchains.toml covers that and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import ConfigError
from hardener.proof.compare import browser, checks, serve
from hardener.proof.compare.browser import PAGES, Seen
from hardener.proof.compare.expected import judge, read
from hardener.proof.compare.model import CHECKS, Difference, Found, Reviewed, Side
from hardener.proof.compare.run import unlike
from hardener.proof.web.messages import Request
from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("init", "version")
ENTRY = {"name": "lib", "file": "lib.min.js", "library": "Lib", "target": "umd", "worklet": False}
SIDE = Side(
    component="meet",
    modules={"lib": ("a.js", "node_modules/x/index.js", "node_modules/@s/y/node_modules/z/a.js")},
    scripts={"lib.min.js": {"size": 1000, "level": 2019}, "chunks/1.min.js": {"size": 500, "level": 2015}},
    licences={"lib.min.js": ("x, MIT", "y, MIT"), "chunks/1.min.js": ("z, MIT",)},
    libraries={"lib.min.js": {"commonjs": NAMES, "amd": NAMES, "global": NAMES}},
    entries=(ENTRY | {"limits": {"asset": 1100, "entrypoint": 1100}},),
)
# By its own number, as the numbers of chunks differ.
TWIN = replace(
    SIDE,
    scripts={"lib.min.js": SIDE.scripts["lib.min.js"], "chunks/2.min.js": SIDE.scripts["chunks/1.min.js"]},
    licences={"lib.min.js": SIDE.licences["lib.min.js"], "chunks/2.min.js": SIDE.licences["chunks/1.min.js"]},
)


def script(side: Side, name: str, **facts: int) -> dict[str, Any]:
    """Return the scripts of a side with other facts of one of them."""
    return {**side.scripts, name: {**side.scripts.get(name, {"size": 1, "level": 5}), **facts}}


def surfaces(**names: tuple[str, ...]) -> dict[str, Any]:
    """Return the library with other names on some surfaces."""
    return {"lib.min.js": {**SIDE.libraries["lib.min.js"], **names}}


PLANTS: dict[str, tuple[str, Callable[[], Side], str, str]] = {
    "a script more": ("files", lambda: replace(SIDE, scripts=script(SIDE, "new.js")), "new.js", "rspack"),
    "another package": ("packages", lambda: replace(SIDE, modules={"lib": (*SIDE.modules["lib"], "node_modules/new/i.js")}), "node_modules/new", "rspack"),
    "a package elsewhere": ("packages", lambda: replace(SIDE, modules={"lib": ("node_modules/x/a.js", "node_modules/z/a.js")}), "node_modules/z", "rspack"),
    "a bundle without a package": ("packages", lambda: replace(SIDE, modules={"lib": ("a.js",)}), "node_modules/x", "webpack"),
    "another file": ("modules", lambda: replace(SIDE, modules={"lib": (*SIDE.modules["lib"], "b.js")}), "b.js", "rspack"),
    "a bundle less": ("modules", lambda: replace(SIDE, modules={}), "a.js", "webpack"),
    "libraryTarget ignored": ("libraries", lambda: replace(SIDE, libraries=surfaces(commonjs=(), amd=())), "nothing is exported: commonjs, where the other side has 2 names", "rspack"),
    "no library at all": ("libraries", lambda: replace(SIDE, libraries={}), "nothing is exported: global, where the other side has 2 names", "rspack"),
    "a name less": ("libraries", lambda: replace(SIDE, libraries=surfaces(commonjs=("init",))), "commonjs: version", "webpack"),
    "a library that fails": ("libraries", lambda: replace(SIDE, libraries=surfaces(amd=("error: no self",))), "amd: error: no self", "rspack"),
    "a newer level": ("levels", lambda: replace(SIDE, scripts=script(SIDE, "lib.min.js", level=2020)), "ES2020 instead of ES2019", "rspack"),
    "a newer level in a chunk": ("levels", lambda: replace(SIDE, scripts=script(SIDE, "chunks/1.min.js", level=2022)), "ES2022 instead of ES2015", "rspack"),
    "too large": ("sizes", lambda: replace(SIDE, scripts=script(SIDE, "lib.min.js", size=1031)), "+3.1 %", "rspack"),
    "too small": ("sizes", lambda: replace(SIDE, scripts=script(SIDE, "lib.min.js", size=969)), "-3.1 %", "webpack"),
    "chunks too large": ("sizes", lambda: replace(SIDE, scripts=script(SIDE, "chunks/3.min.js", size=16)), "+3.2 %", "rspack"),
    "over upstream's limit": ("limits", lambda: replace(SIDE, scripts=script(SIDE, "lib.min.js", size=1101)), "1101 bytes, upstream allows 1100", "rspack"),
    "a chunk over upstream's limit": ("limits", lambda: replace(SIDE, scripts=script(SIDE, "chunks/1.min.js", size=1101)), "1101 bytes, upstream allows 1100", "rspack"),
    "a licence lost": ("licences", lambda: replace(SIDE, licences={"lib.min.js": ("x, MIT",), "chunks/1.min.js": ("z, MIT",)}), "y, MIT", "webpack"),
    "all licences lost": ("licences", lambda: replace(SIDE, licences={}), "z, MIT", "webpack"),
}  # fmt: skip


def found(check: str, rspack: Side, webpack: Side) -> set[tuple[str, str]]:
    """Return what a check finds: what, and on which side."""
    (result,) = (part for part in checks.inspect(rspack, webpack) if part.check == check)
    return {(difference.what, difference.only) for difference in result.differences}


def test_equal_sides_differ_in_nothing_and_each_check_has_something_to_compare() -> None:
    for part in checks.inspect(SIDE, TWIN):
        assert part.differences == (), part.check
        assert part.compared, part.check


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found(name: str) -> None:
    check, plant, what, only = PLANTS[name]
    assert (what, only) in found(check, plant(), TWIN)


def test_a_script_that_only_webpack_writes_is_found() -> None:
    assert ("new.js", "webpack") in found("files", SIDE, replace(TWIN, scripts=script(TWIN, "new.js")))


def test_what_is_no_harm_is_no_difference() -> None:
    """A lower level, a size within three per cent."""
    older = replace(SIDE, scripts=script(SIDE, "lib.min.js", level=2015, size=1030))
    assert found("levels", older, TWIN) == set()
    assert found("sizes", older, TWIN) == set()


def test_a_library_that_both_sides_hide_is_found() -> None:
    """Then the check would see nothing where there is nothing to see."""
    hidden = replace(SIDE, libraries=surfaces(commonjs=()))
    assert found("libraries", hidden, hidden) == {("nothing is exported: commonjs", "both")}


SEEN = Seen({"libs/w.js": (), "libs/t.js": ("registers T", "gives sound")}, dict.fromkeys(PAGES, frozenset({"log: a"})))


@pytest.mark.parametrize(
    ("starts", "what", "only"),
    [
        ({**SEEN.starts, "libs/w.js": ("error: x",)}, "error: x", "rspack"),
        ({**SEEN.starts, "libs/t.js": ("registers T", "gives silence")}, "gives silence", "rspack"),
        ({"libs/t.js": SEEN.starts["libs/t.js"]}, "is not there", "rspack"),
    ],
)
def test_a_worker_or_worklet_that_does_not_start_is_found(starts: Any, what: str, only: str) -> None:
    assert browser.starts(SEEN, SEEN).differences == ()
    assert (what, only) in {
        (difference.what, difference.only)
        for difference in browser.starts(replace(SEEN, starts=starts), SEEN).differences
    }


def test_a_worker_that_starts_on_neither_side_is_found() -> None:
    broken = replace(SEEN, starts={"libs/w.js": ("error: x",)})
    assert {difference.only for difference in browser.starts(broken, broken).differences} == {"rspack", "webpack"}


def test_a_control_that_was_not_noticed_makes_the_run_fail() -> None:
    blind = replace(SEEN, missed=("a planted worker that throws",))
    (difference,) = browser.starts(SEEN, blind).differences
    assert (difference.where, difference.only) == ("control", "webpack")


def test_another_message_and_a_page_that_never_shows_are_found() -> None:
    assert browser.console(SEEN, SEEN).differences == ()
    louder = replace(SEEN, console={**SEEN.console, "prejoin": frozenset({"log: a", "uncaught: x"})})
    (difference,) = browser.console(louder, SEEN).differences
    assert (difference.where, difference.what, difference.only) == ("prejoin", "uncaught: x", "rspack")
    dark = replace(SEEN, console={**SEEN.console, "prejoin": frozenset({"never shown: Timeout"})})
    (difference,) = browser.console(dark, dark).differences
    assert difference.only == "both"


def test_a_file_that_is_not_the_same_twice_is_found(tmp_path: Path) -> None:
    for folder, files in (("a", {"x": "1", "y": "1", "z": "1"}), ("b", {"x": "1", "y": "2"})):
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text)
    assert unlike(tmp_path / "a", tmp_path / "b") == (3, ("y", "z"))


def test_the_site_is_served_as_nginx_would(tmp_path: Path) -> None:
    """Includes, meetings under any name, 404 below the static folders, nothing from outside, and a script's mark."""
    (tmp_path / "secret").write_text("outside")
    site = tmp_path / "site"
    (site / "libs").mkdir(parents=True)
    (site / "index.html").write_text('<p><!--#include virtual="title.html" --></p>')
    (site / "title.html").write_text("title")
    (site / "libs/a.js").write_text("1")
    answer = serve.answering(site)
    room, missing, outside, script, marked = (
        answer(Request("GET", target))
        for target in ("/AnyRoom?x=1", "/libs/b.js", "/../secret", "/libs/a.js", "/libs/a.js?started")
    )
    assert (room.status, room.body) == (200, b"<p>title</p>")
    assert missing.status == 404
    assert b"outside" not in outside.body
    assert (script.headers["Content-Type"].split(";")[0], script.body) == ("application/javascript", b"1")
    assert serve.STARTED.encode() in marked.body


# toolchains.toml

ENTRY_TEXT = '[[difference]]\ncheck = "modules"\nwhere = "meet/*"\nwhat = "b.js"\nonly = "rspack"\nreason = "r"\n'
DIFFERENCE = Difference("modules", "meet/lib", "b.js", "rspack")


def lines(tmp_path: Path, text: str) -> tuple[Reviewed, ...]:
    """toolchains.toml with this text, read."""
    (tmp_path / "toolchains.toml").write_text(text)
    return read(tmp_path / "toolchains.toml")


def test_a_reviewed_line_covers_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    reviewed = lines(tmp_path, ENTRY_TEXT)
    others = (
        replace(DIFFERENCE, what="c.js"),
        replace(DIFFERENCE, only="webpack"),
        replace(DIFFERENCE, where="other/lib"),
        replace(DIFFERENCE, check="packages"),
    )
    covered, uncovered, stale = judge([Found("modules", 9, (DIFFERENCE, *others))], reviewed)
    assert covered == ((DIFFERENCE, reviewed[0]),)
    assert uncovered == others
    assert stale == ()


def test_a_line_that_matches_nothing_is_stale_but_not_where_its_check_was_left_out(tmp_path: Path) -> None:
    """Each text of a list has to match something."""
    reviewed = lines(tmp_path, ENTRY_TEXT.replace('"b.js"', '["b.js", "gone.js"]'))
    assert [line.what for line in judge([Found("modules", 9, (DIFFERENCE,))], reviewed)[2]] == ["gone.js"]
    assert judge([Found("packages", 9, ())], reviewed)[2] == ()


def test_a_size_is_covered_up_to_its_line_s_limit(tmp_path: Path) -> None:
    reviewed = lines(tmp_path, ENTRY_TEXT.replace('"modules"', '"sizes"').replace('"b.js"', '"*"') + "within = 4\n")
    near, far = (Difference("sizes", "meet/lib", f"+{n} %", "rspack", n) for n in (4.0, 4.1))
    assert judge([Found("sizes", 1, (near,))], reviewed)[1:] == ((), ())
    assert judge([Found("sizes", 1, (far,))], reviewed)[1:] == ((far,), ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('check = "modules"', 'check = "module"', "allowed: files, packages"),
        ('only = "rspack"', 'only = "esbuild"', "allowed: rspack, webpack, both"),
        ('reason = "r"', 'reason = " "', "reason = ' '"),
        ('what = "b.js"', "what = []", "what = []"),
        ('reason = "r"', 'reason = "r"\nwithin = 3', "'within' is for check"),
        ('check = "modules"', 'check = "sizes"', "'within' is for check"),
        ('reason = "r"', 'reason = "r"\nwhy = "x"', "unknown key 'why'"),
        ("[[difference]]", "[[differences]]", "unknown key 'differences'"),
    ],
)
def test_a_malformed_line_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lines(tmp_path, ENTRY_TEXT.replace(old, new))
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_the_project_s_own_list_can_be_read() -> None:
    assert {line.check for line in read(node.RECIPES.parents[1] / "toolchains.toml")} <= set(CHECKS)


# inspect.cjs

CONFIG = """module.exports = () => [
    { entry: { lib: './a.js' }, output: { filename: '[name].js', library: 'Lib', libraryTarget: 'umd' },
      performance: { hints: 'error', maxAssetSize: 7, maxEntrypointSize: 8 } },
    { entry: { worklet: './b.js' }, output: { globalObject: 'AudioWorkletGlobalScope' } }
];"""
LIB = "class Lib { join() { document.body.append(new WebSocket('wss://x')); } static get version() { return 1; } }"
HEAD = (
    "(function(root, make) { if (typeof exports === 'object' && typeof module === 'object') module.exports = make();"
    " else if (typeof define === 'function' && define.amd) define([], make); else root.Lib = make(); })"
)
UMD = f"{HEAD}(self, () => {{ {LIB} new Lib().join(); return Lib; }});"
OFFERED = ["prototype.join", "version"]


def inspected(folder: Path, scripts: dict[str, str]) -> dict[str, Any]:
    """Return what the recipe says of a bundler's output; its parser is a stand-in that takes everything."""
    acorn = folder / "tools/node_modules/acorn"
    for path, text in {
        acorn / "index.js": "exports.parse = () => ({});",
        folder / "tools/package.json": "{}",
        folder / "webpack.config.js": CONFIG,
        **{folder / "out" / name: text for name, text in scripts.items()},
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    job = {"root": folder, "tools": folder / "tools", "out": folder / "out", "config": "webpack.config.js"}
    (folder / "job.json").write_text(json.dumps(job | {"result": folder / "result.json"}, default=str))
    done = run([node.home() / "bin" / "node", node.RECIPES / "inspect.cjs", folder / "job.json"])
    assert not done.status, done.complaint
    return json.loads((folder / "result.json").read_bytes())


def test_a_umd_library_is_seen_from_all_sides(tmp_path: Path) -> None:
    surfaces = inspected(tmp_path, {"lib.js": UMD})["libraries"]["lib.js"]
    assert surfaces == {"commonjs": OFFERED, "amd": OFFERED, "global": OFFERED}


def test_a_bundler_that_ignores_library_target_is_noticed(tmp_path: Path) -> None:
    """A script tag works with it, `require` gives an empty object."""
    surfaces = inspected(tmp_path, {"lib.js": f"var Lib; (() => {{ Lib = {LIB}; }})();"})["libraries"]["lib.js"]
    assert surfaces == {"commonjs": [], "amd": [], "global": OFFERED}


def test_a_library_that_fails_or_is_not_there_says_so(tmp_path: Path) -> None:
    surfaces = inspected(tmp_path, {"lib.js": "nowhere.to.be.found();"})["libraries"]["lib.js"]
    assert surfaces["commonjs"] == ["error: nowhere is not defined"]
    assert inspected(tmp_path / "none", {"other.js": ""})["libraries"] == {}


def test_upstreams_entries_are_read(tmp_path: Path) -> None:
    library, worklet = inspected(tmp_path, {"lib.js": UMD})["entries"]
    assert (library["file"], library["library"], library["target"]) == ("lib.js", "Lib", "umd")
    assert library["limits"] == {"asset": 7, "entrypoint": 8}
    assert (worklet["file"], worklet["worklet"], worklet["limits"]) == ("worklet.js", True, None)


def test_licence_comments_are_compared_by_their_words(tmp_path: Path) -> None:
    text = "/*!\n * x v1\n *\n * MIT\n */\n\n/** @license y */\n//! z\n"
    out = inspected(tmp_path, {"lib.js": UMD, "lib.js.LICENSE.txt": text})
    assert out["licences"] == {"lib.js": ["@license y", "x v1 MIT", "z"]}
