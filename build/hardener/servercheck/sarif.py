"""The findings as SARIF 2.1.0, which code-scanning services read: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hardener import __version__
from hardener.servercheck.check import catalogue

if TYPE_CHECKING:
    from hardener.servercheck.check import Checked, Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "warning": "warning", "note": "note"}


def report(result: Checked) -> dict[str, Any]:
    """Return one run with a rule for each kind of finding, and a result for each finding."""
    kinds = sorted({finding.id for finding in result.findings})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hardener check-server",
                        "version": __version__,
                        "rules": [_rule(kind) for kind in kinds],
                    }
                },
                "artifacts": [{"location": {"uri": _uri(name)}} for name in result.files],
                "results": [_result(finding, kinds.index(finding.id)) for finding in result.findings],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _rule(kind: str) -> dict[str, Any]:
    entry = catalogue()[kind]
    return {
        "id": kind,
        "shortDescription": {"text": entry["title"]},
        "fullDescription": {"text": entry["means"]},
        "help": {"text": f"{entry['means']}\nSource: {entry['source']}"},
        "defaultConfiguration": {"level": LEVELS[entry["severity"]]},
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file)}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    location: dict[str, Any] = {"physicalLocation": place}
    if finding.name:
        location["logicalLocations"] = [{"name": finding.name}]
    return {
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.title}: {finding.what}. {finding.means} Fix: {finding.fix}"},
        "locations": [location],
    }


def _uri(name: str) -> str:
    """Return a relative or absolute path as a URI reference."""
    return quote(name or ".")
