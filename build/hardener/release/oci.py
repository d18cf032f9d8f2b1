"""Images as OCI layouts (OCI image specification 1.1), written without Docker, without root and without a registry.

A layout is a folder, or a tar archive of one: ``oci-layout``, ``index.json``, and blobs by their SHA-256. Upstream's
image is read from a folder that ``skopeo copy --all`` has filled. Each of its platforms gets the same additional layer.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_OCI = "application/vnd.oci.image."
_DOCKER = "application/vnd.docker."
INDEX, MANIFEST = f"{_OCI}index.v1+json", f"{_OCI}manifest.v1+json"
CONFIG, LAYER = f"{_OCI}config.v1+json", f"{_OCI}layer.v1.tar+gzip"
_INDEXES = (INDEX, f"{_DOCKER}distribution.manifest.list.v2+json")
_MANIFESTS = (MANIFEST, f"{_DOCKER}distribution.manifest.v2+json")
_DOCKER_LAYER = f"{_DOCKER}image.rootfs.diff.tar.gzip"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_LARGEST = 10_000_000  # bytes of a JSON document


@dataclass(frozen=True)
class Layer:
    """A layer: its compressed bytes, and the digest of what they contain."""

    content: bytes
    diff: str

    @classmethod
    def of(cls, tar: bytes) -> Layer:
        """Compress a tar archive."""
        return cls(gzip.compress(tar, 6, mtime=0), _digest(tar))


@dataclass
class Image:
    """An image for several platforms: its blobs in memory by digest, those of its base by path, and its index."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    index: dict[str, Any] = field(default_factory=dict)

    def add(self, content: bytes, kind: str) -> dict[str, Any]:
        """Take a blob in; returns its descriptor."""
        digest = _digest(content)
        self.blobs[digest] = content
        return {"mediaType": kind, "digest": digest, "size": len(content)}


