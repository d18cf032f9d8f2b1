"""XMPP streams as a browser opens them: over WebSocket (RFC 7395) and over BOSH (XEP-0124, XEP-0206).

Text goes out exactly as given, well-formed or not; that is what an XMPP library would not do.
"""

from __future__ import annotations

import abc
import contextlib
import math
import secrets
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

import requests
from wsproto.frame_protocol import CloseReason

from hardener.proof.xmpp import stanzas, websocket
from hardener.proof.xmpp.stanzas import FRAMING, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


WEBSOCKET = "/xmpp-websocket"
_BIND = "http://jabber.org/protocol/httpbind"


class Closed(Exception):  # noqa: N818 (an ending, not always an error)
    """The server ended the stream; ``condition`` says why, "" where it just hung up."""

    def __init__(self, condition: str = "") -> None:
        super().__init__(condition)
        self.condition = condition


class Garbled(Exception):  # noqa: N818
    """The server said something that is not XML, or breaks the transport's protocol."""


def tls(site: Site) -> ssl.SSLContext:
    """Return how TLS is checked: as any client does, or against the operator's own authority."""
    return ssl.create_default_context(cafile=site.ca_file or None)


def dial(
    site: Site, query: str, left: Callable[[], float], path: str = WEBSOCKET, protocol: str = "xmpp"
) -> websocket.WebSocket:
    """Open a WebSocket of the site, by default that for XMPP; ``left`` returns the seconds that remain.

    Raises what :func:`hardener.proof.xmpp.websocket.connect` raises, and OSError.
    """
    parts = urlsplit(site.url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    connection = socket.create_connection((host, port), timeout=left())
    try:
        if secure:
            connection = tls(site).wrap_socket(connection, server_hostname=host)
        target = f"{parts.path}{path}" + (f"?{query}" if query else "")
        return websocket.connect(connection, parts.netloc, target, protocol, left, site.agent)
    except BaseException:
        connection.close()
        raise


class Site(Protocol):
    """The site whose XMPP server is spoken to."""

    @property
    def url(self) -> str:
        """Return the address of the site, without a slash at the end."""

    @property
    def ca_file(self) -> str:
        """Return the PEM file of the authority that its certificate is checked with; empty: the system's."""

    @property
    def agent(self) -> str:
        """Return the User-Agent of all requests; empty: none over WebSocket, that of the library over BOSH."""


class Wire(Protocol):
    """Keeps what goes over the wire."""

    def sent(self, text: str) -> None:
        """Keep what goes out."""

    def said(self, text: str) -> None:
        """Keep what comes back."""


class Unrecorded:
    """A wire that keeps nothing."""

    def sent(self, text: str) -> None:
        """Forget what goes out."""

    def said(self, text: str) -> None:
        """Forget what comes back."""


class Stream(abc.ABC):
    """One stream. ``open`` first; then ``send`` and ``receive``; ``open`` again restarts it."""

    name: str

    def __init__(self, site: Site, wire: Wire, deadline: Callable[[], float], query: str = "") -> None:
        self._site, self._wire, self._deadline = site, wire, deadline
        self._query = query
        self._ready: deque[ET.Element] = deque()
        self._end = math.inf

    def left(self) -> float:
        """Return the seconds until the attempt's time is up; TimeoutError when it is."""
        left = min(self._deadline(), self._end) - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _parse(self, text: str) -> ET.Element:
        try:
            return stanzas.parse(text)
        except ET.ParseError as error:
            raise Garbled(f"{error}: {text[:200]}") from error

    def receive(self) -> ET.Element:
        """Return the next element. Raises Closed, TimeoutError, or Garbled."""
        while not self._ready:
            self._fetch()
        element = self._ready.popleft()
        if stanzas.local(element) == "error" and STREAMS in element.tag:
            raise Closed(stanzas.condition(element) or "undefined-condition")
        return element

    def receive_until(self, end: float) -> ET.Element:
        """Return the next element, if it comes before ``end`` (of the monotonic clock); TimeoutError if not."""
        self._end = end
        try:
            return self.receive()
        finally:
            self._end = math.inf

    def open(self, to: str) -> ET.Element:
        """Open (or restart) the stream to a host; its features come back."""
        self.restart(to)
        while True:
            element = self.receive()
            if stanzas.local(element) == "features":
                return element

    @abc.abstractmethod
    def restart(self, to: str) -> None:
        """Open or restart the stream, and do not wait for what the server says."""

    @abc.abstractmethod
    def send(self, text: str) -> None:
        """Send one message as it is."""

    @abc.abstractmethod
    def _fetch(self) -> None:
        """Wait for something from the server and put it into ``_ready``."""

    @abc.abstractmethod
    def close(self) -> None:
        """Go away. Never fails."""


class WebSocketStream(Stream):
    """RFC 7395."""

    name = "websocket"
    _socket: websocket.WebSocket | None = None

    def _connect(self) -> websocket.WebSocket:
        self._wire.sent(f"GET {WEBSOCKET}{f'?{self._query}' if self._query else ''}")
        try:
            return dial(self._site, self._query, self.left)
        except websocket.EndedError as error:
            raise Closed from error
        except websocket.HandshakeError as error:
            self._wire.said(str(error))
            if not error.status:
                raise Garbled(str(error)) from error
            raise Closed(_http_condition(error.status)) from error

    def restart(self, to: str) -> None:
        """Send the stream's head."""
        self._socket = self._socket or self._connect()
        address = f"to={quoteattr(to)} " if to else ""
        self.send(f"<open xmlns='{FRAMING}' {address}version='1.0'/>")

    def send(self, text: str) -> None:
        """Send one text message, in a raw frame where it is not UTF-8 (surrogate escapes)."""
        try:
            text.encode()
        except UnicodeEncodeError:
            self.send_raw_frame(1, text.encode("utf-8", "surrogateescape"), shown=text)
            return
        with self._sending(text) as ready:
            ready.send(text)

    def send_raw_frame(self, opcode: int, data: bytes, *, shown: str) -> None:
        """Send one frame of any kind; ``shown`` is what the record says of it."""
        with self._sending(shown) as ready:
            ready.send_raw(websocket.raw_frame(opcode, data))

    @contextlib.contextmanager
    def _sending(self, shown: str) -> Iterator[websocket.WebSocket]:
        if self._socket is None:
            raise Closed
        self._wire.sent(shown)
        with _hang_up():
            self._socket.connection.settimeout(self.left())
            yield self._socket

    def _fetch(self) -> None:
        if self._socket is None:
            raise Closed
        with _hang_up():
            text = self._socket.receive(self.left)
        self._wire.said(text)
        element = self._parse(text)
        if element.tag == f"{{{FRAMING}}}close":
            raise Closed
        if element.tag != f"{{{FRAMING}}}open":
            self._ready.append(element)

    def close(self) -> None:
        """Close the connection without an answer: the client does not read any more."""
        if self._socket:
            self._socket.close()


class BoshStream(Stream):
    """XEP-0124 with one connection in hand."""

    name = "bosh"
    _wait = 1  # seconds that the server holds an empty answer

    def __init__(self, site: Site, wire: Wire, deadline: Callable[[], float], query: str = "") -> None:
        super().__init__(site, wire, deadline, query)
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy: the WebSocket takes none either
        self._http.verify = site.ca_file or True
        if site.agent:
            self._http.headers["User-Agent"] = site.agent
        self._sid = ""
        self._rid = secrets.randbelow(1 << 31) + 1

    def _post(self, attributes: str, payload: str = "") -> None:
        timeout = max(self.left(), self._wait + 1.0)  # an answer that is cut off would end the session
        self._rid += 1
        head = f"<body xmlns='{_BIND}' rid='{self._rid}' {attributes}"
        text = f"{head}>{payload}</body>" if payload else f"{head}/>"
        self._wire.sent(text)
        try:
            with self._http.post(
                f"{self._site.url}/http-bind?{self._query}",
                data=text.encode("utf-8", "surrogateescape"),
                headers={"Content-Type": "text/xml; charset=utf-8"},
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                said = self._read(answer, time.monotonic() + timeout)
        except requests.Timeout as error:
            raise TimeoutError from error
        except requests.exceptions.SSLError as error:
            raise ssl.SSLError(str(error)) from error
        except requests.ConnectionError as error:
            if self._sid:  # it was there a moment ago
                raise Closed from error
            raise ConnectionError(str(error)) from error
        self._wire.said(f"HTTP {answer.status_code} {said}")
        if answer.status_code != requests.codes.ok:
            self._sid = ""  # nothing to say farewell to
            raise Closed(_http_condition(answer.status_code))
        body = self._parse(said)
        self._sid = body.get("sid", self._sid)
        self._ready.extend(body)
        if body.get("type") == "terminate" and not any(stanzas.local(child) == "error" for child in body):
            self._ready.append(_stream_error(body.get("condition", "")))

    @staticmethod
    def _read(answer: requests.Response, end: float) -> str:
        """Return the body. Raises TimeoutError after ``end``, and Garbled for one that is too long."""
        body = bytearray()
        for piece in answer.iter_content(1 << 12):
            body += piece
            if len(body) > websocket.LARGEST:
                raise Garbled(f"the answer has more than {websocket.LARGEST} bytes")
            if time.monotonic() > end:
                raise TimeoutError
        return body.decode("utf-8", "replace")

    def restart(self, to: str) -> None:
        """Send the stream's head."""
        address = f"to={quoteattr(to)} " if to else ""
        if self._sid:
            self._post(f"sid='{self._sid}' {address}xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'")
        else:
            self._post(
                f"{address}ver='1.11' wait='{self._wait}' hold='1' xml:lang='en' content='text/xml; charset=utf-8'"
                " xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'"
            )

    def send(self, text: str) -> None:
        """Send one payload."""
        self._post(f"sid='{self._sid}'", text)

    def pretend(self, sid: str) -> None:
        """Continue with a session that another person opened."""
        self._sid = sid

    def _fetch(self) -> None:
        self._post(f"sid='{self._sid}'")

    def close(self) -> None:
        """End the session, so that no ghost of it stays in a room."""
        if self._sid:
            with contextlib.suppress(Closed, Garbled, OSError):
                self._post(f"sid='{self._sid}' type='terminate'")
        self._http.close()


def _stream_error(condition: str) -> ET.Element:
    """Return a terminated BOSH session as the stream error that WebSocket would have sent ("" is a plain hang-up)."""
    error = ET.Element(f"{{{STREAMS}}}error")
    ET.SubElement(error, f"{{{stanzas.STREAM_ERRORS}}}{condition or 'remote-stream-error'}")
    return error


def _http_condition(status: int) -> str:
    """Return a refused HTTP request as a condition: 4xx is a refusal like a hang-up, the rest is shown as it is.

    >>> _http_condition(403), _http_condition(502)
    ('', 'HTTP 502')
    """
    refused = 400 <= status < 500 or status == requests.codes.not_implemented  # noqa: PLR2004
    return "" if refused else f"HTTP {status}"


def _close_condition(code: int) -> str:
    """Return a close code as a condition: one that reports trouble of the server is not a refusal, and is shown as it
    is.

    >>> _close_condition(1002), _close_condition(1006), _close_condition(1011)
    ('', '', 'WebSocket close code 1011')
    """
    return "" if code <= CloseReason.MANDATORY_EXT else f"WebSocket close code {code}"


@contextlib.contextmanager
def _hang_up() -> Iterator[None]:
    """Turn the ends of a WebSocket into those of a stream."""
    try:
        yield
    except websocket.EndedError as error:
        raise Closed(_close_condition(error.code)) from error
    except websocket.ViolationError as error:
        raise Garbled(str(error)) from error
    except (ConnectionError, ssl.SSLEOFError) as error:
        raise Closed from error


TRANSPORTS: dict[str, type[Stream]] = {stream.name: stream for stream in (WebSocketStream, BoshStream)}
