"""Links to foreign hosts that are not configured. 'unpatched' is the control."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

LOADED = "() => window.APP?.store?.getState()['features/base/config']?.deeplinking"
BUNDLE = "() => fetch('/libs/app.bundle.min.js').then(response => response.text())"


def test_no_foreign_links_by_default(visit: Callable[..., Visit]) -> None:
    """Addresses of apps, which upstream fills into the configuration."""
    hosts = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/")
        seen.page.wait_for_function(LOADED)
        apps = seen.page.evaluate("JSON.stringify(APP.store.getState()['features/base/config'].deeplinking)")
        code = seen.page.evaluate(BUNDLE)
        defaults = re.findall(
            r"https://(?:jitsi\.org/meet|jitsi\.org/security|web-cdn\.jitsi\.net|jaas\.8x8\.vc)", code
        )
        hosts[variant] = {*re.findall(r"https://([\w.-]+)", apps), *defaults}

    assert {"itunes.apple.com", "play.google.com", "f-droid.org", "github.com"} < hosts["unpatched"]
    assert hosts["hardened"] == {"f-droid.org"}  # tests/e2e/test_mobile.py


@pytest.mark.parametrize("path", ["/", "/static/recommendedBrowsers.html"])
def test_pages_link_to_nobody(visit: Callable[..., Visit], path: str) -> None:
    foreign = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, path)
        if path == "/":
            seen.wait_for("#enter_room_field")
        foreign[variant] = seen.page.evaluate(
            "[ ...document.links ].filter(a => a.origin !== location.origin).map(a => a.href)"
        )

    assert foreign["unpatched"]
    assert foreign["hardened"] == []


def test_invitation_offers_the_own_mail_program_only(visit: Callable[..., Visit]) -> None:
    """The dialog is reached in a call only; its addresses are in the code or are not."""
    found = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/")
        code = seen.page.evaluate(BUNDLE)
        mail = ("mail.google.com", "outlook.office.com", "compose.mail.yahoo.com", "mailto:?subject=")
        found[variant] = [address for address in mail if address in code]

    assert len(found["unpatched"]) == 4
    assert found["hardened"] == ["mailto:?subject="]


@pytest.mark.parametrize("page", ["msredirect", "oauth", "planLimit", "whiteboard"])
def test_pages_of_third_parties_are_gone(visit: Callable[..., Visit], page: str) -> None:
    status = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/static/offline.html")
        status[variant] = seen.page.evaluate("page => fetch(`/static/${page}.html`).then(r => r.status)", page)

    assert status == {"unpatched": 200, "hardened": 404}


def test_manifest_names_no_app_of_a_store(visit: Callable[..., Visit]) -> None:
    manifest = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/static/offline.html")
        manifest[variant] = json.loads(seen.page.evaluate("() => fetch('/manifest.json').then(r => r.text())"))

    assert "related_applications" in manifest["unpatched"]
    assert not {"related_applications", "prefer_related_applications", "android_package_name"} & set(
        manifest["hardened"]
    )
    assert manifest["hardened"]["icons"] == manifest["unpatched"]["icons"]


@pytest.mark.usefixtures("xmpp")
@pytest.mark.parametrize("path", ["/HardenerTestRoom#config.subject=%22x%22", "/static/dialInInfo.html?room=x"])
def test_a_link_with_a_password_works_without_it(
    context: BrowserContext, site: Callable[[str], str], path: str
) -> None:
    """Browsers refuse each fetch() of a page whose address has a user name: translations would be missing."""
    fetched = {}
    for variant in ("unpatched", "hardened"):
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message, refused=refused: refused.append(message.text))
        page.goto(site(variant).replace("//", "//user:x@") + path)
        page.wait_for_function("() => document.querySelector('#react > *')")
        fetched[variant] = (
            page.evaluate("fetch('config.js').then(() => true, () => false)"),
            page.evaluate("document.URL"),
        )
        assert any("includes credentials" in text for text in refused) == (variant == "unpatched")

    assert fetched["unpatched"][0] is False
    assert fetched["hardened"] == (True, site("hardened") + path)
