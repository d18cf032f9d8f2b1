"""The inputs of the released files, and the list of those who make them from a build.

Each maker writes files into a folder. It may read what earlier groups wrote, and gives the same bytes for all builders:
no clock, no path of this machine, no random number.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import StackError
from hardener.release import apt, debian, images, notes, provenance, vex
from hardener.release.provenance import PYTHON_LOCK
from hardener.release.sbom import sbom
from hardener.system import disk, stamps, sums
from hardener.system.process import run
from hardener.system.sums import LOG, MANIFEST, SUMS, UNRELEASED
from hardener.system.workers import Beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.config import Project
    from hardener.pipeline.results import Result
    from hardener.release.packages import Package


@dataclass(frozen=True)
class Draft:
    """A build that is to become a release.

    ``commit`` is the project's (empty without git), ``changed`` whether the work tree differs from it. ``previous`` is
    the commit of the release before, empty for the first one. With ``unreleased``, all files are marked as those of a
    dry run. ``base`` is the OCI layout with upstream's image, which not all builders have.
    """

    project: Project
    result: Result
    packages: tuple[Package, ...]
    commit: str
    changed: bool
    previous: str
    unreleased: bool
    base: Path | None = None

    @property
    def label(self) -> str:
        """Return the first part of the names of files."""
        return self.project.label + (f"-{UNRELEASED}" if self.unreleased else "")

    @property
    def bill(self) -> str:
        """Return the name of the bill of materials."""
        return f"{self.label}.cdx.json"

    def name(self, path: Path) -> str:
        """Return the name that a file of the build has in the release."""
        name = path.name
        return self.label + name.removeprefix(self.project.label) if name.startswith(self.project.label) else name


def _archives(draft: Draft, folder: Path) -> None:
    packaged = draft.result.packaged
    for archive in (packaged.site, packaged.maps):
        shutil.copyfile(archive.path, folder / draft.name(archive.path))


def _manifest(draft: Draft, folder: Path) -> None:
    packaged = draft.result.packaged
    names = {archive.path.name: draft.name(archive.path) for archive in (packaged.site, packaged.maps)}
    archives = [record | {"file": names[record["file"]]} for record in draft.result.manifest["archives"]]
    disk.write_json(folder / MANIFEST, draft.result.manifest | {"label": draft.label, "archives": archives})


def _sbom(draft: Draft, folder: Path) -> None:
    archive = draft.result.packaged.site
    released = replace(archive, path=folder / draft.name(archive.path))
    content = sbom(draft.project, draft.result.components, draft.packages, released, draft.result.mtime)
    disk.write(folder / draft.bill, content)


def _vex(draft: Draft, folder: Path) -> None:
    """Write what is said about vulnerabilities, where there is something to say."""
    content = vex.document(draft.project.root / vex.NAME, (folder / draft.bill).read_bytes())
    if content:
        disk.write(folder / f"{draft.label}{vex.SUFFIX}", content)


def _debian(draft: Draft, folder: Path) -> None:
    """Write the packages and the repository; without upstream's versions there are none, which a gate reports."""
    if draft.project.debian:
        documents = {"sbom.cdx.json": (folder / draft.bill).read_bytes()}
        made = debian.packages(draft.project, draft.result.site.path, draft.result.mtime, documents)
        repository = apt.archive(apt.repository(made, draft.result.mtime), draft.result.mtime)
        disk.write_all({folder / name: content for name, content in (*made, (f"{draft.label}-apt.tar", repository))})


def _images(draft: Draft, folder: Path) -> None:
    for _, path in images.images(draft.project, draft.result.site.path, draft.result.mtime, draft.base, folder):
        path.rename(folder / draft.name(path))


def _wheel(draft: Draft, folder: Path) -> None:
    """Write hardener's own wheel, for check-server, and the hashes of what it needs; a project of others has none."""
    root = draft.project.root
    if not (root / PYTHON_LOCK).is_file():
        return
    words = ("export", "--locked", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "--project", root)
    disk.write(folder / "requirements.txt", _uv(*words))
    with tempfile.TemporaryDirectory(prefix="hardener-wheel-") as out:
        _uv("build", "--wheel", "--out-dir", out, root)
        for wheel in Path(out).glob("*.whl"):
            shutil.copyfile(wheel, folder / wheel.name)


def _uv(*words: str | Path) -> bytes:
    program = Path(sys.executable).with_name("uv")
    done = run([program if program.exists() else "uv", "--quiet", *words])
    if done.status:
        raise StackError(
            f"uv {words[0]} failed: {(done.complaint.splitlines() or [''])[-1]}",
            hint="it needs hatchling from PyPI once: check the network or proxy",
        )
    return done.stdout


def _notes(draft: Draft, folder: Path) -> None:
    text = notes.notes(draft.project, draft.label, draft.commit, draft.previous, unreleased=draft.unreleased)
    disk.write(folder / notes.NAME, text.encode())


def _marker(draft: Draft, folder: Path) -> None:
    if draft.unreleased:
        text = "These files are of a dry run (hardener release --dry-run), not a release: do not install them.\n"
        disk.write(folder / UNRELEASED, text.encode())


def _provenance(draft: Draft, folder: Path) -> None:
    made = provenance.inputs(draft.project, draft.result.components, draft.commit, changed=draft.changed)
    parameters = {
        "label": draft.label,
        "previous": draft.previous,
        "dryRun": draft.unreleased,
        "base": draft.project.image.digest if draft.base and draft.project.image else "",
    }
    toolchain = draft.result.manifest["toolchain"]
    content = provenance.statement(listed(folder), parameters, toolchain, made)
    disk.write(folder / f"{draft.label}{provenance.SUFFIX}", content)


# In this order; those of one group work beside each other, because they compress for seconds. The statement of
# provenance comes last: it is about all other files.
MAKERS: tuple[tuple[Callable[[Draft, Path], None], ...], ...] = (
    (_archives,),
    (_manifest,),
    (_sbom,),
    (_vex,),
    (_debian, _images, _wheel),
    (_notes,),
    (_marker,),
    (_provenance,),
)


def make(draft: Draft, folder: Path) -> None:
    """Write all released files and their sums into an empty folder, and the log of the build beside them."""
    for group in MAKERS:
        with Beside(len(group)) as beside:
            for future in [beside.submit(maker, draft, folder) for maker in group]:
                future.result()
    disk.write(folder / SUMS, sums.lines(listed(folder)))
    disk.write_json(folder / LOG, draft.result.log)
    for path in folder.iterdir():
        path.chmod(0o644)  # whatever the umask is: these files are for publication


def listed(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder."""
    return {path.name: stamps.file_digest(path) for path in folder.iterdir() if path.is_file()}
