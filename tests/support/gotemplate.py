"""Render the few constructs of Go's text/template that our image's templates have; anything else is an error.

A stricter reader than upstream's ``tpl``: assignments of a variable with ``default`` and ``toBool``, a variable, and
``if``, ``else``, ``end`` on a variable. ``test_images.py`` compares it with Go, where that is installed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SET = re.compile(r'\$(\w+) := \.Env\.(\w+) \| default "([^"]*)"( \| toBool)?')
_TRUE, _FALSE = (
    frozenset({"1", "t", "T", "true", "TRUE", "True"}),
    frozenset({"0", "f", "F", "false", "FALSE", "False"}),
)


def render(text: str, env: Mapping[str, str]) -> str:
    """Return a template with its variables filled in; raises ValueError for what is not known here."""
    text = re.sub(r"\s+\{\{- ", "{{ ", text)
    text = re.sub(r" -\}\}\s+", " }}", text)
    variables: dict[str, str | bool] = {}
    shown, open_ifs = [], list[bool]()
    for number, part in enumerate(re.split(r"\{\{ (.*?) \}\}", text)):
        if number % 2 == 0:
            shown += [part] if all(open_ifs) else []
        elif found := _SET.fullmatch(part):
            value = env.get(found[2]) or found[3]
            if found[4] and value not in _TRUE | _FALSE:
                raise ValueError(f"template: {value!r} is not a switch")
            variables[found[1]] = value in _TRUE if found[4] else value
        elif part == "end" and open_ifs:
            open_ifs.pop()
        elif part == "else" and open_ifs:
            open_ifs[-1] = not open_ifs[-1]
        elif part.startswith("if $") and isinstance(switch := variables.get(part[4:]), bool):
            open_ifs.append(switch)
        elif part.startswith("$") and isinstance(value := variables.get(part[1:]), str):
            shown += [value] if all(open_ifs) else []
        else:
            raise ValueError(f"template: {part!r} is not known")
    if open_ifs:
        raise ValueError("template: an 'if' has no 'end'")
    return "".join(shown)
