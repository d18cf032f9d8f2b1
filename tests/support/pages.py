"""The commands of a page, so that a test runs what the page says."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]


def commands(block: str) -> list[str]:
    """Return the commands of a block, as a shell reads them: one may have several lines, and files in it.

    >>> commands("cat <<E\\n1\\nE\\n\\nls  # a\\n")
    ['cat <<E\\n1\\nE\\n', 'ls  # a\\n']
    """
    found, command = [], ""
    for line in block.splitlines(keepends=True):
        command += line
        parsed = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, check=False)
        if parsed.returncode == 0 and not parsed.stderr:
            found += [command] if command.strip() else []
            command = ""
    assert not command, f"not a whole command: {command}"
    return found


def chapter(page: str, name: str) -> dict[str, list[str]]:
    """Return the blocks of commands of a chapter of a page, by section."""
    blocks: dict[str, list[str]] = {}
    tokens = MarkdownIt().enable("table").parse((ROOT / page).read_text("utf-8"))
    inside, section = False, ""
    for token, following in itertools.pairwise(tokens):
        if token.type == "heading_open":
            section = following.content
            inside = inside if token.tag > "h2" else section == name
        elif inside and (token.type == "code_block" or (token.type == "fence" and token.info in {"", "sh"})):
            blocks.setdefault(section, []).append(token.content)
    return blocks
