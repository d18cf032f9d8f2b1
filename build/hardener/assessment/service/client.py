"""A polite HTTP client: it says who it is, counts its requests up to a bound, and stays on declared hosts."""

from __future__ import annotations

import queue
import re
import threading
import time
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests

from hardener import __version__
from hardener.assessment.service import tls
from hardener.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AGENT = f"hardener/{__version__} (assessment of this service on behalf of its operator)"
MOST = 1000  # requests of one assessment, those of the browser among them
TIMEOUT = 15  # seconds for a connection, and between two pieces of an answer
WHOLE = 60  # seconds for a whole answer
LONGEST = 30 * 60  # seconds of a visit, after which it ends; the attempts of --attack are not counted
LARGEST = 32 << 20  # bytes of one answer
_REDIRECTS = 3
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_PORTS = {"https": 443, "http": 80}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SpentError(Exception):
    """The bound on requests is reached."""


@dataclass(frozen=True)
class Answer:
    """One answer. ``foreign`` is the host of a redirect that was not followed, because it is not declared.
    ``cut``: the body is longer than what is read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    foreign: str = ""
    cut: bool = False

    @property
    def kind(self) -> str:
        """Return the media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def place(self) -> str:
        """Return where a redirect leads to; empty for another answer."""
        return self.headers.get("location", "") if self.status in _REDIRECTING else ""


def origin_of(address: str) -> str:
    """Return the origin of an address. Raises UsageError for what is not the address of a service.

    >>> origin_of("https://Meet.example.org/")
    'https://meet.example.org'
    """
    hint = "name the origin (IDN as xn--...): hardener assess service https://meet.example.org"
    if "@" in address:
        raise UsageError("the address has a user or a password, which is not sent", hint=hint)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{address!r} is not an address: {error}", hint=hint) from error
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or port == 0 or not re.fullmatch(r"[a-z0-9.-]+", host):
        raise UsageError(f"{address!r} is not the address of a service", hint=hint)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise UsageError(f"{address!r} is more than the origin of a service", hint=hint)
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise UsageError(f"{address} is not encrypted", hint="https://; plain HTTP is accepted for this machine only")
    return reached(address)


def reached(address: str) -> str:
    """Return the origin that an address leads to, without the usual port; empty for what is not a web address.

    >>> reached("https://Meet.example.org:443/a"), reached("https://meet.example.org@evil.example/"), reached("//[")
    ('https://meet.example.org', '', '')
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or "@" in parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}" + ("" if port in {None, _PORTS[parts.scheme]} else f":{port}")


def _joined(base: str, place: str) -> str:
    """Return the address of a reference; empty where it is not one."""
    try:
        address = urljoin(base, place)
        urlsplit(address)
    except ValueError:
        return ""
    return address


class Client:
    """Sends requests to one origin; ``count`` is how many it has sent. Its time begins when it is made."""

    def __init__(
        self,
        origin: str,
        own: tuple[str, ...],
        *,
        ca_file: str = "",
        session: requests.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
        shake: tls.Shake = tls.handshake,
    ) -> None:
        self.origin, self.own, self.ca_file = origin, frozenset(map(reached, own)), ca_file
        self.count, self.shake = 0, shake
        self._clock, self._end = clock, clock() + LONGEST
        self._answers: dict[str, Answer] = {}
        self._session = session or requests.Session()
        self._session.trust_env = False  # no proxy, and no passwords of ~/.netrc
        self._session.headers["User-Agent"] = AGENT
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def spend(self, requests_sent: int = 1) -> None:
        """Count requests. Raises SpentError where they would exceed the bound, UnreachableError where time is over."""
        self._left()
        if self.count + requests_sent > MOST:
            raise SpentError
        self.count += requests_sent

    def _left(self) -> float:
        """Return how many seconds of the visit are left. Raises UnreachableError where there are none."""
        left = self._end - self._clock()
        if left <= 0:
            raise UnreachableError(
                f"{self.origin} is slow: the visit was ended after {LONGEST // 60} minutes",
                hint="check the service",
            )
        return left

    def get(self, path: str, *, keep: bool = False) -> Answer:
        """Get a path, or a whole address; redirects are followed on declared hosts only.

        With ``keep``, the next call for the same path gets the same answer, and nothing is sent.
        Raises UnreachableError where no answer comes, SpentError where the bound is reached.
        """
        address = _joined(self.origin + "/", path)
        answer = self._answers.pop(address, None) or self._followed(address)
        if keep:
            self._answers[address] = answer
        return answer

    def _followed(self, address: str) -> Answer:
        answer = Answer(0, {}, b"")
        for _redirect in range(_REDIRECTS):
            if not address:
                return answer
            if reached(address) not in self.own:
                return replace(answer, foreign=urlsplit(address).hostname or "")
            answer = self.once(address)
            if not answer.place:
                return answer
            address = _joined(address, answer.place)
        return answer

    def once(self, address: str) -> Answer:
        """Get an address and follow no redirect. Raises what :meth:`get` raises."""
        self.spend()
        try:
            return _within(min(WHOLE, self._left()), lambda: self._answer(address))
        except TimeoutError as error:
            self._left()
            raise UnreachableError(
                f"{self.origin} sent no whole answer within {WHOLE} seconds",
                hint="check the service",
            ) from error
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise UnreachableError(
                    f"{self.origin} offers no TLS that this machine accepts",
                    hint="is it the port for HTTPS, with TLS 1.2 or 1.3? is --ca-file a PEM file?",
                    details=(str(error)[:300],),
                ) from error
            raise UnreachableError(
                f"{self.origin} has a certificate that is not valid here",
                hint="it has to fit name, date and a known authority; for one of your own: --ca-file FILE.pem",
                details=(str(error)[:300],),
            ) from error
        except ValueError as error:
            if isinstance(error, requests.RequestException):
                raise UnreachableError(f"{self.origin} does not answer: {error}", hint="check the address") from error
            return Answer(0, {}, b"")  # requests looks at the place of a redirect, which was not an address
        except requests.RequestException as error:
            raise UnreachableError(
                f"{self.origin} does not answer: {type(error).__name__}",
                hint="check name and port of the address, the service, and the network",
            ) from error

    def _answer(self, address: str) -> Answer:
        with self._session.get(
            address, timeout=TIMEOUT, allow_redirects=False, stream=True, verify=self.ca_file or True
        ) as answer:
            body = bytearray()
            for piece in answer.iter_content(1 << 16):
                body += piece
                if len(body) > LARGEST:
                    break
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status_code, headers, bytes(body[:LARGEST]), cut=len(body) > LARGEST)


def _within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Return what a call returns, or raise what it raises. Raises TimeoutError where it needs longer.

    A server that sends a byte now and then never reaches the timeout of a socket, so the call runs in a thread.
    """
    outcome: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put(ask())
        except Exception as error:  # noqa: BLE001 (raised again by the caller)
            outcome.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        found = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found
