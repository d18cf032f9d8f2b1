"""check-server on compose projects: what docker compose makes of the files, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.servercheck.check import check
from support.server_fixtures import GUEST, clean, forbid

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = ""
COMPOSE = "docker-compose.yml"
PROSODY = "    image: jitsi/prosody:${JITSI_IMAGE_VERSION:-stable-10978}\n"
JICOFO = "    image: jitsi/jicofo:${JITSI_IMAGE_VERSION:-stable-10978}\n"
OPEN = "services:\n  prosody:\n    environment: ['ENABLE_AUTH=0']\n"
GUESTS = "config/prosody/config/conf.d/guests.cfg.lua"
OWNER = "jicofo { conference { enable-auto-owner = true }, authentication { enabled = false } }\n"


def prosody(lines: str) -> tuple[str, str, str]:
    return COMPOSE, PROSODY, PROSODY + lines


def jicofo(lines: str) -> tuple[str, str, str]:
    return COMPOSE, JICOFO, JICOFO + lines


PROSODY_ENV = prosody("    env_file: [p.env]\n")

# The finding, what is changed (file, text, what takes its place), and files that are added.
PROJECTS = (
    # Which files there are
    ("anonymous-login", [(".env", "", "COMPOSE_FILE=docker-compose.yml:extra.yml\n")], {"extra.yml": OPEN}),
    ("anonymous-login", [(".env", "", "COMPOSE_PATH_SEPARATOR=,\nCOMPOSE_FILE=docker-compose.yml,sub/extra.yml\n")], {"sub/extra.yml": OPEN}),
    ("cannot-tell", [(".env", "", "COMPOSE_FILE=docker-compose.yml:gone.yml\n")], {}),
    (RIGHT, [(".env", "", "COMPOSE_FILE=docker-compose.yml\n")], {"docker-compose.override.yml": OPEN}),
    ("anonymous-login", [], {"docker-compose.override.yml": OPEN}),
    ("anonymous-login", [], {"compose.override.yaml": OPEN}),
    ("anonymous-login", [], {"docker-compose.override.yaml": OPEN}),
    (RIGHT, [], {"docker-compose.yaml": OPEN, "override.yml": OPEN}),  # the one with yml wins
    ("cannot-tell", [], {"compose.yaml": OPEN}),  # it wins, and has no Jicofo
    ("anonymous-login", [(COMPOSE, "services:\n", "include: [sub/more.yml]\nservices:\n")], {"sub/more.yml": OPEN.replace("prosody:", "prosody-c:\n    image: jitsi/prosody:stable-10978")}),
    ("anonymous-login", [(COMPOSE, "services:\n", "include:\n  - path: more.yml\n    env_file: o.env\nservices:\n")],
     {"more.yml": "services: { xmpp: { image: jitsi/prosody:stable-10978, environment: { ENABLE_AUTH: '${ON}' } } }", "o.env": "ON=0\n"}),
    ("cannot-tell", [(COMPOSE, "services:\n", "include: [gone.yml]\nservices:\n")], {}),
    ("cannot-tell", [(COMPOSE, "services:\n", "include: [docker-compose.yml]\nservices:\n")], {}),
    ("anonymous-login", [(COMPOSE, "", "---\n" + OPEN)], {}),  # a second document
    # What a service is given
    ("cannot-tell", [prosody("    volumes: ['./mine.cfg.lua:/defaults/conf.d/jitsi-meet.cfg.lua:ro']\n")], {"mine.cfg.lua": ""}),
    ("cannot-tell", [prosody("    volumes: ['./d:/defaults']\n")], {}),
    ("cannot-tell", [prosody("    volumes: [{ type: bind, source: ./x, target: /etc/cont-init.d/99-own }]\n")], {"x": ""}),
    ("cannot-tell", [prosody("    volumes: ['./p.cfg.lua:/config/prosody.cfg.lua']\n")], {"p.cfg.lua": ""}),
    ("cannot-tell", [prosody("    volumes: ['./plugins:/prosody-plugins']\n")], {}),
    ("cannot-tell", [prosody("    volumes: ['prosody-config:/config']\n")], {}),
    ("cannot-tell", [prosody("    volumes: ['/srv/not-here/prosody:/config']\n")], {}),
    ("cannot-tell", [prosody("    volumes: ['${ELSEWHERE}/prosody:/config']\n")], {}),
    ("guest-vhost", [prosody("    volumes: ['./config/prosody/config:/config:Z']\n"), (".env", "CONFIG=./config\n", "")], {GUESTS: GUEST}),
    ("guest-vhost", [prosody("    volumes: ['${CONFIG:-./config}/prosody/config:/config:Z']\n"), (".env", "CONFIG=./config\n", "")], {GUESTS: GUEST}),
    ("guest-vhost", [prosody("    volumes: ['${CONFIG:?set it}/prosody/config:/config']\n")], {GUESTS: GUEST}),
    ("guest-vhost", [prosody("    volumes: [{ type: bind, source: ./own, target: /config/conf.d }]\n")], {"own/a.cfg.lua": GUEST}),
    ("guest-vhost", [prosody("    volumes: ['./a.cfg.lua:/config/conf.d/a.cfg.lua:ro']\n")], {"a.cfg.lua": GUEST}),
    ("guest-vhost", [prosody("    volumes: ['own:/config']\n"), (COMPOSE, "", "volumes:\n  own: { driver_opts: { type: none, o: bind, device: ./own } }\n")], {"own/conf.d/a.cfg.lua": GUEST}),
    ("cannot-tell", [prosody("    configs: [{ source: p, target: /defaults/conf.d/jitsi-meet.cfg.lua }]\n"), (COMPOSE, "", "configs:\n  p: { content: '-- nothing' }\n")], {}),
    ("guest-vhost", [prosody("    configs: [{ source: p, target: /config/conf.d/p.cfg.lua }]\n"), (COMPOSE, "", f"configs:\n  p: {{ content: '{GUEST.strip()}' }}\n")], {}),
    ("guest-vhost", [prosody("    configs: [{ source: p, target: /config/conf.d/p.cfg.lua }]\n"), (COMPOSE, "", "configs:\n  p: { file: ./p }\n")], {"p": GUEST}),
    ("cannot-tell", [prosody("    configs: [{ source: p, target: /config/conf.d/p.cfg.lua }]\n"), (COMPOSE, "", "configs:\n  p: { external: true }\n")], {}),
    ("cannot-tell", [prosody("    entrypoint: [/own.sh]\n")], {}),
    ("cannot-tell", [prosody("    command: [prosody, --config, /own]\n")], {}),
    ("cannot-tell", [jicofo("    volumes_from: [other]\n")], {}),
    ("cannot-tell", [prosody("    build: ./prosody\n")], {}),
    ("auto-owner", [jicofo("    volumes: ['./own:/config']\n")], {"own/custom-jicofo.conf": OWNER}),
    ("cannot-tell", [jicofo("    volumes: ['./own:/config']\n")], {"own/custom-jicofo.conf": 'include "owner.conf"\n'}),
    ("auto-owner", [(
                COMPOSE,
                "JICOFO_ENABLE_AUTH]",
                "'JAVA_SYS_PROPS=-Djicofo.conference.enable-auto-owner=true -Djicofo.authentication.enabled=false']",
            )], {}),
    ("cannot-tell", [(COMPOSE, "  web:\n", "  web:\n    volumes: ['./meet.conf:/defaults/meet.conf']\n")], {"meet.conf": ""}),
    ("jicofo-rest-on-web", [(COMPOSE, "  web:\n", "  web:\n    volumes: ['./n:/config/nginx-custom']\n")], {"n/a.conf": "location /j/ { proxy_pass http://jicofo:8888; }\n"}),
    (RIGHT, [prosody("    volumes: ['./config/prosody/config:/config:Z', './plugins:/prosody-plugins-custom', '/etc/localtime:/etc/localtime:ro']\n")], {}),
    (RIGHT, [prosody("    command:\n    entrypoint: []\n")], {}),
    # Which services there are
    ("anonymous-login", [(COMPOSE, "", "  prosody-b:\n    image: jitsi/prosody:stable-10978\n    environment: ['ENABLE_AUTH=0']\n")], {}),
    ("anonymous-login", [(COMPOSE, "", "  xmpp2:\n    image: ghcr.io/x/jitsi-prosody:stable-10978\n    environment: { ENABLE_AUTH: 'false' }\n")], {}),
    ("auto-owner", [(COMPOSE, "", "  focus2:\n    image: jitsi/jicofo:stable-10978\n    environment: ['ENABLE_AUTO_OWNER=1', 'ENABLE_AUTH=0']\n")], {}),
    ("anonymous-login", [(COMPOSE, "", "  p2:\n    extends: prosody\n    environment: ['ENABLE_AUTH=0']\n")], {}),
    ("anonymous-login", [(COMPOSE, "", "  p2:\n    extends: { file: base.yml, service: p }\n")], {"base.yml": "services: { p: { image: 'jitsi/prosody:stable-10978', environment: [ENABLE_AUTH=0] } }"}),
    ("cannot-tell", [(COMPOSE, "", "  p2:\n    extends: { file: gone.yml, service: p }\n")], {}),
    ("cannot-tell", [(COMPOSE, "", "  p2:\n    extends: p3\n  p3:\n    extends: p2\n")], {}),
    (RIGHT, [(COMPOSE, "", "  p2:\n    image: jitsi/prosody:stable-10978\n    profiles: [never]\n    environment: ['ENABLE_AUTH=0']\n")], {}),
    ("anonymous-login", [(COMPOSE, "", "  p2:\n    image: jitsi/prosody:stable-10978\n    profiles: [now]\n    environment: ['ENABLE_AUTH=0']\n"), (".env", "", "COMPOSE_PROFILES=a,now\n")], {}),
    (RIGHT, [(COMPOSE, "", "  p2:\n    image: jitsi/prosody:stable-10978\n    deploy: { replicas: 0 }\n    environment: ['ENABLE_AUTH=0']\n")], {}),
    ("cannot-tell", [prosody("    profiles: [never]\n")], {}),
    (RIGHT, [(COMPOSE, "", "  e:\n    image: example.org/prosody-exporter:1\n")], {}),
    # Merging
    ("anonymous-login", [(COMPOSE, "services:\n", "x-e: &e { ENABLE_AUTH: '0' }\nservices:\n")], {"docker-compose.override.yml": "x: &e { ENABLE_AUTH: '0' }\nservices: { prosody: { environment: { <<: *e } } }"}),
    (RIGHT, [], {"docker-compose.override.yml": "x: &e { ENABLE_AUTH: '0' }\nservices: { prosody: { environment: { ENABLE_AUTH: '1', <<: *e } } }"}),
    (RIGHT, [], {"docker-compose.override.yml": "x: &e { ENABLE_AUTH: '1' }\ny: &f { ENABLE_AUTH: '0' }\nservices: { prosody: { environment: { <<: [*e, *f] } } }"}),
    ("anonymous-login", [], {"docker-compose.override.yml": "services: { prosody: { environment: !override { ENABLE_GUESTS: '0' } } }"}),
    ("anonymous-login", [], {"docker-compose.override.yml": "services: { prosody: { environment: !reset [] } }"}),
    ("cannot-tell", [], {"docker-compose.override.yml": "services: { prosody: { environment: { ENABLE_AUTH: '1', ENABLE_AUTH: '0' } } }"}),
    ("anonymous-login", [], {"docker-compose.override.yml": "services: { prosody: { environment: { ENABLE_AUTH: '' } } }"}),
    ("anonymous-login", [prosody("    env_file: [p.env]\n"), (COMPOSE, "      - ENABLE_AUTH\n", "")], {"p.env": "ENABLE_AUTH=0\n"}),
    ("anonymous-login", [PROSODY_ENV, (".env", "ENABLE_AUTH=1\n", "")], {"p.env": "ENABLE_AUTH=1\n"}),
    ("cannot-tell", [PROSODY_ENV, (".env", "ENABLE_GUESTS=0\n", "")], {"p.env": "ENABLE_GUESTS=1\n"}),
    ("anonymous-login", [PROSODY_ENV, (".env", "ENABLE_AUTH=1\n", "")], {"p.env": "ENABLE_AUTH=1\n", "docker-compose.override.yml": "services: { prosody: { environment: { ENABLE_AUTH: } } }"}),
    (RIGHT, [PROSODY_ENV], {"p.env": "ENABLE_AUTH=0\n"}),
    (RIGHT, [PROSODY_ENV, (COMPOSE, "      - ENABLE_AUTH\n", "      - ENABLE_AUTH=1\n")], {"p.env": "ENABLE_AUTH=0\n"}),
    ("cannot-tell", [(COMPOSE, "", "  p2:\n    image: jitsi/prosody:stable-10978\n    environment: ['ENABLE_AUTH=1']\n    env_file: gone.env\n")], {}),
    (RIGHT, [prosody("    env_file: [{ path: gone.env, required: false }]\n")], {}),
    ("cannot-tell", [prosody("    env_file: gone.env\n")], {}),
    # Interpolation
    ("guest-vhost", [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${GUESTS:-1}\n")], {}),
    ("guest-vhost", [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${A:-${B:-${C-1}}}\n")], {}),
    ("guest-vhost", [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${ENABLE_AUTH:+1}\n")], {}),
    (RIGHT, [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${GUESTS:-0}\n")], {}),
    (RIGHT, [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${GUESTS:+1}\n")], {}),
    ("cannot-tell", [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${GUESTS:?set it}\n")], {}),
    ("cannot-tell", [(COMPOSE, "      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=$$GUESTS\n")], {}),
    # Releases
    ("cannot-tell", [(".env", "JITSI_IMAGE_VERSION=stable-10978", "JITSI_IMAGE_VERSION=stable-8719")], {}),
    ("cannot-tell", [(".env", "JITSI_IMAGE_VERSION=stable-10978", "JITSI_IMAGE_VERSION=stable-5142-2")], {}),
    ("cannot-tell", [(COMPOSE, PROSODY, "    image: jitsi/prosody:stable-7001\n")], {}),
    ("cannot-tell", [(COMPOSE, JICOFO, "    image: jitsi/jicofo@sha256:0123\n")], {}),
    ("cannot-tell", [(COMPOSE, PROSODY, "    image: jitsi/prosody:mine\n")], {}),
    ("cannot-tell", [(COMPOSE, PROSODY, "    image: jitsi/prosody:${VERSION}\n")], {}),
    (RIGHT, [(".env", "JITSI_IMAGE_VERSION=stable-10978", "JITSI_IMAGE_VERSION=stable-11146-2")], {}),
    (RIGHT, [(".env", "JITSI_IMAGE_VERSION=stable-10978", "JITSI_IMAGE_VERSION=latest")], {}),
    # Front servers by labels
    ("jicofo-rest-on-web", [jicofo("    labels: ['traefik.http.routers.j.rule=Host(`j`)', 'traefik.http.services.j.loadbalancer.server.port=8888']\n")], {}),
    ("jicofo-rest-on-web", [jicofo("    labels: { traefik.enable: 'true', traefik.http.routers.j.rule: 'PathPrefix(`/debug`)' }\n")], {}),
    ("jicofo-rest-on-web", [jicofo("    labels: { caddy: j.example.org, caddy.reverse_proxy: '{{upstreams 8888}}' }\n")], {}),
    ("cannot-tell", [prosody("    labels: ['traefik.http.routers.p.rule=Host(`x`)', 'traefik.http.services.p.loadbalancer.server.port=5280']\n")], {}),
    (RIGHT, [prosody("    labels: ['traefik.http.routers.p.rule=Host(`x`) && PathPrefix(`/http-bind`)', 'traefik.http.services.p.loadbalancer.server.port=5280']\n")], {}),
    (RIGHT, [jicofo("    labels: { traefik.enable: 'false', traefik.http.routers.j.rule: Host(`j`) }\n")], {}),
    (RIGHT, [jicofo("    labels: { service: jitsi-jicofo }\n")], {}),
)  # fmt: skip


@pytest.mark.parametrize(("finds", "edits", "files"), PROJECTS, ids=range(len(PROJECTS)))
def test_a_project_is_read_as_docker_compose_reads_it(finds: str, edits: list, files: dict[str, str], tmp_path: Path):
    root = clean("docker", tmp_path)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, old, new in edits:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1) if old else text + new)
    critical = [
        f"{finding.id} {finding.where} {finding.what}"
        for finding in check([root]).findings
        if finding.severity == "critical"
    ]
    if finds:
        assert any(text.startswith(f"{finds} ") for text in critical), critical
    else:
        assert critical == []


@pytest.mark.parametrize("form", ["volume", "CONFIG"])
@pytest.mark.parametrize(
    "folder",
    [
        "config/prosody/config",
        "config/prosody/config/conf.d",
        "config/prosody",
        "config/jicofo",
        "config/web/nginx-custom",
    ],
)
def test_a_folder_that_cannot_be_read_does_not_count_as_absent(
    folder: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Named so that its path says nothing about what it holds."""
    root = clean("docker", tmp_path)
    if form == "volume":
        name = folder.split("/")[1]
        source = "prosody/config" if name == "prosody" else name
        text = (root / COMPOSE).read_text()
        mount = f"  {name}:\n    volumes: ['./config/{source}:/config']\n"
        (root / COMPOSE).write_text(text.replace(f"  {name}:\n", mount, 1).replace("./config/", "./x/"))
        folder = folder.replace("config/", "x/", 1)
    forbid(root / folder, monkeypatch)
    assert any("cannot be read" in finding.what for finding in check([root]).findings if finding.severity == "critical")


