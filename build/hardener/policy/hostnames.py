"""Write a host as a browser does when it connects: percent-decoded, mapped by UTS 46, as A-labels or IP address."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import unicodedata
from urllib.parse import unquote

import idna

ANY = "*"  # a part of a host that is only known at run time
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PARTS = 4  # of an IPv4 address
# Letters, digits, marks and symbols (emoji domains exist); other characters end a host that is in running text.
_KEPT = ("L", "N", "M", "S")
_ALSO_KEPT = frozenset("-_.*\u00ad\u200c\u200d\u3002\uff0e\uff61\uff0d")


def canonical(host: str) -> str:
    """Return the host as a browser names it, or an empty text if no constant part is left.

    >>> canonical("M\\u00fcnchen\\uff0eexample."), canonical("%65vil.example"), canonical("0x7f.1")
    ('xn--mnchen-3ya.example', 'evil.example', '127.0.0.1')
    >>> canonical("*.evil.example"), canonical("cdn.*"), canonical("evil.example*"), canonical("*")
    ('*.evil.example', 'cdn.*', 'evil.example', '')
    """
    name = unquote(host) if "%" in host else host
    name = name.lower() if name.isascii() else _mapped(name)
    name = name.split("..")[0].rstrip(".-")
    while name.endswith(ANY) and not name.endswith("." + ANY):
        name = name[:-1].rstrip("-")
    if not name or name[0] in ".-" or not any(char.isalnum() for char in name):
        return ""
    return _ipv4(name)


def canonical_ipv6(text: str) -> str:
    """Return the shortest form of an IPv6 address, or an empty text if it is not one.

    >>> canonical_ipv6("2001:DB8:0:0::7"), canonical_ipv6("::x")
    ('2001:db8::7', '')
    """
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return ""


def _mapped(host: str) -> str:
    kept = len(host)
    for index, char in enumerate(host):
        if not char.isascii() and char not in _ALSO_KEPT and unicodedata.category(char)[0] not in _KEPT:
            kept = index
            break
    name = host[:kept]
    # Characters that the mapping refuses end the host, as they would end the address.
    with contextlib.suppress(idna.IDNAError):
        name = idna.uts46_remap(name, std3_rules=False, transitional=False)
    return ".".join(label if label.isascii() else _a_label(label) for label in name.lower().split("."))


def _a_label(label: str) -> str:
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError):  # browsers follow UTS 46, which allows more: emoji, underscores
        return "xn--" + label.encode("punycode").decode("ascii")


def _ipv4(name: str) -> str:
    """Read decimal, octal and hexadecimal forms with one to four parts (the URL Standard's IPv4 parser)."""
    parts = name.split(".")
    if len(parts) > _PARTS or not all(_NUMBER.fullmatch(part) for part in parts):
        return name
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return name
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):  # noqa: PLR2004 (a byte)
        return name
    value = numbers[-1] + sum(number << 8 * (3 - index) for index, number in enumerate(numbers[:-1]))
    return str(ipaddress.IPv4Address(value))


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") and len(part) > 1 else 10)
