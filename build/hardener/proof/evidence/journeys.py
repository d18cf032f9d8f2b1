"""The journeys of a visitor: each is a function that drives one page; its steps show its progress."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hardener.proof.evidence import calls, canaries, occupants
from hardener.proof.evidence.attack import DIRECT
from hardener.proof.evidence.site import HOST, STAGE
from hardener.proof.evidence.visit import WELCOME

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.proof.evidence.visit import Visit

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
    " Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
    " Mobile/15E148 Safari/604.1"
)
_STORED = """() => Object.fromEntries([localStorage, sessionStorage].flatMap((one, number) => Object.keys(one).map(
    key => [(number ? 'session:' : 'local:') + key, one.getItem(key).slice(0, 300)])))"""
STATIC = (
    "404 close close2 close3 dialInInfo logout msredirect oauth offline planLimit prejoin recommendedBrowsers"
    " settingsToolbarAdditionalContent sso webrtcUnsupported welcomePageAdditionalContent whiteboard".split()
)


def _welcome(visit: Visit) -> None:
    visit.open("/")
    with visit.step("welcome page", must=True):
        visit.find(WELCOME).wait_for(timeout=15000)
    visit.wait(2)


def _prejoin(visit: Visit) -> None:
    visit.open("/" + visit.room)
    visit.enter()
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
    tabs = visit.surface.locator('[role="dialog"] [role="tab"]')
    with visit.step("settings dialog"):
        tabs.first.wait_for(timeout=1000 * visit.patience)
    for number in range(tabs.count()):
        with visit.step(f"settings tab {number + 1}"):
            tabs.nth(number).click(timeout=1000 * visit.patience)
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
    visit.enter()
    visit.wait(2.5)


def _embedded(visit: Visit) -> None:
    with visit.step("embedding page", must=True):
        visit.page.goto(f"https://{STAGE}/#{visit.room}", timeout=20000)
        visit.page.wait_for_selector("iframe", timeout=8000)
        for _attempt in range(50):
            frames = [frame for frame in visit.page.frames if frame.url.startswith(f"https://{HOST}/")]
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
    """A way through the site. ``alone``: it is made without any attack as well. ``server``: how the stub is then.

    ``settings`` are lines of the operator's config.js, ``people`` the accounts of those who come where the way leads to
    real servers.
    """

    name: str
    text: str
    walk: Callable[[Visit], None]
    alone: bool = True
    profile: dict[str, Any] = field(default_factory=dict)
    server: frozenset[str] = frozenset()
    settings: str = ""
    people: tuple[str, ...] = ()


PHONE = {"viewport": {"width": 412, "height": 860}, "is_mobile": True, "has_touch": True}
JOURNEYS = {
    journey.name: journey
    for journey in (
        Journey("welcome", "welcome page", _welcome),
        Journey("prejoin", "page before the call", _prejoin),
        Journey("call", "join and stay alone in the call", _call),
        Journey("login", "sign in with an account and join", _call, server=frozenset({"accounts"})),
        Journey(
            "own-stun",
            "join; the own server names its STUN server, calls go directly",
            _call,
            server=frozenset({"extdisco"}),
            settings=DIRECT,
        ),
        Journey("call-mallory", "join; a second participant is there; chat open", _call_mallory),
        Journey("who", "join; who is there against who is shown", occupants.who),
        Journey("settings", "all tabs of the settings", _settings),
        Journey("calendar", "settings from the welcome page", _calendar),
        Journey("invite", "invite dialog", _invite),
        Journey("reactions", "reactions menu", _reactions),
        Journey("background", "virtual background dialog, blur", _background),
        Journey("leave", "join and leave; what stays in storage", _leave),
        Journey("close", "close pages", _close),
        Journey("static", "all static pages", _static),
        Journey("whiteboard", "whiteboard page", _whiteboard),
        Journey("android", "welcome and room on an Android phone", _mobile, profile=PHONE | {"user_agent": ANDROID}),
        Journey("iphone", "welcome and room on an iPhone", _mobile, profile=PHONE | {"user_agent": IPHONE}),
        Journey("real-two", "two people on real servers: picture, sound, chat", calls.two, people=("alice", "bob")),
        Journey("real-three", "three people on real servers: chat", calls.three, people=("alice", "bob", "carol")),
        Journey("real-mallory", "a hostile participant on real servers; chat open", calls.mallory, people=("alice",)),
        Journey("embedded", "in a foreign page's frame", _embedded, alone=False),
        Journey("opened", "in a window that a foreign page opened", _opened, alone=False),
    )
}
