"""The readers of check-server: values with their lines, doubts instead of guesses, and no input that they fall over."""

from __future__ import annotations

import contextlib
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import UsageError
from hardener.servercheck.check import check
from hardener.servercheck.deployments import front_servers, java, nginx_site
from hardener.servercheck.deployments.files import Folder
from hardener.servercheck.model import GLOBAL, Deployment, Prosody, Setting, Unknown, Where, strings
from hardener.servercheck.queries import words
from hardener.servercheck.readers import compose, dotenv, hocon, javascript, lua, nginx, properties
from hardener.servercheck.rules import web
from support.server_fixtures import HERE


def prosody(text: str) -> tuple[Prosody, list]:
    made = Prosody()
    return made, lua.read(textwrap.dedent(text).encode(), "p.lua", made, lambda _pattern, _where: [])


def conf(text: str) -> tuple[dict[str, Setting], list]:
    return hocon.read(textwrap.dedent(text), "j.conf", lambda _name, _where, _required: [])


def value(settings: dict[str, Setting], key: str):
    return settings[key].value, settings[key].where.line


# --- Lua


def test_options_belong_to_the_host_above_them_and_inherit_the_global_ones():
    made, doubts = prosody("""
        authentication = "internal_hashed"
        VirtualHost "a"
            authentication = "token"
        VirtualHost "b"
        Component "c" "muc" { restrict_room_creation = true }
        after = 1
    """)
    assert [(host.name, made.provider(host).value) for host in made.hosts] == [("a", "token"), ("b", "internal_hashed")]
    assert made.components[0].module == "muc"
    assert made.components[0].settings["restrict_room_creation"].value is True
    assert "after" in made.sections[GLOBAL].settings  # braces close the section
    assert doubts == []


def test_a_host_opened_again_goes_on_and_the_last_value_wins():
    made, _ = prosody(
        'VirtualHost "a"\nauthentication = "token"\nVirtualHost "b"\nVirtualHost "a"\nauthentication = "anonymous"\n'
    )
    assert value(made.sections["a"].settings, "authentication") == ("anonymous", 5)


def test_modules_are_those_of_prosodys_own_rules():
    made, _ = prosody("""
        modules_enabled = { "bosh"; "smacks" }
        modules_disabled = { "s2s" }
        VirtualHost "a"
            modules_enabled = { "x" }
            modules_disabled = { "bosh" }
        Component "c" "muc"
    """)
    host, component = made.hosts[0], made.components[0]
    assert {"x", "smacks", "c2s"} <= set(made.modules(host))
    assert not {"bosh", "s2s"} & set(made.modules(host))
    assert set(made.modules(component)) == {"muc", "smacks", "iq"}  # of the global ones, what Components inherit


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ('"a\\"b\\065"', 'a"bA'),
        ("'x'", "x"),
        ("[==[long]==]", "long"),
        ('"a" .. "b"', "ab"),
        ("not true", False),
        ("nil or 'd'", "d"),
        ("-5", -5),
        ("0x10", 16),
        ("(true)", True),
        ("base", "known"),
    ],
)
def test_constants_are_told(source: str, result: object):
    made, doubts = prosody(f"local base = 'known'\nx = {source}\n")
    assert made.sections[GLOBAL].settings["x"].value == result
    assert doubts == []


@pytest.mark.parametrize(
    "source", ["f()", "ENV_X", 'os.getenv("X")', "a .. b", "{ f() }", "function() end", "x.y", "#t"]
)
def test_what_needs_running_is_told_as_unknown(source: str):
    made, doubts = prosody(f"authentication = {source}\n")
    setting = made.sections[GLOBAL].settings["authentication"]
    assert isinstance(setting.value, Unknown) or not setting.value.complete
    assert [(doubt.where.line, doubt.vital) for doubt in doubts] == [(1, True)]


def test_a_host_in_an_if_counts_as_there_and_its_options_as_unknown():
    made, doubts = prosody('if x then\n  VirtualHost "g"\n  authentication = "anonymous"\nend\n')
    assert made.hosts[0].name == "g"
    assert made.provider(made.hosts[0]).unknown
    assert doubts[0].vital


