"""The runs of a plan, handed out to networks that work side by side.

Calls on real servers come first and one at a time: all of them use the same accounts. A run that ended early beside
others is made again without them, because it may only have been slow; what the first attempt contacted still counts.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hardener.proof.evidence.selection import Pair


@dataclass(frozen=True)
class Item:
    """A run to make: its number in the plan, and whether it is the second attempt."""

    number: int
    pair: Pair
    again: bool = False

    @property
    def in_call(self) -> bool:
        """Return whether the run leads to real servers."""
        return bool(self.pair[0].people)


class Work:
    """The rest of a plan; all methods may be called by all threads.

    ``tell`` is called with each run that begins, and the part of the plan that is done.
    """

    def __init__(self, pairs: Sequence[Pair], tell: Callable[[Pair, float], None], *, repeat: bool) -> None:
        items = [Item(number, pair) for number, pair in enumerate(pairs)]
        self._waiting = deque(sorted(items, key=lambda item: not item.in_call) if repeat else items)
        self._again: deque[Item] = deque()
        self._running: list[Item] = []
        self._changed = threading.Condition()
        self._tell, self._repeat, self._begun, self._all = tell, repeat, 0, len(items)
        self.stopped = False

    def take(self) -> Item | None:
        """Return the next run, and wait for it where that depends on others; None where nothing is left to do."""
        with self._changed:
            while True:
                item = self._next()
                if item:
                    self._running.append(item)
                    self._tell(item.pair, self._begun / max(self._all, 1))
                    self._begun += not item.again
                    return item
                if self.stopped or not (self._waiting or self._again or self._running):
                    return None
                self._changed.wait()

    def _next(self) -> Item | None:
        if self.stopped:
            return None
        if not self._waiting:
            return self._again.popleft() if self._again and not self._running else None
        calling = any(item.in_call for item in self._running)
        item = next((item for item in self._waiting if not (calling and item.in_call)), None)
        if item:
            self._waiting.remove(item)
        return item

    def done(self, item: Item, *, ok: bool) -> None:
        """Note that a run has ended, and whether it came to its end."""
        with self._changed:
            self._running.remove(item)
            if not ok and self._repeat and not item.again:
                self._again.append(Item(item.number, item.pair, again=True))
            self._changed.notify_all()

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
