"""web/server.py: what is printed of a connection that fails."""

from __future__ import annotations

import pytest

from hardener.proof.web.server import Server


@pytest.mark.parametrize(
    ("problem", "printed"),
    [(BrokenPipeError(), False), (ConnectionResetError(), False), (TimeoutError(), False), (ValueError("x"), True)],
)
def test_only_faults_of_the_server_are_printed_not_browsers_that_leave(
    capsys: pytest.CaptureFixture[str], problem: Exception, *, printed: bool
) -> None:
    server = object.__new__(Server)  # no socket
    try:
        raise problem
    except type(problem):
        server.handle_error(None, ("127.0.0.1", 1))
    assert ("Traceback" in capsys.readouterr().err) is printed
