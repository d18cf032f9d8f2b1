"""What a page has stored is judged by what it gives away, and no value and no trace of the visitor is kept."""

from __future__ import annotations

import json

import pytest

from hardener.assessment.service.storage import Entry, Left, judged

ROOM, PERSON = "hardener-4f2a", "Visitor 77c1"


def kinds(first: str, second: str, area: str = "local", key: str = "key") -> set[str]:
    """Return the kinds of an entry that two visits have left."""
    visits = [Left((Entry(area, key, value),), (ROOM, PERSON, "Zoë", "test")) for value in (first, second)]
    return {entry["kind"] for entry in judged(visits)}


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("en", "en", "other"),
        ("en", "de", "other"),
        ("5f3c2a91aa", "5f3c2a91aa", "other"),  # the same for all
        ("5f3c2a91aa", "77b1c0de42", "identifier"),
        (json.dumps({"a": [{"id": "5f3c2a91aa"}]}), json.dumps({"a": [{"id": "77b1c0de42"}]}), "identifier"),
        (json.dumps(json.dumps({"id": "5f3c2a91aa"})), json.dumps(json.dumps({"id": "77b1c0de42"})), "identifier"),
        ("1764230400000", "1764230409999", "other"),
        ('"2026-11-27T12:00:00Z"', '"2026-11-27T12:00:09Z"', "other"),
        (json.dumps([{"url": f"https://x/{ROOM.upper()}"}]), "[]", "history"),
        (json.dumps({"name": PERSON}), json.dumps({"name": PERSON}), "history"),
        (f"https%3A%2F%2Fx%2F{ROOM}", "", "history"),
        ("name=Visitor+77c1", "", "history"),
        (json.dumps(json.dumps(["Zoë"])), "", "history"),
        ("latest Zoëlle", "", "other"),  # contains the account "test" and the name, but does not name them
        ("https://x/test", "", "history"),
    ],
)
def test_an_entry_is_judged_by_two_visits(first: str, second: str, kind: str) -> None:
    assert kinds(first, second) == {kind}


@pytest.mark.parametrize(
    ("value", "kind"), [('["https://x/static/offline.html"]', "copy"), (f'["/{ROOM}"]', "history")]
)
def test_stored_files_of_the_service_are_copies_unless_they_name_the_room(value: str, kind: str) -> None:
    assert kinds(value, value, "cache") == {kind}


def test_what_differs_by_device_is_no_identifier() -> None:
    visits = [Left((Entry("local", "agent", f"a browser on {way}"),), (ROOM,), way) for way in ("android", "desktop")]
    assert [entry["kind"] for entry in judged(visits)] == ["other"]


def test_no_value_and_no_trace_is_kept() -> None:
    visits = [Left((Entry("local", f"seen/{ROOM}", "secret-value"),), (ROOM, PERSON))]
    assert judged(visits) == [{"area": "local", "key": "seen/[hidden]", "kind": "history"}]


@pytest.mark.parametrize(
    "key", ["name/Visitor%2077c1", "name/Visitor+77c1", f"%2F{ROOM}", "jwt/eyJhbGciOi.eyJzdWIiOi.c2ln"]
)
def test_a_key_is_shown_without_names_and_tokens(key: str) -> None:
    [entry] = judged([Left((Entry("local", key, ""),), (ROOM, PERSON))])
    assert not {"77c1", "4f2a", "c2ln"} & set(
        entry["key"].replace("[", " ").replace(".", " ").replace("-", " ").split()
    )
    assert entry["key"].endswith(("[hidden]", "[redacted]"))


def test_nested_json_without_end_is_read() -> None:
    assert kinds("[" * 5000 + "]" * 5000, "x") == {"other"}
