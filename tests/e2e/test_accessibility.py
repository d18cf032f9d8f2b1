"""Accessibility (WCAG 2.2 AA) of our pages, and of upstream's worst faults. axe-core, and what it cannot see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from hardener.proof.xmpp.stub import Door

from .conftest import LOGIN, PREJOIN, ROOM, SCREENSHOTS, Visit, Xmpp, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Page

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PROBLEM = '[data-testid="personal-login.problem"]'
STATUS = '[data-testid="personal-login.status"]'
SUBMIT = '[data-testid="personal-login.submit"]'
SIGN_OUT = '[data-testid="personal-login.sign-out"]'
NAME = "#premeeting-name-input"
WIDE = {"width": 1280, "height": 720}
SMALL = {"width": 320, "height": 256}  # 1280 x 1024 at 400 %
SETTINGS: dict[str, Any] = {
    "operator": {"name": "Advice Centre", "logo": "images/watermark.svg"},
    "legalUrls": {"privacy": "/privacy.html", "imprint": "/imprint.html", "accessibility": "/accessibility.html"},
    "personalLogin": {"help": "desk@example.org"},
}

# Violations of upstream's on pages that are upstream's: rule, a part of the element, and why it is still there. An
# entry that
# fits nothing any more fails the test.
REVIEWED: dict[str, dict[tuple[str, str], str]] = {
    "welcome": {},
    "prejoin": {
        (
            "heading-order",
            'aria-level="3" role="heading"',
        ): "the state of the devices is no heading; a change of the structure",
        ("nested-interactive", "prejoin.joinMeeting"): "the arrow is inside the button; a change of the structure",
        ("target-size", "Audio settings"): "16 pixels beside the microphone; a change of the layout",
        ("target-size", "Video settings"): "16 pixels beside the camera; a change of the layout",
    },
    "invite dialog": {},
    "settings": {
        ("aria-required-children", 'role="tablist"'): "the heading is in the list of tabs; a change of the structure"
    },
    "dialInInfo": {("page-has-heading-one", "<html"): "a best practice only; a page without a room has one sentence"},
}


def violations(page: Page) -> list[tuple[str, str]]:
    """Let axe-core look at a page; return each rule that is broken, with the element."""
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    result = Axe().run(page, options=options)
    return [(rule["id"], node["html"][:160]) for rule in result.response["violations"] for node in rule["nodes"]]


def _judge(page: Page, where: str) -> None:
    """Compare what axe-core finds with the reviewed list of a page."""
    # A dialog that fades in has less contrast until it is there.
    page.wait_for_function(
        """() => document.getAnimations().every(({ effect, playState }) =>
            playState !== 'running' || effect.getComputedTiming().endTime === Infinity)"""
    )
    reviewed = REVIEWED[where]
    found = violations(page)
    new = [(rule, html) for rule, html in found if not any(rule == r and part in html for r, part in reviewed)]
    gone = [(r, part) for r, part in reviewed if not any(rule == r and part in html for rule, html in found)]

    assert (new, gone) == ([], [])


def _login(visit: Callable[..., Visit], more: str = "") -> Visit:
    seen = visit("hardened", ROOM + more, login=False)
    seen.wait_for(LOGIN)
    return seen


def _sign_in_and_out(page: Page) -> None:
    sign_in(page)
    page.click(SIGN_OUT)
    page.wait_for_selector(f"{STATUS}:not(:empty)")


def _in_view(page: Page, selector: str) -> bool:
    """Return whether an element is wholly in the window, and nothing covers its middle."""
    inside: bool = page.evaluate(
        """selector => {
            const element = document.querySelector(selector);
            const { bottom, left, right, top } = element.getBoundingClientRect();
            const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return top >= 0 && left >= 0 && Math.floor(bottom) <= innerHeight && Math.floor(right) <= innerWidth
                && element.contains(hit);
        }""",
        selector,
    )
    return inside


def _contrast(page: Page, selector: str) -> float:
    """Return the contrast of an element's text with its own background."""
    ratio: float = page.evaluate(
        """selector => {
            const style = getComputedStyle(document.querySelector(selector));
            const light = color => {
                const [ r, g, b ] = color.match(/[\\d.]+/g).map(Number).map(
                    one => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const [ a, b ] = [ style.color, style.backgroundColor ].map(light).sort((x, y) => x - y);
            return (b + 0.05) / (a + 0.05);
        }""",
        selector,
    )
    return ratio


