"""The texts of ours: the same in every language that has them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

OVERLAY = Path(__file__).parents[3] / "overlays" / "jitsi-meet"
ENTRIES = {
    entry["path"]: entry
    for entry in tomllib.loads((OVERLAY / "overlays.toml").read_text())["file"]
    if entry["path"].startswith("lang/main")
}
TRANSLATED = sorted(path for path in ENTRIES if path != "lang/main.json")
# What is spelled alike in English and in another language.
ALIKE = {("lang/main-it.json", "personalLogin.password")}


def texts(path: str) -> dict[str, str]:
    """Return the texts of ours in a file, by dotted key; not those that replace one of upstream's."""
    found: dict[str, str] = {}

    def walk(part: dict[str, Any], prefix: str) -> None:
        for key, value in part.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                found[prefix + key] = value

    walk(json.loads((OVERLAY / path).read_text()), "")
    return {key: text for key, text in found.items() if key not in ENTRIES[path].get("override", [])}


def placeholders(text: str) -> list[str]:
    """Return what i18next fills in, and markup."""
    return sorted(re.findall(r"\{\{.*?\}\}|\$t\(.*?\)|<[^>]*>", text))


ENGLISH = texts("lang/main.json")


@pytest.mark.parametrize("path", TRANSLATED)
def test_a_language_has_all_texts_and_no_others(path: str) -> None:
    """How to add one: CONTRIBUTING.md, "A text"."""
    assert texts(path).keys() == ENGLISH.keys()


@pytest.mark.parametrize("path", TRANSLATED)
def test_placeholders_and_markup_are_those_of_the_english_text(path: str) -> None:
    wrong = {key for key, text in texts(path).items() if placeholders(text) != placeholders(ENGLISH.get(key, ""))}

    assert wrong == set()


@pytest.mark.parametrize("path", TRANSLATED)
def test_no_text_is_left_in_english_or_empty(path: str) -> None:
    left = {key for key, text in texts(path).items() if not text.strip() or text == ENGLISH.get(key)}

    assert left - {key for file, key in ALIKE if file == path} == set()


def test_each_language_has_a_state() -> None:
    """README.md says which are machine-written, and overlays.toml says the same."""
    rows = dict(
        re.findall(r"^\| \w+ \| `(main[\w-]*\.json)` \| (.*?) \|$", (OVERLAY / "README.md").read_text(), re.MULTILINE)
    )

    assert {f"lang/{file}" for file in rows} == set(ENTRIES)
    for file, state in rows.items():
        assert ("machine-written" in ENTRIES[f"lang/{file}"]["reason"]) == state.startswith("machine-written")