@contextlib.contextmanager
def reading(digest: str) -> Iterator[None]:
    """Turn a missing or wrong part of a document into an error that names the image."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{digest} is not an image for Linux: {error}", hint="name the index of upstream's image in [image]"
        ) from error


class Layout:
    """An OCI layout in a folder, of which every blob is checked when it is read."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "oci-layout").is_file():
            raise UsageError(
                f"{folder} is not an OCI layout",
                hint="get upstream's image: skopeo copy --all docker://docker.io/jitsi/web@sha256:... oci:FOLDER",
            )
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return the file of a blob whose content has this digest; raises UsageError where there is none."""
        kind, _, value = digest.partition(":")
        path = self.folder / "blobs" / kind / value
        if kind != "sha256" or not path.is_file():
            raise UsageError(f"{self.folder} does not have {digest}", hint="copy the whole image: skopeo copy --all")
        if stamps.file_digest(path) != value:
            raise UsageError(f"{path} is damaged: its content has another digest", hint="copy the image again")
        return path

    def json(self, digest: str) -> dict[str, Any]:
        """Return a JSON document of the layout; raises UsageError for what is not one."""
        path = self.path(digest)
        document = disk.read_json(path) if path.stat().st_size <= _LARGEST else None
        if not isinstance(document, dict):
            raise UsageError(f"{path} is not a JSON document of an image", hint="copy the image again")
        return document

    def platforms(self, digest: str) -> list[dict[str, Any]]:
        """Return the descriptors of an index's images, each with its platform.

        Attestations are left out: they are about the images without our layer. A single image counts as an index.
        """
        document = self.json(digest)
        if "manifests" not in document:
            kind, size = document.get("mediaType", MANIFEST), self.path(digest).stat().st_size
            config = self.json(document["config"]["digest"])
            platform = {name: config[name] for name in ("architecture", "os", "variant") if name in config}
            return [{"mediaType": kind, "digest": digest, "size": size, "platform": platform}]
        if document.get("mediaType", INDEX) not in _INDEXES:
            raise UsageError(f"{digest} is of the kind {document['mediaType']}", hint="copy it again, with --all")
        entries: list[dict[str, Any]] = document["manifests"]
        found = [entry for entry in entries if entry.get("platform", {}).get("os") not in {None, "unknown"}]
        if not found or any(entry["mediaType"] not in _MANIFESTS for entry in found):
            raise UsageError(f"{digest} has no images for platforms", hint="copy the image again: skopeo copy --all")
        return found

    def files(self, manifest: Mapping[str, Any], names: Iterable[str]) -> dict[str, bytes]:
        """Return some regular files of an image by their paths: those of the last layer that has them."""
        wanted, found = set(names), dict[str, bytes]()
        for layer in manifest["layers"]:
            try:
                with tarfile.open(self.path(layer["digest"])) as archive:
                    for entry in archive:
                        name = entry.name.removeprefix("./")
                        small = entry.isfile() and entry.size <= _LARGEST
                        content = archive.extractfile(entry) if name in wanted and small else None
                        found |= {name: content.read()} if content else {}
            except (tarfile.TarError, EOFError) as error:
                hint = "hardener reads layers that are tar, also with gzip"
                raise UsageError(f"the layer {layer['digest']} cannot be read: {error}", hint=hint) from error
        return found


def layered(base: Layout, digest: str, layer: Layer, labels: Mapping[str, str], created: str, about: str) -> Image:
    """Return upstream's image, by the digest of its index, with a layer on top of each platform.

    ``created`` is a time in the format of RFC 3339, ``about`` the layer's line in the history.
    """
    image = Image()
    entries = []
    for entry in base.platforms(digest):
        manifest = base.json(entry["digest"])
        config = base.json(manifest["config"]["digest"])
        image.files |= {found["digest"]: base.path(found["digest"]) for found in manifest["layers"]}
        config["created"] = created
        config["history"] = [*config.get("history", ()), {"created": created, "created_by": about}]
        config["rootfs"]["diff_ids"] = [*config["rootfs"]["diff_ids"], layer.diff]
        config["config"] = config.get("config") or {}
        config["config"]["Labels"] = {**(config["config"].get("Labels") or {}), **labels}
        docker = entry["mediaType"] != MANIFEST
        added = image.add(layer.content, _DOCKER_LAYER if docker else LAYER)
        manifest["layers"] = [*manifest["layers"], added]
        manifest["config"] = image.add(_json(config), manifest["config"]["mediaType"])
        if not docker:
            manifest["annotations"] = {**manifest.get("annotations", {}), **labels}
        entries.append(image.add(_json(manifest), entry["mediaType"]) | {"platform": entry["platform"]})
    image.index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": dict(labels)}
    return image


def from_scratch(
    layer: Layer, platforms: Iterable[Mapping[str, str]], labels: Mapping[str, str], created: str, about: str
) -> Image:
    """Return an image of one layer, without a program to run, for each platform."""
    image = Image()
    entries = []
    for platform in platforms:
        config = {
            "created": created,
            **platform,
            "config": {"Labels": dict(labels)},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff]},
            "history": [{"created": created, "created_by": about}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": image.add(_json(config), CONFIG),
            "layers": [image.add(layer.content, LAYER)],
            "annotations": dict(labels),
        }
        entries.append(image.add(_json(manifest), MANIFEST) | {"platform": dict(platform)})
    image.index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": dict(labels)}
    return image


def write(image: Image, tag: str, mtime: int, path: Path) -> str:
    """Write an image as a tar archive of its layout; returns the digest by which a registry will know it."""
    head = image.add(_json(image.index), INDEX)
    top = {"schemaVersion": 2, "manifests": [head | {"annotations": {"org.opencontainers.image.ref.name": tag}}]}
    small = {"index.json": _json(top), "oci-layout": _LAYOUT}
    small |= {f"blobs/{digest.replace(':', '/')}": content for digest, content in image.blobs.items()}
    large = {f"blobs/{digest.replace(':', '/')}": file for digest, file in image.files.items()}
    new = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with disk.full_disk_explained(), tarfile.open(new, "w", format=tarfile.GNU_FORMAT) as archive:
            _fill(archive, small, large, mtime)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return str(head["digest"])


def _fill(archive: tarfile.TarFile, small: Mapping[str, bytes], large: Mapping[str, Path], mtime: int) -> None:
    for folder in ("blobs", "blobs/sha256"):
        archive.addfile(_entry(folder, mtime, tarfile.DIRTYPE))
    for name in sorted({*small, *large}):
        entry = _entry(name, mtime, tarfile.REGTYPE)
        if name in small:
            entry.size = len(small[name])
            archive.addfile(entry, io.BytesIO(small[name]))
        else:
            entry.size = large[name].stat().st_size
            with large[name].open("rb") as content:
                archive.addfile(entry, content)


def _entry(name: str, mtime: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mtime, entry.mode = kind, mtime, 0o755 if kind == tarfile.DIRTYPE else 0o644
    return entry


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
