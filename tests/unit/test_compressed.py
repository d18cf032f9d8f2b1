"""compressed.py: copies beside bundles and style sheets, and the scan finds one that is no copy."""

from __future__ import annotations

import gzip
import os
import random
from typing import TYPE_CHECKING

import pytest

from fakes import write_files
from hardener import compressed, scan
from hardener.errors import ScanError

if TYPE_CHECKING:
    from pathlib import Path

SITE: dict[str, str | bytes] = {
    "libs/app.js": "let x;" * 1000,
    "libs/chunks/1.js": "let y;" * 1000,
    "libs/olm.wasm": b"\0asm" * 1000,
    "libs/random.wasm": random.Random(1).randbytes(4000),
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


def test_bundles_and_style_sheets_have_a_copy_and_nothing_that_operators_change(site: Path) -> None:
    copies = {path.relative_to(site).as_posix() for path in site.rglob("*.gz")}
    assert copies == {f"{name}.gz" for name in ("libs/app.js", "libs/chunks/1.js", "libs/olm.wasm", "css/all.css")}
    assert all(gzip.decompress((site / name).read_bytes()) == (site / name[:-3]).read_bytes() for name in copies)


def test_a_copy_is_the_same_wherever_and_whenever_it_is_made(site: Path) -> None:
    before = (site / "libs/app.js.gz").read_bytes()
    os.utime(site / "libs/app.js", (0, 0))
    compressed.compress(site)
    assert (site / "libs/app.js.gz").read_bytes() == before
    assert before[3:8] == bytes(5), "a name or a time stands in the header"
    assert before[9] == 255, "the system stands in the header, and not each Python names the same"


@pytest.mark.parametrize("what", ["other file", "other copy", "damaged", "empty", "left behind", "a tail"])
def test_each_copy_that_is_none_is_named(site: Path, what: str) -> None:
    """Each planted in a site in which nothing is found."""
    assert compressed.problems(site) == []
    copy = site / "libs/app.js.gz"
    if what == "other file":
        (site / "libs/app.js").write_text("another")
    elif what == "left behind":
        (site / "libs/app.js").unlink()
    else:
        content = copy.read_bytes()
        copy.write_bytes(
            {
                "other copy": gzip.compress(b"fetch('https://t.example')"),
                "damaged": content[:50] + b"x" + content[51:],
                "empty": b"",
                "a tail": content + gzip.compress(b"more"),
            }[what]
        )
    (problem,) = compressed.problems(site)
    assert problem.startswith("libs/app.js.gz: ")


def test_scan_refuses_a_copy_that_is_none(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    hosts = tmp_path_factory.mktemp("lists") / "hosts.toml"
    hosts.write_text("")
    assert scan.check(site, hosts).stale == ()
    write_files(site, {"libs/app.js": "another"})
    with pytest.raises(ScanError, match="not those of their file") as caught:
        scan.check(site, hosts)
    assert "libs/app.js.gz" in caught.value.details[0]
