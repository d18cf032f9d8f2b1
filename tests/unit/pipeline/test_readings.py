"""A file of a site is read again only when it, its name or the rules differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hardener.pipeline import readings as module
from hardener.pipeline.readings import Reading, readings
from hardener.policy.hosts import Unread
from hardener.policy.sdks import Sdk

if TYPE_CHECKING:
    from pathlib import Path

SPY = (Sdk("spy", "it spies", fingerprints=("spy.init",)),)
PICTURE = (Unread("*.bin", ("",), "a picture"),)
FILES = {"a.js": 'f("https://a.example", "spy.init()")', "b.css": "@import url(//b.example/x)", "c.bin": "\0\1\2"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture
def read_now(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Provide the names of the files that were read, which a test may clear."""
    names: list[str] = []
    look_into = module.look_into

    def remember(root: str, name: str, *rest: object) -> Reading:
        names.append(name)
        return look_into(root, name, *rest)

    monkeypatch.setattr(module, "look_into", remember)
    return names


def test_nothing_is_read_twice_and_the_result_is_the_same(site: Path, tmp_path: Path, read_now: list[str]) -> None:
    kept = tmp_path / "kept.json"
    first = readings(site, list(FILES), SPY, PICTURE, kept)
    assert sorted(read_now) == sorted(FILES)
    read_now.clear()
    assert readings(site, list(FILES), SPY, PICTURE, kept) == first == readings(site, list(FILES), SPY, PICTURE)
    assert read_now == list(FILES), "only the run that keeps nothing reads"
    assert [find.host for find in first[0].read.finds] == ["a.example"]
    assert [trace.sdk for trace in first[0].traces] == ["spy"]
    assert first[2].skipped == 0


@pytest.mark.parametrize("name", ["a.js", "b.css"])
def test_a_changed_file_is_read_again_and_no_other(site: Path, tmp_path: Path, read_now: list[str], name: str) -> None:
    readings(site, list(FILES), SPY, PICTURE, tmp_path / "kept.json")
    read_now.clear()
    (site / name).write_text("'https://new.example'", "utf-8")
    found = {reading.name: reading for reading in readings(site, list(FILES), SPY, PICTURE, tmp_path / "kept.json")}
    assert read_now == [name]
    assert [find.host for find in found[name].read.finds] == ["new.example"]


def test_a_renamed_file_is_read_again(site: Path, tmp_path: Path, read_now: list[str]) -> None:
    """Its name says who reads it."""
    readings(site, list(FILES), SPY, PICTURE, tmp_path / "kept.json")
    read_now.clear()
    (site / "a.js").rename(site / "a.txt")
    readings(site, ["a.txt", "b.css", "c.bin"], SPY, PICTURE, tmp_path / "kept.json")
    assert read_now == ["a.txt"]


@pytest.mark.parametrize(
    ("sdks", "unread"),
    [
        ((), PICTURE),
        ((Sdk("spy", "it spies", fingerprints=("spy.start",)),), PICTURE),
        (SPY, ()),
        (SPY, (Unread("c.bin", ("",), "a picture"),)),
    ],
    ids=["no sdk", "another fingerprint", "nothing unread", "another pattern"],
)
def test_other_lists_have_everything_read_again(
    site: Path, tmp_path: Path, read_now: list[str], sdks: tuple[Sdk, ...], unread: tuple[Unread, ...]
) -> None:
    readings(site, list(FILES), SPY, PICTURE, tmp_path / "kept.json")
    read_now.clear()
    readings(site, list(FILES), sdks, unread, tmp_path / "kept.json")
    assert sorted(read_now) == sorted(FILES)


def test_another_version_of_a_parser_has_everything_read_again(
    site: Path, tmp_path: Path, read_now: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings(site, list(FILES), SPY, PICTURE, tmp_path / "kept.json")
    read_now.clear()
    monkeypatch.setattr("importlib.metadata.version", lambda _: "999")
    readings(site, list(FILES), SPY, PICTURE, tmp_path / "kept.json")
    assert sorted(read_now) == sorted(FILES)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"rules": "x"}', None])
def test_damaged_results_are_not_used(site: Path, tmp_path: Path, read_now: list[str], damage: bytes | None) -> None:
    kept = tmp_path / "kept.json"
    whole = readings(site, list(FILES), SPY, PICTURE, kept)
    stored = json.loads(kept.read_bytes())
    stored["readings"] = {key: reading | {"read": None} for key, reading in stored["readings"].items()}
    kept.write_bytes(json.dumps(stored).encode() if damage is None else damage)
    read_now.clear()
    assert readings(site, list(FILES), SPY, PICTURE, kept) == whole
    assert sorted(read_now) == sorted(FILES)


def test_names_that_are_not_utf_8_are_kept(site: Path, tmp_path: Path) -> None:
    name = b"\xff.js".decode("utf-8", "surrogateescape")
    (site / name).write_text("'https://odd.example'", "utf-8")
    first = readings(site, [name], (), (), tmp_path / "kept.json")
    assert readings(site, [name], (), (), tmp_path / "kept.json") == first
    assert first[0].read.finds[0].file == name


def test_many_bytes_are_read_by_workers_with_the_same_result(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = readings(site, list(FILES), SPY, PICTURE)
    monkeypatch.setattr(module, "_FEW", 0)
    assert readings(site, list(FILES), SPY, PICTURE) == here


def test_of_a_source_map_only_changed_sources_are_read_again(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of a source is planted here, to see that it is used."""

    def hosts(*sources: str) -> list[str]:
        names = [f"{number}.js" for number in range(len(sources))]
        (site / "a.js.map").write_text(json.dumps({"sources": names, "sourcesContent": sources}), "utf-8")
        found = readings(site, ["a.js.map"], (), (), kept)
        return sorted(find.host for find in found[0].read.finds)

    monkeypatch.setattr(module, "_FEW", 0)
    kept = tmp_path / "kept.json"
    first, second = (f"f('https://' + '{name}' + '.example')" for name in ("a", "b"))
    assert hosts(first, second, first) == ["a.example", "a.example", "b.example"]
    stored = json.loads(kept.read_bytes())
    assert len(stored["sources"]) == 2
    stored["sources"] = {digest: ["planted.example"] for digest in stored["sources"]}
    kept.write_text(json.dumps(stored))
    assert hosts(first, second.replace("'b'", "'c'")) == ["c.example", "planted.example"]


@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        json.dumps({"version": 3, "sources": ["a.js"], "sourcesContent": ['f("\\x68ttps://a" + ' + "(" * 200_000]}),
    ],
    ids=["map", "source"],
)
@pytest.mark.parametrize("more", ["", "x" * 400_000], ids=["small site", "large site"])
def test_a_map_that_is_too_complex_is_unread(tmp_path: Path, content: str, more: str) -> None:
    """A large site is read by several processes, the sources of its maps before the maps."""
    (tmp_path / "a.js.map").write_text(content, "utf-8")
    (tmp_path / "b.txt").write_text(more, "utf-8")
    found = {reading.name: reading.read.unread for reading in readings(tmp_path, ["a.js.map", "b.txt"], SPY, ())}
    assert (bool(found["a.js.map"]), found["b.txt"]) == (True, "")
