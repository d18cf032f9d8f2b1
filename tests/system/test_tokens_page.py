"""The commands of docs/operator.md for tokens, on a Debian server with upstream's packages: Prosody loads the modules.

tests/attack/test_identity_provider.py proves the settings themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from support import chroot, debian_server
from support.debian_server import HOST
from support.pages import chapter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.debian_server import Server

pytestmark = [pytest.mark.debian, pytest.mark.upstream, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
PAGE, FILE = "docs/operator.md", f"/etc/prosody/conf.avail/{HOST}.cfg.lua"


@pytest.fixture(scope="module", params=debian_server.SUITES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, developers_cache: Path
) -> Iterator[Server]:
    """Provide a server with upstream's packages, and a checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
        site = config.load(ROOT).site
        packages = debian_server.upstreams(Repository(mirror_of(site)), site.commit)
    folders = (ROOT / "build/server", ROOT / "build/docker/prosody")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    below = chroot.base(developers_cache, request.param)
    for running in debian_server.serving(tmp_path_factory.mktemp(request.param), below):
        running.install_upstream(packages)
        running.write({f"root/hardener/{path.relative_to(ROOT)}": path.read_bytes() for path in files})
        yield running


def test_prosody_has_no_complaint_about_the_settings_for_tokens(server: Server) -> None:
    steps, ways = chapter(PAGE, "Debian and Ubuntu"), chapter(PAGE, "Login")
    *settings, check, _account = steps["2. Prosody: require a login"]
    blocks = [*settings, steps["3. Jicofo and the bridge"][0], *ways["Tokens on Debian"]]
    assert "prosodyctl check config" in check
    said = server.do(f"cd /root/hardener\nexport HOST={HOST}\n{''.join(blocks)}")
    assert "All checks passed" in said
    assert server.do(f"stat -c '%U %G %a' {FILE}") == "root prosody 640\n"
    assert 'authentication = "token"' in server.do(f"cat {FILE}")
    assert "authentication { enabled: false" in server.do("cat /etc/jitsi/jicofo/jicofo.conf")
    loaded = {"auth_token", "token_affiliation", "token_verification"}
    assert {line.strip() for line in said.splitlines()} >= loaded
