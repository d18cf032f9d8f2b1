"""Room for a second Playwright in one test run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def beside_playwright(function: Callable[..., T], *words: object) -> T:
    """Call what starts a Playwright of its own, and return what it returns.

    In a thread: pytest-playwright, which the browser tests use, keeps an event loop in this one for the whole session.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *words).result()
