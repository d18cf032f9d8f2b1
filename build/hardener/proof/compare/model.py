"""The data of a comparison of the two toolchains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDES = ("rspack", "webpack")

# check -> what is compared; also the order of the table
CHECKS: Mapping[str, str] = {
    "files": "scripts written, but for the names of chunks",
    "packages": "npm packages in each bundle, by their place in node_modules",
    "modules": "source files in each bundle",
    "libraries": "names exported to CommonJS, to AMD and as a global",
    "levels": "ECMAScript level of each script, not above webpack's",
    "sizes": "bytes of each script, within 3 %",
    "limits": "upstream's own size limits",
    "licences": "licence comments kept",
    "starts": "workers and audio worklets start in Chromium",
    "console": "what welcome page and prejoin say on the console",
    "twice": "each built twice, in two folders: byte-identical",
}


@dataclass(frozen=True)
class Difference:
    """One thing in which the sides differ, or in which a side is wrong.

    ``where`` is the component with a bundle or script of it, or a page; ``what`` names the thing. ``only`` is the side
    that has it (for sizes and levels: has more of it), or ``both``. ``percent`` is how much a size is off.
    """

    check: str
    where: str
    what: str
    only: str
    percent: float = 0.0

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.where}: {self.what} ({self.only if self.only != 'both' else 'both sides'})"


@dataclass(frozen=True)
class Side:
    """The output of one toolchain for one component.

    ``modules`` are files by bundle. The rest is what ``build/node/inspect.cjs`` says: scripts with ``size`` and
    ``level``, licence comments by script, exported names by library and surface, upstream's entries.
    """

    component: str
    modules: Mapping[str, tuple[str, ...]]
    scripts: Mapping[str, Mapping[str, int]]
    licences: Mapping[str, tuple[str, ...]]
    libraries: Mapping[str, Mapping[str, tuple[str, ...]]]
    entries: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Found:
    """The result of a check: the number of compared items, and the differences."""

    check: str
    compared: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Reviewed:
    """One ``[[difference]]`` of toolchains.toml."""

    check: str
    where: str
    what: str
    only: str
    reason: str
    within: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The result: what was held together, what differs with and without a reviewed line, and lines without use."""

    found: tuple[Found, ...]
    covered: tuple[tuple[Difference, Reviewed], ...]
    uncovered: tuple[Difference, ...]
    stale: tuple[Reviewed, ...]
    sizes: tuple[tuple[str, int, int, int, int], ...]  # script; bytes, then ECMAScript level, of Rspack and webpack

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the checks that were not made."""
        made = {part.check for part in self.found}
        return tuple(check for check in CHECKS if check not in made)
