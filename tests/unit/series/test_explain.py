"""series/explain.py: from anything to the patch, overlay, removal, alias, host or SDK that is about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.errors import UsageError
from hardener.git.fetch import fetch
from hardener.series.explain import Find, explain
from support.fakes import FakeUpstream, lines, standard, write_files, write_project, write_series

if TYPE_CHECKING:
    from pathlib import Path

OVERLAYS = """
[[file]]
path = "src/ours.js"
action = "add"
reason = "Our own start page"
[[file]]
path = "README.md"
action = "replace"
replaces = "{blob}"
reason = "Names our support"
[[alias]]
module = "@tracker/sdk$"
file = "src/ours.js"
reason = "The tracker is left out"
"""
SDKS = """
[[sdk]]
name = "spy"
reason = "Counts people"
modules = ["node_modules/@spy/", "src/spy/*.js"]
fingerprints = ["spy.collect"]
"""
HOSTS = '[[host]]\nhost = "help.example"\nclass = "link"\nreason = "A page of help"\ncount = 2\n'


@pytest.fixture
def project(tmp_path: Path) -> config.Project:
    """Return a project with one of each: patch, removal, two overlays, alias, host, SDK; its pin is in the cache."""
    text = lines(l9="p2p.stunServers = ['stun.example'];")
    upstream = FakeUpstream.with_release(
        tmp_path / "upstream.git", {"src/app.js": text, "static/old.html": b"<a href=//ads.example>\n"}
    )
    root = write_project(tmp_path / "project", upstream)
    message = standard(
        "Ask no STUN server", upstream.head, Upstream_Status="Pending", Forwarded="no", Reason="upstreamable"
    )
    write_series(
        root / "patches/fake",
        {"privacy-no-stun.patch": upstream.patch({"src/app.js": lines(l9="none();")}, message)},
        "static/old.html # an old page\nstatic/older/ # older ones\n",
    )
    overlays = OVERLAYS.format(blob=upstream.blob("README.md"))
    files = {"overlays.toml": overlays, "src/ours.js": "start('room.subject');\n", "README.md": "# Ours\n"}
    write_files(root / "overlays/fake", files)
    write_files(root, {"hosts.toml": HOSTS, "sdks.toml": SDKS})
    loaded = config.load(root)
    fetch(loaded.components[0])
    return loaded


@pytest.mark.parametrize(
    ("word", "kind", "name"),
    [
        ("privacy-no-stun", "patch", "privacy-no-stun"),
        ("privacy-no-stun.patch", "patch", "privacy-no-stun"),
        ("src/app.js", "patch", "privacy-no-stun"),
        ("app.js", "patch", "privacy-no-stun"),
        ("stunServers", "patch", "privacy-no-stun"),
        ("p2p.stunServers", "patch", "privacy-no-stun"),
        ("stun.example", "patch", "privacy-no-stun"),
        ("www.server.example", "patch", "privacy-no-stun"),  # whose message names the owner
        ("static/old.html", "removal", "static/old.html"),
        ("static/older/index.html", "removal", "static/older/"),
        ("ads.example", "removal", "static/old.html"),
        ("README.md", "overlay", "README.md"),
        ("room.subject", "overlay", "src/ours.js"),
        ("@tracker/sdk", "alias", "@tracker/sdk"),
        ("help.example", "host", "help.example"),
        ("www.help.example", "host", "help.example"),
        ("spy", "sdk", "spy"),
        ("@spy/browser", "sdk", "spy"),
        ("src/spy/eye.js", "sdk", "spy"),
        ("spy.collect", "sdk", "spy"),
    ],
)
def test_it_is_found(project: config.Project, word: str, kind: str, name: str) -> None:
    first = explain(project, word)[0]
    assert (first.kind, first.name) == (kind, name)


@pytest.mark.parametrize("word", ["spy", "@spy/browser", "spy.collect"])
def test_an_operators_list_that_allows_an_sdk_is_what_counts(
    project: config.Project, tmp_path: Path, word: str
) -> None:
    write_files(tmp_path / "extra", {"sdks.toml": '[[sdk]]\nname = "spy"\nreason = "We have a contract"\n'})
    (find,) = explain(replace(project, extras=(tmp_path / "extra",)), word)
    assert find.how.startswith("may be in a bundle here")
    assert (find.why, find.where) == ("We have a contract", str(tmp_path / "extra/sdks.toml"))


def test_a_patch_comes_with_reason_test_and_state(project: config.Project) -> None:
    assert explain(project, "src/app.js", "fake") == (
        Find(
            kind="patch",
            name="privacy-no-stun",
            where="patches/fake/privacy-no-stun.patch",
            how="changes src/app.js of fake",
            why="Ask no STUN server. Upstream does this, and we want that.",
            test="tests/test_it.py::test_it",
            upstream="to be sent",
        ),
    )


@pytest.mark.parametrize(
    ("words", "said", "near"),
    [
        (("stunServrs",), "nothing named 'stunServrs'", "stunServers"),
        (("privacy-no-stunn",), "nothing named", "privacy-no-stun"),
        (("src/util.js", "fake"), "it is upstream's file of fake as it is", ""),
        (("src/utils.js", "fake"), "fake has no such file at the pin", "src/util.js"),
        (("stunning-views",), "nothing named", ""),
    ],
)
def test_nothing_is_said_with_near_misses(
    project: config.Project, words: tuple[str, ...], said: str, near: str
) -> None:
    with pytest.raises(UsageError) as caught:
        explain(project, *words)
    assert said in caught.value.message
    assert not near or f"near: {near}" in caught.value.details
    assert caught.value.hint.endswith(near or "an npm module")
