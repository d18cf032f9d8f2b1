"""Servers for the attack suite and for the roles: real Prosody processes on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import prosody_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def prosody(tmp_path) -> Iterator[Callable[..., prosody_server.Server]]:
    """Start servers; they end with the test."""
    running = []

    def start(setup: prosody_server.Setup) -> prosody_server.Server:
        generator = prosody_server.serve(tmp_path / f"server-{len(running)}", setup)
        running.append(generator)
        return next(generator)

    yield start
    for generator in running:
        generator.close()


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Iterator[prosody_server.Server]:
    """Provide a server without an critical finding."""
    yield from prosody_server.serve(tmp_path_factory.mktemp("closed"), prosody_server.CLOSED)
