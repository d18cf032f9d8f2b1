"""series/edit.py and series/regen.py: a series goes to commits and back; nothing changes but what was changed,
nothing is lost.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from hardener.cli import main, series
from hardener.errors import UnfinishedError
from hardener.git import leftovers
from hardener.series import edit, header, patch
from hardener.series.extras import Layer
from hardener.system import locks, transaction
from support.fakes import FakeUpstream, git, lines, standard, write_files, write_project, write_series

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = pytest.mark.processes


@dataclass
class Cycle:
    """A project with four patches, and git in the work tree of its series."""

    root: Path
    upstream: FakeUpstream
    capsys: pytest.CaptureFixture[str]

    @property
    def folder(self) -> Path:
        """Return the patch folder."""
        return self.root / "patches/fake"

    @property
    def tree(self) -> Path:
        """Return the work tree."""
        return self.root / ".work/edit/fake"

    def run(self, verb: str, *words: str) -> tuple[int, dict[str, Any], str]:
        """Run a subcommand; its exit code, JSON answer, and what a person reads."""
        code = main.main([verb, "--json", "--project", str(self.root), *words])
        out, err = self.capsys.readouterr()
        return code, json.loads(out), err

    def ok(self, verb: str, *words: str) -> dict[str, Any]:
        """Run a subcommand that has to succeed."""
        code, answer, err = self.run(verb, *words)
        assert code == 0, err
        return answer

    def git(self, *words: str, editor: str = "", status: int = 0, at: Path | None = None) -> str:
        """Plain git as a person has it: with an identity, and an editor that is a Python expression on ``t``."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        program = (
            f"{sys.executable} -c 'import sys; p = sys.argv[1]; t = open(p).read(); open(p, \"w\").write({editor})'"
        )
        env |= {"GIT_EDITOR": program if editor else "true", "GIT_SEQUENCE_EDITOR": program if editor else "true"}
        person = ("-c", "user.name=Mia", "-c", "user.email=mia@example.org")
        done = subprocess.run(
            ["git", *person, *words], cwd=at or self.tree, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def files(self) -> dict[str, bytes]:
        """Return the patch folder, file by file."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def change(self, path: str, content: bytes, *commit: str) -> None:
        """Change a file of the work tree and commit it."""
        write_files(self.tree, {path: content})
        self.git("add", "--all")
        self.git("commit", "--quiet", *commit)


@pytest.fixture
def cycle(tmp_path: Path, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]) -> Cycle:
    """Return a project whose series needs nothing done: 'both' requires 'nine' and touches its neighbour line."""
    root = write_project(tmp_path / "project", upstream, exclude='["android"]')
    pin = upstream.head
    nine = upstream.patch({"src/app.js": lines(l9="nine")}, standard("Say nine", pin))
    windows = upstream.patch({"src/windows.txt": b"first\r\nnew\r\nthird\r\nfourth\r\n"}, standard("Keep CRLF", pin))
    far = upstream.patch({"src/app.js": lines(l27="far\nfarther")}, standard("Go far", pin))
    main = upstream.head
    above = upstream.commit({"src/app.js": lines(l9="nine")}, parent=pin)
    both = upstream.patch(
        {"src/app.js": lines(l9="nine", l10="ten")}, standard("Say ten", pin, Requires="nine"), base=above
    )
    git(upstream.path, "update-ref", "refs/heads/main", main)
    upstream.commits.pop()
    write_series(
        root / "patches/fake",
        {"nine.patch": nine, "windows.patch": windows, "both.patch": both, "far.patch": far},
    )
    made = Cycle(root, upstream, capsys)
    made.ok("check")
    return made


def test_there_and_back_changes_no_byte(cycle: Cycle) -> None:
    before = cycle.files()
    cycle.ok("edit", "fake")
    assert cycle.git("log", "--format=%s", "hardener/base..").split("\n") == [
        "Go far", "Say ten", "Keep CRLF", "Say nine", "",
    ]  # fmt: skip
    assert cycle.git("status", "--porcelain") == ""
    cycle.git("rebase", "--quiet", "--force-rebase", "hardener/base")  # other commits, same content
    answer = cycle.ok("regen", "fake")["components"][0]
    assert (answer["source"], answer["kept"], answer["written"]) == ("work tree", 4, [])
    assert cycle.files() == before


def test_edit_and_regen_report_each_lock_that_they_wait_for(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = []
    lock = locks.lock

    def record(
        path: Path, *, wait: bool = True, waiting: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        if wait and waiting is None:
            silent.append(path.name)
        return lock(path, wait=wait, waiting=waiting)

    monkeypatch.setattr(locks, "lock", record)
    before = cycle.files()
    cycle.ok("edit", "fake")
    cycle.change("src/new.js", b"new\n", "-m", "Add\n\nWhy.")
    cycle.ok("regen", "fake")
    assert (cycle.files() != before, silent) == (True, [])


def test_a_snapshot_has_all_files_as_they_are_and_changes_nothing(cycle: Cycle) -> None:
    """Also what is in no commit, and what is left out of the work tree; the same files give the same commit."""
    cycle.ok("edit", "fake")
    tree = edit.EditTree.at(cycle.tree)
    first = tree.snapshot()
    assert cycle.git("diff-tree", "-r", first, "HEAD") == ""
    write_files(cycle.tree, {"src/new.js": b"new\n", "src/app.js": b"changed\n"})
    before = cycle.git("status", "--porcelain"), cycle.git("rev-parse", "HEAD")
    second = tree.snapshot()
    assert cycle.git("diff-tree", "-r", "--name-status", first, second) == "M\tsrc/app.js\nA\tsrc/new.js\n"
    assert (cycle.git("status", "--porcelain"), cycle.git("rev-parse", "HEAD")) == before
    assert tree.snapshot() == second
    (cycle.tree / ".git/rebase-merge").mkdir()
    with pytest.raises(UnfinishedError, match="a rebase is unfinished"):
        tree.snapshot()


def test_excluded_files_are_not_checked_out_and_commits_work_without_them(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    assert not (cycle.tree / "android").exists()
    cycle.change("src/new.js", b"new\n", "-m", "Add\n\nWhy.")
    assert cycle.git("ls-tree", "--name-only", "HEAD", "android") == "android\n"


def test_a_change_of_one_patch_changes_no_other_file(cycle: Cycle) -> None:
    """Amend the first: the others keep every byte, though one touches the same file after it."""
    before = cycle.files()
    cycle.ok("edit", "fake")
    cycle.change("src/app.js", lines(l9="nine", l10="ten", l27="far\nfarther", l3="three"), "--fixup=:/Say nine")
    cycle.git("rebase", "--quiet", "--interactive", "--autosquash", "hardener/base")
    answer = cycle.ok("regen", "fake")["components"][0]
    # 'both' requires 'nine', so its blob ids are those of a file with the new line in it.
    assert set(answer["written"]) == {"nine.patch", "both.patch"}
    after = cycle.files()
    assert {name for name in after if after[name] != before[name]} == {"nine.patch", "both.patch"}
    assert b"+three\n" in after["nine.patch"]
    assert b"Last-Update: 2023-11-15" not in after["nine.patch"]
    assert b"Last-Update: 2023-11-15" in after["both.patch"], "only ids and line numbers differ"
    cycle.ok("check")


def test_an_unrelated_patch_of_the_same_file_keeps_every_byte(cycle: Cycle) -> None:
    before = cycle.files()
    cycle.ok("edit", "fake")
    cycle.change("src/app.js", lines(l9="nine", l10="ten", l27="far\nfarthest"), "--amend", "--no-edit")
    assert cycle.ok("regen", "fake")["components"][0]["written"] == ["far.patch"]
    after = cycle.files()
    assert {name for name in after if after[name] != before[name]} == {"far.patch"}


def test_message_and_header_survive_amend_and_reword(cycle: Cycle) -> None:
    pin = cycle.upstream.head
    message = standard("Say nine", pin).replace("Upstream does", "#config.js does\n  indented, größer; Upstream does")
    content = cycle.upstream.patch({"src/app.js": lines(l9="nine")}, message)
    write_files(cycle.folder, {"nine.patch": content})
    cycle.ok("regen", "fake")
    before = cycle.files()
    assert b"#config.js does\n  indented, gr" in before["nine.patch"]
    cycle.ok("edit", "fake")
    cycle.git("rebase", "--quiet", "--interactive", "hardener/base", editor='t.replace("pick", "reword")')
    cycle.ok("regen", "fake")
    assert cycle.files() == before


def test_a_new_commit_becomes_a_patch_named_after_its_subject_at_its_place(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    cycle.change("static/old.html", b"<p>new</p>\n", "-m", "Renew: the page!\n\nWhy.\n\nReason: local-policy")
    sequence = 't if "pick" not in t else "".join(sorted(t.splitlines(True), key=lambda l: "Renew" not in l))'
    cycle.git("rebase", "--quiet", "--interactive", "hardener/base", editor=sequence)
    answer = cycle.ok("regen", "fake")["components"][0]
    assert answer["added"] == ["renew-the-page.patch"]
    assert (cycle.folder / "series").read_text().split() == [
        "renew-the-page.patch", "nine.patch", "windows.patch", "both.patch", "far.patch",
    ]  # fmt: skip
    text = (cycle.folder / "renew-the-page.patch").read_text()
    assert f"Base: {cycle.upstream.head}" in text
    assert "Last-Update: 20" in text
    assert "Patch-Name" not in text


def test_missing_fields_are_written_as_lines_to_fill_in(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    cycle.change("static/old.html", b"<p>new</p>\n", "-m", "Renew the page", "-m", "Reason: local-policy")
    _, answer, err = cycle.run("regen", "fake")
    assert answer["components"][0]["unfilled"] == ["renew-the-page.patch"]
    assert "to fill in" in err
    text = (cycle.folder / "renew-the-page.patch").read_text()
    todo = [line.partition(" TODO:")[0] for line in text.splitlines() if "TODO:" in line]
    assert todo == ["TODO: what upstream does, why that is a problem, and what the patch does", "Forwarded:",
                    "Upstream-Status:", "Evidence:"]  # fmt: skip
    assert cycle.run("regen", "fake")[1]["components"][0]["written"] == []
    found = {finding["text"] for finding in cycle.run("check")[1]["findings"]}
    assert {text.split(":")[0] for text in found} >= {
        "no description",
        "Evidence is not filled in yet",
        "Forwarded is not filled in yet",
        "Upstream-Status is not filled in yet",
    }


def test_a_new_commit_may_say_the_name_of_its_file(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    cycle.change("static/old.html", b"<p>new</p>\n", "-m", "Renew\n\nWhy.\n\nPatch-Name: privacy-renewed.patch")
    assert cycle.ok("regen", "fake")["components"][0]["added"] == ["privacy-renewed.patch"]


def test_a_name_is_found_by_the_subject_when_somebody_took_it_out_of_the_message(cycle: Cycle) -> None:
    before = cycle.files()
    cycle.ok("edit", "fake")
    message = cycle.git("show", "-s", "--format=%B").replace("Patch-Name: far.patch", "")
    cycle.git("commit", "--quiet", "--amend", "-m", message)
    cycle.ok("regen", "fake")
    assert cycle.files() == before


def test_many_dropped_commits_are_reported_once_and_one_command_brings_them_back(cycle: Cycle) -> None:
    before = cycle.files()
    cycle.ok("edit", "fake")
    cycle.git("reset", "--quiet", "--hard", "hardener/base")
    _, answer, err = cycle.run("regen", "fake")
    assert len(answer["components"][0]["dropped"]) == 4
    assert err.count("DROPPED: 4 patches") == err.count("if that was not wanted: ") == 1
    again = err.partition("if that was not wanted: ")[2].partition(", then: ")[0]
    cycle.git(*shlex.split(again)[4:])
    cycle.ok("regen", "fake")
    assert (cycle.files().keys(), cycle.files()["series"]) == (before.keys(), before["series"])


def test_a_dropped_commit_drops_its_file_loudly_and_the_hint_brings_it_back(cycle: Cycle) -> None:
    windows = cycle.files()["windows.patch"]
    cycle.ok("edit", "fake")
    cycle.git("rebase", "--quiet", "--onto", ":/Say nine", ":/Keep CRLF")
    code, answer, err = cycle.run("regen", "fake")
    assert (code, answer["components"][0]["dropped"]) == (0, ["windows.patch"])
    assert "DROPPED: windows.patch" in err
    assert not (cycle.folder / "windows.patch").exists()
    assert (cycle.folder / "series").read_text().split() == ["nine.patch", "both.patch", "far.patch"]
    cycle.ok("check")
    again, _, regen = err.partition("if that was not wanted: ")[2].splitlines()[0].partition(", then: ")
    assert again.startswith(f"cd {cycle.tree} && git ")
    cycle.git(*shlex.split(again)[4:])
    assert cycle.ok(*shlex.split(regen)[1:3])["components"][0]["added"] == ["windows.patch"]
    assert cycle.files()["windows.patch"].partition(b"\n\ndiff")[2] == windows.partition(b"\n\ndiff")[2]


def test_another_order_is_written_to_the_series_alone(cycle: Cycle) -> None:
    before = cycle.files()
    write_files(
        cycle.folder, {"series": "# ours\n\n# first\nnine.patch\nwindows.patch # bytes\nboth.patch\nfar.patch\n"}
    )
    cycle.ok("edit", "fake")
    sequence = 't if "pick" not in t else "".join(sorted(t.splitlines(True), key=lambda l: "CRLF" not in l))'
    cycle.git("rebase", "--quiet", "--interactive", "hardener/base", editor=sequence)
    assert cycle.ok("regen", "fake")["components"][0]["reordered"] is True
    after = cycle.files()
    assert after.pop("series") == b"# ours\n\nwindows.patch # bytes\n# first\nnine.patch\nboth.patch\nfar.patch\n"
    assert after == {name: content for name, content in before.items() if name != "series"}


def test_a_patch_that_needs_another_has_to_say_so(cycle: Cycle) -> None:
    before = cycle.files()
    cycle.ok("edit", "fake")
    cycle.change("src/app.js", lines(l9="nine", l10="ten", l27="far\nfarther", l28="close"), "-m", "Close\n\nWhy.")
    code, answer, _ = cycle.run("regen", "fake")
    assert code == 5
    assert answer["details"] == ["close.patch: applies only after others; write into its message 'Requires: far'"]
    assert cycle.files() == before
    cycle.git("commit", "--quiet", "--amend", "-m", "Close\n\nWhy.\n\nRequires: far")
    cycle.ok("regen", "fake")
    assert b"Requires: far\n" in cycle.files()["close.patch"]


def test_regen_without_a_work_tree_mends_form_and_base(cycle: Cycle) -> None:
    good = cycle.files()
    text = good["nine.patch"].replace(b"Base: " + cycle.upstream.head.encode(), b"Base: " + b"0" * 40)
    write_files(cycle.folder, {"nine.patch": text.replace(b"@@ -6,7 +6,7 @@", b"@@ -6,7 +6,7 @@ a function")})
    assert cycle.run("check")[0] == 5
    answer = cycle.ok("regen", "fake")["components"][0]
    assert (answer["source"], answer["written"]) == ("files", ["nine.patch"])
    assert cycle.files() == good


def test_opening_again_goes_on_and_follows_the_series_where_nothing_was_done(cycle: Cycle) -> None:
    assert cycle.ok("edit", "fake")["how"] == "opened"
    assert cycle.ok("edit", "fake")["how"] == "resumed"
    write_files(cycle.folder, {"series": "nine.patch\nboth.patch\nwindows.patch\nfar.patch\n"})
    assert cycle.ok("edit", "fake")["how"] == "refreshed"
    assert cycle.git("log", "--format=%s", "-2", ":/Keep CRLF").split("\n")[:2] == ["Keep CRLF", "Say ten"]


def test_restart_keeps_what_was_done(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    cycle.change("src/new.js", b"committed\n", "-m", "Add\n\nWhy.")
    write_files(cycle.tree, {"src/newer.js": b"not committed\n"})
    answer = cycle.ok("edit", "fake", "--restart")
    assert (answer["how"], answer["saved"]) == ("restarted", "saved/1")
    assert not (cycle.tree / "src/new.js").exists()
    assert cycle.git("show", "saved/1:src/newer.js") == "not committed\n"
    assert cycle.git("show", "saved/1~:src/new.js") == "committed\n"


def test_a_patch_that_does_not_fit_stops_in_git_am_with_its_conflict(cycle: Cycle) -> None:
    """The pin moves: what fits is there, the rest waits in ``git am``, and regen refuses until it is done."""
    old = cycle.upstream.head
    new = cycle.upstream.commit({"src/app.js": lines(l28="theirs")})
    text = (cycle.root / "upstream.toml").read_text().replace(old, new)
    write_files(cycle.root, {"upstream.toml": text})
    code, answer, err = cycle.run("edit", "fake")
    assert (code, answer["stopped"]) == (5, ["far.patch"])
    assert "git am --continue" in err
    assert cycle.run("regen", "fake")[0] == 5
    content = (cycle.tree / "src/app.js").read_bytes()
    assert b"<<<<<<<" in content
    write_files(cycle.tree, {"src/app.js": lines(l9="nine", l10="ten", l27="far\nfarther", l28="theirs")})
    cycle.git("add", "--all")
    cycle.git("am", "--continue")
    assert "far.patch" in cycle.ok("regen", "fake")["components"][0]["written"]
    assert f"Base: {new}".encode() in cycle.files()["far.patch"]
    cycle.ok("check")


class Killed(BaseException):
    """What a kill looks like from inside."""


def _cut(monkeypatch: pytest.MonkeyPatch, where: object, name: str) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(where, name, killed)


@pytest.mark.parametrize("step", ["create", "remember", "point"])
def test_a_killed_edit_can_be_repeated(cycle: Cycle, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    with monkeypatch.context() as patch:
        _cut(patch, edit.EditTree, step)
        with pytest.raises(Killed):
            cycle.run("edit", "fake")
    assert cycle.ok("edit", "fake")["how"] == "opened"
    assert cycle.git("log", "--format=%s", "-1") == "Go far\n"


@pytest.mark.parametrize("step", ["point", "git"])
def test_an_edit_that_was_killed_while_it_followed_the_series_follows_it_then(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The branch is still that of the older series: it must not be taken for work, and written back over the newer."""
    cycle.ok("edit", "fake")
    write_files(cycle.folder, {"series": "nine.patch\nboth.patch\nwindows.patch\nfar.patch\n"})
    files = cycle.files()
    point = edit.EditTree.point

    def cut(tree: edit.EditTree, commit: str, base: str) -> None:
        if step == "git":  # which was killed while it wrote files
            point(tree, commit, base)
            write_files(tree.path, {".git/index.lock": b"", "src/app.js": b"half"})
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(edit.EditTree, "point", cut)
        with pytest.raises(Killed):
            cycle.run("edit", "fake")
    code, answer, err = cycle.run("regen", "fake")
    assert (code, cycle.files()) == (5, files)
    assert "hardener edit fake" in err
    answer = cycle.ok("edit", "fake")
    assert (answer["how"], answer["saved"]) == ("refreshed", "saved/1")
    assert cycle.git("log", "--format=%s", "-2", ":/Keep CRLF").split("\n")[:2] == ["Keep CRLF", "Say ten"]
    assert cycle.git("status", "--porcelain") == ""
    assert cycle.ok("regen", "fake")["components"][0]["kept"] == 4


LOCKS = ("index.lock", "HEAD.lock", "config.lock", "refs/heads/series.lock", "logs/HEAD.lock", "packed-refs.lock",
         "refs/hardener/base.lock", "info/sparse-checkout.lock", "objects/info/alternates.lock")  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_that_a_killed_git_left_does_not_keep_a_person_from_going_on(cycle: Cycle, lock: str) -> None:
    cycle.ok("edit", "fake")
    cycle.change("src/new.js", b"new\n", "-m", "Add\n\nWhy.")
    for verb, words, code in (("regen", (), 0), ("edit", (), 0), ("edit", ("--restart",), 0)):
        write_files(cycle.tree, {f".git/{lock}": b""})
        assert cycle.run(verb, "fake", *words)[0] == code
        assert not (cycle.tree / ".git" / lock).exists()


def test_a_lock_of_a_git_that_a_person_runs_is_named(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit whose message is being written, say."""
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)
    cycle.ok("edit", "fake")
    write_files(cycle.tree, {".git/index.lock": b""})
    argv = ["git", "cat-file", "--batch"]
    with subprocess.Popen(argv, cwd=cycle.tree / "src", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git_:
        git_.stdin.write(b"HEAD:none\n")
        git_.stdin.flush()
        git_.stdout.readline()
        for verb in ("edit", "regen"):
            code, answer, err = cycle.run(verb, "fake")
            assert (code, answer["exit"]) == (75, 75)
            assert f"process {git_.pid}" in answer["error"]
            assert "hint:" in err
        assert (cycle.tree / ".git/index.lock").exists()
        git_.stdin.close()
    cycle.ok("edit", "fake")


def test_regen_writes_all_components_and_the_table_or_nothing(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two work trees with a new, a changed and a dropped patch; a failure at each file that is put in its place."""
    text = (cycle.root / "upstream.toml").read_text()
    second = text[text.index("[component") : text.index("[tree")].replace("component.fake", "component.other")
    write_files(cycle.root, {"upstream.toml": text + second, "patches/README.md": "# Patches\n"})
    write_series(cycle.root / "patches/other", {"over.patch": cycle.files()["nine.patch"]})
    for verb, *words in (("regen",), ("edit", "other"), ("edit", "fake")):
        cycle.ok(verb, *words)
    cycle.change("src/app.js", lines(l9="nine", l10="TEN", l27="FAR"), "-m", "Loud\n\nWhy.\n\nRequires: both far")
    cycle.git("rebase", "--quiet", "--onto", ":/Say nine", ":/Keep CRLF")
    other = cycle.root / ".work/edit/other"
    write_files(other, {"src/app.js": lines(l9="NINE")})
    cycle.git("commit", "--quiet", "--all", "--amend", "--no-edit", at=other)

    def state() -> dict[str, bytes]:
        tops = (cycle.root / "patches", cycle.tree / ".git/hardener.json", other / ".git/hardener.json")
        paths = [path for top in tops for path in (top.rglob("*") if top.is_dir() else [top]) if path.is_file()]
        return {path.relative_to(cycle.root).as_posix(): path.read_bytes() for path in paths}

    before, whole = state(), transaction._Move.forward
    moved: list[str] = []

    def some(move: transaction._Move) -> None:
        moved.append(move.path)
        if len(moved) > at:
            raise Killed
        whole(move)

    for at in (0, 3, 6):  # of seven: new, series, dropped, state; changed, state; table
        moved.clear()
        with monkeypatch.context() as patch:
            patch.setattr(transaction._Move, "forward", some)
            with pytest.raises(Killed):
                cycle.run("regen")
        assert (len(moved), state()) == (at + 1, before)
    cycle.ok("regen")
    after = state()
    assert after["patches/fake/series"].decode().split() == ["nine.patch", "both.patch", "far.patch", "loud.patch"]
    assert b"+NINE" in after["patches/other/over.patch"]
    assert b"loud.patch" in after["patches/README.md"]
    assert "patches/fake/windows.patch" not in after
    assert cycle.ok("regen")["components"][0]["source"] == "files"


@pytest.fixture
def ministry(cycle: Cycle) -> Path:
    """Return an operator's folder whose work tree has a commit that is in no patch yet."""
    folder = cycle.root.parent / "ministry"
    (folder / "patches/fake").mkdir(parents=True)
    cycle.ok("edit", "fake", "--extra", str(folder))
    tree = cycle.root / ".work/edit/fake.ministry"
    write_files(tree, {"src/theirs.js": b"theirs\n"})
    cycle.git("add", "--all", at=tree)
    cycle.git("commit", "--quiet", "-m", "Add theirs\n\nWhy.", at=tree)
    return folder


def _words(hint: str) -> list[str]:
    """Return the first command of a hint, less ``hardener`` and the project that the test names itself."""
    words = shlex.split(hint.partition(", or ")[0])
    place = words.index("--project")
    return words[1:place] + words[place + 2 :]


def test_regen_without_the_operators_folder_is_refused_and_its_hint_writes_the_work(
    cycle: Cycle, ministry: Path
) -> None:
    before = cycle.files()
    for words in (("fake",), ()):
        code, answer, _ = cycle.run("regen", *words)
        assert (code, "which this command leaves out" in answer["error"]) == (5, True)
    assert _words(answer["hint"]) == ["regen", "fake", "--extra", str(ministry)]
    assert cycle.ok(*_words(answer["hint"]))["components"][0]["added"] == ["add-theirs.patch"]
    assert cycle.files() == before
    cycle.ok("regen")


def test_with_work_in_both_layers_the_operators_goes_first(cycle: Cycle, ministry: Path) -> None:
    cycle.ok("edit", "fake")
    cycle.change("src/new.js", b"new\n", "-m", "Add\n\nWhy.")
    code, answer, _ = cycle.run("regen", "fake")
    assert code == 5
    cycle.ok(*_words(answer["hint"]))
    assert cycle.ok("regen", "fake")["components"][0]["added"] == ["add.patch"]


def test_another_folder_of_the_same_name_gets_no_work_of_the_first(cycle: Cycle, ministry: Path) -> None:
    other = cycle.root.parent / "elsewhere/ministry"
    (other / "patches/fake").mkdir(parents=True)
    for verb in ("regen", "edit"):
        code, answer, _ = cycle.run(verb, "fake", "--extra", str(other))
        assert (code, f"was opened with --extra {ministry}" in answer["error"]) == (5, True)
    assert list((other / "patches/fake").iterdir()) == []
    cycle.ok(*_words(answer["hint"]))
    assert (ministry / "patches/fake/add-theirs.patch").exists()


@pytest.mark.parametrize(("path", "optional"), [("config.js", True), ("src/app.js", False)])
def test_only_an_operators_change_of_configuration_needs_no_test(cycle: Cycle, path: str, optional: bool) -> None:
    folder = cycle.root.parent / "ministry"
    (folder / "patches/fake").mkdir(parents=True)
    cycle.ok("edit", "fake", "--extra", str(folder))
    tree = cycle.root / ".work/edit/fake.ministry"
    write_files(tree, {path: b"var config = {};\n"})
    cycle.git("add", "--all", at=tree)
    fields = "Reason: local-policy\nForwarded: not-needed\nUpstream-Status: Inappropriate ours"
    cycle.git("commit", "--quiet", "-m", f"Set ours\n\nWhy.\n\n{fields}", at=tree)
    answer = cycle.ok("regen", "fake", "--extra", str(folder))
    assert answer["components"][0]["unfilled"] == ([] if optional else ["set-ours.patch"])
    findings = [finding["text"] for finding in cycle.run("check", "--extra", str(folder))[1]["findings"]]
    assert findings == ([] if optional else [f"Evidence is not filled in yet: write {header.GRAMMAR['Evidence'][1]}"])
    # The same patch in the project's own series needs one.
    ours = Layer("", cycle.root, cycle.folder, cycle.folder)
    assert "Evidence" in header.required(patch.read(folder / "patches/fake/set-ours.patch"), ours)


def test_every_hint_about_the_operators_tree_names_its_folder(cycle: Cycle, ministry: Path) -> None:
    _, answer, err = cycle.run("clean")
    assert f"--extra {ministry}" in answer["hint"]
    _, _, err = cycle.run("edit", "fake", "--extra", str(ministry))
    assert f"then: hardener regen fake --extra {ministry} --project {cycle.root}" in err
    cycle.ok("regen", "fake", "--extra", str(ministry))
    code, answer, err = cycle.run("check", "--extra", str(ministry))
    fixes = {finding["fix"] for finding in answer["findings"] if finding["where"].startswith("ministry/")}
    assert (code, bool(fixes)) == (5, True)
    assert all(f"hardener edit fake --extra {ministry}" in fix for fix in fixes)
    # The remedy for a patch of ours names ours.
    path = cycle.folder / "nine.patch"
    path.write_bytes(path.read_bytes().replace(b"Base: ", b"Base: 1"))
    _, answer, _ = cycle.run("check", "--extra", str(ministry))
    fixes = {finding["fix"] for finding in answer["findings"] if finding["where"] == "patches/fake/nine.patch"}
    assert fixes
    assert not any("--extra" in fix for fix in fixes)


def test_clean_does_not_remove_work_that_is_in_no_series(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    cycle.change("src/new.js", b"new\n", "-m", "Add\n\nWhy.")
    code, answer, _ = cycle.run("clean")
    assert (code, "contains work that is in no series" in answer["error"]) == (5, True)
    cycle.ok("regen", "fake")
    cycle.ok("edit", "fake", "--restart")
    code, answer, _ = cycle.run("clean")
    assert (code, "saved/1" in answer["hint"]) == (5, True)
    cycle.git("branch", "-D", "saved/1", "saved/1-branch")
    cycle.ok("clean")
    assert not cycle.tree.exists()


def test_no_setting_of_the_person_changes_what_is_written(cycle: Cycle, user_home: Path) -> None:
    before = cycle.files()
    (user_home / ".gitconfig").write_text(
        "[core]\nautocrlf = true\ncommentChar = R\nattributesFile = ~/attributes\n[diff]\nnoprefix = true\ncontext = 9\n"
        "[format]\nsignature = no\nattach = x\nsubjectPrefix = NO\n[commit]\ncleanup = scissors\n"
    )
    (user_home / "attributes").write_text("* text eol=crlf\n")
    cycle.ok("edit", "fake")
    assert (cycle.tree / "src/windows.txt").read_bytes() == b"first\r\nnew\r\nthird\r\nfourth\r\n"
    assert (cycle.tree / "src/app.js").read_bytes() == lines(l9="nine", l10="ten", l27="far\nfarther")
    cycle.git("rebase", "--quiet", "--interactive", "hardener/base", editor='t.replace("pick", "reword")')
    cycle.ok("regen", "fake")
    assert cycle.files() == before


def test_the_work_tree_lies_where_clean_looks(cycle: Cycle) -> None:
    cycle.ok("edit", "fake")
    assert edit.unsaved(cycle.root / ".work" / series.EDIT) == []
    write_files(cycle.tree, {"left.txt": b"not in git\n"})
    assert edit.unsaved(cycle.root / ".work" / series.EDIT) == [cycle.tree]


def test_the_hint_about_uncommitted_changes_never_amends_what_the_tree_is_based_on(
    cycle: Cycle, ministry: Path
) -> None:
    tree = cycle.root / ".work/edit/fake.ministry"
    write_files(tree, {"src/more.js": b"more\n"})
    assert "git commit --amend" in cycle.run("regen", "fake", "--extra", str(ministry))[1]["hint"]
    cycle.git("reset", "--quiet", "--soft", "hardener/base", at=tree)
    answer = cycle.run("regen", "fake", "--extra", str(ministry))[1]
    assert answer["hint"] == f"cd {tree} && git add -A && git commit (or: git stash -u)"
