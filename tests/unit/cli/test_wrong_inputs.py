"""What goes wrong with patches, one row each: what is done, by which subcommand it shows, its state, exit code and
remedy.

The rows are the list. Everything is found in one run, and every finding has a remedy that can be typed. Further rows
are elsewhere: lists and arguments in series/test_lists.py, cli/test_main.py; the whole job in tests/pipeline/test_failures.py.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main
from support.fakes import (
    EXECUTABLE,
    SYMLINK,
    FakeUpstream,
    git,
    lines,
    standard,
    write_files,
    write_project,
    write_series,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.processes

A, B = "patches/fake/a.patch", "patches/fake/b.patch"


@dataclass
class Bench:
    """A project with two patches, a.patch and b.patch, that needs nothing done; b is in line 27 of the file of a."""

    root: Path
    upstream: FakeUpstream
    pin: str
    capsys: pytest.CaptureFixture[str]

    @property
    def tree(self) -> Path:
        """Return the work tree of ``hardener edit``."""
        return self.root / ".work/edit/fake"

    def run(self, verb: str, *words: str) -> tuple[int, dict[str, Any], str]:
        """Run a subcommand; exit code, JSON answer, what a person reads."""
        code = main.main([verb, "--json", "--project", str(self.root), *words])
        out, err = self.capsys.readouterr()
        return code, json.loads(out), err

    def sub(self, name: str, *pairs: tuple[str, str]) -> None:
        """Replace texts, which have to be there, in a file of the project."""
        path = self.root / name
        text = path.read_bytes()
        for old, new in pairs:
            assert old.encode() in text, old
            text = text.replace(old.encode(), new.encode())
        path.write_bytes(text)

    def add(self, name: str, files: dict[str, bytes | None], *, base: str = "", modes: dict[str, str] | None = None, **fields: str) -> None:  # fmt: skip
        """Append a patch with a header by the standard."""
        message = standard(f"Add {name}", self.pin, **fields)
        content = self.upstream.patch(files, message, base=base or self.pin, modes=modes or {})
        write_files(self.root / "patches/fake", {name: content})
        with (self.root / "patches/fake/series").open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")

    def git(self, *words: str, status: int | None = 0) -> None:
        """Plain git in the work tree."""
        person = ("-c", "user.name=Mia", "-c", "user.email=mia@example.org")
        env = {"PATH": "/usr/bin:/bin", "GIT_EDITOR": "true", "GIT_SEQUENCE_EDITOR": "true", "HOME": str(self.root)}
        done = subprocess.run(["git", *person, *words], cwd=self.tree, env=env, capture_output=True, check=False)
        assert status is None or done.returncode == status, done.stderr

    def commit(self, path: str, content: bytes, *words: str) -> None:
        """Change a file of the work tree and commit it."""
        write_files(self.tree, {path: content})
        self.git("add", "--all")
        self.git("commit", "--quiet", *words)


@pytest.fixture
def bench(tmp_path: Path, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Return the project; that nothing is wrong with it is the control of every row."""
    pin = upstream.head
    root = write_project(tmp_path / "project", upstream, exclude='["android"]')
    write_series(
        root / "patches/fake",
        {
            "a.patch": upstream.patch({"src/app.js": lines(l9="nine")}, standard("Say nine", pin)),
            "b.patch": upstream.patch({"src/app.js": lines(l27="far")}, standard("Go far", pin)),
        },
    )
    return Bench(root, upstream, pin, capsys)


@dataclass(frozen=True)
class Row:
    """One wrong input: ``state`` is a rule of the check or a part of the message, ``mend`` a part of the remedy."""

    name: str
    do: Callable[[Bench], object]
    state: str
    say: str
    mend: str
    code: int = 5
    verb: tuple[str, ...] = ("check",)
    also: tuple[str, ...] = field(default=())


def header(*pairs: tuple[str, str]) -> Callable[[Bench], object]:
    """Change a.patch."""
    return lambda bench: bench.sub(A, *pairs)


def write(name: str, content: bytes | str) -> Callable[[Bench], object]:
    """Write a file of the project."""
    return lambda bench: write_files(bench.root, {name: content})


def import_of_removed(bench: Bench) -> None:
    """A file that needs one that remove.list takes."""
    write_files(bench.root, {"patches/fake/remove.list": "src/util.js # ours\n"})
    bench.add("c.patch", {"src/more.ts": b"import './util';\n"})


