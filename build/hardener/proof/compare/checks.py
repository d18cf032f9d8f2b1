"""The checks without a browser: each function compares the two sides of a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.proof.compare.model import SIDES, Difference, Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hardener.proof.compare.model import Side

WITHIN = 3.0  # per cent of webpack's size
_CHUNKS, _ALL_CHUNKS = "chunks/", "chunks"
_MODULES = "node_modules/"


def inspect(rspack: Side, webpack: Side) -> tuple[Found, ...]:
    """Return all checks of one component."""
    return tuple(
        detector(rspack, webpack) for detector in (files, packages, modules, libraries, levels, sizes, limits, licences)
    )


def files(rspack: Side, webpack: Side) -> Found:
    """Compare the names of the scripts; chunks count together, because their numbers differ."""
    names = [{_together(name) for name in side.scripts} for side in (rspack, webpack)]
    return Found("files", len(names[0] | names[1]), _sets("files", rspack.component, *names))


def packages(rspack: Side, webpack: Side) -> Found:
    """Return the npm packages behind the modules of each bundle."""
    pick = lambda modules: {package for module in modules if (package := package_of(module))}  # noqa: E731
    return _by_bundle("packages", rspack, webpack, pick)


def modules(rspack: Side, webpack: Side) -> Found:
    """Return the source files in each bundle."""
    return _by_bundle("modules", rspack, webpack, set[str])


def package_of(module: str) -> str:
    """Return where the package of a module is installed; empty for a file of the tree.

    >>> package_of("node_modules/@a/b/node_modules/c/d/e.js"), package_of("node_modules/@a/b/c.js"), package_of("a.js")
    ('node_modules/@a/b/node_modules/c', 'node_modules/@a/b', '')
    """
    before, found, inside = module.rpartition(_MODULES)
    parts = inside.split("/")
    return before + found + "/".join(parts[: 2 if parts[0].startswith("@") else 1]) if found else ""


def libraries(rspack: Side, webpack: Side) -> Found:
    """Return what each library exports to CommonJS, to an AMD loader and as a global: the same names, and some."""
    differences: list[Difference] = []
    for file, surfaces in webpack.libraries.items():
        where = f"{webpack.component}/{file}"
        umd = next((entry["target"] == "umd" for entry in webpack.entries if entry["file"] == file), False)
        for surface, theirs in surfaces.items():
            ours = rspack.libraries.get(file, {}).get(surface, ())
            sides = (set(ours), set(theirs))
            if umd and not ours and not theirs:
                differences.append(Difference("libraries", where, f"nothing is exported: {surface}", "both"))
            if bool(ours) != bool(theirs):
                side = SIDES[bool(ours)]
                what = f"nothing is exported: {surface}, where the other side has {len(ours or theirs)} names"
                differences.append(Difference("libraries", where, what, side))
                continue
            errors = [
                Difference("libraries", where, f"{surface}: {name}", side)
                for side, names in zip(SIDES, sides, strict=True)
                for name in sorted(names)
                if name.startswith("error: ")
            ]
            differences += errors or _sets("libraries", where, *({f"{surface}: {n}" for n in names} for names in sides))
    count = sum(len(surfaces) for surfaces in webpack.libraries.values())
    return Found("libraries", count, tuple(differences))


def levels(rspack: Side, webpack: Side) -> Found:
    """Check that no script of Rspack's needs a newer ECMAScript than webpack's; of chunks, the highest counts."""
    ours, theirs = (_most(side, "level", max) for side in (rspack, webpack))
    differences = [
        Difference("levels", f"{rspack.component}/{name}", f"ES{ours[name]} instead of ES{theirs[name]}", "rspack")
        for name in sorted(ours.keys() & theirs.keys())
        if ours[name] > theirs[name]
    ]
    return Found("levels", len(ours.keys() & theirs.keys()), tuple(differences))


def sizes(rspack: Side, webpack: Side) -> Found:
    """Compare the size of each script with webpack's, within a percentage; chunks count together."""
    ours, theirs = (_most(side, "size", sum) for side in (rspack, webpack))
    differences: list[Difference] = []
    for name in sorted(ours.keys() & theirs.keys()):
        off = 100 * (ours[name] - theirs[name]) / max(theirs[name], 1)
        if abs(off) > WITHIN:
            what = f"{off:+.1f} %"
            side = SIDES[off < 0]
            differences.append(Difference("sizes", f"{rspack.component}/{name}", what, side, round(abs(off), 2)))
    return Found("sizes", len(ours.keys() & theirs.keys()), tuple(differences))


