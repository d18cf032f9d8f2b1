"""The own server: the site with server-side includes as nginx would serve it, XMPP over WebSocket, attackers' pages."""

from __future__ import annotations

import contextlib
import threading
import time
import xml.etree.ElementTree as ET
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardener.proof.evidence import canaries, namespaces, relay
from hardener.proof.web.messages import Reply, Request
from hardener.proof.web.server import refused, send
from hardener.proof.web.site import Site
from hardener.proof.xmpp import websocket
from hardener.proof.xmpp.stub import Conversation

if TYPE_CHECKING:
    import socket
    import ssl
    from pathlib import Path

    from hardener.proof.evidence.record import Recorder
    from hardener.proof.evidence.relay import Real
    from hardener.proof.xmpp.stub import Mallory

HOST = "meet.hardener.test"
STAGE = "stage.hardener.test"  # where the embedding and opening pages of attackers live
BAIT = "/bait/"  # no page of ours asks for what lies below: a page that does was led there by an attacker
LATER = 2.5  # seconds after the join in which Mallory sends her commands


class Scene:
    """The server's content in the present run: more lines for config.js, Mallory, the attacker's page.

    ``real`` are the servers that XMPP goes to; without them our stub answers.
    """

    def __init__(self) -> None:
        self.settings = ""
        self.real: Real | None = None
        self.mallory: Mallory | None = None
        self.features: frozenset[str] = frozenset()
        self.page = ""
        self.joins = 0
        self.talk: Conversation | None = None  # of who came into the room last


def settings(host: str, servers: Real | None = None) -> str:
    """Return what every operator has to write into config.js: the names of the own servers."""
    names = servers.config if servers else f"config.hosts = {{ domain: '{host}', muc: 'conference.{host}' }};"
    return f"\n{names}\nconfig.bosh = 'https://{host}/http-bind'; config.websocket = 'wss://{host}/xmpp-websocket';\n"


class OwnServer:
    """Serves on 443 of the own address, TLS, one thread a connection."""

    def __init__(
        self, net: namespaces.SealedNetwork, site: Path, scene: Scene, record: Recorder, tls: ssl.SSLContext
    ) -> None:
        self.scene, self.record, self.tls = scene, record, tls
        # What the page does must not depend on the headers that forbid it.
        self._site = Site(site, headers=False, append=self._appended)
        self._listening = net.tcp(namespaces.OWN, 443)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        with contextlib.suppress(OSError, ValueError, EOFError), connection:
            connection.settimeout(120)
            with self.tls.wrap_socket(connection, server_side=True) as stream:
                handler = type("Bound", (_Handler,), {"owner": self})
                handler(stream, peer, None)

    def answer(self, host: str, target: str) -> Reply:
        """Return the answer to a GET."""
        path = urlsplit(target).path
        if host == STAGE:
            return Reply(HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8"}, self.scene.page.encode())
        if path.startswith(canaries.FOLDER):
            planted = canaries.body(path.removeprefix(canaries.FOLDER))
            return Reply(HTTPStatus.OK, {"Content-Type": planted[0]}, planted[1].encode()) if planted else refused(404)
        return self._site.answer(Request("GET", target))

    def _appended(self, name: str) -> bytes:
        """Return what config.js says beyond the site's own."""
        return (settings(HOST, self.scene.real) + self.scene.settings).encode() if name == "config.js" else b""

    def converse(self, stream: websocket.WebSocket) -> None:
        """Be the XMPP server of one client until it leaves."""
        scene = self.scene
        talk = Conversation(HOST, scene.mallory, scene.features)
        heard = 0
        while True:
            try:
                text = stream.receive()
            except websocket.ViolationError as error:
                self.record.add("harness", "stub-error", error=repr(error), stanza="")
                return
            try:
                answers = list(talk.answer(text))
            except (ET.ParseError, ValueError, KeyError, IndexError) as error:
                self.record.add("harness", "stub-error", error=repr(error), stanza=text[:500])
                continue
            self.record.add("harness", "xmpp", stanza=text[:300])
            for stanza in answers:
                stream.send(stanza)
            for kind, value in talk.heard[heard:]:
                self.record.add("harness", "given-away", what=kind, value=value)
            heard = len(talk.heard)
            if talk.joined and any("code='110'" in answer for answer in answers):
                scene.joins += 1
                scene.talk = talk
            if talk.later:
                later, talk.later = talk.later, []
                threading.Thread(target=self._later, args=(stream, later), daemon=True).start()

    @staticmethod
    def _later(stream: websocket.WebSocket, stanzas: list[str]) -> None:
        with contextlib.suppress(OSError):
            time.sleep(LATER)
            for stanza in stanzas:
                stream.send(stanza)


class _Handler(BaseHTTPRequestHandler):
    owner: OwnServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").split(":")[0]
        path = urlsplit(self.path).path
        if (self.headers.get("Upgrade") or "").lower() == "websocket":
            self._upgrade(path)
            return
        if path.startswith(BAIT):
            self.owner.record.add("transport", "request", host=f"bait.{HOST}", request=f"GET {self.path[:300]}")
        send(self, self.owner.answer(host, self.path))

    def _upgrade(self, path: str) -> None:
        owner, servers = self.owner, self.owner.scene.real
        self.close_connection = True
        if servers and path.startswith(relay.CHANNEL):
            with servers.channel(path, urlsplit(self.path).query).connection as bridge:
                self._switch()
                relay.relay(self.connection, bridge, lambda _data: None)
        elif not path.startswith(relay.PATH):
            self._switch()
            owner.record.add("harness", "own-websocket", path=self.path[:300])
        elif servers is None:
            owner.converse(self._switch())
        else:
            # Prosody first: where it refuses, so do we.
            prosody = servers.connect(urlsplit(self.path).query).connection
            with prosody:
                self._switch()
                relay.relay(self.connection, prosody, relay.Overhearing(owner.record))

    def _switch(self) -> websocket.WebSocket:
        return websocket.accept(self.connection, self.path, self.headers.items())

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(size)
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing: the browser's witness sees own requests, too."""


def certificate_paths(folder: Path) -> tuple[Path, Path]:
    """Return where the throw-away key and certificate of a run are."""
    return folder / "key.pem", folder / "certificate.pem"
