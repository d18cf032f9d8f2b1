"""Release notes: from the changelog, and from what differs since the release before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.release.notes import changelog_section, notes
from support import own_repository
from support.candidate import CHANGELOG, DEBIAN, HOSTS, UPSTREAM
from support.fakes import standard

if TYPE_CHECKING:
    from pathlib import Path


def patch(name: str) -> str:
    """Return a patch with the header of this project."""
    return (
        f"From: A Person <person@example.org>\nDate: Fri, 1 May 2026 12:00:00 +0000\n"
        f"Subject: {standard(name, '0' * 40)}\ndiff --git a/a.txt b/a.txt\nindex 1111111..2222222 100644\n"
        f"--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+{name}\n"
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project in git."""
    files = {
        "upstream.toml": UPSTREAM + DEBIAN, "hosts.toml": HOSTS, "sdks.toml": "", "CHANGELOG.md": CHANGELOG,
        "patches/app/first.patch": patch("first"), "patches/app/second.patch": patch("second"),
        "overlays/app/a.ts": "1",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    own_repository.commit(tmp_path)
    return tmp_path


def test_the_first_release_has_its_changelog_the_pin_and_the_command_that_verifies(root: Path) -> None:
    text = notes(config.load(root), "app-hardened-1.0+2", "c" * 40, "", unreleased=False)
    assert text.startswith("# app-hardened-1.0+2\n")
    assert f"* app 1.0 ({'1' * 40})" in text
    assert "* better" in text
    assert "* new" not in text
    assert "This is the first release." in text
    assert (
        "ssh-keygen -Y verify -f allowed_signers -I SIGNER -n hardener-release -s SHA256SUMS.sig < SHA256SUMS" in text
    )
    assert "apt install --allow-downgrades jitsi-meet-hardened=1.0+2" in text
    assert "UNRELEASED" not in text


def test_what_differs_since_the_release_before_is_listed(root: Path) -> None:
    before = own_repository.git(root, "rev-parse", "HEAD")
    (root / "patches/app/first.patch").unlink()
    (root / "patches/app/second.patch").write_text(patch("second").replace("+second", "+other"))
    (root / "patches/app/third.patch").write_text(patch("third"))
    (root / "overlays/app/b.ts").write_text("2")
    (root / "hosts.toml").write_text(HOSTS.replace("www.w3.org", "example.org"))
    (root / "sdks.toml").write_text('[[sdk]]\nname = "tracker"\n')
    (root / "upstream.toml").write_text((UPSTREAM + DEBIAN).replace("revision = 2", "revision = 3"))
    commit = own_repository.commit(root)
    text = notes(config.load(root), "app-hardened-1.0+3", commit, before, unreleased=True)
    assert "## Since 1.0+2" in text
    assert "**UNRELEASED**" in text
    for line in (
        "* removed: `patches/app/first.patch`",
        "* changed: `patches/app/second.patch`: second",
        "* added: `patches/app/third.patch`: third",
        "1 files added.",
        "* added: `example.org`",
        "* removed: `www.w3.org`",
        "* added: `tracker`",
        "There is no section of this version",
    ):
        assert line in text
    again = notes(config.load(root), "app-hardened-1.0+3", commit, before, unreleased=True)
    assert again == text


def test_nothing_new_is_said_to_be_so(root: Path) -> None:
    before = own_repository.git(root, "rev-parse", "HEAD")
    text = notes(config.load(root), "app-hardened-1.0+2", before, before, unreleased=False)
    assert text.count("No change.") == 4


@pytest.mark.parametrize(
    "heading", ["## 1.0+2 - 2026-12-01", "## [1.0+2]", "## [1.0+2] - soon", "## [1.0+20] - 2026-12-01"]
)
def test_a_heading_of_another_form_is_not_the_section(heading: str) -> None:
    assert changelog_section(f"{heading}\n\n* text\n", "1.0+2") == ("", "")