def test_what_stands_behind_a_mistake_is_still_read():
    made, doubts = prosody('x = = 3\nVirtualHost "g"\nauthentication = "anonymous"\n')
    assert made.provider(made.hosts[0]).value == "anonymous"
    assert any("not valid Lua" in doubt.reason for doubt in doubts)


def test_comments_count_for_nothing():
    made, doubts = prosody('-- VirtualHost "g"\n--[[\nVirtualHost "h"\n]]\nmodules_enabled = {\n "a"; -- "b";\n}\n')
    assert made.hosts == []
    assert [setting.value for setting in strings(made.own(GLOBAL, "modules_enabled"))] == ["a"]
    assert doubts == []


# --- HOCON


def test_paths_and_objects_mean_the_same_and_the_last_one_wins():
    settings, doubts = conf("""
        jicofo.conference { enable-auto-owner = true }
        jicofo { conference { "enable-auto-owner": false, x = [1, "2"] } } // a comment
        # another
        jicofo.authentication.authentication-lifetime = 1 hour
    """)
    assert value(settings, "jicofo.conference.enable-auto-owner") == (False, 3)
    assert settings["jicofo.authentication.authentication-lifetime"].value == "1 hour"
    assert [setting.value for setting in settings["jicofo.conference.x"].value.items] == [1, "2"]
    assert doubts == []


def test_a_value_in_the_place_of_an_object_takes_all_of_it_away():
    settings, _ = conf("a { b = 1 }\na = null\n")
    assert set(settings) == {"a"}


@pytest.mark.parametrize("text", ["jicofo.authentication.enabled = ${X}", "jicofo.authentication.enabled += 1"])
def test_substitutions_are_unknown(text: str):
    settings, _ = conf(text)
    assert settings["jicofo.authentication.enabled"].unknown


@pytest.mark.parametrize(
    "text", ['include url("http://x.example/")', "include classpath('x')", "a = {", "}", "a b c", "= 1"]
)
def test_what_cannot_be_read_is_told(text: str):
    _, doubts = conf(text)
    assert doubts
    assert all(doubt.vital for doubt in doubts)


def test_a_broken_line_does_not_tell_its_secret():
    _, doubts = conf('password = ok\n"hunter2hunter2" "x"\n= "hunter2"\n[ "hunter2" = ]\n')
    assert doubts
    assert "hunter2" not in "".join(doubt.reason for doubt in doubts)


# --- config.js


def test_config_js_is_read_in_both_its_shapes():
    settings, doubts = javascript.read(
        b"var config = { hosts: { domain: 'x' }, 'p2p': { stunServers: [ { urls: 'stun:s' } ] } };\n"
        b"config.hosts.anonymousdomain = 'g'; config['on'] = !0;\nother.x = 1;",
        "c.js",
    )
    assert value(settings, "hosts.anonymousdomain") == ("g", 2)
    assert settings["on"].value is True
    assert settings["hosts.domain"].value == "x"
    assert "x" not in settings
    assert doubts == []


def test_config_made_anew_forgets_what_was_set():
    settings, _ = javascript.read(b"var config = { a: 1 };\nconfig = { b: 2 };\n", "c.js")
    assert set(settings) == {"b"}


# --- nginx


def test_quotes_inside_a_word_are_part_of_it():
    text = "server { location ~ ^/([^/?&:'\"]+)$ { proxy_pass http://p; } root /usr/share/jitsi-meet; }"
    directives, doubts = nginx.parse(text, "n.conf", lambda _pattern, _where: [])
    (site,) = nginx_site.sites(directives)
    assert doubts == []
    assert site.proxies[0].target == "http://p"


@pytest.mark.parametrize(
    ("text", "cleartext"),
    [
        ("location / { return 301 https://$host$request_uri; }", False),
        ("return 301 https://x;", False),
        ("", True),
        ("location /x { return 301 https://x; }", True),
    ],
)
def test_a_server_without_tls_may_only_send_people_to_the_other_one(text: str, cleartext: bool):
    both = (
        "server { listen 80; location /.well-known/ { root /usr/share/jitsi-meet; } " + text + " }"
        "server { listen 443 ssl; root /usr/share/jitsi-meet; }"
    )
    plain, encrypted = nginx_site.sites(nginx.parse(both, "n.conf", lambda _pattern, _where: [])[0])
    assert (plain.cleartext is not None) is cleartext
    assert encrypted.cleartext is None


