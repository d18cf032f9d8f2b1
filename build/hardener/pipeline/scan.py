"""Step 8: every host and scheme that the built files name, against ``hosts.toml``, and no SDK of ``sdks.toml``.

Each file is read as its consumer does (see policy/reading.py). An unknown host fails, and so does an entry that
matches nothing or another number of times than it says: the list cannot rot. A file that is neither read nor on the
list of unread files fails, too. What a script computes is out of reach where it takes more than joining constants,
and is the browser evidence's to find.
In the same pass fingerprints of SDKs are looked for in served files, and their modules in source maps (see
policy/sdks.py).

Browsers keep what has a version in its address, and get a compressed copy where there is one: each version has to be
its file's (see pipeline/versions.py), and each copy a copy (see pipeline/compressed.py).
"""

from __future__ import annotations

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import ScanError, UsageError
from hardener.pipeline import compressed, versions
from hardener.pipeline.readings import readings
from hardener.policy import sdks as sdk
from hardener.policy.addresses import MAP_SUFFIX, Find
from hardener.policy.hosts import NAME, HostEntry, Unread, read_hosts, read_unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hardener.policy.sdks import Sdk, Trace

_SHOWN = 3  # places that a message names


@dataclass(frozen=True)
class Scanned:
    """Report what was searched (``files``, ``size`` in bytes) and found: hosts, the entries for them, SDKs.

    ``stale`` are versions, integrities and compressed copies that are not those of their file, ``unread`` files that
    could not be read and are not on the list of those that need not be, ``unused`` the entries of that list that no
    file needs, ``idle`` the problems of entries that have to be removed.
    """

    files: int
    size: int
    finds: tuple[Find, ...]
    traces: tuple[Trace, ...] = ()
    entries: tuple[HostEntry, ...] = ()
    problems: tuple[str, ...] = ()
    with_maps: bool = True
    stale: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    @functools.cached_property
    def hosts(self) -> dict[str, tuple[int, int]]:
        """Return host, or scheme with its colon -> how often in served files, how often in source maps."""
        counts: dict[str, list[int]] = {}
        for find in self.finds:
            counts.setdefault(find.host, [0, 0])[find.in_map] += 1
        return {host: (served, maps) for host, (served, maps) in sorted(counts.items())}


def scan(site: Path, sdks: tuple[Sdk, ...] = (), unread: tuple[Unread, ...] = (), kept: Path | None = None) -> Scanned:
    """Look through all files below ``site``; nothing is judged yet. Raises UsageError when there is no such folder.

    Compressed copies are read where they are not what lies beside them. ``kept`` names a file with the results of
    the last run (pipeline/readings.py).
    """
    if not site.is_dir():
        raise UsageError(f"{site} is not a folder", hint="name the unpacked site, or build one: hardener build")
    files = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    copies = compressed.problems(site)
    differing = {problem.partition(": ")[0] for problem in copies}
    names = [name for name in files if Path(name).suffix not in compressed.SUFFIXES or name in differing]
    with ThreadPoolExecutor(1) as beside:  # readings() waits for other processes
        other = beside.submit(versions.problems, site)
        looked = readings(site, names, sdks, unread, kept)
        stale = (*other.result(), *copies)
    used = {reading.skipped for reading in looked}
    looked = [reading for reading in looked if reading.skipped < 0]
    finds = sorted(
        (find for reading in looked for find in reading.read.finds), key=lambda find: (find.file, find.offset)
    )
    traces = sorted(
        (trace for reading in looked for trace in reading.traces), key=lambda trace: (trace.sdk, trace.where)
    )
    return Scanned(
        len(looked),
        sum(reading.size for reading in looked),
        tuple(finds),
        tuple(traces),
        with_maps=any(name.endswith(MAP_SUFFIX) for name in names),
        stale=stale,
        unread=tuple(sorted(f"{reading.name}: {reading.read.unread}" for reading in looked if reading.read.unread)),
        unused=tuple(entry.files for index, entry in enumerate(unread) if index not in used),
    )


def judge(
    scanned: Scanned, hosts: Path, *, exact: bool = True, downstream: Sequence[Path] = (), tree: str = PIN
) -> Scanned:
    """Compare the finds with ``hosts.toml``; deviations are in ``problems``.

    An entry for another tree than ``tree`` counts for nothing. One for ``tree`` alone is always exact.

    An entry of a ``downstream`` list takes the place of ours for the same host.

    A site without source maps (an installed one, say) is compared with the counts of served files only. With
    ``exact=False`` only unknown hosts in served files are problems: the counts are those of the default toolchain.
    """
    entries = {entry.host: entry for entry in read_hosts(hosts) if entry.tree in {"", tree}}
    entries |= {entry.host: entry for path in downstream for entry in read_hosts(path, downstream=True)}
    entries = {host: entry for host, entry in entries.items() if entry.count or entry.maps}
    if not scanned.with_maps:
        entries = {host: replace(entry, maps=0) for host, entry in entries.items() if entry.count}
    problems = []
    for host, (served, maps) in scanned.hosts.items():
        entry = entries.get(host)
        places = [find for find in scanned.finds if find.host == host]
        if entry is None and (served or exact):
            shown = "; ".join(map(str, places[:_SHOWN]))
            more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
            kind = "scheme" if host.endswith(":") and places[0].is_scheme else "host"
            problems.append(f"unknown {kind} {host} ({served} served, {maps} in maps): {shown}{more}")
        elif entry and (exact or entry.tree) and (served, maps) != (entry.count, entry.maps):
            problems.append(
                f"{host}: found {served} times ({maps} in maps), {NAME} expects {entry.count} ({entry.maps}); "
                f"first at {places[0]}"
            )
    idle = [
        f"{host}: in {NAME}, but nothing names it any more"
        for host, entry in entries.items()
        if host not in scanned.hosts and (exact or entry.tree)
    ]
    if exact:
        idle += [f"{files}: [[unread]] in {NAME}, but there is no such file any more" for files in scanned.unused]
    problems += (*idle, *scanned.unread)
    return replace(scanned, entries=tuple(entries.values()), problems=tuple(problems), idle=tuple(idle))


