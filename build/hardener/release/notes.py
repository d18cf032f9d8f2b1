"""Release notes, made from the repository: its lists, patches and changelog, now and at the release before."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.git.project import Checkout
from hardener.policy import hosts, sdks
from hardener.release import debian
from hardener.release.signatures import RELEASE, SIGNERS
from hardener.series import patch
from hardener.system.sums import SIGNATURE, SUMS, UNRELEASED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hardener.config import Project

NAME, CHANGELOG = "release-notes.md", "CHANGELOG.md"
_WORDS = {"A": "added", "M": "changed", "D": "removed"}
# file -> title, table, and the key that names an entry
_LISTS = {
    hosts.NAME: ("Hosts that the bundle may name", "host", "host"),
    sdks.NAME: ("Third-party code that must not be in it", "sdk", "name"),
}


def changelog_section(text: str, version: str) -> tuple[str, str]:
    """Return the date and the text of a version's section in a changelog of the form Keep a Changelog 1.1.

    >>> changelog_section("## [Unreleased]\\n## [2.0+1] - 2026-12-01\\n\\n* new\\n\\n## [1.0+1] - 2026-01-01", "2.0+1")
    ('2026-12-01', '* new')
    """
    heading = rf"^## \[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)$(.*?)(?=^## |\Z)"
    found = re.search(heading, text, re.DOTALL | re.MULTILINE)
    return (found[1], found[2].strip()) if found else ("", "")


def notes(project: Project, label: str, commit: str, previous: str, *, unreleased: bool) -> str:
    """Return the release notes as Markdown; ``previous`` is the commit of the release before, if there is one."""
    lines = [f"# {label}", ""]
    if unreleased:
        lines += [f"**{UNRELEASED}**: files of a dry run. Do not install them.", ""]
    lines += [
        f"* {component.name} {component.release} ({component.commit})" for component in reversed(project.components)
    ]
    lines += [f"* hardener {commit or 'of no commit'}", ""]
    changelog = project.root / CHANGELOG
    version = f"{project.site.release}+{project.revision}"
    _, text = changelog_section(changelog.read_text("utf-8") if changelog.exists() else "", version)
    lines += ["## Changes", "", text or "There is no section of this version in the changelog.", ""]
    lines += _since(project, commit, previous)
    if project.debian:
        line = debian.upgrade_line(project)
        lines += ["## Install", "", "From the apt repository, also in place of a newer release:", "", f"    {line}", ""]
    lines += [
        "## Verify",
        "",
        f"    ssh-keygen -Y verify -f {SIGNERS} -I SIGNER -n {RELEASE} -s {SIGNATURE} < {SUMS}",
        f"    sha256sum --check {SUMS}",
        "",
        f"`{SIGNERS}` is the list of keys in the repository, and SIGNER a name in it.",
        "`hardener verify DIR` does both, and builds the files again for a comparison.",
        "",
    ]
    return "\n".join(lines)


def _since(project: Project, commit: str, previous: str) -> Iterator[str]:
    """Yield what differs from the release before, as lists; nothing for the first release."""
    checkout = Checkout(project.root)
    pin: Any = tomllib.loads((checkout.file(previous, config.NAME) or b"").decode()) if previous else {}
    if not pin:
        yield from ("This is the first release.", "")
        return
    site = pin["component"][project.site.name]
    yield from (f"## Since {site['release']}+{pin['project']['revision']}", "")
    yield from _patches(project.root, checkout.changed(previous, commit, "patches", "overlays"))
    for path, (title, table, key) in _LISTS.items():
        before, now = (
            {entry[key] for entry in tomllib.loads(content.decode()).get(table, ())}
            for content in (checkout.file(previous, path) or b"", checkout.file(commit, path) or b"")
        )
        changes = [f"* added: `{name}`" for name in sorted(now - before)]
        changes += [f"* removed: `{name}`" for name in sorted(before - now)]
        yield from (f"### {title}", "", *(changes or ["No change."]), "")


def _patches(root: Path, changed: dict[str, str]) -> Iterator[str]:
    yield from ("### Patches", "")
    patches = {path: word for path, word in changed.items() if path.endswith(".patch")}
    for path, word in sorted(patches.items()):
        subject = patch.read(root / path).subject if (root / path).exists() else ""
        yield f"* {_WORDS[word]}: `{path}`" + (f": {subject}" if subject else "")
    yield from (*(() if patches else ("No change.",)), "")
    overlays = [word for path, word in changed.items() if path.startswith("overlays/")]
    yield from ("### Overlays", "", _counted(overlays), "")


def _counted(words: Iterable[str]) -> str:
    """Return how many files were added, changed and removed.

    >>> _counted("AAM"), _counted("")
    ('2 files added, 1 files changed.', 'No change.')
    """
    found = list(words)
    counts = [f"{found.count(letter)} files {word}" for letter, word in _WORDS.items() if letter in found]
    return ", ".join(counts) + "." if counts else "No change."
