"""The means of an attempt: streams, logged-in clients and HTTP, recorded, and closed at the end."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import requests

from hardener.errors import ConfigError
from hardener.proof.attack.record import Judgement, Transcript
from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.client import Client, Impostor, Refused
from hardener.proof.xmpp.streams import TRANSPORTS, Stream, WebSocketStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.proof.attack.record import Account, Target


@dataclass(frozen=True)
class Way:
    """One way in. ``run`` tries it and says what came of it.

    A hang-up, a silence and an answer that is not XML are judged for it
    (:func:`hardener.proof.attack.campaign.attempt`): it
    catches only what means something else to it.
    """

    area: str
    name: str
    run: Callable[[Scene], Judgement]
    transports: tuple[str, ...] = tuple(TRANSPORTS)
    needs: str = ""  # "account", "named-hosts" or ""


class Scene:
    """The surroundings of one attempt."""

    def __init__(self, target: Target, transport: str) -> None:
        account = target.account
        self.target = target
        self.transport = transport
        self.transcript = Transcript((account.password, account.token) if account else ())
        self.mark = secrets.token_hex(5)  # no two attempts meet in a room, a resource or an account
        self._deadline = time.monotonic() + target.patience
        self._open: list[Stream] = []
        self._http: requests.Session | None = None

    @property
    def room(self) -> str:
        """Return a room with a unique name."""
        return f"attack-{self.mark}@{self.target.muc}"

    @property
    def account(self) -> Account:
        """Return the account that the caller gave."""
        if not self.target.account:
            raise ValueError("this way needs an account")
        return self.target.account

    def more_time(self) -> None:
        """Start the patience again: something has been answered."""
        self._deadline = time.monotonic() + self.target.patience

    def stream(self, query: str = "") -> Stream:
        """Return a stream that is not open yet."""
        stream = TRANSPORTS[self.transport](self.target, self.transcript, lambda: self._deadline, query)
        self._open.append(stream)
        return stream

    def frames(self) -> WebSocketStream:
        """Return a stream that can send broken frames."""
        stream = WebSocketStream(self.target, self.transcript, lambda: self._deadline)
        self._open.append(stream)
        return stream

    def client(self) -> Client:
        """Return a client that has logged in with the caller's account."""
        account = self.account
        stream = self.stream(f"token={account.token}" if account.token else "")
        client = Client(stream, stream.open(self.target.domain), self.target.domain)
        self.log_in(client, account)
        client.bind(f"attack-{secrets.token_hex(4)}")
        return client

    @staticmethod
    def log_in(client: Client, account: Account) -> None:
        """Log a client in. Raises ConfigError where the server does not take the account."""
        try:
            client.log_in(*(() if account.token else (account.user, account.password)))
        except Impostor as error:
            raise ConfigError(
                str(error), hint="a person is between: look at the TLS certificate and the proxy"
            ) from error
        except Refused as error:
            raise ConfigError(
                f"{client.domain} does not let the account {account.user or '(token)'} in: {error}",
                hint="--user is the name without @domain; --password-file has the password in its first line",
            ) from error

    def guest(self, host: str = "", query: str = "") -> Client:
        """Return a client that has opened a stream and not logged in."""
        stream = self.stream(query)
        return Client(stream, stream.open(host or self.target.domain), self.target.domain)

    def conference(self, client: Client, room: str = "") -> str:
        """Have the focus open a room, as every real client does. Returns the answer's type; raises TimeoutError."""
        request = (
            f"<conference xmlns='http://jitsi.org/protocol/focus' room={quoteattr(room or self.room)}"
            f" machine-uid='{self.mark}'/>"
        )
        return client.iq("set", self.target.host("focus"), request).get("type", "")

    def http(self, method: str, path: str, **facts: Any) -> tuple[int, bytes]:
        """Ask the site for a path: status and body."""
        self._http = self._http or requests.Session()
        self._http.trust_env = False
        self.transcript.sent(f"{method} {path} {facts.get('json') or facts.get('data') or ''}".rstrip())
        answer = self._http.request(
            method,
            f"{self.target.url}{path}",
            timeout=self.target.patience,
            verify=self.target.ca_file or True,
            allow_redirects=False,
            **facts,
        )
        self.transcript.said(f"HTTP {answer.status_code} {answer.headers.get('Content-Type', '')} {answer.text[:400]}")
        return answer.status_code, answer.content

    def close(self) -> None:
        """Close whatever the attempt has left open."""
        for stream in self._open:
            with contextlib.suppress(OSError):
                stream.close()
        if self._http:
            self._http.close()


def plain_probe(mark: str) -> str:
    """Return a login that cannot succeed: a server that answers it is still listening."""
    return sasl.auth("PLAIN", sasl.plain(f"nobody-{mark}", "wrong"))
