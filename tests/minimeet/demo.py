"""``make demo``: all steps on minimeet, with only the npm registry and PyPI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from repository import create

from hardener.cli import main as cli

HERE = Path(__file__).parent
WORK = HERE.parent.parent / ".work" / "demo"


def main() -> int:
    """Make the upstream repository, copy the project beside it, build there; returns hardener's exit code."""
    # It names components of the real project, which minimeet does not have.
    os.environ.pop("HARDENER_UPSTREAM", None)
    shutil.rmtree(WORK / "upstream.git", ignore_errors=True)
    create(WORK / "upstream.git")
    project = WORK / "project"
    # What earlier demos built stays: the second run shows that nothing is left to do.
    for name in ("patches", "overlays"):
        shutil.rmtree(project / name, ignore_errors=True)
    shutil.copytree(HERE / "project", project, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".work", "dist"))
    source = f"minimeet={WORK / 'upstream.git'}"
    code = cli.main(["build", "--project", str(project), "--upstream", source, *sys.argv[1:]])
    if not code and not {"--quiet", "-q", "--json"} & set(sys.argv):
        print(f"look at it: .venv/bin/hardener serve --project {os.path.relpath(project)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
