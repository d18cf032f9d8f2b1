"""Our Debian packages on a Debian with upstream's: what apt and dpkg do in each situation of an operator.

Upstream's packages are empty ones with the relations of the pin's own debian/control. That file has no package for the
servers and no metapackage: their relations are those that upstream publishes, of exact versions.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from debian.deb822 import Deb822

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.release import apt, deb, debian
from hardener.release.debian import META, WEB, ZONES
from support import chroot, packaging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.chroot import Machine

pytestmark = [pytest.mark.debian, pytest.mark.upstream]
ROOT = Path(__file__).parents[2]
EPOCH = packaging.EPOCH
NOW = packaging.UPSTREAMS
NEXT = replace(
    NOW, jitsi_meet="2.0.11146-1", jitsi_meet_web="1.0.9600-1", jicofo="1.0-1160-1", jitsi_videobridge2="2.3-240-1"
)
SERVERS = ("jicofo", "jitsi-videobridge2", "jitsi-meet-web-config", "jitsi-meet-prosody", "jitsi-meet-turnserver")
WEB_ROOT = "/usr/share/jitsi-meet"
# Files of upstream's packages, as far as a test looks at them.
CONTENTS = {
    "jitsi-meet-web": {
        name: f"upstream's {name}".encode()
        for name in ("index.html", "libs/app.bundle.min.js", "libs/face-landmarks-worker.min.js", "static/prejoin.html")
    },
    "jitsi-meet-prosody": {"prosody-plugins/mod_upstream.lua": b"-- upstream's"},
}
SERVER = f"""server {{
    listen 8080;
    root {WEB_ROOT};
    set $hardener_xmpp http://127.0.0.1:5280;
    set $hardener_bridge http://127.0.0.1:9090;
    include /{debian.SNIPPETS}/site.conf;
}}
"""
LIST = {
    "ours": "deb [signed-by=/etc/apt/hardener.asc] file:/srv/ours stable main\n",
    "upstream": "deb [trusted=yes] file:/srv/upstream stable main\n",
}


@pytest.fixture(scope="module")
def control(developers_cache: Path) -> list[Deb822]:
    """Provide the paragraphs of the pin's own debian/control."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
        site = config.load(ROOT).site
        mirror = mirror_of(site)
    if not mirror.exists() or Repository(mirror).commit(site.commit) is None:
        pytest.skip(f"the cache does not hold {site.name} at its pin: run 'make build'")
    source, *packages = Deb822.iter_paragraphs(Repository(mirror).output("show", f"{site.commit}:debian/control"))
    for paragraph in packages:  # as dpkg-gencontrol does it
        paragraph["Priority"] = source["Priority"]
    return packages


def upstreams(control: list[Deb822], versions: config.Debian, priority: str = "") -> list[tuple[str, bytes]]:
    """Return upstream's packages of a release; apt's resolver also weighs their priority."""
    head = {"Architecture": "all", "Maintainer": "Upstream <upstream@example.org>"}
    head["Priority"] = priority or control[0]["Priority"]
    packages = []
    for paragraph in control:
        relations = {
            name: re.sub(r"\$\{misc:Depends\}(?:, )?", "", value)
            for name, value in paragraph.items()
            if name in {"Depends", "Pre-Depends", "Replaces", "Conflicts", "Breaks", "Provides"}
        }
        packages.append({"Package": paragraph["Package"], "Version": versions.jitsi_meet_web} | relations)
    packages += [
        {"Package": "jicofo", "Version": versions.jicofo},
        {"Package": "jitsi-videobridge2", "Version": versions.jitsi_videobridge2},
        {
            "Package": "jitsi-meet",
            "Version": versions.jitsi_meet,
            "Pre-Depends": f"jitsi-videobridge2 (= {versions.jitsi_videobridge2})",
            "Depends": f"jicofo (= {versions.jicofo}), "
            + ", ".join(
                f"jitsi-meet-{name} (= {versions.jitsi_meet_web})" for name in ("web", "web-config", "prosody")
            ),
            "Recommends": f"jitsi-meet-turnserver (= {versions.jitsi_meet_web}) | apache2",
        },
    ]
    # All that is not of Jitsi, and not installed in the chroot.
    others = "openssl curl ca-certificates-java lua-sec lua-basexx lua-luaossl lua-cjson lua-inspect coturn dnsutils"
    provides = ", ".join([*others.split(), "prosody (= 0.12.3)"])
    packages.append({"Package": "others", "Version": "1", "Provides": provides})
    return [
        (
            deb.file_name(fields | head),
            deb.build(
                fields | head | {"Description": "a stand-in"},
                {f"{WEB_ROOT[1:]}/{name}": content for name, content in CONTENTS.get(fields["Package"], {}).items()},
                EPOCH,
            ),
        )
        for fields in packages
    ]


