"""series/imports.py: every form in which upstream's code imports a removed file or an aliased module is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.git.repository import Repository
from hardener.series.imports import Use, new_uses, taken, uses
from hardener.series.lists import Removal
from hardener.series.overlay import Alias

if TYPE_CHECKING:
    from support.fakes import FakeUpstream

REMOVED = {
    "src/video/Manager.tsx",
    "src/video/index.ts",
    "src/player.web.ts",
    "src/handlers/one.ts",
    "images/badge.png",
    "css/old.scss",
    "static/board.html",
}
KEPT = ("src/player.native.ts", "src/other.ts", "src/handlers2.ts")
ALIASES = [Alias("@giphy/js", "x.ts", "y"), Alias("@jitsi/board$", "x.ts", "y")]
FOUND = [
    ("src/a.ts", "import { x } from './video/Manager';", "src/video/Manager.tsx"),
    ("src/a.ts", "import {\n    x\n} from\n    './video/Manager';", "src/video/Manager.tsx"),
    ("src/a.ts", "import './video';", "src/video/index.ts"),
    ("src/a.ts", "export * from './video/index';", "src/video/index.ts"),
    ("src/a.js", "const x = require('./video/Manager.tsx');", "src/video/Manager.tsx"),
    ("src/a.js", "import('./video/Manager.js')", "src/video/Manager.tsx"),
    ("src/a.js", "import(\n  /* webpackChunkName: 'v' */\n  '../src/video/Manager')", "src/video/Manager.tsx"),
    ("src/a.tsx", 'const V = lazy(() => import("./handlers/one"));', "src/handlers/one.ts"),
    ("src/deep/a.ts", "import type { X } from '../player';", "src/player.web.ts"),
    ("src/a.tsx", "<img src = { require('../images/badge.png') } />", "images/badge.png"),
    ("src/a.ts", "import { G } from '@giphy/js';", "@giphy/js"),
    ("src/a.ts", "import { G } from '@giphy/js/deep';", "@giphy/js"),
    ("src/a.ts", "import { B } from '@jitsi/board';", "@jitsi/board"),
    ("css/a.scss", "@import 'old.scss';", "css/old.scss"),
    ("css/a.css", "b { background: url('../images/badge.png'); }", "images/badge.png"),
    ("src/a.ts", "const at = `${base}/static/board.html?room=1`;", "static/board.html"),
    ("src/a.ts", "open('static/board.html');", "static/board.html"),
    ("static/a.html", '<img src="images/badge.png">', "images/badge.png"),
]
NOT_FOUND = [
    ("src/a.ts", "import x from './other';"),
    ("src/a.ts", "import x from './video/Other';"),
    ("src/a.ts", "import x from './handlers2';"),
    ("src/a.native.ts", "import x from './player';"),
    ("src/a.ts", "import x from '@giphy/json';"),
    ("src/a.ts", "import x from '@jitsi/board/index.css';"),
    ("src/video/Manager.tsx", "import './index';"),
    ("src/a.ts", "// static/board.html is elsewhere"),
    ("src/a.ts", "open('static/board.html5'); open('my-static/board.html')"),
    ("android/a.js", "import x from '../src/video/Manager';"),
]


def found(upstream: FakeUpstream, path: str, text: str) -> tuple[Use, ...]:
    """Return the uses in a tree with the removed and the kept files and this one."""
    files = dict.fromkeys((*REMOVED, *KEPT), b"export {};\n") | {path: text.encode() + b"\n"}
    return uses(Repository(upstream.path), upstream.commit(files), REMOVED, ALIASES, ("android",))


@pytest.mark.parametrize(("path", "text", "target"), FOUND)
def test_each_form_of_an_import_is_found(upstream: FakeUpstream, path: str, text: str, target: str) -> None:
    assert [(use.path, use.target) for use in found(upstream, path, text)] == [(path, target)]


@pytest.mark.parametrize(("path", "text"), NOT_FOUND)
def test_imports_of_files_that_stay_are_not(upstream: FakeUpstream, path: str, text: str) -> None:
    assert found(upstream, path, text) == ()


def test_a_removed_file_that_is_gone_from_the_tree_is_still_looked_for(upstream: FakeUpstream) -> None:
    commit = upstream.commit({"src/a.ts": b"import './video';\n"})
    (use,) = uses(Repository(upstream.path), commit, REMOVED, ALIASES)
    assert str(use) == "imports ./video: src/video/index.ts is removed"
    assert "remove src/a.ts as well" in use.remedy


def test_only_uses_that_the_older_tree_lacks_are_new() -> None:
    old, other = Use("a.ts", "./x", "x.ts"), Use("b.ts", "./x", "x.ts")
    assert new_uses([old, other], [Use("a.ts", "../y/x", "x.ts")]) == (other,)


def test_a_removal_takes_a_file_or_a_folder_in_its_trees() -> None:
    removals = [Removal("a/", "r"), Removal("b.ts", "r"), Removal("c.ts", "r", ("next",))]
    paths = ["a/x.ts", "a.ts", "b.ts", "b.tsx", "c.ts"]
    assert taken(paths, removals, "pin") == {"a/x.ts", "b.ts"}
    assert taken(paths, removals, "next") == {"a/x.ts", "b.ts", "c.ts"}
