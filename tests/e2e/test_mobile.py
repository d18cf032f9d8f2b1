"""What phones and tablets see before a meeting, and that nothing leads to a store. 'unpatched' is the control."""

from __future__ import annotations

import json
import re
import tarfile
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from support.sites import archive_of

from .conftest import PREJOIN, ROOM, ROOT, SCREENSHOTS, enter
from .test_accessibility import violations
from .test_invitations import F_DROID, IPHONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from .conftest import Visit, Xmpp

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

VARIANTS = ("unpatched", "hardened")
AGENTS = {
    "android": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
    " Mobile Safari/537.36",
    "iphone": IPHONE,
    "ipad": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
    " Safari/605.1.15",
}
# iPads say that they are a Mac; what gives them away are their fingers.
IPAD = """
Object.defineProperty(Navigator.prototype, 'platform', { get: () => 'MacIntel' });
Object.defineProperty(Navigator.prototype, 'maxTouchPoints', { get: () => 5 });
"""
STORES = re.compile(
    r"play\.google\.com|itunes\.apple\.com|apps\.apple\.com|appstore\.com|(?:market|itms(?:-apps)?)://|chromeos_play"
    r"|google-play-badge|app-store-badge|apps\.microsoft\.com|chromewebstore|chrome\.google\.com/webstore"
)
# An address that opens an app has to say where a browser goes that does not find it.
INTENT = re.compile(r"#Intent;(?:(?!end\b).){0,200}?;end\b")
LINKS = "[ ...document.querySelectorAll('a[href]') ].map(one => one.getAttribute('href'))"
PLAY = "https://play.google.com/store/apps/details?id=org.jitsi.meet"


@pytest.fixture
def agent(request: pytest.FixtureRequest) -> str:
    """Provide the device of a test that does not choose one."""
    return str(getattr(request, "param", "android"))


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any], agent: str) -> dict[str, Any]:
    """Provide a phone or tablet."""
    size = {"width": 820, "height": 1180} if agent == "ipad" else {"width": 412, "height": 860}
    return browser_context_args | {"user_agent": AGENTS[agent], "viewport": size, "is_mobile": True, "has_touch": True}


@pytest.fixture
def landing(context: BrowserContext, agent: str, visit: Callable[..., Visit], xmpp: Xmpp) -> Callable[..., Page]:
    """Open a room of a variant; wait for the page before it, or for what is named instead, through the login if need
    be.
    """
    if agent == "ipad":
        context.add_init_script(IPAD)

    def open_page(variant: str, more: str = "", wait: str = "img[src*='logo-deep-linking']") -> Page:
        seen = visit(variant, ROOM + more, login=False)
        if wait == PREJOIN:
            enter(seen.page, wait)
        seen.wait_for(wait)
        return seen.page

    return open_page


@pytest.fixture
def configure_interface(context: BrowserContext) -> Callable[..., None]:
    """Set keys of interface_config.js as an operator would."""

    def add(**keys: Any) -> None:
        context.add_init_script(
            "(keys => { let kept; Object.defineProperty(window, 'interfaceConfig', { configurable: true, get: () => kept,"
            " set: value => { kept = Object.assign(value, keys); } }); })(" + json.dumps(keys) + ")"
        )

    return add


def ours(language: str) -> dict[str, str]:
    """Return our texts in a language, or in English where it has none; as they are in the overlays."""
    folder = ROOT / "overlays" / "jitsi-meet" / "lang"
    file = folder / f"main-{language}.json"
    texts: dict[str, str] = json.loads((file if file.exists() else folder / "main.json").read_text("utf-8"))[
        "hardenedMobile"
    ]
    return texts


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("agent", AGENTS, indirect=True)
def test_the_browser_comes_first(landing: Callable[..., Page], agent: str, language: str) -> None:
    """Then, on Android, F-Droid; and nowhere a store."""
    links, first = {}, {}
    for variant in VARIANTS:
        page = landing(variant, f"?lang={language}")
        page.wait_for_function("language => document.documentElement.lang === language", arg=language)
        page.wait_for_load_state("networkidle")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{variant}-{agent}-{language}.png")
        links[variant] = page.evaluate(LINKS)
        first[variant] = page.evaluate(
            "document.querySelector('a[href], button, [role=button]').closest('a[href]') ? 'link' : 'button'"
        )
        if variant == "hardened":
            text = page.inner_text("[role=main]")
            assert (
                page.evaluate(
                    "new Set([ 'h1', ':has(> h1)' ].map(one => getComputedStyle(document.querySelector(one)).color)).size"
                )
                == 1
            )
            note = ours(language)["storeNoteAndroid" if agent == "android" else "storeNoteBrowser"]
            assert note in text
            assert [ours(language)[name] in text for name in ("fDroid", "openApp")] == [agent == "android"] * 2

    assert any(STORES.search(link) for link in links["unpatched"])
    assert first == {"unpatched": "link", "hardened": "button"}
    assert not any(STORES.search(link) for link in links["hardened"])
    assert links["hardened"][:1] == ([F_DROID] if agent == "android" else [])
    assert len(links["hardened"]) == (2 if agent == "android" else 0)


