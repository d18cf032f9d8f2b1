"""docs/operator.md done literally: its commands, taken from the page, on a Debian server with upstream's packages.

Debian 12 has Prosody 0.12, Debian 13 has Prosody 13. What is a stand-in is said in support/debian_server.py. At the end
a person logs in with a browser.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.release import apt, debian
from support import chroot, debian_server, packaging, sites
from support.debian_server import HOST
from support.pages import chapter, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Playwright

    from support.debian_server import Server

pytestmark = [pytest.mark.debian, pytest.mark.upstream, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
PAGE = "docs/operator.md"
CHAPTER = "Debian and Ubuntu"
MANUAL = "Without our packages"
HEADERS = "5. nginx: the headers"
PASSWORD = "Kx7-wq2-Lm9-Tz4"
CHECKOUT = "/root/hardener"
REPOSITORY = "https://releases.example.org/apt"
# What an operator answers apt.
_APT = b'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n'


@dataclass
class Walk:
    """A server on which the page is followed; ``checks`` is what check-server answered, in order."""

    server: Server
    blocks: dict[str, list[str]]
    copy: str
    done: set[str] = field(default_factory=set)
    checks: list[tuple[int, str]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    _exports: str = ""

    def follow(self, section: str, blocks: slice = slice(None)) -> None:
        """Do the commands of a section, or some of its blocks; each has to succeed."""
        for block in self.blocks[section][blocks]:
            self.done.add(block)
            for command in commands(block):
                if "…" in command:  # not a command: it has values that only a release has
                    continue
                self._do(command.replace(REPOSITORY, "file:/srv/ours"))

    def _do(self, command: str) -> None:
        if command.startswith("export "):
            self._exports += command
            return
        if command.startswith("hardener "):
            self.check(command)
            return
        script = f"cd {CHECKOUT}\n{self._exports}{command}"
        answers = f"{PASSWORD}\n{PASSWORD}\n".encode()
        self.said[command.partition("\n")[0].partition("  ")[0]] = self.server.do(script, stdin=answers)

    def check(self, command: str = "hardener check-server /etc") -> None:
        """Check a copy of the server, made as the page says: this machine is the other one."""
        assert command.partition("#")[0].split() == ["hardener", "check-server", "/etc"], command
        with tempfile.TemporaryDirectory() as folder:
            ssh = self.server.ssh(Path(folder))
            path = f"{ssh.parent}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
            for line in commands(self.copy):
                done = subprocess.run(
                    ["bash", "-ec", line.replace("meet.example.org", HOST)],
                    cwd=folder,
                    env=os.environ | {"PATH": path},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                if line.startswith("hardener "):
                    self.checks.append((done.returncode, done.stdout))
                else:
                    assert done.returncode == 0, f"{line}\n{done.stdout}"

    def site(self) -> str:
        """Return what the web server answers for the first page, with its headers."""
        return self.server.do(f"curl -skiS --max-time 60 --resolve {HOST}:443:127.0.0.1 https://{HOST}/")


@pytest.fixture(scope="module")
def developers_project(developers_cache: Path) -> Iterator[config.Project]:
    """Provide the project, with the developer's own cache of sources."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
        yield config.load(ROOT)


@pytest.fixture(scope="module")
def ours(developers_project: config.Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Provide what an operator has of us: the archive, a signed repository and a checkout."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    archive = sites.archive_of("hardened")
    project = replace(developers_project, debian=packaging.UPSTREAMS)
    packages = debian.packages(project, sites.built("hardened"), packaging.EPOCH)
    key, home = "Release <release@example.org>", tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNUPGHOME", str(home))
        argv = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", key, "ed25519", "sign"]
        subprocess.run(argv, check=True, capture_output=True)
        repository = apt.signed(apt.repository(packages, packaging.EPOCH), key)
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
    files = {f"{CHECKOUT[1:]}/hardener.asc": repository.pop("hardener.asc")}
    files[f"{CHECKOUT[1:]}/{archive.name}"] = archive.read_bytes()
    files |= {f"srv/ours/{path}": content for path, content in repository.items()}
    for folder in ("build/nginx", "build/server", "build/docker/prosody"):
        paths = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        files |= {f"{CHECKOUT[1:]}/{path.relative_to(ROOT)}": path.read_bytes() for path in paths}
    return files | {"etc/apt/apt.conf.d/99answers": _APT}


@pytest.fixture(scope="module", params=debian_server.SUITES)
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    developers_cache: Path,
    developers_project: config.Project,
    ours: dict[str, bytes],
) -> Iterator[Server]:
    """Provide a server with upstream's packages."""
    site = developers_project.site
    below = chroot.base(developers_cache, request.param)
    for running in debian_server.serving(tmp_path_factory.mktemp(request.param), below):
        running.install_upstream(debian_server.upstreams(Repository(mirror_of(site)), site.commit))
        running.write(ours)
        yield running


