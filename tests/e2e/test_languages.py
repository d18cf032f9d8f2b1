"""In which language the page speaks, and in which direction. 'unpatched' is the control."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import LOGIN, SCREENSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Route

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
TEXTS = Path(__file__).parents[2] / "overlays" / "jitsi-meet" / "lang"
OURS = ["ar", "cs", "de", "en", "es", "fa", "fr", "it", "nl", "pl", "ro", "ru", "tr", "uk"]
WELCOME = "#enter_room_button"
SPEAKS = "() => document.documentElement.lang"
# index.html claims English until the texts have come: without that claim, the one that comes is the page's own.
LANGUAGES = """languages => {
    new MutationObserver((_, observer) => {
        document.documentElement.removeAttribute('lang');
        observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
    Object.defineProperty(Navigator.prototype, 'languages', { get: () => Object.freeze(languages.slice()) });
    Object.defineProperty(Navigator.prototype, 'language', { get: () => languages[0] ?? '' });
}"""

# What a browser reports, and what its page is to speak. Upstream takes exact names only.
READERS = {
    "de-DE": "de", "de-AT": "de", "de_CH": "de", "DE-de": "de", "de-DE-1996": "de", "fr-FR": "fr", "tr-TR": "tr",
    "fr-CA": "fr-CA", "FR_ca": "fr-CA", "es-US": "es-US", "es-MX": "es", "pt-BR": "pt-BR", "pt-PT": "pt", "pt-AO": "pt",
    "zh": "zh-CN", "zh-Hant": "zh-TW", "zh-HK": "zh-TW", "zh-Hans-CN": "zh-CN", "zh-Hans-TW": "zh-CN", "zh-tw": "zh-TW",
    "nb-NO": "nb", "nn-NO": "no", "no": "no", "iw-IL": "he", "he-IL": "he", "ar-EG": "ar", "fa-IR": "fa", "en-GB": "en",
    "xx,de-DE": "de", "de-DE,en-US,en": "de", "en-US,de": "en", "xx-YY": "en", "": "en", "__proto__,uk-UA": "uk",
}  # fmt: skip


def ours(language: str) -> dict[str, str]:
    """Return our texts of the login page in a language."""
    file = TEXTS / ("main.json" if language == "en" else f"main-{language}.json")
    texts: dict[str, str] = json.loads(file.read_text())["personalLogin"]
    return texts


@pytest.fixture(scope="module")
def common(browser: Browser) -> Iterator[BrowserContext]:
    """Provide a context for readers who leave nothing behind: its process keeps what it has compiled."""
    with browser.new_context() as context:
        yield context


@pytest.fixture
def reader(
    cache_home: Path, browser: Browser, common: BrowserContext, site: Callable[[str], str]
) -> Iterator[Callable[..., Page]]:
    """Open a path of a variant in a browser without a past, which reports these languages."""
    contexts: list[BrowserContext] = []
    pages: list[Page] = []

    def come(variant: str, path: str, *languages: str, **stored: str) -> Page:
        address = site(variant)
        context = common
        if stored or variant != "hardened":
            context = browser.new_context()
            contexts.append(context)
        if stored:
            page = context.new_page()
            page.goto(f"{address}/static/offline.html")
            page.evaluate("stored => Object.assign(localStorage, stored)", stored)
            page.close()
        page = context.new_page()
        page.add_init_script(f"({LANGUAGES})({json.dumps(languages)})")
        page.goto(address + path)
        page.wait_for_function(SPEAKS)
        if context is common:
            pages.append(page)
        return page

    yield come
    for context in contexts:
        context.close()
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    common.clear_cookies()


def spoken(page: Page) -> Any:
    """Return the language that the document claims."""
    return page.evaluate(SPEAKS)


def test_the_page_speaks_the_readers_language(
    reader: Callable[..., Page], browser: Browser, site: Callable[[str], str]
) -> None:
    """Of several, the first that there is; a region or a script where there is one, the base language otherwise."""
    assert [spoken(reader("unpatched", "/", *languages.split(","))) for languages in ("de-DE", "de-DE,en")] == [
        "en",
        "en",
    ]

    heard = {}
    with browser.new_context() as context:  # one cache for all: nothing else is kept from one reader to the next
        for names in READERS:
            page = context.new_page()
            page.add_init_script(f"({LANGUAGES})({json.dumps([*filter(None, names.split(','))])})")
            page.goto(site("hardened") + "/")
            page.wait_for_function(SPEAKS)
            heard[names] = spoken(page)
            assert page.evaluate("localStorage.length") == 0
            page.close()

    assert heard == READERS


@pytest.mark.parametrize(
    ("name", "language"),
    [("de-DE", "de"), ("DE_at", "de"), ("zh-HK", "zh-TW"), ("pt-BR", "pt-BR"), ("../../x", "tr"), ("xx", "tr")],
)
def test_a_link_may_name_a_region(reader: Callable[..., Page], name: str, language: str) -> None:
    """A value that is not a language leaves the choice to the browser."""
    assert spoken(reader("hardened", f"/?lang={name}", "tr-TR")) == language


def test_the_default_of_the_configuration_may_name_a_region(
    reader: Callable[..., Page], browser: Browser, site: Callable[[str], str]
) -> None:
    """It speaks where the browser's languages do not exist, and only there."""
    default = "let kept; Object.defineProperty(window, 'config', { configurable: true, get: () => kept,"
    default += " set: value => { kept = Object.assign(value, { defaultLanguage: 'fr-BE' }); } });"
    heard = []
    for languages in (["xx"], ["tr-TR"]):
        with browser.new_context() as context:
            context.add_init_script(default)
            context.add_init_script(f"({LANGUAGES})({json.dumps(languages)})")
            page = context.new_page()
            page.goto(site("hardened") + "/")
            page.wait_for_function(SPEAKS)
            heard.append(spoken(page))

    assert heard == ["fr", "tr"]


def test_only_a_choice_is_remembered(reader: Callable[..., Page]) -> None:
    """Upstream stores what it has detected; the English that it came to by mistake would stay for ever."""
    stored = "() => ({ ...localStorage })"
    assert spoken(reader("unpatched", "/", "de-DE", "de", language="en")) == "en"

    page = reader("hardened", "/", "de-DE", language="en")
    assert (spoken(page), page.evaluate(stored)) == ("de", {})
    page = reader("hardened", "/", "de-DE", chosenLanguage="en")
    assert (spoken(page), page.evaluate(stored)) == ("en", {"chosenLanguage": "en"})


@pytest.mark.parametrize("language", OURS)
def test_the_login_page_speaks_our_languages(reader: Callable[..., Page], language: str) -> None:
    """Each text of ours, and the title; nothing in English between, and no name of a text in place of it."""
    page = reader("hardened", f"{ROOM}?lang={language}")
    page.wait_for_selector(LOGIN)
    texts = ours(language)
    shown = page.inner_text(LOGIN)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"login-{language}.png")

    assert [key for key in ("title", "user", "password", "showPassword", "submit") if texts[key] not in shown] == []
    beginning = texts["explain"].split("{{")[0].strip()
    assert beginning in shown
    assert not re.search(r"personalLogin|\{\{", shown)
    assert page.title().startswith(f"{texts['title']} | ")
    assert spoken(page) == language
    assert page.evaluate("() => document.documentElement.dir") == ("rtl" if language in {"ar", "fa"} else "ltr")
    assert page.locator(f"{LOGIN} [lang]:not(option)").count() == 0


@pytest.mark.parametrize(
    ("language", "direction", "marks"),
    [("hu", "ltr", [["en", "ltr"]]), ("he", "rtl", [["en", "ltr"]]), ("fr-CA", "ltr", [])],
)
def test_texts_that_are_not_translated_are_marked_as_english(
    reader: Callable[..., Page], language: str, direction: str, marks: list[list[str]]
) -> None:
    """And read from left to right on a page that is not; French is at home on a page in Canadian French."""
    page = reader("hardened", f"{ROOM}?lang={language}")
    page.wait_for_selector(LOGIN)

    assert [spoken(page), page.evaluate("() => document.documentElement.dir")] == [language, direction]
    assert page.evaluate("() => [ ...document.querySelectorAll('[data-testid=\"personal-login\"] [lang]:not(option)') ]"
                         ".map(one => [ one.lang, one.dir ])") == marks  # fmt: skip
    if marks:
        assert page.locator(f'{LOGIN} [lang="en"]', has_text=ours("en")["title"]).count() == 1


def test_the_direction_follows_the_language(reader: Callable[..., Page]) -> None:
    """At the start, and when another one is chosen in the settings."""
    direction = "() => document.documentElement.dir"
    assert reader("unpatched", "/?lang=ar").evaluate(direction) == ""

    page = reader("hardened", "/?lang=ar")
    page.wait_for_selector(WELCOME)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "welcome-ar.png")
    assert page.evaluate(direction) == "rtl"
    page.click(".welcome-page-settings [role=button]")
    page.click("#dialogtab-button-more_tab")
    page.select_option("#more-language-select", "de")
    page.click("#modal-dialog-ok-button")
    page.wait_for_function("() => document.documentElement.lang === 'de'")

    assert page.evaluate(direction) == "ltr"


