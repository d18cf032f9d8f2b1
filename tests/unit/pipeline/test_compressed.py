"""pipeline/compressed.py: copies beside bundles and style sheets, and the scan finds a file that is not a copy."""

from __future__ import annotations

import gzip
import os
import random
from typing import TYPE_CHECKING

import brotli
import pytest

from hardener.errors import ScanError
from hardener.pipeline import compressed, scan
from support.fakes import write_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SITE: dict[str, str | bytes] = {
    "libs/app.js": "let x;" * 1000,
    "libs/chunks/1.js": "let y;" * 1000,
    "libs/olm.wasm": b"\0asm" * 1000,
    "libs/random.wasm": b"\0asm" + random.Random(1).randbytes(4000),
    "libs/small.js": "let z;",
    "libs/app.js.map": "{}" * 1000,
    "css/all.css": "a{}" * 1000,
    "lang/main.json": "{}" * 1000,
    "index.html": "<p>" * 1000,
    "config.js": "x;" * 1000,
    "images/watermark.svg": "<g/>" * 1000,
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site with compressed copies."""
    write_files(tmp_path, SITE)
    compressed.compress(tmp_path)
    return tmp_path


def contents(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_bundles_and_style_sheets_have_a_copy_and_nothing_that_operators_change(site: Path) -> None:
    for suffix, read in ((".gz", gzip.decompress), (".br", brotli.decompress)):
        copies = {path.relative_to(site).as_posix() for path in site.rglob("*" + suffix)}
        names = ("libs/app.js", "libs/chunks/1.js", "libs/olm.wasm", "css/all.css")
        assert copies == {name + suffix for name in names}
        assert all(read((site / name).read_bytes()) == (site / name[:-3]).read_bytes() for name in copies)


def test_a_copy_is_the_same_wherever_and_whenever_it_is_made(site: Path) -> None:
    copies = [site / "libs/app.js.gz", site / "libs/app.js.br"]
    before, small = (copy.read_bytes() for copy in copies)
    os.utime(site / "libs/app.js", (0, 0))
    compressed.compress(site)
    assert [copy.read_bytes() for copy in copies] == [before, small]
    assert small == bytes.fromhex("1b6f17000436e04813cf781b87e3b638903c0034e302"), (
        "another version of brotli writes other bytes: a new revision"
    )
    assert before[3:8] == bytes(5), "a name or a time stands in the header"
    assert before[9] == 255, "the system stands in the header, and not each Python names the same"


def test_only_changed_files_are_compressed_again_and_the_copies_are_those_of_a_cold_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store holds nothing that the last site did not need, and nothing of other rules."""
    edited = SITE | {"libs/app.js": "let edited;" * 1000}
    sites = [
        write_files(tmp_path / name, files)
        for name, files in (("first", SITE), ("cold", edited), ("warm", edited), ("other", edited))
    ]
    kept, made = tmp_path / "kept", []
    compressed.compress(sites[0], kept)
    compressed.compress(sites[1])
    writers = {
        suffix: lambda content, write=write: made.append(content[:10]) or write(content)
        for suffix, write in compressed._WRITERS.items()
    }
    monkeypatch.setattr(compressed, "_WRITERS", writers)
    compressed.compress(sites[2], kept)
    assert made == [b"let edited", b"let edited"]
    assert contents(sites[2]) == contents(sites[1])
    (store,) = kept.iterdir()
    assert len(list(store.iterdir())) == 2 * 5, "two copies of each large file"
    monkeypatch.setattr(compressed, "VERSIONS", ("another",))
    compressed.compress(sites[3], kept)
    assert len(made) == 2 + 2 * 5
    assert [folder.name for folder in kept.iterdir()] != [store.name]


@pytest.mark.parametrize(("suffix", "write"), [(".gz", gzip.compress), (".br", brotli.compress)])
@pytest.mark.parametrize("what", ["other file", "other copy", "damaged", "empty", "left behind", "a tail"])
def test_each_copy_that_is_none_is_named(site: Path, what: str, suffix: str, write: Callable[[bytes], bytes]) -> None:
    """Each planted in a site in which nothing is found."""
    assert compressed.problems(site) == []
    copy = site / f"libs/app.js{suffix}"
    other = ".br" if suffix == ".gz" else ".gz"
    (site / f"libs/app.js{other}").unlink()
    if what == "other file":
        (site / "libs/app.js").write_text("another")
    elif what == "left behind":
        (site / "libs/app.js").unlink()
    else:
        content = copy.read_bytes()
        copy.write_bytes(
            {
                "other copy": write(b"fetch('https://t.example')"),
                "damaged": content[:15] + b"x" + content[16:],
                "empty": b"",
                "a tail": content + write(b"more"),
            }[what]
        )
    (problem,) = compressed.problems(site)
    assert problem.startswith(f"libs/app.js{suffix}: ")


def test_scan_refuses_a_copy_that_is_none(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    hosts = tmp_path_factory.mktemp("lists") / "hosts.toml"
    hosts.write_text("")
    assert scan.check(site, hosts).stale == ()
    write_files(site, {"libs/app.js": "another"})
    with pytest.raises(ScanError, match="not those of their file") as caught:
        scan.check(site, hosts)
    assert {line.partition(":")[0] for line in caught.value.details} == {"libs/app.js.br", "libs/app.js.gz"}