class World:
    """Upstream's packages and ours, of two releases, and the key that signs our repository."""

    def __init__(self, folder: Path, control: list[Deb822]) -> None:
        self.control = control
        self.site = packaging.site(folder)
        self.key = "Release <release@example.org>"
        self.number = 0

    def project(self, revision: int = 1, upstreams: config.Debian = NOW) -> config.Project:
        """Return our project at a revision, for a release of upstream."""
        project = packaging.project(self.site.parent, revision, upstreams)
        component = replace(project.site, release=upstreams.jitsi_meet.rpartition("-")[0])
        return replace(project, components=(component,))

    def ours(self, *projects: config.Project) -> list[tuple[str, bytes]]:
        """Return our packages of some releases."""
        return [
            entry for project in projects for entry in debian.packages(project, self.site, EPOCH + project.revision)
        ]

    def publish(self, machine: Machine, name: str, packages: list[tuple[str, bytes]]) -> None:
        """Put a repository into a machine, and let apt read all lists."""
        self.number += 100  # of an older time, apt would not read a list again
        files = apt.repository(packages, EPOCH + self.number)
        if name == "ours":
            files = apt.signed(files, self.key)
            machine.write({"etc/apt/hardener.asc": files.pop("hardener.asc")})
        machine.write({f"srv/{name}/{path}": content for path, content in files.items()})
        machine.write({f"etc/apt/sources.list.d/{name}.list": LIST[name]})
        assert machine.apt("update") == 0, machine.said


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, control: list[Deb822]) -> Iterator[World]:
    """Provide packages and key."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    made = World(tmp_path_factory.mktemp("world"), control)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNUPGHOME", str(home))
        argv = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", made.key, "ed25519", "sign"]
        subprocess.run(argv, check=True, capture_output=True)
        yield made
        subprocess.run(["gpgconf", "--kill", "all"], check=False)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, world: World, developers_cache: Path) -> Machine:
    """Provide a machine with upstream's packages; tests work on copies."""
    machine = chroot.Machine(tmp_path_factory.mktemp("before"), (chroot.base(developers_cache),))
    world.publish(machine, "upstream", upstreams(world.control, NOW))
    assert machine.apt("install", "jitsi-meet", "jitsi-meet-turnserver", "others") == 0, machine.said
    return machine


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory, world: World, before: Machine) -> Machine:
    """Provide a machine with our packages, installed over upstream's; tests work on copies."""
    machine = before.copy(tmp_path_factory.mktemp("hardened"))
    world.publish(machine, "ours", world.ours(world.project()))
    assert machine.apt("install", META) == 0, machine.said
    return machine


def expected(ours: str, versions: config.Debian) -> dict[str, str]:
    """Return the versions of a machine that has our packages."""
    servers = dict.fromkeys(SERVERS, versions.jitsi_meet_web) | {
        "jicofo": versions.jicofo,
        "jitsi-videobridge2": versions.jitsi_videobridge2,
    }
    return {META: ours, WEB: ours} | servers


def jitsi(machine: Machine) -> dict[str, str]:
    """Return the installed packages of Jitsi and ours, with their versions."""
    return {name: version for name, version in machine.versions().items() if name.startswith(("jitsi", "jicofo"))}


def test_installed_over_upstreams_packages_it_replaces_the_client_only(hardened: Machine) -> None:
    assert jitsi(hardened) == expected("2.0.10978+1", NOW)
    ours = debian.tree.served(Path(packaging.site(hardened.folder)))
    files = {path.removeprefix(f"{WEB_ROOT}/") for path in hardened.files(WEB_ROOT)}
    assert files == {*ours, "prosody-plugins/mod_upstream.lua"}  # and no face landmarks, no prejoin page
    assert hardened.do("cat", f"{WEB_ROOT}/index.html") == packaging.FILES["index.html"].decode()
    assert hardened.do("dpkg", "--verify", WEB, META) == ""
    assert "belong to no package" not in hardened.said