# axe-core on our pages


@pytest.mark.parametrize("language", ["de", "en", "ar"])
def test_login_page_has_no_violation(
    visit: Callable[..., Visit], configure: Callable[..., None], xmpp: Xmpp, language: str
) -> None:
    """Idle, signed out, refused, and busy; the planted fault is found."""
    configure(**SETTINGS)
    seen = _login(visit, f"?lang={language}")
    page = seen.page
    found = {"idle": violations(page)}

    _sign_in_and_out(page)
    found["signed out"] = violations(page)

    sign_in(page, password="wrong")
    page.wait_for_selector(f"{PROBLEM}:not(:empty)")
    found["refused"] = violations(page)

    xmpp.door = Door(silent=True)
    sign_in(page)
    page.wait_for_selector(f"{STATUS}:not(:empty)")
    found["busy"] = violations(page)

    page.evaluate("() => document.querySelector('form').append(document.createElement('input'))")
    planted = violations(page)

    assert found == {key: [] for key in found}
    assert "label" in {rule for rule, _ in planted}


def test_login_page_of_a_server_that_is_down_has_no_violation(
    visit: Callable[..., Visit], context: BrowserContext
) -> None:
    context.route_web_socket(re.compile("xmpp-websocket"), lambda socket: socket.close(code=1011))
    seen = _login(visit)
    sign_in(seen.page)
    seen.wait_for(f"{PROBLEM}:not(:empty)")

    assert violations(seen.page) == []


@pytest.mark.parametrize("gateway", ["https://gateway.invalid/{room}", None])
def test_login_page_for_tokens_has_no_violation(
    visit: Callable[..., Visit], configure: Callable[..., None], gateway: str | None
) -> None:
    configure(personalLogin={"mode": "token"}, tokenAuthUrl=gateway)
    assert violations(_login(visit).page) == []


@pytest.mark.parametrize("name", ["404", "close", "close2", "dialInInfo", "offline", "recommendedBrowsers"])
def test_static_page_has_no_violation_and_fits(visit: Callable[..., Visit], name: str) -> None:
    """In a language, with a title of its own, at 1280 pixels and at 400 %. Upstream's has faults, except for its
    React page.
    """
    path = f"/static/{name}.html"
    seen = visit("hardened", path)
    seen.wait_for("main, #react > *")
    page = seen.page
    assert page.get_attribute("html", "lang") == "en"
    for size in (WIDE, SMALL):
        page.set_viewport_size(size)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    if name == "dialInInfo":
        _judge(page, name)
    else:
        assert violations(page) == []
        assert page.locator("main h1").count() == 1
        assert page.locator("main [lang=de]").inner_text()
        assert page.title() not in {"", "Jitsi Meet"}

        control = visit("unpatched", path)
        assert {"html-has-lang", "landmark-one-main"} <= {rule for rule, _ in violations(control.page)}


def test_page_without_scripts_says_so_in_english_and_german(visit: Callable[..., Visit]) -> None:
    """To everybody: upstream hides it from screen readers, and keeps phones from zooming."""
    text = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/static/offline.html", login=False)
        text[variant] = str(seen.page.evaluate("() => fetch('/').then(response => response.text())"))
    ours = text["hardened"]
    notice = re.search(r"<noscript>(.*?)</noscript>", ours, re.DOTALL)

    assert notice
    assert "JavaScript is disabled" in notice[1]
    assert '<p lang="de">JavaScript ist deaktiviert' in notice[1]
    assert '<html lang="en"' in ours
    for fault in ("maximum-scale", '<noscript aria-hidden="true">'):
        assert fault in text["unpatched"]
        assert fault not in ours


# axe-core on upstream's pages that people see on their way into a meeting