# --- .env and compose


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("A=x", "x"),
        ("export A=x # comment", "x"),
        ("A=x#y", "x#y"),
        ("A='x $B # y'", "x $B # y"),
        ('A="x ${B} # y"', "x b # y"),
        ("A=${B}-${C:-d}", "b-d"),
        ("A=${B:+set}", "set"),
        ("A=$$B", "$B"),
        ("A=", ""),
        ('A="two\nlines"', "two\nlines"),
        ("A: x", "x"),
    ],
)
def test_env_files_are_read_as_compose_reads_them(line: str, result: str):
    settings, doubts = dotenv.read(f"B=b\n{line}\n", ".env")
    assert value(settings, "A") == (result, 2)
    assert doubts == []


@pytest.mark.parametrize("line", ["A=$C", "A=${C}", "A", "just words", 'A="open'])
def test_what_comes_from_the_shell_is_told(line: str):
    _, doubts = dotenv.read(line, ".env")
    assert [doubt.vital for doubt in doubts] == [True]


def test_values_that_double_at_each_step_reach_a_limit():
    lines = ["A0=0123456789", *(f"A{step + 1}=$A{step}$A{step}" for step in range(60))]
    settings, doubts = dotenv.read("\n".join(lines), ".env")
    assert settings["A60"].unknown
    wide = dotenv.read("A=" + "x" * 100_000 + "\nB=" + "$A" * 50_000, ".env")[0]["B"]
    assert wide.unknown
    assert doubts


def services(text: str, env: dict[str, Setting] | None = None) -> tuple[dict[str, compose.Service], list]:
    project = compose.Project(env or {}, lambda path, _where: textwrap.dedent(text) if path.name == "c.yml" else None)
    project.load(Path("c.yml"), Path())
    return project.services, project.unclear


def test_merged_and_own_variables_of_a_service():
    found, doubts = services("""
        x-e: &e { ENABLE_AUTH: "1", ENABLE_GUESTS: "1" }
        services:
          prosody:
            image: jitsi/prosody:stable
            environment:
              <<: *e
              ENABLE_GUESTS: "0"
              AUTH_TYPE:
    """)
    service = found["prosody"]
    assert {name: setting.value for name, setting in service.environment.items()} == {
        "ENABLE_AUTH": "1",
        "ENABLE_GUESTS": "0",
    }
    assert set(service.passed) == {"AUTH_TYPE"}
    assert service.upstream
    assert doubts == []


@pytest.mark.parametrize(
    ("port", "open_"),
    [("'5222:5222'", True), ("'127.0.0.1:5222:5222'", False), ("'[::1]:5222:5222'", False), ("'0.0.0.0:5222:5222'", True), ("'192.0.2.1:5222:5222'", True), ("5222", True),
     ("{ target: 5222, published: '5222', host_ip: 127.0.0.1 }", False), ("{ target: 5222 }", True),
     ("'${BIND:-127.0.0.1}:5222:5222'", False), ("'${P:-5222}:5222/tcp'", True)],
)  # fmt: skip
def test_ports_that_others_reach(port: str, open_: bool):
    found, _ = services(f"services: {{ prosody: {{ image: jitsi/prosody, ports: [{port}] }} }}")
    assert [reached.service for reached in found["prosody"].ports] == (["c2s"] if open_ else [])


def test_yaml_that_is_none_and_services_from_elsewhere_are_told():
    assert services("services: [")[1][0].vital
    assert services("services: { jicofo: { extends: x } }")[1][0].vital
    assert services("include: [$UNSET]")[1][0].vital


# --- no input makes a reader fall over

