"""docs/reference.md#stanzas lists every read of a stanza in the pinned sources, file by file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference.md"
ROW = re.compile(r"^\| (\S+) \| `(\S+)` \| (\d+) \| (.+) \|$", re.MULTILINE)
# Whatever looks for elements, walks through them, or has a handler called with them.
READ = re.compile(
    r"\b(?:getElementsByTagName(?:NS)?|getElementsByClassName|querySelector(?:All)?|closest|findFirst|findAll|exists"
    r"|getChildren|forEachChild|packet2JSON|filterNodeFromPresenceJSON|getLastPresence|firstElementChild|lastElementChild"
    r"|addPresenceListener|addCommandListener|addHandler|_addSysHandler)\b(?=\(|\))"
    r"|\.(?:children|childNodes|firstChild|lastChild|textContent)\b"
)
COMMAND = re.compile(r"\baddCommandListener\(")
WORD = {"strophejs": ".", "lib-jitsi-meet": ".", "jitsi-meet": "addCommandListener"}  # a file without it is not read
SOURCE = re.compile(r"(?!.*\.spec\.)(?:[^/]+|modules/.+|src/.+|react/features/.+)\.(?:js|ts|tsx)")
NO_SOURCE = re.compile(r"(?:karma|test-setup|webpack|rollup)[^/]*\.(?:js|ts)|tests\.js")


def _reads(component: config.Component) -> dict[str, int]:
    repository = Repository(mirror_of(component))
    pattern = COMMAND if component.name == "jitsi-meet" else READ
    sources = ["*.js", "*.ts", "*.tsx", *(f":(exclude){path}" for path in component.exclude)]
    listed = repository.output("grep", "-lE", WORD[component.name], component.commit, "--", *sources)
    entries = repository.entries(repository.tree_of(component.commit))
    found = {}
    for path in (line.split(":", 1)[1] for line in listed.splitlines()):
        if SOURCE.fullmatch(path) and not NO_SOURCE.fullmatch(path):
            count = len(pattern.findall(repository.blob(entries[path].blob).decode()))
            if count:
                found[path] = count
    return found


@pytest.mark.parametrize("name", ["strophejs", "lib-jitsi-meet", "jitsi-meet"])
@pytest.mark.upstream
def test_every_read_of_a_stanza_has_a_verdict(
    name: str, developers_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
    component = next(part for part in config.load(ROOT).components if part.name == name)
    if not mirror_of(component).exists() or Repository(mirror_of(component)).commit(component.commit) is None:
        pytest.skip(f"the cache does not hold {name} at its pin: run 'make build'")

    listed = {path: int(count) for owner, path, count, _ in ROW.findall(PAGE.read_text()) if owner == name}
    assert _reads(component) == listed
