"""No secrets in records: passwords, tokens and SASL payloads are taken out of texts and JSON values.

Reports that leave the operator's hands are also free of IP addresses and mail addresses (``hide``).
"""

from __future__ import annotations

import ipaddress
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
# User and password in front of a host; none of the schemes needs the two strokes.
_USER = re.compile(r"\b([a-z][a-z0-9+.-]*:(?://)?)[^/\s\"'<>?#]+@", re.IGNORECASE)
# A value that is assigned to a name of secrets. A colon counts only before quotes: prose has colons, too.
_ASSIGNED = re.compile(
    r"""((?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|credential|api[_-]?key|jwt|auth(?:orization)?|session(?:_?id)?|sid)"""
    r"""[\w-]*["']?\s*(?:=|%3d|:(?=\s*["']))\s*)"""
    # An allow-list of Permissions-Policy, whose features have such names: identity-credentials-get=(self).
    r"""(?!(?:\*|\((?:self|src|\*|"https?://[\w.:*-]+"|\s)*\))(?=[\s,;"']|$))(?:"[^"]*"|'[^']*'|["']?[^\s"'&;<>#]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b((?i:bearer|basic|negotiate)\s+)(?=[\w.~+/-]*[\dA-Z=])[\w.~+/=-]{6,}")
_IPV4 = re.compile(
    r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)|(?<!\d)(?<!\d-)\d{1,3}(?:-\d{1,3}){3}(?!\d|-\d)"
)
_IPV6 = re.compile(r"(?<![\w:.])[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f:.]*(?:%\w+)?(?![\w:])", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)


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


def hide(value: Any) -> Any:
    """Return a JSON value without secrets, IP addresses and mail addresses.

    >>> hide({"x": ["see 192.0.2.7.", "[::ffff:c000:207]:443", "a@b.example", "?jwt=abc", "https://u:p@host"]})
    {'x': ['see [redacted].', '[[redacted]]:443', '[redacted]', '?jwt=[redacted]', 'https://[redacted]@host']}
    >>> hide("publickey-credentials-get=(self), identity-credentials-get=(), password=(x)")
    'publickey-credentials-get=(self), identity-credentials-get=(), password=[redacted]'
    """
    if isinstance(value, str):
        return _hidden(value)
    if isinstance(value, dict):
        return {hide(str(key)): hide(inner) for key, inner in clean(value).items()}
    if isinstance(value, list | tuple):
        return [hide(inner) for inner in value]
    return value


def _hidden(text: str) -> str:
    text = _USER.sub(rf"\1{HIDDEN}@", redact(text))
    text = _BEARER.sub(rf"\1{HIDDEN}", _ASSIGNED.sub(rf"\1{HIDDEN}", text))
    return _MAIL.sub(HIDDEN, _IPV4.sub(HIDDEN, _IPV6.sub(_address, text)))


def _address(match: re.Match[str]) -> str:
    """Hide what is an address of IPv6; a time has colons, too. A full stop may end a sentence."""
    text = match[0].rstrip(".")
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return match[0]
    return HIDDEN + match[0][len(text) :]
