"""The whole job on the embedded demo upstream: what comes out, and what must not."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hardener.system import node

from .conftest import LOG, MANIFEST, MAPS, SITE, STEPS, SUMS, Minimeet, Reference, Run, digest, unpack

if TYPE_CHECKING:
    from pathlib import Path

PLANTED = (b"tracker.example", b"avatars.example", b"promo.example")
BUNDLE = "libs/app.bundle.min.js"
# The button's handler and its text, as they are in the minified bundle.
GUEST_DOOR = (b"anonymousDomain", b"login.guest")


@dataclass(frozen=True)
class Demo:
    """The demo built both ways."""

    minimeet: Minimeet
    run: Run
    site: dict[str, bytes]
    maps: dict[str, bytes]
    unpatched: dict[str, bytes]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, reference: Reference, shared_cache: Path) -> Demo:
    """Provide the hardened build, and the same upstream unpatched."""
    minimeet = Minimeet(tmp_path_factory.mktemp("demo"), shared_cache)
    run, plain = minimeet.build(), minimeet.build("--unpatched")
    assert run.code == 0, run.stderr
    assert plain.code == 0, plain.stderr
    (name, _) = plain.sums
    dist = minimeet.dist
    return Demo(minimeet, run, unpack(dist / SITE), unpack(dist / MAPS), unpack(dist / "unpatched" / name))


def test_archives_have_the_sums_that_stand_beside_them(demo: Demo) -> None:
    """``sha256sum --check`` accepts dist/ with the manifest, and --json has the same sums."""
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=demo.minimeet.dist, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {f"{SITE}: OK", f"{MAPS}: OK", f"{MANIFEST}: OK"}
    assert demo.run.sums == {name: digest(demo.minimeet.dist / name) for name in (SITE, MAPS)}


def test_dist_holds_two_archives_and_their_records(demo: Demo) -> None:
    """Nothing but the two archives, sums, manifest and log; the unpatched build has a folder of its own."""
    assert {path.name for path in demo.minimeet.dist.iterdir()} == {SITE, MAPS, SUMS, MANIFEST, LOG, "unpatched"}


def test_pin_of_the_demo_is_the_commit_of_its_upstream(demo: Demo) -> None:
    """upstream.toml and all Base: lines name the commit that repository.py makes of upstream/."""
    assert f'commit = "{demo.minimeet.pin}"' in (demo.minimeet.root / "upstream.toml").read_text("utf-8")
    for patch in demo.minimeet.root.glob("patches/minimeet/*.patch"):
        assert f"\nBase: {demo.minimeet.pin}\n" in patch.read_text("utf-8")


@pytest.mark.parametrize("host", PLANTED, ids=bytes.decode)
def test_planted_hosts_are_gone(demo: Demo, host: bytes) -> None:
    """No served file names a planted host; the unpatched build, which is the control, does."""
    assert [name for name, content in demo.unpatched.items() if host in content]
    assert [name for name, content in (demo.site | demo.maps).items() if host in content] == []


def test_no_guest_door(demo: Demo) -> None:
    """The code that signs guests in is gone from the bundle; the unpatched build has it."""
    for trace in GUEST_DOOR:
        assert trace in demo.unpatched[BUNDLE]
        assert trace not in demo.site[BUNDLE]
    assert b"login.personal" in demo.site[BUNDLE]
    assert b"anonymousDomain" not in demo.site["config.js"]


def test_sources_maps_are_of_the_patched_sources(demo: Demo) -> None:
    """What an auditor reads in the source maps is what was bundled: no guest login there either."""
    sources = json.loads(demo.maps[BUNDLE + ".map"])["sourcesContent"]
    assert not [text for text in sources if "anonymousDomain" in text]


def test_alias_puts_our_stub_in_place_of_the_crash_reporter(demo: Demo) -> None:
    """The vendor's code is only in the unpatched bundle."""
    assert b"sendBeacon" in demo.unpatched[BUNDLE]
    assert b"sendBeacon" not in demo.site[BUNDLE]


