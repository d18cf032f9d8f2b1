"""The types of values in JSON messages of components and participants. 'unpatched' is the control.

tests/unit/overlays/test_messages.py tries each value of each message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

POLL = {
    "type": "polls",
    "pollId": "p",
    "question": "why",
    "senderId": "mallory",
    "senderName": "M",
    "answers": [{"name": "a", "voters": [{"id": "bob", "name": "Bob"}]}, {"name": "b"}],
}
FILE = {
    "authorParticipantId": "mallory",
    "authorParticipantName": "Mallory",
    "fileId": "f",
    "fileName": "a.png",
    "fileSize": 3,
    "fileType": "png",
    "timestamp": 1,
}
MEMBER = {"displayName": "Bob", "jid": "b@x.invalid/b", "role": "participant"}
BREAKOUT = {"id": "r", "jid": "r@x.invalid", "name": "Room", "participants": {"r@x.invalid/__proto__": MEMBER}}
WRONG = {"a": 1}
NEW = {"command": "new-poll", **POLL}
ANSWER = {"command": "answer-poll", **POLL, "answers": [True, False]}
ADD = {"type": "file-sharing", "event": "add", "file": FILE}
UPDATE = {"type": "breakout_rooms", "event": "features/breakout-rooms/update", "roomCounter": 1}
REACTION = {"type": "reaction", "name": "endpoint-reaction", "timestamp": 1}
MARKUP = "<img src=https://pic.invalid/a>\u202egnp" + "x" * 10_000


def _rooms(**changes: Any) -> dict[str, Any]:
    return {**UPDATE, "rooms": {"r": {**BREAKOUT, **changes}}}


# A server forwards the votes that the author of a poll writes into it.
OF_A_PARTICIPANT = {**NEW, "answers": [{"name": "a", "voters": "x"}]}
OF_A_SERVER = _rooms(name=WRONG)
MESSAGES: list[dict[str, Any]] = [
    OF_A_PARTICIPANT,
    {**NEW, "question": WRONG},
    {**NEW, "question": MARKUP, "senderId": WRONG},
    {**NEW, "answers": [{"name": WRONG}]},
    {**NEW, "answers": None},
    {**NEW, "pollId": "__proto__"},
    {**ANSWER, "pollId": "toString"},
    {**ANSWER, "answers": None},
    {**ANSWER, "senderName": WRONG},
    {"command": "old-polls", "type": "polls", "polls": [None, {**POLL, "answers": [{"name": "a", "voters": {}}]}]},
    OF_A_SERVER,
    _rooms(name=MARKUP),
    _rooms(participants=None),
    _rooms(participants={"r@x.invalid/bob": {**MEMBER, "displayName": WRONG, "jid": WRONG}}),
    {**UPDATE, "rooms": None},
    {**UPDATE, "rooms": {"r": None, "toString": BREAKOUT}},
    {**ADD, "file": {**FILE, "fileName": WRONG}},
    {**ADD, "file": {**FILE, "fileId": "../../x", "timestamp": 1e300}},
    {"type": "file-sharing", "event": "list", "files": None},
    {"type": "speakerstats", "users": {"mallory": None}},
]
RIGHT: list[dict[str, Any]] = [NEW, ANSWER, _rooms(), ADD]

# Delivers messages as frames of the WebSocket, with the panes open that show them, and stops when the page is empty.
DELIVER = """async ({ messages, sender }) => {
    const { xmpp } = APP.connection;
    const { room } = APP.conference._room;
    const { dispatch, getState } = APP.store;
    const component = 'component.x.invalid';
    const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
    xmpp._components.push(component);
    xmpp.pollsComponentAddress = xmpp.breakoutRoomsComponentAddress = component;
    dispatch({ type: 'SETTINGS_UPDATED', settings: { displayName: 'Vera', soundsReactions: false } });
    dispatch({ type: 'PARTICIPANTS_PANE_OPEN' });
    dispatch({ type: 'OPEN_CHAT' });
    for (const message of messages) {
        const from = sender ? `from='${room.roomjid}/${sender}' type='groupchat'` : `from='${component}'`;
        xmpp.connection._stropheConn._proto._onMessage({ data: `<message xmlns='jabber:client' ${from}
            to='${APP.connection.getJid()}'><json-message xmlns='http://jitsi.org/jitmeet'>${
    escape(JSON.stringify(message))}</json-message></message>` });
        for (const pollId of Object.keys(getState()['features/polls'].polls)) {
            dispatch({ type: 'REGISTER_VOTE', pollId, answers: [ true ] });
        }
        for (const tabId of [ 'chat-tab', 'polls-tab' ]) {
            dispatch({ type: 'SET_FOCUSED_TAB', tabId });
            await new Promise(requestAnimationFrame);
            await new Promise(resolve => setTimeout(resolve));
        }
        if (!document.querySelector('#react').hasChildNodes()) {
            return { emptied: message };
        }
    }
    const { polls } = getState()['features/polls'];
    const { rooms } = getState()['features/breakout-rooms'];

    return {
        drawn: Boolean(document.querySelector('#poll-p')) && Boolean(document.querySelector('#participants-pane')),
        polls: Object.keys(polls),
        voters: [ polls.p?.answers[0].voters ?? [] ].flat().map(voter => voter.id),
        rooms: Object.values(rooms).map(({ name }) => name),
        files: Array.from(getState()['features/file-sharing'].files.keys()),
        reactions: getState()['features/reactions'].queue.map(({ reaction }) => reaction),
        wide: document.documentElement.scrollWidth > innerWidth,
        global: Object.keys(Object.prototype)
    };
}"""


def _deliver(seen: Visit, *messages: dict[str, Any], sender: str = "") -> dict[str, Any]:
    found: dict[str, Any] = seen.page.evaluate(DELIVER, {"messages": messages, "sender": sender})
    return found


def test_no_message_empties_the_page(meeting: Callable[..., Visit]) -> None:
    """Each wrong message is drawn. No handler fails, and what is right arrives."""
    for message in (OF_A_PARTICIPANT, OF_A_SERVER):
        assert _deliver(meeting("unpatched"), message) == {"emptied": message}

    seen = meeting("hardened")
    failed: list[str] = []
    seen.page.on("console", lambda line: failed.append(line.text) if "A handler failed" in line.text else None)
    found = _deliver(seen, *MESSAGES, *RIGHT)
    assert found == {
        "drawn": True,
        "polls": ["p"],
        "voters": ["mallory"],
        "rooms": ["Room"],
        "files": ["f"],
        "reactions": [],
        "wide": False,
        "global": [],
    }
    assert failed == []
    assert not [address for address in seen.foreign if "pic.invalid" in address]
