"""series/patch.py on random input: no surprise errors, and the same counts as git."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardener.series import patch
from support.fakes import FakeUpstream, git

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"From: Ada <ada@a.example>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: x\n\n---\n"
DIFF = b"diff --git a/x b/x\nindex 7898192..6178079 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
PIECES = [
    *(line + b"\n" for line in (HEAD + DIFF).split(b"\n")),
    b"rename from x\n",
    b"rename to y\n",
    b"new file mode 100644\n",
    b"old mode 100644\n",
    b"Binary files a/x and b/x differ\n",
    b"GIT binary patch\n",
    b'--- "a/\\303\\n\\"\n',
    b"+++ /dev/null\n",
    b"@@ -0,0 +1,9 @@ f(\n",
    b"@@ -1,99999999999 +1 @@\n",
    b"\\ No newline at end of file\n",
    b"-- \n2.39\n",
    b"Subject: =?utf-8?b?x?=\n",
    b"From: \xff\xfe <>\n",
    b"\r\n",
    b"\f\x1c\x85\n",
]


def assert_only_value_error(content: bytes) -> None:
    """Parse; a ValueError is the only error there may be."""
    try:
        assert content == patch.parse("x.patch", content).content
    except ValueError as error:
        assert str(error)  # noqa: PT017


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_value_error(content: bytes) -> None:
    assert_only_value_error(content)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=24).map(b"".join))
@example(b"Subject: =?klingon?q?x?=\nFrom: a\nDate: b\n\n" + DIFF)
def test_scrambled_patches_raise_nothing_but_value_error(content: bytes) -> None:
    assert_only_value_error(content)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=12).map(b"".join))
def test_scrambled_diffs_below_a_good_header_raise_nothing_but_value_error(diff: bytes) -> None:
    assert_only_value_error(HEAD + diff)


@settings(max_examples=200)
@given(st.binary(max_size=30).filter(lambda text: b"\n" not in text), st.sampled_from([b"From", b"Date", b"Subject"]))
@example(b"=?klingon?q?x?=", b"Subject")
@example(b"=?utf-8?b?x?=", b"From")
def test_a_header_with_arbitrary_bytes_raises_nothing_but_value_error(value: bytes, field: bytes) -> None:
    start = HEAD.index(field)
    end = HEAD.index(b"\n", start)
    assert_only_value_error(HEAD[:start] + field + b": " + value + HEAD[end:] + DIFF)


@settings(max_examples=100)
@given(st.integers(0, len(HEAD + DIFF) - 1))
def test_a_patch_cut_off_anywhere_is_refused(length: int) -> None:
    """Only the very last byte, the line end, may be missing."""
    content = (HEAD + DIFF)[:length]
    if length < len(HEAD + DIFF) - 1:
        with pytest.raises(ValueError, match=r"."):
            patch.parse("x.patch", content)


LINE = st.sampled_from(
    [b"a", b"b", b"", b"-- ", b"--- a/x", b"+++ b/x", b"@@ -1 +1 @@", b"\\ x", b"\ff", b"c\r", b"\xe9", b"\x1cd"]
)
TEXT = st.tuples(st.lists(LINE, max_size=10), st.booleans()).map(
    lambda t: b"\n".join(t[0]) + (b"\n" if t[1] and t[0] else b"")
)
NAME = st.sampled_from(["x", "a b", "ü/ß.txt", "d/y.js", 'q"q', "b/x"])
TREE = st.dictionaries(NAME, TEXT, max_size=4)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> FakeUpstream:
    """Return a repository that all examples share."""
    return FakeUpstream.with_release(tmp_path_factory.mktemp("property") / "upstream.git")


@settings(max_examples=40)
@given(before=TREE, after=TREE)
def test_what_format_patch_writes_is_read_with_the_numbers_that_git_counts(
    repository: FakeUpstream, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    base = repository.commits[0]
    names = {*before, *after}
    first = repository.commit(before, parent=base)
    second = repository.commit({name: after.get(name) for name in names}, parent=first)
    stat = git(repository.path, "diff-tree", "-r", "-M", "--numstat", "-z", first, second)
    if not stat or b"-\t-\t" in stat:  # no change, or binary by git's judgement
        return
    found = patch.parse("x.patch", repository.format_patch(first, second))
    counts = [record.split(b"\t")[:2] for record in stat.split(b"\0") if record.count(b"\t") == 2]
    assert sorted((int(a), int(r)) for a, r in counts) == sorted((t.added, t.removed) for t in found.touches)
    renamed = git(repository.path, "diff-tree", "-r", "-M", "--name-only", "-z", first, second).decode().split("\0")
    assert sorted(filter(None, renamed)) == sorted(t.path for t in found.touches)


def test_cutting_leaves_a_whole_patch_whole(tmp_path: Path) -> None:
    """The positive control of the test with cut-off patches."""
    (tmp_path / "x.patch").write_bytes(HEAD + DIFF)
    assert patch.read(tmp_path / "x.patch").touches[0].added == 1
