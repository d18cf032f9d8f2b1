"""``vex.toml``: what the maintainers say about known vulnerabilities of components of the site, as CycloneDX VEX.

A bill of materials has no vulnerabilities (BSI TR-03183-2): what is said about them can change after a release, so it
is a document of its own, which refers to components of the bill by their BOM-Links. A project that has nothing to say
has neither the file nor the document.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.impact_analysis import ImpactAnalysisJustification, ImpactAnalysisState
from cyclonedx.model.vulnerability import BomTarget, Vulnerability, VulnerabilityAnalysis
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion

from hardener.system import tables
from hardener.system.tables import choice, nearest, text

if TYPE_CHECKING:
    from pathlib import Path

NAME = "vex.toml"
SUFFIX = ".vex.json"
_STATEMENT = {
    "id": text("the identifier of a vulnerability, such as CVE-2026-1234", r"[A-Z]+-[0-9A-Za-z-]+", required=True),
    "component": text("a component of the bill of materials: NAME@VERSION", r"\S+", required=True),
    "state": choice([state.value for state in ImpactAnalysisState], required=True),
    "justification": choice([found.value for found in ImpactAnalysisJustification]),
    "reason": text("why, and what an operator has to do", required=True),
}


def document(path: Path, bill: bytes) -> bytes | None:
    """Return the statements of a ``vex.toml`` about a bill of materials as CycloneDX 1.6; None without the file.

    Raises ConfigError for a malformed file, for a component that the bill does not have, and for a state without its
    justification.
    """
    if not path.exists():
        return None
    read = tables.load(path)
    read.holds("[[statement]]")
    about = json.loads(bill)
    serial = about["serialNumber"].removeprefix("urn:uuid:")
    known = [str(component["bom-ref"]) for component in about["components"]]
    found = []
    for table in read.tables("statement", _STATEMENT):
        name, state = table["component"], ImpactAnalysisState(table["state"])
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else "name a component of this release, or remove the statement"
            raise table.error(f"the bill of materials has no component {name!r}", hint, "component")
        if (state is ImpactAnalysisState.NOT_AFFECTED) is not bool(table.get("justification")):
            raise table.error(
                f"state {state.value!r} and justification do not belong together",
                "not_affected needs a justification, and no other state has one", "state",
            )  # fmt: skip
        found.append(_vulnerability(table.values, state, f"urn:cdx:{serial}/1#{quote(name, safe='')}"))
    made = Bom(
        serial_number=uuid.uuid5(uuid.UUID(serial), path.read_text("utf-8")),
        metadata=BomMetaData(timestamp=dt.datetime.fromisoformat(about["metadata"]["timestamp"])),
        vulnerabilities=found,
    )
    answer: Any = json.loads(make_outputter(made, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    return (json.dumps(answer, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _vulnerability(values: Any, state: ImpactAnalysisState, component: str) -> Vulnerability:
    """Return one statement; its reference is that of the vulnerability and the component, not a random one."""
    justification = values.get("justification")
    return Vulnerability(
        bom_ref=f"{values['id']} {component}",
        id=values["id"],
        analysis=VulnerabilityAnalysis(
            state=state,
            justification=ImpactAnalysisJustification(justification) if justification else None,
            detail=values["reason"],
        ),
        affects=[BomTarget(ref=component)],
    )
