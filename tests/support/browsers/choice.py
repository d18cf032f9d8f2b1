"""Which browsers a run of the tests uses: ``--browsers chromium,firefox,webkit``.

Without the option, Chromium does all of its tests, and each other browser that is installed the first rows of
``tests/e2e/test_browsers.py``: the rest costs as much again. With it, those that are named do all of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from hardener.proof import chromium
from support.browsers import firefox, webkit

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

CHROMIUM = "chromium"
EVERY_BROWSER = "every_browser"  # marker of what only a run with --browsers does; names the browsers that it needs
PARAMETER = "browser_kind"  # of a test that each browser has for itself
_FOLDER = "tests/e2e/"


@dataclass(frozen=True)
class Kind:
    """A browser that Playwright does not drive. ``settings`` are lines of config.js that it needs up to a call."""

    program: Callable[[], str]
    start: Callable[[], AbstractContextManager[Any]]
    hint: str
    settings: str = ""
    languages: bool = True  # a page can be opened for a reader of a language


KINDS = {
    "firefox": Kind(firefox.program, firefox.Firefox, firefox.HINT),
    "webkit": Kind(webkit.program, webkit.Webkit, webkit.HINT, webkit.NO_WEBRTC, languages=False),
}
_PROGRAMS = {CHROMIUM: (chromium.for_pages, chromium.HINT)} | {
    name: (kind.program, kind.hint) for name, kind in KINDS.items()
}


def add_option(parser: pytest.Parser) -> None:
    """Add the option to pytest's command line."""
    parser.addoption(
        "--browsers", metavar="NAMES", default="", help=f"run all browser tests in these: {','.join(_PROGRAMS)}"
    )


def chosen(config: pytest.Config) -> list[str]:
    """Return the browsers that were named. Raises UsageError for one that is unknown or not installed."""
    names = [name for name in str(config.getoption("browsers")).split(",") if name]
    for name in names:
        if name not in _PROGRAMS:
            raise pytest.UsageError(f"--browsers: {name} is not one of {', '.join(_PROGRAMS)}")
        program, hint = _PROGRAMS[name]
        if not program():
            raise pytest.UsageError(f"--browsers: {name} is not installed: {hint}")
    return names


def narrows(option: Any) -> bool:
    """Return whether the option leaves out tests that a run without it has; ``option`` are pytest's options."""
    names = str(getattr(option, "browsers", "") or "").split(",")
    return names != [""] and not {*_PROGRAMS} <= {*names}


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of browsers that were not named."""
    names = chosen(config)
    kept, left = [], []
    for item in items:
        (kept if _is_wanted(item, names) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def _is_wanted(item: pytest.Item, names: list[str]) -> bool:
    marker = item.get_closest_marker(EVERY_BROWSER)
    if not names:
        return marker is None
    if not item.nodeid.startswith(_FOLDER):
        return True
    needed = {*marker.args} if marker else set()
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        needed |= {item.callspec.params.get(PARAMETER)} - {None}
    return (needed or {CHROMIUM}) <= {*names}
