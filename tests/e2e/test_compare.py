"""What `hardener compare` asks Chromium: planted workers, worklets and messages on a site of a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.proof import chromium
from hardener.proof.compare import browser
from support.threads import beside_playwright

if TYPE_CHECKING:
    from pathlib import Path

WORKLET = (
    "registerProcessor('P', class extends AudioWorkletProcessor {{ process([[i]], [[o]]) {{ {} return true; }} }});"
)
SITE = {
    "index.html": "<!doctype html><link rel=icon href=data:,><script src=libs/app.js></script>"
    "<input id=enter_room_field><button data-testid=prejoin.joinMeeting>Join</button>",
    "libs/app.js": "console.warn('seen', 12.5, 'times'); setTimeout(() => { throw new Error('boom'); }, 0);",
    "libs/good-worker.js": "self.onmessage = () => undefined;",
    "libs/bad-worker.js": "nowhere();",
    "libs/loud-worklet.js": WORKLET.format("o.set(i ?? o);"),
    "libs/silent-worklet.js": WORKLET.format(""),
    "libs/failing-worklet.js": WORKLET.format("throw new Error('boom');"),
    "libs/empty-worklet.js": "const nothing = 1;",
}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    if not chromium.for_pages():
        pytest.skip(f"Chromium is not installed: {chromium.HINT}")
    for name, text in SITE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_does_not_start_is_noticed_and_what_is_said_is_heard(planted: Path) -> None:
    workers, worklets = (
        sorted(name for name in SITE if name.endswith(f"-{kind}.js")) for kind in ("worker", "worklet")
    )
    seen = beside_playwright(browser.look, planted, worklets, workers)
    assert seen.missed == ()
    assert seen.starts["libs/good-worker.js"] == ()
    assert "nowhere is not defined" in seen.starts["libs/bad-worker.js"][0]
    assert seen.starts["libs/loud-worklet.js"] == ("registers P", "gives sound")
    assert seen.starts["libs/silent-worklet.js"] == ("registers P", "gives silence")
    assert "error: P fails while it runs" in seen.starts["libs/failing-worklet.js"]
    assert seen.starts["libs/empty-worklet.js"][0] == "error: registers no processor"
    assert seen.console == dict.fromkeys(browser.PAGES, frozenset({"warning: seen N times", "uncaught: boom"}))


def test_a_page_that_never_shows_says_so(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_PATIENCE", 500)
    (planted / "index.html").write_text("<!doctype html>")
    seen = beside_playwright(browser.look, planted, [], [])
    assert all(any(text.startswith("never shown: ") for text in said) for said in seen.console.values())
    assert "a planted message on the prejoin" in seen.missed
