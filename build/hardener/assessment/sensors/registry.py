"""All sensors, and one run of them: calibration first, then the measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.addresses import HOSTS, ICE
from hardener.assessment.sensors.browsed import BROWSER
from hardener.assessment.sensors.client import CONFIG_SENSOR, LOGIN, OVERRIDES, STORAGE
from hardener.assessment.sensors.declared import DECLARED
from hardener.assessment.sensors.delivery import FILES, SERIES
from hardener.assessment.sensors.model import MissingError, Sensor, Subject
from hardener.assessment.sensors.records import E2E, EVIDENCE
from hardener.assessment.sensors.server import SERVER
from hardener.assessment.sensors.texts import APPS, INVITATIONS
from hardener.assessment.sensors.visited import HEADERS, XMPP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hardener.assessment.catalogue import Bilingual
    from hardener.assessment.conditions import Metrics

SENSORS: dict[str, Sensor] = {
    sensor.name: sensor
    for sensor in (
        HOSTS, ICE, CONFIG_SENSOR, OVERRIDES, STORAGE, LOGIN, INVITATIONS, APPS, FILES, SERIES, EVIDENCE, E2E, SERVER,
        DECLARED, HEADERS, XMPP, BROWSER,
    )
}  # fmt: skip
_VOID: Bilingual = {
    "en": "the sensor did not find what was planted for it, so it proves nothing",
    "de": "Der Sensor hat die Gegenprobe nicht gefunden und beweist daher nichts.",
}


@dataclass(frozen=True)
class Reading:
    """The result of one sensor: what it measured, or why not; ``calibrated`` is None where it did not measure."""

    sensor: str
    metrics: Metrics
    evidence: Any
    reason: Bilingual | None
    calibrated: bool | None


def sensor_of(metric: str) -> str:
    """Return the name of the sensor that a metric belongs to.

    >>> sensor_of("server.guest-vhost")
    'server'
    """
    return metric.partition(".")[0]


def measure(
    subject: Subject, sensors: Iterable[Sensor] = SENSORS.values(), tell: Callable[[str], None] = lambda _text: None
) -> dict[str, Reading]:
    """Run the sensors. One that cannot measure, or does not find what is planted for it, has no metrics."""
    readings = {}
    for sensor in sensors:
        tell(sensor.name)
        try:
            found = sensor.measure(subject)
        except MissingError as missing:
            readings[sensor.name] = Reading(sensor.name, {}, None, missing.reason, None)
            continue
        calibrated = sensor.calibrate(subject)
        readings[sensor.name] = Reading(
            sensor.name,
            found.metrics if calibrated else {},
            found.evidence if calibrated else None,
            None if calibrated else _VOID,
            calibrated,
        )
    return readings
