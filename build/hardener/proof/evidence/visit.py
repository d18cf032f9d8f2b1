"""One run of a journey, as the journey sees it: open, click, join, wait, and say how far it came."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hardener.proof.xmpp import stub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Frame, Locator, Page

    from hardener.proof.evidence.attack import Attack
    from hardener.proof.evidence.record import Recorder
    from hardener.proof.evidence.relay import Real
    from hardener.proof.evidence.site import Scene

# The hardened site's login page, and what is where it is not, or not any more.
LOGIN = "#personal-login-user"
PREJOIN = "#premeeting-name-input"
WELCOME = "#enter_room_field, #welcome_page, .welcome"
APP_PROMO = 'a[href^="intent:"], a[href^="org.jitsi.meet:"]'  # upstream's page for phones
_JOINED = "() => window.APP && APP.conference && APP.conference.isJoined()"


class Missed(Exception):  # noqa: N818 (it is how a journey says that it ends here)
    """A step that a journey cannot do without did not succeed."""


@dataclass
class Visit:
    """One run of a journey: a fresh profile, the attack it is under, and the steps done so far.

    In a call on ``real`` servers ``name`` is this person's account, and ``others`` are those who come, too;
    ``pictures`` is where screenshots go.
    """

    context: BrowserContext
    attack: Attack
    room: str
    record: Recorder
    linger: float = 1.0
    patience: float = 12.0  # seconds for what has to come on the way into the call
    real: Real | None = None
    name: str = ""
    others: tuple[Visit, ...] = ()
    pictures: Path | None = None
    scene: Scene | None = None  # of our own server
    shown: str = ""  # the name that is entered before the call (default: that of the account)
    page: Page = field(init=False)
    surface: Page | Frame = field(init=False)

    def __post_init__(self) -> None:
        self.page = self.context.new_page()
        self.surface = self.page

    @contextlib.contextmanager
    def step(self, name: str, *, must: bool = False) -> Iterator[None]:
        """Do one step; an optional one may fail, and the record says so."""
        from playwright.sync_api import Error  # noqa: PLC0415 (a development dependency)

        name = f"{self.name}: {name}" if self.name else name
        try:
            yield
        except (Error, Missed) as error:
            text = str(error).split("\n", 1)[0][:200]
            self.record.add("harness", "step", name=name, ok=False, must=must, text=text)
            if must:
                raise Missed(name) from error
        else:
            self.record.add("harness", "step", name=name, ok=True, must=must)

    @property
    def account(self) -> tuple[str, str]:
        """Return the user name and the password of this person."""
        return (self.name, self.real.accounts[self.name]) if self.real else (stub.USER, stub.PASSWORD)

    def photograph(self) -> None:
        """Store a screenshot for readers of the evidence; the journey does not depend on it."""
        if self.pictures:
            title = "-".join(part for part in (self.record.run.replace(" + ", "-"), self.name) if part)
            with self.step("screenshot"):
                self.page.screenshot(path=self.pictures / f"{title}.png", timeout=1000 * self.patience)

    def wait(self, seconds: float) -> None:
        """Give the page time to do what it should not do."""
        self.page.wait_for_timeout(1000 * seconds * self.linger)

    def open(self, path: str) -> None:
        """Go to a page of the site, with the attack's link."""
        with self.step(f"open {path}", must=True):
            if self.attack.storage:
                self.page.goto(f"{self.attack.origin}/robots.txt")
                items = {key: json.dumps(value) for key, value in self.attack.storage.items()}
                self.page.evaluate("items => Object.entries(items).forEach(one => localStorage.setItem(...one))", items)
            self.page.goto(self.attack.address(path), wait_until="load", timeout=1000 * max(20.0, self.patience))

    def find(self, selector: str) -> Locator:
        """Return the first element that a selector finds."""
        return self.surface.locator(selector).first

    def click(self, name: str, *selectors: str) -> None:
        """Click the first of the elements that is there; a step that may fail."""
        from playwright.sync_api import Error  # noqa: PLC0415

        with self.step(name):
            found = self.find(", ".join(selectors))
            try:
                found.click(timeout=3000)
            except Error:  # something lies over it, or it moves: the event is sent nevertheless
                found.evaluate("one => one.click()", timeout=1000)
            self.wait(0.7)

    def enter(self) -> None:
        """Pass the login page, where the site has one; do nothing where another page is before the room."""
        with contextlib.suppress(Exception):
            self.surface.wait_for_selector(
                f"{LOGIN}, {PREJOIN}, #largeVideoContainer, {APP_PROMO}",
                state="attached",
                timeout=1000 * self.patience,
            )
            field_ = self.surface.locator(LOGIN)
            if field_.count():
                user, password = self.account
                field_.fill(user)
                self.find("#personal-login-password").fill(password)
                self.find('[data-testid="personal-login.submit"]').click(timeout=3000)
                field_.wait_for(state="detached", timeout=1000 * self.patience)

    def join(self) -> None:
        """Join the call from the prejoin page; sign in where the site asks for it."""
        self.enter()
        with self.step("joined", must=True):
            if not self._joined(1):
                with contextlib.suppress(Exception):
                    self.find(PREJOIN).fill(
                        self.shown or (self.name or stub.USER).title(), timeout=1000 * self.patience
                    )
                with contextlib.suppress(Exception):
                    self.find('[data-testid="prejoin.joinMeeting"]').click(timeout=3000)
                self._sign_in()
                if not self._joined(self.patience):
                    raise Missed("not in the call")

    def _joined(self, seconds: float) -> bool:
        from playwright.sync_api import Error  # noqa: PLC0415

        try:
            self.surface.wait_for_function(_JOINED, timeout=1000 * seconds)
        except Error:
            return False
        return True

    def _sign_in(self) -> None:
        """Fill in upstream's login dialog, should there be one before the call begins."""
        for _attempt in range(round(2 * self.patience)):
            if self._joined(0.4):
                return
            field_ = self.surface.locator("#login-dialog-username")
            if field_.count() and field_.first.is_visible():
                user, password = self.account
                field_.first.fill(user)
                self.find("#login-dialog-password").fill(password)
                self.find("#modal-dialog-ok-button").click()
                return

    def more(self, *labels: str) -> None:
        """Open the toolbar's menu and choose an entry."""
        self.page.mouse.move(600, 500)
        self.page.mouse.move(610, 510)
        direct = ", ".join(f'[aria-label="{label}"]' for label in labels)
        if not self.surface.locator(direct).count():
            self.click(
                "menu", '[aria-label="More actions"]', "#overflow-menu-button", '[aria-label="More actions menu"]'
            )
        self.click(f"menu: {labels[0]}", direct)
