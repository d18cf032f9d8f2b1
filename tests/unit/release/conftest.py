"""A built component in miniature: a tree with packages, its bundles, and a site."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hardener.release import packages as module
from support.fakes import standard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATCH = """From: A Person <person@example.org>
Date: Fri, 1 May 2026 12:00:00 +0000
Subject: {message}
diff --git a/a.txt b/a.txt
index 1111111..2222222 100644
--- a/a.txt
+++ b/a.txt
@@ -1 +1 @@
-old
+{name}
"""


class Miniature:
    """Makes components whose fields are those that the bill of materials reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.site.mkdir()
        self.tracked: set[str] = set()

    def package(self, component: str, folder: str, described: dict[str, Any], **files: str) -> None:
        """Put a package into a component's tree; ``files`` are its other files, with ``_`` for the dot."""
        path = self.folder / component / "node_modules" / folder
        path.mkdir(parents=True)
        (path / "package.json").write_text(json.dumps(described))
        for name, content in files.items():
            (path / name.replace("_", ".")).write_text(content)

    def lock(self, component: str, **entries: dict[str, str]) -> None:
        """Write a component's lock: ``entries`` by package name."""
        locked = {f"node_modules/{name}": entry for name, entry in entries.items()}
        (self.folder / component / "package-lock.json").write_text(json.dumps({"packages": locked}))

    def component(self, name: str, modules: dict[str, tuple[str, ...]], *, package: str = "", **more: Any) -> Any:
        """Return the component as the build leaves it."""
        tree = self.folder / name
        tree.mkdir(exist_ok=True)
        patches = self.folder / "patches" / name
        patches.mkdir(parents=True)
        security = more.get("security", ())
        for patch in (*more.get("patches", ()), *security):
            message = standard(patch, "0" * 40, Security="yes" if patch in security else "")
            text = PATCH.format(name=patch, message=message)
            (patches / f"{patch}.patch").write_text(text)
        results = [SimpleNamespace(name=f"{patch}.patch") for patch in (*more.get("patches", ()), *security)]
        layer = SimpleNamespace(
            layer=SimpleNamespace(patches=patches), applied=SimpleNamespace(results=results, removed=("promo.html",))
        )
        repository = more.get("repository", f"https://github.com/upstream/{name}.git")
        return SimpleNamespace(
            component=SimpleNamespace(
                name=name, package=package, repository=repository, commit="1" * 40, release="v1.0", out="dist"
            ),
            work=SimpleNamespace(path=tree),
            bundled=SimpleNamespace(modules=modules, sizes=more.get("sizes", {})),
            installed=SimpleNamespace(patched=more.get("patched", ())),
            fetched=SimpleNamespace(mirror=self),
            source=SimpleNamespace(
                layers=(layer,), paths=("ours.ts",), last=SimpleNamespace(laid=SimpleNamespace(tree="2" * 40))
            ),
        )


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    """Return an empty miniature, whose repository tracks ``miniature.tracked``."""
    made = Miniature(tmp_path)
    reader: Callable[[Miniature], Any] = lambda mirror: SimpleNamespace(entries=lambda _tree: mirror.tracked)  # noqa: E731
    monkeypatch.setattr(module, "Repository", reader)
    return made
