"""The result of an assessment as canonical JSON, which the schema beside this file describes.

It carries all texts, so that a report, a comparison and a difference need no catalogue, and old results stay readable.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
from dataclasses import asdict
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from hardener import __version__
from hardener.assessment import catalogue, judging, wording
from hardener.assessment.sensors.registry import SENSORS
from hardener.errors import ConfigError, UsageError
from hardener.proof.redact import hide
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hardener.assessment.declaration import Declaration
    from hardener.assessment.judging import Judged
    from hardener.assessment.sensors.registry import Reading

SCHEMA = "hardener-assessment/1"
NAME = "assessment.json"
DAYS = 180  # a result holds for so long, if nothing changes before
_LARGEST = 32 << 20  # bytes of a result that is read
# The exit code of a mandatory grey light; red has that of ScanError.
NOT_DECIDED = 12


def make(
    judged: Sequence[Judged],
    readings: Mapping[str, Reading],
    *,
    profile: str,
    declaration: Declaration | None,
    subject: Mapping[str, Any],
    assessed: Sequence[str],
    evidence: Mapping[str, Mapping[str, str]],
    now: dt.datetime,
) -> dict[str, Any]:
    """Return the result. ``assessed`` are the columns for which something was given, ``evidence`` its files."""
    lights = judging.columns(judged)
    known = catalogue.load()
    documents = {source.doc for item in judged for source in item.criterion.sources}
    return {
        "schema": SCHEMA,
        "catalogue": {"name": catalogue.NAME, "version": catalogue.VERSION, "sha256": known.sha256},
        "documents": {
            name: asdict(document) for name, document in sorted(known.documents.items()) if name in documents
        },
        "profile": profile,
        "generated_at": now.isoformat(timespec="seconds"),
        "expires_at": (now + dt.timedelta(days=DAYS)).date().isoformat(),
        # The address is declared by the operator, and a report that hides it is about no service.
        "subject": hide(subject) | {name: subject[name] for name in ("address",) if name in subject},
        "service": _service(declaration),
        "tool": {"hardener": __version__, "python": platform.python_version()},
        "calibration": [
            {
                "sensor": name,
                "what": SENSORS[name].what,
                "state": {True: "passed", False: "failed", None: "not-run"}[reading.calibrated],
                "reason": hide(reading.reason),
            }
            for name, reading in readings.items()
        ],
        "columns": lights,
        "assessed": list(assessed),
        "worst": judging.worst(lights[column] for column in assessed),
        "results": [_result(item, evidence) for item in judged],
        "meanings": wording.texts()["meanings"],
        "limits": wording.texts()["limits"],
    }


def _service(declaration: Declaration | None) -> dict[str, Any] | None:
    if declaration is None:
        return None
    return {"name": declaration.name, "operator": declaration.operator, "own_hosts": hide(declaration.own_hosts)}


def _result(item: Judged, evidence: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    criterion = item.criterion
    lights = {}
    for column, verdict in item.verdicts.items():
        sensors = dict.fromkeys(name.partition(".")[0] for name in verdict.metrics or ())
        lights[column] = {
            "light": verdict.light,
            "measured": verdict.measured,
            "reason": hide(verdict.reason),
            "condition": verdict.condition,
            "metrics": dict(sorted((verdict.metrics or {}).items())),
            "missing": list(verdict.missing),
            "evidence": [dict(evidence[name]) for name in sensors if name in evidence],
        }
    return {
        "id": criterion.id,
        "revision": criterion.revision,
        "mandatory": item.mandatory,
        "title": criterion.title,
        "why": criterion.why,
        "fix": criterion.fix,
        "sources": [asdict(source) for source in criterion.sources],
        "patches": list(criterion.patches),
        "lights": lights,
        "waiver": _waiver(item.waiver),
        "unused_waiver": _waiver(item.unused),
        "expired_waiver": _waiver(item.expired),
    }


def _waiver(waiver: Any) -> dict[str, str] | None:
    return {name: str(value) for name, value in asdict(waiver).items()} if waiver else None


def write_evidence(folder: Path, readings: Mapping[str, Reading]) -> dict[str, dict[str, str]]:
    """Write what each sensor found into ``folder/evidence``; returns path and SHA-256 by sensor."""
    written = {}
    for name, reading in readings.items():
        path = folder / "evidence" / f"{name}.json"
        path.unlink(missing_ok=True)
        if reading.metrics:
            path.parent.mkdir(parents=True, exist_ok=True)
            disk.write_json(path, {"sensor": name, "metrics": reading.metrics, "evidence": hide(reading.evidence)})
            written[name] = {"sensor": name, "path": f"evidence/{name}.json", "sha256": stamps.file_digest(path)}
    return written


def exit_code(result: Mapping[str, Any], red: int) -> int:
    """Return the exit code for the worst mandatory light of the assessed columns."""
    return {"red": red, "grey": NOT_DECIDED}.get(str(result["worst"]), 0)


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a result."""
    text = resources.files("hardener.assessment").joinpath("result.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def check(result: Any, name: str) -> dict[str, Any]:
    """Return a result that fits the schema. Raises ConfigError that names the first place that does not."""
    import jsonschema  # noqa: PLC0415 (a quarter of a second to load; two where it knows all formats)

    problems = jsonschema.Draft202012Validator(schema()).iter_errors(result)
    problem = min(problems, key=lambda found: found.json_path, default=None)
    if problem:
        raise ConfigError(
            f"{name} is not a result of hardener assess: {problem.json_path}: {problem.message[:200]}",
            hint=f"name the {NAME} of an assessment by this version",
        )
    checked: dict[str, Any] = result
    return checked


def read(path: Path) -> dict[str, Any]:
    """Read a result. Raises UsageError for a missing file, ConfigError for one that is not a result."""
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"there is no {file}", hint=f"name an {NAME}, or the folder that hardener assess wrote")
    try:
        if file.stat().st_size > _LARGEST:
            raise ConfigError(f"{file} is too large for a result", hint=f"name an {NAME}")
        found = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON: {error}", hint=f"name an {NAME}") from error
    return check(found, str(file))
