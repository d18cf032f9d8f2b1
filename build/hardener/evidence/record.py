"""The raw record: one JSON object a line, in the order in which things were seen, without secrets."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

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
    """A text without passwords, tokens and SASL payloads.

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
    """A JSON value without secrets: texts are redacted, and what stands under a secret's key is hidden.

    >>> clean({"url": "turn:host", "credential": "s3cret", "list": ["?jwt=x"]})
    {'url': 'turn:host', 'credential': '[redacted]', 'list': ['?jwt=[redacted]']}
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: HIDDEN if _SECRET_KEY.search(str(key)) and one else clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [clean(one) for one in value]
    return value


class Recorder:
    """Takes events from all threads; each gets the time since the start and the name of the run it fell into."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self.run = ""
        self.count = 0

    def add(self, witness: str, kind: str, **facts: Any) -> None:
        """Write one event."""
        with self._lock:
            if self._file.closed:
                return
            event = {"t": round(time.monotonic() - self._start, 3), "run": self.run, "witness": witness, "kind": kind}
            self._file.write(json.dumps(event | clean(facts), ensure_ascii=False) + "\n")
            self.count += 1

    def close(self) -> None:
        """No more events: late ones are dropped."""
        with self._lock:
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a record, in order."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
