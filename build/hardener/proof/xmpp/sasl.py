"""SASL messages of clients, with a real account or an invented one, and the stub's answers."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from scramp import ScramClient, ScramException, ScramMechanism  # type: ignore[import-untyped]
from scramp.core import Gs2Header  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from xml.etree.ElementTree import Element

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
ROUNDS = 4096  # of the stub's accounts; the least that RFC 7677 allows


def encoded(text: str | bytes) -> str:
    """Encode as Base64; no data at all is ``=`` (RFC 6120, section 6.4.2).

    >>> encoded("a"), encoded("")
    ('YQ==', '=')
    """
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(data).decode() if data else "="


def decoded(element: Element) -> str:
    """Return what a challenge, response or success says.

    Raises binascii.Error, a ValueError, where it is not base64.
    """
    text = (element.text or "").strip()
    return "" if text == "=" else base64.b64decode(text, validate=True).decode("utf-8", "replace")


def auth(mechanism: str, initial: str | bytes | None = None) -> str:
    """Return the stanza that starts an exchange."""
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{'' if initial is None else encoded(initial)}</auth>"


def response(text: str | bytes) -> str:
    """Return the stanza that answers a challenge."""
    return f"<response xmlns='{SASL}'>{encoded(text)}</response>"


def plain(user: str, password: str, authzid: str = "") -> str:
    """Return the message of PLAIN (RFC 4616).

    >>> plain("u", "p")
    '\\x00u\\x00p'
    """
    return f"{authzid}\0{user}\0{password}"


class ScramError(ValueError):
    """The other end's SCRAM message is not valid, or the name or password cannot be prepared (RFC 4013)."""


@contextlib.contextmanager
def _scramp() -> Iterator[None]:
    try:
        yield
    except ScramException as error:
        raise ScramError(str(error)) from error


class _InAnothersName(Gs2Header):  # type: ignore[misc]  # scramp has no types
    """The header that asks for an authorization identity, which scramp's own client never does."""

    def __init__(self, authzid: str) -> None:
        super().__init__("n", None)
        self._authzid = authzid.replace("=", "=3D").replace(",", "=2C")

    def __str__(self) -> str:
        return f"n,a={self._authzid},"

    def __bytes__(self) -> bytes:
        return str(self).encode()


class Scram:
    """The client's end of SCRAM without channel binding (RFC 5802, RFC 7677). scramp does the work.

    The example of RFC 5802, section 5:

    >>> client = Scram("user", "pencil", "SCRAM-SHA-1", nonce="fyko+d2lbbFgONRv9qkxdawL")
    >>> client.first()
    'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL'
    >>> client.final("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")[-30:]
    'p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts='
    >>> client.is_proven_by("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    True
    """

    def __init__(self, user: str, password: str, mechanism: str, authzid: str = "", nonce: str | None = None) -> None:
        with _scramp():
            self._client = ScramClient([mechanism], user, password, c_nonce=nonce)
        if authzid:
            self._client.gs2_header = _InAnothersName(authzid)

    def first(self) -> str:
        """Return the first message."""
        return str(self._client.get_client_first())

    def final(self, challenge: str) -> str:
        """Return the proof that answers the server's first message (decoded). Raises ScramError."""
        with _scramp():
            self._client.set_server_first(challenge)
            return str(self._client.get_client_final())

    def is_proven_by(self, final: str) -> bool:
        """Return whether the server's last message (decoded) proves that the server knows the password, too."""
        try:
            self._client.set_server_final(final)
        except ScramException:
            return False
        return True


class ScramServer:
    """The server's end, for the stub. ``password_of`` returns the password of a name, None where there is no such name:
    that takes as many steps as a wrong password, as with a real server.
    """

    def __init__(self, mechanism: str, password_of: Callable[[str], str | None]) -> None:
        self._mechanism = ScramMechanism(mechanism)
        self._server = self._mechanism.make_server(self._stored)
        self._password_of = password_of
        self.user = ""

    def _stored(self, user: str) -> Any:
        self.user = user
        return self._mechanism.make_auth_info(self._password_of(user) or secrets.token_hex(), iteration_count=ROUNDS)

    def challenge(self, first: str) -> str:
        """Return the answer to the client's first message (decoded). Raises ScramError."""
        with _scramp():
            self._server.set_client_first(first)
            return str(self._server.get_server_first())

    def signature(self, final: str) -> str:
        """Return the answer to the client's right proof (decoded). Raises ScramError where it is not the right one."""
        with _scramp():
            self._server.set_client_final(final)
            return str(self._server.get_server_final())


def digest_md5(challenge: str, user: str, password: str, host: str) -> str:
    """Return RFC 2831's answer to a challenge (decoded); good enough for a password that is wrong anyway."""
    said = dict(part.strip().split("=", 1) for part in challenge.split(",") if "=" in part)
    nonce, realm = said.get("nonce", "").strip('"'), said.get("realm", host).strip('"')
    cnonce, uri = secrets.token_hex(8), f"xmpp/{host}"

    def md5(data: bytes) -> bytes:
        return hashlib.md5(data, usedforsecurity=False).digest()

    a1 = md5(f"{user}:{realm}:{password}".encode()) + f":{nonce}:{cnonce}".encode()
    a2 = f"AUTHENTICATE:{uri}".encode()
    answer = md5(f"{md5(a1).hex()}:{nonce}:00000001:{cnonce}:auth:{md5(a2).hex()}".encode()).hex()
    return (
        f'username="{user}",realm="{realm}",nonce="{nonce}",cnonce="{cnonce}",nc=00000001,qop=auth,'
        f'digest-uri="{uri}",response={answer},charset=utf-8'
    )


def oauthbearer(token: str, authzid: str = "") -> str:
    """Return the message of OAUTHBEARER (RFC 7628)."""
    return f"n,{f'a={authzid}' if authzid else ''},\x01auth=Bearer {token}\x01\x01"
