"""What goes wrong for a user: the right exit code, a hint, a JSON error, no traceback, and dist/ as it was before."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from minimeet import repository

from .conftest import SITE, Minimeet, Reference, Run, listing, shrink, small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATCHES, OVERLAYS = "patches/minimeet/", "overlays/minimeet/"
STUB = "react/features/hardened/stub.js"


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong: how to bring it about, the exit code, and what has to be said."""

    name: str
    code: int
    say: tuple[str, ...]
    prepare: Callable[[Minimeet, pytest.MonkeyPatch], None] = lambda _minimeet, _monkeypatch: None
    words: tuple[str, ...] = ("build",)
    env: dict[str, str] = field(default_factory=dict)
    driver: str = ""


def edits(*changes: tuple[str, str, str]) -> Callable[[Minimeet, pytest.MonkeyPatch], None]:
    """Edit files of the project."""

    def prepare(minimeet: Minimeet, _: pytest.MonkeyPatch) -> None:
        for change in changes:
            minimeet.edit(*change)

    return prepare


def moved_ref(minimeet: Minimeet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tag of the pinned release names another commit."""
    minimeet.move_upstream(monkeypatch, "app.js", "loadTexts()", "loadTexts( )", pin=False)


def changed_under_overlay(minimeet: Minimeet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream changed the file that an overlay replaces."""
    minimeet.move_upstream(monkeypatch, "config.js", "What the operator", "What an operator", pin=True)


def tampered_integrity(minimeet: Minimeet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person changed what the lock says about one package."""
    text = (repository.SOURCE / "package-lock.json").read_text("utf-8")
    found = re.search(r'"node_modules/strophe\.js": \{[^}]*?"integrity": "(sha512-\w{8})', text)
    assert found
    minimeet.move_upstream(monkeypatch, "package-lock.json", found[1], "sha512-AAAAAAAA", pin=True)


def type_error(minimeet: Minimeet, _: pytest.MonkeyPatch) -> None:
    """An overlay in TypeScript that does not type-check."""
    minimeet.write(OVERLAYS + "react/features/hardened/wrong.ts", "export const answer: number = 'forty-two';\n")
    entry = '[[file]]\npath = "react/features/hardened/wrong.ts"\naction = "add"\nreason = "for a test"\n\n[[alias]]'
    minimeet.edit(OVERLAYS + "overlays.toml", "[[alias]]", entry)


def stale_removal(minimeet: Minimeet, _: pytest.MonkeyPatch) -> None:
    """A line of remove.list for a file that upstream does not have."""
    minimeet.write(
        PATCHES + "remove.list", "static/oldpromo.html # links to promo.example\nstatic/never.html # never was\n"
    )


def no_alias(minimeet: Minimeet, _: pytest.MonkeyPatch) -> None:
    """Nothing replaces the vendor's SDK any more."""
    path = minimeet.root / OVERLAYS / "overlays.toml"
    path.write_text(path.read_text("utf-8").partition("[[alias]]")[0], "utf-8")


def no_project(minimeet: Minimeet, _: pytest.MonkeyPatch) -> None:
    """A folder without upstream.toml."""
    (minimeet.root / "upstream.toml").unlink()


def without_program(name: str) -> Callable[[Minimeet, pytest.MonkeyPatch], None]:
    """Return a PATH on which one program is missing."""

    def prepare(minimeet: Minimeet, _: pytest.MonkeyPatch) -> None:
        programs = minimeet.folder / "bin"
        programs.mkdir()
        for program in {"git", "make", "cp", "rm", "mkdir", "sh", "env", "uname"} - {name}:
            (programs / program).symlink_to(shutil.which(program))
        minimeet.env["PATH"] = str(programs)

    return prepare


CASES = [
    Case(
        "two broken patches, both named",
        5,
        ("privacy-tracker-off.patch: conflict", "access-no-guest-door.patch: conflict", "2 of 3 patches"),
        edits(
            (PATCHES + "privacy-tracker-off.patch", "-startAnalytics();", "-beginAnalytics();"),
            (PATCHES + "access-no-guest-door.patch", "-    h('button', {\n", "-    h('a', {\n"),
        ),
    ),
    Case("truncated patch", 5, ("truncated",), edits((PATCHES + "privacy-tracker-off.patch", " loadTexts().then(() => showLogin());\n", ""))),
    Case("patch that is not there", 3, ("gone.patch", "series"), edits((PATCHES + "series", "privacy-tracker-off", "gone"))),
    Case("stale line of remove.list", 3, ("remove.list", "static/never.html"), stale_removal),
    Case("release's ref has moved", 3, ("refs/tags/v1.0 has moved",), moved_ref),
    Case(
        "pin that the source does not have",
        3,
        ("has no commit", "0123456789abcdef0123456789abcdef01234567", "HARDENER_UPSTREAM"),
        lambda minimeet, _: (
            minimeet.edit("upstream.toml", 'ref = "refs/tags/v1.0"\n', ""),
            minimeet.edit("upstream.toml", minimeet.pin, "0123456789abcdef0123456789abcdef01234567"),
        ),
    ),
    Case("malformed upstream.toml", 3, ("upstream.toml", "line 4"), edits(("upstream.toml", 'name = "minimeet-hardened"', "name = minimeet"))),
    Case("unknown key in upstream.toml", 3, ("upstream.toml", "omits", "allowed"), edits(("upstream.toml", "omit =", "omits ="))),
    Case("malformed overlays.toml", 3, ("overlays.toml", "line 2"), edits((OVERLAYS + "overlays.toml", f'path = "{STUB}"', "path = stub"))),
    Case("overlay whose upstream file changed", 5, ("config.js", "upstream changed it"), changed_under_overlay),
    Case("text that upstream has already", 5, ("lang/main.json", "login.intro"), edits((OVERLAYS + "overlays.toml", 'override = ["login.intro"]\n', ""))),
    Case("type error in an overlay", 6, ("react/features/hardened/wrong.ts", "TS2322"), type_error),
    Case("syntax error in an overlay", 6, ("functions.js",), edits((OVERLAYS + "react/features/analytics/functions.js", "function sendEvent()", "function sendEvent("))),
    Case("make is missing", 8, ("make",), without_program("make")),
    Case("git is missing", 8, ("git",), without_program("git")),
    Case("unknown verb", 2, ("bake",), words=("bake",)),
    Case("unknown option", 2, ("--faster",), words=("build", "--faster")),
    Case("unknown toolchain", 2, ("parcel",), words=("build", "--toolchain", "parcel")),
    Case("unknown component", 2, ("nomeet",), words=("build", "--upstream", "nomeet=/tmp")),
    Case("unknown tree", 2, ("mastre",), words=("check", "--tree", "mastre")),
    Case("no project", 2, ("upstream.toml", "--project"), no_project),
    Case("other Node than upstream's", 3, ("Node 99",), edits(("upstream.toml", "node = 24", "node = 99"))),
]  # fmt: skip
# What a build finds only after the bundler.
LATE_CASES = [
    Case("malformed hosts.toml", 3, ("hosts.toml", "line 4"), edits(("hosts.toml", 'host = "attacker', "host = attacker"))),
    Case("host that is there once more", 7, ("www.w3.org: found 3 times",), edits(("hosts.toml", "count = 3\nmaps = 2", "count = 2\nmaps = 2"))),
    Case("listed host that is not there any more", 7, ("gone.example", "nothing names it"), edits(
        ("hosts.toml", "# Foreign hosts", '[[host]]\nhost = "gone.example"\nclass = "link"\nreason = "none"\ncount = 1\n\n# Foreign hosts'))),
    Case("SDK under another host", 7, ("sdks.toml forbids: crash-reporter", "fingerprint 'navigator.sendBeacon' in libs/chunks/"), edits(
        (OVERLAYS + "react/features/analytics/functions.js", "/* on purpose */", "navigator.sendBeacon('/collect');"))),
    Case("SDK whose alias is gone", 7, ("module 'vendor/' in bundle minimeet/app.bundle: vendor/crash-reporter.js", "unknown host tracker.example"), no_alias),
    Case("malformed sdks.toml", 3, ("sdks.toml", "fingerprints = ['Beacon', 'a']"), edits(("sdks.toml", '["navigator.sendBeacon"]', '["Beacon", "a"]'))),
    Case("no sdks.toml", 2, ("sdks.toml does not exist",), lambda minimeet, _: (minimeet.root / "sdks.toml").unlink()),
    Case("nothing of that name to leave out of the site", 6, ("there is no sounds/gone.*", "site_without"), edits(
        ("upstream.toml", "site_files =", 'site_without = ["sounds/gone.*"]\nsite_files ='))),
    Case("alias that nothing imports", 6, ("@minimeet/nothing",), edits((OVERLAYS + "overlays.toml", '"@minimeet/crash-reporter"', '"@minimeet/nothing"'))),
]  # fmt: skip


def failed(run: Run, code: int) -> None:
    """What holds for every failure."""
    assert run.code == code, run.stderr
    assert "Traceback" not in run.stderr
    assert re.search(r"^hint: +\S", run.stderr, re.MULTILINE), run.stderr
    answer = run.answer
    assert answer.keys() == {"error", "hint", "details", "exit"}
    assert answer["exit"] == code
    assert answer["error"]
    assert answer["hint"]


@pytest.fixture
def dist(apart: Minimeet, reference: Reference) -> Path:
    """Provide what an earlier build left in dist/."""
    shutil.copytree(reference.minimeet.dist, apart.dist)
    return apart.dist


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_failure_is_explained_and_leaves_dist_alone(
    apart: Minimeet, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    """Exit code, hint, JSON error, no traceback, nothing new in dist/."""
    check(case, apart, monkeypatch)


@pytest.mark.parametrize("case", LATE_CASES, ids=lambda case: case.name)
def test_failure_after_an_edit_is_explained_and_leaves_dist_alone(
    built: Minimeet, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    """The same where an earlier build has left a work area: only what the edit reaches is done again."""
    check(case, built, monkeypatch)


def check(case: Case, minimeet: Minimeet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring a case about, and check how it ends."""
    before = listing(minimeet.dist)
    assert before
    case.prepare(minimeet, monkeypatch)
    run = minimeet.run(*case.words, driver=case.driver, env=case.env)
    assert listing(minimeet.dist) == before
    failed(run, case.code)
    for text in case.say:
        assert text in run.stderr


def test_unknown_host_is_named_with_file_and_offset(built: Minimeet) -> None:
    """A host that was not reviewed: exit code 7, the place that is named is where it is, and dist/ is left alone."""
    before = listing(built.dist)
    built.edit(
        OVERLAYS + "react/features/analytics/functions.js", "/* on purpose */", "fetch('https://planted.example/x');"
    )
    run = built.build()
    failed(run, 7)
    name, offset = re.search(r"unknown host planted\.example.*?: (libs/\S+?\.js):(\d+): ", run.stderr).groups()
    site = built.root / ".work" / "hardened" / "site"
    assert (site / name).read_bytes()[int(offset) :].startswith(b"planted.example")
    assert listing(built.dist) == before


def test_unreachable_upstream_names_the_way_out(apart: Minimeet, dist: Path) -> None:
    """A repository that does not answer: exit code 4, and the hint names the mirror setting and the demo."""
    before = listing(dist)
    run = apart.build(
        "--upstream", "minimeet=https://127.0.0.1:1/x.git", driver="from hardener.git import remote; remote.PAUSES = ()"
    )
    failed(run, 4)
    assert "https://127.0.0.1:1/x.git" in run.answer["error"]
    assert "HARDENER_UPSTREAM" in run.answer["hint"]
    assert "make demo" in run.answer["hint"]
    assert listing(dist) == before


def test_repository_of_upstream_toml_that_does_not_answer(apart: Minimeet) -> None:
    """The same for the address in upstream.toml, which counts when no other is named."""
    apart.edit("upstream.toml", "./upstream.git", "https://127.0.0.1:1/x.git")
    driver = "import sys; from hardener.git import remote; remote.PAUSES = (); del sys.argv[-2:]"
    run = apart.build(driver=driver)
    failed(run, 4)
    assert "https://127.0.0.1:1/x.git" in run.answer["error"]


def test_unreachable_registry_is_told_from_a_broken_lock(without_packages: Minimeet) -> None:
    """No registry and no npm cache: exit code 4 and what npm said."""
    env = {
        "npm_config_registry": "http://127.0.0.1:1",
        "npm_config_cache": str(without_packages.folder / "npm"),
        "npm_config_fetch_retries": "0",
    }
    run = without_packages.build(env=env)
    failed(run, 4)
    assert "ECONNREFUSED" in run.stderr
    assert not list((without_packages.cache / "node_modules").glob("*.new"))
    assert not without_packages.dist.exists()


@pytest.mark.slow
def test_tampered_integrity_is_refused(without_packages: Minimeet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not what the lock says: exit code 6, the package is named, nothing is kept."""
    tampered_integrity(without_packages, monkeypatch)
    before = set((without_packages.cache / "node_modules").glob("*/node_modules"))
    run = without_packages.build()
    failed(run, 6)
    assert "not what the lock says" in run.answer["error"]
    assert "strophe.js" in run.stderr or "sha512-AAAAAAAA" in run.stderr
    assert set((without_packages.cache / "node_modules").glob("*/node_modules")) == before
    assert not without_packages.dist.exists()


@dataclass(frozen=True)
class Room:
    """Bytes of a disk that an undisturbed build takes, and those of its ``dist/``."""

    build: int
    dist: int


@pytest.fixture(scope="module")
def room(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Measure it on such a disk, where no file is a link to one of the cache."""
    with small_disk(tmp_path_factory.mktemp("room") / "disk") as disk:
        minimeet = Minimeet(disk, reference.minimeet.cache.parent)
        empty = shutil.disk_usage(disk).used
        assert minimeet.build().code == 0
        yield Room(shutil.disk_usage(disk).used - empty, sum(path.stat().st_size for path in minimeet.dist.iterdir()))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.98, None], ids=["none", "little", "most", "all but half of dist"])
def test_full_disk_of_the_project(disk: Path, reference: Reference, room: Room, share: float | None) -> None:
    """Exit code 8 wherever the space runs out, and with room enough the same command continues to the same archives."""
    minimeet = Minimeet(disk, reference.minimeet.cache.parent)
    # What two builds take differs by some pages, so the last case leaves away what no build can do without.
    free = room.build - room.dist // 2 if share is None else int(room.build * share)
    shrink(disk, free // 4096 * 4096)
    run = minimeet.build()
    reference.intact(minimeet.dist)
    failed(run, 8)
    assert "space" in run.stderr
    shrink(disk, 2 * room.build)
    again = minimeet.build()
    assert again.code == 0, again.stderr
    assert again.sums == reference.run.sums


# Where git's mirror does not fit, npm is not asked: its packages are at hand for the build that continues.
@pytest.mark.parametrize(("free", "start"), [(0, "apart"), (100_000, "apart"), (3_000_000, "without_packages")])
def test_full_disk_of_the_cache(
    disk: Path, request: pytest.FixtureRequest, reference: Reference, free: int, start: str
) -> None:
    """The same where the user's cache lies: git's mirror, then npm's packages."""
    begun: Minimeet = request.getfixturevalue(start)
    home = disk / "cache"
    shutil.copytree(begun.cache.parent, home, symlinks=True)
    minimeet = Minimeet(begun.folder / "with a small cache", home)
    shrink(disk, free)
    run = minimeet.build()
    failed(run, 8)
    shrink(disk, 200_000_000)
    again = minimeet.build()
    assert again.code == 0, again.stderr
    assert again.sums == reference.run.sums


def test_full_disk_for_temporary_files(disk: Path, apart: Minimeet) -> None:
    """The same where temporary files lie: one page is enough for Python to take the folder, and for nothing else."""
    shrink(disk, 4096)
    failed(apart.build(env={"TMPDIR": str(disk)}), 8)


def test_hint_of_a_failed_bundle_can_be_followed(built: Minimeet) -> None:
    """What the hint says to run does run, and shows what the tool said."""
    built.edit(OVERLAYS + "react/features/analytics/functions.js", "/* on purpose */", "import('./nowhere');")
    run = built.build()
    failed(run, 6)
    assert "./nowhere" in run.stderr
    words = re.search(r"hardener (.*?build)\b", run.answer["hint"])[1].split()
    command = [
        sys.executable,
        "-m",
        "hardener",
        *words,
        "--project",
        str(built.root),
        "--upstream",
        f"minimeet={built.upstream}",
    ]
    done = subprocess.run(command, env=built.env, capture_output=True, text=True, check=False)
    assert done.returncode == 6, done.stderr


def test_reader_that_goes_away_is_no_bug_of_ours(built: Minimeet) -> None:
    """``hardener build --json | head -0``: no traceback."""
    (built.dist / SITE).unlink()
    # As the shell does it: standard output is a pipe whose other end is closed.
    run = built.build(driver="import os; read, write = os.pipe(); os.close(read); os.dup2(write, 1)")
    assert "Traceback" not in run.stderr
    assert "done" in run.stderr
