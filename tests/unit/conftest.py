"""What holds for unit tests: no network, no git configuration of the developer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_socket

from hardener.release import images
from support import packaging
from support.fakes import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
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
