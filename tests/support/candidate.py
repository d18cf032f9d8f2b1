"""A release in miniature that meets all gates: a project with a signed tag, proofs, a site and its files; no build."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.pipeline import proofs, versions
from hardener.release import provenance
from hardener.release.gates import Candidate
from hardener.system import disk, sums
from support import own_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UPSTREAM = """
[project]
name = "app-hardened"
revision = 2
node = 24

[component.app]
repository = "https://git.example/app.git"
commit = "1111111111111111111111111111111111111111"
release = "1.0"
"""
DEBIAN = """
[debian]
maintainer = "A Person <person@example.org>"
jitsi-meet = "1.0-1"
jitsi-meet-web = "1.0.1-1"
jicofo = "1.0-1"
jitsi-videobridge2 = "2.3-1"

[image]
base = "registry.example.org/app/web:stable-0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
"""
HOSTS = '[[host]]\nhost = "www.w3.org"\nclass = "namespace"\nreason = "a name"\ncount = 1\n'
CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n## [1.0+2] - 2026-12-01\n\n* better\n\n## [1.0+1] - 2026-11-01\n\n* new\n"
)
REVIEWED = """
[[skip]]
sessions = ["test", "e2e", "compare"]
name = "reviewed*"
because = "no *"
reason = "shown elsewhere"

[[licence]]
package = "old@0.1.0"
reason = "its text is in its repository"
"""
TREE, LABEL = "7" * 40, "app-hardened-1.0+2"
PACKAGES = ("used@1.0.0", "@scope/used@2.0.0", "old@0.1.0")


def make_key(path: Path, kind: str = "ed25519") -> str:
    """Make a key without a passphrase; returns the public half as ``allowed_signers`` has it."""
    more = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-C", "", "-f", path], check=True)
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


def component(name: str) -> dict[str, Any]:
    """Return an entry of a bill of materials for ``[@scope/]name@version``."""
    group, _, rest = name.rpartition("/")
    base, _, version = rest.partition("@")
    entry: dict[str, Any] = {"type": "library", "name": base, "version": version, "bom-ref": name}
    entry["licenses"] = [{"license": {"id": "MIT"}}]
    if name != "old@0.1.0":
        entry["evidence"] = {"licenses": [{"license": {"name": "LICENSE", "text": {"content": "text"}}}]}
    return entry | ({"group": group} if group else {})


class Fake:
    """The folders of a release that is to be judged; each method changes one thing and leaves all others right."""

    def __init__(self, folder: Path) -> None:
        self.root, self.keys = folder / "project", folder / "keys"
        self.site, self.dist = self.root / ".work/hardened/site", self.root / "dist"

    def create(self) -> None:
        """Write all files, commit, tag, and prove."""
        self.keys.mkdir(parents=True)
        self.site.mkdir(parents=True)
        line = make_key(self.keys / "maintainer")
        make_key(self.keys / "stranger")
        (self.site / "app.js").write_text("the app")
        self.page("app.js")
        tree = self.root / ".work/hardened/app/tree/.hardener"
        tree.mkdir(parents=True)
        disk.write_json(tree / "tree.json", {"key": "", "facts": {"tree": TREE}})
        (self.root / "patches").mkdir()
        (self.root / ".gitignore").write_text(".work/\ndist/\n")
        own_repository.commit(self.root, "project: begin")
        files = {
            "upstream.toml": UPSTREAM + DEBIAN, "hosts.toml": HOSTS, "sdks.toml": "",
            "CHANGELOG.md": CHANGELOG, "release.toml": REVIEWED,
            "allowed_signers": f'maintainer@example.org namespaces="git,hardener-release" {line}\n',
        }  # fmt: skip
        for name, text in files.items():
            (self.root / name).write_text(text)
        self.release()

    def page(self, script: str) -> None:
        """Write the page of the site, which asks for a script with its version."""
        content = (self.site / "app.js").read_bytes()
        version, integrity = hashlib.sha256(content).hexdigest()[:16], versions.integrity(content)
        (self.site / "index.html").write_text(
            f'<script src="libs/{script}?v={version}" integrity="{integrity}"></script>'
        )
        (self.site / "libs").mkdir(exist_ok=True)
        shutil.copy(self.site / "app.js", self.site / "libs/app.js")

    def change(self, name: str, edit: Callable[[str], str]) -> None:
        """Change a file of the project; the rest follows with :meth:`release`."""
        path = self.root / name
        before = path.read_text()
        path.write_text(edit(before))
        assert path.read_text() != before

    def release(self, key: str = "maintainer", tag: str = "v1.0+2") -> None:
        """Commit, set the signed tag, write all proofs and all files."""
        commit = own_repository.commit(self.root)
        own_repository.tag(self.root, tag, self.keys / key if key else None)
        self.prove()
        self.write(commit)

    def prove(self, session: str = "", **more: Any) -> None:
        """Write the records of all sessions, or one of them with other values."""
        for name in (session,) if session else proofs.SESSIONS:
            record = proofs.Record(name, proofs.subject(self.root), "2026-12-01T12:00:00+00:00", 5, (), ())
            proofs.write(self.root, replace(record, **more))

    def write(self, commit: str) -> None:
        """Write the released files into ``dist/``, which holds no others."""
        disk.remove(self.dist)
        self.dist.mkdir()
        (self.dist / f"{LABEL}.tar.gz").write_bytes(b"the archive")
        manifest = {
            "variant": "hardened", "toolchain": {"name": "rspack"}, "substitutions": [],
            "components": [{"name": "app", "tree": TREE, "downstream": []}],
        }  # fmt: skip
        disk.write_json(self.dist / "build-manifest.json", manifest)
        bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component(name) for name in PACKAGES]}
        disk.write_json(self.dist / f"{LABEL}.cdx.json", bill)
        self.seal(commit)

    def seal(self, commit: str = "") -> None:
        """Write the statement of provenance and the sums again, from the files as they are."""
        commit = commit or own_repository.git(self.root, "rev-parse", "HEAD")
        for name in (f"{LABEL}{provenance.SUFFIX}", "SHA256SUMS"):
            (self.dist / name).unlink(missing_ok=True)
        inputs = [{"name": "hardener", "digest": {"gitCommit": commit}}]
        statement = provenance.statement(self.listed(), {"label": LABEL}, {}, inputs)
        disk.write(self.dist / f"{LABEL}{provenance.SUFFIX}", statement)
        disk.write(self.dist / "SHA256SUMS", sums.lines(self.listed()))

    def listed(self) -> dict[str, str]:
        """Return the sums of all files."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.dist.iterdir()}

    def edit_json(self, name: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change a JSON file of the release, and its sum."""
        path = self.dist / name
        document = json.loads(path.read_bytes())
        edit(document)
        disk.write_json(path, document)
        self.seal()

    def candidate(self, **more: Any) -> Candidate:
        """Return what the gates judge."""
        return Candidate(config.load(self.root), self.dist, self.site, frozenset(PACKAGES), **more)
