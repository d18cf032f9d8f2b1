"""A built site on loopback, with its XMPP server, for browsers in which a test can put nothing before the page's own
scripts: what a test sets, it appends to config.js.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from hardener.proof.web.server import Handler, serving
from hardener.proof.web.site import Site
from hardener.proof.xmpp import streams, websocket
from hardener.proof.xmpp.stub import MEMBERS_ONLY, Conversation, Door

if TYPE_CHECKING:
    from pathlib import Path

_SERVERS = """
config.hosts = { domain: '127.0.0.1', muc: 'conference.127.0.0.1' };
config.websocket = `ws://${location.host}/xmpp-websocket`;
config.bosh = `//${location.host}/http-bind`;
"""


@dataclass
class House:
    """Context manager: a site, with the headers of build/nginx or without, and a server that can be stopped."""

    folder: Path
    headers: bool = True
    door: Door = MEMBERS_ONLY
    settings: str = ""  # more lines of config.js
    down: bool = False  # takes no connection
    conversations: list[Conversation] = field(default_factory=list)
    address: str = ""
    _connections: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        site = Site(self.folder, headers=self.headers, append=self._appended)
        handler = type("BoundHouse", (_HouseHandler,), {"house": self})
        self._serving = serving(site.answer, site.refuse, 0, handler)
        self.address = self._serving.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._serving.__exit__(None, None, None)

    def _appended(self, name: str) -> bytes:
        return (_SERVERS + self.settings).encode() if name == "config.js" else b""

    def stop(self) -> None:
        """Break the connections and take no new one, as a server does that is stopped."""
        self.down = True
        while self._connections:
            with contextlib.suppress(OSError):
                self._connections.pop().shutdown(socket.SHUT_RDWR)

    @property
    def accounts(self) -> list[str]:
        """Return who has signed in, in order."""
        return [talk.account for talk in self.conversations if talk.account]

    def converse(self, connection: socket.socket, path: str, headers: Any) -> None:
        """Be the XMPP server of one client until it leaves."""
        talk = Conversation("127.0.0.1", door=self.door)
        gone: tuple[type[Exception], ...] = (OSError, EOFError, websocket.ViolationError)
        with contextlib.suppress(*gone):
            stream = websocket.accept(connection, path, headers)
            connection.settimeout(None)
            self.conversations.append(talk)
            self._connections.append(connection)
            while True:
                for stanza in talk.answer(stream.receive()):
                    stream.send(stanza)


class _HouseHandler(Handler):
    """Answers as the site does, and besides as XMPP server."""

    house: House

    def answer_get(self) -> None:
        """Answer a GET: a WebSocket, or what the site has."""
        if not (urlsplit(self.path).path.startswith(streams.WEBSOCKET) and self.headers.get("Upgrade")):
            self.handle_request()
            return
        self.close_connection = True
        if not self.house.down:
            self.house.converse(self.connection, self.path, self.headers.items())

    do_GET = answer_get  # noqa: N815 (http.server)
