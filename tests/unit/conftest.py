"""What holds for unit tests: no network, no git configuration of the developer."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import pytest_socket

from hardener.release import images
from support import packaging
from support.fakes import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(autouse=True)
def user_home(empty_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home directory of its own; tests put a hostile .gitconfig there."""
    folder = next(empty_folders)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "https_proxy", "HTTPS_PROXY", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> FakeUpstream:
    """Make an upstream with one release, for copies: no test changes it."""
    return FakeUpstream.with_release(tmp_path_factory.mktemp("released") / "upstream.git")


@pytest.fixture
def upstream(released: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> FakeUpstream:
    """Return an upstream with one release, tagged v1.0; it does not lie in the test's tmp_path."""
    return released.copy(tmp_path_factory.mktemp("upstream") / "upstream.git")


@pytest.fixture
def _templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stand-ins for upstream's templates count as reviewed."""
    monkeypatch.setattr(images, "REVIEWED", dict(images.REVIEWED))
    packaging.accept_templates()


@pytest.fixture(params=("stable-10978", "stable-11146-2"))
def show(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Read a file of docker-jitsi-meet at a release, from a clone that ``DOCKER_JITSI_MEET`` names."""
    clone = os.environ.get("DOCKER_JITSI_MEET", "")

    def text(path: str) -> str:
        argv = ["git", "-C", clone, "show", f"{request.param}:{path}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False) if clone else None
        if done is None or done.returncode:
            pytest.skip(f"needs a clone of jitsi/docker-jitsi-meet with {request.param}: DOCKER_JITSI_MEET=/path")
        return done.stdout

    return text
