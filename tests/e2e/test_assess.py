"""The report of an assessment in a browser: accessible, without requests, and printable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from hardener.assessment import comparison, report, run
from support import assessed

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the report of a service with a red light, and its comparison with itself."""
    made = assessed.service(tmp_path_factory.mktemp("report"))
    made.add(assessed.APP, 'k=["subject","p2p.enabled"];')
    made.finish()
    done = run.bundle(made.order(), assessed.NOW)
    report.write(done.folder, comparison.pages([done.result, done.result]))
    return done.folder


def test_axe_finds_nothing_and_nothing_is_requested(browser: Browser, folder: Path) -> None:
    context = browser.new_context(bypass_csp=True)  # axe is a script
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    pages = [folder / "report.de.html", folder / "comparison.de.html"]
    for path in pages:
        page.goto(path.as_uri())
        broken = [(rule["id"], rule["nodes"][0]["html"]) for rule in Axe().run(page).response["violations"]]
        assert broken == [], path.name
    assert asked == [path.as_uri() for path in pages]
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), { src: 'planted.png' }))")
    assert Axe().run(page).violations_count > 0
    context.close()


def test_a_report_is_printed(folder: Path) -> None:
    made = report.print_pdf(folder / "report.de.html")
    assert (made.name, made.read_bytes()[:5]) == ("report.de.pdf", b"%PDF-")
