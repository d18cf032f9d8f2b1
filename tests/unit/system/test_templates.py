"""system/templates.py: values are escaped, a missing value is an error, and a package brings its templates along."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from jinja2 import UndefinedError

from hardener.system import templates

ALL = [
    (package, template.name)
    for package in ("hardener.proof.evidence", "hardener.upstream.drift")
    for template in resources.files(package).joinpath("templates").iterdir()
]


@pytest.mark.parametrize(("package", "name"), ALL)
def test_a_value_that_is_not_given_is_an_error_and_no_gap_in_the_page(package: str, name: str) -> None:
    with pytest.raises((UndefinedError, TypeError), match=r"is undefined|StrictUndefined"):
        templates.render(package, name)


@pytest.mark.parametrize(("package", "name"), ALL)
def test_no_template_turns_escaping_off(package: str, name: str) -> None:
    text = resources.files(package).joinpath("templates", name).read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape", text)


def test_no_value_turns_the_order_of_letters_or_breaks_the_file() -> None:
    hostile = "a\u202eb\u2066c\u200fd\0e\x1bf\x85g\ud800h\ni"
    page = templates.render("hardener.proof.evidence", "opening.html", host=hostile, then=hostile)
    assert page.count("a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\ufffdh\ni") == 3
    assert not set(hostile) - set("abcdefgh\ni") & set(page)
    page.encode()
