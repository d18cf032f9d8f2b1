"""Read in parallel what the files of a site name; a file that was read before is not read again.

Reading takes seconds, mostly for the few scripts and source maps of megabytes, of which an edit changes one or two.
The results are kept by the SHA-256 of name and content, those of the sources in source maps by that of each source,
for one set of rules: our own code, the libraries that it parses with, and the lists. With other rules nothing of them
is used.
"""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.policy import addresses
from hardener.policy import sdks as sdk
from hardener.policy.addresses import MAP_SUFFIX, Find
from hardener.policy.readers import TooComplexError
from hardener.policy.reading import Read, in_source, read, sources_of
from hardener.policy.sdks import Trace
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hardener.policy.hosts import Unread
    from hardener.policy.sdks import Sdk

# Each of these parses or decodes what a file holds.
_LIBRARIES = ("brotli", "idna", "tinycss2", "tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript")
# To start worker processes takes as long as to read so many bytes.
_FEW = 300_000
_SCRIPT = 3  # a byte of a script takes as long as so many of another file

Sources = dict[str, tuple[str, ...]]  # digest of a source of a map -> what it names beyond what its text shows


@dataclass(frozen=True)
class Reading:
    """One file: what it names, which SDKs it shows, and which entry says that it is not read (by its index)."""

    name: str
    size: int
    read: Read
    traces: tuple[Trace, ...] = ()
    skipped: int = -1


def readings(
    site: Path, names: Sequence[str], sdks: tuple[Sdk, ...], unread: tuple[Unread, ...], kept: Path | None = None
) -> list[Reading]:
    """Read files of a site; ``kept`` is the file with the results of the last run, if any, and gets those of this."""
    if kept is None:
        found = {reading.name: reading for reading in _read_all(site, names, sdks, unread, {})}
        return [found[name] for name in names]
    digests = {name: _digest(site, name) for name in names}
    rules = _rules(sdks, unread)
    known, sources = _load(kept, rules)
    found = {name: known[digests[name]] for name in names if digests[name] in known}
    missing = [name for name in names if name not in found]
    found |= {reading.name: reading for reading in _read_all(site, missing, sdks, unread, sources)}
    if missing:
        results = {digests[name]: asdict(found[name]) for name in names}
        disk.write(kept, json.dumps({"rules": rules, "readings": results, "sources": sources}).encode())
    return [found[name] for name in names]


def _digest(site: Path, name: str) -> str:
    """Return the key of a file: its name says how it is read."""
    return sha256(os.fsencode(name) + b"\0" + (site / name).read_bytes()).hexdigest()


def parsers() -> list[Any]:
    """Return the versions of all that parses or decodes a file: the libraries, and Python's own."""
    return [*(importlib.metadata.version(library) for library in _LIBRARIES), list(sys.version_info)]


def _rules(sdks: tuple[Sdk, ...], unread: tuple[Unread, ...]) -> str:
    own = [stamps.folder_digest(Path(addresses.__file__).parent), stamps.file_digest_of(__file__)]
    lists = [[asdict(rules) for rules in sdks], [asdict(entry) for entry in unread]]
    return stamps.key(parsers(), own, lists)


def _load(kept: Path, rules: str) -> tuple[dict[str, Reading], Sources]:
    stored = disk.read_json(kept)
    if not isinstance(stored, dict) or stored.get("rules") != rules:
        return {}, {}
    try:
        sources = {digest: tuple(names) for digest, names in stored["sources"].items()}
        return {digest: _from_json(reading) for digest, reading in stored["readings"].items()}, sources
    except (AttributeError, KeyError, TypeError):
        return {}, {}


def _from_json(stored: Mapping[str, Any]) -> Reading:
    return Reading(
        stored["name"],
        stored["size"],
        Read(tuple(Find(**find) for find in stored["read"]["finds"]), stored["read"]["unread"]),
        tuple(Trace(**trace) for trace in stored["traces"]),
        stored["skipped"],
    )


def _read_all(
    site: Path, names: Sequence[str], sdks: tuple[Sdk, ...], unread: tuple[Unread, ...], sources: Sources
) -> list[Reading]:
    """Read files of a site; ``sources`` has what is known of the sources of maps, and gets what is new."""
    cost = {name: (site / name).stat().st_size * (_SCRIPT if name.endswith(".js") else 1) for name in names}
    if sum(cost.values()) < _FEW:
        return [look_into(str(site), name, sdks, unread) for name in names]
    dearest_first = sorted(names, key=lambda name: (-cost[name], name))
    maps = [name for name in dearest_first if name.endswith(MAP_SUFFIX)]
    # Not plain fork: the progress display runs in a thread of this process.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        # Maps as if their sources named nothing else than their text shows: that is so for nearly all.
        reading = {name: pool.submit(look_into, str(site), name, sdks, unread, {}) for name in dearest_first}
        # Maps of several bundles hold the same sources, and an edit changes one of them.
        held = {name: _sources(site / name) for name in maps}
        new = {
            digest: found for some in held.values() for digest, found in (some or {}).items() if digest not in sources
        }
        batches = list(_batches(new))
        looked = [pool.submit(_in_sources, [new[digest] for digest in batch]) for batch in batches]
        for batch, future in zip(batches, looked, strict=True):
            sources |= {
                digest: names for digest, names in zip(batch, future.result(), strict=True) if names is not None
            }
        for name, some in held.items():
            if some is None or not sources.keys() >= some.keys():  # as a whole, so that it counts as unread
                reading[name] = pool.submit(look_into, str(site), name, sdks, unread)
            elif naming := {digest: sources[digest] for digest in some if sources[digest]}:
                reading[name] = pool.submit(look_into, str(site), name, sdks, unread, naming)
        return [future.result() for future in reading.values()]


def _sources(file: Path) -> dict[str, tuple[str, bytes]] | None:
    """Return kind and text of each source of a map, by digest; None where it is too complex to be read."""
    try:
        return {digest: (kind, text) for digest, kind, text in sources_of(file.read_bytes())}
    except TooComplexError:
        return None


def _batches(sources: Mapping[str, tuple[str, bytes]]) -> Iterator[list[str]]:
    """Yield the digests of sources in parts of a similar size, the longest texts first."""
    batch: list[str] = []
    size = 0
    for digest in sorted(sources, key=lambda digest: -len(sources[digest][1])):
        batch.append(digest)
        size += len(sources[digest][1])
        if size > _FEW:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _in_sources(batch: Sequence[tuple[str, bytes]]) -> list[tuple[str, ...] | None]:
    return [_in_source(kind, text) for kind, text in batch]


def _in_source(kind: str, text: bytes) -> tuple[str, ...] | None:
    try:
        return in_source(kind, text)
    except TooComplexError:
        return None


def look_into(
    root: str, name: str, sdks: tuple[Sdk, ...], unread: tuple[Unread, ...], sources: Sources | None = None
) -> Reading:
    """Read one file below a folder; ``sources`` as for :func:`hardener.policy.reading.read`."""
    content = (Path(root) / name).read_bytes()
    skipped = next((index for index, entry in enumerate(unread) if entry.covers(name, content)), -1)
    if skipped >= 0:
        return Reading(name, len(content), Read(()), skipped=skipped)
    if name.endswith(MAP_SUFFIX):
        traces = sdk.find_modules(sdk.sources(content), name, sdks)
    else:
        traces = sdk.find_fingerprints(content, name, sdks)
    return Reading(name, len(content), read(content, name, sources), tuple(traces))
