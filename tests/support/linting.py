"""All checks of ``nox -s lint``, one after the other whatever the others say, and their record for a release."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hardener.pipeline import proofs

ROOT = Path(__file__).parents[2]
CHECKS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("lint-imports", "--no-cache"),
    ("python", "tests/support/wording.py"),
    ("zizmor", "--offline", "--quiet", ".github"),
)


def main(root: Path = ROOT, checks: tuple[tuple[str, ...], ...] = CHECKS) -> int:
    """Run the checks in the project's folder; returns 1 if one fails."""
    with proofs.proving(root, "lint") as findings:
        for program, *words in checks:
            # Programs of this environment, also where it is not activated.
            done = subprocess.run([Path(sys.executable).with_name(program), *words], cwd=root, check=False)
            if done.returncode:
                findings.failed.append(" ".join((program, *words)))
            else:
                findings.passed += 1
    for check in findings.failed:
        print(f"failed: {check}", file=sys.stderr)
    return 1 if findings.failed else 0


if __name__ == "__main__":
    sys.exit(main())
