"""The row 'scan': every host in the built site, against ripgrep, which searches the same files for plain addresses."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from report import Row, Side

if TYPE_CHECKING:
    from workplace import Workplace

PATTERN = r"(?i)(?:https?|wss?):(?:\\?/){2}[\w.-]+"


def scan(place: Workplace) -> Row:
    """Scan the hardened site and search it with ripgrep, in turns."""
    site = place.project.root / ".work/hardened/site"
    ripgrep = shutil.which("rg")
    theirs = Side("ripgrep", missing="" if ripgrep else "rg is not installed (package ripgrep)")
    ours = Side("hardener scan")
    for turn in range(place.repeat):
        place.tell(f"scan: {turn + 1} of {place.repeat}")
        if ripgrep:
            argv = [ripgrep, "--no-config", "-uuu", "--text", "--count-matches", PATTERN, site]
            theirs.samples.append(place.run(argv))
        ours.samples.append(place.harden("scan", site, "--project", place.project.root))
    notes = ("ripgrep shows what is spelled plainly; hardener parses each file and compares counts with hosts.toml",)
    return Row("scan of the built site", [theirs], ours, notes)
