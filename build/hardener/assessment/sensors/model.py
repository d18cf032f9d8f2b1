"""The shape of a sensor, of what it measures, and of its calibration."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from hardener.assessment import conditions
from hardener.policy.addresses import MAP_SUFFIX

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from hardener.assessment.catalogue import Bilingual
    from hardener.assessment.conditions import Metrics
    from hardener.assessment.declaration import Declaration

_Made = TypeVar("_Made")
COMPRESSED = (".gz", ".br")
SCRIPTS = (".js", ".mjs")


class MissingError(Exception):
    """A sensor cannot measure; ``reason`` says in both languages what it would need."""

    def __init__(self, en: str, de: str) -> None:
        super().__init__(en)
        self.reason: Bilingual = {"en": en, "de": de}


@dataclass(frozen=True)
class Subject:
    """The subject of an assessment, and where sensors find what they compare it with.

    ``site`` is an unpacked bundle, ``root`` the project, ``servers`` a server's files, ``release`` a folder with
    archive and manifest, ``records`` the work area with evidence and proof records (None: they are not to be read),
    ``visited`` the facts of a visit to the running service by step; then ``site`` is what it delivered.
    """

    site: Path | None
    root: Path
    today: dt.date
    servers: tuple[Path, ...] = ()
    declaration: Declaration | None = None
    release: Path | None = None
    records: Path | None = None
    kept: Path | None = None
    visited: Mapping[str, Any] = field(default_factory=dict)
    _made: dict[str, Any] = field(default_factory=dict)

    @property
    def own_names(self) -> set[str]:
        """Return the names of the hosts whose origins the declaration has."""
        own = self.declaration.own_hosts if self.declaration else ()
        return {urlsplit(origin).hostname or "" for origin in own}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the paths of all served files: no source maps and no compressed copies."""
        if self.site is None:
            raise MissingError("no bundle was given", "Es wurde kein Bundle angegeben.")
        if self.visited and not self.visited["files"]["complete"]:
            raise MissingError(
                "the service delivers more files than are requested in one visit",
                "Der Dienst liefert mehr Dateien aus, als bei einem Besuch angefordert werden.",
            )
        paths = sorted(path.relative_to(self.site).as_posix() for path in self.site.rglob("*") if path.is_file())
        return tuple(name for name in paths if not name.endswith((*COMPRESSED, MAP_SUFFIX)))

    def has(self, name: str) -> bool:
        """Return whether the bundle has a file."""
        return name in self.names

    def text(self, name: str) -> str:
        """Return a file of the bundle as text."""
        site = self.site
        return "" if site is None else self.once(f"text of {name}", lambda: (site / name).read_text("utf-8", "replace"))

    def once(self, name: str, make: Callable[[], _Made]) -> _Made:
        """Return what a call made under this name before, or make it: sensors share what is slow to read."""
        if name not in self._made:
            self._made[name] = make()
        found: _Made = self._made[name]
        return found

    def scripts(self) -> str:
        """Return all scripts of ``libs/`` as one text."""
        found = [name for name in self.names if name.startswith("libs/") and name.endswith(SCRIPTS)]
        if not found:
            raise MissingError("the folder has no scripts in libs/", "Der Ordner enthält keine Skripte in libs/.")
        return "\n".join(map(self.text, found))


@dataclass(frozen=True)
class Measured:
    """Metrics by name, and the evidence behind them as a JSON value."""

    metrics: Metrics
    evidence: Any


@dataclass(frozen=True)
class Sensor:
    """A sensor. ``planted`` are files of a folder in which ``finds`` has to be true for what it measures.

    With ``own``, the planted folder is not a bundle: the function makes a subject of it.
    """

    name: str
    metrics: tuple[str, ...]
    what: Bilingual
    measure: Callable[[Subject], Measured]
    planted: Mapping[str, str]
    finds: str
    own: Callable[[Subject, Path], Subject] | None = None

    def calibrate(self, subject: Subject) -> bool:
        """Return whether the sensor finds what is planted for it."""
        with tempfile.TemporaryDirectory(prefix="hardener-calibration-") as name:
            folder = Path(name)
            for path, content in self.planted.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(content, "utf-8")
            given = replace(subject, site=folder, kept=None, visited={}, _made={})
            try:
                found = self.measure(self.own(given, folder) if self.own else given)
            except MissingError:
                return False
        return conditions.parse(self.finds).holds(found.metrics) is True


def named(sensor: str, *metrics: str) -> tuple[str, ...]:
    """Return the full names of a sensor's metrics.

    >>> named("hosts", "unknown", "hints")
    ('hosts.unknown', 'hosts.hints')
    """
    return tuple(f"{sensor}.{metric}" for metric in metrics)
