"""Browser contexts that serve one test after the other, each as if it were new.

A page in a context that has shown it before takes two thirds of the CPU time: its process has compiled the scripts.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext

# A clock of Playwright stays in all pages of a context, and there is no function that takes it away.
HAS_CLOCK = "() => '__pwClock' in globalThis"
TIMES = 25  # what pages leave in the memory of their process makes it slower in time


class Lender:
    """The contexts of one ``browser``; those that are not lent wait for the next test that asks for the same options."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._free: dict[str, tuple[BrowserContext, int]] = {}

    @contextmanager
    def lend(self, options: Mapping[str, Any]) -> Iterator[BrowserContext]:
        """Lend a context with these options of ``Browser.new_context``. It is emptied afterwards. Where that fails, or
        the test has closed it or given it a clock, and after many times, the next test gets a new one.
        """
        key = json.dumps(options, sort_keys=True, default=str)
        context, times = self._free.pop(key, None) or (self.browser.new_context(**options), 1)
        with _noted(context) as undo:
            yield context
        if times < TIMES and _emptied(context, undo):
            self._free[key] = context, times + 1
        else:
            context.close()

    def close(self) -> None:
        """Close all contexts that are not lent."""
        for context, _ in self._free.values():
            context.close()
        self._free.clear()


@contextmanager
def _noted(context: BrowserContext) -> Iterator[list[Callable[[], None]]]:
    """Note how to take back what a test adds to a context: scripts and listeners."""
    undo: list[Callable[[], None]] = []
    add, listen = context.add_init_script, context.on

    def add_init_script(*words: Any, **options: Any) -> Any:
        added = add(*words, **options)
        undo.append(added.close)
        return added

    def on(event: str, listener: Callable[..., Any]) -> None:
        listen(event, listener)  # type: ignore[call-overload]
        undo.append(lambda: context.remove_listener(event, listener))

    context.add_init_script, context.on = add_init_script, on  # type: ignore[method-assign]
    try:
        yield undo
    finally:
        del context.add_init_script, context.on


def _emptied(context: BrowserContext, undo: list[Callable[[], None]]) -> bool:
    """Take away pages, routes, permissions, and all that sites have stored; return whether that was possible."""
    try:
        for page in context.pages:
            page.close()
        for step in undo:
            step()
        context.unroute_all()
        context._impl_obj._web_socket_routes.clear()  # Playwright has no function for it
        context.set_offline(False)
        context.set_extra_http_headers({})
        context.clear_permissions()
        context.clear_cookies()
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.clearBrowserCache")
        session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        has_clock = page.evaluate(HAS_CLOCK)
        page.close()
    except Error:
        return False
    return not has_clock
