"""series/patch.py: what a patch file may hold, and that what is read is what git would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.errors import PatchError
from hardener.git.repository import Identity
from hardener.series import patch
from hardener.series.patch import Touch
from support.fakes import EXECUTABLE, ODD_NAME, SUBMODULE, SYMLINK, FakeUpstream, lines

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"From: Ada <ada@a.example>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: no gravatar\n\n"
BODY = b"Ask nobody for pictures.\n\nReason: local-policy\nRequires: a.patch, b\nEvidence: t1\n---\n a comment\n\n"
DIFF = b"diff --git a/x b/x\nindex 7898192..6178079 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


def new_file(path: bytes, mode: bytes = b"100644") -> bytes:
    """Return a diff that makes a file."""
    return (
        b"diff --git a/%s b/%s\nnew file mode %s\nindex 0000000..6178079\n--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+b\n"
        % (
            path,
            path,
            mode,
            path,
        )
    )


def test_header_and_touches_are_read() -> None:
    found = patch.parse("x.patch", HEAD + BODY + DIFF)
    assert Identity("Ada", "ada@a.example", "Tue, 14 Nov 2023 22:13:20 +0000") == found.author
    assert found.subject == "no gravatar"
    assert found.fields == {"Reason": "local-policy", "Requires": "a.patch, b", "Evidence": "t1"}
    assert found.requires == ("a.patch", "b")
    assert found.touches == (Touch("x", "x", 1, 1, 1, "7898192", "6178079"),)
    assert (
        found.message
        == "no gravatar\n\nAsk nobody for pictures.\n\nReason: local-policy\nRequires: a.patch, b\nEvidence: t1\n"
    )


def test_the_content_is_kept_byte_for_byte() -> None:
    content = HEAD + BODY + DIFF.replace(b"-a\n+b\n", b"-a\r\n+b \xff\r\n")
    assert content == patch.parse("x.patch", content).content


def test_a_patch_without_description_has_its_subject_as_message() -> None:
    assert patch.parse("x.patch", HEAD + b"---\n" + DIFF).message == "no gravatar\n"


HEADERS = {
    "encoded": (b"Subject: =?UTF-8?q?Gr=C3=B6=C3=9Fe?=", "Größe"),
    "folded": (b"Subject: one\n two", "one two"),
    "folded and encoded": (b"Subject: =?UTF-8?q?Gr=C3=B6=C3=9Fe?=\n =?UTF-8?q?_und_Ma=C3=9F?=", "Größe und Maß"),
    "raw UTF-8": ("Subject: Größe".encode(), "Größe"),
}


@pytest.mark.parametrize(("line", "subject"), HEADERS.values(), ids=HEADERS.keys())
def test_subjects_are_decoded(line: bytes, subject: str) -> None:
    assert subject == patch.parse("x", HEAD.replace(b"Subject: no gravatar", line) + DIFF).subject


@pytest.mark.parametrize(
    "author", [b"=?UTF-8?q?J=C3=B6rg?= <j@a.example>", "Jörg <j@a.example>".encode()], ids=["encoded", "raw UTF-8"]
)
def test_an_author_with_umlauts_is_decoded(author: bytes) -> None:
    assert patch.parse("x", HEAD.replace(b"Ada <ada@a.example>", author) + DIFF).author.name == "Jörg"


BAD = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "empty"),
    "header only": (HEAD + b"---\n", "no diff"),
    "no mail header": (DIFF, "no mail header"),
    "no mail header but a text": (b"Remove gravatar\n\n" + DIFF, "no mail header"),
    "header lacks the author": (HEAD.replace(b"From: Ada <ada@a.example>\n", b"") + DIFF, "lacks From"),
    "header lacks the date": (HEAD.replace(b"Date: Tue, 14 Nov 2023 22:13:20 +0000\n", b"") + DIFF, "lacks Date"),
    "header lacks the subject": (HEAD.replace(b"Subject: no gravatar\n", b"") + DIFF, "lacks Subject"),
    "date that is none": (HEAD.replace(b"Tue, 14 Nov 2023 22:13:20 +0000", b"some day") + DIFF, "(?i)date"),
    "author without name and address": (HEAD.replace(b"Ada <ada@a.example>", b"<>") + DIFF, "(?i)from|author"),
    "unknown charset in the header": (HEAD.replace(b"no gravatar", b"=?klingon?q?x?=") + DIFF, "."),
    "damaged base64 in the header": (HEAD.replace(b"no gravatar", b"=?utf-8?b?x?=") + DIFF, "."),
    "parent folder": (HEAD + DIFF.replace(b"/x", b"/../x"), "leaves the tree"),
    "parent folder within": (HEAD + DIFF.replace(b"/x", b"/s/../../x"), "leaves the tree"),
    "absolute path": (HEAD + DIFF.replace(b" a/x", b" /x").replace(b" b/x", b" /x"), "absolute"),
    "absolute path below the prefix": (HEAD + DIFF.replace(b"a/x", b"a//x").replace(b"b/x", b"b//x"), "absolute"),
    "no prefix": (HEAD + DIFF.replace(b"a/x", b"x").replace(b"b/x", b"x"), "lacks its a/ prefix"),
    ".git": (HEAD + new_file(b".git/config"), r"\.git"),
    ".git in another case": (HEAD + new_file(b"sub/.GiT/hooks/x"), r"\.git"),
    "quoted path that leaves the tree": (HEAD + new_file(b"x").replace(b"b/x", b'"b/\\056\\056/x"'), "leaves|belongs"),
    "symbolic link": (HEAD + new_file(b"x", b"120000"), "symbolic link"),
    "submodule": (HEAD + new_file(b"x", b"160000"), "submodule"),
    "odd mode": (HEAD + new_file(b"x", b"100666"), "not a regular file"),
    "mode becomes a link": (HEAD + b"diff --git a/x b/x\nold mode 100644\nnew mode 120000\n", "symbolic link"),
    "change of a link": (HEAD + DIFF.replace(b"100644", b"120000"), "symbolic link"),
    "binary": (
        HEAD + b"diff --git a/x b/x\nindex 0000000..6178079 100644\nGIT binary patch\nliteral 3\nKc${NkW&i*H\n\n",
        "binary",
    ),
    "binary without content": (
        HEAD + b"diff --git a/x b/x\nindex 7898192..6178079 100644\nBinary files a/x and b/x differ\n",
        "binary",
    ),
    "truncated in a line": (HEAD + DIFF[:-3], "truncated"),
    "truncated after the hunk's head": (HEAD + DIFF[: DIFF.index(b"-a\n")], "truncated"),
    "truncated after the file's head": (HEAD + DIFF[: DIFF.index(b"@@")], "changes nothing|truncated"),
    "hunk longer than its head": (HEAD + DIFF + b"+c\n", "belongs to no hunk"),
    "hunk shorter than its head": (HEAD + DIFF.replace(b"@@ -1 +1 @@", b"@@ -1,2 +1,2 @@"), "truncated"),
    "hunk's head mangled": (
        HEAD + DIFF.replace(b"@@ -1 +1 @@", b"@@ -1 +one @@"),
        "belongs to no hunk|changes nothing",
    ),
    "line after the hunk": (HEAD + DIFF + b"please apply\n", "belongs to no hunk"),
    "lines after the hunk and a blank": (HEAD + DIFF + b"\nplease apply this with care\n", "belongs to no hunk"),
    "second file's hunk behind a blank": (HEAD + DIFF + b"\n@@ -9 +9 @@\n-y\n+z\n", "belongs to no hunk"),
    "two names that differ": (HEAD + DIFF.replace(b"diff --git a/x b/x", b"diff --git a/y b/y"), "."),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_patch_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        patch.parse("x.patch", content)


def test_read_names_the_file_and_says_how_to_write_it_anew(tmp_path: Path) -> None:
    path = tmp_path / "bad.patch"
    path.write_bytes(HEAD)
    with pytest.raises(PatchError, match=r"bad\.patch: no file is touched") as caught:
        patch.read(path)
    assert caught.value.exit_code == 5
    assert "git format-patch" in caught.value.hint


RENAMES = {
    "into .git": b"diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to .git/y\n",
    "out of the tree": b"diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to ../y\n",
    "from .git": b"diff --git a/x b/y\nsimilarity index 100%\nrename from .git/x\nrename to y\n",
    "copy into .git": b"diff --git a/x b/y\nsimilarity index 100%\ncopy from x\ncopy to .git/y\n",
    "elsewhere than its head says": b"diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to z\n",
}


@pytest.mark.parametrize("diff", RENAMES.values(), ids=RENAMES.keys())
def test_the_path_that_git_would_rename_to_is_the_path_that_is_judged(diff: bytes) -> None:
    """Git takes a rename's paths from its 'rename' lines, whatever 'diff --git' says."""
    with pytest.raises(ValueError, match=r"path|rename|differ"):
        patch.parse("x.patch", HEAD + diff)


