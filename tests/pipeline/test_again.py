"""The same command again, small edits, and two builds in two places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import MANIFEST, MAPS, SITE, STEPS, SUMS, Minimeet, Reference, listing

if TYPE_CHECKING:
    from pathlib import Path

BUILT = [step for step in STEPS if step not in ("fetch", "patch", "overlay")]
PATCH = "patches/minimeet/access-no-guest-door.patch"
OVERLAY = "overlays/minimeet/react/features/analytics/functions.js"
EDITS = {
    "patch": (PATCH, "+    h('p', {}, t('login.personal')),", "+    h('p', { lang: '' }, t('login.personal')),"),
    "overlay": (OVERLAY, "/* on purpose */", "globalThis.nobodyListens = true;"),
}


@pytest.fixture(scope="module")
def built(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> tuple[Minimeet, dict[str, bytes]]:
    """Provide a built project and what was in its dist/ then."""
    minimeet = Minimeet(tmp_path_factory.mktemp("built"), reference.minimeet.cache.parent)
    assert minimeet.build().sums == reference.run.sums
    return minimeet, {path.name: path.read_bytes() for path in minimeet.dist.iterdir()}


@pytest.fixture
def finished(built: tuple[Minimeet, dict[str, bytes]]) -> Minimeet:
    """Provide a built project whose dist/ is whole, for tests that damage it."""
    minimeet, files = built
    for name, content in files.items():
        (minimeet.dist / name).write_bytes(content)
    return minimeet


def identity(path: Path) -> tuple[int, int]:
    """Return what changes when a file or folder is made again or its list of entries changes."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def stores(minimeet: Minimeet) -> dict[str, tuple[int, int]]:
    """Return every node_modules in the user's cache."""
    return {path.parent.name: identity(path) for path in (minimeet.cache / "node_modules").glob("*/node_modules")}


def test_second_build_has_nothing_to_do(minimeet: Minimeet) -> None:
    """All steps say so, --json says so, and no file of dist/ was written again."""
    first = minimeet.build()
    assert (first.code, first.answer["fresh"]) == (0, True), first.stderr
    before = {path.name: identity(path) for path in minimeet.dist.iterdir()}
    second = minimeet.build()
    assert second.code == 0
    assert second.rebuilt() == []
    assert second.answer["fresh"] is False
    assert second.sums == first.sums
    assert {path.name: identity(path) for path in minimeet.dist.iterdir()} == before
    assert first.rebuilt()[-len(BUILT) :] == BUILT, "the control: the first build did all of it"


@pytest.mark.parametrize("edit", EDITS)
def test_edit_is_built_with_what_is_there_and_gives_the_bytes_of_a_cold_build(
    minimeet: Minimeet, reference: Reference, tmp_path: Path, edit: str
) -> None:
    """Another archive, no npm package installed or linked again; undone, the first archive comes back."""
    assert minimeet.build().sums == reference.run.sums
    installed, linked = stores(minimeet), (minimeet.tree / "node_modules").stat().st_ino
    assert installed
    name, old, new = EDITS[edit]
    minimeet.edit(name, old, new)
    edited = minimeet.build()
    assert edited.code == 0, edited.stderr
    assert edited.answer["fresh"] is True
    assert edited.sums[SITE] != reference.run.sums[SITE]
    assert stores(minimeet) == installed
    assert (minimeet.tree / "node_modules").stat().st_ino == linked
    cold = Minimeet(tmp_path / "cold", minimeet.cache.parent)
    cold.edit(name, old, new)
    assert cold.build().sums == edited.sums
    minimeet.edit(name, new, old)
    assert minimeet.build().sums == reference.run.sums
    assert listing(minimeet.dist)[SUMS] == reference.files[SUMS]


def test_a_type_error_that_an_edit_causes_in_another_file_is_found(minimeet: Minimeet) -> None:
    """The checker looks again only at what changed and what that reaches."""
    entries = "".join(
        f'\n[[file]]\npath = "react/features/{name}.ts"\naction = "add"\nreason = "of a test"\n' for name in "ab"
    )
    listed = (minimeet.root / "overlays/minimeet/overlays.toml").read_text("utf-8")
    minimeet.write("overlays/minimeet/overlays.toml", listed + entries)
    minimeet.write("overlays/minimeet/react/features/a.ts", "export const size = 1;\n")
    minimeet.write("overlays/minimeet/react/features/b.ts", "import { size } from './a';\n\nsize.toFixed();\n")
    assert minimeet.build().code == 0
    minimeet.edit("overlays/minimeet/react/features/a.ts", "= 1", "= ''")
    broken = minimeet.build()
    assert (broken.code, "react/features/b.ts: TS2551" in str(broken.answer["details"])) == (6, True), broken.stderr