def test_a_slow_line_shows_no_other_language_first(
    browser: Browser, site: Callable[[str], str], cache_home: Path
) -> None:
    """The texts of the language are held back: upstream renders in English meanwhile, we render once they are there."""
    record = """() => {
        window.shown = [];
        new MutationObserver(() => {
            const text = document.querySelector('#enter_room_button, [data-testid="personal-login.submit"]')?.textContent;
            text && shown.at(-1) !== text && shown.push(text);
        }).observe(document, { childList: true, subtree: true, characterData: true });
    }"""
    started = "() => window.APP?.store?.getState()['features/base/config'].hosts"
    shown = {}
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for variant, path in (("unpatched", "/"), ("hardened", "/"), ("hardened", ROOM)):
        held.clear()
        with browser.new_context() as context:
            context.add_init_script(f"({record})()")
            context.route("**/lang/main-de.json*", hold)
            page = context.new_page()
            page.goto(f"{site(variant)}{path}?lang=de")
            page.wait_for_function(started)
            if variant == "unpatched":
                page.wait_for_selector(WELCOME)
            else:
                page.evaluate("() => new Promise(done => requestIdleCallback(done))")
                assert page.query_selector(f"{WELCOME}, {LOGIN}") is None
            for route in held:
                route.continue_()
            page.wait_for_function("() => document.documentElement.lang === 'de'")
            page.wait_for_selector(f"{WELCOME}, {LOGIN}")
            shown[variant, path] = page.evaluate("shown")
            if path == ROOM:
                assert page.title().startswith(f"{ours('de')['title']} | ")

    assert shown["unpatched", "/"][0] == "Start meeting"
    assert shown["hardened", "/"] == ["Konferenz starten"]
    assert shown["hardened", ROOM] == [ours("de")["submit"]]