PIECES = st.sampled_from(
    'VirtualHost "a" { } ( ) [ ] = == : ; , . .. \\ \n " \' [[ ]] -- # // ${X} ${ += include Include end if then function'
    " nil true 1 0x config var => ` $A < <<: - * &a *a server location root muc authentication modules_enabled é \0".split(
        " "
    )
)
TEXTS = st.one_of(
    st.text(max_size=200), st.lists(PIECES, max_size=60).map(" ".join), st.lists(PIECES, max_size=60).map("".join)
)


FILES = {path.name: path.read_text() for path in sorted(HERE.rglob("*")) if path.is_file()}


@st.composite
def mutated(draw: st.DrawFn, name: str) -> str:
    """A file of a hardened server with pieces cut out, doubled and put in."""
    text = FILES[name]
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        piece = draw(st.one_of(PIECES, st.sampled_from([text[start:end], "", text[start:end] * 3])))
        text = text[:start] + piece + text[end if draw(st.booleans()) else start :]
    return text[:20_000]


@given(st.one_of(TEXTS, mutated("meet.example.org.cfg.lua")))
def test_lua_of_any_kind(text: str):
    made = Prosody()
    lua.read(text.encode(), "x", made, lambda _pattern, _where: [("y", text.encode())] if len(text) < 20 else [])
    for section in made.sections.values():
        made.modules(section)
        made.provider(section)


@given(st.one_of(TEXTS, mutated("jicofo.conf")))
def test_hocon_of_any_kind(text: str):
    hocon.read(text, "x", lambda _name, _where, _required: [("y", text)])


@given(st.one_of(TEXTS, mutated("meet.example.org-config.js")))
def test_javascript_of_any_kind(text: str):
    javascript.read(text.encode(), "x")


@given(st.one_of(TEXTS, mutated("meet.example.org.conf")))
def test_nginx_of_any_kind(text: str):
    directives, _ = nginx.parse(text, "x", lambda _pattern, _where: [("y", text)] if len(text) < 20 else [])
    nginx_site.sites(directives)


@given(st.one_of(TEXTS, mutated("jicofo.conf")))
def test_properties_and_options_of_any_kind(text: str):
    found = [*properties.read(text, "x"), *properties.options(text, "x")]
    java.old_jicofo(found, {}, Deployment("files"))
    java.started(found, {}, ("jicofo.",), Deployment("files"))


@given(
    st.sampled_from(["Caddyfile", "haproxy.cfg", "apache2/x.conf", "envoy.yaml"]),
    st.one_of(TEXTS, mutated("docker-compose.yml")),
)
def test_front_servers_of_any_kind(tmp_path_factory: pytest.TempPathFactory, name: str, text: str):
    path = tmp_path_factory.mktemp("any") / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    result = Deployment("files")
    front_servers.read(Folder(path.parent.parent if "/" in name else path.parent, lambda _w, _r, _v: None), result)
    list(web.check(result))


@given(st.one_of(TEXTS, mutated(".env"), mutated("docker-compose.yml")))
def test_env_and_compose_of_any_kind(text: str):
    settings, _ = dotenv.read(text, "x")
    project = compose.Project(settings, lambda _path, _where: text)
    project.load(Path("y"), Path())
    for service in project.services.values():
        compose.resolve(service, settings, lambda _setting, _base, _needed: None, lambda _where, _reason: None)
        assert len(service.ports) + len(project.mounts(service)) >= 0


def test_hocon_that_includes_itself_twice_ends():
    text = 'a {\n include "x"\n b {\n include "x"\n }\n}\n'
    _, doubts = hocon.read(text, "x", lambda name, _where, _required: [(name, text)])
    assert {doubt.reason for doubt in doubts} == {"files include each other without end"}


