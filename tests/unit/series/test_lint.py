"""series/lint.py: whether a patch's evidence is a test that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.series import lint
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
class TestPage:
    def test_method(self): ...

    class TestInside:
        def test_deep(self): ...

async def test_function(): ...
"""


@pytest.mark.parametrize(
    ("evidence", "there"),
    [
        ("test_page.py::test_function", True),
        ("test_page.py::test_function[chromium-de]", True),
        ("test_page.py::TestPage::test_method", True),
        ("test_page.py::TestPage::TestInside::test_deep", True),
        ("test_page.py::test_method", False),
        ("test_page.py::TestPage::test_function", False),
        ("test_page.py", False),
        ("test_other.py::test_function", False),
    ],
)
def test_evidence_is_a_test_of_its_file(tmp_path: Path, evidence: str, there: bool) -> None:
    write_files(tmp_path, {"tests/e2e/test_page.py": TESTS})
    assert lint.has_test(tmp_path, f"tests/e2e/{evidence}") is there
