"""What a visitor does: each journey is a function that drives one page; its steps say how far it came."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hardener.evidence import canaries, xmpp_stub
from hardener.evidence.own_server import HOST, STAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Frame, Locator, Page

    from hardener.evidence.attacks import Attack
    from hardener.evidence.record import Recorder

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
    " Mobile/15E148 Safari/604.1"
)
_JOINED = "() => window.APP && APP.conference && APP.conference.isJoined()"
_STORED = """() => Object.fromEntries([localStorage, sessionStorage].flatMap((one, number) => Object.keys(one).map(
    key => [(number ? 'session:' : 'local:') + key, one.getItem(key).slice(0, 300)])))"""
STATIC = (
    "404 close close2 close3 dialInInfo logout msredirect oauth offline planLimit prejoin recommendedBrowsers"
    " settingsToolbarAdditionalContent sso webrtcUnsupported welcomePageAdditionalContent whiteboard".split()
)


class Missed(Exception):  # noqa: N818 (it is how a journey says that it ends here)
    """A step that a journey cannot do without did not succeed."""


@dataclass
class Visit:
    """One run of a journey: a fresh profile, the attack it is under, and the steps done so far."""

    context: BrowserContext
    attack: Attack
    room: str
    record: Recorder
    linger: float = 1.0
    page: Page = field(init=False)
    surface: Page | Frame = field(init=False)

    def __post_init__(self) -> None:
        self.page = self.context.new_page()
        self.surface = self.page

    @contextlib.contextmanager
    def step(self, name: str, *, must: bool = False) -> Iterator[None]:
        """Do one step; an optional one may fail, and the record says so."""
        from playwright.sync_api import Error  # noqa: PLC0415 (a development dependency)

        try:
            yield
        except (Error, Missed) as error:
            text = str(error).split("\n", 1)[0][:200]
            self.record.add("harness", "step", name=name, ok=False, must=must, text=text)
            if must:
                raise Missed(name) from error
        else:
            self.record.add("harness", "step", name=name, ok=True, must=must)

    def wait(self, seconds: float) -> None:
        """Give the page time to do what it should not do."""
        self.page.wait_for_timeout(1000 * seconds * self.linger)

    def open(self, path: str) -> None:
        """Go to a page of the site, with the attack's link."""
        with self.step(f"open {path}", must=True):
            if self.attack.storage:
                self.page.goto(f"https://{HOST}/robots.txt")
                items = {key: json.dumps(one) for key, one in self.attack.storage.items()}
                self.page.evaluate("items => Object.entries(items).forEach(one => localStorage.setItem(...one))", items)
            self.page.goto(self.attack.address(path), wait_until="load", timeout=20000)

    def find(self, selector: str) -> Locator:
        """The first element that a selector finds."""
        return self.surface.locator(selector).first

    def click(self, name: str, *selectors: str) -> None:
        """Click the first of the elements that is there; a step that may fail."""
        with self.step(name):
            self.find(", ".join(selectors)).click(timeout=3000)
            self.wait(0.7)

    def join(self) -> None:
        """From the prejoin page into the call; signs in where the site asks for it."""
        with self.step("joined", must=True):
            if not self._joined(1):
                with contextlib.suppress(Exception):
                    self.find("#premeeting-name-input").fill("Alice", timeout=12000)
                with contextlib.suppress(Exception):
                    self.find('[data-testid="prejoin.joinMeeting"]').click(timeout=3000)
                self._sign_in()
                if not self._joined(12):
                    raise Missed("not in the call")

    def _joined(self, seconds: float) -> bool:
        from playwright.sync_api import Error  # noqa: PLC0415

        try:
            self.surface.wait_for_function(_JOINED, timeout=1000 * seconds)
        except Error:
            return False
        return True

    def _sign_in(self) -> None:
        """Fill in the login form, should there be one before the call begins."""
        for _attempt in range(12):
            if self._joined(0.4):
                return
            field_ = self.surface.locator("#login-dialog-username")
            if field_.count() and field_.first.is_visible():
                field_.first.fill("alice")
                self.find("#login-dialog-password").fill(xmpp_stub.PASSWORD)
                self.find("#modal-dialog-ok-button").click()
                return

    def more(self, *labels: str) -> None:
        """Open the toolbar's menu and choose an entry."""
        self.page.mouse.move(600, 500)
        self.page.mouse.move(610, 510)
        direct = ", ".join(f'[aria-label="{one}"]' for one in labels)
        if not self.surface.locator(direct).count():
            self.click("menu", '[aria-label="More actions"]', "#overflow-menu-button", '[aria-label="More actions menu"]')
        self.click(f"menu: {labels[0]}", direct)


def _welcome(visit: Visit) -> None:
    visit.open("/")
    with visit.step("welcome page", must=True):
        visit.find("#enter_room_field, #welcome_page, .welcome").wait_for(timeout=15000)
    visit.wait(2)


def _prejoin(visit: Visit) -> None:
    visit.open("/" + visit.room)
    with visit.step("prejoin page", must=not visit.attack.config):
        visit.find("#premeeting-name-input").wait_for(timeout=15000)
    visit.wait(3)


