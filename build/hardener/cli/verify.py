"""Subcommands for released files: sign, verify. Only a rebuild needs the packages that a build needs."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import HardenerError, ScanError, UsageError
from hardener.release import comparison, provenance, rebuild, signatures
from hardener.release.comparison import Same
from hardener.release.signatures import REBUILD, RELEASE, SIGNERS
from hardener.release.verify import BUILT_FROM, Check, compared, verify
from hardener.system import sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.ui import UI

OTHER_COMPRESSION = 11  # exit code: a rebuild has the same content, which another library compressed


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommands; ``source`` is the parser of the option that a rebuild shares with a build."""
    sub = subcommand("sign", _sign, "sign SHA256SUMS with an Ed25519 key of OpenSSH")
    sub.add_argument("key", type=Path, metavar="KEY", help="the private key")
    sub.add_argument("--dist", type=Path, metavar="DIR", help="folder with SHA256SUMS (default: dist/ of the project)")
    sub.add_argument("--signers", type=Path, metavar="FILE", help=f"permitted keys (default: {SIGNERS} of the project)")
    sub.add_argument(
        "--builder", default="", metavar="NAME", help="sign as one who built the same: SHA256SUMS.d/NAME.sig"
    )
    sub = subcommand(
        "verify", _verify, "check released files: signature, sums, who built the same, and a rebuild", source
    )
    sub.add_argument("path", type=Path, metavar="DIR|FILE", help="the folder, or one file in it")
    sub.add_argument("--signers", type=Path, metavar="FILE", help=f"the keys (default: {SIGNERS} of the project)")
    sub.add_argument(
        "--threshold", type=_count, default=0, metavar="N", help="how many builders must have signed the same sums"
    )
    sub.add_argument("--base", type=Path, metavar="LAYOUT", help="upstream's jitsi/web, if an image was built on it")
    sub.add_argument(
        "--no-rebuild", action="store_true", help="do not build the files again (this needs no checkout and no Node)"
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
    path = signatures.sign(folder, arguments.key, builder, _signers(arguments))
    ui.print(f"{path}: signed in the namespace {REBUILD if builder else RELEASE}")
    return {"file": os.fspath(path)}


def _signers(arguments: argparse.Namespace) -> Path:
    """Return the list of keys: the one that was named, or the project's."""
    if arguments.signers:
        return Path(arguments.signers)
    try:
        return project_of(arguments).root / SIGNERS
    except UsageError as error:
        hint = f"outside of a checkout, name the list of keys: --signers FILE ({SIGNERS} of the project)"
        raise UsageError(error.message, hint=hint) from error


def _verify(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    path: Path = arguments.path
    signers = _signers(arguments)
    if not path.exists():
        raise UsageError(f"there is no {path}", hint="name the folder with the released files, or one of the files")
    folder, only = (path, "") if path.is_dir() else (path.parent, path.name)
    checks = verify(folder, signers, threshold=arguments.threshold, only=only)
    _tell(checks, ui)
    code = 0 if all(check.passed for check in checks) else ScanError.exit_code
    if not arguments.no_rebuild:
        check, problem = _rebuild(arguments, folder, only, checks, ui)
        _tell([check], ui)
        checks.append(check)
        code = code or problem
    words = {0: "these are the released files", OTHER_COMPRESSION: f"a rebuild has the {Same.CONTENT}"}
    words[ScanError.exit_code] = "DO NOT USE these files"
    ui.print(words.get(code, "the files are those that were signed; they were not built again"))
    return {"passed": code == 0, "checks": [asdict(check) for check in checks], "exit": code}


def _rebuild(arguments: argparse.Namespace, folder: Path, only: str, checks: list[Check], ui: UI) -> tuple[Check, int]:
    """Build the files again and compare them; returns the check and its exit code."""
    failed = BUILT_FROM & {check.name for check in checks if not check.passed}
    statement = provenance.find(folder, sums.read(folder))
    if failed or statement.problems:
        why = f"{', '.join(sorted(failed))} failed" if failed else "no statement of provenance names the commit"
        return Check("rebuild", passed=False, found=f"not built again: {why}"), ScanError.exit_code
    try:
        project = project_of(arguments)
        with ui.step("rebuild", project.name) as line:
            line.tell("building")
            document, work = statement.document, project.work / "verify"
            base = arguments.base and arguments.base.absolute()
            rebuilt = rebuild.rebuild(project.root, document, sources_of(arguments, project), work, base)
            line.say(f"commit {provenance.commit_of(document)[:12]}")
    except HardenerError as error:
        details = (f"{error.hint}; or leave it out: --no-rebuild", *error.details)
        return Check("rebuild", passed=False, found=error.message, details=details), error.exit_code
    check, verdict, differing = compared(folder, rebuilt, only=only)
    for report in comparison.diffoscope(folder, rebuilt, differing, work):
        ui.note(f"diffoscope: {report}")
    code = {Same.BYTES: 0, Same.CONTENT: OTHER_COMPRESSION}.get(verdict, ScanError.exit_code)
    return check, code


def _tell(checks: list[Check], ui: UI) -> None:
    for check in checks:
        ui.print(
            f"{'ok    ' if check.passed else 'FAILED'}  {check.name:<10} {check.found}", "" if check.passed else "red"
        )
        for detail in check.details:
            ui.print(f"                    {detail}")
