"""HTML from Jinja2 templates in the folder ``templates`` of a package: every value is escaped, none may be missing.

Values can be texts of others, such as hosts and messages. What would turn the order of letters on the page, and what
UTF-8 or HTML cannot hold, is replaced.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_REPLACED = dict.fromkeys(
    (
        *(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"),
        *(0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        *range(0xD800, 0xE000),
    ),
    "\N{REPLACEMENT CHARACTER}",
)


def _finalize(value: Any) -> Any:
    return value.translate(_REPLACED) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(package: str, name: str, **values: Any) -> str:
    """Return the page that the template ``name`` of a package makes of these values.

    Raises jinja2.UndefinedError for a value that the template names and that is not given.
    """
    return _environment(package).get_template(name).render(values)
