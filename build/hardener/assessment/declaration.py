"""``operator.toml``: what an operator declares about the service and the organisation (grammar: docs/reference.md).

An answer is a statement with a document and a date. It decides criteria of the column organisation only. A waiver
accepts a light until a date; it is shown, and it never turns red into green.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from hardener.assessment.catalogue import LANGUAGES, PROFILES, Bilingual, load
from hardener.errors import UsageError
from hardener.system import disk, tables
from hardener.system.tables import Key, choice, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "operator.toml"
# Who may moderate, as the operator promises: each person with an account, or only persons on a list.
MODERATORS = ("logged-in", "named")
STATES = ("done", "in-progress", "missing", "not-needed")
# An answer holds for so many days, a waiver for so many at most.
ANSWER_DAYS, WAIVER_DAYS = 730, 366
TOPICS: Mapping[str, Bilingual] = {
    "processor-contract": {
        "en": "contract with each processor (Art. 28 GDPR)",
        "de": "Vertrag mit jedem Auftragsverarbeiter (Art. 28 DSGVO)",
    },
    "location": {"en": "servers and data in the EEA", "de": "Server und Daten im EWR"},
    "confidentiality": {
        "en": "commitment to confidentiality (§ 203 StGB, Art. 28 (3) (b) GDPR)",
        "de": "Verpflichtung zur Verschwiegenheit (§ 203 StGB, Art. 28 Abs. 3 lit. b DSGVO)",
    },
    "privacy-notice": {"en": "own privacy notice (Art. 13 GDPR)", "de": "eigene Datenschutzhinweise (Art. 13 DSGVO)"},
    "imprint": {"en": "own imprint (§ 5 DDG)", "de": "eigenes Impressum (§ 5 DDG)"},
    "personal-accounts": {
        "en": "one account for each person, no shared logins",
        "de": "ein Konto je Person, keine gemeinsam genutzten Zugänge",
    },
    "risk-profile": {"en": "risk profile with its reasons", "de": "Risikoprofil mit Begründung"},
    "records": {
        "en": "entry in the records of processing (Art. 30 GDPR)",
        "de": "Eintrag im Verzeichnis der Verarbeitungstätigkeiten (Art. 30 DSGVO)",
    },
    "dpia": {
        "en": "decision on a data protection impact assessment (Art. 35 GDPR)",
        "de": "Entscheidung über eine Datenschutz-Folgenabschätzung (Art. 35 DSGVO)",
    },
    "instruction": {"en": "instruction of the staff", "de": "Unterweisung der Beschäftigten"},
    "invitation-practice": {
        "en": "own invitations warn about the apps; password by another channel",
        "de": "eigene Einladungen weisen auf die Apps hin; Passwort auf getrenntem Weg",
    },
    "second-factor": {"en": "second factor for the login", "de": "zweiter Faktor bei der Anmeldung"},
    "review": {"en": "interval for repeating this assessment", "de": "Turnus für die Wiederholung dieser Bewertung"},
    "log-retention": {
        "en": "retention of log files, set and documented",
        "de": "Speicherdauer der Protokolle, festgelegt und dokumentiert",
    },
    "native-apps": {
        "en": "native apps assessed, or their use excluded",
        "de": "native Apps geprüft oder ihre Nutzung ausgeschlossen",
    },
}
_DATE = Key(lambda value: type(value) is dt.date, "a date without quotes, such as 2026-03-01")
_SERVICE = {
    "name": text("the name of the service", required=True),
    "operator": text("the controller, as in the privacy notice", required=True),
    "profile": choice(PROFILES, required=True),
    "moderators": choice(MODERATORS),
    "own_hosts": texts(
        'a list of origins: ["https://meet.example.org"]',
        r"https://[a-z0-9.-]+(?::\d{1,5})?|http://(?:127\.0\.0\.1|localhost)(?::\d{1,5})?",
        distinct=True,
    ),
}
_ANSWER = {
    "state": choice(STATES, required=True),
    "document": text("title or file number of the document"),
    "date": _DATE,
    "by": text("who answered"),
    "note": text("a sentence"),
}
_WAIVER = {
    "id": text("the id of a criterion", r"[A-Z]{3,4}-\d\d", required=True),
    "reason": text("a sentence: which other measure makes it acceptable", required=True),
    "by": text("who accepts it", required=True),
    "until": Key(lambda value: type(value) is dt.date, "a date without quotes, such as 2027-01-31", required=True),
}
_ATTACK = {
    "permission": text("a sentence: who may attack which service", required=True),
    "by": text("who permits it", required=True),
    "until": _WAIVER["until"],
}


@dataclass(frozen=True)
class Answer:
    """The statement of an operator on a topic."""

    state: str
    document: str = ""
    date: dt.date | None = None
    by: str = ""
    note: str = ""

    def holds(self, today: dt.date) -> bool:
        """Return whether the answer is young enough. What is not done yet does not get old."""
        return self.date is None or 0 <= (today - self.date).days <= ANSWER_DAYS


@dataclass(frozen=True)
class Waiver:
    """The acceptance of a light until a date."""

    id: str
    reason: str
    by: str
    until: dt.date

    def holds(self, today: dt.date) -> bool:
        """Return whether the waiver has not expired."""
        return today <= self.until


@dataclass(frozen=True)
class Permission:
    """The permission to attack the service, until a date."""

    permission: str
    by: str
    until: dt.date


@dataclass(frozen=True)
class Declaration:
    """A parsed ``operator.toml``."""

    name: str
    operator: str
    profile: str
    own_hosts: tuple[str, ...]
    answers: Mapping[str, Answer]
    waivers: Mapping[str, Waiver]
    attack: Permission | None = None
    moderators: str = MODERATORS[0]


def read(path: Path, today: dt.date) -> Declaration:
    """Read a declaration. Raises UsageError where it is missing, ConfigError for a mistake in it."""
    if not path.is_file():
        raise UsageError(f"there is no {path}", hint=f"write a template: hardener assess init {path}")
    document = tables.load(path)
    document.holds("[service]", "[answers.TOPIC]", "[[waiver]]", "[attack]")
    service = document.table("service", _SERVICE)
    answers = {}
    for topic, table in document.named_tables("answers", _ANSWER).items():
        if topic not in TOPICS:
            near = tables.nearest(topic, TOPICS)
            raise table.error(
                f"there is no topic {topic!r}", f"did you mean {near}?" if near else f"topics: {', '.join(TOPICS)}"
            )
        answer = Answer(**table.values)
        if answer.state == "done" and not (answer.document and answer.date):
            raise table.error(
                "an answer 'done' needs document and date", 'document = "..." and date = 2026-03-01', "state"
            )
        if answer.date and answer.date > today:
            raise table.error(f"{answer.date} is in the future", "the date of the document", "date")
        answers[topic] = answer
    waivers = {}
    for table in document.tables("waiver", _WAIVER, unique="id"):
        waiver = Waiver(**table.values)
        if waiver.id not in load().by_id():
            near = tables.nearest(waiver.id, load().by_id())
            raise table.error(
                f"there is no criterion {waiver.id}",
                f"did you mean {near}?"
                if near
                else "the ids are in the report, and in build/hardener/assessment/criteria/",
                "id",
            )
        if (waiver.until - today).days > WAIVER_DAYS:
            raise table.error(f"{waiver.until} is too far away", f"a waiver holds at most {WAIVER_DAYS} days", "until")
        waivers[waiver.id] = waiver
    attack = Permission(**document.table("attack", _ATTACK).values) if "attack" in document.data else None
    return Declaration(
        service["name"],
        service["operator"],
        service["profile"],
        service.get("own_hosts", ()),
        answers,
        waivers,
        attack,
        service.get("moderators", MODERATORS[0]),
    )


def write_template(path: Path, language: str) -> None:
    """Write a commented template. Raises UsageError for a file that exists."""
    if language not in LANGUAGES:
        raise UsageError(f"there is no template in {language!r}", hint=f"languages: {', '.join(LANGUAGES)}")
    if path.exists():
        raise UsageError(f"{path} exists already", hint="name another file; a declaration is never overwritten")
    disk.write(path, template(language).encode())


def template(language: str) -> str:
    """Return the commented template in a language."""
    return resources.files("hardener.assessment").joinpath(f"templates/operator.{language}.toml").read_text("utf-8")


def left_of_template(service: Mapping[str, Any]) -> list[str]:
    """Return the keys of ``[service]`` whose value is still the template's, in any language.

    >>> left_of_template({"name": "Name of the service", "operator": "Example e.V.", "profile": "high"})
    ['name']
    """
    templates = [tomllib.loads(template(language))["service"] for language in LANGUAGES]
    return [key for key in ("name", "operator") if service[key] in {words[key] for words in templates}]


def topics_of(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Return the topics that a rule asks for.

    >>> topics_of(("declared.dpia", "hosts.unknown"))
    ('dpia',)
    """
    return tuple(metric[len("declared.") :] for metric in metrics if re.match(r"declared\.", metric))
