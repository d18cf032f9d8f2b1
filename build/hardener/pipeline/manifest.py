"""``build-manifest.json``: what went in, how it was built, what came out; the same bytes for all builders.

What is of one run only is in ``build-log.json``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hardener import __version__
from hardener.pipeline.package import archive_records
from hardener.system import node, stamps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.config import Project
    from hardener.pipeline.package import Packaged
    from hardener.pipeline.results import Built, Options
    from hardener.series.source import Layered


def record(
    project: Project,
    options: Options,
    built: tuple[Built, ...],
    found: dict[str, Any],
    packaged: Packaged,
    label: str,
) -> dict[str, Any]:
    """Return the manifest of a build. ``found`` is what the scan found."""
    return {
        "schema": 1,
        "hardener": __version__,
        "name": project.name,
        "label": label,
        "variant": options.variant,
        "toolchain": {"name": options.toolchain, "node": node.node_version(), "recipes": node.recipes_digest()}
        | {name: version for finished in built for name, version in finished.bundled.versions.items()},
        "components": [_component(finished) for finished in built],
        "substitutions": _substitutions(project),
        "hosts": found["hosts"],
        "sdks_excluded": found["sdks"],
        "sizes": packaged.sizes,
        "archives": archive_records(packaged),
    }


def log(built: tuple[Built, ...], label: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return what differs from run to run: where sources came from, and the seconds that the build waited for steps."""
    return {
        "schema": 1,
        "label": label,
        "fetched_from": {built_component.component.name: built_component.fetched.source for built_component in built},
        "seconds": dict(seconds),
    }


def _substitutions(project: Project) -> list[dict[str, str]]:
    """Return the packages that a person brought; a release has to refuse a manifest in which there is one."""
    return [substitute.record() for substitute in project.substitutes]


def _component(built: Built) -> dict[str, Any]:
    component = built.component
    ours, *downstream = built.source.layers
    return {
        "name": component.name,
        "repository": component.repository,
        "commit": component.commit,
        "release": component.release,
        "patched_commit": ours.applied.commit,
        "commit_with_overlays": ours.laid.commit,
        "tree": built.source.last.laid.tree,
        "downstream": [{"name": layer.layer.name, "commit": layer.laid.commit} | _layer(layer) for layer in downstream],
        "omitted": list(component.omit),
        "packages": built.installed.packages,
        "upstreams_own_patches": list(built.installed.patched),
        "files_type_checked": built.checked.ours,
    } | _layer(ours)


def _layer(layered: Layered) -> dict[str, Any]:
    """Return what one owner brought: ours, or a downstream layer."""
    patches, overlays = layered.layer.patches, layered.layer.overlays
    return {
        "patches": [
            {
                "name": result.name,
                "subject": result.subject,
                "status": result.status.value,
                "offsets": list(result.offsets),
            }
            | {"sha256": stamps.file_digest(patches / result.name)}
            for result in layered.applied.results
        ],
        "removed": list(layered.applied.removed),
        "overlays": [{"path": path, "sha256": stamps.file_digest(overlays / path)} for path in layered.laid.paths],
        "aliases": [asdict(alias) for alias in layered.laid.aliases],
    }
