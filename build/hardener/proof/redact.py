"""No secrets in records: passwords, tokens and SASL payloads are taken out of texts and JSON values."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "[redacted]"
_SECRET_KEY = re.compile(r"pass(word|wd)?$|^pwd$|^jwt$|token|secret|credential|authorization|^cookie$", re.IGNORECASE)
_QUERY = re.compile(
    r"([?&#;](?:[\w.]*\.)?(?:jwt|token|password|pwd|access_token|id_token|rtcToken|credential)=)[^&#\s\"'<>]+",
    re.IGNORECASE,
)
_SASL = re.compile(r"(<(?:auth|response|challenge|success)\b[^>]*>)[^<]+", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
_PASSWORD_ELEMENT = re.compile(r"(<password\b[^>]*>)[^<]+", re.IGNORECASE)
_ICE_PASSWORD = re.compile(r"\b(pwd=['\"]|ice-pwd:)[^'\"\s]+")


def redact(text: str) -> str:
    """Return a text without passwords, tokens and SASL payloads.

    >>> redact("https://host/room?jwt=abc.def&x=1#config.y=2")
    'https://host/room?jwt=[redacted]&x=1#config.y=2'
    >>> redact("<auth mechanism='PLAIN'>AGFsaWNlAHB3</auth>")
    "<auth mechanism='PLAIN'>[redacted]</auth>"
    """
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    text = _SASL.sub(rf"\1{HIDDEN}", text)
    text = _PASSWORD_ELEMENT.sub(rf"\1{HIDDEN}", text)
    text = _ICE_PASSWORD.sub(rf"\1{HIDDEN}", text)
    return _JWT.sub(HIDDEN, text)


def clean(value: Any) -> Any:
    """Return a JSON value without secrets: texts are redacted, and what is under a secret's key is hidden.

    >>> clean({"url": "turn:host", "credential": "s3cret", "list": ["?jwt=x"]})
    {'url': 'turn:host', 'credential': '[redacted]', 'list': ['?jwt=[redacted]']}
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: HIDDEN if _SECRET_KEY.search(str(key)) and inner else clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    return value
