"""A site that is being changed: reloads itself in the browser after each build, with a login for tests.

The policy of the shipped headers holds as it is: the script that reloads is a file of the site's own origin, and it
listens to that origin only (``script-src 'self'``, ``connect-src 'self'``). It is put into pages on their way out, so
no built site has it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardener.proof.web.messages import Reply
from hardener.proof.web.server import Handler, is_own, serving
from hardener.proof.xmpp import streams, websocket
from hardener.proof.xmpp.stub import MEMBERS_ONLY, Conversation

if TYPE_CHECKING:
    from hardener.proof.web.messages import Request
    from hardener.proof.web.site import Site

FOLDER = "/.hardener-dev/"
SCRIPT, EVENTS = FOLDER + "reload.js", FOLDER + "events"
_PATIENCE = 15.0  # seconds after which a silent stream is used, so that one without a reader ends
# The address of the script names the site that the page is of: a build that ends before it listens is not missed.
_RELOAD = f"""\
const shown = new URL(document.currentScript.src).search.slice(1);

new EventSource('{EVENTS}').onmessage = ({{ data }}) => data === shown || location.reload();
""".encode()
# As build/nginx may come to demand it of all scripts.
_INTEGRITY = "sha384-" + base64.b64encode(hashlib.sha384(_RELOAD).digest()).decode()
_HEAD = b"</head>"
# A page is always sent, whole and as it is: the script has to be put into it.
_CONDITIONAL = frozenset({"accept-encoding", "if-none-match", "if-modified-since", "if-match", "if-range", "range"})


class Live:
    """A folder with a site, and the browsers that show it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._key = ""
        self._changed = threading.Condition()
        self._closed = False

    @property
    def key(self) -> str:
        """Return what identifies the site that is shown; empty before the first build."""
        return self._key

    def show(self, key: str) -> None:
        """Reload the browsers that show another site than this."""
        with self._changed:
            self._key = key
            self._changed.notify_all()

    def close(self) -> None:
        """End the streams to all browsers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def following(self, key: str) -> str | None:
        """Return the key of the site, once it is another one; an empty text when that takes long, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._key != key, timeout=_PATIENCE)
            return None if self._closed else ("" if self._key == key else self._key)

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request: the site's, with the script in its pages."""
        if urlsplit(request.target).path == SCRIPT:
            return Reply(
                HTTPStatus.OK, {"Content-Type": "application/javascript", "Cache-Control": "no-store"}, _RELOAD
            )
        plain = {name: value for name, value in request.headers.items() if name not in _CONDITIONAL}
        reply = self._site.answer(replace(request, headers=plain))
        if not reply.headers.get("Content-Type", "").startswith("text/html"):
            return self._site.answer(request)
        tag = f'<script src="{SCRIPT}?{self._key}" integrity="{_INTEGRITY}"></script>'.encode()
        headers = {name: value for name, value in reply.headers.items() if name not in ("ETag", "Last-Modified")}
        page, end, rest = reply.body.partition(_HEAD)  # which a page may leave out
        return replace(reply, headers=headers, body=page + tag + end + rest)

    def serving(self, port: int) -> contextlib.AbstractContextManager[str]:
        """Serve on loopback; yields the address. Raises StackError where the port is taken."""
        kind = type("BoundLive", (_LiveHandler,), {"live": self})
        return serving(self.answer, self._site.refuse, port, kind)


class _LiveHandler(Handler):
    """Answers as the site does, and besides with the stream of builds and as XMPP server."""

    live: Live

    def answer_get(self) -> None:
        """Answer a GET: a stream, the handshake of a WebSocket, or what the site has."""
        with contextlib.suppress(ValueError):
            path = urlsplit(self.path).path
            if is_own(self) and path == EVENTS:
                self._stream()
                return
            if is_own(self) and path.startswith(streams.WEBSOCKET) and self.headers.get("Upgrade"):
                self._converse()
                return
        self.handle_request()

    do_GET = answer_get  # noqa: N815 (http.server)

    def _stream(self) -> None:
        """Send the key of the site that is there, and of each that follows (server-sent events)."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        sent = ""
        with contextlib.suppress(OSError):
            while (key := self.live.following(sent)) is not None:
                self.wfile.write(f"data: {key}\n\n".encode() if key else b": still here\n\n")
                sent = key or sent

    def _converse(self) -> None:
        """Be the XMPP server of one client, with one account, until the client leaves."""
        self.close_connection = True
        host = (self.headers.get("Host") or "").rpartition(":")[0] or "localhost"
        talk = Conversation(host, door=MEMBERS_ONLY)
        gone: tuple[type[Exception], ...] = (OSError, EOFError, websocket.ViolationError)
        with contextlib.suppress(*gone):
            stream = websocket.accept(self.connection, self.path, self.headers.items())
            self.connection.settimeout(None)
            while True:
                for stanza in talk.answer(stream.receive()):
                    stream.send(stanza)
