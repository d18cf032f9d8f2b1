"""Subcommands for released files: sign, verify. They need none of the packages that a build needs."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of
from hardener.errors import ScanError, UsageError
from hardener.release import signatures
from hardener.release.signatures import REBUILD, RELEASE, SIGNERS
from hardener.release.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], _source: Any, _extra: Any) -> None:
    """Add the subcommands."""
    sub = subcommand("sign", _sign, "sign SHA256SUMS with an Ed25519 key of OpenSSH")
    sub.add_argument("key", type=Path, metavar="KEY", help="the private key")
    sub.add_argument("--dist", type=Path, metavar="DIR", help="folder with SHA256SUMS (default: dist/ of the project)")
    sub.add_argument(
        "--builder", default="", metavar="NAME", help="sign as one who built the same: SHA256SUMS.d/NAME.sig"
    )
    sub = subcommand("verify", _verify, "check released files: signature, sums, and who built the same")
    sub.add_argument("path", type=Path, metavar="DIR|FILE", help="the folder, or one file in it")
    sub.add_argument("--signers", type=Path, metavar="FILE", help=f"the keys (default: {SIGNERS} of the project)")
    sub.add_argument(
        "--threshold", type=_count, default=0, metavar="N", help="how many builders must have signed the same sums"
    )


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of builders")
    return int(text)


def _sign(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    builder = arguments.builder
    if builder and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", builder):
        raise UsageError(f"--builder {builder!r}: not a name", hint="use lower-case letters, digits and dashes")
    folder = arguments.dist or project_of(arguments).dist
    path = signatures.sign(folder, arguments.key, builder)
    ui.print(f"{path}: signed in the namespace {REBUILD if builder else RELEASE}")
    return {"file": os.fspath(path)}


def _verify(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    path: Path = arguments.path
    signers = arguments.signers or project_of(arguments).root / SIGNERS
    if not path.exists():
        raise UsageError(f"there is no {path}", hint="name the folder with the released files, or one of the files")
    folder, only = (path, "") if path.is_dir() else (path.parent, path.name)
    checks = verify(folder, signers, threshold=arguments.threshold, only=only)
    for check in checks:
        ui.print(
            f"{'ok    ' if check.passed else 'FAILED'}  {check.name:<10} {check.found}", "" if check.passed else "red"
        )
        for detail in check.details:
            ui.print(f"                    {detail}")
    passed = all(check.passed for check in checks)
    ui.print("these are the released files" if passed else "DO NOT USE these files")
    return {
        "passed": passed,
        "checks": [asdict(check) for check in checks],
        "exit": 0 if passed else ScanError.exit_code,
    }
