"""The assessment of the real bundles: stock Jitsi Meet shows what each criterion expects of it, ours nothing red."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hardener.assessment import catalogue, run
from support.sites import built

ROOT = Path(__file__).parents[2]
# Criteria that files decide; the others need records of a browser.
STATIC = (
    "NET-02 NET-04 NET-06 TRK-01 TRK-02 CFG-01 STO-01 STO-02 AUTH-01 AUTH-02 INV-01 INV-03 INV-04 APP-01 APP-02 ORG-02"
).split()
HARDENED = {
    "green": {"NET-02", "NET-06", "TRK-01", "INV-04", "SUP-01"},
    "yellow": {"NET-04", "INV-01", "INV-03", "APP-02", "SUP-02"},
}

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


@pytest.fixture(autouse=True)
def cache(developers_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the mirrors and packages of the developer's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))


def assess(variant: str, out: Path) -> dict[str, str]:
    """Return the lights of the bundle column for a built variant."""
    dist = ROOT / "dist" if variant == "hardened" else ROOT / "dist" / variant
    order = run.Order(built(variant), ROOT, out, release=dist)
    assessed = run.bundle(order, dt.datetime.now(dt.UTC))
    assert [entry["sensor"] for entry in assessed.result["calibration"] if entry["state"] == "failed"] == []
    return {
        item["id"]: item["lights"]["bundle"]["light"]
        for item in assessed.result["results"]
        if "bundle" in item["lights"]
    }


def test_stock_jitsi_shows_the_red_that_each_criterion_expects(tmp_path: Path) -> None:
    found = assess("unpatched", tmp_path)
    expected = {
        criterion.id: criterion.stock["bundle"]
        for criterion in catalogue.load().criteria
        if "bundle" in criterion.stock
    }
    assert {name: found[name] for name in STATIC} == {name: expected[name] for name in STATIC}
    assert {found[name] for name in set(expected) - set(STATIC)} == {"grey"}


def test_the_hardened_bundle_shows_nothing_red(tmp_path: Path) -> None:
    found = assess("hardened", tmp_path)
    assert {light: {name for name in found if found[name] == light} for light in ("red", "green", "yellow")} == {
        "red": set(),
        **HARDENED,
    }
