"""What the login page and the welcome page show of the operator, and that only config.js decides about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from .conftest import LOGIN, PREJOIN, ROOM, SCREENSHOTS, Visit, Xmpp, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

NAME = "Advice Centre Springfield"
LEGAL = '[data-testid="hardener.legal"] a'
OPERATOR = '[data-testid="personal-login.operator"]'
HELP = '[data-testid="personal-login.help"]'
SETTINGS: dict[str, Any] = {
    "operator": {"name": NAME, "logo": "images/watermark.svg"},
    "legalUrls": {
        "privacy": "https://privacy.invalid/notice",
        "imprint": "/imprint.html",
        "accessibility": "static/accessibility.html",
    },
    "personalLogin": {"help": "desk@example.org"},
}
LINKS = """selector => [ ...document.querySelectorAll(selector) ].map(
    link => [ link.textContent, link.href.replace(location.origin, ''), link.target, link.rel ])"""


def _links(page: Page, selector: str = LEGAL) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(LINKS, selector)
    return found


def _login(visit: Callable[..., Visit], more: str = "") -> Visit:
    seen = visit("hardened", ROOM + more, login=False)
    seen.wait_for(LOGIN)
    return seen


def test_operator_is_named_and_linked_before_the_login(
    visit: Callable[..., Visit], configure: Callable[..., None]
) -> None:
    """On the login page and on the welcome page. Nothing of it is asked for before a person clicks."""
    new = ["_blank", "noopener noreferrer"]
    expected = [
        ["Legal notice", "/imprint.html", *new],
        ["Privacy notice", "https://privacy.invalid/notice", *new],
        ["Accessibility", "/static/accessibility.html", *new],
    ]
    configure(**SETTINGS)
    seen = _login(visit)
    assert _links(seen.page) == expected
    assert seen.page.inner_text(OPERATOR).strip() == NAME
    assert seen.page.evaluate(f"document.querySelector('{OPERATOR} img').naturalWidth") > 0
    assert seen.page.get_attribute(f"{OPERATOR} img", "alt") == ""
    assert _links(seen.page, f"{HELP} a") == [["desk@example.org", "mailto:desk@example.org", *new]]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    seen.page.screenshot(path=SCREENSHOTS / "login-operator.png")

    welcome = visit("hardened", "/")
    welcome.wait_for("#enter_room_field")
    assert _links(welcome.page) == expected
    # The page is full: there is no blank part below the header, and nothing to scroll.
    assert welcome.page.evaluate(
        "() => document.querySelector('#welcome_page > :last-child').getBoundingClientRect().bottom === innerHeight"
        " && document.querySelector('.header').getBoundingClientRect().height > 0.8 * innerHeight"
    )
    welcome.page.screenshot(path=SCREENSHOTS / "welcome-operator.png")
    assert seen.foreign == welcome.foreign == []


OUT_OF_VIEW = """([ login, scroll ]) => {
    const page = document.querySelector(login);

    return [ ...page.querySelectorAll('img, h1, input, select, button, a') ].filter(element => {
        scroll && element.scrollIntoView({ block: 'center' });
        const { bottom, left, right, top } = element.getBoundingClientRect();

        return top < 0 || left < 0 || bottom > innerHeight || right > innerWidth || page.scrollWidth > page.clientWidth;
    }).map(element => element.outerHTML.slice(0, 80));
}"""


def test_nothing_of_the_login_page_is_cut_off(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    """In German: all of it at once on the screen of a laptop, and on small screens by scrolling down only."""
    configure(**SETTINGS)
    page = _login(visit, "?lang=de").page
    page.wait_for_selector("text=Barrierefreiheit")
    cut = {}
    for width, height in ((1920, 1080), (1366, 625), (1280, 720), (800, 360), (320, 568), (320, 256)):
        page.set_viewport_size({"width": width, "height": height})
        if found := page.evaluate(OUT_OF_VIEW, [LOGIN, height < 600]):
            cut[width, height] = found

    assert cut == {}


def test_a_white_logo_is_seen_in_forced_colours(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    """It keeps the dark background that it is made for; the page gets the reader's."""
    configure(**SETTINGS)
    page = _login(visit).page
    background = "selector => getComputedStyle(document.querySelector(selector)).backgroundColor"
    dark = page.evaluate(background, LOGIN)
    page.emulate_media(forced_colors="active")

    assert page.evaluate(background, f"{OPERATOR} img") == dark
    assert page.evaluate(background, LOGIN) != dark


def test_nothing_is_shown_where_nothing_is_configured(visit: Callable[..., Visit]) -> None:
    seen = _login(visit)
    assert [seen.page.query_selector(selector) for selector in (LEGAL, OPERATOR, HELP)] == [None] * 3


WRONG: list[list[Any]] = [
    ["javascript:alert(1)", " JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x"],
    ["vbscript:x", "file:///etc/passwd", "blob:https://x.invalid/1", "http://["],
    [7, True, None, {"a": 1}],
    [[], ["https://x.invalid"], "", "about:blank"],
]


