"""git/leftovers.py and git/mirror.py: what a killed git or a power failure left in a mirror is healed by the next
fetch.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from hardener.errors import BusyError, StackError, UnreachableError
from hardener.git import leftovers
from hardener.git.fetch import fetch, mirror_of
from hardener.git.history import open_history
from hardener.git.repository import Repository
from hardener.upstream.lift import snapshot
from support.fakes import FILES, FakeUpstream, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hardener.config import Component

pytestmark = pytest.mark.processes

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCKS = {
    "shallow": "shallow.lock",
    "packed refs": "packed-refs.lock",
    "packed refs, second file": "packed-refs.new",
    "config": "config.lock",
    "HEAD": "HEAD.lock",
    "FETCH_HEAD": "FETCH_HEAD.lock",
    "index": "index.lock",
    "our ref": "refs/hardener/{commit}.lock",
    "a ref": "refs/heads/main.lock",
    "a deep ref": "refs/upstream/heads/a/b/c.lock",
    "a ref's folder": "refs/hardener.lock",
    "reflog": "logs/refs/heads/main.lock",
    "alternates": "objects/info/alternates.lock",
    "commit graph": "objects/info/commit-graph.lock",
    "commit graphs": "objects/info/commit-graphs/commit-graph-chain.lock",
    "pack index": "objects/pack/multi-pack-index.lock",
    "maintenance": "objects/maintenance.lock",
    "info": "info/sparse-checkout.lock",
    "work tree": "worktrees/one/index.lock",
    "gc": "gc.pid",
    "gc's own lock": "gc.pid.lock",
}
UNFINISHED = {
    "pack": "objects/pack/tmp_pack_a1B2c3",
    "index of a pack": "objects/pack/tmp_idx_a1B2c3",
    "reverse index": "objects/pack/tmp_rev_a1B2c3",
    "repacked": "objects/pack/.tmp-123-pack-0a.pack",
    "object": "objects/ab/tmp_obj_a1B2c3",
    "object without folder": "objects/tmp_obj_a1B2c3",
    "graph": "objects/info/commit-graphs/tmp_graph_a1B2c3",
    "quarantine": "objects/incoming-a1B2c3/pack",
    "list of ends": "shallow_a1B2c3",
    "pack without index": f"objects/pack/pack-{COMMIT}.pack",
    "index without pack": f"objects/pack/pack-{COMMIT}.idx",
    "promise without pack": f"objects/pack/pack-{COMMIT}.promisor",
}


@pytest.fixture
def component(upstream: FakeUpstream) -> Component:
    """Return a component whose mirror has one release, and whose pin is a newer commit that is still to be fetched."""
    fetch(upstream.component())
    upstream.commit({"README.md": b"new\n"})
    return upstream.component()


def plant(path: Path, content: bytes = b"") -> Path:
    """Write a file where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def whole(component: Component) -> bool:
    """Return whether a mirror has the pin with all files, and git finds nothing wrong in it."""
    mirror = Repository(mirror_of(component))
    assert git(mirror.path, "fsck", "--no-dangling") == b""
    assert mirror.commit(f"refs/hardener/{component.commit}") == component.commit
    assert git(mirror.path, "rev-list", component.commit).decode().split() == [component.commit]
    return {mirror.blob(entry.blob) for entry in mirror.entries(component.commit).values()} >= {FILES["bin/run.sh"]}


@pytest.mark.parametrize("name", [*LOCKS.values(), *UNFINISHED.values()], ids=[*LOCKS, *UNFINISHED])
def test_what_a_killed_git_left_is_cleared(component: Component, name: str) -> None:
    left = plant(mirror_of(component) / name.format(commit=component.commit), b"x")
    assert fetch(component).notes == ()
    assert not left.exists()
    assert whole(component)


