"""The subcommands for what operators install: what they write, and what they refuse before they build."""

from __future__ import annotations

import hashlib
import json
import tarfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main, packages
from hardener.release import images, tree
from hardener.system import stamps
from support import packaging

if TYPE_CHECKING:
    from pathlib import Path

WEB = "jitsi-meet-web-hardened_2.0.10978+{}_all.deb"
DEBIAN = """
[debian]
maintainer = "The Maintainers <maintainers@example.org>"
jitsi-meet = "2.0.10978-1"
jitsi-meet-web = "1.0.9500-1"
jicofo = "1.0-1150-1"
jitsi-videobridge2 = "2.3-230-1"
"""


class Bench:
    """A project whose site is built already."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys
        self.site = packaging.site(root)

    def project(self, *tables: str, revision: int = 1) -> None:
        """Write upstream.toml."""
        component = f'[component.meet]\nrepository = "/m"\ncommit = "{packaging.COMMIT}"\nrelease = "2.0.10978"\n'
        head = f'[project]\nname = "jitsi-meet-hardened"\nrevision = {revision}\nnode = 24\n'
        (self.root / "upstream.toml").write_text("\n".join([head, component, *tables]))

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a subcommand; returns exit code and answer."""
        code = main.main([words[0], "--json", "--project", str(self.root), *words[1:]])
        return code, json.loads(self.capsys.readouterr().out)

    def sums(self) -> dict[str, str]:
        """Return what SHA256SUMS lists, each compared with its file."""
        lines = (self.root / "dist/SHA256SUMS").read_text().splitlines()
        listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
        found = {name: hashlib.sha256((self.root / "dist" / name).read_bytes()).hexdigest() for name in listed}
        assert found == listed
        return listed


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Provide the project; a build gives its site at once."""
    made = Bench(tmp_path, capsys)

    def built(_arguments: object, project: Any, _ui: object) -> Any:
        stamps.Stamp(made.site.with_suffix(".json")).set("key", {})
        return SimpleNamespace(
            site=SimpleNamespace(path=made.site, key="key"), mtime=packaging.EPOCH + project.revision
        )

    monkeypatch.setattr(packages, "_built", built)
    monkeypatch.setattr(packages, "_documents", lambda *_: packaging.DOCUMENTS)
    return made


def test_packages_are_written_and_listed(bench: Bench) -> None:
    bench.project(DEBIAN)
    code, answer = bench.run("deb")
    assert (code, sorted(answer["files"])) == (0, sorted(bench.sums()))
    assert WEB.format(1) in answer["files"]


@pytest.mark.parametrize("subcommand", ["deb", "apt", "oci"])
def test_a_site_that_another_build_changes_meanwhile_is_not_packed(
    bench: Bench, subcommand: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.project(DEBIAN)
    served = tree.served

    def serve(site: Path) -> dict[str, bytes]:
        stamps.Stamp(site.with_suffix(".json")).set("another key", {})
        return served(site)

    monkeypatch.setattr(tree, "served", serve)
    code, answer = bench.run(subcommand)
    assert (code, "another build has changed" in answer["error"]) == (75, True)
    assert not (bench.root / "dist").exists()


@pytest.mark.parametrize("subcommand", [("deb",), ("apt",), ("apt", "--out", "x")])
def test_without_upstreams_versions_nothing_is_built(bench: Bench, subcommand: tuple[str, ...]) -> None:
    bench.project()
    bench.site.rename(bench.root / "gone")  # a build would fail
    code, answer = bench.run(*subcommand)
    assert (code, answer["error"]) == (
        3,
        "upstream.toml has no [debian] table, and our packages name those of upstream",
    )
    assert "--look-up SOURCE --key FILE" in answer["hint"]


def test_a_repository_keeps_the_releases_that_are_there(bench: Bench) -> None:
    out = bench.root / "published"
    for revision in (1, 2):
        bench.project(DEBIAN, revision=revision)
        assert bench.run("apt", "--out", str(out))[0] == 0
    assert {path.name for path in out.rglob("*.deb")} >= {WEB.format(1), WEB.format(2)}
    assert (out / "dists/stable/main/binary-all/Packages").read_text().count("\nFilename: ") == 4


def test_the_archive_of_a_repository_has_earlier_releases(bench: Bench) -> None:
    bench.project(DEBIAN)
    bench.run("deb")
    (bench.root / "dist").rename(bench.root / "earlier")
    bench.project(DEBIAN, revision=2)
    code, answer = bench.run("apt", "--earlier", str(bench.root / "earlier"))
    assert (code, answer["files"]) == (0, ["jitsi-meet-hardened-2.0.10978+2-apt.tar"])
    with tarfile.open(bench.root / "dist" / answer["files"][0]) as archive:
        names = {name.rpartition("/")[2] for name in archive.getnames()}
    assert names >= {WEB.format(1), WEB.format(2)}
    assert bench.run("apt", "--earlier", "missing")[0] == 2


def test_a_revision_that_was_not_raised_is_refused(bench: Bench) -> None:
    bench.project(DEBIAN)
    out = bench.root / "published"
    bench.run("apt", "--out", str(out))
    (bench.site / "index.html").write_bytes(b"changed")
    code, answer = bench.run("apt", "--out", str(out))
    assert (code, "raise 'revision'" in answer["hint"]) == (2, True)


def test_the_signed_repository_needs_a_folder(bench: Bench) -> None:
    bench.project(DEBIAN)
    code, answer = bench.run("apt", "--sign", "KEY")
    assert (code, "--sign needs --out" in answer["error"]) == (2, True)


@pytest.mark.parametrize("name", ["InRelease", "Release.gpg"])
def test_a_signed_repository_is_not_written_without_a_signature(bench: Bench, name: str) -> None:
    bench.project(DEBIAN)
    out = bench.root / "published"
    assert bench.run("apt", "--out", str(out))[0] == 0
    (out / "dists/stable" / name).write_text("a signature")
    before = (out / "dists/stable/Release").read_bytes()
    bench.project(DEBIAN, revision=2)
    code, answer = bench.run("apt", "--out", str(out))
    assert (code, "is signed" in answer["error"]) == (2, True)
    assert answer["hint"].endswith(f"--out {out} --sign KEY")
    code, answer = bench.run("apt", "--out", str(out), "--sign", "")
    assert (code, answer["error"]) == (2, "--sign names no key")
    assert (out / "dists/stable/Release").read_bytes() == before


@pytest.mark.usefixtures("_templates")
def test_images_are_written_and_listed(bench: Bench) -> None:
    layout, image = packaging.base(bench.root)
    bench.project(f'[image]\nbase = "{image.base}"\n')
    code, answer = bench.run("oci", "--base", str(layout))
    assert (code, set(answer["files"])) == (0, set(bench.sums()))
    assert images.OVERRIDE in answer["files"]


def test_without_a_base_there_is_only_the_image_of_the_site(bench: Bench) -> None:
    bench.project()
    code, answer = bench.run("oci")
    assert (code, answer["files"]) == (0, ["jitsi-meet-hardened-2.0.10978+1-site.oci.tar"])
    code, answer = bench.run("oci", "--base", "x")
    assert (code, "[image]" in answer["error"]) == (3, True)


@pytest.mark.parametrize(
    "words", [("--look-up", "x"), ("--look-up", "x", "--key", "missing", "--maintainer", "A <a@b>")]
)
def test_a_look_up_without_its_key_is_refused(bench: Bench, words: tuple[str, ...]) -> None:
    bench.project()
    code, answer = bench.run("deb", *words)
    assert (code, "key" in answer["error"]) == (2, True)
