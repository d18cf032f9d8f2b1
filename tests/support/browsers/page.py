"""A page of any browser: what the tests of Firefox and WebKit do with it, whichever protocol drives the browser.

Playwright drives neither Debian's Firefox nor Debian's WebKit: it needs builds of its own. The interface is as small as
these tests, so that both protocols can serve it.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from typing import Any

PATIENCE = 90.0  # seconds for what has to come: both browsers draw without a graphics card, beside other tests


class Page(ABC):
    """A page in a browser that keeps nothing between two pages."""

    def __init__(self) -> None:
        self.errors: list[str] = []  # that the page wrote to its console, where the protocol reports them

    @abstractmethod
    def open(self, address: str) -> None:
        """Go to an address, and wait until it is loaded."""

    @abstractmethod
    def run(self, script: str) -> Any:
        """Return what an asynchronous function without arguments returns in the page: text, or None."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """Click an element with the mouse."""

    @abstractmethod
    def type(self, selector: str, text: str) -> None:
        """Click an element, and press the key of each character."""

    @abstractmethod
    def close(self) -> None:
        """Close the page and forget all that its browser has stored."""

    def evaluate(self, function: str, *words: Any) -> Any:
        """Return what a function of JavaScript returns, with these arguments; promises are waited for."""
        arguments = ", ".join(json.dumps(word) for word in words)
        text = self.run(f"async () => JSON.stringify(await ({function})({arguments})) ?? 'null'")
        return json.loads(text)

    def wait_until(self, function: str, *words: Any) -> None:
        """Wait until a function of JavaScript returns something true; a time-out says what the page shows then."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(function, *words):
            if time.monotonic() > end:
                shown = self.evaluate("() => [ location.href, document.body.innerText.slice(0, 600) ]")
                raise AssertionError(f"never true: {function} {words}\n{shown}\nerrors: {self.errors[-5:]}")
            time.sleep(0.1)

    def wait_for(self, selector: str) -> None:
        """Wait until an element is to be seen."""
        self.wait_until("selector => Boolean(document.querySelector(selector)?.checkVisibility())", selector)

    def fill(self, selector: str, text: str) -> None:
        """Write a text into a field, in place of what is there."""
        self.wait_for(selector)
        self.evaluate("selector => document.querySelector(selector).select()", selector)
        self.type(selector, text)

    def has(self, selector: str) -> bool:
        """Return whether an element is there."""
        return bool(self.evaluate("selector => Boolean(document.querySelector(selector))", selector))

    def text(self, selector: str = "body") -> str:
        """Return what an element shows."""
        return str(self.evaluate("selector => document.querySelector(selector).innerText", selector))