@pytest.mark.parametrize("opening", ["x = " + "{" * 5000, "x = " + "(" * 5000, "if x then " * 3000])
def test_deep_nesting_is_told(opening: str):
    _, doubts = prosody(opening)
    assert doubts


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a {" * 5000])
def test_deep_hocon_is_told(text: str):
    _, doubts = conf(text)
    assert doubts


@pytest.mark.parametrize("array", ["[" * 63 + "]" * 63, "[1, 2", "[{ b = 1 ]", "[1, {", "[1 }"])
def test_an_array_after_which_hocon_is_not_read_is_a_vital_doubt(array: str):
    """Whatever its name is: a later line may change how people log in."""
    _, doubts = conf(f"a = false\nx = {array}\na = true\n")
    assert any(doubt.vital for doubt in doubts)


def test_a_lua_text_that_each_line_doubles_is_not_joined_without_end():
    made, doubts = prosody('local a = "0123456789"\n' + "a = a .. a\n" * 12 + "x = a\n")
    assert made.own("*", "x").unknown
    assert doubts


def test_a_lua_table_that_each_line_doubles_is_looked_through_once():
    made, _ = prosody('local a = { "x" }\n' + "a = { a, a }\n" * 12 + "log = a\n")
    assert list(words(made.own("*", "log").value)) == ["x"]


def test_a_lua_table_that_many_hosts_are_given_is_not_copied_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lua, "MOST", 20)
    table = "local t = { " + "".join(f"a{number} = 1; " for number in range(8)) + "}\n"
    made, doubts = prosody(table + "".join(f'VirtualHost "h{number}" (t)\n' for number in range(4)))
    assert [len(host.settings) for host in made.hosts] == [8, 8, 0, 0]
    assert len(doubts) == 2


@pytest.mark.parametrize("digits", ["1" * 5000, "0x" + "f" * 5000], ids=["decimal", "hexadecimal"])
def test_numbers_that_are_too_long_to_be_printed_are_not_known(digits: str):
    made, _ = prosody(f"http_ports = {{ {digits} }}")
    assert made.own("*", "http_ports").value.items[0].unknown
    settings, _ = javascript.read(f"var config = {{ a: {digits} }};".encode(), "x")
    assert settings["a"].unknown


NAMES = [("k" * 99 + separator) * 40 for separator in (".", " { ")]


@pytest.mark.parametrize("value", ["{ b = 1 }", "= 1", ": [1]", "+= 1"])
@pytest.mark.parametrize("names", NAMES, ids=["dots", "braces"])
def test_hocon_names_that_each_object_makes_longer_are_told(names: str, value: str):
    settings, doubts = hocon.read(f"{names} a {value}", "x", lambda _name, _where, _required: [])
    assert settings == {}
    assert doubts


@pytest.mark.parametrize(
    "text",
    ["config" + ".k" * 999 + " = 1;", "config = " + f"{{ {'k' * 99}: " * 30 + "1" + "}" * 30],
    ids=["dots", "braces"],
)
def test_javascript_names_that_each_object_makes_longer_are_told(text: str):
    settings, doubts = javascript.read(text.encode(), "x")
    assert (settings, len(doubts)) == ({}, 1)


def test_a_hocon_text_without_its_end_is_looked_at_once():
    assert len(hocon._tokens('"' + '\\"' * 50)) == 2
    settings, doubts = conf('a = "b\nc = 1')
    assert settings["a"].unknown
    assert settings["c"].value == 1
    assert [doubt.reason for doubt in doubts] == ["a text without its end"]


@given(st.lists(TEXTS, min_size=5, max_size=5))
def test_a_folder_of_any_files(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    root = tmp_path_factory.mktemp("any")
    names = ("prosody.cfg.lua", "jicofo.conf", "jvb.conf", "config.js", "nginx.conf")
    for name, text in zip(names, texts, strict=True):
        (root / name).write_bytes(text.encode())
    check([root])


@given(TEXTS)
def test_any_env_file(tmp_path_factory: pytest.TempPathFactory, text: str):
    path = Path(tmp_path_factory.mktemp("any"), "x.env")
    path.write_bytes(f"ENABLE_AUTH=1\n{text}".encode())
    with contextlib.suppress(UsageError):  # with a zero byte, it is not a text
        check([path])


def test_where_is_readable():
    assert str(Where("a/.env", 3, "ENABLE_AUTH")) == "a/.env:3 (ENABLE_AUTH)"
    assert str(Where("a/.env", 0, "X is not set")) == "a/.env (X is not set)"
