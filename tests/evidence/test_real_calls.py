"""An evidence run of calls between people with accounts, on a real Prosody. It has a file of its own, to run beside the others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from hardener.errors import StackError
from hardener.proof.evidence import campaign
from hardener.proof.evidence.namespaces import SealedNetwork
from hardener.proof.stack.docker import NoDockerError
from hardener.ui import UI
from support.sites import built
from support.threads import beside_playwright

from .conftest import hosts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


@pytest.mark.stack
def test_people_in_a_call_on_real_servers_and_a_hostile_one(tmp_path: Path) -> None:
    """The unpatched site beside it shows that what Mallory sends through Prosody does reach out where nothing stops
    it.
    """
    sites = [built(variant) for variant in ("hardened", "unpatched")]
    only = ("real-two", "real-three", "real-mallory+mallory-avatar")
    words = ["evidence", os.fspath(sites[0]), "--control", os.fspath(sites[1]), "--stack", "--out", os.fspath(tmp_path)]
    given = main._parser().parse_args([*words, "--only", *only])
    try:
        with SealedNetwork():
            pass
    except StackError as error:
        pytest.skip(f"{error.message} ({error.hint})")
    try:
        answer = beside_playwright(given.run, given, UI(quiet=True))
    except NoDockerError as error:
        if os.environ.get("HARDENER_REQUIRE_STACK") == "1":
            raise
        pytest.skip(f"no stack: {error.message} ({error.hint})")
    hardened, unpatched = answer["site"], answer["control"]
    assert (hardened["verdict"], hardened["totals"]["completed"], hosts(hardened["runs"])) == ("clean", 3, {})
    media = [told for walked in hardened["runs"] for told in walked["media"]]
    assert [told["who"] for told in media] == ["alice", "bob"]
    assert min(told["frames"] for told in media) >= 60
    assert [walked["run"] for walked in unpatched["runs"]] == ["real-mallory + mallory-avatar"]
    assert hosts(unpatched["runs"])["tracker.evil.example"] == (True, True)
    assert not campaign.weak_control(unpatched)
    assert answer["exit"] == 0
    assert any((tmp_path / "site" / campaign.PICTURES).glob("real-two-none-*.png"))