def test_sdks_that_were_looked_for_stand_in_the_manifest(demo: Demo) -> None:
    assert demo.run.answer["sdks_excluded"] == ["crash-reporter"]


def test_a_longer_list_of_sdks_gives_the_same_archive_and_another_record(minimeet: Minimeet) -> None:
    first = minimeet.build()
    sdk = '\n[[sdk]]\nname = "spy"\nreason = "for a test"\nmodules = ["vendor/spy/"]\n'
    minimeet.write("sdks.toml", (minimeet.root / "sdks.toml").read_text("utf-8") + sdk)
    second = minimeet.build()
    assert second.sums == first.sums
    assert second.answer["sdks_excluded"] == ["crash-reporter", "spy"]
    assert json.loads((minimeet.dist / MANIFEST).read_bytes())["sdks_excluded"] == ["crash-reporter", "spy"]


def test_what_the_site_goes_without_is_in_upstreams_own_alone(minimeet: Minimeet) -> None:
    """``site_without`` of upstream.toml: the hardened archive lacks it, the unpatched one, the control, has it."""
    minimeet.edit("upstream.toml", "site_files =", 'site_without = ["static/ab*.html"]\nsite_files =')
    (name, _) = minimeet.build().sums
    (plain, _) = minimeet.build("--unpatched").sums
    assert "static/about.html" not in unpack(minimeet.dist / name)
    assert "static/about.html" in unpack(minimeet.dist / "unpatched" / plain)


def test_removed_page_is_not_shipped(demo: Demo) -> None:
    """A line of remove.list takes the file out of the archive."""
    assert "static/oldpromo.html" in demo.unpatched
    assert "static/oldpromo.html" not in demo.site


def test_texts_are_merged_into_upstreams_german_file(demo: Demo) -> None:
    """Our two texts are there, all others are upstream's, umlauts are readable."""
    before, after = (json.loads(site["lang/main-de.json"]) for site in (demo.unpatched, demo.site))
    assert after["login"].pop("personal") == "Kein Konto? Wenden Sie sich an die Betreiber dieser Seite."
    assert after["login"].pop("intro") != before["login"].pop("intro")
    assert after == before
    assert '    "about": "Über minimeet"'.encode() in demo.site["lang/main-de.json"]


def test_excluded_folder_is_neither_fetched_nor_checked_out(apart: Minimeet) -> None:
    """android/ is in upstream's commit, but its file is not in the mirror and not in the work tree."""
    assert apart.build().code == 0
    blob = apart.git("rev-parse", f"{apart.pin}:android/README.txt")
    assert re.fullmatch("[0-9a-f]{40}", blob)
    assert apart.git("cat-file", "-t", blob) == ""
    assert apart.git("cat-file", "-t", apart.git("rev-parse", f"{apart.pin}:app.js")) == "blob"
    assert (apart.tree / "app.js").exists()
    assert not (apart.tree / "android").exists()


def test_layout_can_replace_usr_share_jitsi_meet(demo: Demo) -> None:
    """The archive's root is the web root: upstream's install list, complete, and every address in index.html is
    there.
    """
    wanted = {
        *("index.html", "title.html", "config.js", "interface_config.js", "manifest.json", "css/all.css", BUNDLE),
        *("libs/external_api.min.js", "lang/main.json", "lang/main-de.json", "images/logo.svg", "sounds/joined.wav"),
        "static/about.html",
    }
    assert wanted <= set(demo.site)
    page = demo.site["index.html"].decode()
    addresses = re.findall(r'(?:src|href)="([^"?]+)', page) + re.findall(r'include virtual="/?([^"]+)"', page)
    assert len(addresses) >= 7
    assert set(addresses) <= set(demo.site)
    assert not [name for name in demo.site if name.startswith(("node_modules", ".", "android", "react", "/"))]


