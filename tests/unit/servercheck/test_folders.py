"""check-server on folders: only files of the deployment are read, each once, and none without a limit."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hardener.release import tree
from hardener.servercheck.check import Checked, check
from hardener.servercheck.deployments import files
from support.server_fixtures import HOST, JICOFO, MAIN, SITE, clean, forbid, stock

NGINX = "nginx/nginx.conf"
NOT_NGINX = "[fs_types]\n    ext4 = {\n        features = y\n    }\n"
ANONYMOUS = 'VirtualHost "guest.example.org"\n    authentication = "jitsi-anonymous"\n'
JICOFO_PASSED = "server { listen 8081; location / { proxy_pass http://127.0.0.1:8888; } }\n"


def write(root: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def found(result: Checked, *severities: str) -> list[str]:
    return [
        f"{finding.id} {finding.where} {finding.what}"
        for finding in result.findings
        if finding.severity in (severities or ("critical",))
    ]


def names(result: Checked) -> set[str]:
    return {Path(name).name for name in result.files}


def test_a_hardened_stock_debian_etc_has_no_critical_finding(tmp_path: Path):
    result = check([stock(tmp_path)])
    assert found(result) == []
    assert not names(result) & {"shadow", "mke2fs.conf", "resolv.conf", "own.conf"}


def packaged(root: Path, snippets: Path) -> Path:
    """Let the site of a server include the snippets of our package, which are written to ``snippets``."""
    texts = tree.snippets(os.fspath(snippets), f"{root}/nginx/hardener")
    write(snippets, {name: text for name, text in texts.items() if name != "brotli.conf"})
    site = root / SITE
    site.write_text(site.read_text().replace("include hardener/", f"include {snippets}/"))
    shutil.rmtree(root / "nginx/hardener")
    return root


@pytest.mark.parametrize("known", [True, False])
def test_on_the_machine_itself_the_snippets_of_our_package_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Control: a folder that is not that of our package is outside, and what it holds cannot be determined."""
    root = packaged(clean("debian", tmp_path), tmp_path / "package")
    link = root / "prosody/conf.d/meet.example.org.cfg.lua"
    link.unlink()
    link.symlink_to("../conf.avail/meet.example.org.cfg.lua")
    monkeypatch.setattr(files, "ETC", root)
    if known:
        monkeypatch.setattr(files, "SNIPPETS", tmp_path / "package")
    result = check([root])
    assert bool(found(result)) is not known
    assert ("proxy.conf" in names(result)) is known
    assert [finding.id for finding in result.findings if finding.id.startswith("csp")] == (
        [] if known else ["csp-missing"]
    )


