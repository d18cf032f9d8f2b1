"""policy/sdks.py: each rule of sdks.toml finds its SDK, wherever it is, and a site with a find is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hardener.errors import ConfigError, ScanError
from hardener.pipeline.scan import check
from hardener.policy.sdks import Sdk, find_fingerprints, find_modules, in_force, problems, read_sdks, sources
from support.fakes import write_files

REAL = Path(__file__).parents[3] / "sdks.toml"
SPY = Sdk("spy", "it spies", ("node_modules/@spy/", "react/features/spy/Spy*.ts"), ("spy.collect",))


def entry(name: str, more: str = 'modules = ["node_modules/x/"]') -> str:
    """Return one [[sdk]] of sdks.toml."""
    return f'[[sdk]]\nname = "{name}"\nreason = "because"\n{more}\n'


def listed(folder: Path, *blocks: str) -> Path:
    """Write sdks.toml."""
    return write_files(folder, {"sdks.toml": "\n".join(blocks)}) / "sdks.toml"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("node_modules/@spy/js/index.js", True),
        ("node_modules/a/node_modules/@spy/js/index.js", True),
        ("react/features/spy/SpyManager.web.ts", True),
        ("node_modules/@spying/js/index.js", False),
        ("vendor/react/features/spy/Spy.ts", False),
        ("react/features/spy/Spy.tsx", False),
        ("react/features/spy/stub.ts", False),
    ],
)
def test_module_rules_fit_whole_paths_and_packages_below_packages(path: str, found: bool) -> None:
    assert [trace.what for trace in find_modules([path], "app", [SPY])] == [path] * found


def test_fingerprint_is_found_where_it_stands_and_letters_count() -> None:
    (trace,) = find_fingerprints(b'"Spy.Collect";spy.collect(1)', "libs/a.js", [SPY])
    assert (trace.sdk, trace.rule, trace.where) == ("spy", "spy.collect", "libs/a.js:14")


SOURCE_MAPS = {
    "as bundlers write it": (b'{"version":3,"sources":["webpack://a b/./x.js","webpack://c/y.js"],"names":[]}', ["x.js", "y.js"]),
    "with blanks": (b'{\n "sources": [\n  "webpack://a/./x.js",\n  "y.js"\n ]\n}', ["x.js", "y.js"]),
    "with a quote in a name": (rb'{"sources":["webpack://a/./x\".js"]}', ['x".js']),
    "empty": (b'{"sources":[]}', []),
    "without sources": (b'{"version":3}', []),
}  # fmt: skip


@pytest.mark.parametrize(("content", "names"), SOURCE_MAPS.values(), ids=SOURCE_MAPS.keys())
def test_names_of_a_source_map_are_read(content: bytes, names: list[str]) -> None:
    assert sources(content) == names


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("libs/a.js", b"a();spy.collect(1)", "spy: fingerprint 'spy.collect' in libs/a.js:4: "),
        ("libs/a.wasm", b"\0asm\xffspy.collect\0", "spy: fingerprint 'spy.collect' in libs/a.wasm:5: "),
        (
            "libs/a.js.map",
            b'{"sources":["webpack://a/./node_modules/@spy/x.js"]}',
            "spy: module 'node_modules/@spy/' in libs/a.js.map: node_modules/@spy/x.js",
        ),
    ],
    ids=["script", "binary", "source map"],
)
def test_a_planted_sdk_turns_the_check_red_with_rule_and_place(
    tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    hosts = write_files(tmp_path, {"hosts.toml": ""}) / "hosts.toml"
    site = write_files(tmp_path / "site", {"libs/b.js": b"harmless()"})
    assert check(site, hosts, (SPY,), {"site/app": ["app.js"]}).problems == ()
    write_files(site, {name: content})
    with pytest.raises(ScanError, match=r"sdks\.toml forbids: spy$") as caught:
        check(site, hosts, (SPY,))
    assert caught.value.exit_code == 7
    assert caught.value.details[0].startswith(place)
    assert "--extra" in caught.value.hint


def test_a_module_of_a_bundle_turns_it_red_though_nothing_is_served(tmp_path: Path) -> None:
    hosts = write_files(tmp_path, {"hosts.toml": ""}) / "hosts.toml"
    site = write_files(tmp_path / "site", {"libs/b.js": b"harmless()"})
    modules = [f"node_modules/@spy/{n}.js" for n in range(5)]
    with pytest.raises(ScanError) as caught:
        check(site, hosts, (SPY,), {"lib/umd": modules})
    (line,) = caught.value.details
    assert line == (
        "spy: module 'node_modules/@spy/' in bundle lib/umd: "
        "node_modules/@spy/0.js; node_modules/@spy/1.js; node_modules/@spy/2.js; and 2 more"
    )


def test_hosts_and_sdks_are_said_at_once(tmp_path: Path) -> None:
    hosts = write_files(tmp_path, {"hosts.toml": ""}) / "hosts.toml"
    site = write_files(tmp_path / "site", {"b.js": b"spy.collect('https://spy.example')"})
    with pytest.raises(ScanError, match=r"forbids: spy; .* differ in 1 host") as caught:
        check(site, hosts, (SPY,))
    assert len(caught.value.details) == 2


MALFORMED = {
    "malformed TOML": ("[[sdk]\n", "line 1"),
    "unknown table": (entry("a").replace("[[sdk]]", "[[sdks]]"), "unknown key 'sdks'"),
    "a table": ('[sdk]\nname = "a"\n', "not a table"),
    "unknown key": (entry("a", 'module = ["x"]'), "unknown key 'module'"),
    "no name": ('[[sdk]]\nreason = "x"\nmodules = ["x"]\n', "'name' is missing"),
    "no reason": ('[[sdk]]\nname = "x"\nmodules = ["x"]\n', "'reason' is missing"),
    "empty reason": ('[[sdk]]\nname = "x"\nreason = ""\nmodules = ["x"]\n', "reason = ''"),
    "no rule": (entry("a", ""), "a has no rule"),
    "empty rules": (entry("a", "modules = []\nfingerprints = []"), "a has no rule"),
    "modules is a text": (entry("a", 'modules = "x"'), "modules = 'x'"),
    "absolute module": (entry("a", 'modules = ["/x"]'), "modules"),
    "short fingerprint": (entry("a", 'fingerprints = ["_paq"]'), "fingerprints"),
    "fingerprint with a quote": (entry("a", "fingerprints = ['say \"spy\"']"), "fingerprints"),
    "fingerprint that is not ASCII": (entry("a", 'fingerprints = ["spähend"]'), "fingerprints"),
    "one rule twice": (entry("a", 'modules = ["x", "x"]'), "modules"),
    "twice": (entry("a") * 2, "a is listed twice"),
}


@pytest.mark.parametrize(("text", "named"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_sdks_toml_is_a_config_error(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        read_sdks(listed(tmp_path, text))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_downstream_list_adds_replaces_and_allows(tmp_path: Path) -> None:
    ours = listed(tmp_path / "ours", entry("a"), entry("b"), entry("c"))
    theirs = listed(tmp_path / "theirs", entry("a", ""), entry("b", 'modules = ["y"]'), entry("d"))
    rules = {sdk.name: sdk.modules for sdk in in_force(ours, [theirs])}
    assert rules == {"b": ("y",), "c": ("node_modules/x/",), "d": ("node_modules/x/",)}


RULES = [
    pytest.param(sdk, kind, rule, id=f"{sdk.name}: {rule}")
    for sdk in read_sdks(REAL)
    for kind, rules in (("module", sdk.modules), ("fingerprint", sdk.fingerprints))
    for rule in rules
]


@pytest.mark.parametrize(("sdk", "kind", "rule"), RULES)
def test_each_rule_of_our_list_finds_what_is_planted(sdk: Sdk, kind: str, rule: str) -> None:
    """The only proof for entries with 'absent'; the others are also compared with upstream's bundle (pipeline
    tests).
    """
    every = read_sdks(REAL)
    if kind == "module":
        path = rule.replace("*", "Planted") + ("planted.js" if rule.endswith("/") else "")
        found = find_modules(["app.js", path], "app", every)
    else:
        found = find_fingerprints(b'!function(){"' + rule.encode() + b'"}', "a.js", every)
    assert {(trace.sdk, trace.rule) for trace in found} == {(sdk.name, rule)}
    assert all(sdk.name in line and rule in line for line in problems(found))


@pytest.mark.parametrize("rest", ['"a" ' * 60, '"a\\x",]'], ids=["without an end", "with an escape that JSON lacks"])
def test_a_damaged_map_lists_no_modules(rest: str) -> None:
    assert sources(f'{{"version":3,"sources":[{rest}'.encode()) == []
