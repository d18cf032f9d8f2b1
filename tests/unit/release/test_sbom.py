"""The bill of materials."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from hardener.pipeline.package import Archive
from hardener.release.packages import Package
from hardener.release.sbom import VERSIONS, sbom

if TYPE_CHECKING:
    from .conftest import Miniature

EPOCH = 1778697122
PACKAGES = (
    Package(
        "@scope/used",
        "1.0.0",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "https://registry.example/used-1.0.0.tgz",
        "MIT",
        "A Person",
        "https://git.example/used",
        texts=(("LICENSE", "text"),),
        bundles=("app/main",),
    ),
    Package(
        "old",
        "0.1.0",
        "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        "",
        "SEE LICENSE IN COPYING",
        "",
        "https://old.example",
        files=("old.wasm",),
        patched=True,
    ),
    Package("unknown", "2.0.0", "", "", "", "", bundles=("lib/main",)),
)


@pytest.fixture
def make(miniature: Miniature) -> Any:
    """Return a function that makes a bill of materials of two components."""
    archive = miniature.folder / "app-1.0+1.tar.gz"
    archive.write_bytes(b"archive")
    made = Archive(archive, hashlib.sha256(b"archive").hexdigest(), 7, "")
    components = [
        miniature.component(
            "lib",
            {},
            package="our-lib",
            repository="https://git.example/lib.git",
            sizes={"lib.min.js": 9, "worker.js": 3, "lib.min.js.map": 99},
        ),
        miniature.component("app", {}, patches=("first",), security=("hole",)),
    ]
    (miniature.folder / "lib/dist").mkdir()
    (miniature.folder / "lib/dist/lib.min.js").write_bytes(b"the bundle")
    debian = SimpleNamespace(maintainer="A Person <person@example.org>")
    project = SimpleNamespace(name="app-hardened", revision=1, site=components[-1].component, debian=debian)
    return lambda packages=PACKAGES, version="1.6": sbom(project, components, packages, made, EPOCH, version)  # type: ignore[arg-type]


def by_ref(document: bytes) -> dict[str, Any]:
    """Return the components of a document by their references."""
    return {component["bom-ref"]: component for component in json.loads(document)["components"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_strictly_valid(make: Any, version: str) -> None:
    document = make(version=version)
    assert json.loads(document)["specVersion"] == version
    assert JsonStrictValidator(VERSIONS[version]).validate_str(document.decode()) is None


def test_the_strict_validator_refuses_what_is_not_in_the_schema(make: Any) -> None:
    document = json.loads(make()) | {"invented": True}
    assert JsonStrictValidator(VERSIONS["1.6"]).validate_str(json.dumps(document)) is not None


def test_the_same_packages_in_another_order_give_the_same_bytes(make: Any) -> None:
    assert make() == make(tuple(reversed(PACKAGES)))


def test_another_package_gives_other_bytes(make: Any) -> None:
    assert make() != make((replace(PACKAGES[0], version="1.0.1"), *PACKAGES[1:]))


def test_time_and_serial_number_are_those_of_the_archive(make: Any) -> None:
    document = json.loads(make())
    assert document["metadata"]["timestamp"] == "2026-05-13T18:32:02+00:00"
    assert document["serialNumber"] == json.loads(make(()))["serialNumber"]


def test_a_patched_component_has_upstreams_commit_and_each_patch(make: Any) -> None:
    app = by_ref(make())["app"]
    assert app["purl"] == f"pkg:github/upstream/app@{'1' * 40}"
    (ancestor,) = app["pedigree"]["ancestors"]
    assert ancestor["purl"] == app["purl"]
    assert [patch["diff"]["url"] for patch in app["pedigree"]["patches"]] == [
        "patches/app/first.patch",
        "patches/app/hole.patch",
    ]
    assert "1 of upstream removed" in app["pedigree"]["notes"]


def test_the_text_of_a_patch_for_a_hole_of_upstream_is_held_back(make: Any) -> None:
    first, hole = by_ref(make())["app"]["pedigree"]["patches"]
    assert "+first" in first["diff"]["text"]["content"]
    assert "text" not in hole["diff"]
    assert b"+hole" not in make()


def test_a_component_from_elsewhere_has_a_generic_package_url(make: Any) -> None:
    purl = by_ref(make())["lib"]["purl"]
    assert purl == f"pkg:generic/lib@v1.0?vcs_url=git%2Bhttps://git.example/lib%40{'1' * 40}"


def test_a_package_has_purl_hash_licence_and_licence_text(make: Any) -> None:
    used = by_ref(make())["@scope/used@1.0.0"]
    assert used["purl"] == "pkg:npm/%40scope/used@1.0.0"
    assert used["hashes"] == [{"alg": "SHA-512", "content": hashlib.sha512(b"").hexdigest()}]
    assert used["licenses"] == [{"license": {"acknowledgement": "declared", "id": "MIT"}}]
    assert used["evidence"]["licenses"] == [
        {"license": {"name": "LICENSE", "text": {"content": "text", "contentType": "text/plain"}}}
    ]


def test_each_component_has_the_fields_of_bsi_tr_03183_2(make: Any) -> None:
    """An address of the creator, the name and the hash of the delivered file, and its kind; version 2.1, 5.2.2."""
    document = json.loads(make(PACKAGES[:2]))
    components = [document["metadata"]["component"], *document["components"]]
    for component in [document["metadata"], *components]:
        creator = component["manufacturer"]
        assert creator.get("url") or creator["contact"][0]["email"] == "person@example.org"
    lib, used = by_ref(make())["lib"], by_ref(make())["@scope/used@1.0.0"]
    assert lib["hashes"] == [{"alg": "SHA-512", "content": hashlib.sha512(b"the bundle").hexdigest()}]
    kinds = {
        component["bom-ref"]: {entry["name"].rpartition(":")[2]: entry["value"] for entry in component["properties"]}
        for component in (document["metadata"]["component"], lib, used, by_ref(make())["app"])
    }
    archive = {"executable": "non-executable", "archive": "archive", "structured": "structured"}
    script = {"executable": "executable", "archive": "no archive", "structured": "unstructured"}
    assert kinds == {
        "app-hardened": archive | {"filename": "app-1.0+1.tar.gz"},
        "app": archive | {"filename": "app-1.0+1.tar.gz"},
        "lib": script | {"filename": "lib.min.js"},
        "@scope/used@1.0.0": archive | {"filename": "used-1.0.0.tgz", "bundle": "app/main"},
    }
    assert {entry["url"] for entry in used["externalReferences"]} == {
        "https://git.example/used",
        "https://registry.example/used-1.0.0.tgz",
    }


def test_a_licence_that_spdx_does_not_know_is_named_as_it_is(make: Any) -> None:
    assert by_ref(make())["old@0.1.0"]["licenses"][0]["license"]["name"] == "SEE LICENSE IN COPYING"


def test_a_component_depends_on_the_packages_in_its_bundles(make: Any) -> None:
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in json.loads(make())["dependencies"]}
    assert depends["app-hardened"] == ["app", "lib"]
    assert depends["app"] == ["@scope/used@1.0.0", "old@0.1.0"]
    assert depends["lib"] == ["unknown@2.0.0"]


def test_what_a_package_contains_is_said_to_be_unknown(make: Any) -> None:
    incomplete = [entry for entry in json.loads(make())["compositions"] if entry["aggregate"] == "incomplete"]
    assert [entry["assemblies"] for entry in incomplete] == [["@scope/used@1.0.0", "old@0.1.0", "unknown@2.0.0"]]
