"""build/node/once.cjs: a compiler of style sheets runs once for the same input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.system import node
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

COMPILER = """
const fs = require('node:fs');
const [ source, target ] = process.argv.slice(2);

fs.appendFileSync('runs.txt', 'x');
source === 'wrong.scss' && process.exit(3);
fs.writeFileSync(target, fs.readFileSync(source, 'utf8').toUpperCase());
fs.writeFileSync(`${target}.map`, 'map');
console.log('größe');
"""
WRITTEN = {"all.css", "all.css.map"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_files(tmp_path / "tree", {"compiler.cjs": COMPILER, "main.scss": "a", "wrong.scss": "b"})


def compiled(tree: Path, *, key: str = "key", source: str = "main.scss") -> tuple[int, str, str]:
    """Return the exit status, what is printed and what is in the style sheet; the compiler's files are gone before."""
    for name in WRITTEN:
        (tree / name).unlink(missing_ok=True)
    words = (node.RECIPES / "once.cjs", tree.parent / "kept", key, "compiler.cjs", source, "all.css")
    done = node.node(*words, cwd=tree)
    written = {name: (tree / name).read_text() for name in WRITTEN if (tree / name).exists()}
    assert set(written) in (WRITTEN, set())
    return done.status, done.text, written.get("all.css", "")


def runs(tree: Path) -> int:
    return len((tree / "runs.txt").read_text())


def test_the_same_input_gives_the_same_files_and_output_without_the_compiler(tree: Path) -> None:
    assert compiled(tree) == compiled(tree) == (0, "größe", "A")
    assert runs(tree) == 1
    (tree / "main.scss").write_text("b")
    assert compiled(tree) == (0, "größe", "B")
    assert compiled(tree, key="another") == (0, "größe", "B")
    assert runs(tree) == 3


def test_a_failure_is_passed_on_and_not_kept(tree: Path) -> None:
    assert compiled(tree, source="wrong.scss") == compiled(tree, source="wrong.scss") == (3, "", "")
    assert runs(tree) == 2
