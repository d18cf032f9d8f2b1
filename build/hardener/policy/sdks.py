"""``sdks.toml``: code of third parties that must not be in a bundle, whatever host it speaks to.

``hosts.toml`` knows an SDK by its address, which the next release may change. Here it is known by where its modules lie
(``modules``, against the bundler's report and the source maps) and by texts of its code that a minifier has to leave as
they are (``fingerprints``, against every served file).
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.system import tables
from hardener.system.tables import text, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

NAME = "sdks.toml"
_SHOWN = 3  # places that a message names
# What a minifier leaves alone and all files write alike: no quotes, no backslashes. Short ones occur by chance.
_FINGERPRINT = r"[ !#-&(-\[\]-_a-~]{6,}"
_KEYS = {
    "name": text("lower-case letters, digits and dashes", r"[a-z0-9][a-z0-9-]*", required=True),
    "reason": text("a sentence", required=True),
    "modules": texts(
        "a list of paths of the tree; * means any text, a slash at the end for all below",
        r"(?!/)[^\\\s]+",
        distinct=True,
    ),
    "fingerprints": texts(
        "a list of texts of at least six printable ASCII characters without quotes and backslashes",
        _FINGERPRINT,
        distinct=True,
    ),
    "absent": text("a sentence: why upstream's bundle at the pin does not show it"),
}
# The names of the modules in a source map: 'webpack://library/./path/of/the/tree'.
_SOURCES = re.compile(rb'"sources"\s*+:\s*+(\[(?:\s*+"(?:[^"\\]|\\.)*+"\s*+,?)*+\s*+\])')
_SOURCE = re.compile(r"[a-z]+://[^/]*/(?:\./)?")


@dataclass(frozen=True)
class Sdk:
    """One ``[[sdk]]``: rules by which its code is known, and why it must not be there.

    ``absent`` says why upstream's own bundle at the pin does not show it; where it is empty, every rule has to be found
    there. An entry of a downstream list without any rule allows the SDK.
    """

    name: str
    reason: str
    modules: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    absent: str = ""


@dataclass(frozen=True)
class Trace:
    """One place where a rule of an SDK fits: a module of a bundle, or text at a byte offset of a served file."""

    sdk: str
    kind: str
    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        """``sdk: kind 'rule' in where: what``."""
        return f"{self.sdk}: {self.kind} {self.rule!r} in {self.where}: {self.what}"


def read_sdks(path: Path, *, downstream: bool = False) -> tuple[Sdk, ...]:
    """Read ``sdks.toml``; raises ConfigError that names the entry and what is allowed.

    A ``downstream`` list may also name an SDK without any rule: it is allowed there.
    """
    document = tables.load(path)
    document.holds("[[sdk]]")
    sdks = []
    for table in document.tables("sdk", _KEYS, unique="name"):
        sdk = Sdk(**table.values)
        if not (sdk.modules or sdk.fingerprints or downstream):
            raise table.error(f"{sdk.name} has no rule", hint="give modules, fingerprints, or both")
        sdks.append(sdk)
    return tuple(sdks)


def in_force(path: Path, downstream: Iterable[Path] = ()) -> tuple[Sdk, ...]:
    """Return the SDKs that a site is compared with: ours, and after them an operator's, each in place of ours of that
    name.

    One that a downstream list names without a rule is not among them. Raises as :func:`read_sdks`.
    """
    sdks = {sdk.name: sdk for sdk in read_sdks(path)}
    sdks |= {sdk.name: sdk for other in downstream for sdk in read_sdks(other, downstream=True)}
    return tuple(sdk for sdk in sdks.values() if sdk.modules or sdk.fingerprints)


def find_fingerprints(content: bytes, file: str, sdks: Iterable[Sdk]) -> list[Trace]:
    """Return the first place of each fingerprint that a served file holds; ``where`` is ``file:offset``.

    >>> rules = (Sdk("spy", "it spies", fingerprints=("spy.collect", "spy.pixel")),)
    >>> [str(trace) for trace in find_fingerprints(b"a();spy.collect(1)", "a.js", rules)]
    ["spy: fingerprint 'spy.collect' in a.js:4: a();spy.collect(1)"]
    """
    return [
        Trace(sdk.name, "fingerprint", text, f"{file}:{at}", excerpt(content, at, len(text)))
        for sdk in sdks
        for text in sdk.fingerprints
        if (at := content.find(text.encode("ascii"))) >= 0
    ]


def excerpt(content: bytes, offset: int, length: int) -> str:
    """Return the text around a find, on one line."""
    around = content[max(0, offset - 40) : offset + length + 40].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in around).strip()


def find_modules(modules: Iterable[str], where: str, sdks: Sequence[Sdk]) -> list[Trace]:
    """Return which modules (paths of a tree) an SDK's rules fit; ``where`` is the bundle or the source map that lists
    them.

    A rule fits a path from its beginning, or from any ``node_modules/`` in it: packages lie below other packages, too.

    >>> rules = (Sdk("spy", "it spies", modules=("node_modules/@spy/",)),)
    >>> [trace.what for trace in find_modules(["app.js", "node_modules/x/node_modules/@spy/js/i.js"], "app", rules)]
    ['node_modules/x/node_modules/@spy/js/i.js']
    """
    paths = tuple(modules)
    return [
        Trace(sdk.name, "module", rule, where, path)
        for sdk in sdks
        for rule in sdk.modules
        for path in paths
        if _matcher(rule)(path)
    ]


@functools.cache
def _matcher(rule: str) -> Any:
    translated = fnmatch.translate(rule + "*" if rule.endswith("/") else rule)
    start = r"(?:.*/)?" if rule.startswith("node_modules/") else ""
    return re.compile(start + translated).match


def sources(content: bytes) -> list[str]:
    """Return the paths of the modules that a source map lists; none where it is damaged.

    >>> sources(b'{"version":3,"sources":["webpack://app/./a/b.js","webpack://app/webpack/startup"],"names":[]}')
    ['a/b.js', 'webpack/startup']
    """
    found = _SOURCES.search(content)
    try:
        names: list[str] = json.loads(found[1]) if found else []
    except ValueError:
        return []
    return [_SOURCE.sub("", name, count=1) for name in names]


def in_bundles(bundles: Mapping[str, Iterable[str]], sdks: Sequence[Sdk]) -> list[Trace]:
    """Run :func:`find_modules` in all bundles: name -> modules, as the bundler reports them."""
    return [trace for name, modules in bundles.items() for trace in find_modules(modules, f"bundle {name}", sdks)]


def problems(traces: Iterable[Trace]) -> Iterator[str]:
    """Yield a line for each rule and place: the first few modules that it fits, and how many more."""
    places: dict[tuple[str, ...], list[Trace]] = {}
    for trace in traces:
        places.setdefault((trace.sdk, trace.kind, trace.rule, trace.where), []).append(trace)
    for found in places.values():
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield "; ".join([str(found[0]), *(trace.what for trace in found[1:_SHOWN])]) + more
