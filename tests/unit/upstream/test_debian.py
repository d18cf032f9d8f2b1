"""The versions of upstream's packages, from a list whose signature is checked."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.errors import HardenerError, PinError, ScanError, UsageError
from hardener.upstream.debian import fill_in, look_up
from hardener.upstream.lift import tomledit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("gpgv")), reason="GnuPG is not installed")
PACKAGES = """Package: jitsi-meet
Version: 2.0.10978-1
Architecture: all
Pre-Depends: jitsi-videobridge2 (= 2.3-229-g1-1)
Depends: jicofo (= 1.0-1149-1), jitsi-meet-web (= 1.0.9499-1), jitsi-meet-web-config (= 1.0.9499-1)

Package: jitsi-meet
Version: 2.0.10978-10
Pre-Depends: jitsi-videobridge2 (= 2.3-230-g1-1)
Depends: jicofo (=1.0-1150-1),
 jitsi-meet-web (= 1.0.9500-1)

Package: jitsi-meet
Version: 2.0.109780-1
Depends: jicofo (= 9), jitsi-meet-web (= 9), jitsi-videobridge2 (= 9)

Package: jitsi-meet-web
Version: 2.0.10978-99
"""
VERSIONS = {
    "jitsi-meet": "2.0.10978-10",
    "jitsi-meet-web": "1.0.9500-1",
    "jicofo": "1.0-1150-1",
    "jitsi-videobridge2": "2.3-230-g1-1",
}
FOLDED = PACKAGES.replace("(=1.0-1150-1),\n jitsi", "(=1.0-1150-1), jitsi")


class Published:
    """A flat repository, signed with a key of its own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        folder.mkdir()
        home.mkdir(mode=0o700)
        self.gpg("--quick-gen-key", "Upstream <upstream@example.org>", "ed25519", "sign")
        self.key = folder.parent / "key.asc"
        self.key.write_bytes(self.gpg("--armor", "--export"))

    def gpg(self, *words: str, stdin: bytes = b"") -> bytes:
        """Run gpg with the publisher's home."""
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--passphrase", "", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True).stdout

    def end(self) -> None:
        """End the agent that gpg has started."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)

    def publish(self, text: str = FOLDED, name: str = "Packages") -> None:
        """Write list, Release and signature."""
        for path in self.folder.iterdir():
            path.unlink()
        content = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
        (self.folder / name).write_bytes(content)
        sums = f"SHA256:\n {hashlib.sha256(content).hexdigest()} {len(content):>16} ./{name}\n"
        release = f"Origin: upstream\nMD5Sum:\n {'0' * 32} 1 Packages\n{sums}".encode()
        (self.folder / "Release").write_bytes(release)
        (self.folder / "Release.gpg").write_bytes(self.gpg("--armor", "--detach-sign", stdin=release))

    def look_up(self, release: str = "2.0.10978") -> dict[str, str]:
        """Look a release up."""
        return look_up(str(self.folder), self.key, release)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Provide a repository; each test publishes what it needs."""
    folder = tmp_path_factory.mktemp("p")
    repository = Published(folder / "stable", folder / "h")
    yield repository
    repository.end()


@pytest.mark.parametrize("name", ["Packages", "Packages.gz"])
@pytest.mark.parametrize("text", [PACKAGES, FOLDED], ids=["folded", "one line"])
def test_the_last_build_of_the_release_gives_the_versions(published: Published, name: str, text: str) -> None:
    published.publish(text, name)
    assert published.look_up() == VERSIONS


def test_a_binary_key_is_read_too(published: Published, tmp_path: Path) -> None:
    published.publish()
    (tmp_path / "key.gpg").write_bytes(published.gpg("--export"))
    assert look_up(str(published.folder), tmp_path / "key.gpg", "2.0.10978") == VERSIONS


def test_a_release_that_is_not_there_is_a_wrong_pin(published: Published) -> None:
    published.publish()
    with pytest.raises(PinError, match=r"has no jitsi-meet 2\.0\.1097"):
        published.look_up("2.0.1097")


def test_a_metapackage_without_exact_versions_is_refused(published: Published) -> None:
    published.publish("Package: jitsi-meet\nVersion: 2.0.10978-1\nDepends: jitsi-meet-web (>= 1), jicofo (= 1)\n")
    with pytest.raises(PinError, match="no exact version of jitsi-meet-web"):
        published.look_up()


@pytest.mark.parametrize("file", ["Packages", "Release", "Release.gpg"])
def test_a_changed_byte_is_refused(published: Published, file: str) -> None:
    published.publish()
    path = published.folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ScanError):
        published.look_up()


def test_the_key_of_another_person_is_refused(published: Published, tmp_path: Path) -> None:
    published.publish()
    other = Published(tmp_path / "other", tmp_path / "h")
    with pytest.raises(ScanError, match="is not signed with the key"):
        look_up(str(published.folder), other.key, "2.0.10978")
    other.end()


@pytest.mark.parametrize(
    ("source", "said"), [("{folder}/missing", "there is no"), ("http://example.org/stable", "is not an https address")]
)
def test_a_source_that_cannot_be_read_is_named(published: Published, source: str, said: str) -> None:
    with pytest.raises(HardenerError, match=said):
        look_up(source.format(folder=published.folder), published.key, "2.0.10978")
    with pytest.raises(UsageError, match="there is no key"):
        look_up(str(published.folder), published.folder / "missing", "2.0.10978")


def test_the_table_is_filled_in_and_comments_stay() -> None:
    text = '# The pin\n[project]\nname = "meet" # ours\n'
    added = tomledit.debian(text, VERSIONS, "A <a@example.org>")
    assert added.startswith(text)
    assert tomllib.loads(added)["debian"] == {"maintainer": "A <a@example.org>", **VERSIONS}
    commented = added.replace('"2.0.10978-10"', '"2.0.10978-10" # looked up')
    changed = tomledit.debian(commented, VERSIONS | {"jitsi-meet": "2.0.11146-1"})
    assert 'jitsi-meet = "2.0.11146-1" # looked up' in changed
    assert tomllib.loads(changed)["debian"]["maintainer"] == "A <a@example.org>"


def test_a_project_is_filled_in_for_its_release(published: Published, tmp_path: Path) -> None:
    published.publish()
    component = f'[component.meet]\nrepository = "/m"\ncommit = "{"a" * 40}"\nrelease = "2.0.10978"\n'
    (tmp_path / "upstream.toml").write_text(f'[project]\nname = "meet"\nrevision = 1\nnode = 24\n{component}')
    with pytest.raises(UsageError, match="no \\[debian\\] table"):
        fill_in(config.load(tmp_path), str(published.folder), published.key)
    fill_in(config.load(tmp_path), str(published.folder), published.key, "A <a@example.org>")
    assert config.load(tmp_path).debian == config.Debian("A <a@example.org>", *VERSIONS.values())
