"""Provenance of a release: an in-toto statement (v1) with SLSA's provenance (v1) as its predicate.

The statement names all inputs and no builder, so that it has the same bytes for all of them: who built is said by the
signatures over ``SHA256SUMS``, which covers it. Times, the machine and the addresses of mirrors are in the build log.
https://github.com/in-toto/attestation/tree/main/spec/v1 and https://slsa.dev/spec/v1.0/provenance define the fields.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hardener import __version__
from hardener.system import disk, node, stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from hardener.config import Project
    from hardener.pipeline.results import Built

SUFFIX = ".provenance.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
# Names of ours, described in docs/auditor.md#provenance; the project has no address of its own yet.
BUILD_TYPE = "https://hardener.invalid/build/v1"
BUILDER = "https://hardener.invalid/any-builder/v1"
PYTHON_LOCK, NODE_LOCK = "uv.lock", "build/node/package-lock.json"
_LENGTHS = {"sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128, "gitCommit": 40, "gitTree": 40}
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+")
_PARAMETERS = {"label": str, "previous": str, "dryRun": bool, "base": str}
_LARGEST = 10_000_000  # bytes of a statement; ours have 150 kB
_DESCRIPTOR = frozenset(("name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"))

Descriptor = dict[str, Any]


def statement(
    subjects: Mapping[str, str], parameters: Mapping[str, Any], toolchain: Mapping[str, Any], inputs: list[Descriptor]
) -> bytes:
    """Return the statement about released files (name -> SHA-256) as JSON."""
    document = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(parameters),
                "internalParameters": {"toolchain": dict(toolchain)},
                "resolvedDependencies": inputs,
            },
            "runDetails": {"builder": {"id": BUILDER, "version": {"hardener": __version__}}},
        },
    }
    return disk.json_bytes(document)


def inputs(project: Project, components: Iterable[Built], commit: str, *, changed: bool) -> list[Descriptor]:
    """Return all inputs: this project, the locks of its tools, upstream's commits, and each npm package.

    npm packages are those of the locks, also where one is not installed on this machine's kind of processor. With
    ``changed``, the work tree was not that commit.
    """
    ours: Descriptor = {"name": "hardener", "digest": {"gitCommit": commit}}
    if changed:
        ours["annotations"] = {"changed": True}
    found = [ours]
    files = {path: project.root / path for path in (PYTHON_LOCK, NODE_LOCK)}
    found += [
        {"name": path, "digest": {"sha256": stamps.file_digest(file)}} for path, file in files.items() if file.is_file()
    ]
    locks = [node.RECIPES / "package-lock.json"]
    for built in components:
        component = built.component
        source: Descriptor = {
            "name": component.name,
            "digest": {"gitCommit": component.commit},
            "annotations": {"release": component.release, "patchedTree": built.source.last.laid.tree},
        }
        if "://" in component.repository:  # else a path beside upstream.toml, which is not an address
            source["uri"] = f"git+{component.repository}@{component.commit}"
        found.append(source)
        if built.installed.store:
            locks.append(node.stored(built.installed.store).parent / "package-lock.json")
    packages = {descriptor["uri"] + str(descriptor): descriptor for lock in locks for descriptor in _locked(lock)}
    return found + [packages[key] for key in sorted(packages)]


def _locked(lock: Path) -> Iterator[Descriptor]:
    """Yield the packages of npm's lock, by their package URL (https://github.com/package-url/purl-spec)."""
    for path, entry in json.loads(lock.read_bytes())["packages"].items():
        if path and not entry.get("link"):
            name = entry.get("name") or path.rpartition("node_modules/")[2]
            uri = f"pkg:npm/{quote(name, safe='/')}@{quote(entry['version'], safe='')}"
            yield {"name": f"{name}@{entry['version']}", "uri": uri, "digest": digests(entry.get("integrity", ""))}


def digests(integrity: str) -> dict[str, str]:
    """Return the digests of a Subresource Integrity value in hexadecimal, by in-toto's names of the algorithms.

    >>> digests("sha1-qUAlKQ==")
    {'sha1': 'a9402529'}
    """
    parts = (part.partition("-") for part in integrity.split())
    return {name: base64.b64decode(value).hex() for name, _, value in parts if name in _LENGTHS}


@dataclass(frozen=True)
class Found:
    """The statement among released files: its ``name`` (empty without one), its JSON, and what is wrong with it."""

    name: str
    document: Any
    problems: tuple[str, ...]


