"""Our images with other programs: umoci unpacks them, and a registry keeps their digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from hardener.release import images, tree
from support import packaging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {"site": {"amd64", "arm64"}, "web": {"amd64", "arm64"}}
WEB_ROOT = f"rootfs/{tree.WEB_ROOT}"


def program(name: str) -> str:
    """Return a program's path; skips the test where it is not installed."""
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return path


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Provide both images, of a tiny site."""
    folder = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "REVIEWED", dict(images.REVIEWED))
        packaging.accept_templates()
        layout, image = packaging.base(folder)
        meet = packaging.project(folder, image=image)
        made = images.images(meet, packaging.site(folder), packaging.EPOCH, layout, folder / "out")
    return {name.removesuffix(".oci.tar").rpartition("-")[2]: path for name, path in made if name.endswith(".tar")}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Provide the address of an empty registry on loopback, on a port that it chooses."""
    folder = tmp_path_factory.mktemp("registry")
    storage = {"filesystem": {"rootdirectory": str(folder)}}
    settings = {"version": 0.1, "storage": storage, "http": {"addr": "127.0.0.1:0"}}
    (folder / "config.yml").write_text(json.dumps(settings))
    argv = [program("docker-registry"), "serve", folder / "config.yml"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        try:
            found = (re.search(r"listening on (127\.0\.0\.1:\d+)", line) for line in process.stdout)
            address = next((match[1] for match in found if match), "")
            assert address, "docker-registry has ended"
            yield address
        finally:
            process.terminate()


def run(*argv: str | Path) -> str:
    """Run a program that has to succeed; returns its output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_registry_keeps_the_digest_of_the_image(archives: dict[str, Path], registry: str, name: str) -> None:
    skopeo = program("skopeo")
    source = f"oci-archive:{archives[name]}"
    target = f"docker://{registry}/jitsi-{name}-hardened:stable-10978-hardened.1"
    run(skopeo, "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false", source, target)
    index = run(skopeo, "inspect", "--raw", "--tls-verify=false", target).encode()
    assert index == run(skopeo, "inspect", "--raw", source).encode()
    platforms = {entry["platform"]["architecture"] for entry in json.loads(index)["manifests"]}
    assert platforms == NAMES[name]
    if name == "web":
        override = (archives["web"].parent / images.OVERRIDE).read_text()
        assert f"@sha256:{hashlib.sha256(index).hexdigest()}" in override


@pytest.mark.skipif(os.geteuid() != 0, reason="umoci unpacks with the owners of files, which needs root")
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_unpacked_web_root_is_ours_on_each_platform(
    archives: dict[str, Path], tmp_path: Path, architecture: str
) -> None:
    copy = ("copy", "--quiet", "--override-os", "linux", "--override-arch", architecture)
    variant = ("--override-variant", "v8") if architecture == "arm64" else ()
    run(program("skopeo"), *copy, *variant, f"oci-archive:{archives['web']}", f"oci:{tmp_path / 'layout'}:one")
    run(program("umoci"), "unpack", "--image", f"{tmp_path / 'layout'}:one", tmp_path / "bundle")
    root = tmp_path / "bundle" / WEB_ROOT
    unpacked = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    served = tree.served(packaging.site(tmp_path))
    del served["interface_config.js"]
    assert unpacked == served  # and upstream's libs/face.js is gone
    assert {path.name for path in root.iterdir() if path.is_dir()} >= {"transcripts", "load-test", ".well-known"}
    rootfs = tmp_path / "bundle" / "rootfs"
    assert (rootfs / "usr/bin/tool").read_text() == architecture
    assert (rootfs / "etc/cont-init.d/10-config").read_bytes() == packaging.TEMPLATES["etc/cont-init.d/10-config"]
    assert "Env." in (rootfs / "defaults/meet.conf").read_text()
    settings = json.loads((tmp_path / "bundle" / "config.json").read_text())
    assert settings["process"]["args"][0] == "/init"