SIGNATURES = {
    "git": b"-- \n2.39.5\n\n",
    "Debian": b"-- \n2.39.5 (Debian)\n",
    "Apple": b"-- \n2.39.5 (Apple Git-154)\n\n",
    "Windows": b"-- \n2.50.0.windows.1\n\n",
    "empty line": b"\n",
    "none": b"",
}


@pytest.mark.parametrize("end", SIGNATURES.values(), ids=SIGNATURES.keys())
def test_the_signature_of_format_patch_is_no_extra_line(end: bytes) -> None:
    assert len(patch.parse("x.patch", HEAD + DIFF + end).touches) == 1


def test_a_removed_line_of_two_dashes_is_not_taken_for_the_signature() -> None:
    diff = DIFF.replace(b"@@ -1 +1 @@\n-a\n", b"@@ -1,2 +1 @@\n-- \n-a\n")
    assert patch.parse("x.patch", HEAD + diff).touches[0].removed == 2


class TestMadeByGit:
    """Patches that git format-patch made of a real repository."""

    def touch(self, content: bytes) -> Touch:
        """Return the only touch of a patch."""
        (touch,) = patch.parse("x.patch", content).touches
        return touch

    def test_change(self, upstream: FakeUpstream) -> None:
        touch = self.touch(upstream.patch({"src/app.js": lines(l3="three", l20="")}))
        assert (touch.path, touch.added, touch.removed, touch.hunks) == ("src/app.js", 1, 2, 2)
        assert touch.old_blob == upstream.blob("src/app.js")

    def test_crlf(self, upstream: FakeUpstream) -> None:
        content = upstream.patch({"src/windows.txt": b"first\r\nnew\r\nthird\r\nfourth\r\n"})
        assert b"-second\r\n+new\r\n" in content
        assert (self.touch(content).added, self.touch(content).removed) == (1, 1)

    def test_rename(self, upstream: FakeUpstream) -> None:
        after = upstream.rename("src/util.js", "src/helpers/util.js")
        touch = self.touch(upstream.format_patch(upstream.commits[0], after))
        assert (touch.old, touch.new, touch.hunks) == ("src/util.js", "src/helpers/util.js", 0)

    def test_rename_of_an_odd_name(self, upstream: FakeUpstream) -> None:
        after = upstream.rename(ODD_NAME, "src/maß.txt")
        touch = self.touch(upstream.format_patch(upstream.commits[0], after))
        assert (touch.old, touch.new) == (ODD_NAME, "src/maß.txt")

    def test_mode_change(self, upstream: FakeUpstream) -> None:
        content = upstream.patch({"src/util.js": upstream.read("src/util.js")}, modes={"src/util.js": EXECUTABLE})
        assert self.touch(content).mode_change == "100644 -> 100755"

    def test_quoted_path(self, upstream: FakeUpstream) -> None:
        content = upstream.patch({ODD_NAME: b"eins\n"})
        assert rb"\303\266" in content
        assert self.touch(content).path == ODD_NAME

    @pytest.mark.parametrize("name", ['quo"te.txt', "tab\tname.txt", "ünï.txt"])
    def test_names_that_git_quotes(self, upstream: FakeUpstream, name: str) -> None:
        assert self.touch(upstream.patch({name: b"x\n"})).path == name

    def test_new_empty_file(self, upstream: FakeUpstream) -> None:
        touch = self.touch(upstream.patch({"empty": b""}))
        assert (touch.old, touch.new, touch.hunks) == (None, "empty", 0)

    def test_deletion(self, upstream: FakeUpstream) -> None:
        touch = self.touch(upstream.patch({"static/old.html": None}))
        assert (touch.old, touch.new, touch.removed) == ("static/old.html", None, 1)

    def test_no_newline_at_the_end(self, upstream: FakeUpstream) -> None:
        touch = self.touch(upstream.patch({"README.md": b"# Fake"}))
        assert (touch.added, touch.removed) == (1, 1)

    def test_not_utf_8(self, upstream: FakeUpstream) -> None:
        upstream.commit({"latin.txt": b"caf\xe9\nx\n"})
        assert self.touch(upstream.patch({"latin.txt": b"caf\xe9\ny\n"})).added == 1

    @pytest.mark.parametrize(
        ("mode", "target", "kind"),
        [(SYMLINK, b"/etc/passwd", "symbolic link"), (SUBMODULE, b"1" * 40, "submodule")],
    )
    def test_link_and_submodule_are_refused(self, upstream: FakeUpstream, mode: str, target: bytes, kind: str) -> None:
        with pytest.raises(ValueError, match=kind):
            patch.parse("x.patch", upstream.patch({"x": target}, modes={"x": mode}))

    def test_binary_is_refused(self, upstream: FakeUpstream) -> None:
        with pytest.raises(ValueError, match="binary"):
            patch.parse("x.patch", upstream.patch({"x.png": bytes(range(256))}))