def test_nginx_accepts_a_server_with_the_packaged_snippets(hardened: Machine, tmp_path: Path) -> None:
    machine = hardened.copy(tmp_path)
    machine.write({"etc/nginx/conf.d/meet.conf": SERVER})
    assert "test is successful" in machine.do("nginx", "-t")
    machine.do("rm", f"/{ZONES}")  # control: limits need their zones
    assert machine.run("nginx", "-t") != 0


def test_a_changed_bundle_is_named_by_dpkg(hardened: Machine, tmp_path: Path) -> None:
    machine = hardened.copy(tmp_path)
    machine.write({f"{WEB_ROOT[1:]}/libs/app.bundle.min.js": b"other();\n"})
    machine.run("dpkg", "--verify", WEB)
    assert f"{WEB_ROOT}/libs/app.bundle.min.js" in machine.said


def test_over_a_manual_installation_what_belongs_to_no_package_is_listed(
    world: World, before: Machine, tmp_path: Path
) -> None:
    machine = before.copy(tmp_path)
    held = [
        "jitsi-meet",
        "jitsi-meet-web",
        "jitsi-meet-prosody",
        "jitsi-meet-web-config",
        "jicofo",
        "jitsi-videobridge2",
    ]
    machine.do("apt-mark", "hold", *held)
    machine.do(
        "sh", "-c", f"cd {WEB_ROOT} && find . -mindepth 1 -maxdepth 1 ! -name prosody-plugins -exec rm -r {{}} +"
    )
    manual = packaging.FILES | {
        "libs/old.chunk.js": b"old",
        "images/own-logo.svg": b"<svg/>",
        "libs/with blank.js": b"",
    }
    machine.write({f"{WEB_ROOT[1:]}/{name}": content for name, content in manual.items() if not name.endswith(".map")})
    machine.write({ZONES: (ROOT / "build/nginx/limits/zones.conf").read_bytes()})
    world.publish(machine, "ours", world.ours(world.project()))
    assert machine.apt("install", META) != 0
    assert "held" in machine.said
    machine.do("apt-mark", "unhold", "jitsi-meet", "jitsi-meet-web")
    assert machine.apt("install", META) == 0, machine.said
    listed = re.findall(rf"^  ({WEB_ROOT}/.*)$", machine.said, re.MULTILINE)
    assert listed == [
        f"{WEB_ROOT}/{name}" for name in ("LICENSE", "config.js", "libs/old.chunk.js", "libs/with blank.js")
    ]
    assert jitsi(machine) == expected("2.0.10978+1", NOW)
    # The zones that were copied by hand are those of the package now: nginx would refuse a second definition.
    machine.write({"etc/nginx/conf.d/meet.conf": SERVER})
    machine.do("nginx", "-t")


def test_an_upgrade_to_our_next_revision_keeps_what_the_operator_has_changed(
    world: World, hardened: Machine, tmp_path: Path
) -> None:
    machine = hardened.copy(tmp_path)
    zones = machine.do("cat", f"/{ZONES}").replace("rate=10r/s", "rate=50r/s")
    machine.do("dpkg-divert", "--local", "--rename", "--add", f"{WEB_ROOT}/base.html")
    machine.write({ZONES: zones, f"{WEB_ROOT[1:]}/base.html": '<base href="/meet/" />'})
    world.publish(machine, "ours", world.ours(world.project(), world.project(2)))
    assert machine.apt("upgrade") == 0, machine.said
    assert "belong to no package" not in machine.said
    assert jitsi(machine) == expected("2.0.10978+2", NOW)
    assert machine.do("cat", f"/{ZONES}") == zones
    assert machine.do("cat", f"{WEB_ROOT}/base.html") == '<base href="/meet/" />'


