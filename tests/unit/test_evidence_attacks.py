"""The hostile inputs: every key that upstream lets a link override is there, and the plan walks all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hardener.errors import UsageError
from hardener.evidence import campaign, keys
from hardener.evidence.attack import NONE, Attack
from hardener.evidence.attacks import ATTACKS
from hardener.evidence.journeys import JOURNEYS

ROOT = Path(__file__).parents[2]
TREE = ROOT / ".work" / "unpatched" / "jitsi-meet" / "tree" / "react" / "features" / "base" / "config"


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        ("configWhitelist.ts", keys.CONFIG),
        ("interfaceConfigWhitelist.ts", keys.INTERFACE),
        ("isEmbeddedConfigWhitelist.ts", keys.EMBEDDED),
    ],
)
@pytest.mark.upstream
def test_the_keys_are_upstreams(file: str, listed: tuple[str, ...]) -> None:
    if not (TREE / file).exists():
        pytest.skip(f"{TREE} is not there: hardener build --unpatched")
    found = re.findall(r"^    '([^']+)'", (TREE / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(found) == sorted(listed)


def test_every_key_is_tried_once() -> None:
    config = [key for one in ATTACKS if one.name.startswith("keys-") for key in one.config]
    interface = [key for one in ATTACKS if one.name.startswith("interface-") for key in one.interface]
    assert sorted(config) == sorted(keys.CONFIG)
    assert sorted(interface) == sorted(keys.INTERFACE)


def test_the_keys_with_a_kind_are_keys() -> None:
    known = {*keys.CONFIG, *keys.INTERFACE}
    for kind in (keys.BREAKERS, keys._NUMBERS, keys._OBJECTS, keys._LISTS, keys._TEXTS, keys._KNOWN):
        assert set(kind) <= known


def test_the_link_carries_the_values() -> None:
    attack = Attack(
        "x", "link", "", (), config={"a.b": [1, "&#"]}, interface={"C": True}, fragment="d=1", query="jwt=t"
    )
    parts = urlsplit(attack.address("/room"))
    values = dict(one.split("=", 1) for one in parts.fragment.split("&"))
    assert (parts.path, parts.query) == ("/room", "jwt=t")
    assert json.loads(unquote(values["config.a.b"])) == [1, "&#"]
    assert (values["interfaceConfig.C"], values["d"]) == ("true", "1")
    assert NONE.address("/") == "https://meet.hardener.test/"


def test_names_are_unique_and_journeys_known() -> None:
    assert len({one.name for one in ATTACKS}) == len(ATTACKS)
    assert all(set(one.journeys) <= set(JOURNEYS) and one.journeys for one in ATTACKS)


def test_plan() -> None:
    everything = campaign.plan()
    assert {journey.name for journey, _attack in everything} == set(JOURNEYS)
    assert {attack.name for _journey, attack in everything} == {NONE.name} | {one.name for one in ATTACKS}
    names = [campaign.name_of(*pair) for pair in campaign.plan(["call", "call-mallory+giphy", "watchrtc"])]
    assert names == ["call + none", "call-mallory + watchrtc", "call-mallory + giphy"]
    with pytest.raises(UsageError, match="nonsense"):
        campaign.plan(["nonsense"])