@pytest.mark.full_browser  # the arrow beside the camera is another element in the shell
def test_pages_of_upstream_have_reviewed_violations_only(
    visit: Callable[..., Visit], configure: Callable[..., None], xmpp: Xmpp
) -> None:
    configure(**SETTINGS)
    welcome = visit("hardened", "/")
    welcome.wait_for("#enter_room_field")
    welcome.come_to_rest()
    _judge(welcome.page, "welcome")

    seen = visit("hardened", ROOM)
    seen.wait_for(PREJOIN)
    seen.wait_for('[role="heading"][aria-level="3"]')
    seen.come_to_rest()
    page = seen.page
    _judge(page, "prejoin")

    page.click('[aria-label="Invite people"]')
    page.wait_for_selector('[role="dialog"]')
    _judge(page, "invite dialog")
    page.keyboard.press("Escape")
    page.wait_for_selector('[role="dialog"]', state="detached")

    page.click('[aria-label="Open settings"]')
    page.wait_for_selector('[role="dialog"] [role="tab"]')
    page.click('[role="tab"]:has-text("Profile")')
    page.wait_for_selector('[role="tab"][aria-selected="true"]:has-text("Profile")')
    _judge(page, "settings")


# What axe-core cannot see


@pytest.mark.parametrize(
    "selector", ["#personal-login-user", "#personal-login-password", SUBMIT, "#personal-login-language"]
)
def test_focus_is_visible_in_forced_colours(
    visit: Callable[..., Visit], configure: Callable[..., None], selector: str
) -> None:
    """Forced colours drop shadows and backgrounds: a focus ring has to be an outline, a button needs a border."""
    configure(**SETTINGS)
    page = _login(visit).page
    page.emulate_media(forced_colors="active")
    page.keyboard.press("Tab")  # from here on, the focus is one of the keyboard
    page.focus(selector)
    style = (
        "selector => { const { outlineStyle, outlineWidth, borderTopStyle } = getComputedStyle(document.querySelector(selector));\
        return [ outlineStyle, outlineWidth, borderTopStyle ]; }"
    )

    assert page.evaluate(style, selector) == ["solid", "2px", "solid"]
    page.focus(SUBMIT if selector != SUBMIT else "#personal-login-user")
    assert page.evaluate(style, selector)[0] == "none"


def test_everything_before_a_meeting_can_be_reached_at_400_percent(visit: Callable[..., Visit]) -> None:
    """Signing out, the name, and the button to join: each is seen when it has the focus. Upstream's column is cut
    off.
    """
    seen = visit("hardened", ROOM)
    seen.wait_for(PREJOIN)
    page = seen.page
    page.set_viewport_size(SMALL)
    hidden = []
    for selector in (SIGN_OUT, NAME, PREJOIN):
        page.focus(selector)
        page.evaluate("selector => document.querySelector(selector).scrollIntoView({ block: 'center' })", selector)
        if not _in_view(page, selector):
            hidden.append(selector)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "prejoin-400-percent.png")

    assert hidden == []


def test_a_refusal_is_in_view_at_400_percent(visit: Callable[..., Visit], xmpp: Xmpp) -> None:
    """Beside the field that has the focus."""
    page = _login(visit).page
    page.set_viewport_size(SMALL)
    sign_in(page, password="wrong")
    page.wait_for_selector(f"{PROBLEM}:not(:empty)")
    page.wait_for_function("() => document.activeElement.id === 'personal-login-password'")

    assert _in_view(page, PROBLEM)
    assert _in_view(page, "#personal-login-password")


def test_a_notice_is_read_with_the_field_that_has_the_focus(visit: Callable[..., Visit], xmpp: Xmpp) -> None:
    """It is there when the page opens: a live region alone announces changes only."""
    page = _login(visit).page
    assert page.get_attribute("#personal-login-user", "aria-describedby") is None
    _sign_in_and_out(page)
    page.wait_for_function("() => document.activeElement.matches('input')")
    described = page.evaluate("document.activeElement.getAttribute('aria-describedby')")

    assert page.inner_text(f"#{described}") == "You have been signed out."


def test_text_of_twice_the_size_stays_in_the_card(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    configure(**SETTINGS)
    page = _login(visit, "?lang=de").page
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    overflowing = page.evaluate(
        """login => [ ...document.querySelectorAll(`${login} *`) ]
            .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
            .map(one => one.outerHTML.slice(0, 80))""",
        LOGIN,
    )
    box = page.evaluate("() => document.querySelector('form [type=checkbox]').offsetWidth")

    assert overflowing == []
    assert box >= 40


# Upstream's faults that a patch removes; 'unpatched' is the control


def test_buttons_and_links_have_enough_contrast(visit: Callable[..., Visit]) -> None:
    """The primary button of upstream's, at rest and under the pointer; links, on their dark background."""
    measured = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM)
        seen.wait_for(PREJOIN)
        measured[variant] = [_contrast(seen.page, PREJOIN)]
        welcome = visit(variant, "/")
        welcome.wait_for("#enter_room_button")
        welcome.page.hover("#enter_room_button")
        welcome.page.wait_for_function(
            "() => document.querySelector('#enter_room_button').getAnimations().length === 0"
        )
        measured[variant].append(_contrast(welcome.page, "#enter_room_button"))

    assert all(ratio < 3.6 for ratio in measured["unpatched"])
    assert all(ratio >= 4.5 for ratio in measured["hardened"])


