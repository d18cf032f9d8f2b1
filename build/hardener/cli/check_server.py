"""The subcommands for a server: ``check-server`` and ``nginx``."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener import snippets
from hardener.errors import ScanError
from hardener.servercheck import limited, sarif
from hardener.ui import write_out

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from hardener.servercheck.check import Finding
    from hardener.ui import UI


def register(subcommand: Callable[..., argparse.ArgumentParser], _source: Any, _extra: Any) -> None:
    """Add the subcommands to the command line."""
    parser = subcommand("check-server", _check_server, "check a server's configuration and list what it leaves open")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="DIR|ENV-FILE", help="/etc, .env, compose files, or copies"
    )
    parser.add_argument(
        "--vouch-for", action="append", default=[], metavar="MODULE",
        help="accept this Prosody module, which hardener does not know; review it first",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "sarif"), default="text",
        help="sarif: write the findings to standard output as SARIF 2.1.0, for code scanning",
    )  # fmt: skip
    parser = subcommand("nginx", _nginx, "write the nginx snippets, also for pages that embed meetings")
    parser.add_argument("folder", type=Path, help="folder for the snippets, such as /etc/nginx/hardener")
    parser.add_argument(
        "--embed", action="append", default=[], metavar="ORIGIN",
        help="pages of this origin may embed and control meetings: https://portal.example.org",
    )  # fmt: skip


def _nginx(words: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Write the snippets and say where."""
    names = snippets.write(words.folder, words.embed)
    ui.print(f"{len(names)} files in {words.folder}; embedding: {', '.join(words.embed) or 'own origin only'}")
    ui.print("limits/ is off until its files are copied: 'Limits' in build/nginx/README.md")
    return {"files": list(names), "embed": words.embed}


def _rows(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Yield the rows below one kind of finding: its meaning, then the places that share a remedy, and the remedy."""
    for meaning in dict.fromkeys(finding.means for finding in findings):
        yield "means", meaning
    for remedy, group in groupby(sorted(findings, key=lambda finding: finding.fix), key=lambda finding: finding.fix):
        for finding in group:
            yield "", f"{finding.where}: {finding.what}"
        yield "fix", remedy


def _check_server(words: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Check a server, print the findings and return them; the exit code is 7 after a critical finding."""
    result = limited.check(words.paths, words.vouch_for)
    for _, group in groupby(result.findings, key=lambda finding: (finding.severity, finding.id)):
        findings = tuple(group)
        ui.rated(findings[0].severity, findings[0].title, findings[0].id, _rows(findings))
    counts = ", ".join(f"{number} {kind}(s)" for kind, number in result.counts.items())
    ui.print(f"{len(result.files)} files read; {counts}")
    if result.vouched:
        ui.note(f"not checked, because of --vouch-for: {', '.join(f'mod_{name}' for name in result.vouched)}")
    if result.open:
        ui.print("critical findings: fix them first", "red")
    else:
        ui.print("no critical finding in the files that were read", "green")
    if words.format == "sarif":
        write_out(json.dumps(sarif.report(result), indent=2) + "\n")
    return result.as_dict() | {"exit": ScanError.exit_code if result.open else 0}
