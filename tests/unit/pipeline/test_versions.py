"""pipeline/versions.py: version and integrity in a page are those of the file, and the scan finds any other."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from hardener.errors import ScanError
from hardener.pipeline import scan, versions
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

SITE = {
    "index.html": '<link rel="stylesheet" href="css/all.css"/><script src="libs/app.js?v=139"></script><img src=\'images/a.svg\'><meta content="images/a.svg?v=1">',
    "static/page.html": '<script src="<!--# echo var=\'x\' -->config.js"></script><a href="static/page.html">'
    '<script src="static/own/page.js?v=x" integrity="x"></script><a href="https://a.example/libs/app.js">',
    "config.js": "",
    "static/own/page.js": "1",
    "libs/app.js": "let type = a.type?v=1:2",
    "css/all.css": 'a{background:url(../images/a.svg)}b{background:url("../images/b.png")}c{background:url(data:x)}',
    "images/a.svg": "<svg/>",
    "images/b.png": b"\x89PNG",
}


def version(text: str | bytes) -> str:
    """Return the first 16 digits of the SHA-256, worked out apart from the module under test."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:16]


def sealed(text: str) -> str:
    """Return the attribute that a browser checks, worked out apart from the module under test."""
    return f' integrity="sha384-{base64.b64encode(hashlib.sha384(text.encode()).digest()).decode()}"'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site with versions in its addresses."""
    write_files(tmp_path, SITE)
    versions.stamp(tmp_path)
    return tmp_path


def test_each_address_of_a_page_and_a_style_sheet_has_the_version_of_its_file(site: Path) -> None:
    style = (
        f"a{{background:url(../images/a.svg?v={version('<svg/>')})}}"
        f'b{{background:url("../images/b.png?v={version(SITE["images/b.png"])}")}}c{{background:url(data:x)}}'
    )
    assert (site / "css/all.css").read_text() == style
    assert (site / "index.html").read_text() == (
        f'<link rel="stylesheet" href="css/all.css?v={version(style)}"{sealed(style)}/>'
        f'<script src="libs/app.js?v={version(SITE["libs/app.js"])}"{sealed(str(SITE["libs/app.js"]))}>'
        f"</script><img src='images/a.svg?v={version('<svg/>')}'>"
        f'<meta content="images/a.svg?v={version("<svg/>")}">'
    )


def test_settings_pages_and_other_origins_have_no_version(site: Path) -> None:
    expected = str(SITE["static/page.html"]).replace('?v=x" integrity="x"', f'?v={version("1")}"{sealed("1")}')
    assert (site / "static/page.html").read_text() == expected


def test_a_picture_that_changes_changes_page_and_style_sheet(
    site: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    write_files(other, SITE | {"images/b.png": b"\x89PNH"})
    versions.stamp(other)
    changed = {name for name in SITE if (other / name).read_bytes() != (site / name).read_bytes()}
    assert changed == {"images/b.png", "css/all.css", "index.html"}


def test_stamping_again_changes_nothing(site: Path) -> None:
    before = {name: (site / name).read_bytes() for name in SITE}
    versions.stamp(site)
    assert {name: (site / name).read_bytes() for name in SITE} == before
    assert versions.problems(site) == []


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("libs/app.js", "load('libs/x.wasm?v=139')", "no such file"),
        ("libs/app.js", "load('static/own/page.js?v=139')", "the file's version is"),
        ("libs/app.js", "load('static/own/page.js?a=b&v=139')", "the file's version is"),
        ("libs/app.js", "load('static/own/page.js?v=')", "the file's version is"),
        ("libs/app.js", "load('static/own/page.js?v=' + 6)", "the file's version is"),
        ("libs/app.js", "load(name + '?v=' + number)", "while the page runs"),
        ("libs/app.js", "load(`${name}?v=${number}`)", "while the page runs"),
        ("static/own/page.js", "2", "the file's version is"),
        ("css/all.css", "a{background:url(../images/a.svg?v=1)}", "the file's version is"),
        ("css/all.css", "a{background:url(images/a.svg?v=1)}", "no such file"),
        ("index.html", '<script src="libs/app.js?v=139">', "the file's version is"),
        ("lang/main.json", '{"a": "static/own/page.js?v=139"}', "the file's version is"),
        ("static/own/page.js", "2", "the file's integrity is"),
        ("css/all.css", "a{}", "the file's integrity is"),
        ("index.html", "<script src='libs/app.js'>", "has no integrity"),
        ("index.html", "<SCRIPT\nasync SRC='libs/app.js'\n>", "has no integrity"),
        ("index.html", '<link href="css/all.css" rel=stylesheet>', "has no integrity"),
        ("index.html", '<script src="libs/app.js" integrity="">', "the file's integrity is"),
        ("index.html", '<script src="config.js" integrity="sha384-x">', "no file with a version"),
    ],
)
def test_each_version_that_is_not_the_files_is_named(site: Path, file: str, text: str, says: str) -> None:
    """Each planted in a site in which nothing is found."""
    assert versions.problems(site) == []
    write_files(site, {file: text})
    assert any(says in problem for problem in versions.problems(site))


def test_no_integrity_where_a_browser_or_a_server_would_not_heed_it(site: Path) -> None:
    """Settings, pictures, and addresses that server-side includes complete."""
    tags = (
        '<script src="config.js"></script><link rel="icon" href="libs/app.js">'
        "<script src=\"<!--# echo var='x' -->libs/app.js\"></script>"
    )
    write_files(site, {"other.html": tags})
    versions.stamp(site)
    assert re.sub(r"\?v=\w+", "", (site / "other.html").read_text()) == tags
    assert versions.problems(site) == []


def test_scan_refuses_a_version_that_is_not_the_files(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    hosts = tmp_path_factory.mktemp("lists") / "hosts.toml"
    hosts.write_text('[[host]]\nhost = "a.example"\nclass = "link"\nreason = "x"\ncount = 1\n')
    assert scan.check(site, hosts).stale == ()
    write_files(site, {"libs/app.js": "2"})
    with pytest.raises(ScanError, match="not those of their file") as caught:
        scan.check(site, hosts)
    assert any("libs/app.js?v=" in line for line in caught.value.details)
