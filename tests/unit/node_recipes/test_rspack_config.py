"""build/node/rspack-config.cjs: how upstream's configuration is read for icons. Runs Node only on that file, no
network.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from pathlib import Path

TRANSLATE = """
const { toRspack } = require(process.argv[1]);
const rspack = { SwcJsMinimizerRspackPlugin: class {} };
const preset = [ '@babel/preset-env', { targets: { chrome: 80 } } ];
const babel = { test: /\\.jsx?$/, exclude: /x/, loader: 'babel-loader', options: { presets: [ preset, '@babel/preset-react' ] } };
const icon = { test: /\\.svg$/, use: [ { loader: '@svgr/webpack', options: { dimensions: false } } ] };
const upstream = { entry: { app: './a.js' }, mode: 'production', output: { filename: 'x' }, module: { rules: [ babel, icon ] } };
console.log(JSON.stringify(toRspack(rspack, process.argv[2], 'site', upstream).module.rules.at(-1).use));
"""


def translated(tree: Path) -> tuple[int, list[dict[str, Any]], str]:
    """Translate a configuration with a rule for icons. Returns exit status, the rule's loaders, and what was said."""
    (tree / "package.json").exists() or (tree / "package.json").write_text("{}")
    done = run([node.home() / "bin" / "node", "-e", TRANSLATE, node.RECIPES / "rspack-config.cjs", tree])
    return done.status, json.loads(done.stdout or b"[]"), done.stderr.decode()


def test_svgr_does_not_look_for_a_configuration_above_the_tree(tmp_path: Path) -> None:
    """It would search every folder up to the root of the file system."""
    (tmp_path / ".svgrrc").write_text('{"icon": true}')
    tree = tmp_path / "tree"
    tree.mkdir()
    status, loaders, said = translated(tree)
    assert not status, said
    assert loaders[-1]["options"] == {"dimensions": False, "babel": False, "runtimeConfig": False}


def test_icons_are_translated_as_upstream_s_own_components_are(tmp_path: Path) -> None:
    """Loaders run from the last to the first: SVGR, then swc with the targets of upstream's scripts."""
    loaders = translated(tmp_path)[1]
    assert [loader["loader"] for loader in loaders] == ["builtin:swc-loader", "@svgr/webpack"]
    assert loaders[0]["options"]["env"]["targets"] == {"chrome": "80"}


@pytest.mark.parametrize("name", [".svgrrc", ".svgrrc.js", "svgr.config.js", "svgo.config.mjs", "package.json"])
def test_a_configuration_of_upstream_s_own_stops_the_build(tmp_path: Path, name: str) -> None:
    """It would be ignored without a word otherwise."""
    (tmp_path / name).write_text('{"svgr": {}}')
    status, _, said = translated(tmp_path)
    assert status
    assert f"configuration of SVGR in {name}" in said
