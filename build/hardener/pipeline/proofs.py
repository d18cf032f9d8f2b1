"""Records of the sessions that prove a build: ``.work/proofs/<session>.json``.

A record says which commit and which site a session saw, and what passed, failed and was skipped. It proves nothing
about another site or commit. A session removes the record of an earlier run before it begins, so that an interrupted
one leaves none.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hardener.errors import HardenerError
from hardener.git.project import Checkout
from hardener.pipeline.checkout import STATE
from hardener.policy.addresses import MAP_SUFFIX
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SESSIONS = ("lint", "test", "e2e", "attack", "evidence", "ablate", "compare")
SITELESS = frozenset({"lint"})  # about the sources only: the site may not have been built yet
_SCHEMA = 1


@dataclass(frozen=True)
class Skip:
    """A part of a session that was not run, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Subject:
    """The subject of a proof.

    ``commit`` is the project's, ``clean`` whether the work tree was that commit, ``trees`` are git's ids of the
    components' patched trees, ``site_sha256`` is :func:`site_digest` of the built site.
    """

    commit: str
    clean: bool
    trees: dict[str, str]
    site_sha256: str


@dataclass(frozen=True)
class Record:
    """A finished session: ``passed`` counts, ``failed`` names what failed."""

    session: str
    subject: Subject
    started: str
    passed: int
    failed: tuple[str, ...]
    skipped: tuple[Skip, ...]


@dataclass
class Findings:
    """The results of a session while it runs."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)


def site_digest(site: Path) -> str:
    """Return one hash of all files of a site, source maps aside; docs/auditor.md#evidence computes it with sha256sum.

    It is empty where there is no such folder.
    """
    names = (file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file())
    return digest_of({name: stamps.file_digest(site / name) for name in names if not name.endswith(MAP_SUFFIX)})


def digest_of(sums: Mapping[str, str]) -> str:
    """Return the hash of :func:`site_digest` for files by their names and SHA-256."""
    lines = [f"{sums[name]}  ./{name}\n" for name in sorted(sums)]
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""


def subject(root: Path, site: Path | None = None) -> Subject:
    """Return the present subject of a proof: the project in ``root``, and ``site`` or else that of its last build."""
    checkout, area = Checkout(root), root / ".work" / "hardened"
    trees = {
        path.parents[2].name: str(stamps.Stamp(path).last().get("tree", ""))
        for path in sorted(area.glob(f"*/tree/{STATE}/tree.json"))
    }
    commit = checkout.commit
    return Subject(commit, bool(commit) and not checkout.changes(), trees, site_digest(site or area / "site"))


def _path(root: Path, session: str) -> Path:
    return root / ".work" / "proofs" / f"{session}.json"


def forget(root: Path, session: str) -> None:
    """Remove the record of a session, which begins again."""
    _path(root, session).unlink(missing_ok=True)


def write(root: Path, record: Record) -> None:
    """Write the record of a finished session."""
    verdict = "passed" if record.passed and not record.failed else "failed"
    answer = {"schema": _SCHEMA, "verdict": verdict, **asdict(record.subject), **asdict(record)}
    del answer["subject"]
    disk.write_json(_path(root, record.session), answer)


def read(root: Path, session: str) -> Record | None:
    """Return the record of a session; None where there is none, or it is damaged."""
    found: Any = disk.read_json(_path(root, session))
    try:
        if found["schema"] != _SCHEMA or found["session"] != session:
            return None
        record = Record(
            session,
            Subject(found["commit"], found["clean"], dict(found["trees"]), found["site_sha256"]),
            found["started"],
            found["passed"],
            tuple(found["failed"]),
            tuple(Skip(skip["name"], skip["reason"]) for skip in found["skipped"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return record if type(record.passed) is int and type(record.subject.clean) is bool else None


def now() -> str:
    """Return the time for a record, in UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def proving(root: Path, session: str, site: Path | None = None, *, whole: bool = True) -> Iterator[Findings]:
    """Run a session in the block, which fills in the findings, and write its record.

    ``site`` is the site that the session looks at; without it, the session builds one. An error that hardener explains
    is a failure of the session; any other exception leaves no record. A session that is not ``whole`` proves nothing:
    it neither writes nor removes a record.
    """
    findings = Findings()
    if not whole:
        yield findings
        return
    forget(root, session)
    started, before = now(), subject(root, site)
    try:
        yield findings
    except HardenerError as error:
        findings.failed.append(error.message)
        _finish(root, session, site, started, before, findings)
        raise
    _finish(root, session, site, started, before, findings)


def _finish(root: Path, session: str, site: Path | None, started: str, before: Subject, findings: Findings) -> None:
    after = subject(root, site)
    same_site = site is None or before.site_sha256 == after.site_sha256
    if not same_site or (before.commit, before.clean) != (after.commit, after.clean):
        findings.failed.append("the sources or the site changed while the session ran")
    failed, skipped = tuple(findings.failed), tuple(findings.skipped)
    write(root, Record(session, after, started, findings.passed, failed, skipped))
