"""The worst server there is: it says yes to everything. Each attack has to succeed here, or it could never fail
anywhere.
"""

from __future__ import annotations

import base64
import re
import socketserver
import threading
from dataclasses import dataclass, field
from typing import BinaryIO, Self
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from hardener.proof.attack import exposure
from hardener.proof.xmpp import websocket
from hardener.proof.xmpp.muc import MUC
from hardener.proof.xmpp.sasl import SASL
from hardener.proof.xmpp.stanzas import BIND, DISCO_ITEMS, FRAMING, STREAMS

FEATURES = (
    f"<stream:features xmlns:stream='{STREAMS}' xmlns='jabber:client'>"
    f"<mechanisms xmlns='{SASL}'><mechanism>ANONYMOUS</mechanism><mechanism>PLAIN</mechanism></mechanisms>"
    f"<bind xmlns='{BIND}'/><register xmlns='http://jabber.org/features/iq-register'/>"
    "<sm xmlns='urn:xmpp:sm:3'/></stream:features>"
)


@dataclass
class Session:
    """One client, as this server takes it."""

    yes_man: YesMan
    websocket: websocket.WebSocket
    incoming: BinaryIO
    jid: str = ""
    nick: str = ""
    room: str = ""
    wants_requests: bool = False

    def serve(self) -> None:
        """Answer until the client goes."""
        while True:
            for answer in self.answers(any_frame(self.incoming)):
                self.websocket.send(answer)

    def answers(self, text: str) -> list[str]:  # noqa: PLR0911 (one answer a kind of stanza)
        """Yes."""
        if "xmpp-framing" in text:
            return [f"<open xmlns='{FRAMING}' version='1.0' id='1' from='{self.yes_man.domain}'/>", FEATURES]
        if re.search(r"<(auth|response|authenticate)\b", text):
            self.name(text)
            space = "urn:xmpp:sasl:2" if "<authenticate" in text else SASL
            return [f"<success xmlns='{space}'/>"]
        if "<enable " in text:
            return ["<enabled xmlns='urn:xmpp:sm:3' id='7' resume='true'/>"]
        if "<resume " in text:
            return ["<resumed xmlns='urn:xmpp:sm:3' previd='7' h='0'/>"]
        if text.startswith("<presence"):
            return self.presence(text)
        if text.startswith("<message") or re.match(r"<iq [^>]*type='result'", text):
            for session in self.yes_man.sessions:
                if session.jid == attribute(text, "to"):
                    session.websocket.send(text)
            self.tell_room(text)
            return []
        return self.iq(text) if text.startswith("<iq") else []

    def name(self, text: str) -> None:
        """Accept the identity that the client claims."""
        said = re.search(r">([\w+/=]+)<", text)
        initial = base64.b64decode(said[1] if said and said[1] != "=" else "").decode("utf-8", "replace")
        asked = re.match(r"n,a=([^,]+)", initial)
        authzid, _sign, rest = initial.partition("\0")
        user = asked[1] if asked else authzid or f"{rest.partition(chr(0))[0] or 'nobody'}@{self.yes_man.domain}"
        self.jid = f"{user}/{id(self)}"

    def presence(self, text: str) -> list[str]:
        """Let everybody in, as moderator; with 303 for a person who takes another name."""
        to = attribute(text, "to")
        room, _slash, nick = to.partition("/")
        if not nick:
            self.wants_requests = self.wants_requests or bool(room)
            return []
        self.yes_man.rooms.add(room)
        renamed = bool(self.nick) and self.nick != nick
        self.nick, self.room = nick, room
        self.tell_room(text)
        return [self.seat(room, nick, moderator=self.yes_man.generous, code=303 if renamed else 110)]

    def tell_room(self, text: str) -> None:
        """Pass a stanza on to the others in the room, or to the one whom it names, as it is; to a presence the room
        adds
        its own word.
        """
        to, place = attribute(text, "to"), f"{self.room}/{self.nick}"
        passed = re.sub(r" to=(['\"]).*?\1", f" from={quoteattr(place)}", text, count=1)
        if text.startswith("<presence"):
            to, word = self.room, f"<x xmlns='{MUC}#user'><item affiliation='none' role='participant'/></x>"
            passed = passed.replace("</presence>", f"{word}</presence>")
        for session in self.yes_man.sessions:
            if session is not self and to and to in {session.room, f"{session.room}/{session.nick}"}:
                session.websocket.send(passed)

    @staticmethod
    def seat(room: str, nick: str, *, moderator: bool, code: int = 110) -> str:
        """Return what the room says about the client itself."""
        item = "affiliation='owner' role='moderator'" if moderator else "affiliation='none' role='participant'"
        x = f"<x xmlns='{MUC}#user'><item {item}/><status code='{code}'/></x>"
        return f"<presence xmlns='jabber:client' from={quoteattr(f'{room}/{nick}')}>{x}</presence>"

    def iq(self, text: str) -> list[str]:
        """Return a result with whatever was asked for."""
        to, payload = attribute(text, "to"), ""
        self.tell_room(text)
        if "xmpp-bind" in text:
            payload = f"<bind xmlns='{BIND}'><jid>{self.jid or 'x@y/z'}</jid></bind>"
        elif "disco#items" in text:
            items = "".join(f"<item jid={quoteattr(room)}/>" for room in self.yes_man.rooms)
            payload = f"<query xmlns='{DISCO_ITEMS}'>{items}</query>"
        elif "protocol/focus" in text:
            for session in self.yes_man.sessions:
                if session.wants_requests and session is not self:
                    session.websocket.send(text)
        name = attribute(text, "id")
        answers = [f"<iq xmlns='jabber:client' type='result' id='{name}' from={quoteattr(to)}>{payload}</iq>"]
        if f"{MUC}#admin" in text and self.nick:
            answers.append(self.seat(to, self.nick, moderator=True))
        return answers


