"""Which packages are in a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hardener.errors import StackError
from hardener.release.packages import packages

if TYPE_CHECKING:
    from .conftest import Miniature

MIT = {"version": "1.0.0", "license": "MIT"}


def test_a_package_is_listed_for_its_module_and_not_for_being_installed(miniature: Miniature) -> None:
    miniature.package("app", "used", {"name": "used", **MIT})
    miniature.package("app", "tool", {"name": "tool", **MIT})
    built = miniature.component("app", {"main": ("index.js", "node_modules/used/lib/a.js")})
    (package,) = packages([built], miniature.site)
    assert (package.name, package.version, package.bundles) == ("used", "1.0.0", ("app/main",))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("@scope/used", "@scope/used"),
        ("outer/node_modules/inner", "inner"),
        ("outer/node_modules/@scope/inner", "@scope/inner"),
        ("@scope/outer/node_modules/inner", "inner"),
    ],
)
def test_a_module_belongs_to_the_innermost_package(miniature: Miniature, folder: str, name: str) -> None:
    miniature.package("app", folder, {"name": name, **MIT})
    built = miniature.component("app", {"main": (f"node_modules/{folder}/index.js",)})
    assert [package.name for package in packages([built], miniature.site)] == [name]


def test_two_versions_of_a_package_are_two_packages(miniature: Miniature) -> None:
    miniature.package("app", "used", {"name": "used", **MIT})
    miniature.package("app", "outer/node_modules/used", {"name": "used", "version": "2.0.0", "license": "MIT"})
    modules = ("node_modules/used/a.js", "node_modules/outer/node_modules/used/a.js")
    built = miniature.component("app", {"main": modules})
    assert [package.version for package in packages([built], miniature.site)] == ["1.0.0", "2.0.0"]


def test_one_package_of_two_components_is_listed_once_with_the_bundles_of_both(miniature: Miniature) -> None:
    built = []
    for name in ("lib", "app"):
        miniature.package(name, "used", {"name": "used", **MIT})
        built.append(miniature.component(name, {"main": ("node_modules/used/a.js",)}))
    (package,) = packages(built, miniature.site)
    assert package.bundles == ("app/main", "lib/main")


def test_a_component_of_ours_is_no_package(miniature: Miniature) -> None:
    lib = miniature.component("lib", {"main": ("index.js",)}, package="our-lib")
    miniature.package("app", "our-lib", {"name": "our-lib", **MIT})
    app = miniature.component("app", {"main": ("node_modules/our-lib/dist/lib.js",)})
    assert packages([lib, app], miniature.site) == ()


def test_a_copy_in_the_site_lists_its_package(miniature: Miniature) -> None:
    miniature.package("app", "codec", {"name": "codec", **MIT}, codec_wasm="bytes")
    (miniature.site / "renamed.wasm").write_text("bytes")
    (package,) = packages([miniature.component("app", {})], miniature.site)
    assert package.files == ("renamed.wasm",)


def test_a_file_of_upstream_itself_is_no_copy(miniature: Miniature) -> None:
    miniature.package("app", "codec", {"name": "codec", **MIT}, codec_wasm="bytes")
    (miniature.site / "codec.wasm").write_text("bytes")
    miniature.tracked = {"codec.wasm"}
    assert packages([miniature.component("app", {})], miniature.site) == ()


def test_empty_files_are_no_copies(miniature: Miniature) -> None:
    miniature.package("app", "codec", {"name": "codec", **MIT}, empty_js="")
    (miniature.site / "empty.css").write_text("")
    assert packages([miniature.component("app", {})], miniature.site) == ()


def test_a_package_has_the_integrity_of_the_lock_and_the_author_and_texts_of_its_folder(miniature: Miniature) -> None:
    described = {"name": "used", **MIT, "author": "A Person <person@example.org> (https://example.org)"}
    texts = {"LICENSE": "MIT text", "NOTICE_md": "a notice", "license_js": "code", "LICENSE-BSD_txt": "BSD text"}
    miniature.package("app", "used", described, **texts)
    miniature.lock("app", used={"integrity": "sha512-AAAA", "resolved": "https://registry.example/used-1.0.0.tgz"})
    (package,) = packages([miniature.component("app", {"main": ("node_modules/used/a.js",)})], miniature.site)
    assert (package.integrity, package.resolved) == ("sha512-AAAA", "https://registry.example/used-1.0.0.tgz")
    assert package.author == "A Person"
    assert dict(package.texts) == {"LICENSE": "MIT text", "LICENSE-BSD.txt": "BSD text", "NOTICE.md": "a notice"}


def test_a_package_that_upstream_patches_is_marked(miniature: Miniature) -> None:
    miniature.package("app", "@scope/used", {"name": "@scope/used", **MIT})
    miniature.package("app", "other", {"name": "other", **MIT})
    modules = ("node_modules/@scope/used/a.js", "node_modules/other/a.js")
    built = miniature.component("app", {"main": modules}, patched=("@scope+used+1.0.0.patch",))
    assert [(package.name, package.patched) for package in packages([built], miniature.site)] == [
        ("@scope/used", True),
        ("other", False),
    ]


def test_a_package_that_is_gone_is_an_error_with_a_hint(miniature: Miniature) -> None:
    built = miniature.component("app", {"main": ("node_modules/gone/a.js",)})
    with pytest.raises(StackError, match="node_modules/gone") as caught:
        packages([built], miniature.site)
    assert caught.value.hint == "hardener build"
