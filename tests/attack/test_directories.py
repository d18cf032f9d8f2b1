"""OpenLDAP behind a real Prosody in the ways that operators connect it: who gets in, under which name, and who does not.

``cyrus`` is AUTH_TYPE=ldap of docker-jitsi-meet (Cyrus SASL and saslauthd), ``ldap`` Prosody's own module, ``names`` that
with mod_directory_logins, and ``ldap2`` the older module of Debian's prosody-modules.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.proof.attack.record import Target
from hardener.proof.attack.session import Scene
from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.stanzas import condition, local
from support import directory, prosody_server
from support.directory import BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Directory
from support.people import PATIENCE
from support.prosody_server import Setup

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.attack

MODULES = Path("/usr/lib/prosody/modules")
WAYS = ("cyrus", "ldap", "names", "ldap2")
HOSTS = """
VirtualHost "cyrus.test"
    authentication = "cyrus"
    cyrus_application_name = "xmpp"
VirtualHost "ldap.test"
    authentication = "ldap"
    {module}
VirtualHost "names.test"
    authentication = "ldap"
    modules_enabled = {{ "directory_logins" }}
    {module}
VirtualHost "ldap2.test"
    authentication = "ldap2"
    ldap = {{
        hostname = "127.0.0.1:{port}"; bind_dn = "{service}"; bind_password = "{password}";
        user = {{ basedn = "{base}"; filter = "(!(employeeType=former))"; usernamefield = "uid"; namefield = "cn" }};
    }}
"""
MODULE = """
    ldap_server = "ldap://127.0.0.1:{port}"
    ldap_base = "{base}"
    ldap_rootdn = "{service}"
    ldap_password = "{password}"
    ldap_filter = "(&(uid=$user)(!(employeeType=former)))"