def import_in_another_tree(bench: Bench) -> None:
    """Upstream's newer tree has such a file."""
    write_files(bench.root, {"patches/fake/remove.list": "src/util.js # ours\n"})
    newer = bench.upstream.commit({"src/more.ts": b"import './util';\n"}, "Need util")
    bench.sub("upstream.toml", (f'fake = "{bench.pin}"', f'fake = "{newer}"'))


def opened(then: Callable[[Bench], object]) -> Callable[[Bench], object]:
    """Open the work tree first."""

    def do(bench: Bench) -> None:
        assert bench.run("edit", "fake")[0] == 0
        then(bench)

    return do


def fuzz(bench: Bench) -> None:
    """A patch whose context is not upstream's any more: patch(1) would take it with fuzz."""
    bench.sub(A, ("\n line 6\n", "\n line six\n"))


def crlf(bench: Bench) -> None:
    """An editor wrote the whole file with CRLF."""
    path = bench.root / A
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def rename_outside(bench: Bench) -> None:
    """A rename whose target leaves the tree."""
    bench.add("c.patch", {"src/util.js": None, "src/u.js": bench.upstream.read("src/util.js", bench.pin)})
    bench.sub("patches/fake/c.patch", ("rename to src/u.js", "rename to ../u.js"))


def binary(bench: Bench) -> None:
    """A picture in a patch."""
    base = bench.pin
    after = bench.upstream.commit({"logo.png": b"\x89PNG\r\n\x1a\n\0\0\0"}, parent=base)
    message = standard("Logo", base).encode()
    commit = git(
        bench.upstream.path, "commit-tree", f"{after}^{{tree}}", "-p", base, "-F", "-", stdin=message, env=_who()
    )
    words = (
        "--stdout",
        "-1",
        "--keep-subject",
        "--full-index",
        "--zero-commit",
        "--no-signature",
        "--no-stat",
        "--binary",
    )
    content = git(bench.upstream.path, "format-patch", *words, commit.decode().strip())
    write_files(bench.root / "patches/fake", {"c.patch": content, "series": "a.patch\nb.patch\nc.patch\n"})


