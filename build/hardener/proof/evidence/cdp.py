"""The browser's own word (Chrome DevTools Protocol), from every target: pages, frames, workers, service workers.

A second connection beside Playwright's: it attaches to each target as it appears and turns its network events on.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hardener.errors import StackError
from hardener.proof.xmpp import websocket

if TYPE_CHECKING:
    from hardener.proof.evidence.namespaces import SealedNetwork
    from hardener.proof.evidence.record import Recorder

PORT = 9333
_ATTACH = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
_LONGEST = 253  # characters of a host
_DRAIN = 10  # seconds for the last events of a browser that has ended
_OWN_SCHEMES = ("data:", "blob:", "about:", "chrome:", "chrome-extension:", "devtools:", "javascript:")


def host_of(url: str) -> str:
    """Return the host of an address as it is asked for, in lower case and without a dot at the end.

    >>> host_of("https://Meet.example.:8443/a"), host_of("wss://[x/y"), host_of("data:,")
    ('meet.example', '[x', '')
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # what Python cannot read was asked for nevertheless
        host = url.partition("//")[2].partition("/")[0].lower()
    return host.rstrip(".")[:_LONGEST]


class Listener:
    """Listens until it is closed."""

    def __init__(self, net: SealedNetwork, record: Recorder, port: int = PORT) -> None:
        self.record, self._port = record, port
        self._numbers = itertools.count(1)
        self._targets: dict[str, str] = {}
        self.kinds: set[str] = set()
        path = self._path(net)
        self._stream = websocket.connect(self._connection(net), "127.0.0.1", path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._send("Target.setAutoAttach", _ATTACH, None)

    def _connection(self, net: SealedNetwork) -> Any:
        connection = net.connect_browser(self._port)
        connection.settimeout(None)
        return connection

    def _path(self, net: SealedNetwork) -> str:
        for _attempt in range(40):
            with (
                contextlib.suppress(OSError, ValueError, KeyError, IndexError),
                net.connect_browser(self._port) as connection,
            ):
                connection.sendall(b"GET /json/version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                answer = b""
                while more := connection.recv(4096):
                    answer += more
                    if b"}" in answer:
                        break
                return urlsplit(str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["webSocketDebuggerUrl"])).path
            time.sleep(0.1)
        raise StackError("Chromium's debugging port does not answer", hint="is another Chromium using its profile?")

    def close(self) -> None:
        """Read what the browser has said before its end, and listen no more."""
        self._thread.join(_DRAIN)
        with contextlib.suppress(OSError):
            self._stream.close()

    def _send(self, method: str, parameters: dict[str, Any], session: str | None) -> None:
        message: dict[str, Any] = {"id": next(self._numbers), "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        with contextlib.suppress(OSError):
            self._stream.send(json.dumps(message))

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                event = json.loads(self._stream.receive())
                if "method" in event:
                    self._event(event["method"], event["params"], event.get("sessionId", ""))

    def _event(self, method: str, facts: dict[str, Any], session: str) -> None:
        target = self._targets.get(session, "browser")
        if method == "Target.attachedToTarget":
            child, kind = facts["sessionId"], facts["targetInfo"]["type"]
            self._targets[child] = kind
            self.kinds.add(kind)
            self._send("Network.enable", {}, child)
            self._send("Target.setAutoAttach", _ATTACH, child)
            self._send("Runtime.runIfWaitingForDebugger", {}, child)
        elif method == "Network.requestWillBeSent":
            self.url("request", facts["request"]["url"], target, method=facts["request"]["method"])
        elif method == "Network.webSocketCreated":
            self.url("websocket", facts["url"], target)
        elif method == "Network.webTransportCreated":
            self.url("webtransport", facts["url"], target)
        elif method == "Network.loadingFailed" and facts.get("blockedReason"):
            self.record.add("browser", "blocked", reason=facts["blockedReason"], target=target)

    def url(self, kind: str, url: str, target: str, **facts: Any) -> None:
        """Record an address that a target asked for."""
        if not url.startswith(_OWN_SCHEMES):
            self.record.add("browser", kind, host=host_of(url), url=url[:600], target=target, **facts)