def test_a_copy_of_etc_and_of_the_packages_snippets_is_read(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    root = packaged(clean("debian", tmp_path), copy / files.SNIPPETS.relative_to("/"))
    site = root / SITE
    site.write_text(site.read_text().replace(os.fspath(copy), ""))
    for path in copy.rglob("*.conf"):
        path.write_text(path.read_text().replace(os.fspath(copy), "").replace(os.fspath(root), "/etc"))
    root.rename(copy / "etc")
    result = check([copy])
    assert found(result) == []
    assert {"site.conf", "proxy.conf", "security-headers.conf"} <= names(result)


@pytest.mark.parametrize(
    ("line", "here"),
    [
        ("include /etc/nginx/modules-enabled/*.conf;", True),
        ("include /etc/nginx/gone.d/*.conf;", True),
        ("include gone/*.conf;", True),
        ("include /etc/*/mke2fs.conf;", False),
        ("include /etc/*.conf;", False),
        ("include /opt/own/*.conf;", False),
        ("include /opt/own/*;", False),
        ("include /srv/[a-z]*.conf;", False),
        ("include /usr/share/nginx/modules/?ke2fs.conf;", False),
        ("include ../../*.conf;", False),
    ],
)
def test_a_wildcard_is_never_cut_down_to_its_last_part(line: str, here: bool, tmp_path: Path):
    """Empty where its folder would be in the copy; a doubt where it would not."""
    root = stock(tmp_path)
    text = (root / NGINX).read_text()
    (root / NGINX).write_text(f"{line}\n{text}")
    result = check([root])
    assert "mke2fs.conf" not in names(result)
    assert result.open is not here


@pytest.mark.parametrize("line", ["include ../*.conf;", "include /etc/*.conf;"])
def test_a_wildcard_that_means_foreign_files_reads_them(line: str, tmp_path: Path):
    """As nginx would: the copy has its name here."""
    root = stock(tmp_path).rename(tmp_path / "etc")
    (root / NGINX).write_text(f"{line}\n" + (root / NGINX).read_text())
    assert "mke2fs.conf" in names(check([tmp_path if "/etc" in line else root]))


@pytest.mark.parametrize("name", ["/etc/shadow", "/etc/gshadow", "/etc/ssl/private/site.key", "shadow"])
def test_files_of_passwords_and_keys_are_never_read(name: str, tmp_path: Path):
    root = write(stock(tmp_path), {"ssl/private/site.key": "secret;", "gshadow": "x;", "nginx/shadow": "x;"})
    (root / NGINX).write_text(f"include {name};\n" + (root / NGINX).read_text())
    result = check([root])
    assert result.open  # what it includes was not read
    assert not names(result) & {"shadow", "gshadow", "site.key"}


def test_a_path_outside_is_not_taken_for_a_file_of_the_same_name_inside(tmp_path: Path):
    root = write(stock(tmp_path), {"own.conf": JICOFO_PASSED})
    (root / NGINX).write_text((root / NGINX).read_text().replace("http {", "http { include /opt/own.conf;"))
    result = check([root])
    assert "own.conf" not in names(result)
    assert any("includes /opt/own.conf, which is not here" in text for text in found(result))


def test_an_include_that_matches_its_own_file_is_read_once(tmp_path: Path):
    root = stock(tmp_path)
    (root / NGINX).write_text("include /etc/nginx/*.conf;\ninclude *.conf;\n" + (root / NGINX).read_text())
    assert found(check([root])) == []


@pytest.mark.parametrize(
    "contents",
    [
        {"nginx/conf.d/a.conf": "include conf.d/b.conf;", "nginx/conf.d/b.conf": "include conf.d/a.conf;"},
        {"nginx/conf.d/a.conf": "include /etc/nginx/conf.d/a.conf;"},
        {"prosody/conf.d/a.cfg.lua": 'Include "b.cfg.lua"', "prosody/conf.d/b.cfg.lua": 'Include "a.cfg.lua"'},
        {"prosody/conf.d/a.cfg.lua": 'Include "*.cfg.lua"'},
        {"jitsi/jicofo/jicofo.conf": 'include "jicofo.conf"\ninclude "b"\n', "jitsi/jicofo/b": 'include "jicofo.conf"'},
    ],
)
def test_files_that_include_each_other_end(contents: dict[str, str], tmp_path: Path):
    assert check(
        [write(clean("debian", tmp_path) if "jicofo" in str(contents) else stock(tmp_path), contents)]
    ).findings


LONG = "a" * 300  # a name of a file may have 255 bytes
LONG_PATH = "/" + "/".join(["b" * 200] * 25)


@pytest.mark.parametrize(
    ("form", "file", "text"),
    [
        ("debian", MAIN, f'Include "{LONG}.lua"\nInclude "{LONG_PATH}/*.lua"\n'),
        ("debian", "nginx/conf.d/a.conf", f"include {LONG}; include {LONG_PATH}; include {LONG_PATH}/*;"),
        ("debian", "prosody/conf.d/a.cfg.lua", f"..{LONG_PATH}"),
        ("debian", JICOFO, f'include required("{LONG}")\ninclude file("{LONG_PATH}")\n'),
        *(("docker", ".env", f"{name}={value}\n") for name in ("CONFIG", "COMPOSE_FILE") for value in (LONG, LONG_PATH)),
        ("docker", "docker-compose.override.yml", f"include: [{LONG}]"),
        ("docker", "docker-compose.override.yml", f"services: {{prosody: {{volumes: ['./{LONG}:/config']}}}}"),
        ("docker", "docker-compose.override.yml", f"services: {{prosody: {{env_file: {LONG}}}}}"),
        ("docker", "docker-compose.override.yml", f"services: {{prosody: {{env_file: [{{path: {LONG_PATH}, required: false}}]}}}}"),
    ],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_no_file(form: str, file: str, text: str, tmp_path: Path):
    root = clean(form, tmp_path)
    path = root / file
    write(root, {file: (path.read_text() if path.exists() else "") + f"\n{text}"})
    assert check([root]).findings


@pytest.mark.parametrize(
    ("name", "line"),
    [("nginx/conf.d/a{}.conf", "include /etc/nginx/conf.d/a{0}.conf; include conf.d/a{0}.conf;\n"),
     ("prosody/conf.d/a{}.cfg.lua", 'Include "a{0}.cfg.lua"\nInclude "a{0}.cfg.lua"\n'),
     ("jitsi/jicofo/a{}.conf", 'include "a{0}.conf"\ninclude "a{0}.conf"\n')],
)  # fmt: skip
def test_includes_that_double_at_each_step_reach_a_limit(name: str, line: str, tmp_path: Path):
    root = write(stock(tmp_path), {name.format(step): line.format(step + 1) for step in range(35)})
    if "jicofo" in name:
        (root / JICOFO).write_text('include "a0.conf"')
    assert any("more than 2000 includes" in text for text in found(check([root])))


@pytest.mark.parametrize(
    ("file", "line"),
    [("nginx/conf.d/a.conf", "include b/*.conf;\n"),
     ("prosody/conf.d/a.cfg.lua", 'Include "b/*.cfg.lua"\n'),
     (JICOFO, 'include "b"\n')],
)  # fmt: skip
def test_include_lines_that_find_nothing_reach_a_limit(file: str, line: str, tmp_path: Path):
    root = write(stock(tmp_path), {file: line * 2001})
    assert any("more than 2000 includes" in text for text in found(check([root])))


def test_a_word_that_nginx_does_not_read_is_a_doubt(tmp_path: Path):
    root = write(stock(tmp_path), {"nginx/conf.d/a.conf": "root /" + "a" * 4_096 + ";"})
    assert any("a word of more than 4096 characters" in text for text in found(check([root])))


@pytest.mark.parametrize(
    ("file", "text"),
    [(SITE, "http {" + "\n" * 200_000 + "}"),
     (SITE, "server { root /usr/share/jitsi-meet; location ~ ^" + "[" * 200_000 + " { proxy_pass http://127.0.0.1:8888; } }"),
     (SITE, "server { root /usr/share/jitsi-meet; location ~ " + "(" * 100_000 + ")" * 100_000 + " { root /etc; } }"),
     ("saslauthd.conf", "ldap_servers: a" + " " * 200_000 + "b"),
     ("sasl/xmpp.conf", "mech_list: a" + " " * 200_000 + "b"),
     ("haproxy/haproxy.cfg", " use_backend b if { path_beg /a }\n" * 3_000 + "backend b\n" + " server s 127.0.0.1:5280\n" * 3_000)],
    ids=["lines", "brackets", "groups", "spaces in an option", "spaces in a list", "backends"],
)  # fmt: skip
def test_what_repeats_in_a_file_is_read_in_time_that_grows_with_its_size(file: str, text: str, tmp_path: Path):
    """Otherwise each of these takes minutes, or all memory."""
    assert check([write(stock(tmp_path), {file: text})]).files


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("include: [docker-compose.yml, ./docker-compose.yml, x/../docker-compose.yml]", {}, "without end"),
        ("include: [a0.yml]", {f"a{step}.yml": f"include: [a{step + 1}.yml, ./a{step + 1}.yml]" for step in range(18)}, "more than 1000"),
        ("---\n" + "---\n".join(["services:\n" + "".join(f"  s{step}: {{extends: s{step + 1}}}\n" for step in range(18))] * 2), {}, "more than 1000"),
    ],
    ids=["cycle", "doubling", "documents"],
)  # fmt: skip
def test_compose_files_that_multiply_reach_a_limit(text: str, more: dict[str, str], words: str, tmp_path: Path):
    root = clean("docker", tmp_path)
    file = root / "docker-compose.yml"
    write(root, {"docker-compose.yml": f"{file.read_text()}\n{text}\n", **more})
    assert any(words in line for line in found(check([root])))


