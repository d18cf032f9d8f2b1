"""One assessment from subject to files: measure, judge, write result, evidence and report."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.assessment import catalogue, judging, report, result
from hardener.assessment.declaration import read as read_declaration
from hardener.assessment.sensors.model import Subject
from hardener.assessment.sensors.registry import measure
from hardener.assessment.service import browser
from hardener.assessment.service.client import LONGEST, MOST
from hardener.assessment.service.visit import visit
from hardener.errors import HardenerError, UsageError
from hardener.pipeline import proofs
from hardener.system import disk, stamps

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from hardener.assessment.declaration import Declaration
    from hardener.assessment.sensors.registry import Reading
    from hardener.assessment.service.browser import Browse
    from hardener.assessment.service.client import Client
    from hardener.assessment.service.logins import Try
    from hardener.assessment.service.visit import Plan


@dataclass(frozen=True)
class Order:
    """A requested assessment: the arguments of ``hardener assess bundle`` and ``service``."""

    site: Path
    root: Path
    out: Path
    servers: tuple[Path, ...] = ()
    operator: Path | None = None
    profile: str = ""
    release: Path | None = None
    full: bool = False
    name: str = ""

    @property
    def records(self) -> Path | None:
        """Return the work area with evidence and proof records, if they are to be read."""
        return self.root / ".work" if self.full else None


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
    if not order.site.exists():
        raise UsageError(f"there is no {order.site}", hint="name the folder of an unpacked bundle")
    if order.site.is_file():
        raise UsageError(f"{order.site} is a file", hint="unpack an archive into a folder: tar -xzf FILE -C FOLDER")
    if not (order.site / "index.html").is_file() or not (order.site / "libs").is_dir():
        raise UsageError(
            f"{order.site} is not an unpacked bundle: it has no index.html, or no folder libs",
            hint="unpack an archive and name the folder, or build one: hardener build",
        )
    _exist(order.servers)
    today = now.date()
    declaration = read_declaration(order.operator, today) if order.operator else None
    _writable(order)
    subject = Subject(
        order.site,
        order.root,
        today,
        order.servers,
        declaration,
        order.release,
        order.records,
        _kept(order),
    )
    assessed = ["bundle", *(["deployment"] if order.servers else []), *(["organisation"] if declaration else [])]
    readings = measure(subject, tell=tell)
    return _finish(order, declaration, readings, _facts(order, readings), assessed, now, tell)


def service(
    order: Order,
    plan: Plan,
    now: dt.datetime,
    tell: Callable[[str], None] = lambda _text: None,
    *,
    client: Client | None = None,
    attempt: Try | None = None,
    browse: Browse = browser.browse,
) -> Assessed:
    """Assess a running service of the declaration's operator; writes ``order.out``.

    ``order.site`` gets the delivered files. Raises what reading a declaration and a visit raise.
    """
    if order.operator is None:
        raise UsageError(
            "a running service needs a declaration that names it (--operator FILE)",
            hint="write a template: hardener assess init operator.toml",
        )
    _exist(order.servers)
    declaration = read_declaration(order.operator, now.date())
    _writable(order)
    try:
        visited = visit(plan, declaration, now, tell, client=client, attempt=attempt, browse=browse)
    except HardenerError:
        with contextlib.suppress(OSError):  # that of an earlier report is not empty
            order.out.rmdir()
        raise
    subject = Subject(
        visited.site,
        order.root,
        now.date(),
        order.servers,
        declaration,
        order.release,
        order.records,
        None,
        visited.facts,
    )
    readings = measure(subject, tell=tell)
    facts = _facts(order, readings) | {"kind": "service", "name": order.name or visited.host, "address": visited.origin}
    facts |= {"requests": {"sent": visited.requests, "most": MOST, "minutes": LONGEST // 60}}
    if "xmpp.attempts" in readings["xmpp"].metrics:
        facts["requests"]["attempts"] = readings["xmpp"].metrics["xmpp.attempts"]
    done = _finish(order, declaration, readings, facts, ["bundle", "deployment", "organisation"], now, tell)
    disk.remove(plan.kept)  # only an interrupted visit is resumed
    return done


def _writable(order: Order) -> None:
    """Make the folder of the report and try to write there: a wrong one is an error before anything is measured."""
    for measured in (order.site, *order.servers):
        if order.out.resolve().is_relative_to(measured.resolve()):
            raise UsageError(
                f"the report would be in {measured}, which is assessed",
                hint="--out DIR names a folder elsewhere: the next assessment would read the report",
            )
    order.out.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=order.out):
        pass


def _exist(servers: tuple[Path, ...]) -> None:
    if missing := [path for path in servers if not path.exists()]:
        raise UsageError(f"there is no {missing[0]}", hint="name a folder (/etc), an env file (.env) or a compose file")


def _finish(
    order: Order,
    declaration: Declaration | None,
    readings: dict[str, Reading],
    facts: dict[str, Any],
    assessed: list[str],
    now: dt.datetime,
    tell: Callable[[str], None],
) -> Assessed:
    """Judge, and write result, evidence and report."""
    tell("report")
    profile = order.profile or (declaration.profile if declaration else "high")
    judged = judging.judge(
        catalogue.load().criteria, readings, profile, declaration, now.date(), visited=facts["kind"] == "service"
    )
    made = result.make(
        judged,
        readings,
        profile=profile,
        declaration=declaration,
        subject=facts,
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
