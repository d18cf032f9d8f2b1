"""series/overlay.py: what may be laid over a patched tree, and every way in which it does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hardener.errors import ConfigError, OverlayError
from hardener.git.repository import Repository
from hardener.series.apply import apply
from hardener.series.overlay import Alias, Laid, Overlays, lay, read
from support.fakes import FakeUpstream, lines, write_files, write_series

if TYPE_CHECKING:
    from pathlib import Path

BLOB = "a" * 40


def entry(path: str, action: str, more: str = "") -> str:
    """Return one [[file]] of overlays.toml."""
    return f'[[file]]\npath = "{path}"\naction = "{action}"\nreason = "because"\n{more}\n'


def alias(module: str, file: str, more: str = "") -> str:
    """Return one [[alias]] of overlays.toml."""
    return f'[[alias]]\nmodule = "{module}"\nfile = "{file}"\nreason = "because"\n{more}\n'


def put(
    upstream: FakeUpstream, folder: Path, text: str, files: dict[str, str | bytes] | None = None, **more: object
) -> Laid:
    """Lay overlays over upstream's newest commit."""
    write_files(folder, {"overlays.toml": text} | dict(files or {}))
    return lay("fake", upstream.path, upstream.head, upstream.head, folder, **more)  # type: ignore[arg-type]


def test_no_folder_means_no_overlays(upstream: FakeUpstream, tmp_path: Path) -> None:
    laid = lay("fake", upstream.path, upstream.head, upstream.head, tmp_path / "none")
    assert laid == Laid("fake", upstream.head, upstream.rev_parse("main^{tree}"), (), ())


