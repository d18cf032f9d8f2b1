"""What pipeline tests share: copies of minimeet, hardener in a subprocess, and one store of npm packages a session."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

import hardener
from hardener.system import locks, node
from hardener.system.disk import replace_folder
from minimeet import repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEMO = Path(repository.__file__).parent
PACKAGE = Path(hardener.__file__).parents[1]
STEPS = ("fetch", "patch", "overlay", "checkout", "install", "bundle", "deploy", "scan", "package")
SITE, MAPS = "minimeet-hardened-v1.0+1.tar.gz", "minimeet-hardened-v1.0+1-sourcemaps.tar.gz"
SUMS, MANIFEST, LOG = "SHA256SUMS", "build-manifest.json", "build-log.json"
PATIENCE = 120.0  # seconds until a process that says nothing counts as hanging; no test measures time

# What would change a build's output or its words unseen.
_DROPPED = ("HARDENER_UPSTREAM", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "NODE_OPTIONS")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def listing(folder: Path) -> dict[str, str]:
    """Return every file below a folder, hidden ones too, with its SHA-256."""
    return {path.relative_to(folder).as_posix(): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def unpack(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


@dataclass(frozen=True)
class Run:
    """A hardener that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> dict[str, Any]:
        """Return what ``--json`` said."""
        return json.loads(self.stdout)

    @property
    def sums(self) -> dict[str, str]:
        """SHA-256 of the archives, as ``--json`` says them."""
        return {archive["file"]: archive["sha256"] for archive in self.answer["archives"]}

    def line(self, step: str) -> str:
        """Return the line that the terminal shows for a step."""
        return next(line for line in self.stderr.splitlines() if line.split()[:1] == [step])

    def rebuilt(self) -> list[str]:
        """Return the steps whose line does not say that nothing was to be done."""
        lines = {step: self.line(step) for step in STEPS if step not in ("patch", "overlay")}
        return [step for step, line in lines.items() if "unchanged" not in line and "in the cache" not in line]


