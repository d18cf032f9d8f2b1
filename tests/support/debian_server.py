"""A Debian server in a chroot whose services run: what docs/operator.md does is done to it, command by command.

It has namespaces of its own for mounts, network, processes and its name, so the stock ports are free and nothing is
left of it. There is no systemd: ``systemctl`` is a script that calls the init scripts of nginx and Prosody, and does
nothing for the servers that are only stand-ins.

Upstream's packages are stand-ins with the contents, debconf templates and maintainer scripts of the pin's own
``debian/`` folder. Jicofo and the bridge come from other repositories: their packages have only configuration, written
from their documentation, and no server.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.release import apt, deb, tree
from support import packaging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hardener.git.repository import Repository

HOST = "meet.example.org"
SUITES = {"bookworm": "0.12", "trixie": "13.0"}  # Debian -> its Prosody
_WEB_ROOT = "usr/share/jitsi-meet"
_SYSTEMCTL = b"""#!/bin/sh
# No systemd in a chroot. Every action is a restart: after a reload, nginx may answer from its old settings for a moment.
# Prosody is there when it listens; a person would not be faster. Debian 12's init script for it does not stop it.
case $2 in
nginx) exec /etc/init.d/nginx restart ;;
prosody)
    pid=$(cat /run/prosody/prosody.pid 2>/dev/null) && kill "$pid" && tail --pid="$pid" -f /dev/null
    install -d -o prosody /run/prosody
    start-stop-daemon --start --chuid prosody --exec /usr/bin/prosody -- -D || exit
    exec timeout 60 sh -c 'until ss -ltn | grep -q :5280 && ss -lx | grep -q prosody.sock; do sleep 0.1; done'
    ;;
