"""Adapters to records of earlier runs on exactly this bundle: the evidence run, and the browser tests.

A record about another bundle, a void one and a part of a run prove nothing here.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.delivery import tested_digest
from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.pipeline import proofs
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.assessment.conditions import Metrics

OLDEST = 180  # days of a record that counts
# Files of tests/e2e that criteria rest on.
TESTS = (
    "test_avatars test_bridge test_embedding test_invitations test_lib test_links test_login test_mobile test_operator"
    " test_overrides test_pages test_stanzas test_storage test_third_parties"
).split()
# What a participant sends to others that names or links a person.
_IDENTIFYING = frozenset({"email", "avatar-url"})
_PREFERENCES = frozenset({"local:language"})
_PEERS = ("call-mallory", "real-mallory")


def _asked(subject: Subject) -> Path:
    if subject.records is None:
        raise MissingError(
            "records of earlier runs were not read (--full, on the machine that has them)",
            "Nachweise früherer Läufe wurden nicht gelesen (--full, auf dem Rechner mit den Nachweisen).",
        )
    return subject.records


def _young(date: str, subject: Subject) -> None:
    """Raise MissingError for a record that is too old, or has no date: browsers and hosts change."""
    try:
        age = (subject.today - dt.date.fromisoformat(date[:10])).days
    except ValueError:
        age = OLDEST + 1
    if age > OLDEST:
        raise MissingError(
            f"the record is older than {OLDEST} days; make it again",
            f"Der Nachweis ist älter als {OLDEST} Tage; erstellen Sie ihn erneut.",
        )


def evidence(subject: Subject) -> Measured:
    """Read the last evidence run of this bundle."""
    summary = disk.read_json(_asked(subject) / "evidence" / "site" / "summary.json")
    if not isinstance(summary, dict) or subject.site is None:
        raise MissingError(
            "there is no evidence run (hardener evidence DIR)",
            "Es liegt kein Evidenzlauf vor (hardener evidence ORDNER).",
        )
    if summary.get("site_sha256") != tested_digest(subject):
        raise MissingError(
            "the evidence run is about another bundle; repeat it: hardener evidence DIR",
            "Der Evidenzlauf betrifft ein anderes Bundle; wiederholen Sie ihn: hardener evidence ORDNER",
        )
    if summary.get("only") or summary.get("shard") or summary.get("since"):
        raise MissingError(
            "only a part of the evidence run was made", "Nur ein Teil des Evidenzlaufs wurde ausgeführt."
        )
    if summary.get("verdict") == "void" or not summary.get("canaries"):
        raise MissingError(
            "the evidence run is void: a planted request was not seen",
            "Der Evidenzlauf ist ungültig: Eine Kontrollanfrage wurde nicht gesehen.",
        )
    _young(str(summary["date"]), subject)
    totals, runs = summary["totals"], summary["runs"]
    peers = [run for run in runs if run["journey"].startswith(_PEERS)]
    stored = {key for run in runs for key in run["stored"]} - _PREFERENCES
    given = Counter(name for run in runs for name in run["given_away"])
    metrics: Metrics = {
        "evidence.contacts": totals["contacts"],
        "evidence.browser": totals["browser"],
        "evidence.transport": totals["transport"],
        "evidence.messages": totals["runs_with_messages"],
        "evidence.mistaken": totals["runs_with_mistaken"],
        "evidence.early": len(summary["unproven"]),
        "evidence.peer_runs": len(peers),
        "evidence.peer_contacts": sum(1 for run in peers if run["contacts"]),
        "evidence.stored": len(stored),
        "evidence.identifying": len(_IDENTIFYING & set(given)),
    }
    hosts = sorted({contact["host"] for run in runs for contact in run["contacts"]})
    facts = {"date": summary["date"], "browser": summary["browser"], "totals": {**totals, "hosts": hosts}}
    return Measured(metrics, facts | {"stored": sorted(stored), "given_away": dict(given)})


def browser_tests(subject: Subject) -> Measured:
    """Read the record of the browser tests: for each file, whether all of its tests passed on this bundle."""
    _asked(subject)
    record = proofs.read(subject.root, "e2e")
    if record is None or subject.site is None:
        raise MissingError(
            "there is no record of browser tests (nox -s e2e)",
            "Es liegt kein Nachweis der Browsertests vor (nox -s e2e).",
        )
    if record.subject.site_sha256 != tested_digest(subject):
        raise MissingError(
            "the browser tests are about another bundle; repeat them: nox -s e2e",
            "Die Browsertests betreffen ein anderes Bundle; wiederholen Sie sie: nox -s e2e",
        )
    _young(record.started, subject)
    skipped = [skip.name for skip in record.skipped]

    def state(test: str) -> str:
        place = f"tests/e2e/{test}.py"
        if any(name.startswith(place) for name in record.failed) or not record.passed:
            return "failed"
        return "skipped" if any(name.startswith(place) for name in skipped) else "passed"

    facts = {"started": record.started, "commit": record.subject.commit, "passed": record.passed}
    return Measured(
        {f"e2e.{test}": state(test) for test in TESTS}, facts | {"failed": list(record.failed), "skipped": skipped}
    )


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def _planted_run(subject: Subject, folder: Path) -> Subject:
    """Write the record of a run with a contact."""
    contact = {"host": "planted.example"}
    run = {"journey": "call-mallory", "contacts": [contact], "stored": ["local:id"], "given_away": ["email"]}
    totals = {"contacts": 1, "browser": 1, "transport": 1, "runs_with_messages": 0, "runs_with_mistaken": 0}
    summary = {
        "site_sha256": proofs.site_digest(folder / "site"), "verdict": "contacts", "canaries": [{}], "unproven": [],
        "totals": totals, "runs": [run], "date": subject.today.isoformat(), "browser": "",
    }  # fmt: skip
    _write(folder / "records" / "evidence" / "site" / "summary.json", summary)
    return replace(subject, site=folder / "site", records=folder / "records")


def _planted_tests(subject: Subject, folder: Path) -> Subject:
    """Write the record of browser tests of which one failed and one was skipped."""
    site = folder / "site"
    failed = ("tests/e2e/test_login.py::test_planted (call)",)
    skipped = (proofs.Skip("tests/e2e/test_lib.py::test_planted", "planted"),)
    about = proofs.Subject("0", clean=True, trees={}, site_sha256=proofs.site_digest(site))
    proofs.write(folder, proofs.Record("e2e", about, subject.today.isoformat(), 1, failed, skipped))
    return replace(subject, root=folder, site=site, records=folder)


EVIDENCE = Sensor(
    "evidence",
    named(
        "evidence",
        *"contacts browser transport messages mistaken early peer_runs peer_contacts stored identifying".split(),
    ),
    {
        "en": "Contacts of a real browser in a sealed network",
        "de": "Kontakte eines echten Browsers in einem abgeschotteten Netz",
    },
    evidence,
    {"site/a.js": "1"},
    "evidence.contacts == 1 and evidence.peer_contacts == 1 and evidence.stored == 1 and evidence.identifying == 1",
    _planted_run,
)
E2E = Sensor(
    "e2e",
    named("e2e", *TESTS),
    {"en": "Browser tests of this project on this bundle", "de": "Browsertests dieses Projekts mit diesem Bundle"},
    browser_tests,
    {"site/a.js": "1"},
    "e2e.test_login == failed and e2e.test_lib == skipped and e2e.test_pages == passed",
    _planted_tests,
)
