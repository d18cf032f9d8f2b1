"""The statement of provenance: valid by the rules of in-toto and SLSA, the same for all builders, with all inputs."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.release import provenance
from hardener.system import disk, node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELEASED = {"a.tar.gz": "a" * 64, "b.json": "b" * 64}
COMMIT = "c" * 40
INPUTS = [
    {"name": "hardener", "digest": {"gitCommit": COMMIT}},
    {"name": "used@1.0", "uri": "pkg:npm/used@1.0", "digest": {"sha512": "d" * 128}},
]


def made(**more: Any) -> bytes:
    values = {"subjects": RELEASED, "parameters": {"label": "a"}, "toolchain": {"node": "24"}, "inputs": INPUTS}
    return provenance.statement(**(values | more))


def test_a_statement_is_valid_and_names_its_commit_and_parameters() -> None:
    document = json.loads(made())
    assert provenance.problems(document, RELEASED) == []
    assert provenance.commit_of(document) == COMMIT
    assert provenance.parameters_of(document) == {"label": "a"}
    assert document["predicate"]["runDetails"]["builder"]["id"] == provenance.BUILDER


def test_nothing_of_one_builder_is_in_it() -> None:
    text = made(subjects=dict(reversed(RELEASED.items())))
    assert text == made()
    for word in (b"metadata", b"startedOn", b"finishedOn", b"invocationId", b"byproducts"):
        assert word not in text


def set_at(*path: str | int, to: Any = None, drop: bool = False) -> Callable[[Any], None]:
    """Return a change of one field of a document."""

    def edit(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        if drop:
            del document[path[-1]]
        else:
            document[path[-1]] = to

    return edit


DEFINITION, DETAILS = ("predicate", "buildDefinition"), ("predicate", "runDetails")
FIRST = (*DEFINITION, "resolvedDependencies", 0)
WRONG: dict[str, Callable[[Any], None]] = {
    "another type of statement": set_at("_type", to="https://in-toto.io/Statement/v0.1"),
    "another predicate": set_at("predicateType", to="https://slsa.dev/provenance/v0.2"),
    "no type": set_at("_type", drop=True),
    "a field that the statement does not have": set_at("signature", to=""),
    "no subject": set_at("subject", to=[]),
    "a subject that is not a list": set_at("subject", to="a.tar.gz"),
    "a subject without a name": set_at("subject", 0, "name", drop=True),
    "a subject without a digest": set_at("subject", 0, "digest", drop=True),
    "a subject with an empty digest": set_at("subject", 0, "digest", to={}),
    "a digest with capital letters": set_at("subject", 0, "digest", to={"sha256": "A" * 64}),
    "a digest of another length": set_at("subject", 0, "digest", to={"sha256": "a" * 63}),
    "a digest that is a number": set_at("subject", 0, "digest", to={"sha256": 1}),
    "an unknown algorithm": set_at("subject", 0, "digest", to={"md5": "a" * 32}),
    "another file's digest": set_at("subject", 0, "digest", to={"sha256": "b" * 64}),
    "a subject that is not released": set_at("subject", 0, "name", to="c.tar.gz"),
    "a name twice": set_at("subject", 1, "name", to="a.tar.gz"),
    "no build type": set_at(*DEFINITION, "buildType", drop=True),
    "a build type that is not a URI": set_at(*DEFINITION, "buildType", to="make"),
    "an unknown build type": set_at(*DEFINITION, "buildType", to="https://example.org/build/v1"),
    "no external parameters": set_at(*DEFINITION, "externalParameters", drop=True),
    "external parameters that are a list": set_at(*DEFINITION, "externalParameters", to=[]),
    "an unknown external parameter": set_at(*DEFINITION, "externalParameters", "script", to="rm"),
    "an external parameter of another type": set_at(*DEFINITION, "externalParameters", "previous", to=["v1"]),
    "a field that a definition does not have": set_at(*DEFINITION, "materials", to=[]),
    "no inputs": set_at(*DEFINITION, "resolvedDependencies", to=[]),
    "an input without a digest": set_at(*FIRST, "digest", drop=True),
    "an input with a field of its own": set_at(*FIRST, "version", to="1"),
    "an input whose address is not a URI": set_at(*DEFINITION, "resolvedDependencies", 1, "uri", to="used"),
    "a first input that is not a commit": set_at(*FIRST, "digest", to={"sha256": "a" * 64}),
    "no builder": set_at(*DETAILS, "builder", drop=True),
    "a builder that is not a URI": set_at(*DETAILS, "builder", "id", to="me"),
    "an unknown builder": set_at(*DETAILS, "builder", "id", to="https://example.org/any-builder/v1"),
    "the time of a builder": set_at(*DETAILS, "metadata", to={"startedOn": "2026-12-01T00:00:00Z"}),
    "no predicate": set_at("predicate", to=None),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_field_is_found(fault: str) -> None:
    document = json.loads(made())
    before = copy.deepcopy(document)
    WRONG[fault](document)
    assert document != before
    assert provenance.problems(document, RELEASED)


@pytest.mark.parametrize("document", [None, [], "text", 1, {}])
def test_what_is_not_a_statement_at_all_is_found(document: Any) -> None:
    assert provenance.problems(document, RELEASED)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a project with both locks, and a component whose npm packages are in a store."""
    (tmp_path / "build/node").mkdir(parents=True)
    (tmp_path / "uv.lock").write_text("python")
    tools = {"packages": {"": {}, "node_modules/tool": {"version": "3.0.0", "integrity": "sha1-qUAlKQ=="}}}
    disk.write_json(tmp_path / "build/node/package-lock.json", tools)
    packages = {
        "": {"name": "app"},
        "node_modules/@scope/used": {"version": "1.0.0+x", "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
        "node_modules/a/node_modules/@scope/used": {"version": "2.0.0", "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
        "node_modules/other-processor": {"version": "1.0.0", "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "optional": True},
        "node_modules/linked": {"link": True, "resolved": "lib"},
    }  # fmt: skip
    (tmp_path / "store/stored").mkdir(parents=True)
    disk.write_json(tmp_path / "store/stored/package-lock.json", {"packages": packages})
    monkeypatch.setattr(node, "RECIPES", tmp_path / "build/node")
    monkeypatch.setattr(node, "stored", lambda name: tmp_path / "store" / name / "node_modules")
    return SimpleNamespace(root=tmp_path)


def component(**more: Any) -> Any:
    """Return a built component; where its files came from is of one builder."""
    described = {"name": "app", "repository": "https://git.example/app.git", "commit": "1" * 40, "release": "v1"}
    return SimpleNamespace(
        component=SimpleNamespace(**described),
        source=SimpleNamespace(last=SimpleNamespace(laid=SimpleNamespace(tree="2" * 40))),
        installed=SimpleNamespace(store="stored"),
        **more,
    )


def test_the_inputs_are_commits_locks_and_every_npm_package_for_any_processor(project: Any) -> None:
    found = {entry["name"]: entry for entry in provenance.inputs(project, [component()], COMMIT, changed=False)}
    names = ["hardener", "uv.lock", "build/node/package-lock.json", "app"]
    packages = ["@scope/used@1.0.0+x", "@scope/used@2.0.0", "other-processor@1.0.0", "tool@3.0.0"]
    assert list(found) == [*names, *packages]
    assert found["hardener"] == {"name": "hardener", "digest": {"gitCommit": COMMIT}}
    assert found["app"]["uri"] == f"git+https://git.example/app.git@{'1' * 40}"
    assert found["@scope/used@1.0.0+x"]["uri"] == "pkg:npm/%40scope/used@1.0.0%2Bx"
    assert found["tool@3.0.0"]["digest"] == {"sha1": "a9402529"}


def test_a_work_tree_with_changes_and_another_lock_give_other_inputs(project: Any) -> None:
    first = provenance.inputs(project, [component()], COMMIT, changed=False)
    assert first == provenance.inputs(project, [component(fetched="from a mirror")], COMMIT, changed=False)
    assert first != provenance.inputs(project, [component()], COMMIT, changed=True)
    (project.root / "uv.lock").write_text("another")
    assert first != provenance.inputs(project, [component()], COMMIT, changed=False)
