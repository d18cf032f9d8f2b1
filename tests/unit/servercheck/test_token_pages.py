"""The lines of docs/operator.md for tokens, added to hardened servers: check-server has no critical finding and no warning."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from hardener.servercheck.check import check
from support.pages import ROOT, chapter
from support.server_fixtures import CONFIG, HOST, JICOFO, clean

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "3f0b8f3b1a5f4c6d9e2a7c5b8d1e4f60"
# Lines of the servers that tests/attack/test_identity_provider.py proves: tests/support/identity/servers.py.
PROVEN = """\
authentication = "token"
app_id = "gateway"
allow_empty_token = false
enable_domain_verification = true
asap_accepted_issuers = { "gateway" }
asap_accepted_audiences = { "jitsi" }
""".splitlines()


def _found(folder: Path) -> set[str]:
    return {finding.id for finding in check([folder]).findings if finding.severity != "note"}


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """Provide the hardened Debian server after the commands of the page."""
    root = clean("debian", tmp_path)
    settings = root / JICOFO
    # One line, as step 3 of the page writes it.
    text = re.sub(r"authentication: \{\n +enabled: true\n +", "authentication { enabled: true, ", settings.read_text())
    settings.write_text(text)
    _libraries, variables, commands, _restart = chapter("docs/operator.md", "Login")["Tokens on Debian"]
    script = f"chown() {{ :; }}\n{variables}{commands.replace('/etc/', f'{root}/')}"
    subprocess.run(["bash", "-ec", script], env=os.environ | {"HOST": "meet.example.org"}, check=True)
    (urls,) = re.findall(r"^tokenAuthUrl: .*\n.*\n", (ROOT / "docs/operator.md").read_text(), re.MULTILINE)
    config = root / CONFIG
    config.write_text(config.read_text().replace("var config = {", f"var config = {{\n{urls}", 1))
    return root


def test_the_commands_for_debian_make_the_server_that_the_tests_prove(debian: Path) -> None:
    lines = [line.strip() for line in (debian / HOST).read_text().splitlines()]
    assert [line for line in PROVEN if line not in lines] == []
    assert re.search(r'"token_verification"; "token_affiliation";', (debian / HOST).read_text())
    assert _found(debian) == set()


def test_the_alternatives_exclude_each_other_on_debian(debian: Path) -> None:
    settings = debian / JICOFO
    settings.write_text(settings.read_text().replace("enabled: false,", "enabled: true,"))
    assert _found(debian) == {"all-are-moderators"}


def test_the_settings_for_docker_leave_nothing_open(tmp_path: Path) -> None:
    """The placeholder of the secret is reported, and so is each alternative beside the other."""
    root = clean("docker", tmp_path)
    (settings,) = chapter("docs/operator.md", "Login")["Tokens with docker-jitsi-meet"]
    stock, before = (root / ".env").read_text(), _found(root)

    def found(text: str) -> set[str]:
        (root / ".env").write_text(stock + text)
        return _found(root) - before

    assert found(settings) == {"token-secret-weak"}
    filled = settings.replace("SECRET=SECRET", f"SECRET={SECRET}")
    assert found(filled) == set()
    assert found(filled.replace("JICOFO_ENABLE_AUTH=0", "JICOFO_ENABLE_AUTH=1")) == {"all-are-moderators"}
    assert found(filled.replace("ENABLE_AUTO_OWNER=0", "ENABLE_AUTO_OWNER=1")) == {"auto-owner"}
