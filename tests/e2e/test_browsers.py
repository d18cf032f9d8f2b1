"""The core of the browser tests in Debian's Firefox and WebKit. 'unpatched' is the control.

Without ``--browsers``, each that is installed does the first rows only; ``--browsers firefox,webkit`` asks for all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from hardener.proof.xmpp.stub import PASSWORD, USER, Door
from support.browsers.choice import KINDS
from support.browsers.house import House
from support.sites import built

from .conftest import LOGIN, PREJOIN, ROOM
from .test_invitations import NOTES, RECORD_CLIPBOARD
from .test_invitations import ours as texts_of_invitations
from .test_languages import ours as texts_of_login
from .test_login import JOINED, PROBLEM, WRONG
from .test_login_again import LOST, WAITING
from .test_mobile import AGENTS, LINKS, STORES
from .test_overrides import HIDES, KEPT, LOADED, TRICKS, VALUES
from .test_storage import MAY_STAY, STORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.browsers.choice import Kind
    from support.browsers.page import Page

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

VARIANTS = ("unpatched", "hardened")
SUBMIT = '[data-testid="personal-login.submit"]'
NAME = "Nobody Knows"
UNSUPPORTED = "/static/webrtcUnsupported.html"


@pytest.fixture(scope="module", params=KINDS)
def browser_kind(request: pytest.FixtureRequest) -> Kind:
    """Provide a kind of browser that is installed."""
    kind = KINDS[request.param]
    if not kind.program():
        pytest.skip(f"{request.param} is not installed: {kind.hint}")
    return kind


@pytest.fixture(scope="module")
def driven(browser_kind: Kind) -> Iterator[Any]:
    """Provide a running browser of the kind."""
    with browser_kind.start() as browser:
        yield browser


@pytest.fixture
def house(cache_home: object, browser_kind: Kind) -> Iterator[Callable[..., House]]:
    """Serve a variant with more lines of config.js, and what this browser needs to come up to a call."""
    serving: list[House] = []

    def serve(variant: str, settings: str = "", **words: Any) -> House:
        words = {"headers": variant == "hardened"} | words
        opened = House(built(variant), settings=browser_kind.settings + settings, **words)
        serving.append(opened.__enter__())
        return opened

    yield serve
    for opened in serving:
        opened.__exit__(None, None, None)


@pytest.fixture
def visitor(driven: Any) -> Iterator[Callable[..., Page]]:
    """Open a page in a browser without a past."""
    pages: list[Page] = []

    def open_page(address: str, **words: Any) -> Page:
        pages.append(driven.page(**words))
        pages[-1].open(address)
        return pages[-1]

    yield open_page
    for opened in pages:
        opened.close()


def _sign_in(page: Page, password: str = PASSWORD) -> None:
    page.fill("#personal-login-user", USER)
    page.fill("#personal-login-password", password)
    page.click(SUBMIT)


def _join(page: Page) -> None:
    page.fill("#premeeting-name-input", NAME)
    page.click(PREJOIN)
    page.wait_until(JOINED)


# The first rows


def test_login_wrong_password_restart_and_autopsy(
    driven: Any, house: Callable[..., House], visitor: Callable[..., Page]
) -> None:
    """One visit: refused with a wrong password, admitted with the right one, back after a restart of the server
    without another login, and nothing left in the browser but the language.
    """
    control = house("unpatched")
    seen = visitor(control.address + ROOM)
    seen.wait_for(PREJOIN)
    assert not seen.has(LOGIN)
    seen.evaluate(
        "name => { APP.store.dispatch({ type: 'SETTINGS_UPDATED', settings: { displayName: name } }); }", NAME
    )
    seen.wait_until("name => JSON.stringify({ ...localStorage }).includes(name)", NAME)  # two seconds later at most
    seen.open(control.address + "/static/offline.html")
    assert NAME in str(seen.evaluate(STORED))

    server = house("hardened")
    seen = visitor(server.address + ROOM)
    seen.wait_for(LOGIN)
    assert not seen.has(PREJOIN)
    _sign_in(seen, "wrong")
    seen.wait_for(PROBLEM)
    assert (seen.text(PROBLEM), server.accounts, seen.has(PREJOIN)) == (WRONG, [], False)

    _sign_in(seen)
    seen.wait_for(PREJOIN)
    _join(seen)
    assert server.accounts == ["alice@127.0.0.1"] * 2
    server.stop()
    seen.wait_for(WAITING)
    assert LOST in seen.text(WAITING)
    server.down = False
    seen.wait_until(f"() => !document.querySelector('{WAITING}') && ({JOINED})()")
    assert (set(server.accounts[2:]), seen.has(LOGIN)) == ({"alice@127.0.0.1"}, False)

    seen.open(server.address + "/static/offline.html")
    kept = seen.evaluate(STORED)
    assert set(kept["local"]) <= MAY_STAY
    assert (kept["session"], kept["databases"], kept["cookies"]) == ({}, [], "")
    seen.open(server.address + ROOM)
    seen.wait_for(LOGIN)
    fields = "() => [ 'user', 'password' ].map(name => document.getElementById(`personal-login-${name}`).value)"
    assert seen.evaluate(fields) == ["", ""]


def test_a_browser_without_webrtc_is_sent_to_the_page_that_says_so(
    house: Callable[..., House], visitor: Callable[..., Page]
) -> None:
    """Before the login: no person types a password for a call that cannot be. With WebRTC, the same link leads to the
    login (the test above).
    """
    server = house("hardened", "delete window.RTCPeerConnection;")
    seen = visitor(server.address + ROOM)
    seen.wait_until("path => location.pathname === path", UNSUPPORTED)
    seen.wait_until("() => document.body?.innerText.includes('does not support WebRTC')")
    assert server.conversations == []


# All rows, with --browsers


@pytest.mark.every_browser
def test_invitations_carry_the_notes(house: Callable[..., House], visitor: Callable[..., Page]) -> None:
    dialog = ".invite-more-dialog"
    has = {}
    for variant in VARIANTS:
        # Upstream's own login comes later; as a guest, it reaches the dialog too.
        server = house(variant, RECORD_CLIPBOARD, door=Door() if variant == "unpatched" else Door(("SCRAM-SHA-1",)))
        seen = visitor(server.address + ROOM)
        if variant == "hardened":
            seen.wait_for(LOGIN)
            _sign_in(seen)
        seen.wait_for(PREJOIN)
        _join(seen)
        seen.evaluate("() => { APP.store.dispatch({ type: 'BEGIN_ADD_PEOPLE' }); }")
        seen.click("#add-people-copy-link-button")
        seen.wait_until("() => copied.length === 1")
        seen.evaluate(f"() => [ ...document.querySelectorAll('{dialog} [role=button]') ].at(-1).click()")
        seen.wait_until("() => copied.length === 2")
        link, text = seen.evaluate("() => copied")
        assert link == f"{server.address}{ROOM}"
        assert link in text
        has[variant] = [texts_of_invitations("en")[note] in text for note in NOTES]

    assert has == {"unpatched": [False] * 3, "hardened": [True] * 3}


@pytest.mark.every_browser
@pytest.mark.parametrize("agent", ["android", "iphone"])
def test_phones_are_led_to_no_store(house: Callable[..., House], visitor: Callable[..., Page], agent: str) -> None:
    links = {}
    for variant in VARIANTS:
        seen = visitor(house(variant).address + ROOM, agent=AGENTS[agent], size=(412, 860))
        seen.wait_for("img[src*='logo-deep-linking']")
        links[variant] = seen.evaluate(f"() => {LINKS}")

    assert any(STORES.search(link) for link in links["unpatched"])
    assert not any(STORES.search(link) for link in links["hardened"])
    assert len(links["hardened"]) == (2 if agent == "android" else 0)
    seen.click('[data-testid="hardener.joinInBrowser"]')
    seen.wait_for(LOGIN)


@pytest.mark.every_browser
def test_the_page_speaks_the_language_of_the_link_and_of_the_reader(
    browser_kind: Kind, house: Callable[..., House], visitor: Callable[..., Page]
) -> None:
    """From right to left where it is read so. WebKit's own language is that of the machine, which may be none: "C"."""
    spoken = "() => [ document.documentElement.lang, document.documentElement.dir ]"
    server = house("hardened")
    for language, direction in (("de", "ltr"), ("ar", "rtl")):
        seen = visitor(f"{server.address}{ROOM}?lang={language}")
        seen.wait_for(LOGIN)
        texts = texts_of_login(language)
        assert seen.evaluate(spoken) == [language, direction]
        assert [key for key in ("title", "user", "password", "submit") if texts[key] not in seen.text(LOGIN)] == []
        assert seen.evaluate("() => document.title").startswith(texts["title"])
    heard = {}
    for variant in VARIANTS:
        seen = visitor(house(variant).address + "/", languages=("de-AT",))
        seen.wait_for("#enter_room_button")
        heard[variant] = seen.evaluate(spoken)[0]

    assert heard == {"unpatched": "en", "hardened": "de" if browser_kind.languages else "en"}


