"""The preparation of passwords and user names (personal-login/saslprep.ts) against Python's tables of RFC 3454."""

from __future__ import annotations

import json
import stringprep
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[3] / "overlays/jitsi-meet/react/features/personal-login"
EVERYTHING = [chr(point) for point in range(0x110000)]
IN_USE = EVERYTHING[:0x30000] + EVERYTHING[0xE0000:0xE0200]  # the other planes are unassigned or private as a whole
PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
MAIN = """
import { readFileSync } from 'node:fs';
const work = { preparePassword, normalizeUserName, isAllowed };
const { name, texts } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify(texts.map(text => work[name](text) ?? null)));
"""


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[str]], list[Any]]:
    """Call a function of saslprep.ts with each of some texts, in Node, which takes the types out."""
    folder = tmp_path_factory.mktemp("saslprep")
    body = (FOLDER / "saslprep.ts").read_text("utf-8").split("from './stringprepTables';", 1)[1]
    module = (FOLDER / "stringprepTables.ts").read_text("utf-8") + body + MAIN
    (folder / "saslprep.mts").write_text(module, "utf-8")

    def call(name: str, texts: list[str]) -> list[Any]:
        (folder / "job.json").write_text(json.dumps({"name": name, "texts": texts}))
        done = run([node.home() / "bin" / "node", folder / "saslprep.mts", folder / "job.json"])
        assert not done.status, done.complaint
        return json.loads(done.stdout)

    return call


def normalized(text: str) -> str:
    """NFKC of Unicode 3.2; Python leaves what that does not know as it is, as servers do."""
    return unicodedata.ucd_3_2_0.normalize("NFKC", text)


def allowed(text: str) -> bool:
    """RFC 3454, 5 and 6, with the profile of RFC 4013."""
    mixed = any(map(stringprep.in_table_d1, text)) and (
        any(map(stringprep.in_table_d2, text))
        or not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1]))
    )
    return bool(text) and not mixed and not any(table(sign) for table in PROHIBITED for sign in text)


def saslprep(text: str) -> str | None:
    """RFC 4013; spaces first, so that U+200B, which is in both tables, is a space, as it is for servers."""
    mapped = "".join(" " if stringprep.in_table_c12(sign) else sign for sign in text)
    prepared = normalized("".join(sign for sign in mapped if not stringprep.in_table_b1(sign)))
    return prepared if allowed(prepared) else None


def test_every_code_point_is_prepared_as_rfc_4013_says(overlay: Callable[..., list[Any]]) -> None:
    found = overlay("preparePassword", EVERYTHING)
    expected = [saslprep(sign) for sign in EVERYTHING]
    assert [ascii(sign) for sign, got, want in zip(EVERYTHING, found, expected, strict=True) if got != want] == []
    assert (found.count(None) > 100_000, found[0xB2], found[0xAD]) == (True, "2", None)


@pytest.mark.parametrize("frame", ["a{}b", "\u0627{}\u0627", "\u0627{}"], ids=["left to right", "right to left", "end"])
def test_every_code_point_beside_others(overlay: Callable[..., list[Any]], frame: str) -> None:
    """Direction of writing, and what is nothing by itself."""
    texts = [frame.format(sign) for sign in IN_USE]
    found = overlay("preparePassword", texts)
    assert [ascii(text) for text, got in zip(texts, found, strict=True) if got != saslprep(text)] == []


def test_every_code_point_of_a_user_name_is_normalized(overlay: Callable[..., list[Any]]) -> None:
    """What is nothing for a name is nothing first: a zero-width space, pasted along with it, is not a space."""
    texts = [f"a{sign}b" for sign in IN_USE]

    def expected(text: str) -> str:
        mapped = "".join(sign for sign in text if not stringprep.in_table_b1(sign))
        return normalized("".join(" " if stringprep.in_table_c12(sign) else sign for sign in mapped)).strip(" ")

    found = overlay("normalizeUserName", texts)
    assert [ascii(name) for name, got in zip(texts, found, strict=True) if got != expected(name)] == []
    assert found[0x200B] == "ab"


# Letters with marks, in any order, halves of surrogate pairs, directions of writing, and what is later than Unicode
# 3.2.
ALPHABET = (
    "aeo\u0308\u0323\u0301\u1100\u1161\u11a8\u0627\u05d0 \u00a0\u00ad\u200d\u00b2\u2122\ufb01\U0001f600\U0001d538\ua69c"
)


def test_words_are_prepared_as_rfc_4013_says(overlay: Callable[..., list[Any]]) -> None:
    texts: list[str] = ["\ud83d", "\ude00\ud83d", "Zau\u0308n", "x" * 5000]

    @given(st.lists(st.text(ALPHABET, max_size=8), min_size=200, max_size=200))
    def collect(words: list[str]) -> None:
        texts.extend(words)

    collect()
    found = overlay("preparePassword", texts)
    assert [ascii(text) for text, got in zip(texts, found, strict=True) if got != saslprep(text)] == []
