"""Words for reports in each language: metrics and their values (``metrics.toml``), all other texts (``texts.toml``)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from hardener.assessment.catalogue import BILINGUAL, Bilingual
from hardener.assessment.declaration import TOPICS
from hardener.servercheck.check import catalogue as findings
from hardener.servercheck.rules.web import EXPECTED
from hardener.system import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hardener.assessment.conditions import Value

_WORDS, _NEEDS = "words", "needs"
_PARTS = {"no-prosody": "Prosody", "no-jicofo": "Jicofo", "no-config": "config.js", "no-web": "nginx"}
# Values that are 0 or 1, and mean no or yes.
_YES = frozenset(
    {
        "login.page",
        "invitations.notes",
        "invitations.german",
        "invitations.password_hint",
        "apps.preferred",
        "config.broken",
        "config.guests",
        "config.conference_request",
        "headers.cleartext",
        "browser.calls",
        "xmpp.first_moderates",
        "series.licence",
        "series.sbom",
    }
)


@cache
def _texts() -> dict[str, Bilingual]:
    document = tables.load(resources.files("hardener.assessment").joinpath("metrics.toml"))
    return {
        f"{group}.{name}": value
        for group, entries in document.data.items()
        for name, value in document.table(group, dict.fromkeys(entries, BILINGUAL)).values.items()
    }


@cache
def texts() -> dict[str, Any]:
    """Return the limits, the meanings of the lights, and the labels of the reports."""
    return dict(tables.load(resources.files("hardener.assessment").joinpath("texts.toml")).data)


def labels(language: str) -> dict[str, Any]:
    """Return the labels of a report in a language.

    >>> labels("de")["lights"]["red"]
    'Rot'
    """
    found: dict[str, Any] = texts()["labels"][language]
    return found


def named(metric: str) -> Bilingual:
    """Return what a metric is called. Raises KeyError for one that has no name.

    >>> named("e2e.test_login")["de"]
    'Browsertests tests/e2e/test_login.py'
    """
    sensor, _, name = metric.partition(".")
    if sensor == "e2e":
        return {"en": f"browser tests tests/e2e/{name}.py", "de": f"Browsertests tests/e2e/{name}.py"}
    if sensor == "declared":
        return TOPICS[name]
    if sensor != "server" or metric in _texts():
        return _texts()[metric]
    if name in _PARTS:
        part = _PARTS[name]
        return {"en": f"files of {part} missing", "de": f"fehlende Dateien von {part}"}
    if name.removeprefix("no-") in EXPECTED:
        header = name.removeprefix("no-")
        return {"en": f"places without the header {header}", "de": f"Stellen ohne die Kopfzeile {header}"}
    title = findings()[name]["title"]
    return {"en": f"findings “{title}” ({name})", "de": f"Befunde „{title}“ ({name})"}


def value(metric: str, found: Value) -> Bilingual:
    """Return a value in each language.

    >>> value("config.p2p", "off")["de"], value("login.page", 1)["de"], value("hosts.links", 2)["de"]
    ('aus', 'ja', '2')
    """
    if metric in _YES:
        return {"en": "yes", "de": "ja"} if found else {"en": "no", "de": "nein"}
    return _texts().get(f"{_WORDS}.{found}", {"en": str(found), "de": str(found)})


def needed(metric: str) -> Bilingual | None:
    """Return what a metric needs that is too small for green; None where there is nothing to say.

    >>> needed("xmpp.not_tried")["en"]
    'name a test account: --login-file'
    """
    return _texts().get(f"{_NEEDS}.{metric}")


def absent(metrics: Iterable[str], known: Mapping[str, Value]) -> Bilingual:
    """Return the names of the metrics that are zero, as one line in each language; empty if there is none."""
    parts = {f"server.{part}" for part in _PARTS}  # that a part is not missing needs no words
    names = [metric for metric in metrics if known.get(metric) == 0 and metric not in parts]
    return {
        "en": f"none of: {', '.join(named(metric)['en'] for metric in names)}" if names else "",
        "de": f"nicht vorhanden: {', '.join(named(metric)['de'] for metric in names)}" if names else "",
    }


def said(metrics: Iterable[str], known: Mapping[str, Value]) -> Bilingual:
    """Return the named metrics with their values, as one line in each language; those that are zero come last.

    >>> said(["hosts.links", "hosts.hints"], {"hosts.links": 2, "hosts.hints": 0})["en"]
    'external hosts that are opened on a click: 2; none of: hints to connect to foreign hosts in advance'
    """
    names = [metric for metric in metrics if metric in known and (metric in _YES or known[metric] != 0)]
    missing = absent([metric for metric in metrics if metric not in _YES], known)
    return {
        language: "; ".join(
            [*(f"{named(metric)[language]}: {value(metric, known[metric])[language]}" for metric in names)]
            + ([missing[language]] if missing[language] else [])
        )
        for language in ("en", "de")
    }
