"""Step 6: run the bundler over a work tree, and deliver what the next component installs.

The recipes in ``build/node/`` read upstream's own bundler configuration, so that upstream's changes flow through.
``rspack`` is the default toolchain; ``webpack`` is upstream's own, for fidelity.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import BundleError
from hardener.system import disk, node, stamps

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.config import Component
    from hardener.pipeline.checkout import WorkTree
    from hardener.pipeline.install import Installed
    from hardener.series.overlay import Alias

_MORE = "hardener build --verbose shows the bundler's whole output"


@dataclass(frozen=True)
class Bundled:
    """The output of the bundler: ``key`` identifies its inputs, ``sizes`` are bytes per asset, ``modules`` per
    bundle.
    """

    key: str
    sizes: dict[str, int]
    modules: dict[str, tuple[str, ...]]
    versions: dict[str, str]
    warnings: tuple[str, ...]
    fresh: bool


def bundle(
    component: Component,
    work: WorkTree,
    installed: Installed,
    aliases: tuple[Alias, ...],
    toolchain: str,
    work_area: Path,
) -> Bundled:
    """Bundle a component inside its work tree (into ``component.out``).

    ``work_area`` keeps the bundler's cache between runs. Raises BundleError with the bundler's first messages, and for
    an alias that nothing imports any more.
    """
    key = stamps.key(
        work.key,
        installed.key,
        [(alias.module, alias.file) for alias in aliases],
        (component.recipe, component.out, component.drop, component.deliver, toolchain),
        node.recipes_digest(),
        stamps.file_digest_of(__file__),
    )
    if component.recipe == "none":
        return Bundled(key, {}, {}, {}, (), fresh=False)
    stamp = work.stamp("bundle")
    facts = stamp.facts(key)
    fresh = facts is None
    if facts is None:
        stamp.clear()
        facts = _facts(_run(component, work, aliases, toolchain, work_area))
        stamp.set(key, facts)
    return Bundled(
        key=key,
        sizes=facts["sizes"],
        modules={name: tuple(modules) for name, modules in facts["modules"].items()},
        versions=facts["versions"],
        warnings=tuple(facts["warnings"]),
        fresh=fresh,
    )


def _run(
    component: Component, work: WorkTree, aliases: tuple[Alias, ...], toolchain: str, work_area: Path
) -> dict[str, Any]:
    out = work.path / component.out
    disk.remove(out)
    if component.recipe == "rollup":
        return node.recipe("rollup.mjs", {"root": work.path, "out": out, "outputs": component.deliver}, hint=_MORE)
    result = node.recipe(
        "bundle.cjs",
        {
            "root": work.path,
            "out": out,
            "toolchain": toolchain,
            "config": "webpack.config.js",
            "cache": work_area / "bundler-cache" if toolchain == "rspack" else None,
            "alias": {alias.module: work.path / alias.file for alias in aliases},
            "drop": component.drop,
        },
        hint=_MORE,
    )
    if unused := result.get("unusedAliases"):
        raise BundleError(
            f"{component.name}: nothing imports {', '.join(unused)} any more",
            hint="remove the [[alias]] from overlays.toml, or limit it to trees: only = [...]",
        )
    if stale := result.get("unusedDrops"):
        raise BundleError(
            f"{component.name}: upstream has no bundle {', '.join(stale)} to leave out",
            hint="fix drop = [...] in upstream.toml",
        )
    return result


def _facts(result: dict[str, Any]) -> dict[str, Any]:
    bundles = result["bundles"]
    return {
        "sizes": {asset["name"]: asset["size"] for compiled in bundles for asset in compiled["assets"]},
        "modules": {compiled["name"]: compiled["modules"] for compiled in bundles},
        "versions": result["versions"],
        "warnings": [f"{compiled['name']}: {warning}" for compiled in bundles for warning in compiled["warnings"]],
    }


def deliver(component: Component, work: WorkTree, bundled: Bundled, target: Path) -> Path:
    """Copy what the next component installs (``component.deliver``) into a package folder of its own; returns it."""
    stamp = stamps.Stamp(target.with_suffix(".json"))
    if stamp.facts(bundled.key) is not None and target.is_dir():
        return target
    stamp.clear()

    def fill(new: Path) -> None:
        for pattern in ("package.json", "LICENSE*", *component.deliver):
            files = sorted(path for path in work.path.glob(pattern) if path.is_file())
            if not files:
                raise BundleError(
                    f"{component.name}: {pattern} was not built",
                    hint="check deliver = [...] of this component in upstream.toml",
                )
            for file in files:
                copy = new / file.relative_to(work.path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)

    disk.replace_folder(target, fill)
    stamp.set(bundled.key, {})
    return target
