"""The subcommand ``webcat``: a static site for one operator, and its manifest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import UsageError
from hardener.pipeline import build
from hardener.pipeline.results import Options
from hardener.release import webcat
from hardener.system import disk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.ui import UI

SITE, MANIFEST = "site", "manifest.json"


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommand; ``source`` is a parser of options that several share."""
    sub = subcommand("webcat", _webcat, "build the site and write it without includes, with a WEBCAT manifest", source)
    sub.add_argument("--config", type=Path, required=True, metavar="FILE", help="the operator's config.js")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or that of an earlier run")
    sub.add_argument(
        "--embed", action="append", default=[], metavar="ORIGIN",
        help="pages of this origin may embed meetings, as with 'hardener nginx'",
    )  # fmt: skip


def _webcat(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Write the static site and the manifest."""
    project, out = project_of(arguments), arguments.out
    csp = webcat.policy(arguments.embed)
    webcat.version(project)
    try:
        config = arguments.config.read_bytes()
        others = sorted({path.name for path in out.iterdir()} - {SITE, MANIFEST}) if out.exists() else []
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}", hint="--config FILE --out DIR") from error
    if others:
        raise UsageError(f"{out} holds other files: {', '.join(others[:3])}", hint="--out DIR: a new folder")
    result = build.build(project, Options(sources=sources_of(arguments, project)), ui)
    files = webcat.site(result.site.path, config, arguments.embed)
    client = next(built for built in result.components if built.component.name == project.site.name)
    modules = webcat.modules_of(files) | webcat.modules_made(client.work.path)
    manifest = webcat.manifest(project, files, csp, modules)

    def fill(folder: Path) -> None:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    disk.replace_folder(out / SITE, fill)
    disk.write(out / MANIFEST, webcat.canonical(manifest))
    ui.print(f"{out / SITE}: {len(files)} files; {out / MANIFEST}: version {manifest['version']}, unsigned")
    return {"folder": os.fspath(out), "version": manifest["version"], "wasm": manifest["wasm"]}
