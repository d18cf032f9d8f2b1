"""``release.toml``: what a release may lack, each entry with the reason that a person has given.

A proving session may have skipped a test, and the archive of an npm package may have no licence text. All else that is
skipped or missing stops a release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.pipeline.proofs import SESSIONS, Skip
from hardener.system import tables
from hardener.system.tables import text, text_or_texts

if TYPE_CHECKING:
    from pathlib import Path

NAME = "release.toml"
_SKIP = {
    "sessions": text_or_texts(", ".join(SESSIONS), "|".join(SESSIONS), required=True, least=1),
    "name": text("the name of what is skipped; * is any text", required=True),
    "because": text("the reason that the session gives; * is any text", required=True),
    "reason": text("why the release is proven without it", required=True),
}
_LICENCE = {
    "package": text("an npm package as NAME@VERSION", r"(?:@[^/@]+/)?[^/@]+@\S+", required=True),
    "reason": text("where its licence text is", required=True),
}


@dataclass(frozen=True)
class Permitted:
    """A part of some sessions that may be skipped; ``name`` and ``because`` are patterns."""

    sessions: tuple[str, ...]
    name: str
    because: str
    reason: str

    def covers(self, session: str, skip: Skip) -> bool:
        """Return whether a part that a session has skipped is this one, for the reason that was reviewed."""
        return session in self.sessions and _matches(self.name, skip.name) and _matches(self.because, skip.reason)


@dataclass(frozen=True)
class Reviewed:
    """The content of ``release.toml``; ``licences`` are packages without a licence text, with the reason."""

    skips: tuple[Permitted, ...] = ()
    licences: tuple[tuple[str, str], ...] = ()


def read(path: Path) -> Reviewed:
    """Read a project's list; without the file it is empty. Raises ConfigError for a malformed one."""
    if not path.exists():
        return Reviewed()
    document = tables.load(path)
    document.holds("[[skip]]", "[[licence]]")
    skips = tuple(Permitted(**table.values) for table in document.tables("skip", _SKIP))
    licences = document.tables("licence", _LICENCE, unique="package")
    return Reviewed(skips, tuple((table["package"], table["reason"]) for table in licences))


def _matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern in which ``*`` is any text: names of tests have brackets.

    >>> _matches("tests/a.py::*", "tests/a.py::test[1]"), _matches("tests/a.py", "tests/a.py::test")
    (True, False)
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
