"""config.py: upstream.toml is read as it is meant, and every mistake is named together with what fixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

COMMIT, OTHER = "a" * 40, "b" * 40
PROJECT = '[project]\nname = "meet"\nrevision = 2\nnode = 24\n'
FIRST = f'[component.lib]\nrepository = "https://git.example/lib"\ncommit = "{COMMIT}"\nrelease = "v2.0"\n'
VALID = f"""{PROJECT}
[component.site]
repository = "../site.git"
commit = "{COMMIT}"
release = "10978"
ref = "refs/tags/10978"
needs = ["lib"]
exclude = ["android", "ios/app"]
recipe = "webpack"
generate = {{ "version.txt" = "{{commit}}", "a.txt" = "x" }}
omit = ["@scope/pkg"]

{FIRST}package = "lib-meet"

[tree.next]
site = "{OTHER}"
"""


def load(folder: Path, text: str) -> config.Project:
    """Load a project of that text."""
    (folder / "upstream.toml").write_text(text, "utf-8")
    return config.load(folder)


def test_a_valid_file_is_read_with_all_its_values(tmp_path: Path) -> None:
    project = load(tmp_path, VALID)
    site = project.component("site")
    assert (project.name, project.revision, project.node) == ("meet", 2, 24)
    assert (site.commit, site.release, site.ref, site.recipe) == (COMMIT, "10978", "refs/tags/10978", "webpack")
    assert (site.needs, site.exclude, site.omit) == (("lib",), ("android", "ios/app"), ("@scope/pkg",))
    assert site.generate == (("a.txt", "x"), ("version.txt", "{commit}"))
    assert project.trees == {"next": {"site": OTHER}}


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert load(tmp_path, PROJECT + FIRST).components == (
        config.Component(name="lib", repository="https://git.example/lib", commit=COMMIT, release="v2.0"),
    )


def test_the_label_names_release_and_revision(tmp_path: Path) -> None:
    assert load(tmp_path, VALID).label == "meet-10978+2"


def test_folders_lie_inside_the_project(tmp_path: Path) -> None:
    project = load(tmp_path, VALID)
    assert project.patches(project.site) == tmp_path / "patches" / "site"
    assert project.overlays(project.site) == tmp_path / "overlays" / "site"
    assert (project.work, project.dist) == (tmp_path / ".work", tmp_path / "dist")


def test_components_stand_in_build_order_and_the_site_is_last(tmp_path: Path) -> None:
    def component(name: str, needs: str) -> str:
        return FIRST.replace("component.lib", f"component.{name}") + f'package = "{name}"\nneeds = [{needs}]\n'

    text = PROJECT + component("top", '"middle", "base"') + component("middle", '"base"') + component("base", "")
    project = load(tmp_path, text)
    assert [part.name for part in project.components] == ["base", "middle", "top"]
    assert project.site.name == "top"


def test_another_commit_of_a_component_has_no_pinned_ref(tmp_path: Path) -> None:
    other = load(tmp_path, VALID).site.at(OTHER)
    assert (other.commit, other.ref, other.release) == (OTHER, "", OTHER[:12])


def test_an_unknown_component_is_a_usage_error_that_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nope") as caught:
        load(tmp_path, VALID).component("nope")
    assert "lib" in caught.value.hint
    assert "site" in caught.value.hint


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"upstream\.toml does not exist") as caught:
        config.load(tmp_path)
    assert "--project" in caught.value.hint
    assert caught.value.exit_code == 2


def changed(old: str, new: str) -> str:
    """Return the valid file with one change; the text that changes has to be there."""
    assert old in VALID
    return VALID.replace(old, new, 1)


MISTAKES = {
    "malformed TOML": (VALID + "key = \n", r"line \d+, column \d+"),
    "no project table": (VALID.replace("[project]", "[project2]"), "project2"),
    "project is no table": ("project = 3\n" + VALID.replace(PROJECT, ""), r"\[project\]"),
    "no component at all": (PROJECT, "component"),
    "component is no table": (PROJECT + "component = 3\n", "component"),
    "one component is no table": (PROJECT + "[component]\nlib = 3\n", r"component\.lib"),
    "component name in upper case": (PROJECT + FIRST.replace("lib]", "Lib]"), "Lib"),
    "component name leaves the folder": (PROJECT + FIRST.replace("component.lib]", 'component."../x"]'), r"\.\./x"),
    "unknown key at the top": ("colour = 1\n" + VALID, "unknown key 'colour'"),
    "unknown key in project": (changed("node = 24", "node = 24\nnodes = 1"), "unknown key 'nodes'"),
    "unknown key in component": (changed("exclude =", "excludes ="), "unknown key 'excludes'"),
    "project lacks a key": (changed("node = 24\n", ""), "'node' is missing"),
    "component lacks a key": (changed('release = "10978"\n', ""), "'release' is missing"),
    "revision is a text": (changed("revision = 2", 'revision = "2"'), "revision"),
    "revision is true": (changed("revision = 2", "revision = true"), "revision"),
    "revision is zero": (changed("revision = 2", "revision = 0"), "revision"),
    "node is a fraction": (changed("node = 24", "node = 24.1"), "node"),
    "name with a slash": (changed('name = "meet"', 'name = "me/et"'), "name"),
    "short commit": (changed(f'commit = "{COMMIT}"', 'commit = "abcdef0"'), "commit"),
    "commit in upper case": (changed(f'commit = "{COMMIT}"', f'commit = "{"A" * 40}"'), "commit"),
    "commit is a branch": (changed(f'commit = "{COMMIT}"', 'commit = "main"'), "commit"),
    "repository without scheme": (changed('"../site.git"', '"site.git"'), "repository"),
    "repository over plain http": (changed('"../site.git"', '"http://git.example/x"'), "repository"),
    "repository is an option": (changed('"../site.git"', '"--upload-pack=touch x"'), "repository"),
    "ref is a short name": (changed('"refs/tags/10978"', '"10978"'), "ref"),
    "release with a slash": (changed('release = "10978"', 'release = "a/b"'), "release"),
    "needs is no list": (changed('needs = ["lib"]', 'needs = "lib"'), "needs"),
    "needs an unknown component": (changed('needs = ["lib"]', 'needs = ["nope"]'), "nope"),
    "needs what has no package": (changed('package = "lib-meet"\n', ""), "lacks 'package'"),
    "needs itself": (changed('package = "lib-meet"', 'package = "lib-meet"\nneeds = ["lib"]'), "circle"),
    "needs in a circle": (
        changed('needs = ["lib"]', 'needs = ["lib"]\npackage = "s"').replace(
            'package = "lib-meet"', 'package = "l"\nneeds = ["site"]'
        ),
        "circle",
    ),
    "exclude leaves the tree": (changed('"ios/app"', '"../ios"'), "exclude"),
    "exclude is absolute": (changed('"ios/app"', '"/ios"'), "exclude"),
    "exclude leaves the tree in the middle": (changed('"ios/app"', '"a/../../ios"'), "exclude"),
    "unknown recipe": (changed('recipe = "webpack"', 'recipe = "make"'), "recipe"),
    "package is no npm name": (changed('"lib-meet"', '"Lib Meet"'), "package"),
    "omit is no npm name": (changed('"@scope/pkg"', '"@scope"'), "omit"),
    "generate is no table": (
        changed('generate = { "version.txt" = "{commit}", "a.txt" = "x" }', "generate = 3"),
        "generate",
    ),
    "generate holds a number": (changed('"a.txt" = "x"', '"a.txt" = 3'), "generate"),
    "generate leaves the tree": (changed('"a.txt" = "x"', '"../../a.txt" = "x"'), r"\.\./\.\./a\.txt"),
    "generate is absolute": (changed('"a.txt" = "x"', '"/tmp/a.txt" = "x"'), "/tmp/a.txt"),
    "trees are no table": ("tree = 3\n" + changed(f'[tree.next]\nsite = "{OTHER}"\n', ""), "'tree' is not a table"),
    "one tree is no table": (changed("[tree.next]\nsite", "[tree]\nnext = 3\n#"), r"tree\.next"),
    "tree with an unknown component": (changed(f'site = "{OTHER}"', f'sight = "{OTHER}"'), "sight"),
    "tree with a short commit": (changed(f'site = "{OTHER}"', 'site = "abc"'), r"tree\.next"),
}


@pytest.mark.parametrize(("text", "named"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_and_the_hint_says_what_is_allowed(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "upstream.toml") in caught.value.message
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_file_that_is_not_utf_8_is_a_mistake_too(tmp_path: Path) -> None:
    (tmp_path / "upstream.toml").write_bytes(PROJECT.encode() + b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="utf-8") as caught:
        config.load(tmp_path)
    assert "UTF-8" in caught.value.hint


def test_packages_and_image_of_upstream_are_read(tmp_path: Path) -> None:
    debian = 'maintainer = "A <a@b.example>"\njitsi-meet = "2.0-1"\njitsi-meet-web = "1.0.9-1"\njicofo = "1.0-1-1"\n'
    image = f'[image]\nbase = "docker.io/jitsi/web:stable-1@sha256:{"0" * 64}"\n'
    project = load(tmp_path, f'{PROJECT}{FIRST}[debian]\n{debian}jitsi-videobridge2 = "2.3-1-gab-1"\n{image}')
    assert project.debian == config.Debian("A <a@b.example>", "2.0-1", "1.0.9-1", "1.0-1-1", "2.3-1-gab-1")
    assert project.image == config.Image(f"docker.io/jitsi/web:stable-1@sha256:{'0' * 64}")
    assert (project.image.repository, project.image.tag) == ("docker.io/jitsi/web", "stable-1")
    assert project.image.digest == f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[debian]\nmaintainer = "A <a@b.example>"\n', "'jitsi-meet' is missing"),
        ('[debian]\nmaintainer = "A"\n', "maintainer = 'A'"),
        ('[debian]\nmaintainer = "A\\rDepends: b <a@b.example>"\n', "maintainer = "),
        ('[debian]\nmaintainer = " <a@b.example>"\n', "maintainer = "),
        ('[debian]\nmaintainer = "A <a@b>"\njitsi-meet = "1.0-"\n', "jitsi-meet = '1.0-'"),
        ('[debian]\nmaintainer = "A <a@b>"\njitsi-meet = "9999999999:1.0-1"\n', "jitsi-meet = "),
        ('[image]\nbase = "docker.io/jitsi/web:stable-1"\n', "base = "),
        (f'[image]\nbase = "docker.io/jitsi/web@sha256:{"0" * 64}"\n', "base = "),
        ('[image]\nbas = ""\n', "unknown key 'bas'"),
    ],
)
def test_a_mistake_in_these_tables_is_named(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, PROJECT + FIRST + table)
