"""Run a built site in Chromium: which workers and worklets start, and the console messages of two pages.

Each run plants a worker, a worklet and a message that have to be noticed; if one is not, the run proves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hardener.errors import StackError
from hardener.proof import chromium
from hardener.proof.compare import serve
from hardener.proof.compare.model import SIDES, Difference, Found
from hardener.proof.xmpp.stub import MEMBERS_ONLY, PASSWORD, USER, Conversation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, WebSocketRoute

ROOM = "/HardenerComparison"
# page -> address, and what has to be there before it counts as shown
PAGES = {"welcome page": ("/", "#enter_room_field"), "prejoin": (ROOM, '[data-testid="prejoin.joinMeeting"]')}
_LOGIN = "#personal-login-user"
_PLANTED = "hardener: planted message"
_PATIENCE = 30_000  # milliseconds until what says nothing counts as not coming
_ARGUMENTS = (*chromium.FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
_WORKER = """([address, started, patience]) => new Promise(done => {
    const worker = new Worker(address);
    worker.onmessage = ({ data }) => data === started && done([]);
    worker.onerror = event => { event.preventDefault(); done(['error: ' + (event.message || 'cannot be loaded')]); };
    worker.onmessageerror = () => done(['error: message']);
    setTimeout(() => done(['error: never started']), patience);
})"""
_WORKLET = """async ([address, names, patience]) => {
    const context = new OfflineAudioContext(1, 44100, 44100);
    const facts = [];
    const late = new Promise(done => setTimeout(() => done([ 'error: never reported what it registers' ]), patience));
    try {
        await context.audioWorklet.addModule(names);
        await context.audioWorklet.addModule(address);
        const teller = new AudioWorkletNode(context, 'hardener-names');
        const told = new Promise(done => { teller.port.onmessage = ({ data }) => done(data); });
        const registered = await Promise.race([ late, told ]);
        registered.length || facts.push('error: registers no processor');
        for (const name of registered) {
            if (name.startsWith('error: ')) { facts.push(name); continue; }
            facts.push('registers ' + name);
            const node = new AudioWorkletNode(context, name);
            node.onprocessorerror = () => facts.push('error: ' + name + ' fails while it runs');
            const tone = new OscillatorNode(context, { type: 'sawtooth' });
            tone.connect(node).connect(context.destination);
            tone.start();
        }
        const sound = await context.startRendering();
        facts.push(sound.getChannelData(0).some(value => value !== 0) ? 'gives sound' : 'gives silence');
    } catch (error) {
        facts.push('error: ' + error);
    }
    return facts;
}"""


@dataclass(frozen=True)
class Seen:
    """The observations of one side: facts by worker or worklet, messages by page, and controls that were not
    noticed.
    """

    starts: Mapping[str, tuple[str, ...]]
    console: Mapping[str, frozenset[str]]
    missed: tuple[str, ...] = ()


def look(site: Path, worklets: Iterable[str], workers: Iterable[str]) -> Seen:
    """Open a site in Chromium; ``worklets`` and ``workers`` are paths in it. Raises StackError without
    one.
    """
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 (a tool of the tests, not of a build)
    except ModuleNotFoundError as error:
        raise StackError("playwright is not installed", hint="uv sync (the dev group brings it)") from error
    program = chromium.for_pages()
    if not program:
        raise StackError("Chromium is not installed", hint=f"{chromium.HINT}, or: --no-browser")
    with serve.serve(site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            starts, missed = _starts(browser, address, worklets, workers)
            console = {name: _console(browser, address, *page) for name, page in PAGES.items()}
        finally:
            browser.close()
    missed += [f"a planted message on the {name}" for name, said in console.items() if f"error: {_PLANTED}" not in said]
    return Seen(starts, {name: said - {f"error: {_PLANTED}"} for name, said in console.items()}, tuple(missed))


def _starts(
    browser: Browser, address: str, worklets: Iterable[str], workers: Iterable[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(address + serve.EMPTY)

    def start(path: str, script: str, *words: Any) -> tuple[str, ...]:
        return tuple(page.evaluate(script, [path, *words, _PATIENCE]))

    starts = {path: start(f"/{path}?started", _WORKER, serve.STARTED) for path in workers}
    starts |= {path: start(f"/{path}", _WORKLET, serve.NAMES) for path in worklets}
    planted = {
        "a planted worker that throws": start(serve.BROKEN_WORKER + "?started", _WORKER, serve.STARTED),
        "a planted worker that is not there": start("/libs/none.js?started", _WORKER, serve.STARTED),
        "a planted worklet that throws": start(serve.BROKEN_WORKLET, _WORKLET, serve.NAMES),
    }
    context.close()
    return starts, [name for name, facts in planted.items() if not any(fact.startswith("error: ") for fact in facts)]


def _console(browser: Browser, address: str, path: str, ready: str) -> frozenset[str]:
    """Return what a page says until it has come to rest, in a form that two builds share."""
    from playwright.sync_api import Error  # noqa: PLC0415

    context = browser.new_context(locale="en-GB")
    said: set[str] = set()
    _answer_xmpp(context)
    page = context.new_page()
    page.on("console", lambda message: said.add(f"{message.type}: {normal(message.text, address)}"))
    page.on("pageerror", lambda error: said.add(f"uncaught: {normal(str(error), address)}"))
    page.on("requestfailed", lambda request: said.add(f"failed request: {normal(request.url, address)}"))
    try:
        page.goto(address + path)
        page.wait_for_selector(f"{ready}, {_LOGIN}", timeout=_PATIENCE)
        if page.query_selector(_LOGIN):
            page.fill(_LOGIN, USER)
            page.fill("#personal-login-password", PASSWORD)
            page.click('[data-testid="personal-login.submit"]')
            page.wait_for_selector(ready, timeout=_PATIENCE)
        page.wait_for_load_state("networkidle")
        page.evaluate("() => new Promise(done => requestIdleCallback(done))")
        page.evaluate("text => console.error(text)", _PLANTED)
    except Error as error:
        said.add(f"never shown: {str(error).splitlines()[0]}")
    told = frozenset(said)  # before the page is closed: later messages are not read
    context.close()
    return told


def _answer_xmpp(context: BrowserContext) -> None:
    """Be the XMPP server of the page's own host, where there is one account."""

    def converse(route: WebSocketRoute) -> None:
        talk = Conversation(urlsplit(route.url).hostname or "", door=MEMBERS_ONLY)

        def answer(message: str | bytes) -> None:
            for stanza in talk.answer(str(message)):
                route.send(stanza)

        route.on_message(answer)

    context.route_web_socket(re.compile(r"/xmpp-websocket\b"), converse)


