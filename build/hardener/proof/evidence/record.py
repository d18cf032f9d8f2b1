"""The raw record: one JSON object a line, in the order in which things were seen, without secrets."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from hardener.proof.redact import clean

if TYPE_CHECKING:
    from pathlib import Path


class Recorder:
    """Takes events from all threads; each gets the time since the start and the name of the run it fell into."""

    def __init__(self, path: Path) -> None:
        # A page can put half of a surrogate pair into any text; as an escape of JSON, UTF-8 can hold it.
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
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
        """Close the record; late events are dropped."""
        with self._lock:
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the events of a record, in order."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
