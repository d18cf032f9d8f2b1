"""``--substitute NAME=FILE``: a package of one's own for one that is left out, seen in name, manifest and bundle."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import MANIFEST, Minimeet, Reference, digest, listing, unpack

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "strophe.js"
NAME = "minimeet-hardened-v1.0+1.substitute_strophe.js"
# What minimeet takes from the package; the texts show in the bundle which of the two it is.
EXPORTS = "export const $msg = () => '{0}'; export const $pres = $msg; export const Strophe = {{ Status: {{}}, name: '{0}' }};\n"
OURS, THEIRS = "left out of this build", "brought by a person"
STUB = "react/features/hardened/xmpp.js"
OVERLAY = f"""
[[file]]
path = "{STUB}"
action = "add"
reason = "stands in for the package that is left out"

[[alias]]
module = "{PACKAGE}$"
file = "{STUB}"
reason = "is left out"
"""
APP = "libs/app.bundle.min.js"
# What of minimeet's hosts.toml is of the library.
GONE = {"datatracker.ietf.org", "etherx.jabber.org", "example.com", "tools.ietf.org", "xmpp.org"}
COUNTS = {"jabber.org": {"count": 1, "maps": 1}, "www.w3.org": {"count": 1, "maps": 0}}


def archive(file: Path, code: str, **manifest: Any) -> Path:
    """Return an npm archive with one module."""
    manifest = {"name": PACKAGE, "version": "9.9.9", "type": "module", "main": "index.js"} | manifest
    with tarfile.open(file, "w:gz") as tar:
        for name, text in (("package.json", json.dumps(manifest)), ("index.js", code)):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return file


@pytest.fixture
def leaving_out(minimeet: Minimeet) -> Minimeet:
    """Minimeet without its XMPP library."""
    minimeet.edit("upstream.toml", "omit = []", f'omit = ["{PACKAGE}"]')
    minimeet.write(f"overlays/minimeet/{STUB}", EXPORTS.format(OURS))
    overlays = minimeet.root / "overlays/minimeet/overlays.toml"
    overlays.write_text(overlays.read_text("utf-8") + OVERLAY, "utf-8")
    hosts = [entry | COUNTS.get(entry["host"], {}) for entry in scan_hosts(minimeet) if entry["host"] not in GONE]
    written = (minimeet.root / "hosts.toml").read_text("utf-8")
    others = written[written.index("[[scheme]]") :]
    minimeet.write("hosts.toml", "".join(map(host_table, hosts)) + others)
    return minimeet


def scan_hosts(minimeet: Minimeet) -> list[dict[str, Any]]:
    """Return the entries of hosts.toml."""
    return tomllib.loads((minimeet.root / "hosts.toml").read_text("utf-8"))["host"]


def host_table(entry: dict[str, Any]) -> str:
    """Return an entry of hosts.toml as text."""
    return "[[host]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())


@pytest.mark.slow
def test_a_substitute_is_in_the_bundle_and_named_everywhere(leaving_out: Minimeet, reference: Reference) -> None:
    plain = leaving_out.build()
    assert plain.code == 0, plain.stderr
    assert plain.answer["substitutions"] == []
    assert plain.answer["components"][0]["omitted"] == [PACKAGE]
    without = unpack(leaving_out.dist / "minimeet-hardened-v1.0+1.tar.gz")[APP].decode()
    assert OURS in without
    before = listing(leaving_out.dist)

    file = archive(leaving_out.folder / "my strophe.tgz", EXPORTS.format(THEIRS))
    run = leaving_out.build("--substitute", f"{PACKAGE}={file}", "--quiet")
    assert run.code == 0, run.stderr
    dist = leaving_out.dist / "hardened.substitute_strophe.js"
    code = unpack(dist / f"{NAME}.tar.gz")[APP].decode()
    assert THEIRS in code
    assert OURS not in code
    assert run.stderr.count(f"SUBSTITUTE: {PACKAGE} 9.9.9 is a substitute: {file}") == 2, "not loud at both ends"

    manifest = json.loads((dist / MANIFEST).read_bytes())
    assert manifest["label"] == NAME
    assert manifest["components"][0]["omitted"] == []
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    record = {"package": PACKAGE, "component": "minimeet", "file": file.name, "version": "9.9.9"}
    assert manifest["substitutions"] == [record | {"sha256": digest(file), "integrity": integrity}]
    assert listing(leaving_out.dist).items() >= before.items(), "the build without it was touched"

    # Another archive of the same version is another input; a new name of the same archive is another record of it.
    archive(file, EXPORTS.format("brought later"))
    again = leaving_out.build("--substitute", f"{PACKAGE}={file}")
    assert "brought later" in unpack(dist / f"{NAME}.tar.gz")[APP].decode(), again.stderr
    renamed = file.rename(leaving_out.folder / "renamed.tgz")
    last = leaving_out.build("--substitute", f"{PACKAGE}={renamed}")
    assert not last.answer["fresh"]
    assert json.loads((dist / MANIFEST).read_bytes())["substitutions"][0]["file"] == "renamed.tgz"


@pytest.mark.slow
def test_hosts_of_a_substitute_have_to_be_allowed(leaving_out: Minimeet, reference: Reference) -> None:
    """By hosts.toml of an extra folder: the person who brings the package is responsible for the hosts that it names."""
    code = EXPORTS.format("https://fonts.whiteboard.example/")
    words = ("--substitute", f"{PACKAGE}={archive(leaving_out.folder / 'a.tgz', code)}")
    refused = leaving_out.build(*words)
    assert refused.code == 7
    assert "fonts.whiteboard.example" in refused.stderr
    assert not (leaving_out.dist / "hardened.substitute_strophe.js").exists()

    extra = leaving_out.folder / "ministry"
    (extra / "overlays").mkdir(parents=True)
    host = {"host": "fonts.whiteboard.example", "class": "open", "reason": "our whiteboard", "count": 3, "maps": 2}
    (extra / "hosts.toml").write_text(host_table(host))
    allowed = leaving_out.build(*words, "--extra", str(extra))
    assert allowed.code == 0, (refused.answer["details"], allowed.stderr)
    assert "minimeet-hardened-v1.0+1.ministry.substitute_strophe.js.tar.gz" in allowed.sums


@pytest.mark.slow
def test_what_a_substitute_needs_comes_from_upstreams_lock(leaving_out: Minimeet, reference: Reference) -> None:
    file = archive(leaving_out.folder / "a.tgz", EXPORTS.format("x"), dependencies={"nowhere": "1.0.0"})
    run = leaving_out.build("--substitute", f"{PACKAGE}={file}")
    assert run.code == 6
    assert "needs nowhere, which the lock does not have" in run.stderr


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("strophe.js", "is not NAME=FILE"),
        ("core-js={file}", "core-js is not left out of this build"),
        ("strophe.js={folder}/none.tgz", "No such file"),
        ("strophe.js={folder}", "Is a directory"),
        ("strophe.js={folder}/project/upstream.toml", "is not an npm archive"),
        ("strophe.js={other}", "is an archive of 'other'"),
    ],
)
def test_a_wrong_substitute_is_refused_before_anything_is_built(leaving_out: Minimeet, word: str, said: str) -> None:
    file, other = (leaving_out.folder / f"{name}.tgz" for name in ("file", "other"))
    archive(file, "")
    archive(other, "", name="other")
    run = leaving_out.build("--substitute", word.format(file=file, folder=leaving_out.folder, other=other))
    assert run.code == 2, run.stderr
    assert said in run.answer["error"]
    assert run.answer["hint"]
    assert not (leaving_out.root / ".work").exists()


def test_what_is_not_left_out_or_given_twice_or_for_a_control_is_refused(leaving_out: Minimeet) -> None:
    word = f"{PACKAGE}={archive(leaving_out.folder / 'a.tgz', '')}"
    twice = leaving_out.build("--substitute", word, "--substitute", word)
    assert (twice.code, "listed twice" in twice.answer["error"]) == (2, True)
    control = leaving_out.build("--unpatched", "--substitute", word)
    assert (control.code, "it is a control" in control.answer["error"]) == (2, True)