def find(folder: Path, released: Mapping[str, str]) -> Found:
    """Read the statement of released files (name -> SHA-256), and judge whether it is about all others of them."""
    names = [name for name in sorted(released) if name.endswith(SUFFIX)]
    if len(names) != 1:
        return Found("", None, (f"there are {len(names)} statements (*{SUFFIX}), not one",))
    (name,) = names
    file = folder / name
    small = file.is_file() and file.stat().st_size <= _LARGEST
    document = disk.read_json(file) if small else None
    if document is None:
        return Found(name, None, (f"{name} is missing, larger than {_LARGEST} bytes, or not JSON",))
    others = {other: digest for other, digest in released.items() if other != name}
    return Found(name, document, tuple(problems(document, others)))


def commit_of(document: Any) -> str:
    """Return the commit of hardener that a statement without problems names."""
    dependencies = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    return str(dependencies[0]["digest"]["gitCommit"])


def parameters_of(document: Any) -> dict[str, Any]:
    """Return the external parameters of a statement without problems."""
    return dict(document["predicate"]["buildDefinition"]["externalParameters"])


def problems(document: Any, released: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a statement by the rules of in-toto and SLSA, and by ours.

    ``released`` are the files that it has to be about (name -> SHA-256). Its first input is the commit of hardener.
    """
    try:
        return list(_problems(document, released))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        return [f"a field is missing or has another type: {error}"]


def _problems(document: Any, released: Mapping[str, str]) -> Iterator[str]:
    yield from _unknown("the statement", document, {"_type", "subject", "predicateType", "predicate"})
    if document["_type"] != STATEMENT or document["predicateType"] != PREDICATE:
        yield f"it is not a statement of {STATEMENT} with a predicate of {PREDICATE}"
    yield from _subjects(document["subject"], released)
    predicate = document["predicate"]
    yield from _unknown("the predicate", predicate, {"buildDefinition", "runDetails"})
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    keys = {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    yield from _unknown("buildDefinition", definition, keys)
    yield from _unknown("runDetails", details, {"builder"})  # metadata and byproducts would differ between builders
    yield from _unknown("builder", details["builder"], {"id", "version"})
    # SLSA's rules for verifiers: what an unknown builder did, or an unknown kind of build means, cannot be judged.
    if definition["buildType"] != BUILD_TYPE:
        yield f"buildType is {definition['buildType']!r}, not {BUILD_TYPE}"
    if details["builder"]["id"] != BUILDER:
        yield f"the builder is {details['builder']['id']!r}, not {BUILDER}"
    if isinstance(parameters := definition["externalParameters"], dict):
        yield from _unknown("externalParameters", parameters, _PARAMETERS)
        for name in sorted(parameters.keys() & _PARAMETERS.keys()):
            if type(parameters[name]) is not _PARAMETERS[name]:
                yield f"externalParameters: {name} has another type: {parameters[name]!r}"
    else:
        yield "externalParameters is not an object"
    dependencies = definition["resolvedDependencies"]
    for descriptor in dependencies:
        yield from _descriptor(descriptor)
    if set(dependencies[0]["digest"]) != {"gitCommit"}:
        yield "its first input is not the commit of hardener"


def _subjects(subjects: Any, released: Mapping[str, str]) -> Iterator[str]:
    for subject in subjects:
        yield from _descriptor(subject)
    named = [(subject["name"], subject["digest"].get("sha256")) for subject in subjects]
    if len(dict(named)) < len(named):
        yield "two subjects have one name"
    known = dict(named)
    yield from (f"{name}: not a subject" for name in sorted(released.keys() - known.keys()))
    yield from (f"{name}: a subject that is not a released file" for name in sorted(known.keys() - released.keys()))
    for name in sorted(known.keys() & released.keys()):
        if known[name] != released[name]:
            yield f"{name}: another SHA-256 than that of the file"


def _descriptor(descriptor: Any) -> Iterator[str]:
    """Yield what is wrong with a resource descriptor; ours always have a digest."""
    name = descriptor.get("name", "?")
    yield from _unknown(str(name), descriptor, _DESCRIPTOR)
    if not isinstance(name, str) or not name or name == "?":
        yield "an entry has no name"
    if "uri" in descriptor and not _URI.fullmatch(descriptor["uri"]):
        yield f"{name}: not a URI: {descriptor['uri']!r}"
    if not descriptor["digest"]:
        yield f"{name}: no digest"
    for algorithm, value in descriptor["digest"].items():
        length = _LENGTHS.get(algorithm)
        if length is None or not re.fullmatch(rf"[0-9a-f]{{{length}}}", value):
            yield f"{name}: not a {algorithm}: {value!r}"


def _unknown(where: str, found: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    for key in sorted(set(found) - set(known)):
        yield f"{where}: unknown field {key!r}"
