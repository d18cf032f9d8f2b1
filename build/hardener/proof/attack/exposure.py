"""Ways in beside the streams: paths of the site that belong to the server's inside, and ports of the machine."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hardener.proof.attack import verdict
from hardener.proof.attack.record import Judgement, Target, refused, succeeded, unclear
from hardener.proof.attack.session import Scene, Way
from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.stanzas import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

# Method, path, and what is in the answer of the real thing. The names are those of the modules in jitsi-meet's
# resources/prosody-plugins, of Prosody's own HTTP modules, and of the REST interfaces of jicofo and the bridge.
PATHS = (
    ("GET", "/room-census", "room_census"),
    ("GET", "/room-size?room={room}&domain={domain}", "participants"),
    ("GET", "/room?room={room}&domain={domain}", "jid"),
    ("GET", "/room-info?room={room}@{muc}", "conference"),
    ("GET", "/_api/room-info?room={room}@{muc}", "conference"),
    ("POST", "/end-meeting?conference={room}@{muc}", "ok"),
    ("PUT", "/kick-participant?room={room}", "ok"),
    ("POST", "/invite-jigasi", "ok"),
    ("POST", "/send-system-chat-message", "ok"),
    ("GET", "/turn-credentials", "password"),
    ("GET", "/poltergeist/create?room={room}", "ok"),
    ("GET", "/test-observer/rooms", "rooms"),
    ("GET", "/metrics", "# TYPE"),
    ("GET", "/admin/", "prosody"),
    ("GET", "/register_web", "<form"),
    ("GET", "/register", "password"),
    ("GET", "/invites_page", "invite"),
    ("GET", "/file_share/", "upload"),
    ("GET", "/rest", "XMPP"),
    ("GET", "/console", "prosody"),
    ("GET", "/colibri/stats", "endpoints"),
    ("GET", "/colibri/conferences", "["),
    ("GET", "/debug", "{{"),
    ("GET", "/stats", "conferences"),
    ("GET", "/about/version", "version"),
    ("GET", "/rtcstats", "jicofo"),
    ("GET", "/etherpad/", "Etherpad"),
    ("GET", "/socket.io/?EIO=4&transport=polling", "sid"),
    ("GET", "/.git/HEAD", "ref: "),
    ("GET", "/.env", "PASSWORD"),
)
_SESSIONS = "/sessions"
_REQUEST = "/conference-request/v1"
# Kind and usual port of what must not be reached from outside, and what it is.
PORTS = {
    "c2s": (5222, "logins by XMPP clients"),
    "c2s-tls": (5223, "logins by XMPP clients"),
    "s2s": (5269, "other XMPP servers, whose people would come in with them"),
    "component": (5347, "server components"),
    "http": (5280, "Prosody's HTTP, past the web server"),
    "https": (5281, "Prosody's HTTP, past the web server"),
    "telnet": (5582, "Prosody's administration"),
    "jicofo": (8888, "jicofo's REST interface"),
    "jvb": (8080, "the bridge's REST interface"),
}
_HTTP = ("http",)


def ways(target: Target) -> Iterator[Way]:
    """Yield all of them. Ports are tried where the caller names them."""
    for method, path, tell in PATHS:
        yield Way(
            "paths", f"{method} {path.partition('?')[0]}", partial(_path, method=method, path=path, tell=tell), _HTTP
        )
    yield Way("paths", f"GET {_SESSIONS}", _sessions, _HTTP)
    for prefix in ("", "/tenant"):
        run = partial(_conference_request, path=f"{prefix}{_REQUEST}")
        yield Way("paths", f"POST {prefix}{_REQUEST}", run, _HTTP)
    for kind, number in target.ports:
        yield Way("ports", f"{kind} ({number})", partial(_port, kind=kind, number=number), ("tcp",))


def _ask(scene: Scene, method: str, path: str, **facts: Any) -> tuple[int, bytes, bool]:
    """Return status, body, and whether the site answers so to a name in the same folder that does not exist, too (but
    for the name itself, which a page may show).
    """
    asked = urlsplit(path).path
    name = asked.rstrip("/").rpartition("/")[2]
    folder = asked.removesuffix("/").removesuffix(name)
    nothing = f"nothing-{scene.mark}"
    usual = scene.http("GET", f"{folder}{nothing}{'/' * asked.endswith('/')}")[1].replace(nothing.encode(), b"")
    status, body = scene.http(method, path, **facts)
    return status, body, body.replace(name.encode(), b"") == usual.replace(name.encode(), b"")


def _path(scene: Scene, method: str, path: str, tell: str) -> Judgement:
    names = {"room": scene.room.partition("@")[0], "domain": scene.target.domain, "muc": scene.target.muc}
    status, body, usual = _ask(scene, method, path.format(**names), **({} if method == "GET" else {"json": {}}))
    return verdict.of_page(status, body, tell.format(), usual=usual)


def _sessions(scene: Scene) -> Judgement:
    """Ask mod_muc_size, which answers with a bare number."""
    status, body, usual = _ask(scene, "GET", _SESSIONS)
    if status == 200 and body.strip().isdigit():  # noqa: PLR2004
        return succeeded("it says how many are logged in")
    return verdict.of_page(status, body, "\0", usual=usual)


def _conference_request(scene: Scene, path: str) -> Judgement:
    asked = {"room": scene.room, "machineUid": scene.mark, "properties": {}}
    status, body, usual = _ask(scene, "POST", path, json=asked)
    return verdict.of_page(status, body, "focusJid", usual=usual)


# --- ports


def _port(scene: Scene, kind: str, number: int) -> Judgement:
    host = urlsplit(scene.target.url).hostname or ""
    scene.transcript.sent(f"connect to {host}:{number}")
    try:
        connection = socket.create_connection((host, number), timeout=scene.target.patience)
    except TimeoutError:
        return refused("filtered: no answer at all")
    except OSError as error:
        return refused(str(error.strerror or error))
    with contextlib.closing(connection):
        if kind in {"c2s", "s2s"}:
            return _spoken(scene, connection, kind)
        return succeeded(f"reachable: {PORTS.get(kind, (0, kind))[1]}")


def _spoken(scene: Scene, connection: socket.socket, kind: str) -> Judgement:
    """Judge a port: one for clients leads to the same login, if TLS is required; one for servers is a hole."""
    space = "jabber:client" if kind == "c2s" else "jabber:server"
    to = scene.target.domain if kind == "c2s" else scene.target.muc
    sender = "" if kind == "c2s" else " from='evil.example'"
    header = f"<?xml version='1.0'?><stream:stream xmlns='{space}' xmlns:stream='{STREAMS}' "
    features = ("</stream:features>", "<stream:features/>", "</stream:stream>")
    said = _say(scene, connection, f"{header}to='{to}'{sender} version='1.0'>", features)
    if "</stream:stream>" in said or not said:
        return refused("reachable, but ends the stream")
    if kind == "s2s":
        return succeeded("accepts an unknown server: its users could enter")
    login = _say(scene, connection, sasl.auth("ANONYMOUS"), ("/>", "</failure>", "</stream:stream>"))
    if "<success" in login:
        return succeeded("lets any person in")
    if "<mechanism>" in said:
        return succeeded("takes passwords without TLS")
    if "<failure" in login or "</stream:stream>" in login:
        return refused("reachable, asks for TLS before any login")
    return unclear("reachable, and says nothing that can be understood")


def _say(scene: Scene, connection: socket.socket, text: str, ends: tuple[str, ...]) -> str:
    """Send, and read until one of the endings; what came is returned."""
    scene.transcript.sent(text)
    connection.settimeout(scene.target.patience)
    said = ""
    with contextlib.suppress(ConnectionError):
        connection.sendall(text.encode())
        while not any(end in said for end in ends):
            more = connection.recv(1 << 16).decode("utf-8", "replace")
            if not more:
                break
            said += more
    scene.transcript.said(said)
    return said
