"""sdks.toml against the real bundles: every rule is found in upstream's own, none in ours; and what ours leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.pipeline import build
from hardener.pipeline.results import Options
from hardener.pipeline.scan import scan
from hardener.policy import sdks
from hardener.policy.addresses import MAP_SUFFIX
from hardener.policy.hosts import NAME as HOSTS
from hardener.policy.hosts import read_hosts
from hardener.policy.reading import find_hosts
from hardener.ui import UI

if TYPE_CHECKING:
    from hardener.pipeline.results import Result

ROOT = Path(__file__).parents[2]
LIST = sdks.read_sdks(ROOT / sdks.NAME)
RULES = [(sdk, rule) for sdk in LIST for rule in (*sdk.modules, *sdk.fingerprints)]
GRAVATAR = "node_modules/@jitsi/js-utils/dist/avatar/index.js"
# What only the left-out files need: in the code that starts them, in their own names, and in what they load.
LEFT_OUT = (b"face-landmarks-worker", b"blazeface-front", b"emotion.json", b"tfjs-backend-wasm")

pytestmark = [pytest.mark.upstream, pytest.mark.slow]


@pytest.fixture(scope="module")
def results(developers_cache: Path) -> dict[str, Result]:
    """Both variants, from the mirrors and packages in the developer's own cache."""
    project = config.load(ROOT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
        for component in project.components:
            mirror = mirror_of(component)
            if not mirror.exists() or Repository(mirror).commit(component.commit) is None:
                pytest.skip(f"{mirror} does not hold {component.name} at its pin: run 'make build'")
        return {
            variant: build.build(project, Options(sources={}, unpatched=variant == "unpatched"), UI(quiet=True))
            for variant in ("unpatched", "hardened")
        }


def bundles(result: Result) -> dict[str, tuple[str, ...]]:
    """Return the modules of all bundles of all components."""
    return {
        f"{component.component.name}/{name}": paths
        for component in result.components
        for name, paths in component.bundled.modules.items()
    }


@pytest.fixture(scope="module")
def found(results: dict[str, Result]) -> dict[str, list[sdks.Trace]]:
    """Provide the traces in both variants: in the bundler's report, in source maps, in served files."""
    return {
        variant: [*sdks.in_bundles(bundles(result), LIST), *scan(result.site.path, LIST).traces]
        for variant, result in results.items()
    }


@pytest.mark.parametrize(("sdk", "rule"), RULES, ids=lambda value: value if isinstance(value, str) else value.name)
def test_each_rule_is_found_in_upstreams_own_bundle(
    found: dict[str, list[sdks.Trace]], sdk: sdks.Sdk, rule: str
) -> None:
    """In the code: fingerprints in libs/, modules in the bundler's report. Entries with 'absent' must really be
    absent.
    """
    places = [trace.where for trace in found["unpatched"] if (trace.sdk, trace.rule) == (sdk.name, rule)]
    code = [place for place in places if place.startswith(("bundle ", "libs/"))]
    assert bool(code) != bool(sdk.absent), f"{sdk.name}: {rule!r}: {places}"


def test_source_maps_show_what_the_bundler_reports(found: dict[str, list[sdks.Trace]]) -> None:
    """``hardener scan DIR`` has no report of a bundler; of the SDKs that have modules it misses none."""
    reported, mapped = (
        {trace.sdk for trace in found["unpatched"] if trace.kind == "module" and ("bundle " in trace.where) is report}
        for report in (True, False)
    )
    assert reported == mapped != set()


def test_none_is_found_in_ours(found: dict[str, list[sdks.Trace]]) -> None:
    assert list(sdks.problems(found["hardened"])) == []


def test_source_maps_hold_the_source_and_what_they_lack_is_as_clean(results: dict[str, Result]) -> None:
    """The text of each module, as it lies in the built tree, is in a source map, and so in the scan.

    Not there: strophe.js, which is one module to lib-jitsi-meet; the worker for end-to-end encryption, which has no map; and
    modules of which no code came into the bundle. Their sources are looked through here.
    """
    texts: dict[str, set[bytes]] = {}
    for path in results["hardened"].site.path.rglob("*" + MAP_SUFFIX):
        content = path.read_bytes()
        for name, text in zip(sdks.sources(content), json.loads(content)["sourcesContent"], strict=True):
            texts.setdefault(name, set()).add(text.encode())
    mapped, rest = 0, {}
    for component in results["hardened"].components:
        for path in {path for paths in component.bundled.modules.values() for path in paths}:
            file = component.work.path / path.split("?")[0]
            if (content := file.read_bytes()) in texts.get(path, ()):
                mapped += 1
            else:
                rest[f"{component.component.name}/{path}"] = content
    assert mapped > len(rest) > 0
    assert {"strophejs/src/core.js", "lib-jitsi-meet/modules/e2ee/Worker.ts"} <= rest.keys()
    listed = {entry.host for entry in read_hosts(ROOT / HOSTS)}
    hosts = {path for path, content in rest.items() if {find.host for find in find_hosts(content, path)} - listed}
    traces = {path for path, content in rest.items() if sdks.find_fingerprints(content, path, LIST)}
    # Functions that nothing calls any more, in a file of which others are used: the bundler left them out.
    assert hosts == traces == {f"{name}/{GRAVATAR}" for name in ("jitsi-meet", "lib-jitsi-meet")}


def test_nothing_asks_for_what_the_site_leaves_out(results: dict[str, Result]) -> None:
    """No served file of ours names the worker, its models or its engine; upstream's site, the control, has and names
    them.
    """
    patterns = config.load(ROOT).site.site_without
    assert patterns
    for variant, result in results.items():
        site = result.site.path
        there = [pattern for pattern in patterns if list(site.glob(pattern))]
        assert there == ([] if variant == "hardened" else list(patterns))
        served = [path.read_bytes() for path in site.rglob("*") if path.is_file() and path.suffix != MAP_SUFFIX]
        named = [text for text in LEFT_OUT if any(text in content for content in served)]
        assert named == ([] if variant == "hardened" else list(LEFT_OUT))
