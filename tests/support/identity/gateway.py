"""A reference gateway: turns a login at an OpenID provider into a token for Prosody.

It shows what a gateway has to check, and is not a product: sessions are in memory, and there is no TLS. The login uses
Authlib (authorization code with PKCE, ``state`` and ``nonce``), the tokens joserfc.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from joserfc import jwk, jwt
from joserfc.errors import JoseError

ROOM = re.compile(r"[\w-]{1,100}")
ISSUER, AUDIENCE = "gateway", "jitsi"


class Refused(Exception):  # noqa: N818 (an answer, not always an error)
    """The gateway gives no token, for this reason."""


@dataclass
class Settings:
    """What an operator configures."""

    provider: str  # its issuer
    site: str  # where people are sent back to: this address and a room, nothing that a link says
    domain: str
    secret: str  # that Prosody has, too
    client: str = "gateway"
    client_secret: str = "gateway-secret"
    lifetime: int = 300
    acr: str = ""  # the authentication that the provider has to state: "mfa", say
    audience: str = AUDIENCE
    issuer: str = ISSUER


@dataclass
class Gateway:
    """The gateway, and its HTTP server on loopback. ``address`` is where it listens."""

    settings: Settings
    address: str = ""
    _pending: dict[str, dict[str, str]] = field(default_factory=dict)  # cookie -> login that was begun
    _signed_in: dict[str, str] = field(default_factory=dict)  # cookie -> the provider's statement, for its logout

    def begin(self, cookie: str, query: dict[str, str]) -> str:
        """Return the address at the provider to which a login leads."""
        room = query.get("room", "")
        if not ROOM.fullmatch(room):
            raise Refused("this is not the name of a room")
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        extra = {"acr_values": self.settings.acr} if self.settings.acr else {}
        if query.get("prompt") == "none":  # a new token for a person who is still signed in at the provider
            extra["prompt"] = "none"
        address, state = self._session().create_authorization_url(
            f"{self.settings.provider}/auth", code_verifier=verifier, nonce=nonce, **extra
        )
        self._pending[cookie] = {"state": state, "verifier": verifier, "nonce": nonce, "room": room}
        return str(address)

    def finish(self, cookie: str, answer: str) -> str:
        """Return the address of the room with a token. A login that was begun can be finished once, by its browser."""
        begun = self._pending.pop(cookie, None)
        if begun is None:
            raise Refused("no login was begun in this browser")
        session = self._session()
        try:
            tokens = session.fetch_token(
                f"{self.settings.provider}/token",
                authorization_response=answer,
                state=begun["state"],
                code_verifier=begun["verifier"],
            )
        except AuthlibBaseError as error:
            raise Refused(f"the provider's answer is not valid: {error}") from error
        claims = self.identity(tokens["id_token"], begun["nonce"])
        self._signed_in[cookie] = tokens["id_token"]
        # In the fragment, which reaches no server; the client reads values there as JSON, so the token has quotes.
        return f"{self.settings.site}/{quote(begun['room'])}#jwt=%22{self.token(claims, begun['room'])}%22"

    def identity(self, statement: str, nonce: str) -> dict[str, Any]:
        """Return what the provider states about the person who has logged in; Refused if any check fails."""
        rules = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.settings.provider},
            aud={"essential": True, "value": self.settings.client},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            **({"acr": {"essential": True, "value": self.settings.acr}} if self.settings.acr else {}),
        )
        keys = jwk.KeySet.import_key_set(
            self._session().get(f"{self.settings.provider}/jwks", withhold_token=True).json()
        )
        try:
            claims = jwt.decode(statement, keys, algorithms=["RS256"]).claims
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise Refused(f"the provider's statement is not valid: {error}") from error
        return claims

    def token(self, claims: dict[str, Any], room: str) -> str:
        """Return the token for Prosody: for one person, one room and a short time."""
        now = int(time.time())
        moderates = "moderator" in claims.get("roles", ())
        user = {
            "id": claims["sub"],
            "name": claims.get("name", ""),
            "affiliation": "owner" if moderates else "member",
            "moderator": moderates,
        }
        own = {
            "iss": self.settings.issuer,
            "aud": self.settings.audience,
            "sub": self.settings.domain,
            "room": room,
            "nbf": now - 10,
            "exp": now + self.settings.lifetime,
            "context": {"user": user},
        }
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, own, jwk.OctKey.import_key(self.settings.secret))

    def end(self, cookie: str) -> str:
        """Return the address at the provider that ends its session, too."""
        statement = self._signed_in.pop(cookie, "")
        words = {"post_logout_redirect_uri": f"{self.address}/signed-out", "id_token_hint": statement}
        return f"{self.settings.provider}/session/end?{urlencode(words)}"

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self.settings.client,
            self.settings.client_secret,
            scope="openid",
            redirect_uri=f"{self.address}/callback",
            code_challenge_method="S256",
        )

    def serve(self) -> ThreadingHTTPServer:
        """Start to answer; the caller ends it."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def _handler(gateway) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (the handler has a self of its own)
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                given = SimpleCookie(self.headers.get("Cookie", "")).get("gateway")
                cookie = given.value if given else secrets.token_urlsafe(24)
                try:
                    if parts.path == "/login":
                        self.answer(302, cookie, gateway.begin(cookie, query))
                    elif parts.path == "/callback":
                        self.answer(302, cookie, gateway.finish(cookie, f"{gateway.address}{self.path}"))
                    elif parts.path == "/logout":
                        self.answer(302, cookie, gateway.end(cookie))
                    else:
                        self.answer(200 if parts.path == "/signed-out" else 404, cookie, text="Signed out.")
                except Refused as error:
                    self.answer(403, cookie, text=str(error))

            def answer(self, status: int, cookie: str, location: str = "", text: str = "") -> None:
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Set-Cookie", f"gateway={cookie}; HttpOnly; SameSite=Lax; Path=/")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *words: object) -> None:  # noqa: A002
                """Print nothing: addresses contain tokens."""

        return Handler