@pytest.fixture(scope="module")
def walk(server: Server) -> Walk:
    """Provide a server on which the page was followed to the end of step 7."""
    (copy,) = chapter(PAGE, "Check a server")["Copy the configuration to another machine"]
    walk = Walk(server, chapter(PAGE, CHAPTER), copy)
    walk.follow(CHAPTER)
    for section in walk.blocks:
        if re.match(r"[1-7]\. ", section):
            walk.follow(section)
    return walk


def test_stock_settings_are_found_open_and_the_pages_are_not(walk: Walk) -> None:
    """check-server before the first step, and after the third one and at the end."""
    (before, said), *after = walk.checks
    assert before == 7
    kinds = set(re.findall(r"^critical .*\[([\w-]+)\]$", said, re.MULTILINE))
    assert kinds == {"anonymous-login", "auto-owner", "conference-request-open", "s2s-open"}
    assert [status for status, said in after] == [0, 0], after[-1][1]
    assert "warning  " not in after[-1][1]


def test_prosody_has_no_complaint(walk: Walk) -> None:
    assert "All checks passed" in walk.said["prosodyctl check config"]


def test_only_the_web_server_can_be_reached(walk: Walk) -> None:
    listening = re.findall(r"LISTEN +\d+ +\d+ +(\S+):(\d+) ", walk.server.do("ss -ltn"))
    assert {port for address, port in listening if address not in {"127.0.0.1", "[::1]"}} == {"80", "443"}
    assert {"5222", "5280"} <= {port for _address, port in listening}  # control: Prosody runs


def test_the_backup_can_be_read_by_root_only(walk: Walk) -> None:
    assert walk.server.do("stat -c %a /root/before") == "700\n"
    walk.server.do(
        f"test -e /root/before/var/lib/prosody/{HOST.replace('.', '%2e')} || ls /root/before/var/lib/prosody/*.key"
    )


def test_a_person_logs_in_with_a_browser(walk: Walk, playwright: Playwright, tmp_path: Path) -> None:
    """A wrong password is refused, the right one leads to the page before the meeting."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("chromium is not installed: apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--use-fake-ui-for-media-stream"]
    arguments += ["--use-fake-device-for-media-stream", f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND"]
    browser = playwright.chromium.launch(executable_path=walk.server.browser(tmp_path, chromium), args=arguments)
    try:
        page = browser.new_context(ignore_https_errors=True, locale="en").new_page()
        violations: list[str] = []
        page.on(
            "console",
            lambda message: violations.append(message.text) if "Content Security Policy" in message.text else None,
        )
        page.goto(f"https://{HOST}/AdviceRoom")
        _sign_in(page, "wrong")
        page.wait_for_selector("text=User name or password is wrong")
        _sign_in(page, PASSWORD)
        page.wait_for_selector('[data-testid="prejoin.joinMeeting"]')
        assert not violations, violations
    finally:
        browser.close()


def _sign_in(page: Page, password: str) -> None:
    page.fill("#personal-login-user", "alice")
    page.fill("#personal-login-password", password)
    page.click('[data-testid="personal-login.submit"]')


@pytest.fixture(scope="module")
def back(walk: Walk) -> Walk:
    """Provide the server after the section about upgrades, at whose end it has upstream's client again."""
    walk.follow("Upgrade, downgrade, go back")
    return walk


def test_upgrade_and_the_way_back_to_upstreams_client(back: Walk) -> None:
    assert back.checks[3][0] == 0, back.checks[3][1]
    assert "content-security-policy" not in back.site().lower()
    back.server.do("cmp /root/before/usr/share/jitsi-meet/index.html /usr/share/jitsi-meet/index.html")


def test_without_our_packages_the_same_site_is_served_and_the_way_back_needs_no_network(back: Walk) -> None:
    back.follow(HEADERS, slice(0, 2))  # the site's file
    back.follow(MANUAL, slice(0, -1))
    assert "content-security-policy: " in back.site().lower()
    assert "personal" in back.server.do("cat /usr/share/jitsi-meet/libs/app.bundle.min.js")
    back.check()
    assert back.checks[-1][0] == 0, back.checks[-1][1]

    back.server.do("rm /etc/apt/sources.list.d/*")
    back.follow(MANUAL, slice(-1, None))
    back.server.do("diff -r /root/before/usr/share/jitsi-meet /usr/share/jitsi-meet -x prosody-plugins")
    assert back.server.do("apt-mark showhold") == ""
    assert set().union(*back.blocks.values()) == back.done, "a block of the chapter is not followed"