"""
FILTER = "(&(uid=%u)(!(employeeType=former)))"
REFUSED = {"not-authorized", "malformed-request"}
# What a person types, and the name that the server has then: the first is what our client sends.
ACCEPTED = {"alice": "alice", "ALICE": "alice", "zo\u00eb": "zo\u00eb", "ZO\u00cb": "zo\u00eb"}
ESCAPED = ("j\u00f6rg\\20m\u00fcller", r"carol\40example.org")
NOBODY = (
    "nobody",
    "locked",
    "left",
    "*",
    "ali*",
    "alice)(uid=*",
    "*)(uid=alice",
    r"al\2a",
    r"alice\29\28uid=\2a",
    r"alice\20",
    r"\20alice",
    r"j\c3\b6rg",
    "alice,x",
    "alice\0",
    "",
)
# By which ways a name gets in that has to be refused: mod_auth_ldap2 writes names into the filter as they are.
INJECTED = {"*", "ali*", "alice)(uid=*", "*)(uid=alice", r"alice\20", r"\20alice"}


@pytest.fixture(scope="module")
def ldap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """Provide a directory that takes a login without a password for an anonymous one, as Active Directory does."""
    yield from directory.serve(tmp_path_factory.mktemp("ldap"), directory.UNAUTHENTICATED)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ldap: Directory) -> Iterator[prosody_server.Server]:
    """Provide a host of each way."""
    if not (MODULES / "mod_auth_cyrus").is_dir():
        pytest.skip("prosody-modules is not installed: apt-get install prosody-modules lua-cyrussasl lua-ldap")
    directory.needs_lua_ldap()
    values = {"port": ldap.port, "base": BASE, "service": SERVICE, "password": SERVICE_PASSWORD}
    hosts = HOSTS.format(module=MODULE.format(**values), **values)
    folder = tmp_path_factory.mktemp("prosody")
    for cyrus in directory.saslauthd(folder / "sasl", ldap, filter_=FILTER):
        setup = Setup(hosts=hosts, environment={"SASL_CONF_PATH": str(cyrus)})
        yield from prosody_server.serve(folder / "server", setup)


def _log_in(server: prosody_server.Server, way: str, user: str, password: str = PASSWORD) -> str:
    """Return the address that a login gets, or the condition that refuses it."""
    host = f"{way}.test"
    scene = Scene(Target(server.url, host, muc=f"muc.{host}", patience=PATIENCE), "websocket")
    try:
        client = scene.guest()
        end = client.exchange("PLAIN", sasl.plain(user, password))
        if local(end) != "success":
            return condition(end)
        client.features = client.stream.open(host)
        return client.bind("here").partition("/")[0]
    finally:
        scene.close()


@pytest.mark.parametrize("way", WAYS)
def test_who_gets_in(server: prosody_server.Server, ldap: Directory, way: str) -> None:
    """Upper case and umlauts are the same person; a locked account, a former one and signs of a filter are refused."""
    assert {name: _log_in(server, way, name) for name in ACCEPTED} == {
        name: f"{account}@{way}.test" for name, account in ACCEPTED.items()
    }
    said = {name: _log_in(server, way, name) for name in NOBODY}
    others = {name for name, answer in said.items() if "@" in answer}
    assert others == (INJECTED if way == "ldap2" else set())
    # Control: the directory itself knows the locked account, and the former one could log in to it.
    assert (ldap.binds("left", PASSWORD), ldap.binds("locked", PASSWORD)) == (True, False)


@pytest.mark.parametrize("way", WAYS)
def test_a_name_with_spaces_or_an_at_sign_needs_our_module(server: prosody_server.Server, way: str) -> None:
    """A client escapes them; mod_auth_ldap2 finds them because it writes the name into the filter unescaped."""
    said = {name: _log_in(server, way, name) for name in ESCAPED}
    finds = way in {"names", "ldap2"}
    assert said == {name: f"{name}@{way}.test" if finds else "not-authorized" for name in ESCAPED}


@pytest.mark.parametrize("way", WAYS)
def test_no_login_without_the_password(server: prosody_server.Server, ldap: Directory, way: str) -> None:
    """Not with an empty one either, nor one that SASLprep leaves nothing of; the directory would accept that."""
    assert ldap.binds("alice", "")
    said = {
        password: _log_in(server, way, "alice", password) for password in ("wrong", "", "\u00ad", " ", PASSWORD[:-1])
    }
    assert set(said.values()) <= REFUSED, said


def test_cyrus_forgets_what_is_after_an_at_sign(server: prosody_server.Server) -> None:
    """Whatever a client sends there: a filter that asks for it gives two people one name. check-server reports it."""
    assert _log_in(server, "cyrus", "alice@other.example") == "alice@cyrus.test"
    assert _log_in(server, "names", "alice@other.example") in REFUSED


@pytest.fixture
def down(ldap: Directory) -> Iterator[None]:
    """Have the directory down for as long as the test lasts."""
    ldap.stop()
    yield
    ldap.start()


@pytest.mark.parametrize(
    ("way", "answer"),
    [("cyrus", "not-authorized"), ("ldap", "not-authorized"), ("names", "temporary-auth-failure")],
)
@pytest.mark.usefixtures("down")
def test_a_directory_that_is_down_is_reported_with_our_module(
    server: prosody_server.Server, way: str, answer: str
) -> None:
    """Twice, also on one stream. Without the module the page shows that the password is wrong."""
    assert _log_in(server, way, "alice") == answer
    scene = Scene(Target(server.url, f"{way}.test", muc=f"muc.{way}.test", patience=PATIENCE), "websocket")
    client = scene.guest()
    ends = [condition(client.exchange("PLAIN", sasl.plain("alice", PASSWORD))) for _attempt in range(2)]
    scene.close()
    assert ends == [answer] * 2


@pytest.mark.parametrize("way", WAYS)
def test_a_directory_that_is_back_is_asked_again(server: prosody_server.Server, way: str) -> None:
    assert _log_in(server, way, "alice") == f"alice@{way}.test"


@pytest.mark.parametrize(("options", "gets_in"), [((), False), (("-c",), True)], ids=["asked", "kept"])
def test_a_password_that_saslauthd_keeps_outlives_the_account(
    ldap: Directory, tmp_path: Path, options: tuple[str, ...], gets_in: bool
) -> None:
    """Its option -c, which docker-jitsi-meet and Debian set: an account that is locked logs in for up to eight hours."""
    name = "zo\u00eb" if gets_in else "alice"
    setup = Setup(hosts=HOSTS.partition('VirtualHost "ldap.test"')[0])
    for cyrus in directory.saslauthd(tmp_path / "sasl", ldap, *options):
        for other in prosody_server.serve(tmp_path / "server", setup.but(environment={"SASL_CONF_PATH": str(cyrus)})):
            assert "@" in _log_in(other, "cyrus", name)
            ldap.lock(name)
            assert ("@" in _log_in(other, "cyrus", name)) is gets_in
