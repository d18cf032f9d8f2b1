"""build/node/imports.mjs: a source file that has not changed is not compiled again to find its imports. Runs Node only on
our own files; a few lines are in esbuild's place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hardener.system import node
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

ESBUILD = """
const fs = require('node:fs'), path = require('node:path');

exports.build = async ({ absWorkingDir: root, entryPoints, plugins }) => {
    let resolve;
    const inputs = {};
    const visit = (request, importer, kind) => {
        const answer = resolve({ path: request, importer, resolveDir: importer ? path.dirname(importer) : root, kind });

        if (!answer.external && !inputs[path.relative(root, answer.path)]) {
            inputs[path.relative(root, answer.path)] = {};
            fs.appendFileSync(path.join(root, 'compiled.txt'), `${path.relative(root, answer.path)}\\n`);
            const text = fs.readFileSync(answer.path, 'utf8').replace(/^import type.*/gm, '');

            [ ...text.matchAll(/import '([^']+)'/g) ].forEach(([ , found ]) => visit(found, answer.path, 'import-statement'));
        }
    };

    plugins[0].setup({ onResolve: (_, callback) => { resolve = callback; } });
    entryPoints.forEach(entry => visit(entry.in, '', 'entry-point'));
    fs.existsSync(path.join(root, 'pattern')) && (inputs['found/by/pattern.js'] = {});

    return { metafile: { inputs } };
};
"""
SCAN = """
const [ imports, root, tools, cache ] = process.argv.slice(1);

import(imports).then(({ scanImports }) => scanImports({
    root, tools, cache: cache || undefined, entries: [ './a' ], resolve: { extensions: [ '.web.ts', '.ts' ] }, types: true
})).then(({ packages, files, unresolved }) => console.log(JSON.stringify([ [ ...packages ].sort(), files.sort(), unresolved ])));
"""
FILES = {
    "a.ts": "import './b';\nimport 'react';\nimport type { X } from 'only-types';",
    "b.ts": "import './c'; import './missing';",
    "c.ts": "import 'lodash/get';",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_files(tmp_path, {"tools/package.json": "{}", "tools/node_modules/esbuild/index.js": ESBUILD})
    return write_files(tmp_path / "tree", FILES)


def scanned(root: Path, *, cached: bool = True) -> tuple[Any, list[str]]:
    """Return what is found, and the files that were compiled for it."""
    (root / "compiled.txt").unlink(missing_ok=True)
    cache = root.parent / "imports.json" if cached else ""
    done = node.node("-e", SCAN, node.RECIPES / "imports.mjs", root, root.parent / "tools", cache, cwd=root)
    assert done.status == 0, done.complaint
    compiled = root / "compiled.txt"
    return json.loads(done.text), compiled.read_text().split() if compiled.exists() else []


def test_without_a_cache_all_files_are_compiled(root: Path) -> None:
    found, compiled = scanned(root, cached=False)
    assert found == [
        [["lodash/get", "c.ts"], ["only-types", "a.ts"], ["react", "a.ts"]],
        ["a.ts", "b.ts", "c.ts"],
        ["b.ts -> ./missing"],
    ]
    assert compiled == ["a.ts", "b.ts", "c.ts"]
    assert scanned(root, cached=False)[1] == compiled


CHANGES = {
    "nothing": ({}, []),
    "another import": ({"c.ts": "import 'lodash/set'; import './d';", "d.ts": "import 'jquery';"}, ["c.ts", "d.ts"]),
    "a type": ({"b.ts": "import './c';\nimport type { Y } from 'more-types';"}, ["b.ts"]),
    "one import less": ({"b.ts": ""}, ["b.ts"]),
    "a file that comes first": ({"c.web.ts": "import 'web-only';"}, ["c.web.ts"]),
    "the missing file": ({"missing.ts": "import 'found';"}, ["missing.ts"]),
    "a file of the same content": ({"missing.ts": FILES["c.ts"]}, []),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_only_changed_files_are_compiled_and_the_result_is_the_same(
    root: Path, change: dict[str, str], expected: list[str]
) -> None:
    assert scanned(root) == scanned(root, cached=False)
    write_files(root, change)
    found, compiled = scanned(root)
    assert compiled == expected
    assert found == scanned(root, cached=False)[0]


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b'{"x": 1}'])
def test_a_damaged_cache_is_not_used(root: Path, damage: bytes) -> None:
    whole = scanned(root)
    (root.parent / "imports.json").write_bytes(damage)
    assert scanned(root)[0] == whole[0]


def test_files_that_esbuild_finds_by_a_pattern_are_never_kept(root: Path) -> None:
    write_files(root, {"pattern": "", "found/by/pattern.js": ""})
    assert scanned(root) == scanned(root)
    assert scanned(root)[1] == ["a.ts", "b.ts", "c.ts"]
