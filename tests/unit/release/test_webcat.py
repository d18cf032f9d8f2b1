"""release/webcat.py: the static site, and a manifest and a policy that the extension accepts.

The extension's rules are restated here from its documentation (webcat-docs: "CSP", "Requirements", "Manual Signing").
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import ConfigError, HardenerError, UsageError
from hardener.release import webcat
from hardener.system import node
from hardener.system.process import run
from support.fakes import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WASM = b"\0asm\1\0\0\0"
INSIDE = WASM + b"inside"
SITE = {
    "index.html": '<!--#include virtual="base.html" --><!--#include virtual="static/more.html"-->'
    "<meta content=\"<!--# echo var='hardener_embedders' default='' -->\">"
    "<script src=\"<!--# echo var='subdir' default='' -->config.js\"></script>",
    "base.html": '<base href="/"><!--#include virtual="title.html" -->',
    "title.html": "<title>x</title>",
    "static/more.html": "more",
    "static/404.html": '<!--#include virtual="/base.html" -->not found',
    "config.js": "var config = { ours: true };",
    "interface_config.js": "",
    "libs/app.js": f"'AGFzbQEAAA'; load('{base64.b64encode(INSIDE).decode()}') // <!--# kept: no includes in libs",
    "libs/app.js.gz": "compressed",
    "libs/app.js.map": "{}",
    "libs/olm.wasm": WASM,
    "scripts/setup.sh": "#!/bin/sh",
    "LICENSE": "x",
}
CONFIG = b'var subdir = \'<!--# echo var="subdir" default="" -->\'; var config = { theirs: true };'


def project(release: str = "2.0.10978", revision: int = 1) -> Any:
    """Return a project with the fields that a manifest names."""
    return SimpleNamespace(name="demo", revision=revision, site=SimpleNamespace(release=release))


def digest(content: bytes) -> str:
    """Return a digest as the extension writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().replace("=", "")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a built site in miniature."""
    write_files(tmp_path, SITE)
    return tmp_path


def rules_of_manifest(manifest: Mapping[str, Any]) -> list[str]:
    """Return the rules that a manifest breaks."""
    files = manifest.get("files") or {}
    checks = {
        "files": bool(files) and all(name.startswith("/") for name in files),
        "digests": all(re.fullmatch(r"[\w-]{43}", text) for text in [*files.values(), *manifest.get("wasm", [])]),
        "default_csp": bool(manifest.get("default_csp")),
        "default_index": f"/{manifest.get('default_index')}" in files,
        "default_fallback": manifest.get("default_fallback") in files,
        "wasm": isinstance(manifest.get("wasm"), list),
        "extra_csp": isinstance(manifest.get("extra_csp"), dict),
        "name": bool(manifest.get("name")),
        "version": bool(re.fullmatch(r"\d+(\.\d+)*", manifest.get("version", ""))),
    }
    return [rule for rule, kept in checks.items() if not kept]


HASH = re.compile(r"'sha(256|384|512)-[\w+/=-]+'")
ALLOWED = {
    "default-src": {"'self'", "'none'"},
    "script-src": {"'none'", "'self'", "'wasm-unsafe-eval'"},
    "script-src-elem": {"'none'", "'self'", "'wasm-unsafe-eval'"},
    "style-src": {"'none'", "'self'", "'unsafe-inline'", "'unsafe-hashes'"},
    "style-src-elem": {"'none'", "'self'", "'unsafe-inline'", "'unsafe-hashes'"},
    "object-src": {"'none'"},
    "frame-src": {"'none'", "'self'", "blob:", "data:"},
    "child-src": {"'none'", "'self'", "blob:", "data:"},
    "worker-src": {"'none'", "'self'"},
}


def rules_of_policy(policy: str) -> list[str]:
    """Return the rules that a policy breaks: one policy, its restricted directives, and those that have to be there."""
    directives = {words[0]: words[1:] for part in policy.split(";") if (words := part.lower().split())}
    broken = ["one policy"] if "," in policy else []
    for name, allowed in ALLOWED.items():
        hashes = name.startswith(("script", "style"))
        words = [word for word in directives.get(name, []) if not (hashes and HASH.fullmatch(word))]
        broken += [f"{name} {word}" for word in words if word not in allowed]
    if directives.get("default-src") != ["'none'"]:
        needed = (("object-src",), ("child-src", "frame-src"), ("worker-src",))
        broken += [names[0] for names in needed if not any(directives.get(name) for name in names)]
    return broken


def test_the_policy_of_the_site_is_accepted() -> None:
    policy = webcat.policy()
    assert rules_of_policy(policy) == []
    for words, rule in {
        ("worker-src 'self'", "worker-src 'self' blob:"): "worker-src blob:",
        ("'wasm-unsafe-eval'", "'unsafe-eval'"): "script-src 'unsafe-eval'",
        ("default-src 'none'", "default-src 'self' data:"): "default-src data:",
        ("object-src 'none'", "object-src 'self'"): "object-src 'self'",
        ("base-uri", "x, y; base-uri"): "one policy",
    }.items():
        assert rules_of_policy(policy.replace(*words)) == [rule]


def test_pages_of_other_origins_are_in_the_policy_and_in_the_page(built: Path) -> None:
    portal = ["https://portal.example.org"]
    assert "frame-ancestors 'self' https://portal.example.org" in webcat.policy(portal)
    assert rules_of_policy(webcat.policy(portal)) == []
    assert b'<meta content="https://portal.example.org">' in webcat.site(built, CONFIG, portal)["index.html"]
    with pytest.raises(UsageError):
        webcat.policy(["portal.example.org"])


def test_the_static_site_is_filled_in_and_has_the_operators_settings(built: Path) -> None:
    files = webcat.site(built, CONFIG)
    assert files == {
        "index.html": b'<base href="/"><title>x</title>more<meta content=""><script src="config.js"></script>',
        "static/404.html": b'<base href="/"><title>x</title>not found',
        "config.js": b"var subdir = ''; var config = { theirs: true };",
        "interface_config.js": b"",
        "libs/app.js": str(SITE["libs/app.js"]).encode(),
        "libs/app.js.gz": b"compressed",
        "libs/olm.wasm": WASM,
    }


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("config.js", "host = '<!--# echo var=\"http_host\" -->'", "only the web server knows http_host"),
        ("config.js", "<!--# echo -->", "only the web server knows the variable"),
        ("config.js", '<!--#if expr="$x" -->', "not the same for all visitors"),
        ("config.js", '<!--# set var="a" value="b" -->', "not the same for all visitors"),
        ("config.js", "<!--# echo var=subdir -->", "is not an include or a variable"),
        ("config.js", "<!--#", "is not an include or a variable"),
        ("title.html", '<!--#include virtual="none.html" -->', "there is no file"),
        ("title.html", '<!--#include virtual="/../../etc/passwd" -->', "there is no file"),
        ("title.html", '<!--#include file="base.html" -->', "there is no file"),
        ("title.html", '<!--#include virtual="base.html" -->', "includes itself"),
    ],
)
def test_what_is_not_the_same_for_all_visitors_is_refused(built: Path, name: str, text: str, says: str) -> None:
    write_files(built, {name: text})
    with pytest.raises(HardenerError, match=re.escape(says)) as caught:
        webcat.site(built, text.encode() if name == "config.js" else CONFIG)
    assert name in caught.value.message or "includes itself" in says
    assert caught.value.hint


def test_the_manifest_is_accepted_and_names_each_file(built: Path) -> None:
    files = webcat.site(built, CONFIG) | {"images/a b.svg": b"<svg/>"}
    manifest = webcat.manifest(project(), files, webcat.policy(), webcat.modules_of(files))

    assert rules_of_manifest(manifest) == []
    assert manifest["files"] == {
        "/" + name.replace(" ", "%20"): digest(content) for name, content in files.items() if name != "libs/app.js.gz"
    }
    assert manifest["wasm"] == sorted([digest(WASM), digest(INSIDE)])
    for key in manifest:
        assert rules_of_manifest({other: value for other, value in manifest.items() if other != key}) != []


def test_the_manifest_is_written_as_it_is_signed() -> None:
    """The canonical JSON of TUF: sorted keys, no spaces, only quotes and backslashes escaped."""

    def restated(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{restated(key)}:{restated(value[key])}" for key in sorted(value)) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(restated, value)) + "]"
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    manifest = webcat.manifest(project(), {"index.html": b"", 'ä"\\': b""}, "default-src 'none'", ["b", "a"])
    assert webcat.canonical(manifest).decode() == restated(manifest)
    assert json.loads(webcat.canonical(manifest)) == manifest


def test_a_newer_release_or_revision_has_a_newer_version() -> None:
    """The extension compares number by number."""
    releases = [("2.0.9999", 12), ("2.0.10978", 1), ("2.0.10978", 2), ("2.0.10978", 10), ("2.0.11146", 1)]
    versions = [webcat.version(project(*release)) for release in releases]
    assert versions[1] == "2.10978.1"
    numbers = [[int(number) for number in version.split(".")] for version in versions]
    assert numbers == sorted(numbers)
    for release in ("2.1.1", "v1", "2.0.1-rc1"):
        with pytest.raises(ConfigError, match="no version for WEBCAT"):
            webcat.version(project(release))


def test_modules_that_a_package_makes_are_found(tmp_path: Path) -> None:
    """Behind getters, in views of any kind, and those that it instantiates."""
    write_files(
        tmp_path,
        {
            "node_modules/asks/package.json": "{}",
            "node_modules/asks/index.js": "const of = (...more) => Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, ...more);"
            "module.exports = { get simd() { return WebAssembly.validate(of(1).buffer); }, feature: { get bulk() {"
            "new WebAssembly.Instance(new WebAssembly.Module(of(2))).exports[0](); return true; } },"
            "support: (version = 1) => WebAssembly.validate(Uint32Array.of(1836278016, version)) };",
            "job.json": json.dumps(
                {"root": str(tmp_path), "tools": "/", "result": str(tmp_path / "result"), "package": "asks"}
            ),
        },
    )
    done = run([node.home() / "bin" / "node", node.RECIPES / "wasm-modules.cjs", tmp_path / "job.json"])
    assert done.status == 0, done.complaint
    modules = json.loads((tmp_path / "result").read_text())["modules"]
    assert modules == sorted(hashlib.sha256(content).hexdigest() for content in (WASM, WASM + b"\1", WASM + b"\2"))


def test_a_client_that_asks_in_another_way_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no package wasm-check"):
        webcat.modules_made(tmp_path)
