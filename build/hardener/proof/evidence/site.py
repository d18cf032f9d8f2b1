"""The own server: the site with server-side includes as nginx would serve it, XMPP over WebSocket, attackers' pages."""

from __future__ import annotations

import contextlib
import mimetypes
import threading
import time
import xml.etree.ElementTree as ET
from http.server import BaseHTTPRequestHandler
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hardener.proof.evidence import canaries, namespaces, relay
from hardener.proof.includes import expand
from hardener.proof.xmpp import websocket
from hardener.proof.xmpp.stub import Conversation

if TYPE_CHECKING:
    import socket
    import ssl

    from hardener.proof.evidence.record import Recorder
    from hardener.proof.evidence.relay import Real
    from hardener.proof.xmpp.stub import Mallory

HOST = "meet.hardener.test"
STAGE = "stage.hardener.test"  # where the embedding and opening pages of attackers live
NOT_FOUND = 404, "text/plain", b"404 Not Found\n"  # without a text Chromium takes the answer for a broken connection
BAIT = "/bait/"  # no page of ours asks for what lies below: who does has been told to by an attacker
LATER = 2.5  # seconds after the join in which Mallory sends her commands
# Inside of an attribute, values are in single quotes.
_TYPES = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json"}


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
        self.site, self.scene, self.record, self.tls = site.resolve(), scene, record, tls
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

    def body(self, host: str, path: str) -> tuple[int, str, bytes]:
        """Return what a GET returns: status, content type, bytes."""
        if host == STAGE:
            return 200, "text/html; charset=utf-8", self.scene.page.encode()
        name = PurePosixPath(unquote(path).lstrip("/") or "index.html")
        if str(name) == "external_api.js":
            name = PurePosixPath("libs/external_api.min.js")
        if path.startswith(canaries.FOLDER):
            planted = canaries.body(name.name)
            return (200, planted[0], planted[1].encode()) if planted else NOT_FOUND
        if str(name).startswith("http-bind"):
            return NOT_FOUND
        file = (self.site / name).resolve()
        if not file.is_relative_to(self.site) or not file.is_file():
            if len(name.parts) > 1 and name.parts[0] in {"libs", "css", "static", "images", "fonts", "lang", "sounds"}:
                return NOT_FOUND
            file = self.site / "index.html"
        data = file.read_bytes()
        kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if file.suffix == ".html" or file.name in ("config.js", "interface_config.js"):
            # SSI first, only on files of the site; then the settings, where config.js is or was included.
            own = (settings(HOST, self.scene.real) + self.scene.settings).encode()
            if file.name == "config.js":
                data = expand(self.site, data) + own
            else:
                config = self.site / "config.js"
                data = data.replace(b'<!--#include virtual="/config.js" -->', b"\0CONFIG\0")
                data = expand(self.site, data).replace(b"\0CONFIG\0", expand(self.site, config.read_bytes()) + own)
        return 200, kind + ("; charset=utf-8" if kind.startswith("text/") else ""), data

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
            for one in answers:
                stream.send(one)
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
        status, kind, data = self.owner.body(host, path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(data)

    def _upgrade(self, path: str) -> None:
        owner, servers = self.owner, self.owner.scene.real
        self.close_connection = True
        if not path.startswith(relay.PATH):
            self._switch()
            owner.record.add("harness", "own-websocket", path=self.path[:300])
        elif servers is None:
            self._switch()
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
