"""The adapter to ``check-server``: each of its findings is a metric, which counts how often it occurs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.servercheck.check import catalogue, check
from hardener.servercheck.rules.web import EXPECTED

if TYPE_CHECKING:
    from pathlib import Path

# What a deployment lacks: metric -> the part that check-server's finding is about.
_PARTS = {"no-prosody": "prosody", "no-jicofo": "jicofo", "no-config": "web", "no-web": "nginx"}


def server(subject: Subject) -> Measured:
    """Check the server's files."""
    if not subject.servers:
        raise MissingError(
            "the server's files were not given (--server DIR)",
            "Die Dateien des Servers wurden nicht angegeben (--server ORDNER).",
        )
    checked = check(subject.servers)
    counts = Counter(finding.id for finding in checked.findings)
    about = Counter(finding.about for finding in checked.findings)
    metrics = {f"server.{name}": counts[name] for name in catalogue()}
    metrics |= {f"server.{metric}": about[part] for metric, part in _PARTS.items()}
    metrics |= {f"server.no-{name}": about[name] for name in EXPECTED}
    findings = [
        {"id": finding.id, "severity": finding.severity, "where": finding.where, "what": finding.what}
        for finding in checked.findings
    ]
    return Measured(dict(metrics), {"findings": findings, "files": len(checked.files), "forms": list(checked.forms)})


def _own(subject: Subject, folder: Path) -> Subject:
    return replace(subject, servers=(folder,))


SERVER = Sensor(
    "server",
    named("server", *catalogue(), *_PARTS, *(f"no-{name}" for name in EXPECTED)),
    {"en": "The server's files, checked by check-server", "de": "Die Dateien des Servers, geprüft mit check-server"},
    server,
    {"prosody/conf.d/planted.cfg.lua": 'VirtualHost "planted.example"\n    authentication = "jitsi-anonymous"\n'},
    "server.guest-vhost > 0 and server.no-jicofo > 0 and server.no-web > 0",
    _own,
)
