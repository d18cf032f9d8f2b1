"""Files of many commits at once: each tree object is read once, and neighbouring releases share nearly all of them."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

from hardener.git.repository import EXECUTABLE, REGULAR, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hardener.git.history import History

_AT_ONCE = 400  # commits a round: what git answers is held in memory


class Trees:
    """The regular files of commits for which ``keep(path, blob)`` holds, by path."""

    def __init__(self, history: History, keep: Callable[[str, str], bool]) -> None:
        self._history = history
        self._keep = keep
        self._reading = threading.Lock()
        self._roots: dict[str, str] = {}
        # By tree id and the folder it is in: its own files that are kept, and the folders in it.
        self._read: dict[tuple[str, str], tuple[dict[str, Entry], list[tuple[str, str]]]] = {}
        self._files: dict[tuple[str, str], dict[str, Entry]] = {}

    def read(self, commits: Iterable[str]) -> None:
        """Read what is not known of these commits, one git process for each level of folders."""
        with self._reading:  # what one thread has begun, another one must not take for read
            new = [commit for commit in dict.fromkeys(commits) if commit not in self._roots]
            for start in range(0, len(new), _AT_ONCE):
                some = new[start : start + _AT_ONCE]
                answers = self._history.objects([commit + "^{tree}" for commit in some], "tree")
                self._read_levels({(tree, ""): content for tree, content in answers})
                self._roots |= {commit: tree for commit, (tree, _) in zip(some, answers, strict=True)}

    def _read_levels(self, level: dict[tuple[str, str], bytes]) -> None:
        while level:
            below: dict[tuple[str, str], None] = {}
            for place, content in level.items():
                self._read[place] = self._sorted(content, *place)
                below |= dict.fromkeys(self._read[place][1])
            wanted = [place for place in below if place not in self._read]
            found = self._history.objects([tree for tree, _ in wanted], "tree")
            level = {place: content for place, (_, content) in zip(wanted, found, strict=True)}

    def files(self, commit: str) -> dict[str, Entry]:
        """Return the kept files of a commit; not to be changed."""
        self.read([commit])
        return self._below((self._roots[commit], ""))

    def _below(self, place: tuple[str, str]) -> dict[str, Entry]:
        known = self._files.get(place)
        if known is None:
            own, folders = self._read[place]
            known = dict(own)
            for folder in folders:
                known |= self._below(folder)
            self._files[place] = known
        return known

    def _sorted(self, content: bytes, tree: str, folder: str) -> tuple[dict[str, Entry], list[tuple[str, str]]]:
        own: dict[str, Entry] = {}
        folders = []
        for mode, name, thing in _entries(content, len(tree) // 2):
            path = folder + name
            if stat.S_ISDIR(mode):
                folders.append((thing, path + "/"))
            elif stat.S_ISREG(mode) and self._keep(path, thing):  # not a symbolic link, not a submodule
                own[path] = Entry(EXECUTABLE if mode & stat.S_IXUSR else REGULAR, thing)
        return own, folders


def _entries(content: bytes, length: int) -> Iterator[tuple[int, str, str]]:
    """Yield mode, name and object id of each entry of a tree object (gitformat: ``MODE NAME NUL ID``).

    >>> list(_entries(b"40000 a\\0" + bytes(20) + b"100644 b\\0" + bytes(20), 20))[1][:2]
    (33188, 'b')
    """
    at = 0
    while at < len(content):
        end = content.index(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        at = end + 1 + length
        yield int(mode, 8), name.decode("utf-8", "surrogateescape"), content[end + 1 : at].hex()