def check(
    site: Path,
    hosts: Path,
    sdks: tuple[Sdk, ...] = (),
    bundles: Mapping[str, Iterable[str]] | None = None,
    *,
    exact: bool = True,
    downstream: Sequence[Path] = (),
    tree: str = PIN,
    kept: Path | None = None,
) -> Scanned:
    """Run :func:`scan` and :func:`judge`; ``sdks`` may be neither in the site nor among the modules of the ``bundles``.

    Raises ScanError that lists every host that does not fit, every trace of an SDK, and what is stale.
    """
    listed = (entry for path in (hosts, *downstream) for entry in read_unread(path))
    unread = tuple(entry for entry in listed if entry.tree in {"", tree})
    judged = judge(scan(site, sdks, unread, kept), hosts, exact=exact, downstream=downstream, tree=tree)
    traces = (*sdk.in_bundles(bundles or {}, sdks), *judged.traces)
    if not traces and not judged.problems and not judged.stale:
        return judged
    names = sorted({trace.sdk for trace in traces})
    wrong, hints = [], []
    if names:
        wrong.append(f"the bundle holds what {sdk.NAME} forbids: {', '.join(names)}")
        hints.append(
            f"keep it out by a patch, an overlay or an alias; an operator's {sdk.NAME} (--extra) may allow it by name"
        )
    if judged.problems:
        named = len(judged.problems) - len(judged.unread)
        if named:
            wrong.append(f"the bundle and {NAME} differ in {named} host(s)")
        if named > len(judged.idle):
            hints.append(f"remove the host by a patch, or review it and list it: hardener scan {site} --propose")
        if judged.idle:
            hints.append(f"remove each entry from {NAME} that nothing names any more")
        if judged.unread:
            wrong.append(f"{len(judged.unread)} file(s) cannot be read")
            hints.append(
                f"take the file out of the site, or review it and list it in {NAME} as [[unread]] with its magic"
            )
    if judged.stale:
        wrong.append(f"{len(judged.stale)} version(s), integrities or compressed copies are not those of their file")
        hints.append(
            "returning browsers would run old files: build the site again, or take the version or the copy away"
        )
    details = (*sdk.problems(traces), *judged.problems, *judged.stale)
    raise ScanError("; ".join(wrong), hint="; ".join(hints), details=details)


def propose(scanned: Scanned, entries: tuple[HostEntry, ...], unread: tuple[Unread, ...] = ()) -> str:
    """Return ``hosts.toml`` as it would have to be for this site of the pin: counts fixed, unknown hosts with a class
    to fill in. Entries for other trees stay as they are.
    """
    known = {entry.host: entry for entry in entries if not entry.tree}
    blocks = []
    for host, (served, maps) in scanned.hosts.items():
        entry = known.get(host)
        first = next(find for find in scanned.finds if find.host == host)
        kind, reason = (entry.kind, entry.reason) if entry else ("scheme" if first.is_scheme else "", "")
        lines = _block(HostEntry(host, kind, reason, served, maps))
        blocks.append("\n".join([*lines, *([] if entry else [f"# {first}"])]) + "\n")
    blocks += ["\n".join(_block(entry)) + "\n" for entry in entries if entry.tree]
    for listed in unread:
        if listed.tree or listed.files not in scanned.unused:
            lines = ["[[unread]]", f"files = {_toml(listed.files)}", f"magic = {json.dumps(list(listed.magic))}"]
            blocks.append("\n".join([*lines, f"reason = {_toml(listed.reason)}", *_tree(listed.tree)]) + "\n")
    blocks += [f"# not read, and not listed: {name}\n" for name in scanned.unread]
    return "\n".join(blocks)


def _block(entry: HostEntry) -> list[str]:
    if entry.kind == "scheme":
        lines = ["[[scheme]]", f'scheme = "{entry.host[:-1]}"', f"reason = {_toml(entry.reason)}"]
    else:
        lines = [
            "[[host]]",
            f"host = {_toml(entry.host)}",
            f'class = "{entry.kind}"',
            f"reason = {_toml(entry.reason)}",
        ]
    counts = [f"{key} = {count}" for key, count in (("count", entry.count), ("maps", entry.maps)) if count]
    return [*lines, *counts, *_tree(entry.tree)]


def _tree(tree: str) -> list[str]:
    return [f"tree = {_toml(tree)}"] if tree else []


def _toml(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are a subset of TOML's, but for DEL, which JSON leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
