"""Subcommands for what is published beside the archives: sbom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.pipeline import build
from hardener.pipeline.package import add_file
from hardener.pipeline.results import Options
from hardener.release.packages import packages
from hardener.release.sbom import VERSIONS, sbom
from hardener.system import disk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI

_SHOWN = 12  # names on one line of the terminal


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, extra: Any) -> None:
    """Add the subcommands; ``source`` and ``extra`` are parsers of options that several share."""
    sub = subcommand(
        "sbom", _sbom, "write the bill of materials (CycloneDX) of the built site into dist/", source, extra
    )
    sub.add_argument("--spec", choices=VERSIONS, default="1.6", help="version of CycloneDX (default: 1.6)")
    sub.add_argument("--out", type=Path, metavar="FILE", help="where it goes (default: dist/LABEL.cdx.json)")


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