class TestFits:
    """What fits."""

    def test_add(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        laid = put(upstream, tmp_path, entry("src/ours.js", "add"), {"src/ours.js": b"ours\r\n"})
        assert upstream.read("src/ours.js", laid.commit) == b"ours\r\n"
        assert laid.paths == ("src/ours.js",)
        assert Repository(upstream.path).changed(upstream.head, laid.tree) == ["src/ours.js"]

    def test_add_keeps_the_executable_bit(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        write_files(tmp_path, {"bin/ours.sh": "#!/bin/sh\n"})
        (tmp_path / "bin/ours.sh").chmod(0o755)
        laid = put(upstream, tmp_path, entry("bin/ours.sh", "add"))
        assert Repository(upstream.path).entries(laid.tree)["bin/ours.sh"].mode == "100755"

    def test_replace(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        blobs = f'replaces = ["{BLOB}", "{upstream.blob("bin/run.sh")}"]'
        laid = put(upstream, tmp_path, entry("bin/run.sh", "replace", blobs), {"bin/run.sh": "# Ours\n"})
        assert upstream.read("bin/run.sh", laid.commit) == b"# Ours\n"

    def test_merge_keeps_upstreams_indentation(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        fragment = '{"menu": {"open": "Auf", "close": "Zu"}}'
        text = entry("lang/main.json", "merge", 'override = "menu.open"')
        laid = put(upstream, tmp_path, text, {"lang/main.json": fragment})
        assert upstream.read("lang/main.json", laid.commit) == (
            b'{\n    "title": "Meet",\n    "menu": {\n        "open": "Auf",\n        "close": "Zu"\n    }\n}\n'
        )

    def test_alias_to_our_file_and_to_upstreams(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        text = entry("src/ours.js", "add") + alias("board", "src/ours.js") + alias("other", "src/util.js")
        laid = put(upstream, tmp_path, text, {"src/ours.js": "x"})
        assert [(a.module, a.file) for a in laid.aliases] == [("board", "src/ours.js"), ("other", "src/util.js")]

    def test_aliases_alone_make_no_commit(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        laid = put(upstream, tmp_path, alias("board", "src/util.js"))
        assert (laid.commit, laid.paths) == (upstream.head, ())

    def test_entries_for_another_tree_are_left_out(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        text = (
            entry("a.js", "add", 'only = "next"')
            + entry("b.js", "add", 'only = ["pin"]')
            + alias("m", "gone.js", 'only = "next"')
        )
        laid = put(upstream, tmp_path, text, {"a.js": "x", "b.js": "x"})
        assert (laid.paths, laid.aliases) == (("b.js",), ())

    def test_only_aliases_of_leaves_the_files_of_these_packages(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        text = entry("a.js", "add") + entry("b.js", "add") + entry("bin/run.sh", "replace", f'replaces = "{BLOB}"')
        text += alias("@x/board/dist/index.js", "a.js") + alias("@x/boards", "b.js")
        files = {"a.js": "x", "b.js": "x", "bin/run.sh": "x"}
        laid = put(upstream, tmp_path, text, files, only_aliases_of=("@x/board",))
        assert laid.paths == ("a.js",)
        assert laid.aliases == (Alias("@x/board/dist/index.js", "a.js", "because"),)

    def test_only_aliases_of_nothing_lays_nothing(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        laid = put(upstream, tmp_path, entry("a.js", "add") + alias("m", "a.js"), {"a.js": "x"}, only_aliases_of=())
        assert (laid.commit, laid.paths, laid.aliases) == (upstream.head, (), ())

    def test_the_commit_is_the_same_in_another_mirror(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        other = FakeUpstream.with_release(tmp_path / "other.git")
        folder = tmp_path / "overlays"
        first = put(upstream, folder, entry("a.js", "add"), {"a.js": "x"})
        assert first == put(upstream, folder, entry("a.js", "add")) == put(other, folder, entry("a.js", "add"))


UNFIT = {
    "add what upstream has": (entry("bin/run.sh", "add"), {"bin/run.sh": "x"}, "bin/run.sh: upstream has this file"),
    "add a file where a folder is": (entry("src", "add"), {"src": "x"}, "cannot also be a folder"),
    "add below a file": (entry("bin/run.sh/x", "add"), {"bin/run.sh/x": "x"}, "cannot also be a folder"),
    "replace what is not there": (
        entry("no.js", "replace", f'replaces = "{BLOB}"'),
        {"no.js": "x"},
        "no such file to replace",
    ),
    "merge what is not there": (entry("no.json", "merge"), {"no.json": "{}"}, "no such file to merge"),
    "merge a key that upstream has": (
        entry("lang/main.json", "merge"),
        {"lang/main.json": '{"title": "x"}'},
        "the key title",
    ),
    "merge into what is no JSON": (entry("bin/run.sh", "merge"), {"bin/run.sh": "{}"}, "not valid JSON"),
    "merge what is no JSON": (entry("lang/main.json", "merge"), {"lang/main.json": "{"}, "not valid JSON"),
    "merge a list": (entry("lang/main.json", "merge"), {"lang/main.json": "[]"}, "JSON objects"),
    "merge with a useless override": (
        entry("lang/main.json", "merge", 'override = ["menu.shut"]'),
        {"lang/main.json": '{"new": 1}'},
        "not changed: menu.shut",
    ),
    "alias to a file that is not there": (alias("m", "gone.js"), {}, "alias m: gone.js is not in the tree"),
}


@pytest.mark.parametrize(("text", "files", "named"), UNFIT.values(), ids=UNFIT.keys())
def test_what_does_not_fit_is_named(upstream: FakeUpstream, tmp_path: Path, text: str, files: dict, named: str) -> None:
    with pytest.raises(OverlayError, match="1 overlay") as caught:
        put(upstream, tmp_path, text, files)
    assert named in caught.value.details[0]
    assert caught.value.exit_code == 5
    assert str(tmp_path / "overlays.toml") in caught.value.hint


def test_everything_that_does_not_fit_is_named_at_once(upstream: FakeUpstream, tmp_path: Path) -> None:
    text = entry("bin/run.sh", "add") + entry("good.js", "add") + alias("m", "gone.js") + alias("n", "bin/run.sh")
    with pytest.raises(OverlayError, match="2 overlay") as caught:
        put(upstream, tmp_path, text, {"bin/run.sh": "x", "good.js": "x"})
    assert len(caught.value.details) == 2


def test_a_replaced_file_that_upstream_changed_is_named_with_its_new_blob(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    text = entry("bin/run.sh", "replace", f'replaces = "{upstream.blob("bin/run.sh")}"')
    upstream.commit({"bin/run.sh": b"# Newer\n"}, modes={"bin/run.sh": "100755"})
    with pytest.raises(OverlayError) as caught:
        put(upstream, tmp_path, text, {"bin/run.sh": "# Ours\n"})
    assert upstream.blob("bin/run.sh") in caught.value.details[0]
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("how", ["patch", "remove.list"])
@pytest.mark.parametrize("action", ["replace", "merge"])
def test_a_file_is_patched_or_overlaid_never_both(
    upstream: FakeUpstream, tmp_path: Path, how: str, action: str
) -> None:
    path = "lang/main.json"
    blob = upstream.blob(path)
    patches = {"a.patch": upstream.patch({path: b"{}\n"})} if how == "patch" else {}
    series = write_series(tmp_path / "patches", patches, f"{path} # why\n" if not patches else "")
    patched = apply("fake", upstream.path, upstream.head, series).commit
    more = f'replaces = "{blob}"' if action == "replace" else ""
    folder = write_files(tmp_path / "overlays", {"overlays.toml": entry(path, action, more), path: "{}"})
    with pytest.raises(OverlayError) as caught:
        lay("fake", upstream.path, upstream.head, patched, folder)
    assert "touches this file too" in caught.value.details[0]


def test_a_patch_of_other_files_does_not_matter(upstream: FakeUpstream, tmp_path: Path) -> None:
    series = write_series(tmp_path / "patches", {"a.patch": upstream.patch({"src/app.js": lines(l9="nine")})})
    patched = apply("fake", upstream.path, upstream.head, series).commit
    folder = write_files(tmp_path / "overlays", {"overlays.toml": entry("x.js", "add"), "x.js": "x"})
    laid = lay("fake", upstream.path, upstream.head, patched, folder)
    assert upstream.read("src/app.js", laid.commit) == lines(l9="nine")


MALFORMED: dict[str, tuple[str, dict[str, str], str]] = {
    "file without entry": ("", {"a.js": "x"}, "a.js has no entry"),
    "entry without file": (entry("a.js", "add"), {}, "a.js is not in"),
    "listed twice": (entry("a.js", "add") * 2, {"a.js": "x"}, "twice"),
    "malformed TOML": ("[[file]\n", {}, "line 1"),
    "unknown table": ("[[files]]\n", {}, "unknown key 'files'"),
    "file is a number": ("file = 3\n", {}, "file"),
    "alias is a number": ("alias = 3\n", {}, "alias"),
    "file is a table": ('[file]\npath = "a.js"\n', {}, "not a table"),
    "unknown key": (entry("a.js", "add", "why = 1"), {"a.js": "x"}, "unknown key 'why'"),
    "unknown key of an alias": (alias("m", "a.js", "to = 1"), {}, "unknown key 'to'"),
    "no path": ('[[file]]\naction = "add"\nreason = "x"\n', {}, "'path' is missing"),
    "no reason": ('[[file]]\npath = "a"\naction = "add"\nreason = " "\n', {}, "reason = ' '"),
    "no module": ('[[alias]]\nfile = "a"\nreason = "x"\n', {}, "'module' is missing"),
    "unknown action": (entry("a.js", "patch"), {"a.js": "x"}, "action = 'patch'"),
    "replace without blob": (entry("a.js", "replace"), {"a.js": "x"}, "'replaces' is missing"),
    "replace with a short blob": (entry("a.js", "replace", 'replaces = "abc"'), {"a.js": "x"}, "replaces = 'abc'"),
    "add with a blob": (entry("a.js", "add", f'replaces = "{BLOB}"'), {"a.js": "x"}, "for action replace only"),
    "add with an override": (entry("a.js", "add", 'override = "a"'), {"a.js": "x"}, "for action merge only"),
    "override is a number": (entry("a.json", "merge", "override = 1"), {"a.json": "{}"}, "override = 1"),
    "only is a list of numbers": (entry("a.js", "add", "only = [1]"), {"a.js": "x"}, r"only = [1]"),
    "path leaves the tree": (entry("../a.js", "add"), {}, "path = '../a.js'"),
    "path reaches into .git": (entry(".git/config", "add"), {".git/config": "x"}, "path = '.git/config'"),
    "alias leaves the tree": (alias("m", "/etc/passwd"), {}, "file = '/etc/passwd'"),
}


@pytest.mark.parametrize(("text", "files", "named"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_overlays_toml_is_a_config_error(
    tmp_path: Path, text: str, files: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        read(write_files(tmp_path, {"overlays.toml": text} | files), ("pin",))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_files_without_overlays_toml_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"src/a\.js has no entry") as caught:
        read(write_files(tmp_path, {"src/a.js": "x"}), ("pin",))
    assert caught.value.hint


def test_a_readme_needs_no_entry(tmp_path: Path) -> None:
    assert read(write_files(tmp_path, {"overlays.toml": "", "README.md": "x"}), ("pin",)) == Overlays()


def test_a_readme_with_an_entry_is_an_overlay(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"overlays.toml": entry("README.md", "add"), "README.md": "x"})
    assert [file.path for file in read(folder, ("pin",)).files] == ["README.md"]
