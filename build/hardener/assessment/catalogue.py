"""The catalogue: ``criteria/*.toml`` (criteria), ``sources.toml`` (documents), ``excused.toml`` (patches).

docs/reference.md has the grammar. A mistake is a ConfigError that names file, line and key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from hardener.assessment import conditions
from hardener.system import tables
from hardener.system.tables import Key, choice, text, texts, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from hardener.assessment.conditions import Condition
    from hardener.system.tables import Table

NAME, VERSION = "hardener-jitsi", "1.2.0"
LANGUAGES = ("en", "de")
COLUMNS = ("bundle", "deployment", "organisation")
# A second rule of the column deployment: what a visit to the running service shows.
SERVICE = "service"
PROFILES = ("minor", "normal", "high")
# From the worst to the best; grey is between them, because it is not known.
LIGHTS = ("red", "grey", "yellow", "green")
JUDGED = ("red", "yellow", "green")
# How far the wording of a requirement was checked: in the primary text, in an excerpt or summary, not at all.
SEEN = ("read", "excerpt", "unread")
Bilingual = dict[str, str]


def _is_bilingual(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(LANGUAGES)
        and all(isinstance(part, str) and part.strip() for part in value.values())
    )


def _is_conditions(value: Any) -> bool:
    return isinstance(value, list) and all(_is_condition(part) for part in value)


def _is_condition(value: Any) -> bool:
    try:
        conditions.parse(value)
    except (ValueError, AttributeError):
        return False
    return True


def _is_rule(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= set(JUDGED) and all(map(_is_conditions, value.values()))


def _is_lights(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= set(COLUMNS) and set(value.values()) <= set(LIGHTS)


def _is_override(value: Any) -> bool:
    return isinstance(value, dict) and all(
        profile in PROFILES
        and isinstance(change, dict)
        and all(before in JUDGED and after in JUDGED for before, after in change.items())
        for profile, change in value.items()
    )


def _is_sources(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(entry, dict)
            and set(entry) == {"doc", "ref", "seen"}
            and entry["seen"] in SEEN
            and all(isinstance(part, str) and part for part in entry.values())
            for entry in value
        )
    )


BILINGUAL = Key(_is_bilingual, "a text in each language: .en and .de", required=True)
_RULE = Key(_is_rule, "red, yellow and green, each a list of conditions: 'hosts.unknown > 0 and sdks.found == 0'")
_KEYS = {
    "id": text("three or four capital letters, a dash and two digits", r"[A-Z]{3,4}-[0-9]{2}", required=True),
    "revision": whole("a whole number from 1; raise it if a rule changes", 1, required=True),
    "mandatory": Key(
        lambda value: isinstance(value, list) and set(value) <= set(PROFILES),
        f"a list of profiles: {', '.join(PROFILES)}",
        required=True,
        convert=tuple,
    ),
    "applies": Key(
        lambda value: isinstance(value, list) and set(value) <= set(PROFILES),
        f"a list of profiles: {', '.join(PROFILES)}",
        convert=tuple,
    ),
    "title": BILINGUAL,
    "why": BILINGUAL,
    "fix": BILINGUAL,
    "sources": Key(_is_sources, f"a list of tables with doc, ref and seen ({', '.join(SEEN)})", required=True),
    **dict.fromkeys((*COLUMNS, SERVICE), _RULE),
    "override": Key(_is_override, "for a profile, the light that takes the place of another: minor.red = 'yellow'"),
    "stock": Key(_is_lights, "for a column, the light that unpatched Jitsi Meet has to show"),
    "patches": texts("a list of names of patches, without '.patch'", r"[a-z0-9-]+", distinct=True),
}
_DOCUMENT = {
    "title": BILINGUAL,
    "issued": BILINGUAL,
    "where": text("where the document can be found"),
    "kind": choice(("authority", "law", "court", "standard", "practice"), required=True),
}


@dataclass(frozen=True)
class Source:
    """A place in a document that a criterion rests on."""

    doc: str
    ref: str
    seen: str


@dataclass(frozen=True)
class Rule:
    """The conditions of one column; the first light with a true condition counts."""

    red: tuple[Condition, ...]
    yellow: tuple[Condition, ...]
    green: tuple[Condition, ...]

    def of(self, light: str) -> tuple[Condition, ...]:
        """Return the conditions of a light."""
        return {"red": self.red, "yellow": self.yellow, "green": self.green}[light]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of all metrics that the rule compares."""
        every = (*self.red, *self.yellow, *self.green)
        return tuple(dict.fromkeys(metric for condition in every for metric in condition.metrics))

    @property
    def lights(self) -> tuple[str, ...]:
        """Return the lights that have a condition."""
        return tuple(light for light in JUDGED if self.of(light))


