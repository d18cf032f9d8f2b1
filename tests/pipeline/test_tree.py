"""``hardener build --tree``: another commit of upstream, built beside the pin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import Minimeet, listing

if TYPE_CHECKING:
    import pytest

HOST = """
[[host]]
host = "next.example"
class = "link"
reason = "upstream's next release names it"
count = 1
tree = "next"

[[host]]
host = "promo.example"
class = "link"
reason = "in a page that remove.list takes out of the pin only"
count = 1
tree = "next"
"""


def test_a_tree_is_built_scanned_and_packed_beside_the_pin(minimeet: Minimeet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own commit, hosts and folder; an unknown host fails it; the pin's archive stays as it is."""
    assert minimeet.build().code == 0
    before = listing(minimeet.dist)
    link = '<p><a href="https://next.example/">next</a></p>'
    commit = minimeet.move_upstream(monkeypatch, "static/about.html", "</main>", f"{link}</main>", pin=False)
    minimeet.edit(
        "upstream.toml", "[component.minimeet]", f'[tree.next]\nminimeet = "{commit}"\n\n[component.minimeet]'
    )
    unknown = minimeet.build("--tree", "next")
    assert unknown.code == 7, unknown.stderr
    assert "unknown host next.example" in unknown.stderr
    first = "# Foreign hosts"
    minimeet.edit("hosts.toml", first, f"{HOST}\n{first}")
    run = minimeet.build("--tree", "next")
    assert run.code == 0, run.stderr
    assert run.answer["components"][0]["commit"] == commit
    assert run.answer["variant"] == "hardened-next"
    assert run.answer["label"] == f"minimeet-hardened-{commit[:12]}+1"
    made = listing(minimeet.dist)
    assert f"hardened-next/minimeet-hardened-{commit[:12]}+1.tar.gz" in made
    assert {name: digest for name, digest in made.items() if not name.startswith("hardened-next/")} == before


def test_a_tree_that_is_not_there_is_named_with_those_that_are(minimeet: Minimeet) -> None:
    """Exit code 2, and the trees in the hint."""
    run = minimeet.build("--tree", "nowhere")
    assert run.code == 2
    assert "the trees are: pin" in run.stderr