def _call(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.wait(5)


def _call_mallory(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.wait(0.5)
    visit.more("Open chat", "Close chat")
    visit.wait(4)


def _settings(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.more("Open settings", "Settings", "Toggle settings")
    _tabs(visit)


def _tabs(visit: Visit) -> None:
    tabs = visit.surface.locator('[role="tab"]')
    with visit.step("settings dialog"):
        tabs.first.wait_for(timeout=3000)
    for number in range(tabs.count()):
        with visit.step(f"settings tab {number + 1}"):
            tabs.nth(number).click(timeout=2000)
            visit.wait(0.8)


def _calendar(visit: Visit) -> None:
    visit.open("/")
    visit.click("settings", '[aria-label="Open settings"]', '[aria-label="Settings"]')
    _tabs(visit)
    visit.wait(1)


def _invite(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.more("Invite people")
    with visit.step("invite dialog"):
        visit.find('[role="dialog"]').wait_for(timeout=3000)
    visit.wait(1)


def _reactions(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.page.mouse.move(600, 400)
    for name, key in (("clap", "Alt+c"), ("thumbs up", "Alt+t"), ("gifs", "g")):
        with visit.step(f"{name} ({key})"):
            visit.page.keyboard.press(key)
            visit.wait(1)
    visit.wait(2)


def _background(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.more("Select Background")
    visit.click("blur", '[aria-label="Blur"]', '[aria-label="Half Blur"]', '[aria-label="Slight blur"]')
    visit.wait(1.5)
    visit.click("save", "#modal-dialog-ok-button", '[aria-label="OK (save and leave dialog)"]')
    visit.wait(3)


def _leave(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.join()
    visit.page.mouse.move(600, 500)
    visit.click("leave", '[aria-label="Leave the meeting"]', '[aria-label="Hang up"]')
    with contextlib.suppress(Exception):  # a moderator who is not alone is asked
        visit.find('[aria-label="Leave meeting"]').click(timeout=1500)
    visit.wait(5)
    with visit.step("what stays in storage"):
        visit.record.add("harness", "stored", items=visit.page.evaluate(_STORED))


def _close(visit: Visit) -> None:
    for name in ("close", "close2", "close3"):
        visit.open(f"/static/{name}.html")
        visit.wait(1)


def _static(visit: Visit) -> None:
    for name in STATIC:
        with visit.step(f"static {name}"):
            visit.page.goto(visit.attack.address(f"/static/{name}.html"), timeout=8000)
            visit.wait(0.6)


def _whiteboard(visit: Visit) -> None:
    visit.open("/static/whiteboard.html")
    visit.wait(4)


def _mobile(visit: Visit) -> None:
    visit.open("/")
    visit.wait(1.5)
    visit.open("/" + visit.room)
    visit.wait(2.5)


def _embedded(visit: Visit) -> None:
    with visit.step("embedding page", must=True):
        visit.page.goto(f"https://{STAGE}/#{visit.room}", timeout=20000)
        visit.page.wait_for_selector("iframe", timeout=8000)
        for _attempt in range(50):
            frames = [one for one in visit.page.frames if one.url.startswith(f"https://{HOST}/")]
            if frames:
                visit.surface = frames[0]
                break
            visit.page.wait_for_timeout(100)
    visit.join()
    visit.wait(5)


def _opened(visit: Visit) -> None:
    with visit.step("opening page", must=True):
        visit.page.goto(f"https://{STAGE}/#{visit.room}")
        with visit.context.expect_page() as opened:
            visit.page.click("#go")
        visit.page = opened.value
        visit.surface = visit.page
    visit.join()
    visit.wait(6)


def canary(visit: Visit) -> None:
    """Plant one request of each kind."""
    with visit.step("canary page", must=True):
        visit.page.goto(f"https://{HOST}{canaries.FOLDER}page.html")
    visit.wait(4)


@dataclass(frozen=True)
class Journey:
    """A way through the site. ``alone``: it is made without any attack as well."""

    name: str
    text: str
    walk: Callable[[Visit], None]
    alone: bool = True
    profile: dict[str, Any] = field(default_factory=dict)


_PHONE = {"viewport": {"width": 412, "height": 860}, "is_mobile": True, "has_touch": True}
JOURNEYS = {
    one.name: one
    for one in (
        Journey("welcome", "welcome page", _welcome),
        Journey("prejoin", "page before the call", _prejoin),
        Journey("call", "join and stay alone in the call", _call),
        Journey("call-mallory", "join; a second participant is there; chat open", _call_mallory),
        Journey("settings", "all tabs of the settings", _settings),
        Journey("calendar", "settings from the welcome page", _calendar),
        Journey("invite", "invite dialog", _invite),
        Journey("reactions", "reactions menu", _reactions),
        Journey("background", "virtual background dialog, blur", _background),
        Journey("leave", "join and leave; what stays in storage", _leave),
        Journey("close", "close pages", _close),
        Journey("static", "all static pages", _static),
        Journey("whiteboard", "whiteboard page", _whiteboard),
        Journey("android", "welcome and room on an Android phone", _mobile, profile=_PHONE | {"user_agent": ANDROID}),
        Journey("iphone", "welcome and room on an iPhone", _mobile, profile=_PHONE | {"user_agent": IPHONE}),
        Journey("embedded", "in a foreign page's frame", _embedded, alone=False),
        Journey("opened", "in a window that a foreign page opened", _opened, alone=False),
    )
}