@pytest.mark.parametrize(
    "lost",
    [
        {"prosody/conf.d/meet.example.org.cfg.lua": None},
        {"prosody/conf.d/meet.example.org.cfg.lua": None, "prosody/conf.d/README": "the copy lost its link"},
        {"prosody/conf.d/meet.example.org.cfg.lua": None, "prosody/conf.d/localhost.cfg.lua": 'VirtualHost "localhost"\n'},
        {"prosody/conf.d": None},
        {SITE: None, "nginx/sites-available/jicofo": JICOFO_PASSED},
        {"nginx/sites-enabled": None, "nginx/sites-available/meet": JICOFO_PASSED},
    ],
)  # fmt: skip
def test_a_copy_that_lost_its_links_does_not_look_closed(lost: dict[str, str | None], tmp_path: Path):
    root = stock(tmp_path)
    for name, text in lost.items():
        path = root / name
        if text is None and path.is_dir() and not path.is_symlink():
            for inner in path.iterdir():
                inner.unlink()
            path.rmdir()
        elif text is None:
            path.unlink()
        else:
            write(root, {name: text})
    assert check([root]).open


@pytest.mark.parametrize("text", ["../conf.avail/{}", "/etc/prosody/conf.avail/{}", "../conf.avail/{}\n"])
def test_a_link_that_a_copy_holds_as_text_is_followed(text: str, tmp_path: Path):
    root = clean("debian", tmp_path)
    link = root / "prosody/conf.d/meet.example.org.cfg.lua"
    link.unlink()
    link.write_text(text.format(link.name))
    assert found(check([root])) == []
    (root / HOST).write_text((root / HOST).read_text() + ANONYMOUS)
    assert any("guest-vhost" in line for line in found(check([root])))


