"""Compare the server's list of occupants with the page's: the same people, in the same roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hardener.proof.evidence.visit import Visit

CANARY = "canary occupants"  # the run in which the server has a person that the page does not get
PLANTED = "0000dead"
FOCUS = "focus"
# The page's own participants, what its open list shows, whom it takes for the focus, and whether it is still in there.
_PAGE = """() => {
    const people = APP.store.getState()['features/base/participants'];
    const me = APP.conference.getMyUserId();
    const others = [...people.remote.values()].filter(one => !one.fakeParticipant);
    return {
        joined: Boolean(APP.conference.isJoined()),
        focus: (APP.conference._room?.room?.focusMucJid ?? '').split('/').pop(),
        roles: Object.fromEntries(others.map(one => [one.id, one.role ?? 'none'])),
        listed: [...document.querySelectorAll('[id^="participant-item-"]')]
            .map(one => one.id.slice('participant-item-'.length)).filter(id => id && id !== me),
    };
}"""
_PANE = "#participants-pane"
_PATIENCE = 5.0  # seconds for a page that has received everything to draw it
_LONG = 20.0  # seconds for the server to have sent everything


def differences(server: Mapping[str, str], page: Mapping[str, Any]) -> list[str]:
    """Return in what the page differs from the server's list (nick in the room -> role).

    >>> page = {"joined": True, "focus": "focus", "roles": {"b": "moderator"}, "listed": ["b", "c"]}
    >>> differences({"a": "participant", "b": "participant"}, page)
    ['a is not shown', 'b is shown as moderator and is participant', 'c is shown and is not there']
    """
    found = [] if page["joined"] else ["the page has left"]
    if page["focus"] not in {FOCUS, ""}:
        found.append(f"{page['focus']} is taken for the focus")
    shown = set(page["roles"]) & set(page["listed"])
    for nick, role in sorted(server.items()):
        if nick not in shown:
            found.append(f"{nick} is not shown")
        elif page["roles"][nick] != role:
            found.append(f"{nick} is shown as {page['roles'][nick]} and is {role}")
    extra = (set(page["roles"]) | set(page["listed"])) - set(server)
    return found + [f"{nick} is shown and is not there" for nick in sorted(extra)]


def compare(visit: Visit, server: Callable[[], Mapping[str, str] | None]) -> None:
    """Wait until the server has sent everything (it gives no list before), open the page's list, and compare."""
    with visit.step("the server has sent the list of occupants", must=True):
        _until(visit, lambda: server() is not None, _LONG)
    with visit.step("list of participants"):
        if not visit.surface.locator(_PANE).count():
            visit.surface.evaluate("document.activeElement?.blur()")  # or the chat gets the letter
            visit.page.keyboard.press("p")
            visit.surface.locator(_PANE).wait_for(timeout=1000 * _PATIENCE)
    seen: dict[str, Any] = {}

    def same() -> bool:
        seen.update(visit.surface.evaluate(_PAGE))
        return not differences(server() or {}, seen)

    with visit.step("who is there is who is shown"):
        try:
            _until(visit, same, _PATIENCE)
        finally:
            told = dict(server() or {})
            found = differences(told, seen) if seen else ["the page did not answer"]
            visit.record.add("harness", "occupants", server=told, page=seen, differences=found)


def _until(visit: Visit, condition: Callable[[], bool], seconds: float) -> None:
    from hardener.proof.evidence.visit import Missed  # noqa: PLC0415 (it imports what the stub is made of)

    for _attempt in range(round(seconds * 5)):
        if condition():
            return
        visit.page.wait_for_timeout(200)
    raise Missed("it did not come to that")


def in_room(visit: Visit) -> Mapping[str, str] | None:
    """Return the stub's list, once the page has answered the last thing that it was sent."""
    talk = visit.scene.talk if visit.scene else None
    return dict(talk.occupants) if talk and talk.settled else None


def who(visit: Visit) -> None:
    """Join, and compare."""
    visit.open("/" + visit.room)
    visit.join()
    compare(visit, lambda: in_room(visit))
