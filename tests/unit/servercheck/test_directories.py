"""check-server on directories: a hardened one has no finding, and a file in place of the image's template is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.servercheck.check import check
from hardener.servercheck.deployments import directories
from support import server_fixtures

if TYPE_CHECKING:
    from pathlib import Path

SAFE = {
    "saslauthd.conf": "ldap_servers: ldaps://ldap.example.org/\nldap_bind_dn: cn=meet\nldap_tls_check_peer: yes\n"
    "ldap_filter: (&(uid=%u)(memberOf=cn=meetings))\n",
    "default/saslauthd": '# -c caches\nOPTIONS="-m /var/run/saslauthd"\nMECHANISMS="ldap"\n',
    "ldap/ldap.conf": "TLS_CACERT /etc/ssl/certs/ca-certificates.crt\n# TLS_REQCERT never\n",
}
MODULE = """authentication = "ldap"
    disable_sasl_mechanisms = {{ "DIGEST-MD5" }}
    ldap_server = "{}"
    ldap_rootdn = "cn=meet"
    ldap_filter = "(&(uid=$user)(!(employeeType=former)))\""""

SASL = 'authentication = "cyrus"\n    disable_sasl_mechanisms = { "DIGEST-MD5" }'


def _directory_findings(root: Path) -> set[str]:
    return {finding.id for finding in check([root]).findings if finding.id.startswith("ldap-")}


@pytest.mark.parametrize("server", ["ldaps://ldap.example.org", "127.0.0.1:389", "ldapi:///", "ldap://[::1]:389"])
def test_a_hardened_directory_has_no_finding(tmp_path: Path, server: str):
    """By Prosody's module and by saslauthd; without encryption only on this machine."""
    for number, provider in enumerate((MODULE.format(server), SASL)):
        (tmp_path / str(number)).mkdir()
        root = server_fixtures.clean("debian", tmp_path / str(number))
        host = root / server_fixtures.HOST
        host.write_text(host.read_text().replace(server_fixtures.INTERNAL, provider, 1))
        for name, text in SAFE.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        assert _directory_findings(root) == set()


@pytest.mark.parametrize(
    ("file", "text", "more", "finds"),
    [
        ("sasl/prosody.conf", "pwcheck_method: saslauthd\nmech_list: PLAIN\n", "", ""),
        ("sasl2/prosody.conf", "mech_list: plain login\n", "", ""),
        ("sasl/xmpp.conf", "mech_list: PLAIN\n", 'cyrus_application_name = "xmpp"', ""),
        ("own.conf", "", 'disable_sasl_mechanisms = { "ANONYMOUS" }', ""),
        ("sasl/prosody.conf", "Mech_list: PLAIN anonymous\n", "", "anonymous-login"),
        ("sasl/prosody.conf", "pwcheck_method: saslauthd\n# mech_list: PLAIN\n", "", "has no mech_list"),
        ("sasl/prosody.conf", "mech_list:\n", "", "has no mech_list"),
        ("sasl/xmpp.conf", "mech_list: PLAIN\n", "", "/etc/sasl/prosody.conf is not here"),
        ("sasl/prosody.conf", "mech_list: PLAIN\n", 'cyrus_application_name = "xmpp"', "xmpp.conf is not here"),
        ("sasl/prosody.conf", "mech_list: PLAIN\n", "cyrus_application_name = choose()", "is not here"),
    ],
)
def test_cyrus_needs_a_list_of_mechanisms_without_anonymous(
    tmp_path: Path, file: str, text: str, more: str, finds: str
) -> None:
    root = server_fixtures.clean("debian", tmp_path)
    host = root / server_fixtures.HOST
    host.write_text(host.read_text().replace(server_fixtures.INTERNAL, f'authentication = "cyrus"\n    {more}', 1))
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text(text)
    critical = [finding for finding in check([root]).findings if finding.severity == "critical"]
    assert bool(critical) is bool(finds)
    assert not finds or any(finds in f"{finding.id} {finding.what}" for finding in critical)


def test_the_images_own_list_has_no_anonymous_but_counts_only_for_its_application(tmp_path: Path):
    root = server_fixtures.clean("docker", tmp_path)
    env = root / ".env"
    env.write_text(env.read_text().replace("AUTH_TYPE=internal", "AUTH_TYPE=ldap"))
    assert "cannot-tell" not in {finding.id for finding in check([root]).findings}
    with env.open("a") as file:
        file.write("XMPP_CONFIGURATION=cyrus_application_name = 'own'\n")
    assert "cannot-tell" in {finding.id for finding in check([root]).findings}


def test_a_file_in_place_of_the_images_template_is_read(tmp_path: Path):
    """What it keeps is not a matter of the file."""
    root = server_fixtures.clean("docker", tmp_path)
    env, compose = root / ".env", root / "docker-compose.yml"
    text = env.read_text().replace("AUTH_TYPE=internal", "AUTH_TYPE=ldap").replace('"PLAIN"; ', "")
    env.write_text(text + "LDAP_URL=ldap://ignored.example.org/\n")
    (root / "saslauthd.conf").write_text(SAFE["saslauthd.conf"])
    assert "ldap-cleartext" in _directory_findings(root)
    mount = f"    volumes: ['./saslauthd.conf:{directories.MOUNTED}:ro']\n    expose: ['5222'"
    compose.write_text(compose.read_text().replace("    expose: ['5222'", mount))
    assert _directory_findings(root) == {"ldap-answers-kept"}
    assert "cannot-tell" not in {finding.id for finding in check([root]).findings}
