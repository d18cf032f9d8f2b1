"""JSON web tokens that a server has to refuse."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

# Secrets that are in manuals and examples; "" is what an unset variable makes of a template.
_WEAK_SECRETS = ("", "secret", "changeme", "my_jitsi_app_secret", "example_app_secret", "jitsi")
_YEAR = 365 * 24 * 3600


def _part(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(claims: dict[str, Any], secret: str, **head: Any) -> str:
    """Return a token with an HS256 signature.

    >>> signed({"a": 1}, "x").count(".")
    2
    """
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'} | head)}.{_part(claims)}"
    mark = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def forged(domain: str, room: str, now: int) -> dict[str, str]:
    """Return tokens by name: what is wrong with each. ``now`` is seconds since 1970."""
    user = {"name": "Mallory", "affiliation": "owner", "moderator": True}
    good = {"aud": "jitsi", "iss": "my_jitsi_app_id", "sub": domain, "room": "*", "iat": now - 60, "exp": now + _YEAR}
    good |= {"nbf": now - 60, "context": {"user": user}}
    unsigned = _part({"alg": "none", "typ": "JWT"})
    return {
        "alg-none": f"{unsigned}.{_part(good)}.",
        "alg-None": f"{_part({'alg': 'None', 'typ': 'JWT'})}.{_part(good)}.",
        "no-signature": signed(good, "secret").rpartition(".")[0] + ".",
        "expired": signed(good | {"exp": now - 3600, "iat": now - 7200}, "secret"),
        "not-yet": signed(good | {"nbf": now + _YEAR}, "secret"),
        "without-end": signed({key: value for key, value in good.items() if key != "exp"}, "secret"),
        "foreign-issuer": signed(good | {"iss": "mallory"}, "mallory"),
        "foreign-room": signed(good | {"room": f"{room}-other", "sub": "evil.example"}, "mallory"),
        "foreign-key-url": signed(good, "mallory", jku="https://keys.evil.example/jwks.json", kid="../../dev/null"),
        "kid-injection": signed(good, "", kid="' UNION SELECT ''--"),
        "garbage": "not-a-token",
        "empty": "",
        **{
            f"weak-secret-{number}": signed(good | {"iss": issuer}, secret)
            for number, (secret, issuer) in enumerate(
                (secret, issuer) for secret in _WEAK_SECRETS for issuer in ("my_jitsi_app_id", "jitsi")
            )
        },
    }
