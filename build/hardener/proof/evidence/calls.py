"""Journeys into calls on real servers: people with accounts and browsers of their own, and a hostile participant."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from hardener.proof.evidence import occupants
from hardener.proof.evidence.mallory import LOST, Peer
from hardener.proof.evidence.spoofs import MISTAKEN
from hardener.proof.evidence.visit import Missed
from hardener.proof.xmpp.client import Refused
from hardener.proof.xmpp.stub import Mallory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardener.proof.evidence.visit import Visit

# What the peer connection of the call says: decoded frames and received bytes, summed over all streams of a kind, and
# from how many streams frames have come.
STATISTICS = """async () => {
    const room = window.APP?.conference?._room;
    const session = room && (room.isP2PActive() ? room.p2pJingleSession : room.jvbJingleSession);
    const connection = session?.peerconnection?.peerconnection;
    const told = { state: connection?.connectionState ?? 'none', frames: 0, audio: 0, video: 0, pictures: 0 };
    for (const one of connection ? (await connection.getStats()).values() : []) {
        if (one.type === 'inbound-rtp') {
            told[one.kind] += one.bytesReceived;
            told.frames += one.framesDecoded ?? 0;
            told.pictures += one.framesDecoded > 0 ? 1 : 0;
        }
    }
    return told;
}"""
# Asks again until there is enough of it (Playwright's wait_for_function takes a promise for a yes). It gives up after
# some time without progress: on a busy machine, each step of a call is slow. What was reached before does not count.
ENOUGH = f"""async ([frames, audio, patience, pictures = 1]) => {{
    const seen = new Set();
    for (let end = 0; ;) {{
        const now = await ({STATISTICS})();
        if (now.pictures >= pictures && now.frames >= frames && now.audio >= audio) return now;
        const most = {{ frames, audio, pictures }};
        const step = [ now.state, ...Object.keys(most).map(kind => Math.min(now[kind], most[kind])) ].join();
        if (!seen.has(step)) end = Date.now() + patience;
        if (Date.now() > end) throw new Error(`only ${{JSON.stringify(now)}}, and no more in ${{patience}} ms`);
        seen.add(step);
        await new Promise(next => setTimeout(next, 250));
    }}
}}"""
OTHERS = "count => APP.conference._room?.getParticipants().length === count"
GONE = "() => !window.APP?.conference?.isJoined?.()"
_INPUT = "#chat-input textarea"
LEAVE = '[aria-label="Leave the meeting"], [aria-label="Hang up"]'
PATIENCE = 120_000  # milliseconds: three browsers and a bridge share a small machine
MORE_FRAMES, MORE_AUDIO = 60, 6000  # how much more has to come in: about twelve seconds


def two(visit: Visit) -> None:
    """Let two people see and hear each other; one writes, and both leave."""
    people = _meet(visit)
    _watch(people)
    _chat(people)
    _part(people)


def three(visit: Visit) -> None:
    """Let three people meet (without a bridge there are no pictures); one writes, and all leave, one by one."""
    people = _meet(visit)
    if visit.real and visit.real.bridge:
        _watch(people)
    _chat(people)
    _part(people)


def mallory(visit: Visit) -> None:
    """Let one person meet a hostile participant, who sends what the attack says, through the real Prosody."""
    real = visit.real
    if real is None:
        raise Missed("no real servers")
    _come(visit)
    hostile = visit.attack.mallory or Mallory(chat=("Hello",))
    claims = MISTAKEN in visit.attack.expects  # to be another person: then upstream as it is may not show her
    last = f"That was all {secrets.token_hex(4)}"
    room = visit.page.evaluate("APP.conference._room.room.roomjid")
    with contextlib.ExitStack() as stack:
        with visit.step("Mallory is in the room", must=True):
            try:
                peer = stack.enter_context(Peer(real, next(name for name in real.accounts if name != visit.name)))
                peer.come(room, hostile)
            except (*LOST, Refused) as error:
                raise Missed(f"{type(error).__name__}: {error}") from error
            if not claims:
                visit.page.wait_for_function(OTHERS, arg=1, timeout=PATIENCE)
        visit.wait(1)
        peer.play(hostile, last)
        try:
            with visit.step("everything that Mallory sent has arrived", must=True):
                _read(visit, last)
        finally:  # also where the page shows nothing of a person whom it does not know
            if claims:
                me = visit.page.evaluate("APP.conference.getMyUserId()")
                occupants.compare(visit, lambda: peer.others(me))
        visit.wait(4)
        visit.photograph()
    _part([visit])


def _come(visit: Visit) -> None:
    visit.patience = PATIENCE / 1000
    visit.page.set_default_timeout(PATIENCE)
    visit.open("/" + visit.room)
    visit.join()


def _meet(visit: Visit) -> list[Visit]:
    people = [visit, *visit.others]
    for person in people:
        _come(person)
    for person in people:
        with person.step("sees the others in the room", must=True):
            person.page.wait_for_function(OTHERS, arg=len(people) - 1, timeout=PATIENCE)
    return people


def _watch(people: Sequence[Visit]) -> None:
    """Wait until each person has seen and heard all the others for a while, all at the same time."""
    others = len(people) - 1
    begun = []
    for person in people:
        with person.step("sees and hears the others", must=True):
            begun.append(_received(person, others, others, 1))
    for person, before in zip(people, begun, strict=True):
        with person.step("still sees and hears the others", must=True):
            more = {kind: others * amount for kind, amount in (("frames", MORE_FRAMES), ("audio", MORE_AUDIO))}
            after = _received(person, others, before["frames"] + more["frames"], before["audio"] + more["audio"])
            grown = {kind: after[kind] - before[kind] for kind in ("frames", "audio", "video")}
            person.record.add("harness", "received", who=person.name, state=after["state"], **grown)


def _received(visit: Visit, pictures: int, frames: int, audio: int) -> dict[str, Any]:
    return dict(visit.page.evaluate(ENOUGH, [frames, audio, PATIENCE, pictures]))


def _chat(people: Sequence[Visit]) -> None:
    text = f"hello {secrets.token_hex(4)}"
    with people[-1].step("writes into the chat", must=True):
        _open_chat(people[-1])
        people[-1].find(_INPUT).fill(text)
        people[-1].find(_INPUT).press("Enter")
    for person in people[:-1]:
        with person.step("reads what the other wrote", must=True):
            _read(person, text)
    for person in people:
        person.photograph()


def _open_chat(visit: Visit) -> None:
    if not visit.find(_INPUT).is_visible():
        visit.page.keyboard.press("c")
        visit.find(_INPUT).wait_for()


def _read(visit: Visit, text: str) -> None:
    _open_chat(visit)
    visit.surface.locator(".chatmessage").filter(has_text=text).first.wait_for(timeout=PATIENCE)


def _part(people: Sequence[Visit]) -> None:
    """Let all leave by the button, the last to come first; those who stay see that a participant is gone."""
    for number, person in reversed(list(enumerate(people))):
        with person.step("leaves", must=True):
            person.find(LEAVE).evaluate("button => button.click()")  # shown or not: the toolbar hides after a while
            person.page.wait_for_function(GONE, timeout=PATIENCE)
        if number:
            with people[0].step("sees that one has left", must=True):
                people[0].page.wait_for_function(OTHERS, arg=number - 1, timeout=PATIENCE)
    people[0].wait(2)
