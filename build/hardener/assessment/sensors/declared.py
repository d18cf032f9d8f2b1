"""The adapter to an operator's declaration: it measures nothing, it passes on what was stated."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from hardener.assessment.declaration import TOPICS, read
from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named

if TYPE_CHECKING:
    from pathlib import Path


def declared(subject: Subject) -> Measured:
    """Return the state of each topic that has an answer; an answer that is too old does not count."""
    if subject.declaration is None:
        raise MissingError(
            "no declaration was given (--operator FILE)",
            "Es liegt keine Erklärung des Betreibers vor (--operator DATEI).",
        )
    answers = subject.declaration.answers
    valid = {topic: answer for topic, answer in answers.items() if answer.holds(subject.today)}
    evidence = {
        topic: {name: str(value) for name, value in asdict(answer).items() if value}
        | ({} if topic in valid else {"expired": "yes"})
        for topic, answer in answers.items()
    }
    return Measured({f"declared.{topic}": answer.state for topic, answer in valid.items()}, evidence)


_PLANTED = """[service]
name = "x"
operator = "x"
profile = "high"
[answers.dpia]
state = "missing"
[answers.records]
state = "done"
document = "x"
date = 2000-01-01
"""


def _own(subject: Subject, folder: Path) -> Subject:
    return replace(subject, declaration=read(folder / "operator.toml", dt.date(2020, 1, 1)))


DECLARED = Sensor(
    "declared",
    named("declared", *TOPICS),
    {"en": "What the operator declares", "de": "Angaben des Betreibers"},
    declared,
    {"operator.toml": _PLANTED},
    "declared.dpia == missing",
    _own,
)
