"""lift: the conversation from one release to the next, on two small upstreams that are real git repositories."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from hardener.series.apply import Status, apply
from support.fakes import FakeUpstream, lines
from support.fakes import git as bare
from support.lifting import OURS, OWN, README2, TAKEN, THEIRS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.processes

Run = "Callable[..., tuple[int, str, str]]"


@pytest.fixture(autouse=True)
def _process_state() -> Iterator[None]:
    """Put back what main() sets for the whole process."""
    handler, root = signal.getsignal(signal.SIGTERM), logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    signal.signal(signal.SIGTERM, handler)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Make both upstreams and the project once."""
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(upstreams: World, tmp_path: Path) -> World:
    """Return the small project to lift: a copy of its own, on upstreams that all tests share."""
    return upstreams.copy(tmp_path / "project")


@pytest.fixture
def lift(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `hardener lift`: exit code, standard output, and standard error as one line (it is wrapped for a
    terminal).
    """

    def run(*words: str) -> tuple[int, str, str]:
        code = main.main(["lift", "--project", str(world.root), *words])
        out, err = capsys.readouterr()
        return code, out, re.sub(r"\s+", " ", err)

    return run


def to_merged(world: World, lift: Callable[..., tuple[int, str, str]]) -> str:
    """Go up to the patch that upstream took over; what was said there."""
    assert lift("--to", "102")[0] == 5
    (world.tree() / "src/b.js").write_bytes(lines(l12=f"{OURS} and {THEIRS}", l29="elsewhere"))
    code, _, said = lift("--continue")
    assert code == 5
    return said


def to_lists(world: World, lift: Callable[..., tuple[int, str, str]]) -> str:
    """Go up to overlays and lists; what was said there."""
    to_merged(world, lift)
    code, _, said = lift("--continue", "--drop", "taken")
    assert code == 5
    return said


def to_end(world: World, lift: Callable[..., tuple[int, str, str]], *words: str) -> None:
    """Go all the way."""
    to_lists(world, lift)
    code, _, said = lift("--continue", "--confirm", "README.md", "--drop", "static/old.html", *words)
    assert code == 0, said


class TestStops:
    """Where a lift needs a person, it says what the person needs to know."""

    def test_conflict_names_patch_file_commit_and_sides(self, world, lift):
        """The commit that wrote the line is named, the one that touched another line of the file is not."""
        code, _, said = lift("--to", "102")

        assert code == 5
        assert "site conflicts.patch: conflict (Conflicts)" in said
        assert f"src/b.js upstream: {world.culprit[:12]} Say it in their words" in said
        assert "A line far away" not in said
        assert f"upstream's change: -line 12 +{THEIRS} the patch's change: -line 12 +{OURS}" in said
        assert f"+{OURS}" in said
        assert "tests/e2e/test_x.py::test_conflicts" in said
        assert "hardener lift --continue" in said

    def test_merged_upstream_is_shown_with_proof_and_never_dropped_by_itself(self, world, lift):
        """The commit that took it and the test that has to be green are named; resuming changes nothing."""
        said = to_merged(world, lift)

        assert "taken.patch: merged-upstream" in said
        assert f"{world.taker[:12]} Take the patch over" in said
        assert "tests/e2e/test_x.py::test_taken" in said
        code, _, again = lift("--continue")
        assert code == 5
        assert "nothing is left of the patch" in again
        assert "taken.patch" in world.read("patches/site/series")

    def test_lists_are_told_all_at_once(self, world, lift):
        """Overlays whose file upstream changed and removals that hit nothing, each with the upstream commit."""
        said = to_lists(world, lift)

        assert "README.md: changed" in said
        assert "Tidy up" in said
        assert "--confirm README.md" in said
        assert "static/old.html: gone" in said
        diff = (world.tree().parent / "upstream-changes/site/README.md.diff").read_text("utf-8")
        assert "--- a/README.md\n+++ b/README.md\n" in diff
        assert "+# Fake Meet 2" in diff

    def test_upstreams_change_is_merged_into_an_overlay_by_the_command_of_the_hint(self, world, lift):
        """As printed: both changes of the line are there, between markers of git."""
        said = to_lists(world, lift)
        command = "git merge-file " + said.partition("git merge-file ")[2].partition(";")[0]
        assert subprocess.run(shlex.split(command), check=False).returncode == 1
        merged = (world.root / "overlays/site/README.md").read_bytes()
        assert merged.startswith(b"<<<<<<< ")
        assert all(text in merged for text in (OWN, README2))

    def test_a_file_that_imports_what_goes_is_named_with_its_commit(self, world, lift):
        """A removal notices no file that needs it; the person decides, and the commit of hand work says so."""
        player = world.site.commit(
            {"src/player.ts": b"import { x } from './app';\n"}, "Add a player", parent=world.site2
        )
        world.site.tag("stable/site_103")
        with (world.root / "patches/site/remove.list").open("a") as file:
            file.write("src/app.js # ours is elsewhere\n")
        world.git("commit", "--quiet", "--all", "--message=Remove")
        assert lift("--to", "103")[0] == 5
        (world.tree() / "src/b.js").write_bytes(lines(l12=f"{OURS} and {THEIRS}", l29="elsewhere"))
        assert lift("--continue")[0] == 5
        code, _, said = lift("--continue", "--drop", "taken")
        assert code == 5
        assert "site src/player.ts: used: imports ./app: src/app.js is removed" in said
        assert f"upstream: {player[:12]} Add a player" in said
        words = ("--confirm", "README.md", "--confirm", "src/player.ts", "--drop", "static/old.html")
        code, _, said = lift("--continue", *words)
        assert code == 0, said
        assert f"site src/player.ts: used, confirmed\n    upstream {player[:12]} Add a player" in world.git(
            "log", "-1", "--format=%B", "--grep=Lift: by-hand"
        )

    def test_removed_upstream_is_target_gone(self, world, lift):
        """A patch whose file upstream removed names the commit that did, and waits for a decision by git."""
        site3 = world.site.commit({"src/b.js": None}, "Drop b", parent=world.site2)

        code, _, said = lift("--to", site3)

        assert code == 5
        assert "conflicts.patch: target-gone" in said
        assert f"{site3[:12]} Drop b" in said
        assert "not decided yet: src/b.js" in lift("--continue")[2]

    def test_project_files_change_only_at_the_end(self, world, lift):
        """Neither pins nor patches are touched while a person resolves."""
        before = world.files()

        to_merged(world, lift)

        assert world.files() == before


class TestResult:
    """What a finished lift leaves behind."""

    def test_pins_follow_package_json_and_the_file_keeps_its_form(self, world, lift):
        """Commit, release and ref of both components; comments stay; the revision starts again."""
        before = world.read("upstream.toml")

        to_end(world, lift)

        after = world.read("upstream.toml")
        expected = (
            before.replace("revision = 3 # raise it", "revision = 1 # raise it")
            .replace(f'"{world.lib1}" # the library', f'"{world.lib2}" # the library')
            .replace('release = "v1.0.0"', 'release = "v2.0.0"')
            .replace(f"v1.0.0+{world.lib1[:8]}", f"v2.0.0+{world.lib2[:8]}")
            .replace(f'commit = "{world.site1}"', f'commit = "{world.site2}"')
            .replace("2.0.101", "2.0.102")
            .replace("site_101", "site_102")
        )
        assert after == expected

    def test_commits_tell_routine_from_hand_work(self, world, lift):
        """What only moved, what a person decided, and what went are three commits, each with a line for machines."""
        to_end(world, lift)

        assert world.subjects() == [
            "Lift to site 2.0.102: pins, and patches that only moved",
            "Lift to site 2.0.102: patches and overlays changed by hand",
            "Lift to site 2.0.102: patches that are not needed any more",
        ]
        touched = [
            set(world.git("show", "--format=", "--name-only", f"HEAD~{back}").splitlines()) for back in (2, 1, 0)
        ]
        assert touched[0] == {
            "upstream.toml",
            "patches/site/moves.patch",
            "patches/site/follows.patch",
            "patches/lib/library.patch",
        }
        assert touched[1] == {
            "patches/site/conflicts.patch",
            "overlays/site/overlays.toml",
            "patches/site/remove.list",
        }
        assert touched[2] == {"patches/site/taken.patch", "patches/site/series", "patches/README.md"}
        bodies = [world.git("show", "-s", "--format=%B", f"HEAD~{back}") for back in (2, 1, 0)]
        assert [body.splitlines()[-1] for body in bodies] == ["Lift: routine", "Lift: by-hand", "Lift: dropped"]
        assert f"upstream {world.culprit[:12]}" in bodies[1]
        assert f"upstream {world.taker[:12]}" in bodies[2]
        for settled in ("README.md: changed, confirmed", "static/old.html: gone, dropped"):
            assert re.search(rf"\nsite {settled}\n    upstream [0-9a-f]{{12}} Tidy up\n", bodies[1])
        assert world.git("status", "--porcelain") == ""

    def test_patches_follow_with_their_headers(self, world, lift):
        """Base is the new pin; Last-Update changes where lines did, and only there; a renamed file is followed."""
        to_end(world, lift)

        moves, conflicts = world.read("patches/site/moves.patch"), world.read("patches/site/conflicts.patch")
        follows = world.read("patches/site/follows.patch")
        assert f"Base: {world.site2}" in moves
        assert "Last-Update: 2020-01-01" in moves
        assert "@@ -19,7 +19,7 @@" in moves
        assert "Last-Update: 2020-01-01" not in conflicts
        assert f"-{THEIRS}\n+{OURS} and {THEIRS}\n" in conflicts
        assert "+++ b/src/lib/util.js" in follows

    def test_series_fits_the_new_pin_without_offset(self, world, lift, cache_home):
        """All of it, from scratch; what upstream has taken over is gone."""
        to_end(world, lift)

        for name, commit, patches in (("site", world.site2, 3), ("lib", world.lib2, 1)):
            mirror = cache_home / "mirrors" / f"{name}.git"
            results = apply(name, mirror, commit, world.root / "patches" / name).results
            assert [result.status for result in results] == [Status.CLEAN] * patches

    def test_entry_for_another_tree_counts_for_the_pin_that_has_the_file_now(self, world, lift):
        """Or the overlay that keeps the worker out would not be laid on the release that brings it."""
        to_end(world, lift)

        entry = world.read("overlays/site/overlays.toml").split("# For the next release.")[1]
        assert "only" not in entry
        assert world.site.blob("src/worker.js", world.site2) in entry

    def test_table_of_patches_follows(self, world, lift):
        """What patches/README.md lists is the series as it is now."""
        to_end(world, lift)

        assert "conflicts" in world.read("patches/README.md")
        assert "taken" not in world.read("patches/README.md")

    def test_confirmed_overlay_replaces_the_new_blob(self, world, lift):
        """And ours stays as it is."""
        to_end(world, lift)

        assert f'replaces = "{world.site.blob("README.md", world.site2)}"' in world.read("overlays/site/overlays.toml")
        assert (world.root / "overlays/site/README.md").read_bytes() == OWN

    def test_without_commits(self, world, lift):
        """--no-commit writes the same files and does not change the branch."""
        to_end(world, lift, "--no-commit")
        plain = world.files()

        assert world.subjects() == []
        assert f'commit = "{world.site2}"' in plain["upstream.toml"].decode()
        assert "patches/site/taken.patch" not in plain

    def test_outside_of_git(self, world, lift):
        """A project that is not a git repository is lifted as well, without commits."""
        (world.root / ".git").rename(world.root.parent / "away")

        to_end(world, lift)

        assert f'commit = "{world.site2}"' in world.read("upstream.toml")

    def test_where_the_pins_are_already(self, world, lift):
        """Nothing happens."""
        code, _, said = lift("--to", "101")

        assert code == 0
        assert "nothing to do" in said
        assert world.subjects() == []

    def test_down_and_up_again_gives_the_same_files(self, world, lift):
        """A lift back over a release where only places differ is undone byte for byte by the next one."""
        middle = bare(world.site.path, "rev-parse", f"{world.culprit}^").decode().strip()
        assert lift("--to", middle)[0] == 0
        up = world.files()
        assert lift("--to", "stable/site_101")[0] == 0
        assert lift("--to", middle)[0] == 0

        assert world.files() == up

    def test_report_of_what_upstream_brings_comes_first(self, world, lift):
        """Before a patch is touched."""
        assert lift("--to", "102")[0] == 5

        report = (world.root / ".work/delta/2.0.101..2.0.102.md").read_text("utf-8")
        assert "## lib" in report
        assert "## site" in report


class TestResolving:
    """The work tree is plain git, and unfinished work is not taken."""

    def test_marker_left(self, world, lift):
        """File and line are named."""
        lift("--to", "102")

        code, _, said = lift("--continue")

        assert code == 5
        assert "src/b.js:12: a conflict marker is left" in said

    def test_file_that_git_does_not_know(self, world, lift):
        """A file that a person forgot to add would silently not be in the patch."""
        lift("--to", "102")
        (world.tree() / "src/b.js").write_bytes(lines(l12=OURS, l29="elsewhere"))
        (world.tree() / "src/new.js").write_text("new\n", "utf-8")

        assert "src/new.js" in lift("--continue")[2]
        world.git("add", "src/new.js", cwd=world.tree())
        code, _, said = lift("--continue")
        assert code == 5
        assert "taken.patch" in said

    def test_commit_with_git(self, world, lift):
        """`git cherry-pick --continue` and an amended message are taken over."""
        lift("--to", "102")
        (world.tree() / "src/b.js").write_bytes(lines(l12=OURS, l29="elsewhere"))
        world.git("add", "--all", cwd=world.tree())
        world.git("cherry-pick", "--continue", cwd=world.tree())
        text = world.git("log", "-1", "--format=%B", cwd=world.tree()).replace("Why this is.", "Why this still is.")
        world.git("commit", "--amend", "--quiet", f"--message={text}", cwd=world.tree())

        lift("--continue", "--drop", "taken")
        code, _, said = lift("--continue", "--confirm", "README.md", "--drop", "static/old.html")

        assert code == 0, said
        assert "Why this still is." in world.read("patches/site/conflicts.patch")

    def test_changed_after_the_commit(self, world, lift):
        """What is in no commit is not thrown away."""
        lift("--to", "102")
        (world.tree() / "src/b.js").write_bytes(lines(l12=OURS, l29="elsewhere"))
        world.git("add", "--all", cwd=world.tree())
        world.git("cherry-pick", "--continue", cwd=world.tree())
        (world.tree() / "README.md").write_text("more\n", "utf-8")

        assert "changed after the commit: README.md" in lift("--continue")[2]

    def test_other_branch(self, world, lift):
        """A work tree that was led elsewhere is refused."""
        lift("--to", "102")
        world.git("cherry-pick", "--abort", cwd=world.tree())
        world.git("checkout", "--quiet", "--detach", world.site1, cwd=world.tree())

        assert "no longer continues from" in lift("--continue")[2]

    def test_drop_before_it_is_reached(self, world, lift):
        """A patch may be left out from the beginning."""
        (world.root / "patches/site/remove.list").write_text("# nothing\n", "utf-8")
        world.git("commit", "--quiet", "--all", "--message=List")

        assert (
            lift("--to", "102", "--drop", "conflicts.patch", "--drop", "taken.patch", "--confirm", "README.md")[0] == 0
        )
        assert world.read("patches/site/series") == "moves.patch\nfollows.patch\n"

    def test_dropping_what_others_require(self, world, lift):
        """It is said at once what has to go as well, and nothing is dropped; with that named too, all go."""
        (world.root / "patches/site/remove.list").write_text("# nothing\n", "utf-8")
        follows = world.root / "patches/site/follows.patch"
        follows.write_text(follows.read_text("utf-8").replace("Evidence:", "Requires: taken\nEvidence:"), "utf-8")
        world.git("commit", "--quiet", "--all", "--message=Needs it")
        drop = ("--drop", "conflicts", "--drop", "taken", "--confirm", "README.md")

        code, _, said = lift("--to", "102", *drop)

        assert (code, "follows.patch requires taken" in said) == (2, True)
        assert "hardener lift --continue --drop conflicts --drop taken --drop follows.patch" in said
        assert json.loads((world.root / ".work/lift/state.json").read_text("utf-8"))["drop"] == []
        assert lift("--continue", *drop, "--drop", "follows.patch")[0] == 0
        assert world.read("patches/site/series") == "moves.patch\n"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--confirm", "nobody.md"], "--confirm nobody.md: no finding is about that"),
            (["--drop", "nobody"], "--drop nobody: no such patch"),
            (["--drop", "moves"], "moves.patch is lifted already"),
        ],
    )
    def test_names_that_mean_nothing(self, world, lift, words, said):
        """Are errors, so that a slip of the finger is not taken for a decision."""
        to_lists(world, lift)

        code, _, answer = lift("--continue", *words)

        assert code == 2
        assert said in answer


class TestSources:
    """Where the commits come from."""

    def test_a_source_without_the_pin(self, world, lift, tmp_path):
        """A mirror that lacks one end is named with the commit and the option, before anything is begun."""
        other = FakeUpstream.with_release(tmp_path / "other.git")
        other.tag("stable/site_102")

        code, _, said = lift("--to", "102", "--upstream", f"site={other.path}")

        assert code == 3
        assert f"the source of site lacks the commit that is pinned now, {world.site1[:12]}" in said
        assert "--upstream site=URL-or-path" in said
        assert not (world.root / ".work/lift/state.json").exists()


class TestLeaving:
    """Abort, restart, and what is refused at the start."""

    @pytest.mark.parametrize("far", [0, 1, 2])
    def test_abort_puts_everything_back(self, world, lift, far):
        """At the first stop, at the second, and after overlays were edited; what was edited is kept aside."""
        before, head = world.files(), world.git("rev-parse", "HEAD")
        (lambda *_: lift("--to", "102"), to_merged, to_lists)[far](world, lift)
        (world.root / "overlays/site/README.md").write_text("half done\n", "utf-8")

        code, out, _ = lift("--abort", "--json")

        assert code == 0
        assert world.files() == before
        assert world.git("rev-parse", "HEAD") == head
        assert not (world.root / ".work/lift").exists()
        kept = json.loads(out)["kept"]
        assert (world.root / kept / "overlays/site/README.md").read_text("utf-8") == "half done\n"

    def test_restart_begins_anew(self, world, lift):
        """With the same goal, at the first patch."""
        to_merged(world, lift)

        code, _, said = lift("--restart")

        assert code == 5
        assert "conflicts.patch: conflict" in said

    def test_second_lift_is_refused(self, world, lift):
        """And says how to get on with the first."""
        lift("--to", "102")

        code, _, said = lift("--to", "102")

        assert code == 2
        assert "a lift to 102 is under way" in said
        assert "--abort" in said

    @pytest.mark.parametrize("name", ["upstream.toml", "patches/site/series", "overlays/site/new.md"])
    def test_uncommitted_files_are_refused(self, world, lift, name):
        """They would end up in the lift's commits, or be lost by --abort."""
        with (world.root / name).open("a", encoding="utf-8") as file:
            file.write("# more\n")

        code, _, said = lift("--to", "102")

        assert code == 2
        assert f"not committed: {name}" in said

    def test_other_uncommitted_files_do_no_harm(self, world, lift):
        """And are not committed along."""
        (world.root / "notes.txt").write_text("mine\n", "utf-8")
        world.git("add", "notes.txt")

        to_end(world, lift)

        assert world.git("status", "--porcelain") == "A  notes.txt"

    def test_clean_does_not_take_the_work_away(self, world, lift, capsys):
        """What a person resolved lies in the work area."""
        lift("--to", "102")

        assert main.main(["clean", "--project", str(world.root)]) == 5
        assert "a lift is in progress" in capsys.readouterr().err
        assert (world.tree() / "src/b.js").exists()

    @pytest.mark.parametrize("words", [["--continue"], ["--abort"], ["--restart"]])
    def test_nothing_under_way(self, lift, words):
        """Says how to start one."""
        code, _, said = lift(*words)

        assert code == 2
        assert "no lift is under way" in said

    def test_hook_that_refuses(self, world, lift):
        """What a hook of the project says is shown; once it is fixed the lift resumes where it was."""
        hook = world.root / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n", "utf-8")
        hook.chmod(0o755)
        to_lists(world, lift)

        code, _, said = lift("--continue", "--confirm", "README.md", "--drop", "static/old.html")
        assert code == 3
        assert "not today" in said
        hook.unlink()

        assert lift("--continue")[0] == 0
        assert len(world.subjects()) == 3

    def test_abort_between_two_commits(self, world, lift):
        """Takes the lift's own commits back, too."""
        before, head = world.files(), world.git("rev-parse", "HEAD")
        hook = world.root / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\ntest ! -e .git/once && touch .git/once\n", "utf-8")
        hook.chmod(0o755)
        to_lists(world, lift)
        assert lift("--continue", "--confirm", "README.md", "--drop", "static/old.html")[0] == 3
        assert len(world.subjects()) == 1

        assert lift("--abort")[0] == 0

        assert world.git("rev-parse", "HEAD") == head
        assert world.files() == before
        assert world.git("status", "--porcelain") == ""

    def test_what_a_killed_git_left_in_its_work_tree(self, world, lift):
        """The same command continues, also where git was writing when it was killed."""
        assert lift("--to", "102")[0] == 5
        (world.tree() / "src/b.js").write_bytes(lines(l12=OURS, l29="elsewhere"))
        left = [world.tree() / ".git" / name for name in ("index.lock", "HEAD.lock", "config.lock", "shallow.lock")]
        for path in left:
            path.write_bytes(b"")

        lift("--continue")

        assert not [path for path in left if path.exists()]
        assert "src/b.js" not in world.git("status", "--porcelain", cwd=world.tree())

    @pytest.mark.parametrize("words", [("--continue",), ("--abort",)])
    def test_what_a_killed_commit_left_in_the_project(self, world, lift, words):
        """A lock that is older than the lift's first commit is not ours, and stays."""
        hook = world.root / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n", "utf-8")
        hook.chmod(0o755)
        to_lists(world, lift)
        assert lift("--continue", "--confirm", "README.md", "--drop", "static/old.html")[0] == 3
        hook.unlink()
        ours, older = world.root / ".git/index.lock", world.root / ".git/refs/heads/other.lock"
        for path in (ours, older):
            path.write_bytes(b"")
        os.utime(older, (0, 0))

        assert lift(*words)[0] == 0

        assert (ours.exists(), older.exists()) == (False, True)
        assert len(world.subjects()) == (3 if words == ("--continue",) else 0)


class TestPartialSource:
    """A source that is asked over its protocol gives commits first and files when they are needed."""

    def test_missing_files_are_fetched(self, world, lift, cache_home, monkeypatch):
        """The history holds no file of releases in between, and yet causes are named and the merge has its base."""
        monkeypatch.setenv("HARDENER_UPSTREAM", f"site=file://{world.site.path} lib=file://{world.lib.path}")

        said = to_merged(world, lift)

        assert f"{world.taker[:12]} Take the patch over" in said
        assert TAKEN.encode() in world.site.read("src/c.js", world.taker)
        packs = bare(cache_home / "history/site.git", "config", "--get", "remote.upstream.partialclonefilter")
        assert packs.strip() == b"blob:none"