def test_source_maps_are_an_archive_of_their_own(demo: Demo) -> None:
    """Maps lie beside their bundles when it is unpacked over the site, and nowhere else."""
    assert not [name for name in demo.site if name.endswith(".map")]
    assert BUNDLE + ".map" in demo.maps
    assert {name.removesuffix(".map") for name in demo.maps} <= set(demo.site)


@pytest.mark.parametrize("name", [SITE, MAPS])
def test_archive_tells_nothing_of_the_machine_that_made_it(demo: Demo, name: str) -> None:
    """Owner 0, no names, the pin's commit date with the revision as seconds, sorted, two modes, and a gzip header
    without name and time.
    """
    committed = int(demo.minimeet.git("show", "-s", "--format=%ct", demo.minimeet.pin))
    assert committed == 1767323045  # 2026-01-02T03:04:05Z
    path = demo.minimeet.dist / name
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", committed + 1)}
    assert {m.mode for m in members if m.isfile()} == {0o644}
    assert {m.mode for m in members if m.isdir()} <= {0o755}
    assert all(m.isfile() or m.isdir() for m in members)
    files = [m.name.encode() for m in members if m.isfile()]
    assert files == sorted(files)
    head = path.read_bytes()[:10]
    assert head[3] == 0, "a file name or comment stands in the gzip header"
    assert head[4:8] == bytes(4)


def test_two_revisions_share_no_time(minimeet: Minimeet) -> None:
    """Web servers make ETags of time and size; a byte that changed has to have another one. Nothing else differs."""

    def packed() -> tuple[dict[str, bytes], set[float]]:
        (name, *_) = minimeet.build().sums
        with tarfile.open(minimeet.dist / name) as tar:
            return unpack(minimeet.dist / name), {member.mtime for member in tar}

    first, times = packed()
    minimeet.edit("upstream.toml", "revision = 1", "revision = 2")
    second, times_after = packed()
    assert second == first
    assert [time + 1 for time in times] == list(times_after)


def test_external_api_can_be_required(demo: Demo, tmp_path: Path) -> None:
    """Upstream's libraryTarget 'umd' is kept: a CommonJS consumer gets the class."""
    (tmp_path / "api.cjs").write_bytes(demo.site["libs/external_api.min.js"])
    # 'self' is what webpack calls the global object of a page; Node has none of that name.
    code = "globalThis.self = globalThis; const api = require('./api.cjs'); typeof api + ' ' + ('dispose' in api.prototype)"
    done = node.node("-p", code, cwd=tmp_path)
    assert done.text == "function true", done.complaint


def test_manifest_says_what_went_in(demo: Demo) -> None:
    """Pins, patches with sum and status, overlays with sum, removals, aliases, toolchain."""
    manifest = json.loads((demo.minimeet.dist / MANIFEST).read_bytes())
    (component,) = manifest["components"]
    root = demo.minimeet.root
    assert (component["commit"], component["release"], component["name"]) == (demo.minimeet.pin, "v1.0", "minimeet")
    order = ["privacy-tracker-off.patch", "privacy-avatar-own-origin.patch", "access-no-guest-door.patch"]
    assert [patch["name"] for patch in component["patches"]] == order
    for patch in component["patches"]:
        assert patch["sha256"] == digest(root / "patches/minimeet" / patch["name"])
        assert patch["status"] == "clean"
        assert f"\nSubject: {patch['subject']}\n" in (root / "patches/minimeet" / patch["name"]).read_text("utf-8")
    files = [
        path for path in (root / "overlays/minimeet").rglob("*") if path.is_file() and path.name != "overlays.toml"
    ]
    sums = {path.relative_to(root / "overlays/minimeet").as_posix(): digest(path) for path in files}
    assert {overlay["path"]: overlay["sha256"] for overlay in component["overlays"]} == sums
    assert component["removed"] == ["static/oldpromo.html"]
    assert [alias["module"] for alias in component["aliases"]] == ["@minimeet/crash-reporter"]
    assert component["files_type_checked"] == 7
    assert manifest["toolchain"]["name"] == "rspack"
    assert manifest["toolchain"]["node"].removeprefix("v").startswith("24.")
    assert manifest["toolchain"]["rspack"]


