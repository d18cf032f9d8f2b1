"""All log calls of the three components that could print an address or a secret are on a reviewed list.

The loggers' transports get texts without secrets (redact.ts); what writes to the console by itself does not pass them. A lift that
brings a new call turns this red: look at the call, then write the list again (python tests/unit/overlays/test_log_calls.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

ROOT = Path(__file__).parents[3]
LISTED = Path(__file__).with_name("log_calls.txt")
COMPONENTS = ("strophejs", "lib-jitsi-meet", "jitsi-meet")
JAVASCRIPT = Language(tree_sitter_javascript.language())
LANGUAGES = {
    ".js": JAVASCRIPT,
    ".ts": Language(tree_sitter_typescript.language_typescript()),
    ".tsx": Language(tree_sitter_typescript.language_tsx()),
}
LEVELS = {"trace", "debug", "info", "log", "warn", "error"}
# Names of what holds an address or a secret.
TELLS = re.compile(r"url|href|location|uri\b|jwt|token|passw|pwd|secret|credential|params|session_?id", re.IGNORECASE)
# Neither in the web client nor in its library.
ELSEWHERE = re.compile(
    r"(^|/)(node_modules|dist|build|libs|doc|docs|tests|types|ios|android|twa|resources|react-native-sdk|mobile|native)/"
    r"|\.native\.|\.spec\.|(^|/)(webpack|karma|rollup|babel|metro|eslint|test-setup|Gruntfile)[^/]*$|^(tools|lang|scripts)/|\.d\.ts$"
)


def calls(source: bytes, suffix: str) -> Iterator[str]:
    """Find calls of a logger that name what could be a secret, and all calls of the console, on one line each."""
    todo: list[Node] = [Parser(LANGUAGES[suffix]).parse(source).root_node]
    while todo:
        node = todo.pop()
        todo += node.children
        if node.type == "arguments":
            handed = [
                child.text.decode() for child in node.children if child.type == "member_expression" and child.text
            ]
            yield from (text for text in handed if re.fullmatch(rf"console\.(?:{'|'.join(LEVELS)})", text))
        if node.type != "call_expression":
            continue
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None or function.type != "member_expression":
            continue
        logger, level = (function.child_by_field_name(name) for name in ("object", "property"))
        name, said = (part.text.decode() if part and part.text else "" for part in (logger, arguments))
        if level is None or level.text is None or level.text.decode() not in LEVELS:
            continue
        if name == "console" or (re.search(r"log(ger)?$", name, re.IGNORECASE) and TELLS.search(said)):
            yield re.sub(r"\s+", " ", f"{name}.{level.text.decode()}{said}")


def found() -> list[str]:
    """List the calls of all components, each with its file."""
    lines = []
    for component in COMPONENTS:
        tree = ROOT / ".work" / "hardened" / component / "tree"
        if not tree.exists():
            pytest.skip(f"{tree} is not there: hardener build")
        for file in sorted(tree.rglob("*")):
            name = file.relative_to(tree).as_posix()
            if file.suffix in LANGUAGES and not ELSEWHERE.search(name) and file.is_file():
                lines += [f"{component} {name}: {call}" for call in calls(file.read_bytes(), file.suffix)]
    return sorted(set(lines))


@pytest.mark.upstream
def test_every_log_call_that_names_an_address_or_a_secret_is_reviewed() -> None:
    listed = [line for line in LISTED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    seen = found()

    assert len(seen) > 50, "the control: upstream has more"
    assert sorted(set(seen) - set(listed)) == [], "not reviewed"
    assert sorted(set(listed) - set(seen)) == [], "no longer there"


@pytest.mark.parametrize(
    ("source", "suffix", "expected"),
    [
        ("logger.info(`Reloading ${locationURL}`);", ".ts", ["logger.info(`Reloading ${locationURL}`)"]),
        ("this._logger.warn('x', {\n  jwt });", ".js", ["this._logger.warn('x', { jwt })"]),
        ("const a = <b c={() => console.log(d)} />;", ".tsx", ["console.log(d)"]),
        ("x().catch(console.error);", ".ts", ["console.error"]),
        ("logger.info('joined', id); window.console.clear(); other.error(url);", ".ts", []),
    ],
)
def test_calls(source: str, suffix: str, expected: list[str]) -> None:
    assert list(calls(source.encode(), suffix)) == expected


if __name__ == "__main__":
    head = [line for line in LISTED.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    LISTED.write_text("\n".join([*head, "", *found(), ""]), encoding="utf-8")
