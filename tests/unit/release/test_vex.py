"""Statements about vulnerabilities: a document of their own, only where there is something to say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hardener.errors import ConfigError
from hardener.release import vex

if TYPE_CHECKING:
    from pathlib import Path

SERIAL = "6dea26f7-f1a3-57d4-8146-6dcbf450aba6"
BILL = json.dumps(
    {
        "serialNumber": f"urn:uuid:{SERIAL}",
        "metadata": {"timestamp": "2026-05-13T18:32:02+00:00"},
        "components": [{"bom-ref": "@scope/used@1.0.0"}, {"bom-ref": "old@0.1.0"}],
    }
).encode()
STATEMENTS = """
[[statement]]
id = "CVE-2026-1234"
component = "@scope/used@1.0.0"
state = "not_affected"
justification = "code_not_reachable"
reason = "The site never calls the parser."

[[statement]]
id = "GHSA-aaaa-bbbb-cccc"
component = "old@0.1.0"
state = "exploitable"
reason = "Install the next revision."
"""


def made(folder: Path, text: str = STATEMENTS) -> bytes | None:
    """Return the document of a ``vex.toml``."""
    (folder / "vex.toml").write_text(text)
    return vex.document(folder / "vex.toml", BILL)


def test_without_the_file_there_is_no_document(tmp_path: Path) -> None:
    assert vex.document(tmp_path / "vex.toml", BILL) is None


def test_each_statement_names_its_component_in_the_bill_of_materials(tmp_path: Path) -> None:
    content = made(tmp_path) or b""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    found = {entry["id"]: entry for entry in json.loads(content)["vulnerabilities"]}
    first = found["CVE-2026-1234"]
    assert first["affects"] == [{"ref": f"urn:cdx:{SERIAL}/1#%40scope%2Fused%401.0.0"}]
    assert first["analysis"] == {
        "state": "not_affected",
        "justification": "code_not_reachable",
        "detail": "The site never calls the parser.",
    }
    assert found["GHSA-aaaa-bbbb-cccc"]["analysis"]["state"] == "exploitable"


def test_the_same_statements_give_the_same_bytes_and_others_another_serial_number(tmp_path: Path) -> None:
    first = made(tmp_path) or b""
    assert made(tmp_path) == first
    other = made(tmp_path, STATEMENTS.replace("never", "nowhere")) or b""
    assert json.loads(other)["serialNumber"] != json.loads(first)["serialNumber"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("old@0.1.0", "old@0.2.0", "no component 'old@0.2.0'"),
        ('justification = "code_not_reachable"\n', "", "do not belong together"),
        ('"exploitable"', '"exploitable"\njustification = "code_not_present"', "do not belong together"),
        ('"exploitable"', '"harmless"', "harmless"),
        ("CVE-2026-1234", "a hole", "a hole"),
        ("[[statement]]", "[[claim]]", "claim"),
    ],
)
def test_a_wrong_statement_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"vex\.toml") as caught:
        made(tmp_path, STATEMENTS.replace(old, new, 1))
    assert said in caught.value.message
    assert caught.value.hint
