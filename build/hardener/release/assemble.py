"""Make a release: build, write all files, check the gates, sign, and only then replace the folder of the one before."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.git.project import Checkout
from hardener.pipeline import build
from hardener.pipeline.deploy import refuse_rebuilt
from hardener.pipeline.results import Options
from hardener.release import draft, gates, images, provenance, signatures
from hardener.release.draft import Draft
from hardener.release.gates import Candidate, Verdict
from hardener.release.packages import bundled, packages
from hardener.release.signatures import RELEASE, SIGNERS
from hardener.system import disk, locks, stamps, sums
from hardener.system.sums import BUILDERS, LOG, SIGNATURE, SUMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.config import Project
    from hardener.ui import UI

_SHOWN = 5  # names or problems in one error


@dataclass(frozen=True)
class Wanted:
    """The options of a release.

    ``out`` is its folder (default: the project's ``dist/``), ``key`` the key that signs it. ``previous`` is the release
    before: a folder, a tag or a commit; empty for the newest tag. A ``dry_run`` marks its files as unreleased, and no
    gate stops it. A ``rebuild`` only writes files for a comparison: no gate is checked and nothing is signed.
    ``base`` is an OCI layout with upstream's image, for the image that is built on it.
    """

    out: Path | None = None
    key: Path | None = None
    previous: str = ""
    dry_run: bool = False
    rebuild: bool = False
    base: Path | None = None


@dataclass(frozen=True)
class Made:
    """The result. Unless it is ``published``, ``folder`` is as it was before.

    ``replaced`` names the release with other files that was in the folder; empty where there was none.
    """

    folder: Path
    published: bool
    verdicts: tuple[Verdict, ...]
    sums: Mapping[str, str]
    replaced: str = ""


class _RefusedError(Exception):
    """Ends the work on a folder that the gates refuse."""


def assemble(project: Project, sources: Mapping[str, str], wanted: Wanted, ui: UI) -> Made:
    """Make a release of the project.

    Raises UsageError for a folder, key or release before that cannot be used, StackError where the disk is full or a
    tool fails, and what a build raises; then the folder is as it was before.
    """
    out = wanted.out or project.dist
    _check(project, wanted, out)
    previous, before = _previous(project, wanted.previous)
    area = project.work / "release"
    with locks.lock(area / "lock", waiting=ui.waits):
        result = build.build(project, Options(sources=sources, dist=area / "built"), ui)
        checkout, components = Checkout(project.root), result.components
        commit = checkout.commit
        with ui.step("release", project.site.name) as line:
            line.tell("bill of materials")
            found = packages(components, result.site.path)
            changed = bool(checkout.changes())
            drafted = Draft(project, result, found, commit, changed, previous, wanted.dry_run, wanted.base)
            verdicts: list[Verdict] = []

            def fill(new: Path) -> None:
                draft.make(drafted, new)
                if not wanted.rebuild:
                    line.tell("gates")
                    candidate = Candidate(project, new, result.site.path, bundled(components), previous, before)
                    verdicts.extend(gates.judge(candidate))
                    if not wanted.dry_run and not all(verdict.passed for verdict in verdicts):
                        raise _RefusedError
                refuse_rebuilt(result.site)
                _sign(out, new, wanted.key)

            replaced = _release_in(out)
            try:
                out.parent.mkdir(parents=True, exist_ok=True)
                disk.replace_folder(out, fill, keep=partial(_is_variant, project, out), area=area)
            except _RefusedError:
                line.say("refused by gates")
                return Made(out, published=False, verdicts=tuple(verdicts), sums={})
            listed = sums.read(out)
            line.say(f"{len(listed)} files in {out.name}/")
    return Made(out, True, tuple(verdicts), listed, replaced if _release_in(out) != replaced else "")


def _check(project: Project, wanted: Wanted, out: Path) -> None:
    """Refuse what would fail only after the build: a folder of a person's files, or a key that cannot sign."""
    if wanted.dry_run and wanted.key:
        raise UsageError("a dry run is not signed", hint="leave out --dry-run, or: --sign none")
    if wanted.key:
        signatures.signature_of(b"", wanted.key, RELEASE, project.root / SIGNERS)
    if wanted.dry_run or wanted.rebuild:
        sums.refuse_signed(out)
    if wanted.base:
        images.base_of(project)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder", hint="name a folder: --out DIR")
    if out.exists() and out != project.dist:
        ours = {SUMS, SIGNATURE, BUILDERS, LOG} | (set(sums.read(out)) if (out / SUMS).exists() else set())
        if others := sorted(path.name for path in out.iterdir() if path.name not in ours):
            raise UsageError(
                f"{out} has files that are not of a release: {', '.join(others[:_SHOWN])}",
                hint="name a new or empty folder: --out DIR",
            )


def _previous(project: Project, name: str) -> tuple[str, Path | None]:
    """Return the commit of the release before, and the folder with its files if one was named."""
    checkout = Checkout(project.root)
    if not name:
        own = f"v{project.site.release}+{project.revision}"
        earlier = [tag for tag in checkout.tags("v*", "--merged", "HEAD") if tag != own] if checkout.commit else []
        return (checkout.resolve(f"refs/tags/{earlier[0]}"), None) if earlier else ("", None)
    folder = Path(name)
    if not folder.is_dir():
        if commit := checkout.resolve(name):
            return commit, None
        raise UsageError(f"--previous {name}: neither a folder nor a tag", hint="git fetch --tags, or name a folder")
    statement = provenance.find(folder, sums.read(folder))
    if statement.problems:
        raise UsageError(
            f"{folder} is not a release with its provenance",
            hint="name the folder of released files",
            details=statement.problems[:_SHOWN],
        )
    commit = provenance.commit_of(statement.document)
    if checkout.resolve(commit) != commit:
        raise UsageError(f"the release in {folder} is of commit {commit}, which is not here", hint="git fetch --tags")
    return commit, folder


def _release_in(folder: Path) -> str:
    """Return the label of the release in a folder, and the SHA-256 of its sums; empty where there is none."""
    label = next((path.name.removesuffix(provenance.SUFFIX) for path in folder.glob(f"*{provenance.SUFFIX}")), "")
    path = folder / SUMS
    return f"{label}, {SUMS} {stamps.file_digest(path)[:12]}" if label and path.is_file() else ""


def _sign(out: Path, new: Path, key: Path | None) -> None:
    """Sign the new files; without a key, signatures of the folder stay where they are over the same sums."""
    if key:
        signatures.sign(new, key)
    if (out / SUMS).is_file() and (out / SUMS).read_bytes() == (new / SUMS).read_bytes():
        if (out / SIGNATURE).is_file() and not key:
            shutil.copyfile(out / SIGNATURE, new / SIGNATURE)
        if (out / BUILDERS).is_dir():
            shutil.copytree(out / BUILDERS, new / BUILDERS)


def _is_variant(project: Project, out: Path, path: Path) -> bool:
    """Return whether a folder in ``dist/`` is of another variant, such as ``dist/unpatched/``."""
    return out == project.dist and path.is_dir() and not path.is_symlink() and path.name != BUILDERS
