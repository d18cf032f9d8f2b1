"""A tiny site and its project, for tests of packages, repositories and images.

As a program it prints the digest of each file that is made of them, in a folder that it is given.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

from hardener import config
from hardener.config import Debian, Image
from hardener.release import apt, debian, images

EPOCH = 1778697122
COMMIT = "b584e555d5907542a1269c468ae134f67aaa5b88"
UPSTREAMS = Debian("The Maintainers <maintainers@example.org>", "2.0.10978-1", "1.0.9500-1", "1.0-1150-1", "2.3-230-1")
FILES = {
    "index.html": b"<!doctype html><title>Meeting</title>\n",
    "base.html": b'<base href="/" />\n',
    "interface_config.js": b"var interfaceConfig = {};\n",
    "config.js": b"var config = {};\n",
    "LICENSE": b"Apache-2.0\n",
    "libs/app.bundle.min.js": b"start();\n",
    "libs/app.bundle.min.js.gz": gzip.compress(b"start();\n", mtime=0),
    "libs/app.bundle.min.js.map": b"{}",
    "libs/olm.wasm": b"\0asm",
    "static/404.html": b"<p>Not found</p>\n",
    "css/all.css": b"a{}\n",
    "lang/main.json": b"{}\n",
    "scripts/coturn-le-update.sh": b"#!/bin/sh\n",
}
DOCUMENTS = {"sbom.cdx.json": b"{}\n"}
TEMPLATES = {name: f"upstream's {name}\n".encode() for name in images.REVIEWED}


def site(folder: Path) -> Path:
    """Write the site below a folder."""
    for name, content in FILES.items():
        path = folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "site"


def project(
    root: Path, revision: int = 1, upstreams: Debian | None = UPSTREAMS, image: Image | None = None
) -> config.Project:
    """Return a project of which the site is the only component."""
    component = config.Component("jitsi-meet", "https://git.example/meet.git", COMMIT, "2.0.10978")
    return config.Project(root, "jitsi-meet-hardened", revision, 24, (component,), {}, debian=upstreams, image=image)


def layer(files: dict[str, bytes]) -> bytes:
    """Return a layer of an image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def base(folder: Path, docker: bool = False, templates: dict[str, bytes] | None = None) -> tuple[Path, Image]:
    """Write a layout that has what upstream's image has: two platforms, attestations, a start script and a web root."""
    blobs = folder / "base" / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(content: bytes, kind: str) -> dict[str, object]:
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(content)}

    family = "vnd.docker.distribution" if docker else "vnd.oci.image"
    kinds = {
        "manifest": f"application/{family}.manifest.v2+json" if docker else f"application/{family}.manifest.v1+json",
        "config": "application/vnd.docker.container.image.v1+json"
        if docker
        else "application/vnd.oci.image.config.v1+json",
        "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip"
        if docker
        else "application/vnd.oci.image.layer.v1.tar+gzip",
        "index": f"application/{family}.manifest.list.v2+json" if docker else f"application/{family}.index.v1+json",
    }
    entries = []
    for architecture in ("amd64", "arm64"):
        files = {"usr/share/jitsi-meet/libs/face.js": b"face", "usr/bin/tool": architecture.encode()}
        layers = [layer({"defaults/meet.conf": b"older"}), layer(files | (templates or TEMPLATES))]
        settings = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/init"], "Labels": {"org.opencontainers.image.title": "Jitsi Meet"}},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(gzip.decompress(content)).hexdigest()}" for content in layers],
            },
            "history": [{"created_by": "upstream"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": kinds["manifest"],
            "config": add(json.dumps(settings).encode(), kinds["config"]),
            "layers": [add(content, kinds["layer"]) for content in layers],
        }
        platform = {"architecture": architecture, "os": "linux"} | (
            {"variant": "v8"} if architecture == "arm64" else {}
        )
        entries.append(add(json.dumps(manifest).encode(), kinds["manifest"]) | {"platform": platform})
    attestation = add(b"{}", kinds["manifest"]) | {"platform": {"architecture": "unknown", "os": "unknown"}}
    index = {"schemaVersion": 2, "mediaType": kinds["index"], "manifests": [*entries, attestation]}
    found = add(json.dumps(index).encode(), kinds["index"])
    (folder / "base" / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "base" / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [found]}))
    reference = f"docker.io/jitsi/web:stable-10978@{found['digest']}"
    return folder / "base", Image(reference, "registry.example.org/jitsi-web-hardened")


def accept_templates() -> None:
    """Let the templates of :func:`base` be those that ours were written for."""
    images.REVIEWED |= {
        name: hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        for name, content in TEMPLATES.items()
    }


def everything(folder: Path) -> dict[str, str]:
    """Make all packages, a repository and both images; returns the digest of each by its name."""
    layout, image = base(folder)
    made = site(folder)
    meet = project(folder, image=image)
    packages = debian.packages(meet, made, EPOCH, DOCUMENTS)
    repository = apt.repository([*packages, *debian.packages(replace(meet, revision=2), made, EPOCH + 1)], EPOCH + 1)
    written = images.images(meet, made, EPOCH, layout, folder / "out")
    contents = dict(packages) | {"apt.tar": apt.archive(repository, EPOCH + 1)}
    contents |= {name: path.read_bytes() for name, path in written}
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


if __name__ == "__main__":
    accept_templates()
    json.dump(everything(Path(sys.argv[1])), sys.stdout)
