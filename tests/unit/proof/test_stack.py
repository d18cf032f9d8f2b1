"""The stack's decisions, without Docker: whether to start a daemon, what is built, what is accepted."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from hardener.errors import StackError, UsageError
from hardener.proof import stack
from hardener.proof.stack import contexts, docker, flavours, images
from hardener.proof.stack.containers import health
from hardener.proof.stack.docker import NoDockerError, Process
from hardener.system import disk
from hardener.ui import UI

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Write a program into a folder that is the whole PATH but for the shell's own; returns the log of its calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/nowhere")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker, "running", lambda: None)
    log = tmp_path / "calls"
    log.write_text("")

    def write(name: str, body: str) -> Path:
        (folder / name).write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\necho "$0 $*" >> {log}\n{body}\n')
        (folder / name).chmod(0o755)
        return log

    return write


DOWN = "echo 'Cannot connect to the Docker daemon' >&2; exit 1"


def test_without_docker_the_hint_says_how_to_get_it(program: Callable[[str, str], Path]) -> None:
    with pytest.raises(NoDockerError, match="not installed") as caught:
        docker.ensure()
    assert "apt-get install docker.io" in caught.value.hint
    assert caught.value.exit_code == 8


def test_daemon_that_answers_is_used_as_it_is(program: Callable[[str, str], Path]) -> None:
    program("docker", "echo 28.0")
    log = program("dockerd", "exit 1")
    assert docker.ensure() is False
    assert "dockerd" not in log.read_text().replace("docker version", "")


@pytest.mark.parametrize(
    ("said", "variables", "other", "user", "message"),
    [
        ("permission denied while trying to connect", {}, None, 0, "may not talk"),
        ("Cannot connect", {"DOCKER_HOST": "tcp://10.0.0.1:2375"}, None, 0, "DOCKER_HOST"),
        ("Cannot connect", {}, 4711, 0, "process 4711"),
        ("Cannot connect", {}, None, 1000, "no Docker daemon runs"),
    ],
)
def test_no_daemon_is_started_where_that_would_do_harm_or_cannot_be_done(
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    variables: dict[str, str],
    other: int | None,
    user: int,
    message: str,
) -> None:
    program("docker", f"echo '{said}' >&2; exit 1")
    log = program("dockerd", "sleep 60")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(docker, "running", lambda: other)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(NoDockerError, match=message) as caught:
        docker.ensure()
    assert caught.value.hint
    assert "/dockerd" not in log.read_text()


def _up_once_started(program: Callable[[str, str], Path], tmp_path: Path, containers: str = "") -> None:
    """A docker that answers once dockerd has begun; ``containers`` is what 'docker ps' lists."""
    program("dockerd", f"touch {tmp_path}/up; exec sleep 60")
    program("docker", f"[ -e {tmp_path}/up ] || {{ {DOWN}; }}; [ $1 = ps ] && printf '{containers}'; exit 0")


def test_daemon_of_ours_is_remembered_and_stopped(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    _up_once_started(program, tmp_path)
    assert docker.ensure() is True
    ours = docker.ours()
    assert ours
    assert docker.stop_ours() is True
    os.waitpid(ours.pid, 0)  # it was a child of this process
    assert Process.of(ours.pid) is None
    assert docker.ours() is None
    assert docker.stop_ours() is False


def test_daemon_of_ours_stays_while_containers_run(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    _up_once_started(program, tmp_path, "someone-elses")
    docker.ensure()
    assert docker.stop_ours() is False
    ours = docker.ours()
    assert ours
    _up_once_started(program, tmp_path)
    assert docker.stop_ours() is True
    os.waitpid(ours.pid, 0)


def test_foreign_process_with_a_remembered_id_is_not_stopped(program: Callable[[str, str], Path]) -> None:
    program("docker", "exit 0")
    disk.write_json(docker.memory(), {"pid": os.getpid(), "began": "1"})  # this very process, but of another time
    assert docker.ours() is None
    assert docker.stop_ours() is False


def test_daemon_that_dies_at_once_is_told_with_its_last_words(
    program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program("docker", DOWN)
    program("dockerd", "echo 'no space for the graph driver' >&2; exit 1")
    started = time.monotonic()
    with pytest.raises(StackError, match="does not start") as caught:
        docker.ensure()
    assert "no space for the graph driver" in caught.value.details
    assert time.monotonic() - started < docker.STARTING / 2


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "libs").mkdir(parents=True)
    for name in ("index.html", "config.js", "libs/app.js", "libs/app.js.map"):
        (folder / name).write_text(name)
    return folder


def test_site_is_read_from_a_folder_or_an_archive_without_maps(site: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "site.tar.xz", "w:xz") as archive:
        archive.add(site, ".")
    expected = {name: name.encode() for name in ("index.html", "config.js", "libs/app.js")}
    assert contexts.read_site(site) == expected
    assert contexts.read_site(tmp_path / "site.tar.xz") == expected


@pytest.mark.parametrize("what", ["nothing", "empty folder", "no archive"])
def test_what_is_no_site_is_refused(tmp_path: Path, what: str) -> None:
    where = tmp_path / "it"
    if what == "empty folder":
        where.mkdir()
    elif what == "no archive":
        where.write_text("hello")
    with pytest.raises(UsageError, match="not a site") as caught:
        contexts.read_site(where)
    assert "hardener build" in caught.value.hint


def test_image_of_the_bundle_has_its_own_config_and_build_nginx(site: Path) -> None:
    files = contexts.web(contexts.read_site(site), "local")
    assert isinstance(files["config.js"], bytes)
    assert files["config.js"].startswith(b"config.js")
    assert b"meet.jitsi" in files["config.js"]
    assert files["hardener/site.conf"] == contexts.NGINX / "site.conf"
    assert "hardener/security-headers.conf" in files
    assert not any(name.endswith(".map") for name in files)


def test_image_of_another_bundle_has_another_time(site: Path) -> None:
    """Web servers make ETags of time and size, so two bundles of one size must not share the time."""
    content = contexts.read_site(site)
    other = content | {"index.html": bytes(reversed(content["index.html"]))}
    assert contexts.web(content, "local")["epoch"] == contexts.web(dict(content), "local")["epoch"]
    assert contexts.web(content, "local")["epoch"] != contexts.web(other, "local")["epoch"]


def test_only_the_flavour_without_a_bridge_connects_participants_directly() -> None:
    settings = {name: contexts.settings(name) for name in stack.FLAVOURS}
    assert {name for name, text in settings.items() if b"p2p" in text} == {"local"}
    assert all(b"meet.jitsi" in text for text in settings.values())


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "servers"
    for name in ("jicofo/jicofo", "jitsi-videobridge/jvb"):
        (folder / name).parent.mkdir(parents=True)
        (folder / f"{name}.sh").write_text("#!/bin/sh\n")
    (folder / "jicofo/jicofo.jar").write_text("focus")
    (folder / "jitsi-videobridge/jitsi-videobridge.jar").write_text("bridge")
    (folder / "jitsi-videobridge/lib").mkdir()
    (folder / "jitsi-videobridge/lib/ice4j.jar").write_text("ice4j")
    monkeypatch.setenv(flavours.JITSI, str(folder))
    return folder


def test_images_of_jicofo_and_bridge_have_what_the_folder_has(servers: Path) -> None:
    assert flavours.folder_of_servers() == servers
    jicofo, jvb = contexts.jicofo(servers), contexts.jvb(servers)
    assert jicofo["server/jicofo.jar"] == servers / "jicofo/jicofo.jar"
    assert jicofo["roles/named-hosts.conf"] == contexts.SERVER / "jicofo/named-hosts.conf"
    assert jvb["server/lib/ice4j.jar"] == servers / "jitsi-videobridge/lib/ice4j.jar"
    assert {"Dockerfile", "jvb.conf", "conference.sh", "conference.json"} < jvb.keys()


def test_each_image_has_the_script_of_its_health_check(servers: Path) -> None:
    made = {
        "web": contexts.web({"config.js": b""}, "local"),
        "prosody": contexts.prosody({}),
        "focus": contexts.focus(),
        "jicofo": contexts.jicofo(servers),
        "jvb": contexts.jvb(servers),
    }
    for image, files in made.items():
        dockerfile = files["Dockerfile"]
        assert isinstance(dockerfile, Path)
        assert 'CMD ["/health.sh", ' in dockerfile.read_text("utf-8"), image
        assert files["health.sh"] == contexts.DOCKER / "health.sh", image


def test_health_check_pauses_only_after_a_success(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sleep").write_text('#!/bin/sh\necho "slept $1"\n')
    (programs / "sleep").chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}

    def check(*command: str) -> tuple[bool, str]:
        argv = (contexts.DOCKER / "health.sh", *command)
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout

    assert check("false") == (False, "")
    assert check("true") == (True, "")
    assert check("true") == (True, "slept 30\n")
    assert check("false") == (False, "slept 30\n")
    assert check("true") == (True, "")


@pytest.mark.parametrize("lacking", ["", "jicofo/jicofo.jar", "jitsi-videobridge/jvb.sh"])
def test_folder_without_a_server_is_named(servers: Path, monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    if lacking:
        (servers / lacking).unlink()
    else:
        monkeypatch.delenv(flavours.JITSI)
    with pytest.raises(NoDockerError, match=lacking or "does not name a folder") as caught:
        flavours.folder_of_servers()
    assert "the-debian-flavour" in caught.value.hint


def test_image_of_prosody_has_upstreams_plugins_and_ours() -> None:
    files = contexts.prosody({"mod_x.lua": b"x"})
    assert files["upstream-plugins/mod_x.lua"] == b"x"
    assert "plugins/mod_closed_to_web.lua" in files


def test_image_is_built_once_for_the_same_content(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = program(
        "docker",
        f"""case "$1 $2" in
        "image inspect") grep -q "$5" {tmp_path}/built 2>/dev/null || exit 1; echo id;;
        "build --tag") cat > {tmp_path}/context.tar; echo "$3" >> {tmp_path}/built;;
        esac""",
    )
    executable = tmp_path / "run.sh"
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    files: dict[str, bytes | Path] = {"Dockerfile": b"FROM x", "run.sh": executable}
    tag, made = images.build("web", files, "base-1")
    assert made
    with tarfile.open(tmp_path / "context.tar") as archive:
        assert {member.name: (member.mode, member.mtime) for member in archive} == {
            "Dockerfile": (0o644, 0),
            "run.sh": (0o755, 0),
        }
    assert images.build("web", files, "base-1") == (tag, False)
    for changed, on in ((files | {"Dockerfile": b"FROM y"}, "base-1"), (files, "base-2")):
        assert images.build("web", changed, on)[0] != tag
    executable.chmod(0o644)
    assert images.build("web", files, "base-1")[0] != tag
    assert log.read_text().count(" build ") == 4


def test_only_older_images_of_a_role_are_removed(program: Callable[[str, str], Path]) -> None:
    log = program(
        "docker", '[ "$1" = images ] && printf "hardener-web:%s\\n" 6 5 4 3 2 1; [ "$1 $2" != "image inspect" ]'
    )
    images.build("web", {"Dockerfile": b"FROM x"}, "base")
    assert [line.split()[-1] for line in log.read_text().splitlines() if "image rm" in line] == [
        "hardener-web:2",
        "hardener-web:1",
    ]


def test_base_image_that_cannot_be_had_says_both_ways(
    program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program("docker", "echo 'no such host' >&2; exit 1")
    program("timeout", "echo 'no such host' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NoDockerError) as caught:
        images.base(lambda _text: None)
    assert "debootstrap" in caught.value.hint
    assert "docker load" in caught.value.hint
    assert caught.value.details == ("no such host",)


def test_archive_of_debian_is_the_one_that_apt_uses(program: Callable[[str, str], Path]) -> None:
    assert images.sources() == ("", "")  # no apt-get here, so that debootstrap takes its own
    program(
        "apt-get",
        "echo 'Debian|Debian|https://mirror.example/debian/'; echo 'Else|Debian|https://else.example/';"
        "echo 'Debian|Debian-Security|https://mirror.example/debian-security/'; echo 'Debian|Debian|copy:/media/cd'",
    )
    assert images.sources() == ("https://mirror.example/debian", "https://mirror.example/debian-security")


def test_each_stack_has_addresses_of_its_own_for_the_published_port() -> None:
    seen = set()
    for name in ("hardener-aaaaaa", "hardener-bbbbbb", "x"):
        edge = stack._edge(name)
        subnet = ipaddress.IPv4Network(edge["EDGE_SUBNET"])
        assert subnet.subnet_of(stack.EDGE)
        assert {ipaddress.IPv4Address(edge[variable]) for variable in ("EDGE_GATEWAY", "EDGE_UNUSED")} < set(
            subnet.hosts()
        )
        seen.add(subnet)
    assert len(seen) == 3


def test_mistyped_flavour_in_the_environment_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_STACK", "debain")
    with pytest.raises(UsageError) as caught:
        stack.chosen()
    assert caught.value.hint == "did you mean HARDENER_STACK=debian?"
    monkeypatch.delenv("HARDENER_STACK")
    assert stack.chosen() == "local"


def test_attack_refuses_a_stack_without_our_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_STACK", "official")
    given = main._parser().parse_args(["attack", "--stack"])
    with pytest.raises(UsageError) as caught:
        given.run(given, UI(quiet=True))
    assert caught.value.hint == "HARDENER_STACK=local or debian"


@pytest.mark.parametrize(
    ("settings", "users", "message"),
    [
        ({"SHELL": "x"}, ("alice",), "no setting 'SHELL'"),
        ({"ENABLE_AUTO_OWNER": "1"}, ("alice",), "flavour local has no setting"),
        ({}, ("alice", "Bob@x"), "not a user name"),
        ({}, ("-h",), "not a user name"),
    ],
)
def test_strange_settings_and_users_are_refused_before_anything_is_done(
    program: Callable[[str, str], Path], tmp_path: Path, settings: dict[str, str], users: tuple[str, ...], message: str
) -> None:
    log = program("docker", "exit 0")
    with pytest.raises(UsageError, match=message):
        stack.up("x", tmp_path / "state", tmp_path, {}, settings=settings, users=users)
    assert log.read_text() == ""


def test_health_tells_a_dead_container_from_an_unhealthy_one(
    program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    def told(service: str, **state: object) -> dict:
        return {"Config": {"Labels": {"com.docker.compose.service": service}}, "State": state}

    answer = [
        told("web", Status="running", Health={"Status": "healthy"}),
        told("prosody", Status="running", Health={"Status": "unhealthy"}),
        told("jicofo", Status="exited", Health={"Status": "healthy"}),
    ]
    (tmp_path / "answer").write_text(json.dumps(answer))
    listing = "printf 'web 1\\nprosody 2\\njicofo 3\\n'"
    program("docker", f"if [ $1 = ps ]; then {listing}; else cat {tmp_path}/answer; fi")
    assert health("x") == {"web": "healthy", "prosody": "unhealthy", "jicofo": "exited"}


def test_state_that_another_version_wrote_counts_as_none(tmp_path: Path) -> None:
    stack._keep(tmp_path, {"name": "x", "url": "http://127.0.0.1:1"})
    assert stack.read(tmp_path) is None


def test_state_with_passwords_is_for_its_owner_alone(tmp_path: Path) -> None:
    stack._keep(tmp_path / "s", {"users": {"alice": "secret"}})
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "s" / "stack.json").stat().st_mode & 0o777 == 0o600


def test_down_where_no_daemon_answers_still_forgets_the_accounts(
    program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    program("docker", DOWN)
    stack._keep(tmp_path / "s", {})
    gone = stack.down("x", tmp_path / "s")
    assert (gone.removed, gone.daemon) == (0, False)
    assert not (tmp_path / "s").exists()


def test_logs_of_a_stack_that_does_not_run_say_how_to_start_it(program: Callable[[str, str], Path]) -> None:
    program("docker", "exit 0")
    with pytest.raises(StackError, match="does not run") as caught:
        stack.logs("x")
    assert caught.value.hint == "hardener stack up"
