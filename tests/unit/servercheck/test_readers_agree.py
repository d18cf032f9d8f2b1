"""servercheck/readers/: hocon, nginx and dotenv read what pyhocon, crossplane and python-dotenv read.

Files are made of pieces on which both sides have to agree. In what they differ is listed below each test, with the
reason why ours is right (or says that it does not know); a library that changes its mind fails there.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import crossplane
import dotenv as python_dotenv
import hypothesis
import hypothesis.strategies as st
import pyhocon
import pytest

from hardener.servercheck.model import Table, Unknown
from hardener.servercheck.readers import dotenv, hocon, nginx

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = "?"


# HOCON


def our_hocon(text: str) -> tuple[dict[str, Any], bool]:
    """Return the settings by path, and whether something could not be determined."""

    def plain(value: Any) -> Any:
        if isinstance(value, Table):
            return [plain(item.value) for item in value.items]
        return UNKNOWN if isinstance(value, Unknown) else value

    settings, unclear = hocon.read(text, "x.conf", lambda *_: [])
    return {path: plain(setting.value) for path, setting in settings.items()}, bool(unclear)


def their_hocon(text: str) -> dict[str, Any]:
    """Return pyhocon's settings by path."""
    found: dict[str, Any] = {}

    def walk(path: str, node: Any) -> None:
        for key, value in node.items():
            inner = f"{path}.{key}" if path else key
            if isinstance(value, dict):
                walk(inner, value)
            else:
                found[inner] = value

    walk("", pyhocon.ConfigFactory.parse_string(text))
    return found


SCALARS = (
    *"1 -2 0 007 true false null /p a-b it's".split(),
    *(
        '"s_t"',
        '""',
        '"#"',
        '"//"',
        r'"a\\b"',
        r'"a\"b"',
        r'"a\nb"',
        'a""b',
        '"a" "b"',
        '"a"b  c',
        '"""l\nm"""',
        '"a.b"',
    ),
    *("foo bar", "x  y", "1 2", "a b c", "a/b c"),
)
KEYS = st.sampled_from(["a", "b", "c", "a.b", "b.c.d", '"q r"', '"x.y"', '"a"', "1", "x y", "a-b"])


def _object(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.tuples(KEYS, st.sampled_from(["=", " = ", ":", " : ", "=\n"]), values).map("".join)
    inner = st.tuples(KEYS, st.sampled_from(["", " ", "\n", " = ", ": "]), values.map("{{z = {}\n}}".format)).map(
        "".join
    )
    comment = st.sampled_from(["", "", " # c", " // c"])
    line = st.tuples(member | inner, comment, st.sampled_from(["\n", "\n\n"])).map("".join)
    return st.lists(line, min_size=1, max_size=5).map("".join)


LISTS = st.lists(
    st.sampled_from([scalar for scalar in SCALARS if scalar not in ("null", '""')]), min_size=1, max_size=3
)
VALUES = (
    st.sampled_from(SCALARS) | LISTS.map(", ".join).map("[{}]".format) | LISTS.map("\n".join).map("[\n{}\n]".format)
)


@hypothesis.given(_object(VALUES), st.booleans())
def test_hocon_is_read_as_pyhocon_reads_it(text: str, braces: bool) -> None:
    content = f"{{{text}}}" if braces else text
    assert our_hocon(content) == (their_hocon(content), False)


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        pytest.param(
            "a = x//y", {"a": "x"}, {"a": "x//y"}, id="a comment begins inside a text, too (the specification)"
        ),
        pytest.param('a = "\\u0041"', {"a": "A"}, {"a": "\\u0041"}, id="escapes are those of JSON (the specification)"),
        pytest.param(
            "a = true x", {"a": "true x"}, {"a": "Truex"}, id="a text of several words stays as it is written"
        ),
        pytest.param('a = [""]', {"a": [""]}, {"a": []}, id="an empty text is an element"),
        pytest.param("a = 1.50", {"a": "1.50"}, {"a": 1.5}, id="no rule reads a fraction"),
    ],
)
def test_hocon_differs_on_purpose(text: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert our_hocon(text) == (ours, False)
    assert their_hocon(text) == theirs


# nginx


def our_nginx(text: str) -> tuple[list[Any], list[str]]:
    """Return the directives as tuples, and what could not be determined."""
    directives, unclear = nginx.parse(text, "x.conf", lambda *_: [])

    def plain(found: list[nginx.Directive]) -> list[Any]:
        return [
            (
                directive.name,
                directive.words,
                directive.where.line,
                None if directive.body is None else plain(directive.body),
            )
            for directive in found
        ]

    return plain(directives), [doubt.reason for doubt in unclear]


def their_nginx(folder: Path, text: str) -> list[Any]:
    """Return crossplane's directives as tuples."""
    path = folder / "x.conf"
    path.write_text(text, "utf-8")
    read = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    assert read["errors"] == []

    def plain(found: list[dict[str, Any]]) -> list[Any]:
        return [
            (
                directive["directive"],
                tuple(directive["args"]),
                directive["line"],
                plain(directive["block"]) if "block" in directive else None,
            )
            for directive in found
            if directive["directive"] != "#"  # comments in the middle of a directive
        ]

    return plain(read["config"][0]["parsed"])


WORDS = st.sampled_from(
    (
        *("a", "b/c", "$x", "x${y}z", "a#b", "~*", "^/x(.*)$", 'x"y', r"a\;b", r"a\{b", r"\.php$"),
        *('"q r"', "'s t'", r'"a\"b"', r"'a\'b'", '"it\'s"', '"a;b"', '"a{b"', '""', '"x\ny"'),
    )
)
NAMES = st.sampled_from(["server", "root", "set", "location", "add_header", "map", "listen"])
GAPS = st.sampled_from([" ", "\n", " \n\t", " # c\n", "\n# c ; {\n"])
HEADS = st.tuples(NAMES, st.lists(st.tuples(GAPS, WORDS).map("".join), max_size=3).map("".join)).map("".join)
BODIES = st.recursive(
    st.lists(st.tuples(HEADS, st.sampled_from([";", " ;", ";\n", "; # c\n"])).map("".join), max_size=3).map("".join),
    lambda inner: st.lists(
        st.tuples(HEADS, st.just(" {\n"), inner, st.sampled_from(["}", "\n}\n"])).map("".join), max_size=3
    ).map("".join),
    max_leaves=6,
)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(BODIES)
def test_nginx_is_read_as_crossplane_reads_it(tmp_path: Path, text: str) -> None:
    assert our_nginx(text) == (their_nginx(tmp_path, text), [])


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        pytest.param(
            r'set "a\\b";', "a\\b", r"a\\b", id="nginx takes an escaped backslash as one (ngx_conf_read_token)"
        ),
        pytest.param(r'set "a\tb";', "a\tb", r"a\tb", id="nginx reads tabs and line ends"),
        pytest.param(r"set a\"b;", 'a"b', r"a\"b", id="and all of them without quotes, too"),
        pytest.param("set ${x} ;", "${x}", "${x} ", id="white space ends a word behind a variable, too"),
    ],
)
def test_nginx_differs_on_purpose(tmp_path: Path, text: str, ours: str, theirs: str) -> None:
    assert our_nginx(text) == ([("set", (ours,), 1, None)], [])
    assert their_nginx(tmp_path, text) == [("set", (theirs,), 1, None)]