def test_landing_has_no_violation(landing: Callable[..., Page], configure: Callable[..., None]) -> None:
    """Of WCAG 2.2 AA and of best practices, with links to the operator's pages. Upstream's has."""
    configure(legalUrls={"privacy": "/privacy.html", "imprint": "/imprint.html"})
    broken = {variant: {rule for rule, _ in violations(landing(variant, "?lang=de"))} for variant in VARIANTS}

    assert {"color-contrast", "meta-viewport"} <= broken["unpatched"]
    assert broken["hardened"] == set()


@pytest.mark.parametrize("agent", AGENTS, indirect=True)
def test_the_first_button_leads_to_the_meeting(landing: Callable[..., Page]) -> None:
    page = landing("hardened")
    page.click("button")

    enter(page, PREJOIN)


def test_an_app_that_is_missing_leads_to_fdroid(landing: Callable[..., Page]) -> None:
    """Chrome opens Google's store where an address for an app names no fall-back; a link cannot plant another one."""
    planted = f"?jwt=secret.token#Intent;scheme=https;S.browser_fallback_url={PLAY};end&config.startSilent=true"
    intents = {}
    for variant in VARIANTS:
        (intents[variant],) = (link for link in landing(variant, planted).evaluate(LINKS) if link.startswith("intent:"))

    assert [word in intents["unpatched"] for word in ("secret.token", PLAY)] == [True, True]
    head, fallback = intents["hardened"].removesuffix(";end").split(";S.browser_fallback_url=")
    assert re.fullmatch(
        r"intent://127\.0\.0\.1:\d+" + ROOM + "#Intent;scheme=org.jitsi.meet;package=org.jitsi.meet", head
    )
    assert unquote(fallback) == F_DROID


OVERRIDES = [
    "config.deeplinking.disabled=false",
    f"config.deeplinking.android.downloadLink=%22{PLAY}%22&config.deeplinking.android.fDroidUrl=%22{PLAY}%22",
    "config.deeplinking.android.appPackage=%22com.evil%22&config.deeplinking.android.appScheme=%22evil%22",
    f"config.deeplinking=%7B%22android%22:%7B%22downloadLink%22:%22{PLAY}%22,%22fDroidUrl%22:%22{PLAY}%22%7D%7D",
    f"interfaceConfig.MOBILE_DOWNLOAD_LINK_ANDROID=%22{PLAY}%22&interfaceConfig.MOBILE_APP_PROMO=true",
    f"interfaceConfig.MOBILE_DOWNLOAD_LINK_F_DROID=%22{PLAY}%22&config.disableDeepLinking=false",
]


def test_no_link_brings_the_page_or_a_store_back(landing: Callable[..., Page], configure: Callable[..., None]) -> None:
    expected = landing("hardened").evaluate(LINKS)
    assert len(expected) == 2
    for override in OVERRIDES:
        assert landing("hardened", f"#{override}").evaluate(LINKS) == expected, override

    configure(deeplinking={"disabled": True})
    for override in OVERRIDES:
        landing("hardened", f"#{override}", wait=PREJOIN)
    landing("unpatched", f"#{OVERRIDES[0]}")  # there it comes back


