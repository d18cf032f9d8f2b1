"""pipeline/deploy.py: what becomes part of the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.config import Component
from hardener.errors import BundleError
from hardener.pipeline import deploy
from hardener.pipeline.bundle import Bundled
from hardener.pipeline.checkout import WorkTree
from hardener.pipeline.install import Installed
from hardener.system import node
from hardener.system.process import Completed
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a tree whose Makefile has run: a page, and a folder of sounds."""
    monkeypatch.setattr(deploy, "run", lambda *_, **__: Completed((), 0, b"", b"", 0.0))
    monkeypatch.setattr(node, "recipes_digest", lambda: "recipes")
    install = "index.html usr/share/jitsi-meet/\nsounds usr/share/jitsi-meet/\n"
    return write_files(tmp_path / "tree", {"index.html": "page", "sounds/ring.wav": "wav", "site.install": install})


def deployed(tree: Path, **values: object) -> deploy.Deployed:
    """Lay out the site of the tree."""
    component = Component(name="meet", repository="x", commit="0" * 40, release="1", site="site.install", **values)
    installed = Installed("packages", 0, 0, (), fresh=True)
    bundled = Bundled(key="bundles", sizes={}, versions={}, warnings=(), modules={}, fresh=True)
    return deploy.deploy(component, WorkTree(tree, "tree", fresh=True), installed, bundled, tree.parent / "site")


def test_the_install_list_says_what_belongs_to_the_site(tree: Path) -> None:
    site = deployed(tree)
    assert site.files == 2
    assert (site.path / "sounds/ring.wav").read_text() == "wav"


def test_a_makefile_that_quotes_nothing_runs_in_a_folder_with_a_space(tmp_path: Path) -> None:
    makefile = "deploy:\n\tmkdir -p libs\n\tcp -R $(FONTS_DIR)/fonts libs/\n"
    tree = write_files(tmp_path / "größer als eins" / "tree", {"Makefile": makefile, "site.install": ""})
    deployed(tree, make=("deploy", "FONTS_DIR={empty}"))
    assert (tree / "libs/fonts").is_dir()


@pytest.mark.parametrize("place", ["sounds/passwd.wav", "index.html"])
def test_a_link_in_the_site_is_refused_not_followed(tree: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_text("of the builder's machine")
    (tree / place).unlink(missing_ok=True)
    (tree / place).symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match=f"{place} of the site is a symbolic link") as caught:
        deployed(tree)
    assert caught.value.exit_code == 6
    assert "site_without" in caught.value.hint
    assert not (tmp_path / "site").exists()


def test_a_folder_that_is_empty_names_the_lists_that_may_have_emptied_it(tree: Path) -> None:
    """A tree from git has no empty folders: remove.list can take the last file of one."""
    (tree / "sounds/ring.wav").unlink()
    (tree / "sounds").rmdir()
    with pytest.raises(BundleError, match=r"sounds of site\.install matches nothing") as caught:
        deployed(tree)
    assert "upstream.toml" in caught.value.hint
    assert "remove.list" in caught.value.hint


def test_a_link_can_be_left_out(tree: Path) -> None:
    (tree / "sounds/link.wav").symlink_to("ring.wav")
    assert deployed(tree, site_without=("sounds/link.wav",)).files == 2


def test_a_checkout_whose_path_has_blanks_is_one_word_for_the_shell(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stylesheets' compiler is named on make's command line, together with a file of ours."""
    words: list[str] = []
    monkeypatch.setattr(node, "RECIPES", tree / "a b$c")
    monkeypatch.setattr(deploy, "run", lambda argv, **_: words.extend(argv) or Completed((), 0, b"", b"", 0.0))
    deployed(tree)
    assert (
        f"NODE_SASS=node '{tree}/a b$$c/once.cjs' '' ''"
        f" --require '{tree}/a b$$c/seed-random.cjs' node_modules/.bin/sass" in words
    )
