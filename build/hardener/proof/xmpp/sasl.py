"""What a client says in SASL: honest with a real account, and with invented ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


def encoded(text: str | bytes) -> str:
    """Base64; nothing at all is said as ``=`` (RFC 6120, section 6.4.2).

    >>> encoded("a"), encoded("")
    ('YQ==', '=')
    """
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(data).decode() if data else "="


def auth(mechanism: str, initial: str | bytes | None = None) -> str:
    """The stanza that starts an exchange."""
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{'' if initial is None else encoded(initial)}</auth>"


def response(text: str | bytes) -> str:
    """The stanza that answers a challenge."""
    return f"<response xmlns='{SASL}'>{encoded(text)}</response>"


def plain(user: str, password: str, authzid: str = "") -> str:
    """RFC 4616.

    >>> plain("u", "p")
    '\\x00u\\x00p'
    """
    return f"{authzid}\0{user}\0{password}"


@dataclass
class Scram:
    """RFC 5802 and 7677, the client's side, without channel binding."""

    user: str
    password: str = field(repr=False)
    digest: str  # "sha1" or "sha256"
    authzid: str = ""
    _first: str = ""
    _head: str = ""
    _server: bytes = b""

    def first(self, nonce: str = "") -> str:
        """The first message."""
        name = self.user.replace("=", "=3D").replace(",", "=2C")
        self._first = f"n={name},r={nonce or secrets.token_urlsafe(18)}"
        self._head = f"n,{f'a={self.authzid}' if self.authzid else ''},"
        return self._head + self._first

    def final(self, challenge: str) -> str:
        """The proof that answers the server's first message (decoded).

        The example of RFC 5802, section 5:

        >>> client = Scram("user", "pencil", "sha1")
        >>> client.first("fyko+d2lbbFgONRv9qkxdawL")
        'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL'
        >>> nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
        >>> client.final(f"r={nonce},s=QSXCR+Q6sek8bf92,i=4096")[-30:]
        'p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts='
        """
        said = dict(part.split("=", 1) for part in challenge.split(",") if "=" in part)
        salt, rounds = base64.b64decode(said["s"]), int(said["i"])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), salt, rounds)
        key = hmac.digest(salted, b"Client Key", self.digest)
        without_proof = f"c={encoded(self._head)},r={said['r']}"
        message = f"{self._first},{challenge},{without_proof}".encode()
        stored = hashlib.new(self.digest, key).digest()
        signature = hmac.digest(stored, message, self.digest)
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        self._server = hmac.digest(hmac.digest(salted, b"Server Key", self.digest), message, self.digest)
        return f"{without_proof},p={encoded(proof)}"

    def knows(self, final: str) -> bool:
        """Whether the server's last message (decoded) proves that it knows the password, too."""
        return final == f"v={encoded(self._server)}"


def digest_md5(challenge: str, user: str, password: str, host: str) -> str:
    """RFC 2831's answer to a challenge (decoded); good enough for a password that is wrong anyway."""
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
    """RFC 7628."""
    return f"n,{f'a={authzid}' if authzid else ''},\x01auth=Bearer {token}\x01\x01"
