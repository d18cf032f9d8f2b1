"""check-server --format sarif: what SARIF 2.1.0 requires, and every finding in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hardener.cli import main
from hardener.servercheck.check import check
from support.server_fixtures import CONFIG, GUEST, HOST, clean

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# Required properties of the objects that are written, and the values of those that are enumerations:
# https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json
LEVELS = {"none", "note", "warning", "error"}
KNOWN = {
    "log": {"$schema", "version", "runs"},
    "run": {"tool", "artifacts", "results", "columnKind"},
    "driver": {"name", "version", "rules"},
    "rule": {"id", "shortDescription", "fullDescription", "help", "defaultConfiguration"},
    "result": {"ruleId", "ruleIndex", "level", "message", "locations"},
    "location": {"physicalLocation", "logicalLocations"},
}


def assert_sarif(log: dict[str, Any]):
    assert set(log) == KNOWN["log"]
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert set(run) == KNOWN["run"]
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    assert set(run["tool"]) == {"driver"}
    driver = run["tool"]["driver"]
    assert set(driver) == KNOWN["driver"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        assert set(rule) == KNOWN["rule"]
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        assert rule["defaultConfiguration"]["level"] in LEVELS
    for result in run["results"]:
        assert set(result) == KNOWN["result"]
        assert result["level"] in LEVELS
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert set(location) <= KNOWN["location"]
        physical = location["physicalLocation"]
        assert not set(physical["artifactLocation"]["uri"]) & set(' "<>\\^`{|}')
        assert physical.get("region", {"startLine": 1})["startLine"] >= 1


def test_every_finding_is_in_the_report_on_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = clean("debian", tmp_path / "a folder, ümlaut")
    (root / HOST).write_text((root / HOST).read_text() + GUEST)
    (root / CONFIG).unlink()
    assert main.main(["check-server", str(root), "--format", "sarif"]) == 7
    log = json.loads(capsys.readouterr().out)
    assert_sarif(log)
    found = [
        (result["ruleId"], unquote(place["artifactLocation"]["uri"]), place.get("region", {}).get("startLine", 0))
        for result in log["runs"][0]["results"]
        for place in [result["locations"][0]["physicalLocation"]]
    ]
    expected = check([root]).findings
    assert found == [(finding.id, finding.file, finding.line) for finding in expected]
    assert {result["level"] for result in log["runs"][0]["results"]} >= {"error", "note"}


def test_a_server_without_findings_is_a_run_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = clean("docker", tmp_path)
    assert main.main(["check-server", str(root), "--format", "sarif"]) == 0
    log = json.loads(capsys.readouterr().out)
    assert_sarif(log)
    assert not [result for result in log["runs"][0]["results"] if result["level"] == "error"]
