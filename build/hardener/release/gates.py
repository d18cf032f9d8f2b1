"""The conditions that a release has to meet. All are checked, whatever the others say, and none can be switched off."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.errors import ConfigError, StackError
from hardener.git.project import Checkout
from hardener.pipeline import proofs, versions
from hardener.policy.hosts import NAME as HOSTS
from hardener.policy.hosts import read_hosts
from hardener.release import debian, images, notes, provenance, reviewed, vex
from hardener.release.signatures import SIGNERS
from hardener.system import disk, sums
from hardener.system.process import run
from hardener.system.sums import MANIFEST
from hardener.system.workers import Beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Project

_SHOWN = 8  # details of one gate on the terminal
TWICE = "twice"  # the check of compare that no list of skips replaces


@dataclass(frozen=True)
class Candidate:
    """Files in ``folder`` that are to become a release, and the ``site`` in them.

    ``bundled`` are the packages in the bundles as ``name@version``. ``previous`` is the commit of the release before,
    ``before`` the folder with its files; each empty or None where there is none.
    """

    project: Project
    folder: Path
    site: Path
    bundled: frozenset[str]
    previous: str = ""
    before: Path | None = None

    @property
    def version(self) -> str:
        """Return the version of the release."""
        return f"{self.project.site.release}+{self.project.revision}"

    @property
    def tag(self) -> str:
        """Return the name of the git tag of the release."""
        return f"v{self.version}"

    @cached_property
    def manifest(self) -> Any:
        """Return the manifest of the build."""
        return disk.read_json(self.folder / MANIFEST) or {}

    @cached_property
    def commit(self) -> str:
        """Return the commit that is checked out; empty without one."""
        return Checkout(self.project.root).commit

    @cached_property
    def site_sha256(self) -> str:
        """Return the digest of the site, which the records of all sessions have to name."""
        return proofs.site_digest(self.site)


@dataclass(frozen=True)
class Verdict:
    """The result of one gate; ``problems`` is empty if it is met, ``found`` says what was checked."""

    gate: str
    problems: tuple[str, ...]
    found: str
    fix: str

    @property
    def passed(self) -> bool:
        """Return whether the gate is met."""
        return not self.problems


@dataclass(frozen=True)
class Gate:
    """One condition: ``check`` yields what is wrong, ``met`` says in a few words what holds otherwise.

    In ``fix``, ``{tag}`` and ``{version}`` are those of the release.
    """

    name: str
    check: Callable[[Candidate], Iterator[str]]
    met: str
    fix: str = field(default="")


def judge(candidate: Candidate) -> list[Verdict]:
    """Check all gates, some beside each other: lintian and the check of the bill of materials take seconds."""
    _ = candidate.commit, candidate.site_sha256  # asked by several gates
    verdicts = []
    with Beside(2) as beside:
        slowest_first = sorted(GATES, key=lambda gate: gate.name not in {"lintian", "sbom"})
        checks = [beside.submit(_problems, gate, candidate) for gate in slowest_first]
        results = dict(check.result() for check in checks)
    for gate in GATES:
        problems = results[gate.name]
        found = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}" if problems else gate.met
        fix = gate.fix.format(tag=candidate.tag, version=candidate.version)
        verdicts.append(Verdict(gate.name, problems, found, fix))
    return verdicts


def _problems(gate: Gate, candidate: Candidate) -> tuple[str, tuple[str, ...]]:
    """Return the name of a gate and what is wrong."""
    return gate.name, tuple(gate.check(candidate))


def _tag(candidate: Candidate) -> Iterator[str]:
    root, tag = candidate.project.root, candidate.tag
    checkout = Checkout(root)
    if not candidate.commit:
        yield f"{root} is not a git checkout with a commit"
        return
    if changes := checkout.changes():
        yield f"the work tree differs from its commit: {_some(changes)}"
    if tag not in checkout.tags(tag, "--points-at", "HEAD"):
        other = checkout.resolve(f"refs/tags/{tag}")
        yield f"the tag {tag} is at another commit: {other}" if other else f"there is no tag {tag} at this commit"
    elif not (root / SIGNERS).is_file():
        yield f"there is no {SIGNERS}"
    elif why := checkout.why_unsigned(tag, root / SIGNERS):
        yield f"the tag {tag} is not signed by a key of {SIGNERS}: {why}"


def _changelog(candidate: Candidate) -> Iterator[str]:
    path = candidate.project.root / notes.CHANGELOG
    date, text = notes.changelog_section(path.read_text("utf-8") if path.exists() else "", candidate.version)
    if not date:
        yield f"{notes.CHANGELOG} has no section '## [{candidate.version}] - YYYY-MM-DD'"
    elif not text:
        yield f"the section of {candidate.version} in {notes.CHANGELOG} is empty"


def _bundle(candidate: Candidate) -> Iterator[str]:
    manifest = candidate.manifest
    for substitute in manifest.get("substitutions", ()):
        yield f"{substitute['package']} is a substitute"
    if manifest.get("variant") != "hardened":
        yield f"the variant is {manifest.get('variant')!r}, not 'hardened'"
    if (bundler := manifest.get("toolchain", {}).get("name")) != "rspack":
        yield f"the bundler is {bundler!r}, not 'rspack'"
    for component in manifest.get("components", ()):
        for layer in component["downstream"]:
            yield f"{component['name']} has the layer {layer['name']} of an operator"


def _hosts(candidate: Candidate) -> Iterator[str]:
    for entry in read_hosts(candidate.project.root / HOSTS):
        if entry.kind == "open":
            yield f"{entry.host} can still be contacted: {entry.reason}"


def _proof(session: str, candidate: Candidate) -> Iterator[str]:
    root = candidate.project.root
    record = proofs.read(root, session)
    if record is None:
        yield "there is no record"
        return
    if record.subject.commit != candidate.commit:
        yield f"the record is about commit {record.subject.commit[:12] or 'none'}"
    if not record.subject.clean:
        yield "the work tree had changes"
    if session not in proofs.SITELESS:
        if record.subject.site_sha256 != candidate.site_sha256:
            yield f"the record is about another site: {record.subject.site_sha256[:12] or 'none'}"
        trees = {component["name"]: component["tree"] for component in candidate.manifest.get("components", ())}
        seen = record.subject.trees
        yield from (f"{name} was another tree" for name, tree in trees.items() if seen.get(name) != tree)
    yield from (f"failed: {name}" for name in record.failed)
    if not record.passed:
        yield "nothing passed"
    permitted = reviewed.read(root / reviewed.NAME).skips
    for skip in record.skipped:
        if not any(entry.covers(session, skip) for entry in permitted):
            yield f"skipped, and not in {reviewed.NAME}: {skip.name}: {skip.reason}"


def _twice(candidate: Candidate) -> Iterator[str]:
    """Two builds in two folders: ``compare --twice`` makes them, without the caches of the first."""
    record = proofs.read(candidate.project.root, "compare")
    if record is None or any(skip.name == TWICE for skip in record.skipped):
        yield "no record of two builds in two folders"
    else:
        yield from (f"not the same twice: {name}" for name in record.failed if name.startswith(f"{TWICE}:"))


def _revision(candidate: Candidate) -> Iterator[str]:
    """A revision is never used twice for a pin, and is raised when a released byte changes."""
    project, checkout = candidate.project, Checkout(candidate.project.root)
    if not candidate.previous:
        if others := [tag for tag in checkout.tags("v*", "--merged", "HEAD") if tag != candidate.tag]:
            yield f"there are earlier releases ({_some(others)}), and none was named: --previous"
        return
    pin = tomllib.loads((checkout.file(candidate.previous, config.NAME) or b"").decode())
    release = pin.get("component", {}).get(project.site.name, {}).get("release")
    revision = pin.get("project", {}).get("revision", 0)
    if release != project.site.release or revision < project.revision:
        return
    if revision > project.revision:
        yield f"revision {project.revision} is below that of the release before: {revision}"
    elif candidate.before is None:
        if checkout.resolve("HEAD") != candidate.previous:
            yield f"the release before has the revision {revision}, too, and another commit"
    else:
        before, now = sums.read(candidate.before), sums.read(candidate.folder)
        if differing := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
            yield f"the release before has the revision {revision}, too, and other bytes: {_some(differing)}"


def _versions(candidate: Candidate) -> Iterator[str]:
    for named in (debian.upstreams, images.base_of):
        try:
            named(candidate.project)
        except ConfigError as error:
            yield error.message


def _sbom(candidate: Candidate) -> Iterator[str]:
    # jsonschema with all formats, which is behind these, takes two seconds to load.
    from cyclonedx.exception import MissingOptionalDependencyException  # noqa: PLC0415
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    bills = sorted(candidate.folder.glob("*.cdx.json"))
    document = disk.read_json(bills[0]) if len(bills) == 1 else None
    if not document:
        yield "there is no readable bill of materials (*.cdx.json)"
        return
    try:
        validator = JsonStrictValidator(SchemaVersion.V1_6)
        wrong = validator.validate_str(bills[0].read_text("utf-8"))
        for statements in candidate.folder.glob(f"*{vex.SUFFIX}"):
            if found := validator.validate_str(statements.read_text("utf-8")):
                yield f"{statements.name} is not valid CycloneDX 1.6: {str(found.data)[:200]}"
    except MissingOptionalDependencyException as error:
        hint = "uv sync (the dev group brings it)"
        raise StackError("the validator of CycloneDX is not installed", hint=hint) from error
    if wrong:
        yield f"it is not valid CycloneDX 1.6: {str(wrong.data)[:200]}"
        return
    components = {_purl_name(component): component for component in document.get("components", ())}
    yield from (f"{name} is in a bundle and not in it" for name in sorted(candidate.bundled - components.keys()))
    permitted = dict(reviewed.read(candidate.project.root / reviewed.NAME).licences)
    for name, component in sorted(components.items()):
        if not component.get("licenses"):
            yield f"{name} declares no licence"
        if not component.get("evidence", {}).get("licenses") and name not in permitted:
            yield f"{name} has no licence text, and is not in {reviewed.NAME}"


def _purl_name(component: Mapping[str, Any]) -> str:
    """Return NAME@VERSION of a component of a bill of materials."""
    group = f"{component['group']}/" if component.get("group") else ""
    return f"{group}{component['name']}@{component['version']}"


def _provenance(candidate: Candidate) -> Iterator[str]:
    yield from provenance.find(candidate.folder, sums.read(candidate.folder)).problems


def _lintian(candidate: Candidate) -> Iterator[str]:
    packages = sorted(candidate.folder.glob("*.deb"))
    if packages and shutil.which("lintian"):
        done = run(["lintian", "--fail-on", "error,warning", *packages])
        if done.status:
            yield from done.text.splitlines() or [done.complaint]


def _addresses(candidate: Candidate) -> Iterator[str]:
    yield from versions.problems(candidate.site)


GATES = (
    Gate(
        "tag", _tag, "the work tree is the commit of a signed tag",
        "commit, then: git -c gpg.format=ssh -c user.signingKey=KEY tag --sign {tag} --message {tag} "
        "(docs/maintaining.md#release)",
    ),
    Gate(
        "changelog", _changelog, "it has a section of this version",
        f"write the section '## [{{version}}] - YYYY-MM-DD' in {notes.CHANGELOG}",
    ),
    Gate(
        "bundle", _bundle, "hardened, by Rspack, without substitutes and layers",
        "release without --extra and --substitute",
    ),
    Gate("hosts", _hosts, "no host of the class open", f"remove what contacts it, then correct {HOSTS}"),
    *(
        Gate(
            session, partial(_proof, session), "passed for this commit and this site",
            f"nox -s {session}" + (" -- --twice" if session == "compare" else ""),
        )
        for session in proofs.SESSIONS
    ),
    Gate("two builds", _twice, "identical in two folders", "nox -s compare -- --twice"),
    Gate(
        "revision", _revision, "not used before for other bytes",
        f"raise revision in {config.NAME}, or name the release before: --previous TAG|DIR",
    ),
    Gate(
        "versions", _versions, "Debian's packages and the image are named",
        f"fill in [debian] and [image] in {config.NAME}",
    ),
    Gate(
        "sbom", _sbom, "valid, with all packages and licences",
        f"correct release/sbom.py or release/packages.py; {reviewed.NAME} lists exceptions",
    ),
    Gate("provenance", _provenance, "valid, about all other files", "report it: the files of a release are wrong"),
    Gate("lintian", _lintian, "clean, or not installed", "correct what lintian names (release/deb.py)"),
    Gate("addresses", _addresses, "each ?v= is its file's hash", "correct the page that has the address"),
)  # fmt: skip


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
