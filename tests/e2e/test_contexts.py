"""A browser context that another test has used is as if it were new."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from support.browsers import lent

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, WebSocketRoute

    from support.browsers.lent import Lender

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

OPTIONS = {"locale": "fr-FR"}  # no other test has such a context
PAGE = "/static/offline.html"
LEAVE_TRACES = """async () => {
    document.cookie = 'trace=1';
    localStorage.setItem('trace', '1');
    await caches.open('trace');
    await new Promise(done => { indexedDB.open('trace').onsuccess = done; });
}"""
# What is there when a page comes: traces of the test before, and how its context was set.
FOUND = """async () => ({
    stored: [ document.cookie, ...Object.keys(localStorage), ...await caches.keys(),
        ...(await indexedDB.databases()).map(database => database.name) ],
    script: window.scripted ?? false,
    permission: (await navigator.permissions.query({ name: 'geolocation' })).state,
    online: navigator.onLine,
    routed: (await fetch('/static/routed')).status === 418,
    socket: await new Promise(done => {
        const socket = new WebSocket(`ws://${location.host}/socket`);
        socket.onopen = () => done('open');
        socket.onerror = () => done('refused');
    })
})"""

SPOILS: dict[str, Callable[[BrowserContext], object]] = {
    "timeout": lambda context: context.set_default_timeout(60_000),
    "navigation": lambda context: context.set_default_navigation_timeout(60_000),
    "function": lambda context: context.expose_function("exposed", lambda: 1),
    "binding": lambda context: context.expose_binding("bound", lambda _source: 1),
    "geolocation": lambda context: context.set_geolocation({"latitude": 1, "longitude": 1}),
}


def _use(context: BrowserContext, heard: list[str]) -> None:
    """Do to a context what tests do, and leave traces in it."""

    def answer(socket: WebSocketRoute) -> None:
        socket.on_message(lambda message: None)

    context.add_init_script("window.scripted = true")
    context.grant_permissions(["geolocation"])
    context.route("**/static/routed", lambda route: route.fulfill(status=418))
    context.route_web_socket("**/socket", answer)
    context.on("console", lambda message: heard.append(message.text))


def _look(context: BrowserContext, address: str) -> dict[str, Any]:
    page = context.new_page()
    page.goto(address + PAGE)
    found: dict[str, Any] = page.evaluate(FOUND)
    return found


def test_nothing_of_one_test_reaches_the_next(lender: Lender, site: Callable[[str], str]) -> None:
    """What the first one does, and sees of it afterwards, is the control."""
    address = site("hardened")
    heard: list[str] = []
    with lender.lend(OPTIONS) as first:
        _use(first, heard)
        page = first.new_page()
        page.goto(address + PAGE)
        page.evaluate(LEAVE_TRACES)
        page.evaluate("console.log('said')")
        assert _look(first, address) == {
            "stored": ["trace=1", "trace", "trace", "trace"],
            "script": True,
            "permission": "granted",
            "online": True,
            "routed": True,
            "socket": "open",
        }
        first.set_extra_http_headers({"X-Trace": "1"})
        assert page.goto(address + PAGE).request.all_headers()["x-trace"] == "1"
        first.set_offline(True)
    assert "said" in heard
    heard.clear()

    with lender.lend(OPTIONS) as second:
        assert second is first
        assert second.pages == []
        assert _look(second, address) == {
            "stored": [""],
            "script": False,
            "permission": "prompt",
            "online": True,
            "routed": False,
            "socket": "refused",
        }
        assert "x-trace" not in second.pages[0].goto(address + PAGE).request.all_headers()
        second.pages[0].evaluate("console.log('said')")
        second.pages[0].wait_for_function("() => true")
    assert heard == []


def test_a_context_that_a_test_has_closed_is_replaced(lender: Lender) -> None:
    with lender.lend(OPTIONS) as first:
        first.close()
    with lender.lend(OPTIONS) as second:
        assert second is not first
        second.new_page()


@pytest.mark.parametrize("name", SPOILS)
def test_what_stays_in_a_context_does_not_reach_the_next_test(lender: Lender, name: str) -> None:
    with lender.lend(OPTIONS) as first:
        SPOILS[name](first)
    with lender.lend(OPTIONS) as second:
        assert second is not first


def test_a_trace_that_a_test_began_has_ended(lender: Lender) -> None:
    with lender.lend(OPTIONS) as first:
        first.tracing.start()
    with lender.lend(OPTIONS) as second:
        assert second is first
        second.tracing.start()


def test_options_that_emptying_would_take_away_are_there_each_time(lender: Lender) -> None:
    for _ in range(2):
        with lender.lend({"permissions": ["geolocation"]}) as context:
            asked = "navigator.permissions.query({ name: 'geolocation' }).then(permission => permission.state)"
            assert context.new_page().evaluate(asked) == "granted"


def test_no_context_stays_open_that_nobody_can_borrow(lender: Lender) -> None:
    before = len(lender.browser.contexts)
    with contextlib.suppress(LookupError), lender.lend({"locale": "es-ES"}):
        raise LookupError
    with lender.lend({"locale": "es-ES"}), lender.lend({"locale": "es-ES"}):
        assert len(lender.browser.contexts) == before + 2
    assert len(lender.browser.contexts) == before + 1


@pytest.mark.parametrize("of_page", [True, False], ids=["page", "context"])
def test_no_clock_of_one_test_is_that_of_the_next(lender: Lender, of_page: bool) -> None:
    """A clock that a test gives to one page is that of all pages of its context: the first assertion is the control."""
    now = "() => Date.now()"
    with lender.lend(OPTIONS) as first:
        page = first.new_page()
        (page.clock if of_page else first.clock).install(time=0)
        assert first.new_page().evaluate(now) < 1_000_000
    with lender.lend(OPTIONS) as second:
        assert second.new_page().evaluate(now) > 1_000_000


def test_a_context_that_was_lent_often_is_replaced(lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent, "TIMES", 2)
    contexts = []
    for _ in range(3):
        with lender.lend({"locale": "it-IT"}) as context:
            contexts.append(context)
    assert contexts[0] is contexts[1]
    assert contexts[1] is not contexts[2]


def test_each_set_of_options_has_a_context_of_its_own(lender: Lender) -> None:
    with lender.lend(OPTIONS) as french, lender.lend({"locale": "de-DE"}) as german:
        languages = [context.new_page().evaluate("navigator.language") for context in (french, german)]
    assert languages == ["fr-FR", "de-DE"]