def test_welcome_page_names_its_controls_in_its_language(visit: Callable[..., Visit]) -> None:
    names = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, "/?lang=de")
        seen.wait_for("#enter_room_field")
        seen.page.wait_for_selector("text=Konferenz starten")
        names[variant] = seen.page.locator("#enter_room").aria_snapshot()

    assert "Meeting name input" in names["unpatched"]
    assert "Start meeting" in names["unpatched"]
    assert 'textbox "Konferenzname eingeben"' in names["hardened"]
    assert 'button "Konferenz starten"' in names["hardened"]


def test_name_before_a_meeting_has_a_visible_label(visit: Callable[..., Visit]) -> None:
    labels = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM)
        seen.wait_for(PREJOIN)
        labels[variant] = seen.page.locator(f'label[for="{NAME[1:]}"]').all_inner_texts()

    assert labels == {"unpatched": [], "hardened": ["Enter your name"]}


# A conference whose password is never right, as the library reports it.
LOCKED = """() => {
    const fail = () => APP.store.dispatch({
        type: 'CONFERENCE_FAILED', conference, error: { name: 'conference.passwordRequired', params: [] } });
    const conference = new Proxy({ join: fail }, { get: (target, key) => target[key] ?? (() => undefined) });
    fail();
}"""
FIELD, WRONG = "#required-password-input", "[role=dialog] [role=alert]"


def _at_a_locked_room(visit: Callable[..., Visit], variant: str) -> Page:
    """Join a room that asks for its password; returns the page with the dialog."""
    seen = visit(variant, ROOM)
    seen.wait_for(PREJOIN)
    seen.page.evaluate(LOCKED)
    seen.page.wait_for_selector(FIELD)
    return seen.page


def test_a_wrong_meeting_password_is_reported(visit: Callable[..., Visit]) -> None:
    """Once it was wrong, not before: below the field, and to screen readers."""
    said = {}
    for variant in ("unpatched", "hardened"):
        page = _at_a_locked_room(visit, variant)
        assert page.locator(WRONG).all_inner_texts() == []
        page.fill(FIELD, "wrong")
        page.click("#modal-dialog-ok-button")
        page.wait_for_function("selector => document.querySelector(selector)?.value === ''", arg=FIELD)
        said[variant] = page.locator(WRONG).all_inner_texts()

    assert said == {"unpatched": [], "hardened": ["Incorrect password"]}


def test_focus_in_dialogs_is_visible_in_forced_colours(visit: Callable[..., Visit]) -> None:
    """Of upstream's fields and buttons."""
    outlines = {}
    for variant in ("unpatched", "hardened"):
        page = _at_a_locked_room(visit, variant)
        page.emulate_media(forced_colors="active")
        outlines[variant] = []
        for selector in (FIELD, "#modal-dialog-ok-button"):
            page.keyboard.press("Shift")  # the focus is one of the keyboard from here on
            page.focus(selector)
            style = "selector => getComputedStyle(document.querySelector(selector)).outlineStyle"
            outlines[variant].append(page.evaluate(style, selector))

    assert outlines == {"unpatched": ["none", "none"], "hardened": ["solid", "solid"]}


@pytest.mark.parametrize("origins", [[], ["https://portal.example.org"]], ids=["nobody", "a portal"])
def test_embedding_is_offered_only_where_a_page_may_embed(
    visit: Callable[..., Visit], configure: Callable[..., None], origins: list[str]
) -> None:
    configure(embeddingAllowedOrigins=origins, toolbarButtons=["embedmeeting", "hangup"])
    seen = visit("hardened", ROOM)
    seen.wait_for(PREJOIN)
    seen.page.click(PREJOIN)
    seen.page.wait_for_function("() => APP.conference.isJoined()")
    seen.wait_for('[aria-label="Leave the meeting"]')

    assert seen.page.locator('[aria-label="Embed meeting"]').count() == len(origins)