@dataclass(frozen=True)
class Criterion:
    """One criterion with its rule for each column that it has; ``service`` is a second rule of the deployment."""

    id: str
    revision: int
    mandatory: tuple[str, ...]
    applies: tuple[str, ...]
    title: Bilingual
    why: Bilingual
    fix: Bilingual
    sources: tuple[Source, ...]
    rules: Mapping[str, Rule]
    service: Rule | None
    override: Mapping[str, Mapping[str, str]]
    stock: Mapping[str, str]
    patches: tuple[str, ...]

    @property
    def all_rules(self) -> dict[str, Rule]:
        """Return the rules by column, and that of a visit as ``service``."""
        return {**self.rules, **({SERVICE: self.service} if self.service else {})}


@dataclass(frozen=True)
class SourceDocument:
    """A document that criteria are taken from."""

    title: Bilingual
    issued: Bilingual
    kind: str
    where: str = ""


@dataclass(frozen=True)
class Catalogue:
    """All criteria in order, the documents behind them, and patches that no criterion rests on, with reasons."""

    criteria: tuple[Criterion, ...]
    documents: Mapping[str, SourceDocument]
    excused: Mapping[str, str]
    sha256: str

    def by_id(self) -> dict[str, Criterion]:
        """Return the criteria by id."""
        return {criterion.id: criterion for criterion in self.criteria}


@cache
def load() -> Catalogue:
    """Read the catalogue of this package."""
    return read(resources.files("hardener.assessment"))


def read(root: Traversable) -> Catalogue:
    """Read a catalogue from a folder. Raises ConfigError that names the place of a mistake."""
    digest = hashlib.sha256()
    documents = tables.load(_hashed(root.joinpath("sources.toml"), digest)).named_tables("doc", _DOCUMENT)
    criteria: list[Criterion] = []
    for path in sorted(root.joinpath("criteria").iterdir(), key=lambda entry: entry.name):
        if path.name.endswith(".toml"):
            document = tables.load(_hashed(path, digest))
            document.holds("[[criterion]]")
            for table in document.tables("criterion", _KEYS, unique="id"):
                criteria.append(_criterion(table, {criterion.id for criterion in criteria}, documents))
    excused = tables.load(_hashed(root.joinpath("excused.toml"), digest))
    reasons = {"patch": text("a name", required=True), "reason": text("a sentence", required=True)}
    return Catalogue(
        tuple(sorted(criteria, key=_place)),
        {name: SourceDocument(**table.values) for name, table in documents.items()},
        {table["patch"]: table["reason"] for table in excused.tables("excused", reasons, unique="patch")},
        digest.hexdigest(),
    )


# As in the catalogue that the criteria come from: what leaves the browser first, the organisation last.
_AREAS = "NET TRK CFG STO AUTH INV APP HDR MED SRV SUP ORG".split()


def _place(criterion: Criterion) -> tuple[int, str]:
    return (_AREAS.index(criterion.id[:-3]), criterion.id)


def _hashed(path: Traversable, digest: hashlib._Hash) -> Traversable:
    digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return path


def _criterion(table: Table, known: set[str], documents: Mapping[str, Table]) -> Criterion:
    if table["id"] in known:
        raise table.error(f"{table['id']} is in another file, too", "an id is used once", "id")
    if table["id"][:-3] not in _AREAS:
        raise table.error(f"{table['id']} is of an unknown area", f"allowed: {', '.join(_AREAS)}", "id")
    sources = tuple(Source(**entry) for entry in table["sources"])
    for source in sources:
        if source.doc not in documents:
            raise table.error(f"there is no document {source.doc!r}", "add it to sources.toml", "sources")
    rules = {column: _rule(table[column]) for column in COLUMNS if column in table.values}
    if SERVICE in table.values and "deployment" not in rules:
        raise table.error("service is a second rule of deployment", "add deployment = {}", SERVICE)
    if not rules:
        raise table.error("it has no rule", f"write one of: {', '.join(COLUMNS)}")
    return Criterion(
        table["id"],
        table["revision"],
        table["mandatory"],
        table.get("applies", PROFILES),
        table["title"],
        table["why"],
        table["fix"],
        sources,
        rules,
        _rule(table[SERVICE]) if SERVICE in table.values else None,
        table.get("override", {}),
        table.get("stock", {}),
        table.get("patches", ()),
    )


def _rule(value: Mapping[str, list[str]]) -> Rule:
    parsed = {light: tuple(conditions.parse(entry) for entry in value.get(light, ())) for light in JUDGED}
    return Rule(parsed["red"], parsed["yellow"], parsed["green"])
