"""A person in a meeting, as page object: every selector of the way into a conference is here, and only here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING, Any

from hardener.proof.evidence.calls import ENOUGH, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, Route

    from hardener.proof.stack import Stack

# What came in of each other participant, by displayed name: frames decoded, height of the picture, bytes of picture and sound.
_RECEIVED_FROM = """async () => {
    const room = APP.conference._room; // undefined while the page enters again
    if (!room) return {};
    const session = room.isP2PActive() ? room.p2pJingleSession : room.jvbJingleSession;
    const connection = session?.peerconnection?.peerconnection;
    const streams = [ ...(await connection?.getStats() ?? new Map()).values() ]
        .filter(entry => entry.type === 'inbound-rtp');
    return Object.fromEntries(room.getParticipants().map(participant => {
        const told = { frames: 0, height: 0, video: 0, audio: 0, screen: 0 };
        for (const track of participant.getTracks()) {
            const stream = streams.find(entry => entry.trackIdentifier === track.getTrack().id);
            if (stream && track.getVideoType() === 'desktop') {
                told.screen += stream.framesDecoded ?? 0;
            } else if (stream && track.getType() === 'video') {
                told.frames += stream.framesDecoded ?? 0;
                told.height = stream.frameHeight ?? 0;
                told.video += stream.bytesReceived;
            } else if (stream) {
                told.audio += stream.bytesReceived;
            }
        }
        return [ participant.getDisplayName(), told ];
    }));
}"""
# The addresses that the call's packets go to: those of the connection's selected pair.
_FAR_END = """async () => {
    const room = APP.conference._room;
    const session = room.isP2PActive() ? room.p2pJingleSession : room.jvbJingleSession;
    const told = await session.peerconnection.peerconnection.getStats();
    const pairs = [ ...told.values() ].filter(entry => entry.type === 'candidate-pair' && entry.nominated);
    return pairs.map(pair => told.get(pair.remoteCandidateId)).map(end => `${end.address}:${end.port}`);
}"""

# The heights of the layers that go out: of those on which frames were encoded.
_LAYERS = """async () => {
    const told = await APP.conference._room.jvbJingleSession.peerconnection.peerconnection.getStats();
    return [ ...told.values() ]
        .filter(entry => entry.type === 'outbound-rtp' && entry.kind === 'video' && entry.framesEncoded > 0)
        .map(entry => entry.frameHeight);
}"""
# How much of a participant's picture on the page looks like that of Chromium's fake camera, which is green: from 0 to 1.
_GREEN = """name => {
    const participant = APP.conference._room.getParticipants().find(other => other.getDisplayName() === name);
    const tracks = participant?.getTracks().map(track => track.getTrack().id) ?? [];
    const video = [ ...document.querySelectorAll('video') ].find(
        element => element.videoWidth && element.srcObject?.getVideoTracks().some(({ id }) => tracks.includes(id)));
    if (!video) return 0;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let green = 0;
    for (let at = 0; at < data.length; at += 4) {
        green += data[at + 1] > 60 && data[at + 1] > 1.5 * data[at] && data[at + 1] > 1.5 * data[at + 2] ? 1 : 0;
    }
    return 4 * green / data.length;
}"""


@dataclass
class Participant:
    """One person with a browser of their own. ``said`` are the errors that the page wrote to its console."""

    page: Page
    url: str
    name: str
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def join(self, room: str, user: str, password: str) -> None:
        """Go all the way from the link into the conference."""
        self.knock(room, user, password)
        self.wait_until_joined()

    def knock(self, room: str, user: str, password: str) -> None:
        """Ask to join, from the link on. Only this function knows the order of the steps."""
        self.open(room)
        self.log_in(user, password)
        self.greet()

    def open(self, room: str) -> None:
        """Follow a link to a room."""
        self.page.goto(f"{self.url}/{room}")

    def greet(self) -> None:
        """Pass the page before the conference (prejoin): a name, and in."""
        self.page.locator("#premeeting-name-input").fill(self.name)
        self.page.get_by_test_id("prejoin.joinMeeting").click()

    def log_in(self, user: str, password: str) -> None:
        """Prove who one is, on the login page."""
        self.page.locator("#personal-login-user").fill(user)
        self.page.locator("#personal-login-password").fill(password)
        self.page.get_by_test_id("personal-login.submit").click()

    def wait_until_joined(self) -> None:
        """Wait until the conference has let one in."""
        self.page.wait_for_function("() => window.APP?.conference?.isJoined?.()", timeout=120_000)

    def wait_until_answered(self) -> None:
        """Wait until the offers that come with the second person, the focus's and that of P2P, are answered for good.

        Where the connection breaks before the answer has arrived, upstream gives the conference up and reloads the page.
        """
        self.page.wait_for_function(
            "() => [ 'jvbJingleSession', 'p2pJingleSession' ].every(name =>"
            " APP.conference._room[name]?.modificationQueue._queue.paused === false)",
            timeout=60_000,
        )

    def wait_for_others(self, count: int) -> None:
        """Wait until that many other participants are in the room."""
        self.page.wait_for_function("count => APP.conference._room.getParticipants().length === count", arg=count)

    @property
    def role(self) -> str:
        """Return the role that the room gave: ``moderator`` or ``none``."""
        return str(self.page.evaluate("APP.conference._room.getRole()"))

    def received(self) -> dict[str, Any]:
        """Return what came in so far: connection state, frames decoded, bytes of audio and of video."""
        return dict(self.page.evaluate(STATISTICS))

    def wait_until_received(self, *, frames: int, audio: int) -> dict[str, Any]:
        """Wait until that many frames are decoded and bytes of audio received in all; returns :meth:`received`."""
        return dict(self.page.evaluate(ENOUGH, [frames, audio, 60_000]))

    def received_from(self) -> dict[str, dict[str, int]]:
        """Return what came in so far of each other participant, by displayed name."""
        return dict(self.page.evaluate(_RECEIVED_FROM))

    def wait_until_received_from(self, other: str, kind: str, amount: int, patience: int = 180) -> int:
        """Wait until that much of a kind has come in of another participant; returns how much it is."""
        for _ in range(patience * 4):
            now = self.received_from().get(other, {}).get(kind, 0)
            if now >= amount:
                return now
            self.page.wait_for_timeout(250)
        raise TimeoutError(f"{self.name} has only {self.received_from()} after {patience} s")

    def likeness(self, other: str) -> float:
        """Return how much of another participant's picture, as decoded here, is that of the fake camera: 0 to 1."""
        return float(self.page.evaluate(_GREEN, other))

    def wait_until_seen(self, other: str, patience: int = 90) -> None:
        """Wait until the picture of another participant is decoded and is that of the fake camera."""
        for _ in range(patience * 4):
            if self.likeness(other) > 0.9:
                return
            self.page.wait_for_timeout(250)
        raise TimeoutError(f"{self.name} does not see {other} ({self.likeness(other)}): {self.received_from()}")

    def wait_until_height_of(self, other: str, height: int, patience: int = 90) -> None:
        """Wait until the pictures of another participant come in at that height."""
        for _ in range(patience * 4):
            if self.received_from().get(other, {}).get("height") == height:
                return
            self.page.wait_for_timeout(250)
        raise TimeoutError(f"{self.name} has only {self.received_from()} after {patience} s")

    def layers(self) -> set[int]:
        """Return the heights at which the own pictures are sent."""
        return set(self.page.evaluate(_LAYERS))

    def wait_for_more_from(self, other: str, *, frames: int = 10, audio: int = 2000, patience: int = 180) -> None:
        """Wait until that much more has come in of another participant, also where a new connection counts from 0."""
        wanted, least = {"frames": frames, "audio": audio}, {"frames": 1 << 53, "audio": 1 << 53}
        for _ in range(patience * 4):
            now = self.received_from().get(other, dict.fromkeys(wanted, 0))
            least = {kind: min(least[kind], now[kind]) for kind in wanted}
            if all(now[kind] >= least[kind] + amount for kind, amount in wanted.items()):
                return
            self.page.wait_for_timeout(250)
        raise TimeoutError(f"{self.name} gets no more of {other} than {self.received_from()} in {patience} s")

    def far_end(self) -> list[str]:
        """Return the addresses that the call's packets go to."""
        return list(self.page.evaluate(_FAR_END))

    def identity(self, other: str) -> str:
        """Return the name in the room of another participant."""
        return str(
            self.page.evaluate(
                "name => APP.conference._room.getParticipants().find(found => found.getDisplayName() === name).getId()",
                other,
            )
        )

    def wait_until_shown(self) -> None:
        """Wait until the large picture of another participant is on the page, and not their initials."""
        self.page.wait_for_function(
            "() => { const video = document.getElementById('largeVideo');"
            " return video && video.videoWidth > 0 && video.checkVisibility({ opacityProperty: true }); }",
            timeout=60_000,
        )

    def press(self, button: str) -> None:
        """Press a button of the toolbar, whether or not it is on the page: it hides after a while."""
        self.page.locator(f'[aria-label="{button}"]').first.evaluate("button => button.click()")

    def say(self, text: str) -> None:
        """Write into the chat."""
        if not self.page.locator("#chat-input textarea").is_visible():
            self.page.keyboard.press("c")
        self.page.locator("#chat-input textarea").fill(text)
        self.page.locator("#chat-input textarea").press("Enter")

    def read(self, text: str) -> None:
        """Wait until the chat shows a message."""
        if not self.page.locator("#chat-input textarea").is_visible():
            self.page.keyboard.press("c")
        self.page.locator(".chatmessage").filter(has_text=text).first.wait_for()

    def photograph(self, path: Path) -> None:
        """Keep what the page looks like."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)


# Several browsers, each with the pictures of all, share a small machine.
SMALL = {"width": 800, "height": 500}


def modest(context: BrowserContext, settings: str = "") -> BrowserContext:
    """Return the context, in which a page shows few pictures a second; ``settings`` are more lines of config.js."""
    settings = f"config.constraints.video.frameRate = {{ max: 5 }}; {settings}"

    def append(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text() + settings)

    context.route("**/config.js*", append)
    return context


class Call:
    """People with a browser each, who come into one room."""

    def __init__(self, stack: Stack, launch: Callable[[], Browser], browsers: list[Browser]) -> None:
        self.stack, self.launch, self.browsers = stack, launch, browsers
        self.room = "Bridge" + secrets.token_hex(4)
        self.people: dict[str, Participant] = {}

    def person(self, name: str, settings: str = "") -> Participant:
        """Return a person before a browser, who has gone nowhere yet; ``settings`` are more lines of config.js."""
        number = len(self.people)
        if len(self.browsers) == number:
            self.browsers.append(self.launch())
        context = modest(self.browsers[number].new_context(viewport=SMALL), settings)
        context.set_default_timeout(120_000)
        person = self.people[name] = Participant(context.new_page(), self.stack.url, name.title())
        return person

    def knock(self, name: str, settings: str = "") -> Participant:
        """Let a person ask to join, whom the room may hold back."""
        person = self.person(name, settings)
        person.knock(self.room, name, self.stack.users[name])
        return person

    def enter(self, name: str, settings: str = "") -> Participant:
        """Let a person join."""
        person = self.knock(name, settings)
        person.wait_until_joined()
        return person

    def together(self) -> None:
        """Wait until each has picture and sound of all the others."""
        for person in self.people.values():
            person.wait_for_others(len(self.people) - 1)
        for person, other in permutations(self.people.values(), 2):
            person.wait_until_received_from(other.name, "frames", 10)
            person.wait_until_received_from(other.name, "audio", 1000)

    def close(self) -> None:
        """Close the pages."""
        for person in self.people.values():
            person.page.context.close()
