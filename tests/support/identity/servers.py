"""The OpenID provider, the reference gateway, and a Prosody that takes the gateway's tokens, on loopback."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
import requests

from hardener import config
from hardener.errors import HardenerError
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.system import node
from support.identity.gateway import AUDIENCE, ISSUER, Gateway, Settings
from support.prosody_server import DOMAIN, Setup

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SITE = "http://site.invalid"
SECRET = "3f0b8f3b1a5f4c6d9e2a7c5b8d1e4f60"
PASSWORD, CODE = "provider-pw", "123456"  # of all people; provider.js has the same
# Where Debian has the Lua libraries of upstream's plugins: those without code for one version are shared by path.
_LUA_PATH = "/usr/share/lua/5.4/?.lua;/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua;;"
_LIBRARIES = ("basexx", "inspect", "cjson", "openssl")
_ROOT = Path(__file__).parents[3]


@contextmanager
def identity(folder: Path, site: str = SITE) -> Iterator[Gateway]:
    """Provide a gateway whose provider runs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "provider.js"):
        shutil.copy(HERE / name, folder)
    try:
        node.npm_ci(folder)
    except HardenerError as error:
        pytest.skip(f"oidc-provider cannot be had: {error}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gateway = Gateway(Settings(f"http://127.0.0.1:{port}", site, DOMAIN, SECRET))
    server = gateway.serve()
    argv = [node.home() / "bin" / "node", folder / "provider.js", str(port), gateway.address]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield gateway
    finally:
        process.terminate()
        process.communicate()
        server.shutdown()
        server.server_close()


def setup(folder: Path, cache: Path) -> Setup:
    """Return settings that take tokens as docs/operator.md sets them, with the plugins of the pin."""
    shared = [Path(path.replace("?.lua", "")) for path in _LUA_PATH.split(";") if path]
    missing = [name for name in _LIBRARIES if not any(_has(parent, name) for parent in shared)]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} of upstream's plugins: apt-get install lua-basexx lua-inspect lua-cjson lua-luaossl"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache.parent))
        site = config.load(_ROOT).site
        mirror = Repository(mirror_of(site))
    plugins = "resources/prosody-plugins"
    for path in mirror.output("ls-tree", "-r", "--name-only", site.commit, f"{plugins}/").splitlines():
        target = folder / path.removeprefix("resources/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(mirror.output("show", f"{site.commit}:{path}"), encoding="utf-8")
    return Setup(
        authentication="token",
        accounts={},
        plugins=(folder / "prosody-plugins",),
        everywhere=f'muc_mapper_domain_base = "{DOMAIN}"\nmuc_mapper_domain_prefix = "muc"',
        main=f"""
    app_id = "{ISSUER}"
    app_secret = "{SECRET}"
    allow_empty_token = false
    enable_domain_verification = true
    asap_accepted_issuers = {{ "{ISSUER}" }}
    asap_accepted_audiences = {{ "{AUDIENCE}" }}
""",
        muc_modules=("token_verification", "token_affiliation"),
        environment={"LUA_PATH": _LUA_PATH},
    )


def _has(parent: Path, name: str) -> bool:
    return (parent / f"{name}.lua").exists() or (parent / name).is_dir()


@dataclass
class Browser:
    """A browser without JavaScript, with a person at it. ``status`` and ``said`` are of the last answer."""

    gateway: Gateway

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.status, self.said, self.forms = 0, "", 0
        self.visited: list[str] = []

    def go(self, address: str, user: str = "teacher", code: str = "") -> str:
        """Follow an address; fill in each form. Returns the token with which it ends, or ""."""
        self.forms = 0
        answer = self.session.get(address, allow_redirects=False)
        while True:
            self.visited.append(answer.url)
            if answer.is_redirect:
                target = urljoin(answer.url, answer.headers["Location"])
                if target.startswith(f"{self.gateway.settings.site}/"):
                    return target.partition("#jwt=%22")[2].removesuffix("%22")
                answer = self.session.get(target, allow_redirects=False)
            elif answer.ok and "<form" in answer.text:
                if "logout" in answer.text:  # the form that the provider's page sends by itself
                    address, fields = _logout_form(answer.text)
                    answer = self.session.post(address, data=fields, allow_redirects=False)
                    continue
                self.forms += 1
                fields = {"login": user, "password": PASSWORD, "code": code}
                answer = self.session.post(answer.url, data=fields, allow_redirects=False)
            else:
                self.status, self.said = answer.status_code, answer.text
                return ""

    def sign_in(self, user: str = "teacher", room: str = "meeting", code: str = "", more: str = "") -> str:
        """Sign in for a room; returns the token, or "" where the gateway gives none."""
        return self.go(f"{self.gateway.address}/login?room={room}{more}", user, code)


def _logout_form(page: str) -> tuple[str, dict[str, str]]:
    action = re.search(r'action="([^"]+)"', page)
    assert action
    return action[1], dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
