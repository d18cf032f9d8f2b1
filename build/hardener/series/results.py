"""Keep what patches and overlays of a layer came to in a build; with the same inputs they are not applied again.

Each patch takes four git processes, and a build with nothing to do would consist of little else. A result is used only
where its commit is in the mirror. Nothing is kept of a series that does not fit.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hardener.git.repository import Repository
from hardener.series.apply import Applied, PatchResult, Status, apply
from hardener.series.overlay import Alias, Laid, lay
from hardener.system import stamps

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result", Applied, Laid)


class Results:
    """The results in a folder (none is kept without one), for a component whose mirror is ``mirror``."""

    def __init__(self, folder: Path | None, mirror: Path) -> None:
        self._folder = folder
        self._repository = Repository(mirror)
        self._code = _code() if folder else ""

    def applied(
        self,
        layer: str,
        component: str,
        base: str,
        patches: Path,
        tree_names: tuple[str, ...],
        *,
        upstream: str,
        hint: str,
    ) -> tuple[Applied, bool]:
        """Return :func:`hardener.series.apply.apply`'s result, and whether it was made just now."""
        return self._result(
            f"{layer}-patched",
            (component, base, stamps.folder_digest(patches), tree_names, upstream),
            lambda: apply(component, self._repository.path, base, patches, tree_names, upstream=upstream, hint=hint),
            _applied,
        )

    def laid(
        self,
        layer: str,
        component: str,
        base: str,
        patched: str,
        overlays: Path,
        tree_names: tuple[str, ...],
        *,
        only_aliases_of: tuple[str, ...] | None,
    ) -> tuple[Laid, bool]:
        """Return :func:`hardener.series.overlay.lay`'s result, and whether it was made just now."""
        executable = sorted(
            path.relative_to(overlays).as_posix()
            for path in overlays.rglob("*")
            if path.is_file() and path.stat().st_mode & 0o100
        )
        content = (stamps.folder_digest(overlays), executable)
        return self._result(
            f"{layer}-laid",
            (component, base, patched, content, tree_names, only_aliases_of),
            lambda: lay(
                *(component, self._repository.path, base, patched, overlays, tree_names),
                only_aliases_of=only_aliases_of,
            ),
            _laid,
        )

    def _result(
        self, name: str, inputs: tuple[Any, ...], make: Callable[[], Result], read: Callable[[dict[str, Any]], Result]
    ) -> tuple[Result, bool]:
        if not self._folder:
            return make(), True
        stamp = stamps.Stamp(self._folder / f"{name.lstrip('-')}.json")
        key = stamps.key(*inputs, self._code)
        facts = stamp.facts(key)
        if facts is not None:
            result = read(facts)
            if self._repository.commit(result.commit) == result.commit:
                return result, False
        result = make()
        stamp.set(key, _plain(asdict(result)))
        return result, True


def _code() -> str:
    """Return the digest of the code that makes a result: ours, and the library that reads patches."""
    ours = Path(__file__).parents[1]
    folders = [stamps.folder_digest(ours / name, pattern="*.py") for name in ("git", "series", "system")]
    return stamps.key(folders, importlib.metadata.version("unidiff"))


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    results = [result | {"status": result["status"].value} for result in facts.get("results", ())]
    return facts | ({"results": results} if results else {})


def _applied(facts: dict[str, Any]) -> Applied:
    results = tuple(
        PatchResult(**result | {"status": Status(result["status"]), "offsets": tuple(result["offsets"])})
        for result in facts["results"]
    )
    return Applied(**facts | {"results": results, "removed": tuple(facts["removed"])})


def _laid(facts: dict[str, Any]) -> Laid:
    aliases = tuple(Alias(**alias | {"only": tuple(alias["only"])}) for alias in facts["aliases"])
    return Laid(**facts | {"paths": tuple(facts["paths"]), "aliases": aliases})