@pytest.mark.parametrize("values", WRONG, ids=["scripts", "schemes", "types", "lists"])
def test_a_wrong_setting_makes_no_link_and_stops_nothing(
    visit: Callable[..., Visit], configure: Callable[..., None], values: list[Any]
) -> None:
    pages = dict(zip(("privacy", "imprint", "accessibility", "terms"), values, strict=True))
    configure(
        operator={"name": values[2], "logo": values[0]},
        legalUrls=pages,
        personalLogin={"help": {"text": "Ask us", "url": values[1]}},
    )
    seen = _login(visit)

    assert _links(seen.page) == []
    assert _links(seen.page, f"{LOGIN} a") == []
    assert seen.page.query_selector(f"{OPERATOR} img") is None
    assert seen.page.inner_text(HELP) == "No account? Ask us"
    assert seen.page.query_selector("#personal-login-user")
    assert seen.foreign == []


@pytest.mark.parametrize("value", [None, 7, "x", ["https://x.invalid"]], ids=repr)
def test_a_setting_that_is_no_table_stops_nothing(
    visit: Callable[..., Visit], configure: Callable[..., None], value: Any
) -> None:
    configure(operator=value, legalUrls=value, personalLogin=value)
    seen = _login(visit)

    assert _links(seen.page, f"{LOGIN} a") == []
    assert seen.page.query_selector("#personal-login-user")


@pytest.mark.parametrize("logo", ["https://logo.invalid/a.png", "//logo.invalid/a.png", "data:image/gif;base64,AA=="])
def test_logo_of_another_origin_is_not_loaded(
    visit: Callable[..., Visit], configure: Callable[..., None], logo: str
) -> None:
    configure(operator={"name": NAME, "logo": logo})
    seen = _login(visit)
    seen.come_to_rest()

    assert seen.page.query_selector(f"{OPERATOR} img") is None
    assert seen.page.inner_text(OPERATOR) == NAME
    assert seen.foreign == []


@pytest.mark.parametrize(
    ("given", "text", "href"),
    [
        ("Ask the front desk: room 7", "Ask the front desk: room 7", None),
        ("mailto:desk@example.org?subject=Account", "desk@example.org", "mailto:desk@example.org?subject=Account"),
        ("https://help.invalid/account", "help.invalid/account", "https://help.invalid/account"),
        ({"text": "Front desk", "url": "tel:+49301234"}, "Front desk", "tel:+49301234"),
        ({"text": "Front desk"}, "Front desk", None),
        ({"url": "desk@example.org"}, "desk@example.org", "mailto:desk@example.org"),
        ("javascript:alert(1)", "javascript:alert(1)", None),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>", None),
    ],
)
def test_help_is_a_text_or_a_link(
    visit: Callable[..., Visit], configure: Callable[..., None], given: Any, text: str, href: str | None
) -> None:
    configure(personalLogin={"help": given})
    seen = _login(visit)

    assert seen.page.inner_text(HELP) == f"No account? {text}"
    assert [link[:2] for link in _links(seen.page, f"{HELP} a")] == ([[text, href]] if href else [])


def test_a_link_sets_nothing_of_the_operator(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    """Neither whole keys nor single values, before and instead of those of config.js."""
    evil = {"name": "Evil", "logo": "images/avatar.png"}
    wanted = {
        "operator": evil,
        "operator.name": "Evil",
        "legalUrls": {"privacy": "/evil"},
        "legalUrls.privacy": "/evil",
        "personalLogin": {"help": "Evil"},
        "personalLogin.help": "Evil",
    }
    fragment = "#" + "&".join(f"config.{key}={quote(json.dumps(value))}" for key, value in wanted.items())
    bare = _login(visit, fragment)
    assert [bare.page.query_selector(selector) for selector in (LEGAL, OPERATOR, HELP)] == [None] * 3

    configure(**SETTINGS)
    seen = _login(visit, fragment)
    assert "Evil" not in seen.page.inner_text(LOGIN)
    assert len(_links(seen.page)) == 3


def test_language_is_chosen_on_the_login_page(visit: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Each language by its own name; what is typed stays, and the choice holds for the meeting."""
    seen = _login(visit, "?lang=en")
    page = seen.page
    page.fill("#personal-login-user", "alice")
    choice = page.get_by_label("Language", exact=True)
    assert len(choice.locator("option").all()) > 40
    choice.select_option(label="Deutsch")
    page.wait_for_selector("text=Benutzername")
    assert page.input_value("#personal-login-user") == "alice"
    sign_in(page)
    seen.wait_for(PREJOIN)
    page.wait_for_selector("h1:has-text('Konferenz beitreten')")


def test_room_is_named_as_it_was_typed(visit: Callable[..., Visit]) -> None:
    seen = visit("hardened", "/Team_2026-AbC", login=False)
    seen.wait_for(LOGIN)
    assert "“Team_2026-AbC”" in seen.page.inner_text(LOGIN)


@pytest.mark.parametrize(("account", "proposed"), [("alice", "alice"), ("alice@127.0.0.1", "alice")])
def test_account_name_is_proposed_before_the_meeting(
    visit: Callable[..., Visit], xmpp: Xmpp, account: str, proposed: str
) -> None:
    """Not what is behind an "@": it may be an e-mail address, and the others in the room would read it."""
    seen = _login(visit)
    sign_in(seen.page, user=account)
    seen.wait_for(PREJOIN)
    assert seen.page.input_value("#premeeting-name-input") == proposed