@pytest.mark.parametrize("text", ["server { {} root /x; }", "server { ; }"])
def test_what_nginx_does_not_start_with_is_told(text: str) -> None:
    assert our_nginx(text)[1]


# .env


def our_dotenv(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables, and what could not be determined."""
    settings, unclear = dotenv.read(text, ".env")
    return {name: UNKNOWN if setting.unknown else setting.value for name, setting in settings.items()}, [
        doubt.reason for doubt in unclear
    ]


def their_dotenv(text: str) -> dict[str, str | None]:
    """Return python-dotenv's variables."""
    return dict(python_dotenv.dotenv_values(stream=io.StringIO(text)))


DEFINED = 'A="q"\nB=\n'
ASSIGNED = st.sampled_from(
    (
        *("x", "a b", " x ", "a#b", "a #c", "#c", "", "it's", 'a"b', "a=b", "a\tb", "a\t#c", "ä", r"a\nb"),
        *('"q r"', "'s t'", '"ä"', '""', "''", '"a" # c', "'a' # c", '"x\ny"', "'x\ny'", r"'a\'b'"),
        *(r'"a\"b"', r'"a\nb"', r'"a\\"', r'"\a\v"', r'"\q"'),
        *("${A}", "${A}${B}", '"x${A}y"', "${C:-d}", "x${A:-d} y"),
    )
)
VARIABLES = st.sampled_from(["D", "E", "F_1", "g.h", "export D", " D", "D ", "export  E"])
LINES = st.tuples(VARIABLES, st.sampled_from(["=", " = ", "= "]), ASSIGNED).map("".join) | st.sampled_from(
    ["", "# c", "  # c=d"]
)


@hypothesis.given(st.lists(LINES, max_size=5).map("\n".join), st.sampled_from(["", "\n"]))
def test_env_files_are_read_as_python_dotenv_reads_them(text: str, end: str) -> None:
    content = DEFINED + text + end
    assert our_dotenv(content) == (their_dotenv(content), [])


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        pytest.param("A=x\nD='${A}'", "${A}", "x", id="Compose fills in nothing between single quotes"),
        pytest.param("A=x\nD=$A", "x", "$A", id="Compose knows $NAME, too"),
        pytest.param("B=\nD=${B:-d}", "d", "", id="Compose takes the default for an empty variable, too"),
        pytest.param('D="\\$A"', "$A", "\\$A", id="Compose takes an escaped dollar as one"),
        pytest.param("D=${NOT_SET_HERE}", UNKNOWN, "", id="it may be set in the shell where Compose is started"),
    ],
)
def test_env_files_differ_on_purpose(text: str, ours: str, theirs: str) -> None:
    assert our_dotenv(text)[0]["D"] == ours
    assert their_dotenv(text)["D"] == theirs
