"""What is left of a JSON message of a component or a participant (messages.ts)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

OVERLAYS = Path(__file__).parents[3] / "overlays"
LIBRARY = OVERLAYS / "lib-jitsi-meet/modules/hardener"
SHAPE = LIBRARY / "shape.ts"
IMPORT = re.compile(r"^import .*?;$", re.MULTILINE | re.DOTALL)
MAIN = """
import { readFileSync } from 'node:fs';
console.log(JSON.stringify(JSON.parse(readFileSync(process.argv[2], 'utf8'))
    .map((text: string) => readMessage(JSON.parse(text)) ?? null)));
"""
LOGGER = "const getLogger = (_name: string) => ({ warn: (_text: string) => undefined });"
MALLORY = "mallory"
POLL = {
    "answers": [{"name": "a"}, {"name": "b"}],
    "pollId": "p",
    "question": "why",
    "senderId": MALLORY,
    "senderName": "Mallory",
}
VOTED = {**POLL, "answers": [{"name": "a", "voters": [{"id": MALLORY, "name": "Mallory"}]}, {"name": "b"}]}
FILE = {
    "authorParticipantId": MALLORY,
    "authorParticipantJid": "m@x.invalid/m",
    "authorParticipantName": "Mallory",
    "conferenceFullName": "room@x.invalid",
    "fileId": "3b0e6c1a-0000-4000-8000-000000000000",
    "fileName": "a.png",
    "fileSize": 3,
    "fileType": "png",
    "timestamp": 1,
}
ROOM = {
    "id": "r",
    "isMainRoom": True,
    "jid": "r@x.invalid",
    "name": "Room",
    "participants": {
        "r@x.invalid/bob": {
            "displayName": "Bob",
            "jid": "b@x.invalid/b",
            "role": "participant",
            "userContext": {"id": "7", "name": "Bob"},
        }
    },
}
# As the server sends them.
RIGHT: list[dict[str, Any]] = [
    {"type": "polls", "command": "new-poll", **POLL},
    {
        "type": "polls",
        "command": "answer-poll",
        "pollId": "p",
        "senderId": MALLORY,
        "senderName": "Mallory",
        "answers": [True, False],
    },
    {"type": "polls", "command": "old-polls", "polls": [VOTED, POLL]},
    {"type": "breakout_rooms", "event": "features/breakout-rooms/update", "roomCounter": 1, "rooms": {"r": ROOM}},
    {"type": "breakout_rooms", "event": "features/breakout-rooms/move-to-room", "roomJid": "r@x.invalid"},
    {"type": "file-sharing", "event": "add", "file": FILE},
    {"type": "file-sharing", "event": "list", "files": {FILE["fileId"]: FILE}},
    {"type": "file-sharing", "event": "remove", "fileId": FILE["fileId"]},
    {"type": "speakerstats", "users": {MALLORY: {"displayName": "Mallory", "totalDominantSpeakerTime": 1}}},
    {"type": "av_moderation", "mediaType": "audio", "enabled": True, "actor": MALLORY, "room": "room@x.invalid"},
    {"type": "av_moderation", "mediaType": "audio", "whitelists": {"audio": [MALLORY]}, "removed": True},
    {"type": "visitors", "action": "promotion-request", "from": "v", "nick": "Vera", "on": True},
    {"type": "room_metadata", "metadata": {"visitors": {"promoted": {MALLORY: True}}, "permissions": {}}},
    {"type": "lobby-notify", "event": "LOBBY-ENABLED", "name": "Nora", "value": True},
    {"type": "LOBBY_CHAT_MESSAGE", "message": "Hello"},
    {"type": "system_chat_message", "message": "Hello", "displayName": "System"},
    {"type": "something-else", "of": [{"an": "application"}]},
]
WRONG: list[Any] = [{"a": 1}, ["x"], [None], [], {}, None, 5, -1e300, True, "toString", "__proto__", "x" * 10_000]
NUMBERS = {"fileSize", "roomCounter", "timestamp", "totalDominantSpeakerTime"}
TEXTS = {
    *("authorParticipantId", "authorParticipantName", "displayName", "fileId", "fileName", "fileType", "id", "jid"),
    *("name", "pollId", "question", "role", "roomJid", "senderId", "senderName"),
}
STRICT = {"av_moderation", "breakout_rooms", "file-sharing", "polls", "speakerstats"}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], list[Any]]:
    """Read messages, given as JSON, in Node, which takes the types out."""
    folder = tmp_path_factory.mktemp("messages")
    sources = [IMPORT.sub("", (LIBRARY / name).read_text("utf-8")) for name in ("shape.ts", "messages.ts")]
    (folder / "messages.mts").write_text("\n".join([LOGGER, *sources, MAIN]), "utf-8")

    def call(texts: list[str]) -> list[Any]:
        (folder / "job.json").write_text(json.dumps(texts))
        done = run([node.home() / "bin" / "node", folder / "messages.mts", folder / "job.json"])
        assert not done.status, done.complaint
        return json.loads(done.stdout)

    return call


def _variants(value: Any) -> list[Any]:
    """Replace each value in a message, one at a time, by each wrong one."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = [{**value, key: item} for key in value for item in _variants(value[key])]
        inner += [{name: value[name] for name in value if name != key} for key in value]
        inner += [{**value, name: next(iter(value.values()), {})} for name in ("__proto__", "toString", "constructor")]
    elif isinstance(value, list):
        inner = [[*value[:at], item, *value[at + 1 :]] for at in range(len(value)) for item in _variants(value[at])]
    return [*WRONG, *inner]


