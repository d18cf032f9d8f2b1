"""check-server on docker-jitsi-meet's own files, which are read from a clone and never kept here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hardener.servercheck.check import check
from hardener.servercheck.deployments import compose_project, images, nginx_site, prosody_image
from hardener.servercheck.model import Deployment
from hardener.servercheck.readers import nginx
from hardener.servercheck.rules import web
from support.pages import chapter

pytestmark = pytest.mark.upstream


@pytest.fixture
def stock(show, tmp_path: Path) -> Path:
    """Provide a project as upstream hands it out: env.example as .env, and docker-compose.yml."""
    text = re.sub(r"^CONFIG=.*$", "CONFIG=./config", show("env.example"), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text)
    (tmp_path / "docker-compose.yml").write_text(show("docker-compose.yml"))
    return tmp_path


def doors(folder: Path) -> set[str]:
    return {finding.id for finding in check([folder]).findings if finding.severity == "critical"}


def switch_on(folder: Path, *names: str):
    text = (folder / ".env").read_text()
    for name in names:
        text, count = re.subn(rf"^#{name}=", f"{name}=", text, flags=re.MULTILINE)
        assert count, f"upstream no longer has {name} in env.example"
    (folder / ".env").write_text(text)


def test_stock_settings_leave_open_who_comes_in_and_who_moderates(stock: Path):
    found = check([stock]).findings
    assert {finding.id for finding in found if finding.severity == "critical"} == {"anonymous-login", "auto-owner"}
    assert {"csp-missing", "web-cleartext", "cors-any-origin", "bridge-foreign-stun"} <= {
        finding.id for finding in found
    }


def test_upstreams_own_login_switch_closes_both_and_its_guests_open_one_again(stock: Path):
    switch_on(stock, "ENABLE_AUTH")
    assert doors(stock) == set()
    switch_on(stock, "ENABLE_GUESTS")
    assert doors(stock) == {"guest-vhost"}


def test_the_operators_page_closes_all_and_its_way_back_keeps_the_passwords(show, stock: Path):
    """The commands and settings are those of docs/operator.md; the containers are not started."""
    (stock / "gen-passwords.sh").write_text(show("gen-passwords.sh"))
    (stock / "gen-passwords.sh").chmod(0o755)
    steps = chapter("docs/operator.md", "docker-jitsi-meet")
    (commands,), (settings,) = steps["1. Back up .env"], steps["2. .env"]
    subprocess.run(["bash", "-ec", commands], cwd=stock, check=True)
    assert doors(stock)  # control
    with (stock / ".env").open("a") as file:
        file.write(settings)
    assert doors(stock) == set()

    text = (Path(__file__).parents[3] / "docs" / "operator.md").read_text()
    back = re.search(r"^To go back: `(mv [^`]*)`", text, re.MULTILINE)
    subprocess.run(["bash", "-ec", back[1]], cwd=stock, check=True)
    assert re.search(r"^JVB_AUTH_PASSWORD=[0-9a-f]{32}$", (stock / ".env").read_text(), re.MULTILINE)


def test_the_secret_of_upstreams_example_is_known_as_one(stock: Path):
    switch_on(stock, "ENABLE_AUTH", "JWT_APP_SECRET")
    (stock / ".env").write_text((stock / ".env").read_text() + "AUTH_TYPE=jwt\n")
    assert doors(stock) == {"token-secret-weak"}


def test_of_what_upstreams_web_server_passes_on_all_is_known(show):
    """The template of its image with every switch on: no proxy of upstream's own is something that cannot be determined."""
    text = re.sub(
        r"proxy_pass \{\{[^}]*\}\}", "proxy_pass http://upstream.invalid:7", show("web/rootfs/defaults/meet.conf")
    )
    text = re.sub(r"^.*\{\{-? *(if|else|end|range|\$\w+ :=|/\*).*$", "", text, flags=re.MULTILINE)
    directives, _ = nginx.parse(
        re.sub(r"\{\{[^}]*\}\}", "rtc-visualizer", text), "meet.conf", lambda _pattern, _where: []
    )
    deployment = Deployment("docker", sites=nginx_site.sites(directives))
    hits = [hit.id for hit in web.check(deployment) if " goes to " in hit.what and hit.id != "header-missing"]
    assert len([proxy for site in deployment.sites for proxy in site.proxies]) >= 6
    assert set(hits) == {"room-info", "etherpad-open", "foreign-service", "whiteboard-open"}
    assert [site.published for site in deployment.sites] == [[]]


def test_every_variable_that_is_read_is_one_of_upstreams(show):
    source = "".join(Path(module.__file__).read_text() for module in (images, prosody_image))
    names = set(re.findall(r'"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)"', source)) | set(images.PASSWORDS)
    paths = (
        "prosody/rootfs/defaults/prosody.cfg.lua prosody/rootfs/defaults/conf.d/jitsi-meet.cfg.lua"
        " prosody/rootfs/defaults/conf.d/visitors.cfg.lua jicofo/rootfs/defaults/jicofo.conf jvb/rootfs/defaults/jvb.conf"
        " web/rootfs/defaults/meet.conf web/rootfs/defaults/settings-config.js web/rootfs/defaults/system-config.js"
        " web/rootfs/defaults/ssl.conf env.example"
    ).split()
    upstream = "".join(show(path) for path in paths)
    assert len(names) > 40
    assert {name for name in names if name not in upstream} == set()


def test_upstreams_compose_file_passes_on_all_that_login_and_roles_hang_on(stock: Path):
    names = {name for part in compose_project.NEEDED.values() for name in part.split()}
    with (stock / ".env").open("a") as file:
        file.writelines(f"{name}=\n" for name in sorted(names))
    assert not [finding.what for finding in check([stock]).findings if finding.id == "env-not-passed"]
