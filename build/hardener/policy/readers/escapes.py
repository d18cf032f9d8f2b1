"""Resolve what scripts write instead of a text: the escapes of JavaScript, and base64."""

from __future__ import annotations

import base64
import binascii
import codecs
import re

LONGEST = 1 << 16  # bytes of a text that is made of others
_ESCAPE = re.compile(
    rb"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-3]?[0-7]{1,2}|\r\n|\xe2\x80[\xa8\xa9]|.)", re.DOTALL
)
_LETTERS = {b"n": "\n", b"t": "\t", b"r": "\r", b"b": "\b", b"f": "\f", b"v": "\v"}
_NOTHING = frozenset((b"\n", b"\r", b"\r\n", b"\xe2\x80\xa8", b"\xe2\x80\xa9"))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LONG = 1000  # characters: no identifier is that long


def unescape(text: bytes) -> bytes:
    r"""Resolve the escapes of a JavaScript string.

    >>> unescape(rb"\u0068\x74\164\u{70}\s:\/\/a\tb"), unescape(b"a\\\nb")
    (b'https://a\tb', b'ab')
    """
    if b"\\" not in text:
        return text
    out, at = [], 0
    for match in _ESCAPE.finditer(text):
        out.append(text[at : match.start()].decode("utf-8", "surrogateescape"))
        out.append(_meaning(match[1]))
        at = match.end()
    out.append(text[at:].decode("utf-8", "surrogateescape"))
    whole = "".join(out)
    try:
        return whole.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # two escapes may be the halves of one character
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def _meaning(code: bytes) -> str:
    if code in _NOTHING:
        return ""
    if code[:1] in b"ux" and len(code) > 1:
        number = int(code[1:].strip(b"{}"), 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"  # noqa: PLR2004 (the last code point)
    if code.isdigit() and code[:1] not in b"89":
        return chr(int(code, 8))
    return _LETTERS.get(code) or code.decode("utf-8", "surrogateescape")


def decode_base64(text: bytes) -> bytes:
    """Decode base64, also without its end and with the letters for addresses; an empty text where it is not base64."""
    clean = re.sub(rb"[\s=]", b"", text).replace(b"-", b"+").replace(b"_", b"/")
    try:
        return base64.b64decode(clean + b"=" * (-len(clean) % 4), validate=True)
    except binascii.Error:
        return b""


def is_encoded(text: bytes) -> bool:
    """Return whether a text is base64 of another text, of UTF-16, or of much else; most that looks like it is a name.

    >>> is_encoded(b"aHR0cHM6Ly9ldmlsLmV4YW1wbGUv"), is_encoded(b"participantsPaneOpen")
    (True, False)
    """
    if not _BASE64.fullmatch(text):
        return False
    if len(text) > _LONG:
        return True
    # The first letters rule most names out.
    return _is_text(decode_base64(text[:8])) and _is_text(decode_base64(text[:64]))


def _is_text(decoded: bytes) -> bool:
    """Return whether something decoded is UTF-8 without control characters, possibly cut off, or begins as UTF-16."""
    if b"\0" in decoded[:2]:
        return True
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(decoded)
    except UnicodeDecodeError:
        return False
    return bool(text) and not _CONTROL.search(text)


def changed(name: bytes, text: bytes, words: list[bytes | None]) -> bytes | None:
    """Apply a method of strings to constants; None where it is not known, or would make the text too long."""
    if name in (b"replace", b"replaceAll") and len(words) > 1 and words[0] and words[1] is not None:
        most = 1 if name == b"replace" else text.count(words[0])
        if len(text) + most * len(words[1]) > LONGEST:
            return None
        return text.replace(words[0], words[1], most)
    if name == b"toLowerCase":
        return text.lower()
    if name == b"trim":
        return text.strip()
    if name in (b"slice", b"substring", b"substr") and words and all(word and word.isdigit() for word in words):
        numbers = [int(word or b"0") for word in words]
        end = numbers[1] + (numbers[0] if name == b"substr" else 0) if len(numbers) > 1 else None
        return text[numbers[0] : end]
    return None


def decode_hex(text: bytes) -> bytes:
    """Return the bytes of a hexadecimal text; nothing if it is none.

    >>> decode_hex(b"68 69"), decode_hex(b"no")
    (b'hi', b'')
    """
    try:
        return bytes.fromhex(text.decode("ascii", "replace"))
    except ValueError:
        return b""


def letters(text: bytes) -> list[bytes]:
    """Return the characters of a text.

    >>> letters(b"ab")
    [b'a', b'b']
    """
    return [letter.encode() for letter in text.decode("utf-8", "replace")]
