"""What evidence tests share: the developer's cache, runs on a built site, and how their summaries are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import StackError
from hardener.proof.evidence import campaign, selection
from hardener.proof.evidence.record import read
from hardener.ui import UI
from support.sites import built
from support.threads import beside_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Evidence:
    """What a campaign has written."""

    summary: dict[str, Any]
    folder: Path

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Return all events."""
        return list(read(self.folder / "events.ndjson"))

    @property
    def text(self) -> str:
        """Return the whole record as it is on disk."""
        return (self.folder / "events.ndjson").read_text("utf-8")

    def walked(self, name: str) -> dict[str, Any]:
        """Return what the summary says of one run, "JOURNEY + ATTACK"."""
        (found,) = [run for run in self.summary["runs"] if run["run"] == name]
        return found

    def events_of(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one run."""
        return [event for event in self.events if event["run"] == name]


def hosts(runs: Iterable[dict[str, Any]]) -> dict[str, tuple[bool, bool]]:
    """Return who was contacted in these runs, and whether the browser and the transport saw it."""
    contacts = [contact for walked in runs for contact in walked["contacts"]]
    return {contact["host"]: (bool(contact["browser"]), bool(contact["transport"])) for contact in contacts}


@pytest.fixture(autouse=True)
def cache_home(developers_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the developer's own cache, from whose mirrors and packages the sites are built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
    return developers_cache


@pytest.fixture(scope="module")
def collect(developers_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Evidence]:
    """Run a selection on a built site; skipped, with the reason, where that is not possible."""

    def run(variant: str, *only: str) -> Evidence:
        out = tmp_path_factory.mktemp(variant) / "out"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
            try:
                scope = campaign.Scope(selection.plan(only), jobs=1)
                summary = beside_playwright(campaign.run, built(variant), out, UI(quiet=True), scope).summary
            except StackError as error:
                pytest.skip(f"{error.message} ({error.hint})")
        return Evidence(summary, out)

    return run
