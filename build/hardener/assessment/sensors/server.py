"""The adapter to ``check-server``: each of its findings is a metric, which counts how often it occurs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.servercheck import limited
from hardener.servercheck.check import catalogue
from hardener.servercheck.model import Where
from hardener.servercheck.rules.web import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a deployment lacks: metric -> the part that check-server's finding is about.
_PARTS = {"no-prosody": "prosody", "no-jicofo": "jicofo", "no-config": "web", "no-web": "nginx"}


def server(subject: Subject) -> Measured:
    """Check the server's files."""
    if not subject.servers:
        raise MissingError(
            "the server's files were not given (--server DIR)",
            "Die Dateien des Servers wurden nicht angegeben (--server ORDNER).",
        )
    checked = limited.check(subject.servers)
    counts = Counter(finding.id for finding in checked.findings)
    about = Counter(finding.about for finding in checked.findings)
    metrics = {f"server.{name}": counts[name] for name in catalogue()}
    metrics |= {f"server.{metric}": about[part] for metric, part in _PARTS.items()}
    metrics |= {f"server.no-{name}": about[name] for name in EXPECTED}
    findings = [
        {
            "id": finding.id,
            "severity": finding.severity,
            "where": str(Where(_below(finding.file, subject.servers), finding.line, finding.name)),
            "what": finding.what,
        }
        for finding in checked.findings
    ]
    return Measured(dict(metrics), {"findings": findings, "files": len(checked.files), "forms": list(checked.forms)})


def _below(file: str, servers: Sequence[Path]) -> str:
    """Return a file's path below the folder that was given: where that is says something about another machine.

    >>> from pathlib import Path
    >>> _below("/home/me/copy/prosody/x.cfg.lua", [Path("/home/me/copy/")]), _below("compose.yml", [Path(".")])
    ('prosody/x.cfg.lua', 'compose.yml')
    """
    bases = (base for server in servers for base in (server, server.resolve(), server.parent, server.resolve().parent))
    base = next((base for base in bases if Path(file).is_relative_to(base)), None)
    return Path(file).relative_to(base).as_posix() if base and Path(file) != base else Path(file).name


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