def any_frame(incoming: BinaryIO) -> str:
    """Read a client's frame by hand and take it for text, whatever is broken in it; EOFError when the client has
    gone.
    """
    head = incoming.read(2)
    if len(head) < 2:
        raise EOFError
    size = head[1] & 0x7F
    if size > 125:
        size = int.from_bytes(incoming.read(2 if size == 126 else 8), "big")
    mask, data = incoming.read(4), incoming.read(size)
    repeated = (mask * (size // 4 + 1))[:size]
    clear = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
    return clear.to_bytes(size, "big").decode("utf-8", "replace")


def attribute(text: str, name: str) -> str:
    """Return an attribute of the first tag that has it."""
    found = re.search(rf"\b{name}=(['\"])(.*?)\1", text)
    return "".join(filter(str.isprintable, found[2])) if found else ""


@dataclass
class YesMan:
    """The server. ``generous``: all occupants of a room moderate it. ``dies_after``: connections it bears."""

    domain: str
    generous: bool = True
    dies_after: int = 1 << 30
    sessions: list[Session] = field(default_factory=list)
    rooms: set[str] = field(default_factory=set)
    url: str = ""
    _count: int = 0

    def __enter__(self) -> Self:
        yes_man = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                yes_man.handle(self)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self._server.server_address[1]

    def handle(self, handler: socketserver.StreamRequestHandler) -> None:
        """Serve one connection: a WebSocket, or one HTTP request."""
        self._count += 1
        if self._count > self.dies_after:
            return
        method, path, _version = handler.rfile.readline().decode().split(" ", 2)
        headers = {}
        for line in iter(handler.rfile.readline, b"\r\n"):
            name, _colon, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("upgrade") == "websocket":
            session = Session(self, websocket.accept(handler.connection, path, headers.items()), handler.rfile)
            self.sessions.append(session)
            try:
                session.serve()
            except (EOFError, OSError):
                self.sessions.remove(session)
            return
        handler.rfile.read(int(headers.get("content-length", 0)))
        status, body = self.page(method, urlsplit(path).path)
        handler.wfile.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )

    @staticmethod
    def page(method: str, path: str) -> tuple[str, str]:
        """Return everything that must not be there is there."""
        if path == "/http-bind":
            return (
                "200 OK",
                f"<body xmlns='http://jabber.org/protocol/httpbind'><failure xmlns='{SASL}'><x/></failure></body>",
            )
        if path.endswith("/conference-request/v1"):
            return "200 OK", '{"ready": true, "focusJid": "focus@auth"}'
        if path == "/sessions":
            return "200 OK", "12"
        for known, where, tell in exposure.PATHS:
            if (known, urlsplit(where).path) == (method, path):
                return "200 OK", f"here it is: {tell.format()}"
        return "404 Not Found", ""
