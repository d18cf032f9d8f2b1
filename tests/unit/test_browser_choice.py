"""``--browsers``: which tests it leaves out, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from support.browsers import choice


@dataclass
class Item:
    """A collected test. ``only`` are the browsers of its marker, or None where it has none."""

    nodeid: str
    only: tuple[str, ...] | None = None
    callspec: Any = field(default_factory=lambda: SimpleNamespace(params={}))

    def get_closest_marker(self, _name: str) -> Any:
        """Return the marker, as pytest does."""
        return None if self.only is None else SimpleNamespace(args=self.only)


def _config(names: str) -> Any:
    hook = SimpleNamespace(pytest_deselected=lambda items: None)
    return SimpleNamespace(getoption=lambda _name: names, hook=hook)


def _of(kind: str) -> Any:
    return SimpleNamespace(params={choice.PARAMETER: kind})


@pytest.fixture
def tests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Provide one test of each sort, on a machine with all browsers."""
    monkeypatch.setattr(choice, "_PROGRAMS", dict.fromkeys(choice._PROGRAMS, (lambda: "/usr/bin/it", "")))
    monkeypatch.setattr(pytest, "Function", Item)
    return [
        Item("tests/unit/test_a.py::unit"),
        Item("tests/e2e/test_b.py::page"),
        Item("tests/e2e/test_browsers.py::first[firefox]", callspec=_of("firefox")),
        Item("tests/e2e/test_browsers.py::more[firefox]", (), _of("firefox")),
        Item("tests/e2e/test_browsers.py::more[webkit]", (), _of("webkit")),
        Item("tests/e2e/test_browsers.py::call", ("firefox", "chromium")),
    ]


@pytest.mark.parametrize(
    ("names", "left"),
    [
        ("", ["unit", "page", "first[firefox]"]),
        ("chromium", ["unit", "page"]),
        ("firefox", ["unit", "first[firefox]", "more[firefox]"]),
        ("webkit", ["unit", "more[webkit]"]),
        ("chromium,firefox", ["unit", "page", "first[firefox]", "more[firefox]", "call"]),
    ],
)
def test_the_named_browsers_do_all_of_their_tests(tests: list[Any], names: str, left: list[str]) -> None:
    choice.select(_config(names), tests)

    assert [item.nodeid.partition("::")[2] for item in tests] == left


def test_a_browser_that_is_unknown_or_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was asked for it must not pass without it."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    for names, reason in (("safari", "not one of"), ("firefox", "apt-get install firefox-esr"), ("webkit,x", "xvfb")):
        with pytest.raises(pytest.UsageError, match=reason):
            choice.chosen(_config(names))


@pytest.mark.parametrize(
    ("names", "narrows"),
    [("", False), ("chromium", True), ("firefox,webkit", True), ("webkit,firefox,chromium", False)],
)
def test_only_a_run_in_all_browsers_is_a_whole_session(names: str, narrows: bool) -> None:
    """Its proof record counts for a release."""
    assert choice.narrows(SimpleNamespace(browsers=names)) is narrows
