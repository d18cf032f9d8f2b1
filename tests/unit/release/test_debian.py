"""The Debian packages: relations and contents."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from debian import changelog, debfile
from debian.copyright import Copyright
from debian.deb822 import PkgRelation

from hardener.errors import ConfigError, UsageError
from hardener.release import debian
from hardener.release.debian import META, SNIPPETS, WEB, ZONES
from support import packaging
from support.packaging import DOCUMENTS, EPOCH, FILES, UPSTREAMS

if TYPE_CHECKING:
    from pathlib import Path


def read(content: bytes) -> Any:
    """Return python-debian's view of a package."""
    return debfile.DebFile(fileobj=io.BytesIO(content))


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Any]:
    """Provide both packages by name."""
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n")
    files = debian.packages(packaging.project(tmp_path), packaging.site(tmp_path), EPOCH, DOCUMENTS)
    assert [name for name, _ in files] == [f"{name}_2.0.10978+1_all.deb" for name in (WEB, META)]
    return dict(zip((WEB, META), (read(content) for _, content in files), strict=True))


def installed(package: Any) -> dict[str, bytes]:
    """Return the files of a package by their path."""
    files = (entry for entry in package.data.tgz() if entry.isfile())
    return {entry.name.removeprefix("./"): package.data.tgz().extractfile(entry).read() for entry in files}


def test_the_relations_replace_upstreams_packages_and_keep_one_release(made: dict[str, Any]) -> None:
    web, meta = (made[name].debcontrol() for name in (WEB, META))
    assert (web["Provides"], web["Conflicts"]) == ("jitsi-meet-web (= 1.0.9500-1)", "jitsi-meet-web")
    # Only newer ones are broken: dpkg could not unpack a joint upgrade if older ones were, too.
    assert {
        (relation[0]["name"], relation[0]["version"]) for relation in PkgRelation.parse_relations(web["Breaks"])
    } == {(f"jitsi-meet-{name}", (">>", "1.0.9500-1")) for name in ("prosody", "tokens", "turnserver", "web-config")}
    assert (meta["Provides"], meta["Conflicts"], meta["Replaces"]) == (
        "jitsi-meet (= 2.0.10978-1)",
        *("jitsi-meet",) * 2,
    )
    assert meta["Pre-Depends"] == "jitsi-videobridge2 (= 2.3-230-1)"
    depends = {relation[0]["name"]: relation[0]["version"] for relation in PkgRelation.parse_relations(meta["Depends"])}
    assert depends == {
        "jicofo": ("=", "1.0-1150-1"),
        WEB: ("=", "2.0.10978+1"),
        "jitsi-meet-web-config": ("=", "1.0.9500-1"),
        "jitsi-meet-prosody": ("=", "1.0.9500-1"),
    }


def test_the_site_is_installed_without_maps_licence_and_the_operators_file(made: dict[str, Any]) -> None:
    found = installed(made[WEB])
    prefix = "usr/share/jitsi-meet/"
    served = {name.removeprefix(prefix): content for name, content in found.items() if name.startswith(prefix)}
    left_out = {"config.js", "LICENSE", "libs/app.bundle.min.js.map"}
    assert served == {name: content for name, content in FILES.items() if name not in left_out}
    assert found[f"usr/share/{WEB}/config.js"] == FILES["config.js"]


def test_the_zones_are_the_only_conffile(made: dict[str, Any]) -> None:
    assert made[WEB].control.get_content("conffiles") == f"/{ZONES}\n".encode()
    assert [name for name in installed(made[WEB]) if name.startswith("etc/")] == [ZONES]


def test_snippets_include_each_other_by_absolute_paths(made: dict[str, Any]) -> None:
    snippets = {name: text.decode() for name, text in installed(made[WEB]).items() if name.startswith(SNIPPETS)}
    words = [line.split() for text in snippets.values() for line in text.splitlines()]
    included = {line[1].rstrip(";") for line in words if line[:1] == ["include"]}
    assert included == {
        *(f"/{SNIPPETS}/{name}.conf" for name in ("security-headers", "proxy", "limit[s]")),
        "/etc/nginx/hardener/brotl[i].conf",  # where an operator who has the module may put it
    }
    for path in included - {"/etc/nginx/hardener/brotl[i].conf"}:
        assert path[1:].replace("[s]", "s") in snippets


def test_documents_are_what_the_policy_asks_for(made: dict[str, Any]) -> None:
    files = installed(made[WEB])
    folder = f"usr/share/doc/{WEB}"
    entry = changelog.Changelog(gzip.decompress(files[f"{folder}/changelog.gz"]).decode(), strict=True)
    assert (entry.package, str(entry.version), entry.author) == (META, "2.0.10978+1", UPSTREAMS.maintainer)
    licence = Copyright(io.StringIO(files[f"{folder}/copyright"].decode()), strict=True)
    assert licence.header.source == "https://git.example/meet.git"
    assert gzip.decompress(files[f"{folder}/sbom.cdx.json.gz"]) == DOCUMENTS["sbom.cdx.json"]
    assert gzip.decompress(files[f"{folder}/CHANGELOG.md.gz"]) == b"# Changelog\n"
    assert set(installed(made[META])) == {f"usr/share/doc/{META}/{name}" for name in ("changelog.gz", "copyright")}


@pytest.mark.parametrize("script", ["postinst", "postrm"])
def test_maintainer_scripts_are_valid_for_sh(made: dict[str, Any], script: str) -> None:
    text = made[WEB].scripts()[script]
    assert subprocess.run(["sh", "-n"], input=text, capture_output=True, check=True).stderr == b""
    assert shutil.which("sh")


@pytest.mark.parametrize(
    ("upstreams", "said"),
    [(None, r"no \[debian\] table"), (replace(UPSTREAMS, jitsi_meet="2.0.9999-1"), "not a package of 2.0.10978")],
)
def test_without_the_versions_of_this_release_there_is_no_package(tmp_path: Path, upstreams: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        debian.packages(packaging.project(tmp_path, upstreams=upstreams), packaging.site(tmp_path), EPOCH)
    assert "--look-up" in caught.value.hint


def test_the_line_for_an_upgrade_or_downgrade_names_all_packages(tmp_path: Path) -> None:
    line = debian.upgrade_line(packaging.project(tmp_path))
    assert line.startswith("apt install --allow-downgrades jitsi-meet-hardened=2.0.10978+1 ")
    assert "jitsi-meet-prosody=1.0.9500-1" in line.split()


def test_files_with_odd_names_are_installed_under_them(tmp_path: Path) -> None:
    site = packaging.site(tmp_path)
    names = ["a b.js", "ä.js", "a\u0308.js", "-x", "'\"$(id).js", "a\\b", "n" * 150, "/".join(["d" * 60] * 5)]
    for name in names:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(name.encode())
    (_, web), _ = debian.packages(packaging.project(tmp_path), site, EPOCH)
    files = installed(read(web))
    assert [files[f"usr/share/jitsi-meet/{name}"] for name in names] == [name.encode() for name in names]


@pytest.mark.parametrize("name", [b"a\nb.js", b"\xff.js", b"a\x1b.js"])
def test_a_name_that_no_package_can_hold_is_named(tmp_path: Path, name: bytes) -> None:
    site = packaging.site(tmp_path)
    (site / os.fsdecode(name)).touch()
    with pytest.raises(UsageError, match="the site has a file"):
        debian.packages(packaging.project(tmp_path), site, EPOCH)
