"""Judge: metrics and rules become lights, with profile and waivers. No sensor runs here, and nothing is averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hardener.assessment import wording
from hardener.assessment.catalogue import COLUMNS, JUDGED, LIGHTS, Bilingual, Criterion
from hardener.assessment.conditions import first_true
from hardener.assessment.declaration import TOPICS, topics_of
from hardener.assessment.sensors.registry import SENSORS, sensor_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from hardener.assessment.catalogue import Rule
    from hardener.assessment.conditions import Condition, Metrics
    from hardener.assessment.declaration import Declaration, Waiver
    from hardener.assessment.sensors.registry import Reading

_LIGHT_NAMES = {
    "red": {"en": "red", "de": "Rot"},
    "yellow": {"en": "yellow", "de": "Gelb"},
    "green": {"en": "green", "de": "Grün"},
}


_PLACES = 3  # that a reason names: lines of files, or hosts
_ONLY_A_VISIT = {
    "en": "Not measured: only a visit to the running service shows this (hardener assess service).",
    "de": "Nicht gemessen: Dies zeigt nur ein Besuch des laufenden Dienstes (hardener assess service).",
}


@dataclass(frozen=True)
class Verdict:
    """The light of a criterion in one column.

    ``measured`` is the light before a waiver. ``condition`` is the condition that was true, ``missing`` are the sensors
    whose metrics would have been needed.
    """

    light: str
    measured: str
    reason: Bilingual
    condition: str = ""
    metrics: Metrics | None = None
    missing: tuple[str, ...] = ()
    suspect: bool = False  # grey although something is wrong: how much is not known


@dataclass(frozen=True)
class Judged:
    """A criterion with its verdict in each of its columns."""

    criterion: Criterion
    mandatory: bool
    verdicts: Mapping[str, Verdict]
    waiver: Waiver | None  # that makes a red light yellow
    unused: Waiver | None  # that is valid, where no light is red
    expired: Waiver | None


def judge(
    criteria: Iterable[Criterion],
    readings: Mapping[str, Reading],
    profile: str,
    declaration: Declaration | None,
    today: dt.date,
    *,
    visited: bool,
) -> tuple[Judged, ...]:
    """Judge all criteria for a risk profile. ``visited``: the readings are of what a running service delivers."""
    metrics = {name: value for reading in readings.values() for name, value in reading.metrics.items()}
    judged = []
    for criterion in criteria:
        waiver = declaration.waivers.get(criterion.id) if declaration else None
        valid = waiver if waiver and waiver.holds(today) else None
        verdicts = {
            column: _waived(
                _deployment(criterion, rule, metrics, readings, profile)
                if visited and column == "deployment"
                else _verdict(criterion, rule, metrics, readings, profile),
                valid,
            )
            for column, rule in criterion.rules.items()
        }
        used = any(verdict.light != verdict.measured for verdict in verdicts.values())
        judged.append(
            Judged(
                criterion,
                profile in criterion.mandatory,
                verdicts,
                valid if used else None,
                None if used else valid,
                waiver if waiver and not valid else None,
            )
        )
    return tuple(judged)


def _deployment(
    criterion: Criterion, rule: Rule, metrics: Metrics, readings: Mapping[str, Reading], profile: str
) -> Verdict:
    """Return the verdict of the column deployment. Files and a visit both count: the worse of two lights, and neither
    makes up for a defect that the other has found.
    """
    verdict = _verdict(criterion, rule, metrics, readings, profile)
    if criterion.service is None or profile not in criterion.applies:
        return verdict
    seen = _verdict(criterion, criterion.service, metrics, readings, profile)
    decided = [found for found in (verdict, seen) if found.light != "grey"]
    suspects = [found for found in (verdict, seen) if found.suspect]
    if decided:
        worst = min(decided, key=lambda found: LIGHTS.index(found.light))
        return suspects[0] if suspects and worst.light != "red" else worst
    if not rule.metrics:
        return seen
    reason = {language: f"{verdict.reason[language]} {seen.reason[language]}" for language in verdict.reason}
    return replace(
        verdict, reason=reason, missing=tuple(dict.fromkeys((*verdict.missing, *seen.missing))), suspect=bool(suspects)
    )


def _verdict(
    criterion: Criterion, rule: Rule, metrics: Metrics, readings: Mapping[str, Reading], profile: str
) -> Verdict:
    if profile not in criterion.applies:
        reason = {"en": "Not applicable in this risk profile.", "de": "In diesem Risikoprofil nicht anwendbar."}
        return Verdict("grey", "grey", reason)
    if not rule.metrics:
        reason = (
            _ONLY_A_VISIT
            if criterion.service
            else {
                "en": "Not measured: this version has no measurement for it.",
                "de": "Nicht gemessen: Diese Version hat hierfür keine Messung.",
            }
        )
        return Verdict("grey", "grey", reason)
    known = {name: metrics[name] for name in rule.metrics if name in metrics}
    visit = criterion.service is not None and rule is not criterion.service and bool(criterion.service.green)
    uncertain = False
    for light in JUDGED:
        condition, unknown = first_true(rule.of(light), metrics)
        # What would be worse has to be known to be false; red needs nothing else.
        if condition and (light == "red" or not uncertain):
            final = criterion.override.get(profile, {}).get(light, light)
            reason = _because(rule, condition, known, light, final, readings)
            return Verdict(final, final, reason, str(condition), known)
        if condition:
            return _grey(rule, metrics, readings, known, condition, visit=visit)
        uncertain = uncertain or unknown
    return _grey(rule, metrics, readings, known, None, visit=visit)


def _because(
    rule: Rule, condition: Condition, known: Metrics, light: str, final: str, readings: Mapping[str, Reading]
) -> Bilingual:
    # Green rests on what was not found, too.
    every = dict.fromkeys((*condition.metrics, *rule.metrics))
    values = wording.said(every, known) if light == "green" else _with_places(condition.metrics, known, readings)
    if light == final:
        return values
    return {
        "en": f"{values['en']} ({_LIGHT_NAMES[light]['en']}; {_LIGHT_NAMES[final]['en']} in this risk profile)",
        "de": f"{values['de']} ({_LIGHT_NAMES[light]['de']}; in diesem Risikoprofil {_LIGHT_NAMES[final]['de']})",
    }


def _grey(
    rule: Rule,
    metrics: Metrics,
    readings: Mapping[str, Reading],
    known: Metrics,
    found: Condition | None,
    *,
    visit: bool,
) -> Verdict:
    """Return grey with what is missing; ``found`` is a milder condition that is true.

    ``visit``: a visit to the running service could be green.
    """
    lacking = [metric for metric in rule.metrics if metric not in metrics]
    sensors = tuple(dict.fromkeys(sensor_of(metric) for metric in lacking))
    parts: Bilingual = {"en": "", "de": ""}
    for sensor in sensors:
        reading = readings.get(sensor)
        topics = topics_of(tuple(metric for metric in lacking if sensor_of(metric) == sensor))
        for language in parts:
            if reading and reading.reason:
                text = f"{SENSORS[sensor].what[language]}: {reading.reason[language]}"
            elif topics:
                what = {"en": "no answer, or an old one", "de": "keine oder eine veraltete Angabe"}[language]
                text = f"{what}: {', '.join(TOPICS[topic][language] for topic in topics)}"
            else:
                what = {"en": "not measured", "de": "nicht gemessen"}[language]
                names = (wording.named(metric)[language] for metric in lacking if sensor_of(metric) == sensor)
                text = f"{what}: {', '.join(names)}"
            parts[language] = " ".join(filter(None, (parts[language], _sentence(text))))
    alternatives = [false for condition in rule.green if sensors and (false := _false(condition, known))]
    if alternatives:
        values = _with_places(alternatives[0], known, readings)
        parts = {language: f"{parts[language]} {_sentence(values[language])}" for language in parts}
    if found:
        at_least = _because(rule, found, known, "yellow", "yellow", readings)
        parts["en"] = f"At best yellow: {at_least['en']}. Whether it is red is open. {parts['en']}"
        parts["de"] = f"Bestenfalls gelb: {at_least['de']}. Ob die Ampel rot ist, ist offen. {parts['de']}"
    if not sensors:
        parts = _short_of_green(rule, readings, known, visit=visit)
    return Verdict("grey", "grey", parts, "", known, sensors, suspect=found is not None)


def _short_of_green(rule: Rule, readings: Mapping[str, Reading], known: Metrics, *, visit: bool) -> Bilingual:
    """Return why what was measured is neither wrong nor sufficient: the comparisons of green that are false.

    ``visit`` as in :func:`_grey`.
    """
    if any(known.get(f"server.{part}", 0) for part in ("no-web", "no-prosody", "no-jicofo", "no-config")):
        return {
            "en": "The files of the server that would decide this were not given, or could not be read.",
            "de": "Die maßgeblichen Dateien des Servers wurden nicht angegeben oder waren nicht lesbar.",
        }
    names = min((_false(condition, known) for condition in rule.green), key=len, default=())
    if not names and visit:
        return {
            "en": "Nothing wrong was found, and this is not sufficient for green: only a visit shows it.",
            "de": "Es wurde kein Mangel gefunden; für Grün genügt das nicht: Dies zeigt nur ein Besuch.",
        }
    if not names:
        return {
            "en": "Nothing wrong was found. For green, this version has no measurement.",
            "de": "Es wurde kein Mangel gefunden. Für Grün hat diese Version keine Messung.",
        }
    values = _with_places(names, known, readings)
    return {
        "en": f"Nothing wrong was found, but this prevents green: {values['en']}.",
        "de": f"Es wurde kein Mangel gefunden, doch Grün steht entgegen: {values['de']}.",
    }


def _false(condition: Condition, known: Metrics) -> tuple[str, ...]:
    """Return the metrics that make a condition false."""
    return tuple(dict.fromkeys(term.metric for term in condition.terms if term.holds(known) is False))


def _with_places(names: Sequence[str], known: Metrics, readings: Mapping[str, Reading]) -> Bilingual:
    """Return values with what they need, and the first things that they count."""
    values = wording.said(names, known)
    needs = [needed for name in names if (needed := wording.needed(name))]
    places = [place for name in names for place in _places(name, known, readings)]
    more = ["…"] if len(places) > _PLACES else []
    added = {language: [*(text[language] for text in needs), *places[:_PLACES], *more] for language in values}
    return {
        language: f"{text} ({'; '.join(added[language])})" if added[language] else text
        for language, text in values.items()
    }


def _places(name: str, known: Metrics, readings: Mapping[str, Reading]) -> list[str]:
    """Return what a metric counts: places in a server's files, parts of config.js that cannot be read, hosts."""
    sensor, _, metric = name.partition(".")
    evidence = readings[sensor].evidence if sensor in readings else None
    if not isinstance(evidence, dict):
        return []
    if sensor == "server":
        return [f"{entry['where']}: {entry['what']}" for entry in evidence.get("findings", ()) if entry["id"] == metric]
    if name == "config.unclear" or (sensor == "config" and known.get(name) == "unclear"):
        return list(evidence.get("unclear", ()))
    if name == "hosts.links":
        return list(evidence.get("known", {}).get("link", ()))
    listed = evidence.get(metric, ()) if sensor == "hosts" else ()
    return [entry for entry in listed if isinstance(entry, str)]


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _waived(verdict: Verdict, waiver: Waiver | None) -> Verdict:
    """Return the verdict with a waiver: red becomes yellow, and ``measured`` keeps what was found."""
    return replace(verdict, light="yellow") if waiver and verdict.light == "red" else verdict


def column_light(judged: Iterable[Judged], column: str) -> str:
    """Return the worst light of the mandatory criteria of a column; grey caps yellow and green."""
    lights = [item.verdicts[column].light for item in judged if item.mandatory and column in item.verdicts]
    return worst(lights)


def worst(lights: Iterable[str]) -> str:
    """Return the worst of some lights.

    >>> worst(["green", "grey", "yellow"])
    'grey'
    """
    return min(lights, key=LIGHTS.index, default="grey")


def columns(judged: Iterable[Judged]) -> dict[str, str]:
    """Return the light of each column."""
    items = tuple(judged)
    return {column: column_light(items, column) for column in COLUMNS}
