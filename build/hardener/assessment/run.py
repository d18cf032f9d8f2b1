"""One assessment from subject to files: measure, judge, write result, evidence and report."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.assessment import catalogue, judging, report, result
from hardener.assessment.declaration import read as read_declaration
from hardener.assessment.sensors.model import Subject
from hardener.assessment.sensors.registry import measure
from hardener.errors import UsageError
from hardener.pipeline import proofs
from hardener.system import disk, stamps

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from hardener.assessment.sensors.registry import Reading


@dataclass(frozen=True)
class Order:
    """A requested assessment: the arguments of ``hardener assess bundle``."""

    site: Path
    root: Path
    out: Path
    servers: tuple[Path, ...] = ()
    operator: Path | None = None
    profile: str = ""
    release: Path | None = None
    full: bool = False
    name: str = ""


@dataclass(frozen=True)
class Assessed:
    """The result of an assessment, and its files."""

    result: dict[str, Any]
    folder: Path
    pages: tuple[Path, ...]


def bundle(order: Order, now: dt.datetime, tell: Callable[[str], None] = lambda _text: None) -> Assessed:
    """Assess an unpacked bundle, with a server's files and a declaration if they are given; writes ``order.out``.

    Raises UsageError for a folder that is not a bundle, and what reading a declaration and checking a server raise.
    """
    if not (order.site / "index.html").is_file() or not (order.site / "libs").is_dir():
        raise UsageError(
            f"{order.site} is not an unpacked bundle: it has no index.html, or no folder libs",
            hint="unpack an archive and name the folder, or build one: hardener build",
        )
    if order.servers and (missing := [path for path in order.servers if not path.exists()]):
        raise UsageError(f"there is no {missing[0]}", hint="name a folder (/etc), an env file (.env) or a compose file")
    today = now.date()
    declaration = read_declaration(order.operator, today) if order.operator else None
    profile = order.profile or (declaration.profile if declaration else "high")
    subject = Subject(
        order.site,
        order.root,
        today,
        order.servers,
        declaration,
        order.release,
        order.root / ".work" if order.full else None,
        _kept(order),
    )
    readings = measure(subject, tell=tell)
    tell("report")
    judged = judging.judge(catalogue.load().criteria, readings, profile, declaration, today)
    assessed = ["bundle", *(["deployment"] if order.servers else []), *(["organisation"] if declaration else [])]
    order.out.mkdir(parents=True, exist_ok=True)
    made = result.make(
        judged,
        readings,
        profile=profile,
        declaration=declaration,
        subject=_facts(order, readings),
        assessed=assessed,
        evidence=result.write_evidence(order.out, readings),
        now=now,
    )
    result.check(made, "this result")
    pages = report.write(order.out, report.pages_of(made))
    disk.write_json(order.out / result.NAME, made)
    return Assessed(made, order.out, tuple(pages))


def _facts(order: Order, readings: dict[str, Reading]) -> dict[str, Any]:
    released = readings["series"].evidence or {"label": "", "components": []}
    same = readings["files"].metrics
    known = bool(same) and not (same["files.changed"] or same["files.missing"])
    return {
        "kind": "bundle",
        "name": order.name or order.site.resolve().name,
        "site_sha256": proofs.site_digest(order.site),
        "label": released["label"] if known else "",
        "components": released["components"] if known else [],
        "server": bool(order.servers),
        "records": order.full,
    }


def _kept(order: Order) -> Path:
    """Return the file with what is known of this bundle's files; the build's is copied, never written."""
    place = order.site.resolve()
    kept = order.root / ".work" / "assess-readings" / f"{place.name}-{stamps.key(str(place))[:16]}.json"
    built = order.site.parent / "scan.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if built.is_file() and (not kept.exists() or kept.stat().st_mtime < built.stat().st_mtime):
        shutil.copyfile(built, kept)
    return kept
