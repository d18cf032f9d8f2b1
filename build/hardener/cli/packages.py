"""Subcommands for what operators install: deb, apt, oci."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.cli.options import project_of, sources_of
from hardener.errors import UsageError
from hardener.pipeline import build
from hardener.pipeline.deploy import refuse_rebuilt
from hardener.pipeline.package import add_file
from hardener.pipeline.results import Options
from hardener.release import apt, debian, images
from hardener.system import disk, locks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from hardener.config import Project
    from hardener.pipeline.results import Result
    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommands; ``source`` is a parser of options that several share."""
    sub = subcommand("deb", _deb, "build the site and write its Debian packages into dist/", source)
    sub.add_argument("--look-up", metavar="SOURCE", help="only fill in [debian] of upstream.toml, from upstream's list")
    sub.add_argument("--key", type=Path, metavar="FILE", help="with --look-up: the public key of that list")
    sub.add_argument(
        "--maintainer", metavar="NAME <MAIL>", default="", help="with --look-up, for a new table: who maintains ours"
    )
    sub = subcommand("apt", _apt, "build the site and write a repository for apt into dist/", source)
    sub.add_argument("--earlier", type=Path, metavar="DIR", help="packages of earlier releases, which it also offers")
    sub.add_argument("--out", type=Path, metavar="DIR", help="write the files into a folder, and keep its packages")
    sub.add_argument("--sign", metavar="KEY", help="with --out: sign it with a key of GnuPG")
    sub = subcommand("oci", _oci, "build the site and write its container images into dist/", source)
    sub.add_argument("--base", type=Path, metavar="LAYOUT", help="upstream's jitsi/web as an OCI layout")


def _deb(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    if arguments.look_up:
        return _look_up(arguments, project, ui)
    debian.upstreams(project)
    result = _built(arguments, project, ui)
    made = debian.packages(project, result.site.path, result.mtime, _documents(project, result))
    refuse_rebuilt(result.site)
    return _add(project, made, ui)


def _look_up(arguments: argparse.Namespace, project: Project, ui: UI) -> dict[str, Any]:
    from hardener.upstream.debian import fill_in  # noqa: PLC0415 (other subcommands need not wait for tomlkit)

    if not arguments.key:
        raise UsageError("--look-up needs upstream's public key", hint="--key FILE, which you have checked")
    versions = fill_in(project, arguments.look_up, arguments.key, arguments.maintainer)
    path = project.root / config.NAME
    for name, version in versions.items():
        ui.print(f"{name} {version}")
    ui.print(f"{path}: [debian] is filled in; review and commit it")
    return {"file": os.fspath(path), "versions": versions}


def _apt(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    out: Path | None = arguments.out
    if arguments.sign is not None and not out:
        raise UsageError(
            "--sign needs --out: the archive in dist/ is unsigned, so that all builders get the same bytes",
            hint="hardener apt --out DIR --sign KEY",
        )
    if arguments.sign is not None and not arguments.sign.strip():
        raise UsageError("--sign names no key", hint="name a secret key of this user: gpg --list-secret-keys")
    if out and not arguments.sign and apt.is_signed(out):
        raise UsageError(
            f"{out} is signed: with a new list and the old signature, apt would stay at the old list",
            hint=f"hardener apt --out {shlex.quote(str(out))} --sign KEY",
        )
    debian.upstreams(project)
    result = _built(arguments, project, ui)
    made = debian.packages(project, result.site.path, result.mtime, _documents(project, result))
    refuse_rebuilt(result.site)
    there = [folder for folder in (arguments.earlier, out and out / "pool") if folder and folder.exists()]
    if arguments.earlier and not there:
        there = [arguments.earlier]  # the error is about this one
    files = apt.repository([*made, *(entry for folder in there for entry in apt.earlier(folder))], result.mtime)
    if not out:
        return _add(project, [(f"{project.label}-apt.tar", apt.archive(files, result.mtime))], ui)
    if arguments.sign:
        files = apt.signed(files, arguments.sign)
    # Lists name packages and Release names lists, so what is named is written first.
    disk.write_all({out / name: files[name] for name in sorted(files, key=apt.order)})
    ui.print(f"{out}: {sum(name.endswith('.deb') for name in files)} packages, {'' if arguments.sign else 'un'}signed")
    return {"folder": os.fspath(out), "files": sorted(files)}


def _oci(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = project_of(arguments)
    if arguments.base:
        images.base_of(project)
    result = _built(arguments, project, ui)
    written = images.images(project, result.site.path, result.mtime, arguments.base, project.work / "images")
    refuse_rebuilt(result.site)
    answer = _add(project, ((name, path.read_bytes()) for name, path in written), ui)
    if not arguments.base:
        ui.note("without --base LAYOUT there is only the image of the site (docs/maintaining.md#container-images)")
    return answer


def _built(arguments: argparse.Namespace, project: Project, ui: UI) -> Result:
    return build.build(project, Options(sources=sources_of(arguments, project)), ui)


def _documents(project: Project, result: Result) -> dict[str, bytes]:
    """Return what the web package has below /usr/share/doc beside its changelog: the bill of materials."""
    from hardener.release.packages import packages  # noqa: PLC0415 (images need not wait for it)
    from hardener.release.sbom import sbom  # noqa: PLC0415

    found = packages(result.components, result.site.path)
    content = sbom(project, result.components, found, result.packaged.site, result.mtime)
    return {"sbom.cdx.json": content}


def _add(project: Project, made: Iterable[tuple[str, bytes]], ui: UI) -> dict[str, Any]:
    """Write files into dist/, and their sums into its list."""
    names = []
    for name, content in made:
        with locks.lock(project.work / "sums.lock", waiting=ui.waits):
            add_file(project.dist, name, content)
        ui.print(f"{project.dist / name}: {len(content) / 1e6:.1f} MB")
        names.append(name)
    return {"files": names}