def _faults(value: Any, key: str = "") -> list[str]:
    """Name the values that the client cannot draw, look up or count."""
    if isinstance(value, dict) and key not in TEXTS | NUMBERS:
        found = [name for name in value if name in {"__proto__", "toString", "constructor"}]
        return found + [fault for name, item in value.items() for fault in _faults(item, name)]
    if isinstance(value, list) and key not in TEXTS | NUMBERS:
        return [fault for item in value for fault in _faults(item, f"{key} item")]
    if key in TEXTS:
        return [] if isinstance(value, str) and len(value) <= 1024 else [key]
    if key in NUMBERS:
        return [] if isinstance(value, int | float) and not isinstance(value, bool) else [key]
    return [key] if value is None else []


def test_what_the_server_sends_arrives(read: Callable[[list[str]], list[Any]]) -> None:
    assert read([json.dumps(message) for message in RIGHT]) == RIGHT


def test_no_wrong_value_arrives(read: Callable[[list[str]], list[Any]]) -> None:
    """Each value of each message is replaced by each wrong one. Unchanged, the messages have hundreds of faults."""
    names = ("type", "event", "command")
    texts = [
        json.dumps(variant)
        for message in RIGHT
        if message["type"] in STRICT
        for variant in _variants(message)
        if isinstance(variant, dict) and all(variant.get(name) == message.get(name) for name in names)
    ]
    assert sum(bool(_faults(json.loads(text))) for text in texts) > 500

    left = read(texts)
    assert [
        (text[:200], _faults(message)) for text, message in zip(texts, left, strict=True) if _faults(message or {})
    ] == []


def test_votes_of_the_author_do_not_count(read: Callable[[list[str]], list[Any]]) -> None:
    """Servers forward what the author of a poll writes into it. Votes come from the server only."""
    message = {"type": "polls", "command": "new-poll", **VOTED, "history": True}
    assert read([json.dumps(message)]) == [RIGHT[0]]


def test_a_participant_is_found_under_any_name(read: Callable[[list[str]], list[Any]]) -> None:
    """Names that each object has get a character in front, as in the addresses of stanzas."""
    member = {"displayName": "Bob", "jid": "b@x.invalid/b"}
    room = {**ROOM, "participants": {"r@x.invalid/constructor": member}}
    [read_room, answer] = read(
        [
            json.dumps({**RIGHT[3], "rooms": {"r": room}}),
            json.dumps({**RIGHT[1], "senderId": "__proto__"}),
        ]
    )
    assert list(read_room["rooms"]["r"]["participants"]) == ["r@x.invalid/\u200bconstructor"]
    assert answer["senderId"] == "\u200b__proto__"


def test_both_components_have_the_same_rules() -> None:
    assert SHAPE.read_bytes() == (OVERLAYS / "jitsi-meet/react/features/hardener/shape.ts").read_bytes()
