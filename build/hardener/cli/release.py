"""Subcommands for what is published: release, and the bill of materials by itself."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import UsageError
from hardener.pipeline import build
from hardener.pipeline.package import add_file
from hardener.pipeline.results import Options
from hardener.release.assemble import Made, Wanted, assemble
from hardener.release.packages import packages
from hardener.release.sbom import VERSIONS, sbom
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.ui import UI

_SHOWN = 12  # names on one line of the terminal
REFUSED = 10  # exit code: the gates refuse the release


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the subcommands; ``source`` and ``extra`` are parsers of options that several share."""
    sub = subcommand(
        "sbom", _sbom, "write the bill of materials (CycloneDX) of the built site into dist/", source, extra
    )
    sub.add_argument("--spec", choices=VERSIONS, default="1.6", help="version of CycloneDX (default: 1.6)")
    sub.add_argument("--out", type=Path, metavar="FILE", help="where it goes (default: dist/LABEL.cdx.json)")
    sub = subcommand("release", _release, "build, check all gates, and write a release into dist/", source)
    sub.add_argument("--out", type=Path, metavar="DIR", help="where it goes (default: dist/ of the project)")
    sub.add_argument(
        "--sign", type=_key, default=None, metavar="ssh:KEY|none", help="sign SHA256SUMS with a key (default: none)"
    )
    sub.add_argument(
        "--previous", default="", metavar="TAG|DIR", help="the release before (default: the newest tag v* before this)"
    )
    sub.add_argument(
        "--base", type=Path, metavar="LAYOUT", help="upstream's jitsi/web as an OCI layout, for the image built on it"
    )
    sub.add_argument(
        "--dry-run", action="store_true", help="write the files, marked UNRELEASED, whatever the gates say"
    )
    sub.add_argument(
        "--rebuild", action="store_true", help="write the files into --out for a comparison: no gates, no signature"
    )


def _key(text: str) -> Path | None:
    if text == "none":
        return None
    if not (found := re.fullmatch(r"ssh:(.+)", text)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither ssh:KEY nor none")
    return Path(found[1])


def _release(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Make the release; the exit code is 10 where the gates refuse it."""
    project = project_of(arguments)
    if arguments.rebuild and (arguments.sign or not arguments.out):
        raise UsageError("--rebuild needs --out, and does not sign", hint="hardener release --rebuild --out DIR")
    wanted = Wanted(
        arguments.out and arguments.out.absolute(),
        arguments.sign,
        arguments.previous,
        arguments.dry_run,
        arguments.rebuild,
        arguments.base and arguments.base.absolute(),
    )
    made = assemble(project, sources_of(arguments, project), wanted, ui)
    _tell(made, wanted, ui)
    return {
        "folder": os.fspath(made.folder),
        "published": made.published,
        "released": made.published and not wanted.dry_run and not wanted.rebuild,
        "signed": bool(wanted.key) and made.published,
        "gates": [asdict(verdict) | {"passed": verdict.passed} for verdict in made.verdicts],
        "files": dict(made.sums),
        "exit": 0 if made.published else REFUSED,
    }


def _tell(made: Made, wanted: Wanted, ui: UI) -> None:
    for verdict in made.verdicts:
        word, style = ("ok    ", "") if verdict.passed else ("FAILED", "red")
        ui.print(f"{word}  {verdict.gate:<10} {verdict.found}", style)
    failed = [verdict for verdict in made.verdicts if not verdict.passed]
    refused = f"gates that are not met: {', '.join(verdict.gate for verdict in failed) or 'none'}"
    for verdict in failed:
        more = (f"and {len(verdict.problems) - _SHOWN} more",) if len(verdict.problems) > _SHOWN else ()
        ui.problem(f"gate {verdict.gate}", verdict.fix, details=(*verdict.problems[:_SHOWN], *more))
    if not wanted.base and not wanted.rebuild:
        ui.note("without --base LAYOUT there is no image on upstream's (docs/maintaining.md#container-images)")
    for name, digest in sorted(made.sums.items()):
        ui.print(f"{digest}  {name}")
    if made.replaced:
        ui.note(f"{made.folder} had another release, which is replaced: {made.replaced}")
    if not made.published:
        ui.problem(f"not released: {refused}; {made.folder} is as it was", "correct them, then repeat")
    elif wanted.dry_run:
        ui.print(f"UNRELEASED: {made.folder} is of a dry run, not a release; {refused}", "yellow")
    elif not wanted.rebuild:
        ui.print(f"released: {made.folder}" + ("" if wanted.key else "; sign it: hardener sign KEY"), "green")


def _sbom(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    result = build.build(project, Options(sources=sources_of(arguments, project)), ui)
    found = packages(result.components, result.site.path)
    content = sbom(project, result.components, found, result.packaged.site, result.mtime, arguments.spec)
    dist = result.packaged.site.path.parent
    path = arguments.out or dist / f"{project.label}.cdx.json"
    if arguments.out:
        disk.write(path, content)
    else:
        add_file(dist, path.name, content)
    unlicensed = sorted(f"{package.name} {package.version}" for package in found if not package.licence)
    without = sorted(f"{package.name} {package.version}" for package in found if not package.texts)
    for names, what in ((unlicensed, "declare no licence"), (without, "come without a licence text")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            ui.note(f"{len(names)} packages {what}: {', '.join(names[:_SHOWN])}{more}")
    ui.print(f"{path}: {len(result.components)} patched components, {len(found)} npm packages")
    return {
        "file": os.fspath(path),
        "components": len(result.components),
        "packages": len(found),
        "no_licence": unlicensed,
        "no_licence_text": without,
    }