class Running:
    """A hardener at work, in a process group of its own; what is left of the group dies with the block."""

    def __init__(self, argv: list[str], env: Mapping[str, str], cwd: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            argv, env=env, cwd=cwd, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
        self.said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def signal(self, number: int) -> None:
        """Send a signal to the process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill the process group, as the kernel does: without a word."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def listen(self, seconds: float) -> bool:
        """Read what it says within so many seconds; False when it has closed its standard error."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            if not selector.select(seconds):
                return True
        piece = os.read(self.process.stderr.fileno(), 65536)
        self.said += piece.decode("utf-8", "replace")
        return bool(piece)

    def until(self, true: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
        """Wait until something is true; a failure when the process ends first, or hangs."""
        deadline = time.monotonic() + seconds
        while not true():
            assert self.listen(0.01), f"ended early:\n{self.said}"
            assert time.monotonic() < deadline, f"hangs:\n{self.said}"

    def until_said(self, text: str, *, seconds: float = PATIENCE) -> None:
        """Wait for a whole line that begins with a text (after its indentation)."""
        self.until(lambda: any(line.strip().startswith(text) for line in self.said.split("\n")[:-1]), seconds=seconds)

    def end(self) -> Run:
        """Wait for its end."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        return Run(self.process.returncode, stdout.decode(), self.said + stderr.decode())


class Minimeet:
    """A copy of the demo project, its upstream beside it, and hardener to run on it."""

    def __init__(self, folder: Path, cache_home: Path) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.upstream = folder / "upstream.git"
        self.cache = cache_home / "hardener"
        self.env = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        self.env |= {"XDG_CACHE_HOME": str(cache_home), "PYTHONPATH": str(PACKAGE)}
        self.dist = self.root / "dist"
        self.tree = self.root / ".work" / "hardened" / "minimeet" / "tree"
        shutil.copytree(DEMO / "project", self.root, ignore=shutil.ignore_patterns(".work", "dist"))
        self.pin = repository.create(self.upstream)

    def argv(self, verb: str, *words: str, driver: str = "") -> list[str]:
        """Return the command line; a driver is Python code to run before hardener starts in the same process."""
        start = (
            ["-c", f"{driver}\nimport sys\nfrom hardener.cli.main import main\nsys.exit(main())"]
            if driver
            else ["-m", "hardener"]
        )
        options = ["--json", "--project", str(self.root)]
        source = (
            ["--upstream", f"minimeet={self.upstream}"]
            if verb in ("build", "check", "compare", "dev", "edit", "regen", "release")
            else []
        )
        return [sys.executable, *start, verb, *options, *source, *words]

    def start(self, verb: str, *words: str, driver: str = "", env: Mapping[str, str] | None = None) -> Running:
        """Start a subcommand of hardener."""
        return Running(self.argv(verb, *words, driver=driver), self.env | dict(env or {}), self.folder)

    def run(self, verb: str, *words: str, driver: str = "", env: Mapping[str, str] | None = None) -> Run:
        """Run a subcommand of hardener to its end."""
        with self.start(verb, *words, driver=driver, env=env) as running:
            return running.end()

    def build(self, *words: str, driver: str = "", env: Mapping[str, str] | None = None) -> Run:
        """``hardener build --json``."""
        return self.run("build", *words, driver=driver, env=env)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text, which has to be there, in a file of the project."""
        _edit(self.root / name, old, new)

    def move_upstream(self, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, *, pin: bool) -> str:
        """Put an upstream in place whose one commit differs in one file; ``pin`` says whether upstream.toml follows."""
        source = self.folder / "moved upstream"
        shutil.copytree(repository.SOURCE, source)
        _edit(source / name, old, new)
        with monkeypatch.context() as patch:
            patch.setattr(repository, "SOURCE", source)
            self.upstream = self.folder / "moved.git"
            commit = repository.create(self.upstream)
        assert commit != self.pin
        if pin:
            self.edit("upstream.toml", self.pin, commit)
        return commit

    def git(self, *words: str) -> str:
        """Run git on the mirror; nothing is fetched by it."""
        mirror = self.cache / "mirrors" / "minimeet.git"
        env = self.env | {"GIT_NO_LAZY_FETCH": "1"}
        done = subprocess.run(
            ["git", "--git-dir", mirror, *words], env=env, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text, f"{path} has no {old!r}"
    path.write_bytes(text.replace(old, new).encode())


@dataclass(frozen=True)
class Reference:
    """An undisturbed build, to compare others with."""

    minimeet: Minimeet
    run: Run
    files: dict[str, str]

    def intact(self, dist: Path) -> None:
        """Fail unless every visible file in ``dist`` is complete and of this build; nothing needs to be there."""
        for name, sha256 in listing(dist).items() if dist.exists() else ():
            if name != LOG and not name.startswith("."):
                assert sha256 == self.files[name], f"{name} is not complete"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide this worker's XDG cache directory. Its npm packages are installed once in a run (see ``reference``)."""
    return tmp_path_factory.mktemp("pipeline-cache")


@pytest.fixture(scope="session")
def reference(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Provide an undisturbed build; everything is skipped, with the reason, where the npm registry does not answer.

    The first worker installs the npm packages. The others get hard links to them, in folders of their own.
    """
    minimeet = Minimeet(tmp_path_factory.mktemp("reference"), shared_cache)
    own, common = minimeet.cache / "node_modules", _of_all_workers(tmp_path_factory) / "pipeline-node_modules"
    with locks.lock(common.with_suffix(".lock")):
        first = not common.exists()
        if first:
            run = minimeet.build()
            if run.code == 0:
                _link(own, common)
        else:
            _link(common, own)
    if not first:
        run = minimeet.build()
    if run.code == 4:
        pytest.skip(f"needs the npm registry or a warm npm cache: {run.answer['error']}")
    assert run.code == 0, run.stderr
    return Reference(minimeet, run, listing(minimeet.dist))


def _of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of this run: pytest-xdist gives each worker a folder in it."""
    return factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()


def _link(source: Path, target: Path) -> None:
    """Copy a folder with hard links in place of its files, whole or not at all; each copy has locks of its own."""

    def locks_of_the_store(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder) == source and name.endswith(".lock")]

    def fill(new: Path) -> None:
        shutil.copytree(
            source, new, symlinks=True, ignore=locks_of_the_store, copy_function=os.link, dirs_exist_ok=True
        )

    replace_folder(target, fill)


@pytest.fixture
def minimeet(tmp_path: Path, shared_cache: Path, reference: Reference) -> Minimeet:
    """Provide a project that was never built, with a warm cache."""
    return Minimeet(tmp_path, shared_cache)


def put_copy(source: Path, target: Path) -> None:
    """Put a copy of a project in the place of another; packages are hard links, as the build makes them of its store."""
    subprocess.run(["rm", "-rf", target], check=True)
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
    for packages in source.glob(".work/*/*/tree/node_modules"):
        copy = target / packages.relative_to(source)
        subprocess.run(["cp", "--archive", "--link", packages, copy], check=True)  # thousands: Python is slow at it


@pytest.fixture
def built(minimeet: Minimeet, reference: Reference) -> Minimeet:
    """Provide a project that was built, as a user's is: a build does again only what an edit changes."""
    put_copy(reference.minimeet.root, minimeet.root)
    return minimeet


@pytest.fixture
def apart(tmp_path: Path, reference: Reference) -> Minimeet:
    """Provide a project that was never built, with no mirror in its cache; only the npm packages are there."""
    (tmp_path / "cache" / "hardener").mkdir(parents=True)
    (tmp_path / "cache" / "hardener" / "node_modules").symlink_to(reference.minimeet.cache / "node_modules")
    return Minimeet(tmp_path, tmp_path / "cache")


@pytest.fixture
def without_packages(tmp_path: Path, reference: Reference) -> Minimeet:
    """Provide a project that was never built; of the npm packages only hardener's own tools are there."""
    store = tmp_path / "cache" / "hardener" / "node_modules"
    store.mkdir(parents=True)
    manifest = (node.RECIPES / "package.json").read_bytes()
    stores = (reference.minimeet.cache / "node_modules").glob("*/package.json")
    (tools,) = (path.parent for path in stores if path.read_bytes() == manifest)
    (store / tools.name).symlink_to(tools)
    return Minimeet(tmp_path, tmp_path / "cache")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 256 MB, whose size :func:`shrink` sets."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs the right to mount a small disk (run as root): {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Provide a small disk."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def shrink(disk: Path, free: int) -> None:
    """Leave so many bytes free on a disk, of which an empty one keeps a page: a size of 0 means no limit."""
    size = max(shutil.disk_usage(disk).used + free, 4096)
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