@pytest.mark.parametrize("text", ["/", "//", "./", "../", "/etc", "a/b", "/\n"])
def test_a_path_that_leads_nowhere_is_no_link(text: str, tmp_path: Path):
    assert check([write(clean("debian", tmp_path), {"caddy/Caddyfile": text, "prosody/conf.d/x.cfg.lua": text})]).open


def pipe(path: Path):
    path.unlink()
    os.mkfifo(path)


def huge(path: Path):
    with path.open("wb") as file:
        file.truncate(100_000_000)


def binary(path: Path):
    path.write_bytes(bytes(range(256)) * 1000)


def long(path: Path):
    path.write_text("x" * (files.LARGEST + 1))


@pytest.mark.parametrize("name", [MAIN, HOST, JICOFO, SITE, NGINX])
@pytest.mark.parametrize("change", [pipe, huge, binary, long])
def test_what_is_no_configuration_file_is_one_doubt(change, name: str, tmp_path: Path):
    root = stock(tmp_path)
    change(root / name)
    result = check([root])
    reasons = ("regular file", "larger than", "binary file")
    shown = name.replace("conf.avail", "conf.d").replace("sites-available", "sites-enabled")
    assert (
        len([finding for finding in found(result) if shown in finding and any(reason in finding for reason in reasons)])
        == 1
    )
    assert shown not in {file.removeprefix(f"{root}/") for file in result.files}


def test_more_files_and_bytes_than_a_deployment_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = stock(tmp_path)
    monkeypatch.setattr(files, "MOST", 5)
    assert any("more than 5 files" in text for text in found(check([root])))
    monkeypatch.undo()
    monkeypatch.setattr(files, "TOTAL", 3_000)
    assert any("more than 3000 bytes" in text for text in found(check([root])))


@pytest.mark.parametrize("depth", [60, 5_000])
@pytest.mark.parametrize(("open_", "close"), [("location /x {", "}"), ("if ($a) {", "}"), ("http { server {", "} }")])
def test_deep_nginx_is_told(open_: str, close: str, depth: int, tmp_path: Path):
    root = write(stock(tmp_path), {"nginx/conf.d/deep.conf": open_ * depth + close * depth})
    assert any("nested too deeply" in text for text in found(check([root])))


def test_depth_counts_over_includes(tmp_path: Path):
    blocks, ends = "location /x { " * 30, " }" * 30
    contents = {f"nginx/conf.d/a{n}": f"{blocks} include conf.d/a{n + 1}; {ends}" for n in range(35)}
    root = write(stock(tmp_path), {**contents, "nginx/conf.d/deep.conf": "include conf.d/a0;"})
    assert any("nested too deeply" in text for text in found(check([root])))


def test_apaches_files_are_not_read_as_nginx(tmp_path: Path):
    root = stock(tmp_path)
    (root / "nginx").rename(tmp_path / "nginx")
    text = "<VirtualHost *:443>\n    ProxyPass /http-bind http://127.0.0.1:5280/http-bind\n</VirtualHost>\n"
    write(root, {"apache2/sites-enabled/meet.conf": text})
    assert found(check([root])) == []
    assert [finding for finding in found(check([root]), "note") if "Apache" in finding]