def test_manifest_says_what_came_out(demo: Demo) -> None:
    """Archives with sum, size and sum of their content, sizes by kind of file, hosts."""
    manifest = json.loads((demo.minimeet.dist / MANIFEST).read_bytes())
    dist = demo.minimeet.dist
    archives = [
        {"file": name, "sha256": digest(dist / name), "size": (dist / name).stat().st_size} for name in (SITE, MAPS)
    ]
    assert [{key: archive[key] for key in archives[0]} for archive in manifest["archives"]] == archives
    served = {name: content for name, content in demo.site.items() if not name.endswith((".gz", ".br"))}
    assert len(served) < len(demo.site)
    assert manifest["sizes"]["all"] == sum(map(len, served.values()))
    assert manifest["sizes"]["js"] == sum(len(content) for name, content in demo.site.items() if name.endswith(".js"))
    assert manifest["sizes"]["css"] == len(demo.site["css/all.css"])
    assert manifest["hosts"]["www.w3.org"] == [3, 2]
    assert manifest.items() <= demo.run.answer.items()


def test_what_differs_from_run_to_run_is_in_the_log(demo: Demo) -> None:
    """Seconds of each step, and where each component was fetched from."""
    log = json.loads((demo.minimeet.dist / LOG).read_bytes())
    assert set(log["seconds"]) == {f"{step} minimeet" for step in STEPS}
    assert set(log["fetched_from"]) == {"minimeet"}
    assert demo.run.answer["log"] == log


def test_the_bill_of_materials_lists_what_is_in_the_bundle(demo: Demo) -> None:
    """CycloneDX that validates strictly; the bundled packages and no build tool; the same bytes again."""
    path = demo.minimeet.dist / "demo.cdx.json"
    contents = []
    for _ in range(2):
        run = demo.minimeet.run("sbom", "--out", str(path))
        assert run.code == 0, run.stderr
        contents.append(path.read_bytes())
    path.unlink()
    assert contents[0] == contents[1]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(contents[0].decode()) is None
    document = json.loads(contents[0])
    names = {component["name"] for component in document["components"]}
    assert {"minimeet", "core-js", "strophe.js"} <= names
    assert not names & {"webpack", "typescript", "sass"}
    (minimeet,) = (component for component in document["components"] if component["name"] == "minimeet")
    assert len(minimeet["pedigree"]["patches"]) == 3


def test_the_summary_compares_with_upstream(demo: Demo) -> None:
    """The sizes of the unpatched bundle that the demo ships are right, so that its table is complete."""
    shipped = json.loads((demo.minimeet.root / "baseline.json").read_bytes())
    plain = json.loads((demo.minimeet.dist / "unpatched" / MANIFEST).read_bytes())
    (commit,) = shipped
    assert plain["components"][-1]["commit"] == commit
    kinds = ("js", "css", "all")  # compressed bytes depend on zlib's version
    assert [shipped[commit][kind] for kind in kinds] == [plain["sizes"][kind] for kind in kinds]
    table = demo.run.stderr.partition("unpatched")[2]
    assert re.search(r"JavaScript +[0-9.]+ kB +[0-9.]+ kB +-[0-9.]+ %", table)
    assert "unknown" not in table


def test_patched_commit_is_a_function_of_pin_and_series(demo: Demo, apart: Minimeet) -> None:
    """Another mirror in another place gives the same commit ids and tree."""
    answers = [built.answer["components"][0] for built in (demo.run, apart.build())]
    first, second = ([answer[key] for key in ("patched_commit", "commit_with_overlays", "tree")] for answer in answers)
    assert first == second
