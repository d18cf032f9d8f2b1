"""What a person sees who logs in with an account of a directory: OpenLDAP behind a real Prosody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import directory, prosody_server
from support.directory import BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Directory
from support.prosody_server import DOMAIN, Setup

from .test_login import UNDECIDED, WRONG
from .test_login_passwords import _try, go

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

__all__ = ["go"]
HOST = """
    ldap_server = "ldap://127.0.0.1:{port}"
    ldap_base = "{base}"
    ldap_rootdn = "{service}"
    ldap_password = "{password}"
    ldap_filter = "(&(uid=$user)(!(employeeType=former)))"
"""
# What is typed, and what the page says; "" where the login succeeds.
ATTEMPTS = {
    f"ALICE@{DOMAIN}": "",
    "carol@example.org": "",
    "J\u00f6rg Mu\u0308ller": "",  # one letter typed in two
    "locked": WRONG,
}


@pytest.fixture(scope="module")
def ldap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """Provide the directory."""
    yield from directory.serve(tmp_path_factory.mktemp("ldap"))


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory, ldap: Directory) -> Iterator[prosody_server.Server]:
    """Provide a server that asks the directory."""
    directory.needs_lua_ldap()
    main = HOST.format(port=ldap.port, base=BASE, service=SERVICE, password=SERVICE_PASSWORD)
    setup = Setup(authentication="ldap", main=main, main_modules=("directory_logins",), accounts={})
    yield from prosody_server.serve(tmp_path_factory.mktemp("prosody"), setup)


def test_a_person_logs_in_with_an_account_of_the_directory(
    go: Callable[..., Visit], prosody: prosody_server.Server, ldap: Directory
) -> None:
    """With a name as the directory has it; a directory that is down is not a wrong password."""
    page = go("hardened", prosody).page
    said = {name: _try(page, name, PASSWORD) for name in ATTEMPTS}
    assert said == ATTEMPTS
    assert _try(page, "alice", "wrong") == WRONG

    ldap.stop()
    assert _try(page, "alice", PASSWORD) == UNDECIDED
    ldap.start()
    assert _try(page, "alice", PASSWORD) == ""