@pytest.mark.parametrize("command", ["upgrade", "full-upgrade"])
def test_upstreams_next_release_does_not_change_anything(
    world: World, hardened: Machine, tmp_path: Path, command: str
) -> None:
    machine = hardened.copy(tmp_path)
    world.publish(machine, "upstream", upstreams(world.control, NEXT))
    assert machine.apt(command) == 0, machine.said
    assert jitsi(machine) == expected("2.0.10978+1", NOW)


@pytest.mark.parametrize("command", ["upgrade", "full-upgrade"])
def test_our_next_release_and_upstreams_are_installed_together(
    world: World, hardened: Machine, tmp_path: Path, command: str
) -> None:
    machine = hardened.copy(tmp_path)
    world.publish(machine, "upstream", upstreams(world.control, NEXT))
    world.publish(machine, "ours", world.ours(world.project(), world.project(1, NEXT)))
    assert machine.apt(command) == 0, machine.said
    assert jitsi(machine) == expected("2.0.11146+1", NEXT)


def test_a_machine_without_the_servers_needs_the_web_package_only(
    world: World, tmp_path: Path, developers_cache: Path
) -> None:
    machine = chroot.Machine(tmp_path / "web", (chroot.base(developers_cache),))
    world.publish(machine, "upstream", upstreams(world.control, NOW))
    world.publish(machine, "ours", world.ours(world.project()))
    assert machine.apt("install", "jitsi-meet-web", "jitsi-meet-web-config", "others") == 0, machine.said
    assert machine.apt("install", WEB) == 0, machine.said
    world.publish(machine, "upstream", upstreams(world.control, NEXT))
    assert machine.apt("full-upgrade") == 0, machine.said
    assert jitsi(machine) == {WEB: "2.0.10978+1", "jitsi-meet-web-config": NOW.jitsi_meet_web}
    world.publish(machine, "ours", world.ours(world.project(), world.project(1, NEXT)))
    assert machine.apt("upgrade") == 0, machine.said
    assert jitsi(machine) == {WEB: "2.0.11146+1", "jitsi-meet-web-config": NEXT.jitsi_meet_web}


def test_the_printed_line_goes_back_to_the_former_release(world: World, hardened: Machine, tmp_path: Path) -> None:
    machine = hardened.copy(tmp_path)
    both = [*upstreams(world.control, NOW), *upstreams(world.control, NEXT)]
    world.publish(machine, "upstream", both)
    world.publish(machine, "ours", world.ours(world.project(), world.project(1, NEXT)))
    assert machine.apt("full-upgrade") == 0, machine.said
    assert machine.apt(*debian.upgrade_line(world.project()).split()[1:]) == 0, machine.said
    assert jitsi(machine) == expected("2.0.10978+1", NOW)


@pytest.mark.parametrize("newer", [False, True], ids=["same release", "next release"])
def test_one_command_goes_back_to_upstream(world: World, hardened: Machine, tmp_path: Path, newer: bool) -> None:
    machine = hardened.copy(tmp_path)
    if newer:
        world.publish(machine, "upstream", upstreams(world.control, NEXT))
    assert machine.apt("install", "jitsi-meet", "jitsi-meet-web") == 0, machine.said
    versions = NEXT if newer else NOW
    servers = {name: version for name, version in expected("", versions).items() if version}
    turn = {"jitsi-meet-turnserver": jitsi(machine)["jitsi-meet-turnserver"]}  # not asked for by an exact version
    upstream = {"jitsi-meet": versions.jitsi_meet, "jitsi-meet-web": versions.jitsi_meet_web}
    assert jitsi(machine) == servers | upstream | turn
    assert machine.do("cat", f"{WEB_ROOT}/index.html") == "upstream's index.html"
    assert f"{WEB_ROOT}/scripts/coturn-le-update.sh" not in machine.files(WEB_ROOT)


def test_removed_and_purged_it_leaves_an_empty_site(hardened: Machine, tmp_path: Path) -> None:
    machine = hardened.copy(tmp_path)
    assert machine.apt("remove", WEB) == 0, machine.said
    assert machine.files(WEB_ROOT) == {f"{WEB_ROOT}/prosody-plugins/mod_upstream.lua"}
    assert machine.run("test", "-e", f"/{ZONES}") == 0
    assert machine.apt("purge", WEB, META) == 0, machine.said
    assert machine.run("test", "-e", f"/{ZONES}") == 1
    assert machine.run("test", "-e", f"/usr/share/{WEB}") == 1
    machine.do("nginx", "-t")