@pytest.mark.slow
def test_two_builds_in_two_places_are_byte_identical(tmp_path: Path, apart: Minimeet, reference: Reference) -> None:
    """Other folder, user settings, locale, time zone and umask, no mirror and no work area: the same bytes."""
    (tmp_path / "a much longer path, with blanks").mkdir()
    (tmp_path / "home").mkdir()
    # core.autocrlf and friends change bytes wherever git's own configuration is read.
    (tmp_path / "home" / ".gitconfig").write_text(
        "[core]\n\tautocrlf = true\n\tabbrev = 4\n[apply]\n\twhitespace = fix\n", "utf-8"
    )
    other = Minimeet(tmp_path / "a much longer path, with blanks", apart.cache.parent)
    env = {
        "HOME": str(tmp_path / "home"),
        "TZ": "Pacific/Apia",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "86400",
        "PYTHONHASHSEED": "7",
    }
    first = apart.build()
    second = other.build(env=env, driver="import os; os.umask(0o077)")
    assert (first.code, second.code) == (0, 0), second.stderr
    assert "in the cache" not in first.line("fetch")
    assert first.sums == second.sums == reference.run.sums
    for name in (SITE, MAPS, SUMS, MANIFEST):
        assert (apart.dist / name).read_bytes() == (other.dist / name).read_bytes()


def test_another_reason_in_hosts_toml_only_scans_again(minimeet: Minimeet, reference: Reference) -> None:
    """The bundle is compared with the new list; nothing is built, dist/ is left alone."""
    minimeet.build()
    before = {path.name: identity(path) for path in minimeet.dist.iterdir()}
    minimeet.edit("hosts.toml", "SVG, XHTML and XML namespaces", "names of languages, not addresses")
    again = minimeet.build()
    assert (again.code, again.rebuilt()) == (0, ["scan"]), again.stderr
    assert again.answer["fresh"] is False
    assert {path.name: identity(path) for path in minimeet.dist.iterdir()} == before


@pytest.mark.parametrize("damage", ["deleted", "shorter", "other"])
@pytest.mark.parametrize("name", [SITE, MAPS])
def test_damaged_archive_is_made_again(finished: Minimeet, reference: Reference, name: str, damage: str) -> None:
    """Whatever happens to an archive in dist/, the same command brings the same bytes back."""
    path = finished.dist / name
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes({"shorter": content[:-1], "other": content[:-1] + b"!"}[damage])
    again = finished.build()
    assert (again.code, again.rebuilt()) == (0, ["package"]), again.stderr
    assert again.answer["fresh"] is True
    assert path.read_bytes() == content
    assert again.sums == reference.run.sums


@pytest.mark.parametrize("name", [MANIFEST, SUMS])
@pytest.mark.parametrize("damage", ["deleted", "shortened"])
def test_damaged_record_comes_back(finished: Minimeet, name: str, damage: str) -> None:
    """A build manifest or list of sums that is gone or cut off is written again, as it was."""
    path = finished.dist / name
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2])
    again = finished.build()
    assert again.code == 0, again.stderr
    assert path.read_bytes() == content


def test_unpatched_build_leaves_the_hardened_one_alone(minimeet: Minimeet) -> None:
    """Variants have work areas and folders of their own: neither disturbs the other."""
    minimeet.build()
    before = listing(minimeet.dist)
    plain = minimeet.build("--unpatched")
    assert plain.code == 0, plain.stderr
    assert {
        name: sha256 for name, sha256 in listing(minimeet.dist).items() if not name.startswith("unpatched/")
    } == before
    assert minimeet.build().rebuilt() == []
    assert minimeet.build("--unpatched").answer["fresh"] is False


def test_clean_removes_the_work_area_and_nothing_else(minimeet: Minimeet) -> None:
    """dist/ and the cache stay, and the next build makes the same archives."""
    first = minimeet.build()
    before, installed = listing(minimeet.dist), stores(minimeet)
    done = minimeet.run("clean")
    assert done.code == 0, done.stderr
    assert not (minimeet.root / ".work").exists()
    assert listing(minimeet.dist) == before
    assert stores(minimeet) == installed
    assert minimeet.build().sums == first.sums
    assert (minimeet.root / ".work").exists()
