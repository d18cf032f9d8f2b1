"""The raw record: one JSON object a line, in the order in which things were seen, without secrets."""

from __future__ import annotations

import copy
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from hardener.proof.redact import clean

if TYPE_CHECKING:
    from pathlib import Path


class _Lines:
    """The file of a record, to which several recorders write."""

    def __init__(self, path: Path) -> None:
        # A page can put half of a surrogate pair into any text; as an escape of JSON, UTF-8 can hold it.
        self.file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self.lock = threading.Lock()
        self.start = time.monotonic()
        self.count = 0


class Recorder:
    """Takes events from all threads; each gets the time since the start and the name of the run it fell into.

    Each network has a recorder of its own, because its events belong to its run; all write to one file (``beside``).
    """

    def __init__(self, path: Path) -> None:
        self._lines = _Lines(path)
        self.run = ""

    def beside(self) -> Recorder:
        """Return a recorder for another network, which writes to the same file."""
        other = copy.copy(self)
        other.run = ""
        return other

    @property
    def count(self) -> int:
        """Return how many events are in the file."""
        return self._lines.count

    def add(self, witness: str, kind: str, **facts: Any) -> None:
        """Write one event."""
        lines = self._lines
        with lines.lock:
            if lines.file.closed:
                return
            event = {"t": round(time.monotonic() - lines.start, 3), "run": self.run, "witness": witness, "kind": kind}
            lines.file.write(json.dumps(event | clean(facts), ensure_ascii=False) + "\n")
            lines.count += 1

    def close(self) -> None:
        """Close the record; late events are dropped."""
        with self._lines.lock:
            self._lines.file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the events of a record, in order."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