def test_a_single_file_for_the_web_server_that_cannot_be_read_is_a_doubt(tmp_path: Path):
    root = clean("docker", tmp_path)
    (root / "own.conf").write_bytes(bytes(1000))
    text = (root / COMPOSE).read_text()
    mount = "  web:\n    volumes: ['./own.conf:/config/nginx-custom/own.conf']\n"
    (root / COMPOSE).write_text(text.replace("  web:\n", mount, 1))
    assert check([root]).open


def test_an_optional_env_file_in_a_folder_that_cannot_be_read_is_a_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = clean("docker", tmp_path)
    text = (root / COMPOSE).read_text()
    (root / COMPOSE).write_text(
        text.replace(PROSODY, f"{PROSODY}    env_file: [{{ path: x/p.env, required: false }}]\n")
    )
    assert not check([root]).open
    forbid(root / "x", monkeypatch)
    assert check([root]).open


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", COMPOSE, "docker-compose.yaml"])
def test_each_name_of_a_compose_file_is_found(name: str, tmp_path: Path):
    root = clean("docker", tmp_path)
    (root / COMPOSE).rename(root / name)
    assert str(root / name) in check([root]).files


def test_without_an_env_file_nothing_is_asserted(tmp_path: Path):
    root = clean("docker", tmp_path)
    (root / ".env").unlink()
    critical = {(finding.id, finding.what) for finding in check([root]).findings if finding.severity == "critical"}
    assert critical == {("cannot-tell", "no .env is here: what compose passes on is not known")}


