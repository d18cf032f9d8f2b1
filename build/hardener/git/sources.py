"""The sources of a component: its repository in ``upstream.toml``, or one that the caller names."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from hardener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "HARDENER_UPSTREAM"


def sources(given: tuple[str, ...], variable: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return where to fetch from instead of the repositories in upstream.toml: component name -> URL or path.

    ``given`` are the ``--upstream NAME=WHERE`` options, ``variable`` is the value of ``HARDENER_UPSTREAM``: the same,
    separated by white space. Options win. Raises UsageError for a malformed entry or an unknown component.
    """
    chosen: dict[str, str] = {}
    for entry in (*variable.split(), *given):
        name, sign, where = entry.partition("=")
        known = f"NAME is one of: {', '.join(names)}"
        if not sign or not where:
            raise UsageError(
                f"{VARIABLE} / --upstream: {entry!r} is not NAME=URL-or-path",
                hint=f"{known}; several entries are separated by blanks",
            )
        if name not in names:
            raise UsageError(
                f"{VARIABLE} / --upstream: this project has no component {name!r}",
                hint=f"{known}; if the variable is for another project: unset {VARIABLE}",
            )
        if not re.match(r"https://|ssh://|file://|/|\.\.?/", where):
            raise UsageError(
                f"{VARIABLE} / --upstream: {where!r} is not a source", hint="an https, ssh or file URL, or a path"
            )
        chosen[name] = where
    return chosen


def chosen_sources(
    given: tuple[str, ...], names: tuple[str, ...], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return :func:`sources` with the environment's value of ``HARDENER_UPSTREAM``."""
    return sources(given, environ.get(VARIABLE, ""), names)


def without_password(text: str) -> str:
    """Return a text in which no URL carries a user name and password any more.

    >>> without_password("cannot reach https://me:secret@git.example/x")
    'cannot reach https://git.example/x'
    """
    return re.sub(r"//[^@/\s]*@", "//", text)
