"""Step 8: every host that is named anywhere in the built files, against ``hosts.toml``, and no SDK of ``sdks.toml``.

Three spellings are looked for: addresses with a scheme (also JSON-escaped and percent-encoded), ICE servers
(``stun:``, ``turn:``), and host names that are alone in a string, because a script may put the address together
at run time. An unknown host fails, and so does an entry that matches nothing or another number of times than it says:
the list cannot rot. What a script computes from pieces is out of reach here and is the browser evidence's to find.
In the same pass fingerprints of SDKs are looked for in served files, and their modules in source maps (see
policy/sdks.py).

Browsers keep what has a version in its address, and get a compressed copy where there is one: each version has to be
its file's (see pipeline/versions.py), and each copy a copy (see pipeline/compressed.py).
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import ScanError, UsageError
from hardener.pipeline import compressed, versions
from hardener.policy import sdks as sdk
from hardener.policy.addresses import MAP_SUFFIX, Find, find_hosts
from hardener.policy.hosts import NAME, HostEntry, read_hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hardener.policy.sdks import Sdk, Trace

# Pictures, sounds, fonts and models hold compressed data; text in them is not reachable as an address by the client.
_BINARY = frozenset(".png .jpg .jpeg .gif .ico .webp .mp3 .mp4 .wav .ogg .opus .m4a".split())
_BINARY |= {".woff", ".woff2", ".ttf", ".otf", ".eot", ".tflite", ".bin", *compressed.SUFFIXES}

_SHOWN = 3  # places that a message names


@dataclass(frozen=True)
class Scanned:
    """The searched data (``files``, ``size`` in bytes) and the finds: hosts, the entries they were compared with, SDKs.

    ``stale`` are versions and compressed copies that are not those of their file.
    """

    files: int
    size: int
    finds: tuple[Find, ...]
    traces: tuple[Trace, ...] = ()
    entries: tuple[HostEntry, ...] = ()
    problems: tuple[str, ...] = ()
    with_maps: bool = True
    stale: tuple[str, ...] = ()

    @functools.cached_property
    def hosts(self) -> dict[str, tuple[int, int]]:
        """Return host -> how often in served files, how often in source maps."""
        counts: dict[str, list[int]] = {}
        for find in self.finds:
            counts.setdefault(find.host, [0, 0])[find.in_map] += 1
        return {host: (served, maps) for host, (served, maps) in sorted(counts.items())}


def _look_into(root: str, name: str, sdks: tuple[Sdk, ...]) -> tuple[list[Find], list[Trace]]:
    content = (Path(root) / name).read_bytes()
    if name.endswith(MAP_SUFFIX):
        return find_hosts(content, name), sdk.find_modules(sdk.sources(content), name, sdks)
    return find_hosts(content, name), sdk.find_fingerprints(content, name, sdks)


def scan(site: Path, sdks: tuple[Sdk, ...] = ()) -> Scanned:
    """Look through all files below ``site``; nothing is judged yet. Raises UsageError when there is no such folder."""
    if not site.is_dir():
        raise UsageError(f"{site} is no folder", hint="name the unpacked site, or build one: hardener build")
    sizes = {
        path.relative_to(site).as_posix(): path.stat().st_size
        for path in site.rglob("*")
        if path.is_file() and path.suffix.lower() not in _BINARY
    }
    largest_first = sorted(sizes, key=lambda name: (-sizes[name], name))
    # Not plain fork: the progress display runs in a thread of this process.
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        n = len(sizes)
        found = list(pool.map(_look_into, [str(site)] * n, largest_first, [sdks] * n, chunksize=4))
    finds = sorted((find for finds, _ in found for find in finds), key=lambda find: (find.file, find.offset))
    traces = sorted((trace for _, traces in found for trace in traces), key=lambda trace: (trace.sdk, trace.where))
    with_maps = any(name.endswith(MAP_SUFFIX) for name in sizes)
    stale = (*versions.problems(site), *compressed.problems(site))
    return Scanned(n, sum(sizes.values()), tuple(finds), tuple(traces), with_maps=with_maps, stale=stale)


def judge(scanned: Scanned, hosts: Path, *, exact: bool = True, downstream: Sequence[Path] = ()) -> Scanned:
    """Compare the finds with ``hosts.toml``; deviations are in ``problems``.

    An entry of a ``downstream`` list takes the place of ours for the same host.

    A site without source maps (an installed one, say) is compared with the counts of served files only. With
    ``exact=False`` only unknown hosts in served files are problems: the counts are those of the default toolchain.
    """
    entries = {entry.host: entry for entry in read_hosts(hosts)}
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
            problems.append(f"unknown host {host} ({served} served, {maps} in maps): {shown}{more}")
        elif entry and exact and (served, maps) != (entry.count, entry.maps):
            problems.append(
                f"{host}: found {served} times ({maps} in maps), {NAME} expects {entry.count} ({entry.maps}); "
                f"first at {places[0]}"
            )
    if exact:
        problems += [
            f"{host}: in {NAME}, but nothing names it any more" for host in entries if host not in scanned.hosts
        ]
    return replace(scanned, entries=tuple(entries.values()), problems=tuple(problems))


def check(
    site: Path,
    hosts: Path,
    sdks: tuple[Sdk, ...] = (),
    bundles: Mapping[str, Iterable[str]] | None = None,
    *,
    exact: bool = True,
    downstream: Sequence[Path] = (),
) -> Scanned:
    """:func:`scan` and :func:`judge`; ``sdks`` may be neither in the site nor among the modules of the ``bundles``.

    Raises ScanError that lists every host that does not fit, every trace of an SDK, and what is stale.
    """
    judged = judge(scan(site, sdks), hosts, exact=exact, downstream=downstream)
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
        wrong.append(f"the bundle and {NAME} differ in {len(judged.problems)} host(s)")
        hints.append(f"remove the host by a patch, or review it and list it: hardener scan {site} --propose")
    if judged.stale:
        wrong.append(f"{len(judged.stale)} version(s) or compressed copies are not those of their file")
        hints.append(
            "returning browsers would run old files: build the site again, or take the version or the copy away"
        )
    details = (*sdk.problems(traces), *judged.problems, *judged.stale)
    raise ScanError("; ".join(wrong), hint="; ".join(hints), details=details)


def propose(scanned: Scanned, entries: tuple[HostEntry, ...]) -> str:
    """``hosts.toml`` as it would have to be for this site: counts fixed, unknown hosts with a class to fill in."""
    known = {entry.host: entry for entry in entries}
    blocks = []
    for host, (served, maps) in scanned.hosts.items():
        entry = known.get(host)
        first = next(find for find in scanned.finds if find.host == host)
        kind, reason = (entry.kind, entry.reason) if entry else ("", "")
        lines = ["[[host]]", f'host = "{host}"', f'class = "{kind}"', f"reason = {_toml(reason)}"]
        lines += [f"count = {served}"] if served else []
        lines += [f"maps = {maps}"] if maps else []
        lines += [] if entry else [f"# {first}"]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _toml(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are a subset of TOML's, but for DEL, which JSON leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
