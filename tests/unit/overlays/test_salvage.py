"""How a stanza that the browser cannot parse is cut into elements (salvage.ts)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

SALVAGE = Path(__file__).parents[3] / "overlays/lib-jitsi-meet/modules/hardener/salvage.ts"
MAIN = """
import { readFileSync } from 'node:fs';
const texts = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify(texts.map(([ before, middle, times, after ]: [ string, string, number, string ]) => {
    const { children, first } = cut(before + middle.repeat(times) + after);
    return [ first, children.map(child => child.slice(0, 40)) ];
})));
"""
LIMIT = 'ulimit -t 60; exec "$0" "$@"'  # seconds of the processor: quadratic work takes hundreds


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Any]], list[Any]]:
    """Cut texts, in Node, which takes the types out: the first tag and the beginnings of the children."""
    folder = tmp_path_factory.mktemp("salvage")
    (folder / "salvage.mts").write_text(SALVAGE.read_text("utf-8") + MAIN, "utf-8")

    def call(texts: list[Any]) -> list[Any]:
        (folder / "job.json").write_text(json.dumps(texts))
        done = run(["sh", "-c", LIMIT, node.home() / "bin" / "node", folder / "salvage.mts", folder / "job.json"])
        assert not done.status, done.complaint
        return json.loads(done.stdout)

    return call


WHOLE = {
    "<a b='c'><d/><e f=\"g>h\">i</e></a>": ["<d/>", '<e f="g>h">i</e>'],
    "<a><!-- <d> --><e/></a>": ["<e/>"],
    "<a><![CDATA[</a><d>]]><e/></a>": ["<e/>"],
    "<?xml version='1.0'?><a><?b <c> ?><d/></a>": ["<d/>"],
    "<a><b><!--></a><!--></b><c/></a>": ["<b><!--></a><!--></b>", "<c/>"],
    "<a>1 < 2<b/></a>": ["<b/>"],
    "<a><!-- <b/></a>": ["<b/>"],  # such a comment does not end
    "<a><b></a>": [],
    "<a><b c='></b></a>": [],
    "": [],
}


def test_a_stanza_is_cut_into_its_children(cut: Callable[[list[Any]], list[Any]]) -> None:
    """Tags in comments, in raw text and in attributes are not tags."""
    assert [children for _first, children in cut([[text, "", 0, ""] for text in WHOLE])] == list(WHOLE.values())


def test_a_long_stanza_is_read_once(cut: Callable[[list[Any]], list[Any]]) -> None:
    """Beginnings of everything that may not end: quadratic work on one of these takes hundreds of seconds."""
    beginnings = [
        "<!--",
        "<![CDATA[",
        "<?",
        "<!--<![CDATA[<?",
        "<",
        "<a",
        '<a "',
        "<a '",
        "<a b=\"'",
        '<a ">',
        '<a "" ',
    ]
    beginnings += ["<!-", "<!-->", '"', "'", ">", "</", "<a>", "<a/>", "<!-- -->"]
    texts = [["<r>", beginning, 2_000_000 // len(beginning), "<z/></r>"] for beginning in beginnings]
    assert len(cut(texts)) == len(beginnings)