FORBIDDEN = ("systemd/system/jicofo.service.d", "systemd/system", "systemd", "default", "jitsi/jicofo/x")


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_folder_that_cannot_be_read_and_may_hold_jicofos_options_is_a_doubt(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = stock(tmp_path)
    forbid(root / "polkit-1/rules.d", monkeypatch)
    assert found(check([root])) == []
    forbid(root / folder, monkeypatch)
    assert [line for line in found(check([root])) if f"/{folder} cannot be read" in line]


BACKUPS = ("backup", "a", "jitsi/bak", "jitsi/JICOFO.old", "jitsi/jicofo/bak", "a/jitsi/jicofo")


@pytest.mark.parametrize("folder", BACKUPS)
@pytest.mark.parametrize("under", ["", "etc"])
def test_a_backup_of_jicofos_files_does_not_count(folder: str, under: str, tmp_path: Path):
    root = clean("debian", tmp_path)
    good = (root / JICOFO).read_text()
    write(root, {f"{folder}/jicofo.conf": good, "a/jicofo/config": 'X="-Djicofo.authentication.enabled=true"\n'})
    write(root, {"jitsi/jicofo/config": "X=\n"})
    if under:
        root.rename(tmp_path / "etc")
        root = tmp_path
    assert found(check([root])) == []
    live = root / under / JICOFO
    live.write_text(good.replace("enabled: true", "enabled: false").replace("owner: false", "owner: true"))
    assert any("auto-owner" in line for line in found(check([root])))


@pytest.mark.parametrize("places", [("one", "two"), ("jicofo", "jitsi/jicofo")])
@pytest.mark.parametrize("name", [JICOFO, "jitsi/videobridge/jvb.conf"])
def test_several_files_of_which_each_may_be_in_use_are_a_doubt(name: str, places: tuple[str, str], tmp_path: Path):
    root = clean("debian", tmp_path)
    file = (root / name).rename(tmp_path / Path(name).name)
    for place in places:
        write(root, {f"{place}/{file.name}": file.read_text()})
    (line,) = [line for line in found(check([root])) if "several files of this name" in line]
    assert f"{places[1]}/{file.name}" in line


@pytest.mark.parametrize("name", ["proxy_params_no_auth", "proxy_params_with_auth", "/etc/nginx/fastcgi_params"])
def test_parameters_that_a_copy_lacks_are_harmless(name: str, tmp_path: Path):
    root = clean("debian", tmp_path)
    (root / SITE).write_text((root / SITE).read_text().replace("access_log off;", f"access_log off;\ninclude {name};"))
    assert found(check([root])) == []
    (root / SITE).write_text((root / SITE).read_text().replace(name, "ssl-and-jicofo.conf"))
    assert found(check([root])) != []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("values.yaml", "prosody:\n  enableAuth: true\n", "Helm"),
        ("chart/Chart.yaml", "apiVersion: v2\n", "Helm"),
        ("k8s/web.yaml", "kind: Deployment\n", "Kubernetes"),
        ("roles/jitsi/templates/prosody.cfg.lua.j2", "VirtualHost '{{ host }}'\n", "Ansible"),
        ("templates/jicofo.conf.erb", "<%= @x %>\n", "Puppet"),
        ("jitsi.nix", "{ services.jitsi-meet.enable = true; }\n", "NixOS"),
        ("prosody.container", "[Container]\nImage=jitsi/prosody\n", "Podman"),
        ("jitsi/init.sls", "x:\n", "Salt"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_what_to_give_instead(name: str, text: str, words: str, tmp_path: Path):
    root = write(tmp_path / "given", {name: text})
    result = check([root])
    assert result.open
    (reason,) = [finding.what for finding in result.findings if words in finding.what]
    assert "check " in reason
    hardened = write(clean("debian", tmp_path), {name: text})
    assert found(check([hardened])) == []


@pytest.mark.parametrize(
    ("text", "words"), [("jicofo: {}\nprosody: {}\n", "Helm"), ("kind: Pod\napiVersion: v1\n", "Kubernetes")]
)
def test_a_yaml_file_that_is_no_compose_file_is_named(text: str, words: str, tmp_path: Path):
    write(tmp_path, {"given.yaml": text})
    assert any(words in line for line in found(check([tmp_path / "given.yaml"])))


def test_of_many_findings_of_one_kind_in_a_file_the_first_are_shown(tmp_path: Path):
    root = write(stock(tmp_path), {"nginx/conf.d/x.conf": "}\n" * 10_000})
    of_file = [finding for finding in check([root]).findings if finding.file.endswith("x.conf")]
    assert len(of_file) == 21
    assert of_file[-1].what.startswith("9980 more of this kind")
