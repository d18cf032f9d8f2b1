"""Images as OCI layouts."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hardener.errors import UsageError
from hardener.release import oci
from hardener.release.oci import Layer, Layout
from support import packaging

ROOT = Path(__file__).parents[3]
LABELS = {"org.opencontainers.image.version": "2.0+1"}
LAYER = Layer.of(packaging.layer({"usr/share/jitsi-meet/index.html": b"ours"}))
EPOCH = packaging.EPOCH


class Written:
    """A written layout, with each blob compared with its name."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            entries = [entry for entry in archive if entry.isfile()]
            files = {entry.name: archive.extractfile(entry).read() for entry in entries}  # type: ignore[union-attr]
        self.blobs = {name.rpartition("/")[2]: content for name, content in files.items() if name.startswith("blobs/")}
        assert all(hashlib.sha256(content).hexdigest() == name for name, content in self.blobs.items())
        assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        (self.top,) = json.loads(files["index.json"])["manifests"]
        self.index = self.json(self.top)

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        """Return what a descriptor names; its size has to be right."""
        content = self.blobs[descriptor["digest"].removeprefix("sha256:")]
        assert len(content) == descriptor["size"]
        return content

    def json(self, descriptor: dict[str, Any]) -> Any:
        """Return a document that a descriptor names."""
        return json.loads(self.blob(descriptor))

    def platforms(self) -> dict[str, tuple[Any, Any]]:
        """Return manifest and configuration by platform."""
        found = {}
        for entry in self.index["manifests"]:
            manifest = self.json(entry)
            found["/".join(entry["platform"].values())] = (manifest, self.json(manifest["config"]))
        return found


def layered(folder: Path, *, docker: bool = False) -> Written:
    """Write the stand-in for upstream's image with one more layer."""
    base, image = packaging.base(folder, docker=docker)
    made = oci.layered(Layout(base), image.digest, LAYER, LABELS, "2026-05-13T18:32:02Z", "hardener")
    assert (
        oci.write(made, "stable-1-hardened.1", EPOCH, folder / "web.tar") == Written(folder / "web.tar").top["digest"]
    )
    return Written(folder / "web.tar")


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_each_platform_keeps_its_layers_and_gets_ours_on_top(tmp_path: Path, docker: bool) -> None:
    written = layered(tmp_path, docker=docker)
    platforms = written.platforms()
    assert set(platforms) == {"amd64/linux", "arm64/linux/v8"}  # and no attestation
    for manifest, config in platforms.values():
        layers = [gzip.decompress(written.blob(layer)) for layer in manifest["layers"]]
        diffs = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in layers]
        assert config["rootfs"]["diff_ids"] == diffs
        assert (len(layers), diffs[-1]) == (3, LAYER.diff)
        assert len({layer["mediaType"] for layer in manifest["layers"]}) == 1
        assert ("docker" in manifest["mediaType"], "annotations" in manifest) == (docker, not docker)
    assert len({manifest["layers"][-1]["digest"] for manifest, _ in platforms.values()}) == 1


def test_the_settings_of_upstreams_image_stay(tmp_path: Path) -> None:
    for manifest, config in layered(tmp_path).platforms().values():
        assert config["config"]["Entrypoint"] == ["/init"]
        assert config["config"]["Labels"] == {"org.opencontainers.image.title": "Jitsi Meet", **LABELS}
        assert [entry["created_by"] for entry in config["history"]] == ["upstream", "hardener"]
        assert (config["created"], manifest["annotations"]) == ("2026-05-13T18:32:02Z", LABELS)


def test_a_single_image_counts_as_an_index(tmp_path: Path) -> None:
    base, image = packaging.base(tmp_path)
    (first, *_) = Layout(base).platforms(image.digest)
    (found,) = Layout(base).platforms(first["digest"])
    assert found == first | {"platform": {"architecture": "amd64", "os": "linux"}}


def test_an_image_from_scratch_has_one_layer_for_each_platform(tmp_path: Path) -> None:
    platforms = [{"architecture": name, "os": "linux"} for name in ("amd64", "arm64")]
    image = oci.from_scratch(LAYER, platforms, LABELS, "2026-05-13T18:32:02Z", "hardener")
    oci.write(image, "tag", EPOCH, tmp_path / "site.tar")
    written = Written(tmp_path / "site.tar")
    assert written.top["annotations"] == {"org.opencontainers.image.ref.name": "tag"}
    assert {
        name: (config["rootfs"]["diff_ids"], [written.blob(layer) for layer in manifest["layers"]])
        for name, (manifest, config) in written.platforms().items()
    } == {f"{name}/linux": ([LAYER.diff], [LAYER.content]) for name in ("amd64", "arm64")}


def test_a_file_of_an_image_is_that_of_the_last_layer(tmp_path: Path) -> None:
    base, image = packaging.base(tmp_path)
    layout = Layout(base)
    manifest = layout.json(layout.platforms(image.digest)[0]["digest"])
    assert layout.files(manifest, ["defaults/meet.conf", "missing"]) == {
        "defaults/meet.conf": packaging.TEMPLATES["defaults/meet.conf"]
    }


@pytest.mark.parametrize("kind", ["changed", "missing", "no layout", "no platforms", "not JSON"])
def test_a_base_that_is_not_whole_is_an_error_with_a_hint(tmp_path: Path, kind: str) -> None:
    base, image = packaging.base(tmp_path)
    digest, blobs = image.digest, base / "blobs" / "sha256"
    layer = Layout(base).json(Layout(base).platforms(digest)[1]["digest"])["layers"][1]["digest"].partition(":")[2]
    if kind == "changed":
        content = bytearray((blobs / layer).read_bytes())
        content[50] ^= 1
        (blobs / layer).write_bytes(content)
    elif kind == "missing":
        (blobs / layer).unlink()
    elif kind == "no layout":
        (base / "oci-layout").unlink()
    else:
        content = b'{"manifests": []}' if kind == "no platforms" else b"[1]"
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        (blobs / digest.partition(":")[2]).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        oci.layered(Layout(base), digest, LAYER, LABELS, "", "")
    assert caught.value.hint


def test_all_that_operators_install_has_the_same_bytes_on_each_machine(tmp_path: Path) -> None:
    made = []
    for umask, zone, seed in ((0o022, "UTC", "0"), (0o077, "Asia/Kolkata", "7")):
        folder = tmp_path / seed
        folder.mkdir()
        env = os.environ | {"TZ": zone, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'build'}:{ROOT / 'tests'}"}
        argv = [sys.executable, "-m", "support.packaging", str(folder)]
        done = subprocess.run(argv, env=env, umask=umask, capture_output=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
        made.append(json.loads(done.stdout))
    assert made[0] == made[1]
    assert {name.rpartition("-")[2] for name in made[0]} == {
        "web.oci.tar", "site.oci.tar", "hardened_2.0.10978+1_all.deb", "apt.tar", "compose.override.yml"
    }  # fmt: skip


def test_another_content_has_another_digest(tmp_path: Path) -> None:
    """Control: digests are of contents, so the comparison above can fail."""
    platforms = [{"architecture": "amd64", "os": "linux"}]
    digests = {
        oci.write(oci.from_scratch(Layer.of(content), platforms, {}, "", ""), "tag", EPOCH, tmp_path / "x.tar")
        for content in (b"a", b"b")
    }
    assert len(digests) == 2
