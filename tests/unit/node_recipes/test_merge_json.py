"""overlay.merge_json: a fragment is added, and nothing of upstream's is overwritten unseen."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.series.overlay import merge_json

KEY = st.sampled_from(["a", "b", "c", "ä", "a.b", ""])
SCALAR = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3), max_leaves=8
)
OBJECT = st.dictionaries(KEY, VALUE, max_size=4)


def merged(theirs: object, ours: object, override: list[str] | None = None) -> Any:
    """Merge two values."""
    return json.loads(merge_json(json.dumps(theirs).encode(), json.dumps(ours).encode(), override or []))


def contains(whole: Any, part: Any) -> bool:
    """Return whether all keys of ``part``, at any depth, are in ``whole`` with their values."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return bool(whole == part)


@given(OBJECT)
def test_merging_nothing_changes_nothing(theirs: dict[str, Any]) -> None:
    result = merged(theirs, {})
    assert theirs == result
    assert json.dumps(theirs) == json.dumps(result), "the order of keys stays"


@given(OBJECT, OBJECT)
def test_the_result_holds_both_sides_or_there_is_none(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Without overrides: all of the fragment and all of upstream's are there, or it is an error."""
    before = copy.deepcopy(theirs)
    try:
        result = merged(theirs, ours)
    except ValueError as error:
        assert "override" in str(error)  # noqa: PT017
        return
    assert contains(result, ours)
    assert contains(result, before)


@given(OBJECT, OBJECT, st.lists(st.sampled_from(["a", "b", "a.b", "a.a", "b.c"]), unique=True))
def test_only_overridden_keys_change(theirs: dict[str, Any], ours: dict[str, Any], override: list[str]) -> None:
    try:
        result = merged(theirs, ours, override)
    except ValueError:
        return
    assert contains(result, ours)
    changed = {key for key in theirs if not contains(result[key], theirs[key])}
    assert all(any(name == key or name.startswith(key + ".") for name in override) for key in changed)


def test_new_keys_stand_at_the_end() -> None:
    assert list(merged({"z": 1, "y": {"x": 1}}, {"a": 1, "y": {"b": 2}})) == ["z", "y", "a"]


@pytest.mark.parametrize("indent", [2, 4])
def test_indentation_and_characters_are_upstreams(indent: int) -> None:
    theirs = (json.dumps({"a": {"b": "größer"}}, indent=indent, ensure_ascii=False) + "\n").encode()
    assert theirs == merge_json(theirs, b"{}", [])


REFUSED = {
    "a key that is there": ('{"a": 1}', '{"a": 2}', [], "upstream has the key a"),
    "the same value": ('{"a": 1}', '{"a": 1}', [], "upstream has the key a"),
    "an inner key": ('{"a": {"b": 1}}', '{"a": {"b": 2}}', [], "the key a.b"),
    "an object by a value": ('{"a": {"b": 1}}', '{"a": 2}', [], "the key a"),
    "a value by an object": ('{"a": 1}', '{"a": {"b": 2}}', [], "the key a"),
    "a list": ('{"a": [1]}', '{"a": [2]}', [], "the key a"),
    "an override of the outer key only": ('{"a": {"b": 1}}', '{"a": {"b": 2}}', ["a"], "the key a.b"),
    "an override that is not needed": ('{"a": 1}', '{"b": 2}', ["b"], "not changed: b"),
    "not JSON": ("{", "{}", [], "not valid JSON"),
    "not UTF-8": (b"{\xff}", "{}", [], "not valid JSON"),
    "a list as a whole": ("[]", "{}", [], "JSON objects"),
    "a key twice in the fragment": ("{}", '{"a": 1, "a": 2}', [], "twice|duplicate"),
    "a key twice upstream": ('{"a": 1, "a": 2}', "{}", [], "twice|duplicate"),
}


@pytest.mark.parametrize(("theirs", "ours", "override", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_overwrite_something_is_refused(
    theirs: str | bytes, ours: str, override: list[str], named: str
) -> None:
    content = theirs if isinstance(theirs, bytes) else theirs.encode()
    with pytest.raises(ValueError, match=named):
        merge_json(content, ours.encode(), override)


def test_an_override_changes_what_it_names() -> None:
    assert merged({"a": {"b": 1, "c": 1}}, {"a": {"b": 2}}, ["a.b"]) == {"a": {"b": 2, "c": 1}}