@pytest.mark.parametrize("promo", [True, False])
def test_no_link_to_a_store_where_one_is_configured(
    landing: Callable[..., Page],
    configure: Callable[..., None],
    configure_interface: Callable[..., None],
    promo: bool,
) -> None:
    """Neither by config.js, nor by an older interface_config.js, whose 'no promotion' meant 'not on phones'
    upstream.
    """
    configure(deeplinking={"android": {"downloadLink": PLAY}})
    configure_interface(MOBILE_APP_PROMO=promo)
    page = landing("hardened")

    assert not any(STORES.search(link) for link in page.evaluate(LINKS))
    page.get_by_test_id("hardener.joinInBrowser").wait_for()
    if not promo:
        landing("unpatched", wait=".no-mobile-app")


def test_apps_come_from_fdroid_or_not_at_all(
    landing: Callable[..., Page],
    visit: Callable[..., Visit],
    configure: Callable[..., None],
    configure_interface: Callable[..., None],
) -> None:
    """An operator who empties F-Droid's address has no link to an app anywhere; the welcome page has no other badge."""
    configure_interface(DISPLAY_WELCOME_FOOTER=True)
    badges, links = {}, {}
    for variant in VARIANTS:
        badges[variant] = _badges(visit(variant, "/"))
    configure(deeplinking={"android": {"fDroidUrl": ""}})
    for variant in VARIANTS:
        links[variant] = [link for link in landing(variant).evaluate(LINKS) if link.startswith("intent:")]
    off = _badges(visit("hardened", "/"))

    assert badges == {"unpatched": ["app-store", "google-play", "f-droid"], "hardened": ["f-droid"]}
    assert [len(links[variant]) for variant in VARIANTS] == [1, 0]
    assert off == []
    assert landing("hardened").evaluate(LINKS) == []


def _badges(seen: Visit) -> list[str]:
    """Return the badges in the footer of the welcome page, as they are called in the names of their pictures."""
    seen.page.wait_for_selector(".welcome-badge", state="attached")
    names = seen.page.evaluate(
        "[ ...document.querySelectorAll('.welcome-badge') ].filter(one => one.checkVisibility())"
        ".map(one => one.querySelector('img').getAttribute('src'))"
    )
    return [re.sub(r".*/|-badge\.png", "", name) for name in names]


def _stores(files: Iterator[tuple[str, str]]) -> set[str]:
    """Return files that point to a store, or hold an address for an app without a fall-back."""
    return {
        name
        for name, text in files
        if STORES.search(name)
        or STORES.search(text)
        or any("S.browser_fallback_url=" not in link for link in INTENT.findall(text))
    }


def _archived(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file:
                yield member.name.removeprefix("./"), file.read().decode("latin-1")


@pytest.mark.usefixtures("cache_home")
def test_no_built_file_points_to_a_store() -> None:
    """Every file of the archive, with texts planted as control."""
    planted = {
        "play": PLAY,
        "apple": "https://apps.apple.com/app/id1165103905",
        "market": "market://details?id=org.jitsi.meet",
        "manifest": '{"related_applications": [{"platform": "chromeos_play"}]}',
        "intent": "`intent://${url}#Intent;scheme=${scheme};package=${name};end`",
        "images/google-play-badge.png": "",
    }
    fine = {"intent": "`intent:${room}#Intent;scheme=${s};package=${p};`+`S.browser_fallback_url=${f};end`"}

    assert _stores(iter(planted.items())) == set(planted)
    assert _stores(iter(fine.items())) == set()
    assert {"libs/app.bundle.min.js", "manifest.json"} <= _stores(_archived(archive_of("unpatched")))
    assert _stores(_archived(archive_of("hardened"))) == set()


@pytest.mark.usefixtures("cache_home")
def test_what_we_say_about_store_apps_was_checked_at_this_pin() -> None:
    """docs/privacy.md names the files that the claim rests on, as they were when a person read them."""
    table = re.findall(
        r"^\| `((?:android|ios)/\S+)` \| `([0-9a-f]{40})` \|",
        (ROOT / "docs/privacy.md").read_text("utf-8"),
        re.MULTILINE,
    )
    (component,) = (part for part in config.load(ROOT).components if part.name == "jitsi-meet")
    mirror = mirror_of(component)
    if not mirror.exists() or Repository(mirror).commit(component.commit) is None:
        pytest.skip(f"{mirror} does not hold the pin: run 'make build'")
    checked = dict(table)
    assert len(checked) == 3
    for path, blob in checked.items():
        now = Repository(mirror).output("rev-parse", f"{component.commit}:{path}").strip()
        assert now == blob, f"{path} is another one: read it, and say in docs/privacy.md what holds now"