def _who() -> dict[str, str]:
    return {f"GIT_{role}_{what}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def hidden_dependency(bench: Bench) -> None:
    """A patch that is on another one, without Requires."""
    above = bench.upstream.commit({"src/app.js": lines(l9="nine")}, parent=bench.pin)
    bench.add("c.patch", {"src/app.js": lines(l9="nine", l10="ten")}, base=above)


def order_matters(bench: Bench) -> None:
    """Two patches that append to the same place of two equal ones: each applies without the other, order decides."""
    bench.add("c.patch", {"src/new.js": b"ours\n"})
    bench.add("d.patch", {"src/new.js": b"ours\n"})


def too_much_context(bench: Bench) -> None:
    """A patch that was exported with nine lines of context."""
    after = bench.upstream.commit({"src/app.js": lines(l9="nine")}, parent=bench.pin)
    message = standard("Say nine", bench.pin).encode()
    commit = git(
        bench.upstream.path, "commit-tree", f"{after}^{{tree}}", "-p", bench.pin, "-F", "-", stdin=message, env=_who()
    )
    words = ("--stdout", "-1", "-U9", "--keep-subject", "--full-index", "--zero-commit", "--no-signature", "--no-stat")
    write_files(bench.root, {A: git(bench.upstream.path, "format-patch", *words, commit.decode().strip())})


def missing_blob(bench: Bench) -> None:
    """A patch for a file that 'exclude' keeps out: a partial clone does not have its content."""
    bench.add("c.patch", {"android/Main.java": b"class Other {}\n"})


def upstream_changed(bench: Bench) -> None:
    """The file that an overlay replaces is another one."""
    text = f'[[file]]\npath = "README.md"\naction = "replace"\nreplaces = "{"1" * 40}"\nreason = "ours"\n'
    write_files(bench.root / "overlays/fake", {"overlays.toml": text, "README.md": "# Ours\n"})


def moved_pin(bench: Bench) -> None:
    """Work in the work tree, and then the pin moves."""
    bench.commit("src/new.js", b"new\n", "-m", "New\n\nWhy.")
    bench.sub("upstream.toml", (bench.pin, bench.upstream.commit({"README.md": b"# New\n"})))


def both_changed(bench: Bench) -> None:
    """Work in the work tree, and another person changes the series."""
    bench.commit("src/new.js", b"new\n", "-m", "New\n\nWhy.")
    bench.sub(B, ("Subject: Go far", "Subject: Go farther"))


def half_rebase(bench: Bench) -> None:
    """A rebase that stopped at a conflict."""
    bench.commit("src/app.js", lines(l9="NINE", l27="far"), "-m", "Loud\n\nWhy.")
    bench.git("rebase", "--onto", "hardener/base", "HEAD~1", status=1)


def not_on_the_pin(bench: Bench) -> None:
    """A branch that a person put onto something else."""
    bench.git("checkout", "--quiet", "--orphan", "other")
    bench.git("commit", "--quiet", "-m", "All\n\nWhy.")
    bench.git("branch", "--force", "series", "other")
    bench.git("switch", "--quiet", "series")


def merged(bench: Bench) -> None:
    """A merge on the branch."""
    bench.git("switch", "--quiet", "-c", "side", "HEAD~1")
    bench.commit("src/new.js", b"new\n", "-m", "New\n\nWhy.")
    bench.git("switch", "--quiet", "series")
    bench.git("merge", "--quiet", "--no-edit", "side")


def link(bench: Bench) -> None:
    """A symbolic link in a commit."""
    (bench.tree / "link").symlink_to("/etc/passwd")
    bench.git("add", "--all")
    bench.git("commit", "--quiet", "-m", "Link\n\nWhy.")


def extra(name: str, files: dict[str, bytes | str]) -> Callable[[Bench], object]:
    """Return an operator's folder."""
    return lambda bench: write_files(bench.root.parent / name, files)


EDIT, REGEN, ERROR = "hardener edit fake", "hardener regen fake", "error"
ROWS = [
    Row("misspelt status", header(("Upstream-Status: Inapp", "Upstream-Status: Inap")), "header", "malformed Upstream-Status 'Inapropriate only for us'; did you mean 'Inappropriate'?", EDIT),
    Row("misspelt field", header(("Upstream-Status:", "Upstream-status:")), "header", "malformed field 'Upstream-status: Inappropriate only for us': write 'Upstream-Status: ...'", EDIT),
    Row("field with letters turned round", header(("Upstream-Status:", "Upstream-Statsu:")), "header", "malformed field 'Upstream-Statsu: Inappropriate only for us': write 'Upstream-Status: ...'", EDIT),
    Row("missing field", header(("Reason: local-policy\n", "")), "header", "Reason is missing", EDIT),
    Row("reason that is none", header(("Reason: local-policy", "Reason: localpolicy")), "header", "did you mean 'local-policy'?", EDIT),
    Row("status without why", header(("Inappropriate only for us", "Inappropriate")), "header", "malformed Upstream-Status 'Inappropriate'", EDIT),
    Row("contradiction", header(("Reason: local-policy", "Reason: upstreamable")), "header", "contradicts", EDIT),
    Row("day that does not exist", header(("2023-11-15", "2023-02-30")), "header", "there is no such day", EDIT),
    Row("day in the future", header(("2023-11-15", "2999-01-01")), "header", "lies in the future", EDIT),
    Row("field twice", header(("Forwarded: not-needed\n", "Forwarded: not-needed\nForwarded: no\n")), "header", "Forwarded is listed twice", EDIT),
    Row("field in the text", header(("Upstream does this", "Reason: none\nUpstream does this")), "header", "Reason is in the text", EDIT),
    Row("no description", header(("Upstream does this, and we want that.\n\n", "")), "header", "no description", EDIT),
    Row("subject too long", header(("Subject: Say nine", "Subject: " + "nine " * 20)), "header", "72 are allowed", EDIT),
    Row("requires what is not there", header(("Evidence:", "Requires: bb\nEvidence:")), "header", "Requires names bb, which the series does not have; did you mean b?", EDIT),
    Row("requires what comes later", header(("Evidence:", "Requires: b\nEvidence:")), "header", "is not before it", EDIT),
    Row("base is not the pin", lambda bench: bench.sub(A, (f"Base: {bench.pin}", f"Base: {'1' * 40}")), "base", "Base is 111111111111, the pin is", REGEN),
    Row("evidence that is not there", header(("::test_it", "::test_them")), "evidence", "there is no test tests/test_it.py::test_them", EDIT),
    Row("no mail header", header(("From: ", "Von: ")), "form", "no mail header", EDIT),
    Row("date that is none", header(("Date: Tue, 14 Nov 2023 22:13:20 +0000", "Date: yesterday")), "form", "is not a date", EDIT),
    Row("empty file", write(A, b""), "form", "the file is empty", EDIT),
    Row("truncated file", lambda bench: (bench.root / A).write_bytes((bench.root / A).read_bytes()[:-40]), "form", "truncated", EDIT),
    Row("not a patch at all", write(A, b"\x00\xff" * 99), "form", "no file is touched", EDIT),
    Row("fuzz", fuzz, "fit", "conflict hunk at src/app.js:6", EDIT),
    Row("CRLF", crlf, "form", "line ends are CRLF", "git config core.autocrlf false && git stash push -- "),
    Row("path that leaves the tree", header(("/src/app.js", "/../app.js")), "form", "leaves the tree", EDIT),
    Row("path into .git", header(("/src/app.js", "/.git/config")), "form", "reaches into .git", EDIT),
    Row("rename that leaves the tree", rename_outside, "form", "../u.js", EDIT),
    Row("binary hunk", binary, "form", "binary hunk", EDIT),
    Row("symbolic link", lambda bench: bench.add("c.patch", {"link": b"/etc/passwd"}, modes={"link": SYMLINK}), "form", "a symbolic link", EDIT),
    Row("file that moved", lambda bench: bench.sub(A, ("src/app.js", "src/nowhere.js")), "fit", "target-moved src/nowhere.js is now src/app.js", EDIT),
    Row("not canonical", header(("@@ line 5", "@@ function")), "canonical", "is not in canonical form: '@@ -6,7 +6,7 @@ function' would be '@@ -6,7 +6,7 @@ line 5'", REGEN),
    Row("short blob ids", lambda bench: (bench.root / A).write_bytes(re.sub(rb"index (\w{10})\w+\.\.(\w{10})\w+", rb"index \1..\2", (bench.root / A).read_bytes())), "canonical", "is not in canonical form: 'index ", REGEN),
    Row("signature of a mail", lambda bench: (bench.root / A).write_bytes((bench.root / A).read_bytes() + b"-- \n2.39.5\n\n"), "canonical", "'-- '", REGEN),
    Row("more context than needed", too_much_context, "canonical", "has 11 more lines of context than the form's three", REGEN),
    Row("hidden dependency", hidden_dependency, "requires", "applies only after a, which Requires does not name", "write 'Requires: a' into its header, then hardener regen fake"),
    Row("same change twice", order_matters, "fit", "merged-upstream", EDIT),
    Row("language file", lambda bench: bench.add("c.patch", {"lang/main.json": b'{\n    "title": "Ours",\n    "menu": {\n        "open": "Open"\n    }\n}\n'}), "language", "patches lang/main.json", 'action = "merge" in '),
    Row("missing blob in a partial clone", missing_blob, "excluded", "touches android/Main.java, which 'exclude' keeps out: it is neither fetched nor built", EDIT),
    Row("patch that is not listed", write("patches/fake/stray.patch", b"x"), "series", "stray.patch: is not in the series", "echo stray.patch >> ", code=3),
    Row("patch that is not there", write("patches/fake/series", "a.patch\nb.patch\nc.patch\n"), "series", "lists c.patch, which does not exist", "git checkout -- ", code=3),
    Row("listed twice", write("patches/fake/series", "a.patch\nb.patch\na.patch\n"), "series", "line 3: 'a.patch' is listed twice", "correct the line", code=3),
    Row("left over by a merge tool", write("patches/fake/a.patch.orig", b"x"), "series", "a.patch.orig: does not belong here", "mv ", code=3),
    Row("stale removal", write("patches/fake/remove.list", "never/ # never was\n"), "fit", "never/ matches nothing", "remove the line", code=3),
    Row("upstream changed under an overlay", upstream_changed, "fit", "upstream changed it: its blob is", "see "),
    Row("patch that does not fit another tree", lambda bench: bench.sub("upstream.toml", (f'fake = "{bench.pin}"', f'fake = "{bench.upstream.commit({"src/app.js": lines(l9="theirs")})}"')), "fit", "conflict hunk at src/app.js:6", "carry it over: hardener lift --to next", verb=("check", "--tree", "next")),
    Row("import of what is removed", import_of_removed, "used", "fake src/more.ts: imports ./util: src/util.js is removed", "remove src/more.ts as well"),
    Row("import of what is removed, in another tree", import_in_another_tree, "used", "fake src/more.ts: imports ./util: src/util.js is removed (upstream: ", "remove src/more.ts as well", verb=("check", "--tree", "next")),
    Row("table of the README", write("patches/README.md", "# Patches\n"), "table", "its table is not what the patches say", "hardener check --fix", code=3),
    Row("dirty work tree", opened(lambda bench: write_files(bench.tree, {"src/app.js": b"x\n"})), ERROR, "1 file(s) with changes that are in no commit", "git add -A && git commit --amend", verb=("regen", "fake")),
    Row("new file that nobody added", opened(lambda bench: write_files(bench.tree, {"src/new.js": b"x\n"})), ERROR, "1 file(s) with changes that are in no commit", "git add -A", verb=("regen", "fake")),
    Row("half-finished rebase", opened(half_rebase), ERROR, "a rebase is unfinished", "git rebase --continue", verb=("regen", "fake")),
    Row("HEAD on another branch", opened(lambda bench: bench.git("switch", "--quiet", "-c", "mine", "HEAD~1")), ERROR, "HEAD is on the branch mine", "git switch series", verb=("regen", "fake")),
    Row("pin moved under the work", opened(moved_pin), ERROR, "the pin is", "hardener edit fake --restart", verb=("regen", "fake")),
    Row("branch moved off the pin", opened(not_on_the_pin), ERROR, "is not based on the pin", "git rebase --onto", verb=("regen", "fake")),
    Row("series changed beside the work", opened(both_changed), ERROR, "the series has changed since", "hardener edit fake --restart", verb=("regen", "fake")),
    Row("opened again, both changed", opened(both_changed), ERROR, "it has work, and the series has changed too", REGEN, verb=("edit", "fake")),
    Row("fixup not folded in", opened(lambda bench: bench.commit("src/app.js", lines(l9="nin", l27="far"), "--fixup=:/Say nine")), ERROR, "not folded in yet", "git rebase -i", verb=("regen", "fake")),
    Row("empty commit", opened(lambda bench: bench.git("commit", "--quiet", "--allow-empty", "-m", "Nothing\n\nWhy.")), ERROR, "changes nothing: drop it", "git rebase -i", verb=("regen", "fake")),
    Row("merge commit", opened(merged), ERROR, "a series is a line", "git rebase", verb=("regen", "fake")),
    Row("link in a commit", opened(link), ERROR, "a symbolic link", "git rebase -i", verb=("regen", "fake")),
    Row("message that breaks the file", opened(lambda bench: bench.commit("src/new.js", b"x\n", "-m", "New\n\n---\nWhy.")), ERROR, "message cannot be written as a patch", "git rebase -i", verb=("regen", "fake")),
    Row("tag of a mail in the subject", opened(lambda bench: bench.commit("src/new.js", b"x\n", "-m", "[PATCH] New\n\nWhy.")), ERROR, "its subject begins with '[PATCH]'", "git rebase -i", verb=("regen", "fake")),
    Row("diff in the body", opened(lambda bench: bench.commit("src/new.js", b"x\n", "-m", "New\n\nAs in:\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x\n+y")), ERROR, "line 4 of its message is 'diff --git a/x b/x'", "git rebase -i", verb=("regen", "fake")),
    Row("notes behind the message", header(("2023-11-15\n", "2023-11-15\n---\nv2: shorter\n src/app.js | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n")), "notes", "has text behind '---', which a commit does not keep: 'v2: shorter'", "move it into the message"),
    Row("notes that regen would drop", header(("2023-11-15\n", "2023-11-15\n---\nv2: shorter\n")), ERROR, "have text behind '---'", "move it above the fields", verb=("regen", "fake")),
    Row("notes that edit would drop", header(("2023-11-15\n", "2023-11-15\n---\nv2: shorter\n")), ERROR, "have text behind '---'", "move it above the fields", verb=("edit", "fake")),
    Row("numbers of git behind the message", header(("2023-11-15\n", "2023-11-15\n---\n src/app.js | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n")), "canonical", "is not in canonical form: '---'", REGEN),
    Row("name that is none", opened(lambda bench: bench.commit("src/new.js", b"x\n", "-m", "New\n\nWhy.\n\nPatch-Name: ../x.patch")), ERROR, "is not a patch file name", "git rebase -i", verb=("regen", "fake")),
    Row("unknown component", lambda _: None, ERROR, "there is no component 'fakes'", "the components of upstream.toml are: fake", code=2, verb=("edit", "fakes")),
    Row("extra folder without anything", extra("mine", {"README.md": "x"}), ERROR, "neither patches/ nor overlays/", "laid out as the project", code=2, verb=("check", "--extra", "../mine")),
    Row("extra folder with a name for nobody", extra("My Folder", {"patches/fake/series": ""}), ERROR, "its name becomes part of the archive's name", "lower-case letters", code=2, verb=("check", "--extra", "../My Folder")),
    Row("extra folder for an unknown component", extra("mine", {"patches/fakes/series": ""}), ERROR, "there is no component 'fakes'", "are: fake", code=2, verb=("check", "--extra", "../mine")),
    Row("extra patch of a name that we have", lambda bench: shutil.copytree(bench.root / "patches", bench.root.parent / "mine/patches"), "fit", "the project has the patch a.patch already", "rename yours", code=5, verb=("check", "--extra", "../mine")),
]  # fmt: skip


def test_the_bench_is_in_order(bench: Bench) -> None:
    """The control: without any of the rows nothing is found, by no subcommand."""
    assert bench.run("check")[0] == 0
    assert bench.run("edit", "fake")[0] == 0
    assert bench.run("regen", "fake")[0] == 0


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_it_is_named_with_its_remedy(bench: Bench, monkeypatch: pytest.MonkeyPatch, row: Row) -> None:
    monkeypatch.chdir(bench.root)
    row.do(bench)
    before = {path: path.read_bytes() for path in (bench.root / "patches").rglob("*") if path.is_file()}
    code, answer, err = bench.run(*row.verb)
    assert "Traceback" not in err
    if row.state == ERROR:
        said = "\n".join((answer["error"], *answer["details"]))
        assert (row.say in said, row.mend in answer["hint"]) == (True, True), (said, answer["hint"])
    else:
        found = [f for f in answer["findings"] if f["rule"] == row.state and row.say in f"{f['where']}: {f['text']}"]
        assert found, err
        assert row.mend in found[0]["fix"]
        assert all(finding["fix"] == finding["mend"] for finding in answer["findings"])
    assert code == row.code
    assert {path: path.read_bytes() for path in (bench.root / "patches").rglob("*") if path.is_file()} == before


def test_an_overlay_without_an_entry_hides_no_patch(bench: Bench) -> None:
    """A patch takes upstream's import of what is removed: it is not reported because an overlay does not fit."""
    newer = bench.upstream.commit({"src/more.ts": b"import './util';\n"}, "Need util")
    bench.sub("upstream.toml", (f'commit = "{bench.pin}"', f'commit = "{newer}"'))
    write_files(bench.root, {"patches/fake/remove.list": "src/util.js # ours\n"})
    assert "used" in {finding["rule"] for finding in bench.run("check")[1]["findings"]}, "the control"
    bench.add("c.patch", {"src/more.ts": None}, base=newer)
    write_files(bench.root, {"overlays/fake/new.js": "x\n"})
    rules = {finding["rule"] for finding in bench.run("check")[1]["findings"]}
    assert ("fit" in rules, "used" in rules) == (True, False)


def test_everything_is_found_in_one_run(bench: Bench) -> None:
    bench.sub(A, ("Reason: local-policy\n", ""), ("@@ -6,7 +6,7 @@", "@@ -6,7 +6,7 @@ x"))
    bench.sub(B, ("::test_it", "::test_x"), ("Last-Update: 2023-11-15", "Last-Update: soon"))
    bench.add("c.patch", {"bin/run.sh": b"#!/bin/sh\n"}, modes={"bin/run.sh": EXECUTABLE}, Evidence="")
    upstream_changed(bench)
    code, answer, _ = bench.run("check")
    assert code == 5
    assert {(f["where"].rpartition("/")[2], f["rule"]) for f in answer["findings"]} == {
        ("a.patch", "header"),
        ("a.patch", "canonical"),
        ("b.patch", "header"),
        ("b.patch", "evidence"),
        ("c.patch", "header"),
        ("fake", "fit"),
    }