def test_control_git_itself_stops_at_such_a_lock(component: Component) -> None:
    plant(mirror_of(component) / "shallow.lock")
    words = ["git", "-C", mirror_of(component), "fetch", "--depth=1", "upstream", component.commit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 128
    assert "shallow.lock': File exists" in done.stderr


def test_all_at_once(component: Component) -> None:
    files = [plant(mirror_of(component) / name.format(commit=component.commit)) for name in LOCKS.values()]
    fetch(component)
    assert not [file for file in files if file.exists()]
    assert whole(component)


def test_a_lock_is_cleared_even_where_nothing_is_fetched(upstream: FakeUpstream) -> None:
    fetch(upstream.component())
    left = plant(mirror_of(upstream.component()) / "shallow.lock")
    assert fetch(upstream.component()).source == "cache"
    assert not left.exists()


def test_a_pack_is_kept_from_collection_by_a_person_only(component: Component) -> None:
    """A download marks its pack with a .keep that names fetch-pack; any other one is a person's."""
    packs = sorted((mirror_of(component) / "objects" / "pack").glob("pack-*.pack"))
    theirs = plant(packs[0].with_suffix(".keep"), b"fetch-pack 123 on host\n")
    mine = plant(packs[1].with_suffix(".keep"), b"do not touch\n")
    fetch(component)
    assert (theirs.exists(), mine.exists()) == (False, True)


def test_what_git_needs_stays(component: Component) -> None:
    def files() -> dict[str, bytes]:
        top = mirror_of(component)
        return {str(file.relative_to(top)): file.read_bytes() for file in top.rglob("*") if file.is_file()}

    before = files()
    leftovers.clear(mirror_of(component))
    assert files() == before


HOLDERS = {
    "in it": (["-C", "{mirror}"], {}),
    "below it": (["-C", "{mirror}/objects"], {}),
    "by option": (["--git-dir={mirror}"], {}),
    "by option and word": (["--git-dir", "{mirror}"], {}),
    "by variable": ([], {"GIT_DIR": "{mirror}"}),
    "by a link": (["--git-dir={link}"], {}),
}


@contextlib.contextmanager
def running(argv: list[str], env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that has answered once and then waits for its standard input."""
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, env=os.environ | (env or {})) as process:
        process.stdin.write(b"0000000000000000000000000000000000000000\n")
        process.stdin.flush()
        process.stdout.readline()
        yield process
        process.stdin.close()


@pytest.mark.parametrize(("words", "env"), HOLDERS.values(), ids=HOLDERS)
def test_a_lock_of_a_running_git_is_left_alone_and_named(
    component: Component, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], env: dict[str, str]
) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)
    mirror = mirror_of(component)
    (tmp_path / "link").symlink_to(mirror)
    fill = {"mirror": mirror, "link": tmp_path / "link"}
    lock = plant(mirror / "shallow.lock")
    argv = ["git", *(word.format(**fill) for word in words), "cat-file", "--batch"]
    with running(argv, {name: value.format(**fill) for name, value in env.items()}) as process:
        with pytest.raises(BusyError) as caught:
            fetch(component)
        assert lock.exists()
    assert caught.value.exit_code == 75
    assert f"(process {process.pid})" in caught.value.message
    assert "shallow.lock" in caught.value.message
    assert caught.value.hint
    fetch(component)
    assert whole(component)


def test_a_lock_that_any_program_has_open_is_left_alone(
    component: Component, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An editor with a git of its own, say."""
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)
    lock = plant(mirror_of(component) / "config.lock")
    code = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with running([sys.executable, "-c", code, str(lock)]) as process:
        with pytest.raises(BusyError, match=rf"\(process {process.pid}\).*config\.lock"):
            fetch(component)
        assert lock.exists()


def test_a_running_git_with_no_lock_is_in_nobodys_way(component: Component) -> None:
    left = plant(mirror_of(component) / "objects/pack/tmp_pack_a1B2c3")
    with running(["git", "-C", str(mirror_of(component)), "cat-file", "--batch"]):
        fetch(component)
        assert left.exists(), "it may be what that git is writing"
    fetch(component)
    assert not left.exists()


def test_a_git_in_another_repository_is_no_reason_to_wait(
    component: Component, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)
    plant(mirror_of(component) / "shallow.lock")
    with running(["git", "-C", str(upstream.path), "cat-file", "--batch"]):
        fetch(component)
    assert whole(component)


def test_a_git_that_ends_meanwhile_is_waited_for(component: Component) -> None:
    """Another project's build works in the mirror for moments, without the mirror's lock."""
    plant(mirror_of(component) / "shallow.lock")
    told: list[str] = []
    with running(["git", "-C", str(mirror_of(component)), "cat-file", "--batch"]) as process:

        def end(who: str) -> None:
            told.append(who)
            process.stdin.close()
            process.wait()

        fetch(component, waiting=end)
    assert told == [f"git cat-file (process {process.pid})"]
    assert whole(component)


def half(path: Path) -> None:
    """Cut a file in the middle."""
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[: len(content) // 2])


def zeros(path: Path) -> None:
    """Let a file have its length and none of its content, as after a power failure."""
    size = path.stat().st_size
    path.chmod(0o644)
    path.write_bytes(bytes(size))


def empty(path: Path) -> None:
    """Take a file's content."""
    path.chmod(0o644)
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    """Let a file hold something else."""
    path.chmod(0o644)
    path.write_bytes(b"\0\xff garbage\n[")


FILES_OF_A_MIRROR = (
    "objects/pack/*.pack", "objects/pack/*.idx", "objects/??/*", "packed-refs", "refs/hardener/*", "shallow", "HEAD",
    "config",
)  # fmt: skip
HARMLESS = {("packed-refs", empty), ("objects/pack/*.idx", empty)}


@pytest.mark.parametrize("damage", [half, zeros, empty, garbage])
@pytest.mark.parametrize("pattern", FILES_OF_A_MIRROR)
def test_a_mirror_that_git_cannot_read_is_made_again(upstream: FakeUpstream, pattern: str, damage) -> None:
    component = upstream.component()
    fetch(component)
    mirror = Repository(mirror_of(component))
    (tip,) = git(mirror.path, "rev-list", component.commit).decode().split()
    if pattern == "packed-refs":
        git(mirror.path, "pack-refs", "--all")
    if pattern == "objects/??/*":
        git(mirror.path, "hash-object", "-w", "--stdin", stdin=b"of a series\n" * 9)
    mirror.output("update-ref", "refs/hardener/other", tip)
    damage(min(mirror.path.glob(pattern)))
    fetched = fetch(component)
    assert whole(component)
    restored = pattern in ("HEAD", "config", "shallow") or (pattern, damage) in HARMLESS
    if not restored:
        (note,) = fetched.notes
        assert "made again" in note
        assert note.endswith("fake.git.damaged)")
    assert fetch(component).notes == ()


@pytest.mark.parametrize("missing", ["HEAD", "config", "refs", "objects/info", "objects/pack", "shallow", "objects"])
def test_a_mirror_that_was_half_made_is_completed(upstream: FakeUpstream, missing: str) -> None:
    component = upstream.component()
    mirror = fetch(component).mirror
    (mirror / missing).rename(mirror / "away")
    fetch(component)
    assert whole(component)


def test_a_file_in_the_place_of_a_mirror_is_put_aside(upstream: FakeUpstream) -> None:
    component = upstream.component()
    plant(mirror_of(component), b"x")
    assert "made again" in fetch(component).notes[0]
    assert whole(component)


def test_nothing_is_asked_of_git_twice(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all of a mirror takes time, so it is done once for each state of its files."""
    asked: list[str] = []
    real = Repository.git

    def spy(self: Repository, *words: str, **more: object) -> object:
        asked.append(words[0])
        return real(self, *words, **more)

    monkeypatch.setattr(Repository, "git", spy)
    component = upstream.component()
    for _ in range(2):
        fetch(component)
    assert asked.count("fsck") == 2, "of what was there before, and of what was fetched"
    fetch(component)
    assert asked.count("fsck") == 2
    git(mirror_of(component), "hash-object", "-w", "--stdin", stdin=b"new")
    fetch(component)
    assert asked.count("fsck") == 3


def test_without_a_source_a_damaged_mirror_is_named(upstream: FakeUpstream) -> None:
    component = upstream.component()
    garbage(next((fetch(component).mirror / "objects" / "pack").glob("*.pack")))
    upstream.path.rename(upstream.path.with_name("gone"))
    with pytest.raises(UnreachableError) as caught:
        fetch(component)
    assert any("made again" in line for line in caught.value.details)


GIT = """#!/bin/sh
case " $* " in *" {verb} "*)
    if [ "$(wc -l < {count})" -lt {times} ]; then
        echo >> {count}
        touch {mirror}/shallow.lock {mirror}/config.lock {mirror}/objects/pack/tmp_pack_abcdef
        {kill}
    fi;;
esac
PATH={path} exec git "$@"
"""


@pytest.fixture
def deadly(tmp_path: Path, component: Component, monkeypatch: pytest.MonkeyPatch):
    """Put a git into the path that leaves locks and is killed so many times before it works."""

    def make(times: int, *, verb: str = "fetch", kill: str = "kill -9 $$") -> None:
        (tmp_path / "count").write_text("")
        program = tmp_path / "bin" / "git"
        program.parent.mkdir()
        program.write_text(GIT.format(
            verb=verb, times=times, count=tmp_path / "count", mirror=mirror_of(component), path=os.environ["PATH"],
            kill=kill,
        ))  # fmt: skip
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return make


INDEX_PACK = "echo 'error: index-pack died of signal 9' >&2; echo 'fatal: index-pack failed' >&2; exit 128"


KILLED = {
    "git": "kill -9 $$",
    "index-pack": INDEX_PACK,
    "what serves the source": "echo 'fatal: the remote end hung up unexpectedly' >&2; exit 128",
}


@pytest.mark.parametrize("kill", KILLED.values(), ids=KILLED)
def test_a_git_that_is_killed_once_is_no_failure(component: Component, deadly, kill: str) -> None:
    deadly(1, kill=kill)
    fetch(component)
    assert whole(component)
    assert not list(mirror_of(component).rglob("*.lock"))


@pytest.mark.parametrize("verb", ["fetch", "update-ref", "fsck", "rev-list", "ls-remote"])
def test_a_git_that_is_killed_again_is_no_question_of_mirrors(component: Component, deadly, verb: str) -> None:
    deadly(2, verb=verb)
    with pytest.raises(StackError, match="was killed") as caught:
        fetch(component)
    assert "HARDENER_UPSTREAM" not in caught.value.hint
    if verb not in ("fetch", "ls-remote"):  # where one is enough
        with pytest.raises(StackError, match="was killed"):
            fetch(component)
    fetch(component)
    assert whole(component)


def test_a_history_is_healed_too(upstream: FakeUpstream) -> None:
    component = upstream.component()
    source = f"file://{upstream.path}"
    path = open_history(component, [source]).path
    upstream.commit({"README.md": b"new\n"})
    for name in ("shallow.lock", "refs/upstream/heads/main.lock", "packed-refs.lock", "config.lock"):
        plant(path / name)
    assert open_history(component, [source], fetch=True).commit(upstream.head) == upstream.head
    for damage in (half, zeros, empty, garbage):
        for pattern in ("HEAD", "config", "objects/pack/*.pack"):
            damage(min(path.glob(pattern)))
            assert open_history(component, [source]).commit(upstream.head) == upstream.head
    plant(path / "packed-refs", b"garbage")
    assert open_history(component, [source]).commit(upstream.head) == upstream.head


@pytest.fixture
def linked(tmp_path: Path) -> tuple[Path, Path]:
    """Return a repository's ``.git`` and a linked work tree of it, which lies elsewhere."""
    main, tree = tmp_path / "main", tmp_path / "elsewhere" / "tree"
    tree.parent.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", main], check=True)
    who = {f"GIT_{role}_{what}": "x@y" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    git(main / ".git", "commit", "--quiet", "--allow-empty", "--message=one", env=who)
    git(main / ".git", "worktree", "add", "--quiet", "-b", "side", str(tree))
    return main / ".git", tree


@pytest.mark.parametrize("whose", ["of the repository", "of the work tree"])
def test_a_git_in_a_linked_work_tree_is_found(
    linked: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)
    common, tree = linked
    folder = common if whose == "of the repository" else common / "worktrees" / "tree"
    lock = plant(folder / "index.lock")
    with running(["git", "-C", str(tree), "cat-file", "--batch"]) as process:
        with pytest.raises(BusyError, match=rf"\(process {process.pid}\)"):
            leftovers.clear(folder, locks_only=True)
        assert lock.exists()
    leftovers.clear(folder, locks_only=True)
    assert not lock.exists()


def test_a_dead_lock_of_a_branch_is_cleared_from_a_linked_work_tree(linked: tuple[Path, Path]) -> None:
    common, tree = linked
    own, branch = plant(common / "worktrees/tree/index.lock"), plant(common / "refs/heads/side.lock")
    snapshot.clear_locks(mock.Mock(root=tree), since=0.0)
    assert (own.exists(), branch.exists()) == (False, False)
