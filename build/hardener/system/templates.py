"""HTML from Jinja2 templates in the folder ``templates`` of a package: every value is escaped, none may be missing."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(package: str, name: str, **values: Any) -> str:
    """Return the page that the template ``name`` of a package makes of these values.

    Raises jinja2.UndefinedError for a value that the template names and that is not given.
    """
    return _environment(package).get_template(name).render(values)
