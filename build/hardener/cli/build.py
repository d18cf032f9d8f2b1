"""The subcommands for a built site: build, scan, ablate."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.cli.options import project_of, sources_of, tree_of
from hardener.config import PIN
from hardener.errors import ScanError, UsageError
from hardener.pipeline import build, proofs, scan
from hardener.pipeline.results import Options, Result
from hardener.policy import sdks
from hardener.policy.hosts import NAME as HOSTS
from hardener.policy.hosts import read_hosts, read_unread
from hardener.proof import ablate as ablation
from hardener.series.source import components_at
from hardener.system import disk
from hardener.ui import human, write_out

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI

BASELINE = "baseline.json"


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the subcommands to the command line; ``source`` and ``extra`` are parsers of options that several share."""
    sub = subcommand("build", _build, "build the hardened archive into dist/", source, extra)
    sub.add_argument(
        "--toolchain",
        choices=config.TOOLCHAINS,
        default="rspack",
        help="bundler; webpack is upstream's own, and slower",
    )
    sub.add_argument(
        "--unpatched", action="store_true", help="build upstream as it is, into dist/unpatched/: for comparison"
    )
    sub.add_argument(
        "--tree", default=PIN, help="build a [tree.NAME] of upstream.toml into dist/hardened-NAME/ (default: pin)"
    )
    sub.add_argument("--write-baseline", action="store_true", help="with --unpatched: write its sizes to baseline.json")
    sub.add_argument(
        "--substitute",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="an npm archive of your own for a package that is left out; not for a release, and the archive says so",
    )
    sub.add_argument("--no-wait", action="store_true", help="fail (exit code 75) when another build runs here")
    sub = subcommand("scan", _scan, "compare the hosts in a folder with hosts.toml, and look for the SDKs of sdks.toml")
    sub.add_argument("site", type=Path, metavar="DIR", help="an unpacked site")
    sub.add_argument(
        "--propose", action="store_true", help="print the hosts.toml that the folder would need, for review"
    )
    sub = subcommand("ablate", _ablate, "leave out one patch at a time: the test that it names has to fail", extra)
    sub.add_argument("patches", nargs="*", metavar="PATCH", help="patch files (default: all of the project)")


def _options(arguments: argparse.Namespace, project: config.Project) -> Options:
    return Options(
        sources=sources_of(arguments, project),
        toolchain=getattr(arguments, "toolchain", "rspack"),
        unpatched=getattr(arguments, "unpatched", False),
        wait=not getattr(arguments, "no_wait", False),
        tree=tree_of(arguments, project),
    )


def _build(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    options = _options(arguments, project)
    project = replace(project, components=components_at(project, options.tree))
    ui.print(f"{project.label} ({options.variant}, Node {project.node})", "bold")
    if project.substitutes and options.unpatched:
        raise UsageError("the unpatched site takes no substitute: it is a control", hint="leave out --substitute")
    _warn(project, ui)
    if arguments.write_baseline and options.variant != "unpatched":
        raise UsageError("the baseline is upstream as it is", hint="hardener build --unpatched --write-baseline")
    result = build.build(project, options, ui)
    if arguments.write_baseline:
        disk.write_json(project.root / BASELINE, {project.site.commit: result.packaged.sizes})
    _summary(project, result, ui)
    _warn(project, ui)
    dist = os.fspath(result.packaged.site.path.parent)
    return result.manifest | {"log": result.log, "fresh": result.fresh, "dist": dist}


def _warn(project: config.Project, ui: UI) -> None:
    """Warn about substituted packages at the start and the end of a build, also with --quiet."""
    for substitute in project.substitutes:
        version, integrity = substitute.lock_entry["version"], substitute.lock_entry["integrity"]
        what = f"{substitute.package} {version} is a substitute: {substitute.file} ({integrity})"
        ui.problem(f"{what}. It has not been reviewed", "for a release, build without --substitute", word="SUBSTITUTE")


def _summary(project: config.Project, result: Result, ui: UI) -> None:
    baseline = (disk.read_json(project.root / BASELINE) or {}).get(project.site.commit, {})
    rows = []
    for key, label in (
        ("js", "JavaScript"),
        ("js.gz", "JavaScript, gzip"),
        ("css", "CSS"),
        ("all", "all served files"),
    ):
        size, before = result.packaged.sizes[key], baseline.get(key)
        change = f"{100 * (size - before) / before:+.1f} %" if before else "unknown"
        rows.append((label, human(size), human(before) if before else "unknown", change))
    ui.print()
    ui.table("Sizes", ("", "this build", "unpatched", "change"), rows)
    if not baseline:
        ui.note("no sizes of the unpatched bundle at this pin: nox -s baseline")
    ui.print()
    for archive in (result.packaged.site, result.packaged.maps):
        ui.print(f"{archive.sha256}  {archive.path}")
    ui.print("done" if result.fresh else "nothing to do: the archive is there and its sum is right", "green")


def _scan(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    root = project_of(arguments).root
    listed = root / HOSTS
    if arguments.propose:
        unread = read_unread(listed) if listed.exists() else ()
        scanned = scan.scan(arguments.site, unread=tuple(entry for entry in unread if not entry.tree))
        proposal = scan.propose(scanned, read_hosts(listed) if listed.exists() else (), unread)
        if not arguments.json:
            write_out(proposal)
        return {"proposal": proposal}
    forbidden = sdks.in_force(root / sdks.NAME)
    scanned = scan.check(arguments.site, listed, forbidden)
    ui.print(
        f"{len(scanned.hosts)} hosts in {scanned.files} files ({human(scanned.size)}): all listed, all counts right; "
        f"none of {len(forbidden)} SDKs"
    )
    names = [sdk.name for sdk in forbidden]
    return {"files": scanned.files, "size": scanned.size, "hosts": scanned.hosts, "sdks_excluded": names}


def _ablate(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    with proofs.proving(project.root, "ablate", whole=not arguments.patches and not project.extras) as findings:
        results = ablation.ablate(project, tuple(arguments.patches), ui)
        bad = [result for result in results if result.verdict != "red"]
        findings.passed = len(results) - len(bad)
        findings.failed += [f"{result.patch}: {result.verdict}: {result.detail}" for result in bad]
    ui.table("Ablation", ("without", "its test", "is"), [(r.patch, r.evidence, r.verdict) for r in results])
    for result in bad:
        ui.note(f"{result.patch}: {result.detail}")
    return {"exit": ScanError.exit_code if bad else 0, "patches": [vars(result) for result in results]}
