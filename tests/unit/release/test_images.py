"""The images' contents: the layer, and the templates that upstream's start script fills in."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from hardener.config import Image
from hardener.errors import ConfigError, UsageError
from hardener.release import images, oci, tree
from support import packaging
from support.gotemplate import render
from support.packaging import EPOCH, FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

UPSTREAM = os.environ.get("DOCKER_JITSI_MEET", "")
RELEASE = "stable-10978"
GO = """package main
import ("fmt"; "os"; "io"; "strconv"; "strings"; "text/template")
func main() {
  text, _ := io.ReadAll(os.Stdin)
  env := map[string]string{}
  for _, pair := range os.Environ() { k, v, _ := strings.Cut(pair, "="); env[k] = v }
  functions := template.FuncMap{
    "default": func(d string, v any) string { if s, ok := v.(string); ok && s != "" { return s }; return d },
    "toBool": func(v string) (bool, error) { return strconv.ParseBool(v) },
  }
  t := template.Must(template.New("t").Funcs(functions).Parse(string(text)))
  if err := t.Execute(os.Stdout, map[string]any{"Env": env}); err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
}
"""
SETTINGS: dict[str, dict[str, str]] = {
    "nothing set": {},
    "bridges over WebSockets": {
        "ENABLE_COLIBRI_WEBSOCKET": "1",
        "COLIBRI_WEBSOCKET_REGEX": "172.18.0.3",
        "COLIBRI_WEBSOCKET_PORT": "9091",
    },
    "a group of bridges": {"ENABLE_COLIBRI_WEBSOCKET": "true", "COLIBRI_WEBSOCKET_REGEX": "(a|b)-[0-9]{1,3}"},
    "two bridges that DNS names": {"ENABLE_COLIBRI_WEBSOCKET": "1", "COLIBRI_WEBSOCKET_REGEX": "10.0.0.2\n10.0.0.3"},
    "redirect": {"ENABLE_HTTP_REDIRECT": "1", "ENABLE_IPV6": "0"},
    "as little as possible": {
        "DISABLE_HTTPS": "true",
        "ENABLE_XMPP_WEBSOCKET": "0",
        "ENABLE_SUBDOMAINS": "false",
        "ENABLE_IPV6": "0",
        "XMPP_BOSH_URL_BASE": "http://prosody:5280",
    },
}


def layer(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return our templates by name, of the layer of a site."""
    return {name: files[name].decode() for name in ("defaults/meet.conf", "defaults/default")}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Provide our templates by name."""
    return layer(images.contents(packaging.site(tmp_path_factory.mktemp("site"))))


def test_the_layer_hides_upstreams_web_root_and_has_ours(tmp_path: Path) -> None:
    files = images.contents(packaging.site(tmp_path))
    prefix = f"{tree.WEB_ROOT}/"
    served = {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}
    assert served.pop(".wh..wh..opq") == b""
    not_there = {"config.js", "LICENSE", "libs/app.bundle.min.js.map", "interface_config.js"}
    assert served == {name: content for name, content in FILES.items() if name not in not_there}
    assert files["defaults/interface_config.js"] == FILES["interface_config.js"]


def test_no_snippet_is_included_that_is_not_there(tmp_path: Path) -> None:
    files = images.contents(packaging.site(tmp_path))
    texts = [content.decode() for name, content in files.items() if name.startswith(("etc/", "defaults/"))]
    included = {
        found[1:].replace("[s]", "s")
        for text in texts
        for found in re.findall(r"^\s*include (\S+);", text, re.MULTILINE)
    }
    theirs = {"config/nginx-custom/*.conf", "config/nginx/meet.conf", "config/nginx/ssl.conf"}
    assert included - set(files) - theirs == {"etc/nginx/hardener/brotl[i].conf"}
    assert [
        name for name in files if name.endswith(".conf") and f"/{name}" not in "".join(texts) and "etc/" in name
    ] == [
        "etc/nginx/hardener/limits.conf"  # by its pattern
    ]


@pytest.mark.usefixtures("_templates")
def test_both_images_have_the_same_layer_and_upstreams_is_named(tmp_path: Path) -> None:
    layout, image = packaging.base(tmp_path)
    meet = packaging.project(tmp_path, image=image)
    written = dict(images.images(meet, packaging.site(tmp_path), EPOCH, layout, tmp_path / "out"))
    assert list(written) == [
        "jitsi-meet-hardened-2.0.10978+1-site.oci.tar",
        "jitsi-meet-hardened-2.0.10978+1-web.oci.tar",
        "docker-compose.override.yml",
    ]
    names = []
    for path in list(written.values())[:2]:
        with tarfile.open(path) as archive:
            names.append({entry.name for entry in archive if entry.isfile() and entry.size > 1000})
    assert len(names[0] & names[1]) == 1
    compose = yaml.safe_load(written["docker-compose.override.yml"].read_text())
    reference = compose["services"]["web"]["image"]
    assert re.fullmatch(
        r"registry\.example\.org/jitsi-web-hardened:stable-10978-hardened\.1@sha256:[0-9a-f]{64}", reference
    )


@pytest.mark.usefixtures("_templates")
def test_a_template_of_upstream_that_has_changed_stops_the_image(tmp_path: Path) -> None:
    changed = packaging.TEMPLATES | {"defaults/meet.conf": b"a next release\n"}
    layout, image = packaging.base(tmp_path, templates=changed)
    meet = packaging.project(tmp_path, image=image)
    with pytest.raises(ConfigError, match=r"\(linux/amd64\) has another defaults/meet\.conf than"):
        images.images(meet, packaging.site(tmp_path), EPOCH, layout, tmp_path / "out")


ETC_PASSWD = "sha256:../../../../../../../../etc/passwd"
WRONG_MANIFESTS: dict[str, dict[str, object]] = {
    "empty": {},
    "no layers": {"config": "CONFIG"},
    "layers that are not a list": {"config": "CONFIG", "layers": 5},
    "a layer without digest": {"config": "CONFIG", "layers": [{}]},
    "a layer of another folder": {"config": "CONFIG", "layers": [{"digest": ETC_PASSWD}]},
    "a layer that is missing": {"config": "CONFIG", "layers": [{"digest": f"sha256:{'0' * 64}"}]},
    "a number for a digest": {"config": {"digest": 5}, "layers": []},
    "a configuration that is a list": {"config": "LIST", "layers": []},
    "manifests that are numbers": {"manifests": [1, 2]},
    "manifests without digest": {"manifests": [{"platform": {"os": "linux"}, "mediaType": oci.MANIFEST}]},
    "no platforms": {"manifests": []},
}


@pytest.mark.usefixtures("_templates")
@pytest.mark.parametrize("name", WRONG_MANIFESTS)
def test_a_pinned_digest_that_is_not_an_image_is_named(tmp_path: Path, name: str) -> None:
    layout, image = packaging.base(tmp_path)

    def add(document: object) -> str:
        content = json.dumps(document).encode()
        digest = hashlib.sha256(content).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(content)
        return f"sha256:{digest}"

    document = dict(WRONG_MANIFESTS[name])
    configs = {"CONFIG": {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}}, "LIST": []}
    if document.get("config") in ("CONFIG", "LIST"):
        document["config"] = {"digest": add(configs[str(document["config"])]), "mediaType": oci.CONFIG}
    meet = packaging.project(tmp_path, image=Image(f"docker.io/jitsi/web:{RELEASE}@{add(document)}", image.name))
    with pytest.raises(UsageError):
        images.images(meet, packaging.site(tmp_path), EPOCH, layout, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*-web*"))


@pytest.mark.skipif(not UPSTREAM, reason="DOCKER_JITSI_MEET names no clone of docker-jitsi-meet")
def test_the_reviewed_templates_are_those_of_upstreams_release() -> None:
    for name, blob in images.REVIEWED.items():
        argv = ["git", "--git-dir", UPSTREAM, "rev-parse", f"{RELEASE}:web/rootfs/{name}"]
        assert subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip() == blob


@pytest.mark.parametrize("tag", ["stable-11146", "latest", "stable-109780"])
def test_an_image_of_another_release_is_refused(tmp_path: Path, tag: str) -> None:
    image = Image(f"docker.io/jitsi/web:{tag}@sha256:{'0' * 64}")
    with pytest.raises(ConfigError, match=r"is not an image of 2\.0\.10978"):
        images.base_of(packaging.project(tmp_path, image=image))
    rebuilt = replace(image, base=image.base.replace(tag, "stable-10978-1"))
    assert images.base_of(packaging.project(tmp_path, image=rebuilt)).tag == "stable-10978-1"


def test_without_the_table_there_is_no_layered_image(tmp_path: Path) -> None:
    layout, _ = packaging.base(tmp_path)
    with pytest.raises(ConfigError, match=r"no \[image\] table"):
        images.images(packaging.project(tmp_path), packaging.site(tmp_path), EPOCH, layout, tmp_path / "out")


@pytest.mark.skipif(not UPSTREAM, reason="DOCKER_JITSI_MEET names no clone of docker-jitsi-meet")
def test_each_variable_is_one_that_upstreams_compose_file_passes_on(templates: dict[str, str]) -> None:
    argv = ["git", "--git-dir", UPSTREAM, "show", f"{RELEASE}:docker-compose.yml"]
    compose = yaml.safe_load(subprocess.run(argv, capture_output=True, check=True).stdout)
    passed = {entry.partition("=")[0] for entry in compose["services"]["web"]["environment"]}
    used = set(re.findall(r"\.Env\.(\w+)", "".join(templates.values())))
    assert used - passed == set()
    # What 10-config finds out about the bridges has this name; the variables that it reads are passed on.
    assert "COLIBRI_WEBSOCKET_REGEX" in used


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_go_renders_what_the_tests_render(
    templates: dict[str, str], settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    go = os.environ.get("HARDENER_GO", "")
    if not go:
        pytest.skip("HARDENER_GO names no Go: the templates are rendered by tests/support/gotemplate.py only")
    program = Path(tmp_path_factory.getbasetemp()) / "render"
    if not program.exists():
        source = program.with_suffix(".go")
        source.write_text(GO)
        cache = {"GOCACHE": str(program.parent / "go-cache"), "GOTOOLCHAIN": "local"}
        subprocess.run([go, "build", "-o", program, source], env=os.environ | cache, check=True, capture_output=True)
    for name, text in templates.items():
        done = subprocess.run([program], input=text, env=settings, capture_output=True, text=True, check=True)
        assert (name, render(text, settings)) == (name, done.stdout)


def test_a_template_that_the_renderer_does_not_know_is_an_error() -> None:
    for wrong in ("{{ if $x }}", "{{ end }}", "{{ $x }}", "{{ range .Env }}{{ end }}", "{{ .Env.X | upper }}"):
        with pytest.raises(ValueError, match="template"):
            render(wrong, {})


def nginx(folder: Path, files: Mapping[str, bytes], settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Load the rendered templates with nginx, in a folder that takes the place of the image's root."""
    custom = "set_real_ip_from 127.0.0.1;\n"
    more = {
        "config/nginx/ssl.conf": "ssl_reject_handshake on;\n",
        "config/nginx-custom/own.conf": custom,
        "config/nginx/meet.conf": render(files["defaults/meet.conf"].decode(), settings),
        "config/nginx/site-confs/default": render(files["defaults/default"].decode(), settings),
    }
    texts = {name: content.decode() for name, content in files.items() if name.startswith("etc/")} | more
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(r"(include|alias|root) /", rf"\1 {folder}/", text))
    main = folder / "nginx.conf"
    main.write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; events {{ }}\nhttp {{ access_log off;\n"
        + "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + f"include {folder}/config/nginx/site-confs/*;\n}}\n"
    )
    argv = ["nginx", "-t", "-e", str(folder / "error.log"), "-c", str(main)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_nginx_loads_the_templates_as_each_env_file_fills_them_in(tmp_path: Path, settings: dict[str, str]) -> None:
    files = images.contents(packaging.site(tmp_path))
    done = nginx(tmp_path / "root", files, settings)
    assert done.returncode == 0, done.stderr
    files["defaults/meet.conf"] += b"location = /http-bind { }\n"  # control: nginx finds a second one
    assert "duplicate location" in nginx(tmp_path / "root", files, settings).stderr


def test_what_the_env_file_switches_off_is_not_served(templates: dict[str, str]) -> None:
    less = render(templates["defaults/meet.conf"], SETTINGS["as little as possible"])
    more = render(templates["defaults/meet.conf"], SETTINGS["bridges over WebSockets"])
    heads = ("location = /xmpp-websocket", 'location ~ "^/colibri-ws/(?<hardener_host>', 'set $subdomain "$1."')
    assert [head in less for head in heads] == [False] * 3
    assert [head in more for head in heads] == [True] * 3
    assert "(?<hardener_host>172.18.0.3)/" in more
    assert "proxy_pass http://$hardener_host:9091/colibri-ws/$hardener_host/" in more
    assert "default-id" not in less + more
    assert all("location ^~ /.well-known/webcat/ {" in text for text in (less, more)), "for hardener webcat"
    assert "set $hardener_xmpp http://prosody:5280;" in less
    assert "listen 443" not in render(templates["defaults/default"], SETTINGS["as little as possible"])
    assert "return 301 https://" in render(templates["defaults/default"], SETTINGS["redirect"])


def test_a_location_that_is_no_longer_in_the_snippet_is_a_bug_that_is_named() -> None:
    with pytest.raises(ValueError, match="xmpp-websocket"):
        images.locations("location ~ ^/colibri-ws/default-id/ {\n}\n")


def test_the_layer_is_read_by_tar(tmp_path: Path) -> None:
    content = tree.tar(images.contents(packaging.site(tmp_path)), EPOCH, folders=["usr/share/jitsi-meet/transcripts"])
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entries = archive.getmembers()
    names = [entry.name for entry in entries]
    assert "usr/share/jitsi-meet/transcripts" in names
    assert names == sorted(names, key=str.encode)
    assert {entry.mtime for entry in entries} == {EPOCH}