def test_dpkg_does_not_install_upstreams_client_over_ours(world: World, hardened: Machine, tmp_path: Path) -> None:
    machine = hardened.copy(tmp_path)
    name, content = next(entry for entry in upstreams(world.control, NOW) if entry[0].startswith("jitsi-meet-web_"))
    machine.write({f"srv/{name}": content})
    assert machine.run("dpkg", "--install", f"/srv/{name}") != 0
    assert "conflicting packages" in machine.said
    assert jitsi(machine) == expected("2.0.10978+1", NOW)


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed (apt-get install lintian)")
def test_lintian_finds_no_error_and_no_warning(world: World, tmp_path: Path) -> None:
    for name, content in world.ours(world.project()):
        (tmp_path / name).write_bytes(content)
    argv = ["lintian", "--allow-root", "--fail-on", "error,warning", *sorted(tmp_path.glob("*.deb"))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


FAULTS: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], config.Debian]] = {
    "newer servers are broken, too": (
        lambda fields: (
            fields | {"Breaks": f"{fields['Breaks']}, jicofo (>> 1.0-1150-1), jitsi-videobridge2 (>> 2.3-230-1)"}
        ),
        NEXT,
    ),
    "newer packages are not broken": (lambda fields: fields | {"Breaks": ""}, NOW),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_other_relations_do_not_keep_one_release(
    world: World, before: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Control: with a planted fault in the relations, the upgrades above fail or mix two releases."""
    change, published = FAULTS[fault]
    original = debian._web
    monkeypatch.setattr(debian, "_web", lambda project, versions: change(original(project, versions)))
    machine = before.copy(tmp_path)
    world.publish(machine, "ours", world.ours(world.project()))
    assert machine.apt("install", META) == 0, machine.said
    monkeypatch.undo()
    world.publish(machine, "upstream", upstreams(world.control, NEXT))
    ours = "2.0.10978+1"
    if published is NEXT:
        world.publish(machine, "ours", world.ours(world.project(1, NEXT)))
        ours = "2.0.11146+1"
    assert machine.apt("full-upgrade") != 0 or jitsi(machine) != expected(ours, published)


def test_apt_refuses_a_repository_of_which_a_byte_has_changed(world: World, before: Machine, tmp_path: Path) -> None:
    published = before.copy(tmp_path)
    world.publish(published, "ours", world.ours(world.project()))
    ours = published.folder / "upper/srv/ours"
    (package,) = ours.rglob(f"{WEB}_*.deb")
    lists = [path for path in ours.rglob("*") if path.is_file() and "binary-" in path.as_posix()]
    for files, said in (
        (lists, "Hash Sum mismatch|not the expected|Filesize"),
        ([ours / "dists/stable/InRelease"], "BADSIG|not signed|invalid"),
        ([package], "Hash Sum mismatch|Hash mismatch"),
    ):
        machine = published.copy(tmp_path)
        machine.do("sh", "-c", "rm -rf /var/lib/apt/lists/*")
        for file in files:
            content = bytearray(file.read_bytes())
            content[len(content) // 3] ^= 1
            machine.write({file.relative_to(published.folder / "upper").as_posix(): bytes(content)})
        updated = machine.apt("update", "--error-on=any")
        said_first = machine.said
        assert updated != 0 or machine.apt("install", META) != 0, files
        assert re.search(said, said_first + machine.said), machine.said
        assert META not in machine.versions()


def test_apt_refuses_a_repository_that_another_key_has_signed(world: World, before: Machine, tmp_path: Path) -> None:
    machine = before.copy(tmp_path)
    world.publish(machine, "ours", world.ours(world.project()))
    other = "Other <other@example.org>"
    argv = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", other, "ed25519", "sign"]
    subprocess.run(argv, check=True, capture_output=True)
    files = apt.signed(apt.repository(world.ours(world.project()), EPOCH + 10**6), other)
    machine.write({f"srv/ours/{path}": content for path, content in files.items() if path != "hardener.asc"})
    assert machine.apt("update", "--error-on=any") != 0
    assert "NO_PUBKEY" in machine.said
