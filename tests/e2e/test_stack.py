"""The isolation of the stack: no way out, no access to the service accounts from outside, and no leftovers."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
import requests

from hardener import config
from hardener.proof import stack as stack_module
from hardener.proof.stack import docker, images, staging
from hardener.proof.stack.containers import PROJECT, containers, health
from hardener.proof.xmpp import sasl
from hardener.system.process import run

from .conftest import ROOT, SNIPPETS
from .outside import ADDRESS, Outside, outside, probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from hardener.proof.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.upstream, pytest.mark.slow]

# Opens a stream to a host of the server over the site's own WebSocket; returns all that was heard until the features
# came or the stream ended.
_STREAM = """([url, host]) => new Promise(done => {
    const heard = [], socket = new WebSocket(url, 'xmpp');
    socket.onopen = () => socket.send(`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="${host}" version="1.0"/>`);
    socket.onmessage = one => { heard.push(one.data); if (one.data.includes('mechanisms')) socket.close(); };
    socket.onclose = () => done(heard.join(''));
})"""
BOSH = "http://jabber.org/protocol/httpbind"


def _inspect(container: str) -> dict:
    return json.loads(docker.output("inspect", container))[0]


@pytest.fixture
def host_outside() -> Iterator[Outside]:
    if os.geteuid() != 0 or not shutil.which("nsenter") or not shutil.which("ip"):
        pytest.skip("a host outside needs network namespaces: run as root, apt-get install iproute2 util-linux")
    with outside() as it:
        yield it


@pytest.fixture
def open_container() -> Iterator[int]:
    """Provide the control: a container on a network as Docker makes it, which asks the host outside for names."""
    name = f"hardener-open-{secrets.token_hex(4)}"
    docker.output("network", "create", name)
    try:
        docker.output(
            "run", "--detach", "--network", name, "--name", name, "--dns", ADDRESS, images.BASE, "sleep", "600"
        )
        yield _inspect(name)["State"]["Pid"]
    finally:
        docker.docker("rm", "--force", name)
        docker.output("network", "rm", name)


def test_no_container_reaches_anybody(stack: Stack, host_outside: Outside, open_container: int) -> None:
    mark = secrets.token_hex(8)
    for container in containers(stack.name).values():
        told = _inspect(container)
        assert told["HostConfig"]["Dns"] == [ADDRESS]  # or the questions would go where this test does not listen
        said = probe(told["State"]["Pid"], mark)
        assert f"{ADDRESS} tcp through" not in said
    assert host_outside.heard() == []

    assert f"{ADDRESS} tcp through" in probe(open_container, mark)
    heard = host_outside.heard()
    assert [line.split()[0] for line in heard].count("tcp") == 1
    # Once directly and once, or more often, through Docker's name server.
    assert sum(mark.encode().hex() in line for line in heard) >= 2


def test_containers_are_locked_down_and_published_on_loopback_alone(stack: Stack) -> None:
    if stack.flavour == "official":
        pytest.skip("upstream's images start as root and write below /")
    published = []
    for service, container in containers(stack.name).items():
        told = _inspect(container)
        host = told["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert told["Config"]["User"] not in {"", "root", "0"}, service
        published += [binding for many in told["NetworkSettings"]["Ports"].values() for binding in many or ()]
    assert [binding["HostIp"] for binding in published] == ["127.0.0.1"]
    assert f"http://127.0.0.1:{published[0]['HostPort']}" == stack.url


def test_site_is_served_with_the_headers_of_build_nginx(stack: Stack) -> None:
    answer = requests.get(f"{stack.url}/SomeRoom", timeout=10)
    wanted = re.findall(
        r'^add_header (\S+) "?(.*?)"? always;$', (SNIPPETS / "security-headers.conf").read_text(), re.MULTILINE
    )
    assert {name: answer.headers.get(name) for name, _ in wanted} == dict(wanted)
    assert stack.domain in requests.get(f"{stack.url}/config.js", timeout=10).text


@pytest.mark.parametrize("flavour", stack_module.FLAVOURS)
def test_compose_files_of_each_flavour_are_well_formed(stack: Stack, flavour: str) -> None:
    command = images.compose(lambda _text: None)
    for file in stack_module.FLAVOURS[flavour].files:
        command += ["--file", os.fspath(file)]
    wanted = ("WEB_IMAGE", "PROSODY_IMAGE", "FOCUS_IMAGE", "JVB_IMAGE", "JICOFO_AUTH_PASSWORD", "JVB_AUTH_PASSWORD")
    done = run([*command, "config", "--format", "json"], env=dict.fromkeys(wanted, "x"))
    assert done.status == 0, done.complaint
    told = json.loads(done.stdout)
    assert set(told["services"]) == stack_module.FLAVOURS[flavour].services
    assert [name for name, container in told["services"].items() if container.get("ports")] == ["web"]
    outside = {name: set(container["networks"]) - {"meet.jitsi"} for name, container in told["services"].items()}
    assert {name: nets for name, nets in outside.items() if nets} == {"web": {"edge"}}
    assert told["networks"]["meet.jitsi"]["internal"] is True


def test_service_accounts_are_closed_to_websockets(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/robots.txt")
    url = stack.url.replace("http", "ws") + "/xmpp-websocket"
    assert "SCRAM-SHA-1" in page.evaluate(_STREAM, [url, stack.domain])  # the control: a host for web clients
    for host in (f"auth.{stack.domain}", f"AUTH.{stack.domain}"):
        heard = page.evaluate(_STREAM, [url, host])
        assert "host-unknown" in heard
        assert "mechanism" not in heard


def test_service_accounts_are_closed_to_bosh(stack: Stack) -> None:
    def ask(host: str, more: str = "", **attributes: str) -> str:
        body = ET.Element("body", {"xmlns": BOSH, "to": host, "wait": "5", "hold": "1", "ver": "1.6"} | attributes)
        text = ET.tostring(body, encoding="unicode").replace("/>", f">{more}</body>")
        return requests.post(f"{stack.url}/http-bind", data=text, timeout=10).text

    assert "SCRAM-SHA-1" in ask(stack.domain, rid="1000")
    heard = ask(f"auth.{stack.domain}", rid="2000")
    assert "host-unknown" in heard
    assert "mechanism" not in heard
    # Who does not wait for an answer gets none either.
    assert "<challenge" in ask(stack.domain, _login("alice"), rid="3000")
    for number, host in enumerate((f"auth.{stack.domain}", f"AUTH.{stack.domain}")):
        assert "<challenge" not in ask(host, _login("focus"), rid=str(4000 + 100 * number))


def _login(user: str) -> str:
    """Return the begin of a login: the server sends a challenge to each name that exists and may try."""
    return sasl.auth("SCRAM-SHA-1", sasl.Scram(user, "wrong", "SCRAM-SHA-1").first())


def test_up_after_a_kill_works_and_down_leaves_nothing(cache_home: Path, stack: Stack) -> None:
    name = f"{stack.name}-killed"
    folder = staging.folder(config.load(ROOT), name)
    command = [sys.executable, "-m", "hardener", "stack"]
    options = ["--name", name, "--site", stack.site, "--flavour", stack.flavour]
    try:
        first = subprocess.Popen([*command, "up", *options], cwd=ROOT, env=_environment(), start_new_session=True)
        while not containers(name):
            assert first.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        first.kill()
        first.wait()
        assert set(health(name).values()) != {"healthy"} or len(health(name)) < 3, "it was killed too late"

        subprocess.run([*command, "up", *options], cwd=ROOT, env=_environment(), check=True)
        running = stack_module.read(folder)
        assert running
        assert set(health(name).values()) == {"healthy"}
        assert requests.get(running.url, timeout=10).ok
        assert (folder / "stack.json").stat().st_mode & 0o777 == 0o600

        first_passwords = running.users
        again = subprocess.run(
            [*command, "up", *options, "--json"], cwd=ROOT, env=_environment(), check=True, capture_output=True
        )
        assert json.loads(again.stdout)["users"] == first_passwords, "the same stack was not used again"
    finally:
        subprocess.run([*command, "down", "--name", name], cwd=ROOT, env=_environment(), check=True)
    for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
        assert docker.output(*kind, "--quiet", "--filter", f"label={PROJECT}={name}") == ""
    assert not folder.exists()
    assert set(health(stack.name).values()) == {"healthy"}, "it took the other stack down, too"


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(ROOT / "build")}
