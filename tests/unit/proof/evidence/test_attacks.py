"""The hostile inputs: every key that upstream lets a link override is there, and the plan walks all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hardener.errors import UsageError
from hardener.proof.evidence import override_keys, selection
from hardener.proof.evidence.attack import NONE, Attack
from hardener.proof.evidence.attacks import ATTACKS
from hardener.proof.evidence.journeys import JOURNEYS

ROOT = Path(__file__).parents[4]
TREE = ROOT / ".work" / "unpatched" / "jitsi-meet" / "tree" / "react" / "features" / "base" / "config"


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        ("configWhitelist.ts", override_keys.CONFIG),
        ("interfaceConfigWhitelist.ts", override_keys.INTERFACE),
        ("isEmbeddedConfigWhitelist.ts", override_keys.EMBEDDED),
    ],
)
@pytest.mark.upstream
def test_the_keys_are_upstreams(file: str, listed: tuple[str, ...]) -> None:
    if not (TREE / file).exists():
        pytest.skip(f"{TREE} is not there: hardener build --unpatched")
    found = re.findall(r"^    '([^']+)'", (TREE / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(found) == sorted(listed)


def test_every_key_is_tried_once() -> None:
    config = [key for attack in ATTACKS if attack.name.startswith("keys-") for key in attack.config]
    interface = [key for attack in ATTACKS if attack.name.startswith("interface-") for key in attack.interface]
    assert sorted(config) == sorted(override_keys.CONFIG)
    assert sorted(interface) == sorted(override_keys.INTERFACE)


def test_the_keys_with_a_kind_are_keys() -> None:
    known = {*override_keys.CONFIG, *override_keys.INTERFACE}
    for kind in (
        override_keys.BREAKERS,
        override_keys._NUMBERS,
        override_keys._OBJECTS,
        override_keys._LISTS,
        override_keys._TEXTS,
        override_keys._KNOWN,
    ):
        assert set(kind) <= known


def test_the_link_carries_the_values() -> None:
    attack = Attack(
        "x", "link", "", (), config={"a.b": [1, "&#"]}, interface={"C": True}, fragment="d=1", query="jwt=t"
    )
    parts = urlsplit(attack.address("/room"))
    values = dict(parameter.split("=", 1) for parameter in parts.fragment.split("&"))
    assert (parts.path, parts.query) == ("/room", "jwt=t")
    assert json.loads(unquote(values["config.a.b"])) == [1, "&#"]
    assert (values["interfaceConfig.C"], values["d"]) == ("true", "1")
    assert NONE.address("/") == "https://meet.hardener.test/"


def test_names_are_unique_and_journeys_known() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert all(set(attack.journeys) <= set(JOURNEYS) and attack.journeys for attack in ATTACKS)


def test_plan() -> None:
    everything = selection.plan()
    assert {journey.name for journey, _attack in everything} == set(JOURNEYS)
    assert {attack.name for _journey, attack in everything} == {NONE.name} | {attack.name for attack in ATTACKS}
    names = [selection.name_of(*pair) for pair in selection.plan(["call", "call-mallory+giphy", "watchrtc"])]
    assert names == ["call + none", "call-mallory + watchrtc", "call-mallory + giphy"]
    with pytest.raises(UsageError, match="nonsense"):
        selection.plan(["nonsense"])