def normal(text: str, address: str) -> str:
    """Return a message without what differs by run or by minifier: address, places in scripts, ids, figures, short
    names.

    >>> normal("12:30:01.5 http://127.0.0.1:5/libs/a.js:2:7 <aZ.join> <new t> 0f3a9c77\\n    at t (a.js)", "http://127.0.0.1:5")
    'N:N:N /libs/a.js:N:N <*.join> <new *> N'
    """
    lines = [line for line in text.replace(address, "").splitlines() if not re.match(r"\s+at |\w*@\S+:\d+:\d+$", line)]
    text = " ".join(" ".join(lines).split())
    text = re.sub(r"<(new )?[\w$]{1,3}(?=[.>])", r"<\1*", text)
    text = re.sub(r"\b[0-9a-f]{8,}\b(?:-[0-9a-f]{4,}\b)*|\d+(?:\.\d+)*", "N", text)
    return text[:400]


def starts(rspack: Seen, webpack: Seen) -> Found:
    """Return every worker and worklet starts, on both sides in the same way."""
    differences = [
        Difference("starts", "control", f"{name} was not noticed", side)
        for side, seen in zip(SIDES, (rspack, webpack), strict=True)
        for name in seen.missed
    ]
    for path in sorted(rspack.starts.keys() | webpack.starts.keys()):
        facts = [set(seen.starts.get(path, ("is not there",))) for seen in (rspack, webpack)]
        for side, own, other in zip(SIDES, facts, reversed(facts), strict=True):
            wrong = {fact for fact in own if fact.startswith("error: ")}
            differences += [Difference("starts", path, fact, side) for fact in sorted((own - other) | wrong)]
    return Found("starts", len(rspack.starts.keys() | webpack.starts.keys()), tuple(differences))


def console(rspack: Seen, webpack: Seen) -> Found:
    """Check that both sides print the same, and show each page."""
    differences: list[Difference] = []
    for page in PAGES:
        ours, theirs = rspack.console.get(page, frozenset()), webpack.console.get(page, frozenset())
        failed = {text for text in ours & theirs if text.startswith("never shown: ")}
        differences += [Difference("console", page, text, "both") for text in sorted(failed)]
        for side, texts in zip(SIDES, (ours - theirs, theirs - ours), strict=True):
            differences += [Difference("console", page, text, side) for text in sorted(texts)]
    compared = sum(len(rspack.console.get(page, ())) + len(webpack.console.get(page, ())) for page in PAGES)
    return Found("console", compared, tuple(differences))
