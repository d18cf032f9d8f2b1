"""Settings by dotted path, where a value takes away what lies below it: without looking at all others each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardener.servercheck.model import Setting


LONGEST = 300  # characters of a path: what lies in objects repeats those of all around it


class Paths:
    """A flat table of settings that knows which paths lie below which."""

    def __init__(self) -> None:
        self.settings: dict[str, Setting] = {}
        self.below: dict[str, set[str]] = {}

    def put(self, path: str, setting: Setting) -> None:
        """Set the value at a path; what lies below it goes."""
        self.clear(path)
        self.settings[path] = setting
        while "." in path:
            above = path.rpartition(".")[0]
            known = self.below.setdefault(above, set())
            if path in known:
                return
            known.add(path)
            path = above

    def clear(self, path: str) -> None:
        """Remove all that lies below a path; of the empty path, everything."""
        if not path:
            self.settings.clear()
            self.below.clear()
            return
        stack = list(self.below.pop(path, ()))
        while stack:
            deeper = stack.pop()
            self.settings.pop(deeper, None)
            stack += self.below.pop(deeper, ())
