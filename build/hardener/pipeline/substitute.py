"""Packages of a person's own for those that the project leaves out: ``hardener build --substitute NAME=FILE``.

Packages that are left out (``omit`` in upstream.toml) have no public source, or contact third parties. A person who
needs one brings an npm archive of it and is responsible for it: the archive's name and ``build-manifest.json``
(``substitutions``) state this, and a release has to refuse a manifest in which that list is not empty.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hardener.config import Substitute
from hardener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardener.config import Component, Project

# What of a package.json decides what else is installed; npm keeps the same in its lock (package-lock.json, "packages").
_NEEDS = ("dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta")
_EMPTY = "{empty}"  # of make = [...]: the folder that replaces what a package would bring


def extend(project: Project, words: Iterable[str]) -> Project:
    """Return the project with each ``NAME=FILE`` in place of a package that it leaves out.

    Raises UsageError where that cannot be: no such form, a package that is not left out or is given twice, a file that
    is not an npm archive of that name.
    """
    found: dict[str, Substitute] = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not (name and equals and file):
            raise UsageError(
                f"--substitute {word}: is not NAME=FILE", hint="for example: --substitute @scope/name=/path/to/name.tgz"
            )
        owner = next((component for component in project.components if name in component.omit), None)
        if not owner:
            omitted = [package for component in project.components for package in component.omit]
            raise UsageError(
                f"--substitute {word}: {name} is not left out of this build",
                hint=f"left out (omit = [...] in upstream.toml): {', '.join(omitted) or 'nothing'}",
            )
        if name in found:
            raise UsageError(f"--substitute {word}: {name} is listed twice", hint="leave one of them out")
        found[name] = _read(name, owner.name, Path(file))
    components = tuple(_without_omission(component, found) for component in project.components)
    return replace(project, components=components, substitutes=tuple(found.values()))


def _without_omission(component: Component, found: dict[str, Substitute]) -> Component:
    """Return the component with these packages no longer left out; upstream's Makefile takes its own folders if none
    is.
    """
    if not found.keys() & set(component.omit):
        return component
    omit = tuple(package for package in component.omit if package not in found)
    make = component.make if omit else tuple(word for word in component.make if _EMPTY not in word)
    return replace(component, omit=omit, make=make)


def _read(name: str, component: str, file: Path) -> Substitute:
    where = f"--substitute {name}={file}"
    hint = f"an npm archive of {name}, as 'npm pack' makes it, has package/package.json with that name and a version"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{where}: cannot read the file: {error.strerror}", hint=hint) from error
    manifest = _manifest(file)
    if manifest is None:
        raise UsageError(f"{where}: is not an npm archive", hint=hint)
    if manifest.get("name") != name:
        raise UsageError(f"{where}: is an archive of {manifest.get('name')!r}", hint=hint)
    needs = {key: manifest[key] for key in _NEEDS if manifest.get(key)}
    if not isinstance(manifest.get("version"), str) or not all(isinstance(value, dict) for value in needs.values()):
        raise UsageError(f"{where}: its package.json has no version, or names its dependencies wrongly", hint=hint)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    substitute = Substitute(name, component, file, content, {})
    entry = {"version": manifest["version"], "resolved": f"file:{substitute.archive}", "integrity": integrity} | needs
    return replace(substitute, lock_entry=entry)


def _manifest(file: Path) -> dict[str, Any] | None:
    """Return the package.json of an npm archive, in whatever its one top folder is; None where the file is not such an
    archive.
    """
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                if len(parts) == 2 and parts[1] == "package.json" and (stream := archive.extractfile(member)):  # noqa: PLR2004
                    manifest = json.loads(stream.read())
                    return manifest if isinstance(manifest, dict) else None
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError):
        return None
    return None