jicofo | jitsi-videobridge2) [ "$1" = restart ] ;;
*) echo "Unit $2.service not found." >&2; exit 5 ;;
esac
"""
# Upstream's postinst waits eleven seconds for Prosody. Nothing in a chroot has to settle.
_NO_SLEEP = b"#!/bin/sh\n"
_ANSWERS = f"""\
jitsi-videobridge jitsi-videobridge/jvb-hostname string {HOST}
jitsi-videobridge jitsi-videobridge/jvbsecret password pL9sG4dVx6QeU2kYm8BnC3
jitsi-meet-web-config jitsi-meet/cert-choice select Generate a new self-signed certificate
"""
_JICOFO = f"""\
jicofo {{
  xmpp: {{
    client: {{
      client-proxy: "focus.{HOST}"
      xmpp-domain: "{HOST}"
      domain: "auth.{HOST}"
      username: "focus"
      password: "pL9sG4dVx6QeU2kYm8BnC3"
    }}
    trusted-domains: [ "recorder.{HOST}" ]
  }}
  bridge: {{
    brewery-jid: "JvbBrewery@internal.auth.{HOST}"
  }}
}}
"""
_JVB = f"""\
videobridge {{
    http-servers {{
        public {{
            port = 9090
        }}
    }}
    websockets {{
        enabled = true
        domain = "{HOST}:443"
        tls = true
    }}
}}
"""
_JVB_PROPERTIES = f"""\
org.ice4j.ice.harvest.STUN_MAPPING_HARVESTER_ADDRESSES=meet-jit-si-turnrelay.jitsi.net:443
org.jitsi.videobridge.xmpp.user.shard.HOSTNAME=localhost
org.jitsi.videobridge.xmpp.user.shard.DOMAIN=auth.{HOST}
org.jitsi.videobridge.xmpp.user.shard.USERNAME=jvb
org.jitsi.videobridge.xmpp.user.shard.PASSWORD=pL9sG4dVx6QeU2kYm8BnC3
org.jitsi.videobridge.xmpp.user.shard.MUC_JIDS=JvbBrewery@internal.auth.{HOST}
"""
_START = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" || exit
mount -t proc proc "$2/root/proc" && hostname "$3" && ip link set lo up && echo ready || exit
exec chroot "$2/root" bash -c read # the first process has to take leave of those that end, which bash does
"""
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Server:
    """A running Debian; ``below`` is the Debian that it begins with, and ``said`` what the last command printed."""

    def __init__(self, folder: Path, below: Path) -> None:
        self.root, self.said = folder / "root", ""
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        kinds = ("--mount", "--net", "--pid", "--uts", "--fork", "--kill-child")
        self._process = subprocess.Popen(
            ["unshare", *kinds, "sh", "-c", _START, "sh", str(below), str(folder), HOST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.stop()
            pytest.skip("an overlay or a namespace cannot be made here")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._target = f"--target={children.split()[0]}"
        self._inside = (self._target, "--mount", "--net", "--pid", "--uts", "--root", "--wd")

    def stop(self) -> None:
        """End it with all that runs in it, and wait for that."""
        self._process.communicate()

    def run(self, script: str, *, stdin: bytes = b"") -> int:
        """Run lines of a root shell; returns the status."""
        words = ["nsenter", *self._inside, "bash", "-ec", script]
        done = subprocess.run(
            words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_ENVIRONMENT, check=False
        )
        self.said = done.stdout.decode("utf-8", "replace")
        return done.returncode

    def do(self, script: str, *, stdin: bytes = b"") -> str:
        """Run lines that have to succeed; returns what they printed."""
        assert self.run(script, stdin=stdin) == 0, f"{script}\n{self.said}"
        return self.said

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put files into the server."""
        self.do("tar --extract --directory=/", stdin=tree.tar(files, packaging.EPOCH))

    def browser(self, folder: Path, chromium: str) -> Path:
        """Write a program that starts a browser of this machine in the server's network."""
        return _program(folder / "browser", f'exec nsenter {self._target} --net {chromium} "$@"')

    def ssh(self, folder: Path) -> Path:
        """Write a program that takes the place of ssh: it runs a command in the server."""
        return _program(folder / "ssh", f'exec nsenter {" ".join(self._inside)} sh -c "$2"')

    def install_upstream(self, packages: list[tuple[str, bytes]]) -> None:
        """Install upstream's packages as its handbook says, from a repository on this server's disk."""
        shims = {"usr/local/bin/systemctl": _SYSTEMCTL, "usr/local/bin/sleep": _NO_SLEEP}
        repository = apt.repository(packages, packaging.EPOCH)
        self.write(shims | {f"srv/upstream/{path}": content for path, content in repository.items()})
        self.do("chmod 755 /usr/local/bin/systemctl /usr/local/bin/sleep")
        self.do(f"echo 127.0.0.1 {HOST} localhost > /etc/hosts")
        self.do("echo 'deb [trusted=yes] file:/srv/upstream stable main' > /etc/apt/sources.list.d/upstream.list")
        self.do("debconf-set-selections", stdin=_ANSWERS.encode())
        self.do("apt-get update && apt-get install --yes --no-install-recommends jitsi-meet")
        self.do("rm /usr/local/bin/sleep && systemctl restart nginx && systemctl restart prosody")


def _program(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


def upstreams(mirror: Repository, commit: str) -> list[tuple[str, bytes]]:
    """Return upstream's packages at a commit, as far as an operator's commands touch them."""
    versions = packaging.UPSTREAMS

    def content(path: str) -> bytes:
        return mirror.output("show", f"{commit}:{path}").encode()

    def scripts(package: str) -> dict[str, bytes]:
        templates = content(f"debian/{package}.templates").decode()
        # What po-debconf does to them.
        templates = re.sub(r"^__?(Choices|Description)", r"\1", templates, flags=re.MULTILINE)
        return {"postinst": content(f"debian/{package}.postinst"), "templates": templates.encode()}

    plugins = mirror.output("ls-tree", "-r", "--name-only", commit, "resources/prosody-plugins/").splitlines()
    prosody = {f"{_WEB_ROOT}/{path.removeprefix('resources/')}": content(path) for path in plugins}
    for name in ("prosody.cfg.lua-jvb.example", "jaas.cfg.lua"):
        prosody[f"usr/share/jitsi-meet-prosody/{name}"] = content(f"doc/debian/jitsi-meet-prosody/{name}")
    web_config = {
        "usr/share/jitsi-meet-web-config/jitsi-meet.example": content("doc/debian/jitsi-meet/jitsi-meet.example"),
        "usr/share/jitsi-meet-web-config/config.js": content("config.js"),
        "etc/jitsi/meet/.placeholder": b"",
    }
    # All pages: nginx would fill in the first page for one that it includes, again and again.
    pages = [path for path in mirror.output("ls-tree", "--name-only", commit).splitlines() if path.endswith(".html")]
    web = {f"{_WEB_ROOT}/{name}": content(name) for name in (*pages, "interface_config.js")}
    jvb = {
        "etc/jitsi/videobridge/jvb.conf": _JVB.encode(),
        "etc/jitsi/videobridge/sip-communicator.properties": _JVB_PROPERTIES.encode(),
    }
    exact = f"(= {versions.jitsi_meet_web})"
    parts = ", ".join(f"jitsi-meet-{part} {exact}" for part in ("web", "web-config", "prosody"))
    servers = f"jicofo (= {versions.jicofo}), jitsi-videobridge2 (= {versions.jitsi_videobridge2})"
    made = [
        ("jitsi-meet-web", versions.jitsi_meet_web, "", web, {}),
        ("jitsi-meet-web-config", versions.jitsi_meet_web, "nginx, openssl, curl", web_config, scripts),
        ("jitsi-meet-prosody", versions.jitsi_meet_web, "openssl, prosody (>= 0.12.0)", prosody, scripts),
        ("jicofo", versions.jicofo, "", {"etc/jitsi/jicofo/jicofo.conf": _JICOFO.encode()}, {}),
        ("jitsi-videobridge2", versions.jitsi_videobridge2, "", jvb, {}),
        ("jitsi-meet", versions.jitsi_meet, f"{servers}, {parts}", {}, {}),
    ]
    packages = []
    for name, version, depends, files, own in made:
        fields = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "Upstream <u@example.org>"}
        fields |= {"Depends": depends, "Description": "a stand-in"}
        conffiles = tuple(path for path in files if path.endswith(".conf"))
        built = deb.build(
            fields, files, packaging.EPOCH, conffiles=conffiles, scripts=own(name) if callable(own) else own
        )
        packages.append((deb.file_name(fields), built))
    return packages


def serving(folder: Path, below: Path) -> Iterator[Server]:
    """Yield a server for as long as the caller's fixture lasts."""
    missing = [tool for tool in ("nsenter", "unshare", "ip") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    server = Server(folder, below)
    try:
        yield server
    finally:
        server.stop()