def test_a_variable_that_compose_fills_with_nothing_is_no_assertion(tmp_path: Path):
    root = clean("docker", tmp_path)
    text = (root / COMPOSE).read_text()
    (root / COMPOSE).write_text(text.replace("      - ENABLE_GUESTS\n", "      - ENABLE_GUESTS=${GUESTS}\n"))
    assert {finding.id for finding in check([root]).findings if finding.severity == "critical"} <= {"cannot-tell"}


def test_the_env_file_beside_a_compose_file_is_read_without_being_named(tmp_path: Path):
    root = clean("docker", tmp_path)
    assert not check([root / COMPOSE]).open
    (root / ".env").write_text((root / ".env").read_text().replace("ENABLE_AUTH=1", "ENABLE_AUTH=0"))
    assert check([root / COMPOSE]).open


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "[" * 5000, "{a: " * 5000, "- " * 5000, "a: &a [x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(500)),
     "services: { prosody: &p { extends: prosody, environment: *p } }", "services: *x", "? [a]\n: b", "services: {prosody: {<<: [1, 2]}}"],
)  # fmt: skip
def test_yaml_of_any_depth_ends(text: str, tmp_path: Path):
    root = clean("docker", tmp_path)
    (root / COMPOSE).write_text(text)
    assert check([root]).open