def limits(rspack: Side, webpack: Side) -> Found:
    """Apply upstream's own limits (webpack's ``performance`` hints) to both; to a chunk, the highest of them."""
    differences: list[Difference] = []
    compared = 0
    for toolchain, side in zip(SIDES, (rspack, webpack), strict=True):
        allowed = {entry["file"]: min(entry["limits"].values()) for entry in side.entries if entry["limits"]}
        chunk = max((entry["limits"]["asset"] for entry in side.entries if entry["limits"]), default=None)
        for name, facts in side.scripts.items():
            limit = chunk if name.startswith(_CHUNKS) else allowed.get(name)
            compared += limit is not None
            if limit is not None and facts["size"] > limit:
                what = f"{facts['size']} bytes, upstream allows {limit}"
                differences.append(Difference("limits", f"{side.component}/{name}", what, toolchain))
    return Found("limits", compared, tuple(differences))


def licences(rspack: Side, webpack: Side) -> Found:
    """Check that no licence comment is lost; chunks count together."""
    kept: list[dict[str, set[str]]] = []
    for side in (rspack, webpack):
        comments: dict[str, set[str]] = {}
        for name, texts in side.licences.items():
            comments.setdefault(_together(name), set()).update(texts)
        kept.append(comments)
    ours, theirs = kept
    differences = [
        difference
        for name in sorted(ours | theirs)
        for difference in _sets(
            "licences", f"{rspack.component}/{name}", ours.get(name, set()), theirs.get(name, set())
        )
    ]
    return Found("licences", sum(map(len, theirs.values())), tuple(differences))


def join(found: Iterable[Found]) -> tuple[Found, ...]:
    """Return one result a check, whatever components it was made of."""
    whole: dict[str, Found] = {}
    for part in found:
        before = whole.get(part.check, Found(part.check, 0, ()))
        whole[part.check] = Found(part.check, before.compared + part.compared, before.differences + part.differences)
    return tuple(whole.values())


def _sets(check: str, where: str, ours: Iterable[str], theirs: Iterable[str]) -> tuple[Difference, ...]:
    ours, theirs = set(ours), set(theirs)
    return tuple(
        Difference(check, where, what, side)
        for side, names in zip(SIDES, (ours - theirs, theirs - ours), strict=True)
        for what in sorted(names)
    )


def _by_bundle(check: str, rspack: Side, webpack: Side, pick: Callable[[Iterable[str]], set[str]]) -> Found:
    names = sorted(rspack.modules.keys() | webpack.modules.keys())
    sides = {name: [pick(side.modules.get(name, ())) for side in (rspack, webpack)] for name in names}
    differences = [
        difference for name in names for difference in _sets(check, f"{rspack.component}/{name}", *sides[name])
    ]
    return Found(check, sum(len(ours | theirs) for ours, theirs in sides.values()), tuple(differences))


def _together(name: str) -> str:
    return _ALL_CHUNKS if name.startswith(_CHUNKS) else name


def _most(side: Side, key: str, join: Callable[[list[int]], int]) -> Mapping[str, int]:
    """Return a figure by script, chunks together."""
    values: dict[str, list[int]] = {}
    for name, facts in side.scripts.items():
        values.setdefault(_together(name), []).append(facts[key])
    return {name: join(figures) for name, figures in values.items()}


def figures(rspack: Side, webpack: Side) -> tuple[tuple[str, int, int, int, int], ...]:
    """Return the table's rows: each script with both sizes and both levels."""
    size = [_most(side, "size", sum) for side in (rspack, webpack)]
    level = [_most(side, "level", max) for side in (rspack, webpack)]
    return tuple(
        (f"{rspack.component}/{name}", size[0][name], size[1][name], level[0][name], level[1][name])
        for name in sorted(size[0].keys() & size[1].keys())
    )
