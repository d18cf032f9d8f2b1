"""Sensors over what was delivered: files against the released archive, patches against what is published."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.pipeline import proofs
from hardener.policy.addresses import MAP_SUFFIX
from hardener.system import disk, stamps
from hardener.system.sums import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.assessment.conditions import Metrics

# Files that an operator is expected to change.
SETTINGS = ("config.js", "interface_config.js")
# What packages put elsewhere.
ELSEWHERE = ("LICENSE",)
_STATUS = re.compile(r"^Upstream-Status: (\w+)", re.MULTILINE)
_NO_RELEASE = (
    "there is no release to compare with (--release DIR with archive and build-manifest.json)",
    "Es liegt kein Release zum Vergleich vor (--release ORDNER mit Archiv und build-manifest.json).",
)


@dataclass(frozen=True)
class _Release:
    manifest: Mapping[str, Any]
    sums: Mapping[str, str]
    date: int  # of the pinned commit, in seconds


def _release(subject: Subject) -> _Release:
    folder = subject.release
    if folder is None:
        raise MissingError(*_NO_RELEASE)
    return subject.once("release", lambda: _read(folder))


def _read(folder: Path) -> _Release:
    """Return the files of a released archive, whose own sum has to be that of the manifest."""
    manifest = disk.read_json(folder / MANIFEST)
    try:
        archive = manifest["archives"][0]
        path = folder / Path(archive["file"]).name
        if stamps.file_digest(path) != archive["sha256"]:
            raise MissingError(
                "the archive of the release is not that of its manifest",
                "Das Archiv des Releases ist nicht das des Manifests.",
            )
        sums, date = {}, 0
        with tarfile.open(path) as packed:
            for member in packed:
                content = packed.extractfile(member) if member.isfile() else None
                if content:
                    sums[member.name.removeprefix("./")] = hashlib.sha256(content.read()).hexdigest()
                    date = max(date, int(member.mtime))
    except (TypeError, KeyError, IndexError, OSError, tarfile.TarError):
        raise MissingError(*_NO_RELEASE) from None
    return _Release(manifest, sums, date)


def files(subject: Subject) -> Measured:
    """Compare all files with the archive of the release."""
    if subject.site is None:
        raise MissingError("no bundle was given", "Es wurde kein Bundle angegeben.")
    sums = _release(subject).sums
    paths = {path.relative_to(subject.site).as_posix(): path for path in subject.site.rglob("*") if path.is_file()}
    ours = {name: path for name, path in paths.items() if not name.endswith(MAP_SUFFIX)}
    changed = sorted(name for name, path in ours.items() if name in sums and stamps.file_digest(path) != sums[name])
    settings = [name for name in changed if name in SETTINGS]
    extra, missing = sorted(set(ours) - set(sums)), sorted(set(sums) - set(ours))
    lost = [name for name in missing if name not in (*SETTINGS, *ELSEWHERE)]
    unset = [name for name in missing if name in SETTINGS]
    if subject.visited:
        return _delivered(subject, sums, changed, len(ours))
    metrics: Metrics = {
        "files.changed": len(changed) - len(settings),
        "files.settings": len(settings) + len(unset),
        "files.extra": len(extra),
        "files.missing": len(lost),
    }
    return Measured(metrics, {"changed": changed, "extra": extra, "missing": missing, "compared": len(sums)})


def _delivered(subject: Subject, sums: Mapping[str, str], changed: list[str], count: int) -> Measured:
    """Return what a visit shows. Pages are not compared: the web server fills in their includes; files that no file
    names cannot be listed from outside, so the number of added files is not known.
    """
    settings = [name for name in changed if name in SETTINGS]
    others = [name for name in changed if name not in SETTINGS and not name.endswith(".html")]
    lost = sorted(name for name in subject.visited["files"]["absent"] if name in sums and name not in SETTINGS)
    metrics: Metrics = {"files.changed": len(others), "files.settings": len(settings), "files.missing": len(lost)}
    return Measured(metrics, {"changed": others, "missing": lost, "delivered": count})


def tested_digest(subject: Subject) -> str:
    """Return the digest (:func:`hardener.pipeline.proofs.site_digest`) of the files that records have to be about.

    A service is never the same as a bundle: the operator writes config.js, and a visit does not get all files. If what
    it delivers is that of the release, records about the release count. Raises MissingError where it is not.
    """
    return subject.once("tested digest", lambda: _tested(subject))


def _tested(subject: Subject) -> str:
    if not subject.visited:
        return proofs.site_digest(subject.site) if subject.site else ""
    found = files(subject).metrics
    if found["files.changed"] or found["files.missing"]:
        raise MissingError(
            "the service does not deliver the files of the release, to which the records belong",
            "Der Dienst liefert nicht die Dateien des Releases aus, zu dem die Nachweise gehören.",
        )
    return proofs.digest_of(_release(subject).sums)


def series(subject: Subject) -> Measured:
    """Compare the patches of the release with the published ones; find licence, bill of materials and age."""
    release = _release(subject)
    named_patches = [
        (component["name"], patch["name"], patch["sha256"])
        for component in release.manifest.get("components", ())
        for layer in (component, *component.get("downstream", ()))
        for patch in layer.get("patches", ())
    ]
    published = {path.name: path for path in sorted((subject.root / "patches").glob("*/*.patch"))}
    unpublished = sorted(
        name
        for _component, name, digest in named_patches
        if name not in published or stamps.file_digest(published[name]) != digest
    )
    states = {
        name: (_STATUS.search(published[name].read_text("utf-8", "replace")) or ["", "none"])[1]
        for _component, name, _digest in named_patches
        if name in published
    }
    pending = sorted(name for name, state in states.items() if state in {"Pending", "none"})
    days = (subject.today.toordinal() - 719163) - release.date // 86400
    metrics: Metrics = {
        "series.patches": len(named_patches),
        "series.unpublished": len(unpublished),
        "series.pending": len(pending),
        "series.age_days": max(days, 0),
        "series.licence": int("LICENSE" in release.sums),
        "series.sbom": int(any(subject.release.glob("*.cdx.json"))) if subject.release else 0,
    }
    return Measured(
        metrics,
        {
            "label": str(release.manifest.get("label", "")),
            "components": [
                {"name": component["name"], "commit": component["commit"], "release": component["release"]}
                for component in release.manifest.get("components", ())
            ],
            "patches": [{"component": part, "name": name, "sha256": digest} for part, name, digest in named_patches],
            "pending": pending,
            "unpublished": unpublished,
        },
    )


def _own(subject: Subject, folder: Path) -> Subject:
    """Pack an archive with one file, and a manifest that names an unpublished patch."""
    packed = folder / "x.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(folder / "site" / "a.js", "a.js")
    (folder / "site" / "a.js").write_text("changed", "utf-8")
    patch = {"name": "planted.patch", "sha256": "0" * 64}
    component = {"name": "x", "commit": "0", "release": "0", "patches": [patch]}
    archives = [{"file": packed.name, "sha256": stamps.file_digest(packed)}]
    (folder / MANIFEST).write_text(json.dumps({"archives": archives, "components": [component]}), "utf-8")
    return replace(subject, site=folder / "site", release=folder)


_PLANTED = {"site/a.js": "delivered", "site/b.js": "added"}
FILES = Sensor(
    "files",
    named("files", *"changed settings extra missing".split()),
    {"en": "Delivered files against the release", "de": "Ausgelieferte Dateien gegenüber dem Release"},
    files,
    _PLANTED,
    "files.changed == 1 and files.extra == 1",
    _own,
)
SERIES = Sensor(
    "series",
    named("series", *"patches unpublished pending age_days licence sbom".split()),
    {
        "en": "Patches, licence and bill of materials of the release",
        "de": "Patches, Lizenz und Stückliste des Releases",
    },
    series,
    _PLANTED,
    "series.patches == 1 and series.unpublished == 1 and series.licence == 0",
    _own,
)