@pytest.mark.every_browser
def test_a_link_sets_nothing_that_hides_people(house: Callable[..., House], visitor: Callable[..., Page]) -> None:
    link = HIDES["config"]
    fragment = "&".join(f"config.{key}={quote(json.dumps(value))}" for key, value in link.items())
    found = {}
    for variant, path in (("hardened", ROOM), ("hardened", f"{ROOM}#{fragment}"), ("unpatched", f"{ROOM}#{fragment}")):
        seen = visitor(house(variant).address + path)
        seen.wait_until(LOADED)
        found[variant, path] = seen.evaluate(VALUES, ["config", list(link)])
    plain, here, there = found.values()

    assert there == link
    assert here == plain
    assert all(plain[key] != value for key, value in link.items())


@pytest.mark.every_browser
def test_branding_hides_no_foreign_address(house: Callable[..., House], visitor: Callable[..., Page]) -> None:
    """Engines read addresses and styles with parsers of their own: each trick in each of them."""
    server = {variant: house(variant, headers=False) for variant in VARIANTS}  # the headers forbid such an address
    own = server["hardened"].address
    kept = [pattern.format(own) for pattern in KEPT]
    branding = {"avatarBackgrounds": [*TRICKS, *kept]}
    ready = "() => window.APP?.store?.getState()['features/dynamic-branding']?.useDynamicBrandingData"
    told = {}
    for variant in VARIANTS:
        address = "data:application/json," + quote(json.dumps(branding))
        server[variant].settings += f"\nconfig.dynamicBrandingUrl = {json.dumps(address)};"
        seen = visitor(server[variant].address + ROOM)
        seen.wait_until(ready)
        told[variant] = seen.evaluate("() => APP.store.getState()['features/dynamic-branding'].avatarBackgrounds")

    assert told == {"unpatched": branding["avatarBackgrounds"], "hardened": kept}
