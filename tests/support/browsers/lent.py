"""Browser contexts that serve one test after the other, each as if it were new.

A page in a context that has shown it before takes two thirds of the CPU time: its process has compiled the scripts.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext

# A clock of Playwright stays in all pages of a context, and there is no function that takes it away.
HAS_CLOCK = "() => '__pwClock' in globalThis"
TIMES = 25  # what pages leave in the memory of their process makes it slower in time
# Emptying a context takes these away, and they could not be put back.
_NOT_LENT = {"extra_http_headers", "geolocation", "http_credentials", "offline", "permissions", "storage_state"}
# Nothing takes back what these do to a context.
_SPOILING = (
    "expose_binding",
    "expose_function",
    "set_default_navigation_timeout",
    "set_default_timeout",
    "set_geolocation",
)


class Lender:
    """The contexts of one ``browser``; those that are not lent wait for the next test that asks for the same options."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._free: dict[str, tuple[BrowserContext, int]] = {}

    @contextmanager
    def lend(self, options: Mapping[str, Any]) -> Iterator[BrowserContext]:
        """Lend a context with these options of ``Browser.new_context``. It is emptied afterwards, or closed: where
        emptying fails, where it cannot take back what the test has done, and after many times. A login that the browser
        has sent by HTTP authentication stays; no test has one.
        """
        key = json.dumps(options, sort_keys=True, default=str) if _NOT_LENT.isdisjoint(options) else ""
        context, times = self._free.pop(key, None) or (self.browser.new_context(**options), 1)
        reusable = False
        try:
            with _noted(context) as notes:
                yield context
            reusable = bool(key) and key not in self._free and times < TIMES and _emptied(context, notes)
        finally:
            if reusable:
                self._free[key] = context, times + 1
            else:
                context.close()

    def close(self) -> None:
        """Close all contexts that are not lent."""
        for context, _ in self._free.values():
            context.close()
        self._free.clear()


@dataclass
class _Notes:
    """How to take back what a test has added to a context, and whether it has done what stays."""

    undo: list[Callable[[], None]] = field(default_factory=list)
    spoiled: bool = False


@contextmanager
def _noted(context: BrowserContext) -> Iterator[_Notes]:
    """Note what a test does to a context while the block lasts."""
    notes = _Notes()
    add, listen = context.add_init_script, context.on

    def add_init_script(*words: Any, **options: Any) -> Any:
        added = add(*words, **options)
        notes.undo.append(added.close)
        return added

    def on(event: str, listener: Callable[..., Any]) -> None:
        listen(event, listener)  # type: ignore[call-overload]
        notes.undo.append(lambda: context.remove_listener(event, listener))

    def spoiling(method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*words: Any, **options: Any) -> Any:
            notes.spoiled = True
            return method(*words, **options)

        return called

    noted = {"add_init_script": add_init_script, "on": on}
    noted |= {name: spoiling(getattr(context, name)) for name in _SPOILING}
    for name, method in noted.items():
        setattr(context, name, method)
    try:
        yield notes
    finally:
        for name in noted:
            delattr(context, name)


def _emptied(context: BrowserContext, notes: _Notes) -> bool:
    """Take away pages, routes, permissions, and all that sites have stored; return whether that was possible."""
    if notes.spoiled:
        return False
    try:
        for page in context.pages:
            page.close()
        for step in notes.undo:
            step()
        context.unroute_all()
        with suppress(Error):  # none was started
            context.tracing.stop()
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
