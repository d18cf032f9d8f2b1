"""The canonical form of a patch: what ``git format-patch`` writes of it on the pin plus what the patch requires.

Not on the patches before it in the series: so each file means itself. Its blob ids are upstream's own wherever it
requires nothing (a three-way merge finds its base in any clone of upstream), it can be sent as it is, and a change of
one patch changes no byte of another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.git.repository import Identity, Repository
from hardener.series.patch import Patch, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from hardener.git.repository import Index

EXPORT = (
    "format-patch --stdout -1 --keep-subject --zero-commit --full-index --no-stat --no-signature --no-numbered"
    " --unified=3 --find-renames --diff-algorithm=myers --no-ext-diff --no-textconv"
    " --src-prefix=a/ --dst-prefix=b/ --no-attach"
).split()
APPLY = ("apply", "--cached", "--whitespace=nowarn", "-")
# What ends a message for 'git am' (patchbreak() in git's mailinfo.c), and what it reads as headers before the text.
_END = re.compile(r"---\s*$|--- \S|diff -|Index: ")
_HEADER = re.compile(r"(?:from|subject|date):|>From |\[PATCH\] ", re.IGNORECASE)
_TAG = re.compile(r"\[[^\]]*PATCH[^\]]*\]|re:|:", re.IGNORECASE)
_HARDENER = Identity("hardener", "hardener@hardener.invalid", "2000-01-01T00:00:00+00:00")


class DoesNotApplyError(ValueError):
    """A patch does not fit the pin and what it requires; its text is what git said."""


class Canon:
    """Writes patches of one component in canonical form on its pinned commit.

    ``repository`` gets the objects: hand over a :meth:`~hardener.git.repository.Repository.scratch` one where none
    are to stay.
    """

    def __init__(self, repository: Repository, base: str) -> None:
        self.repository = repository
        self.base = base
        self.entries = repository.entries(base)

    def patch(self, patch: Patch, required: Sequence[Patch] = ()) -> bytes:
        """Return the patch, with its message as it is, in canonical form.

        ``required`` are all patches that have to be in before, in order. Raises DoesNotApplyError when it, or one of
        them, does not fit; ValueError when its message would not come back from the file as it is.
        """
        with self.index((*required, patch)) as index:
            for prerequisite in required:
                _apply(index, prerequisite)
            before = self.repository.commit_tree(index.tree(), self.base, "before", _HARDENER, _HARDENER)
            _apply(index, patch)
            after = self.repository.commit_tree(index.tree(), before, patch.message, patch.author, _HARDENER)
        content = self.repository.git(*EXPORT, after).stdout
        if parse(patch.name, content).message != patch.message:
            reason = unmailable(patch.message) or "another text comes back from the file"
            raise ValueError(f"its message cannot be written as a patch: {reason}")
        return content

    def needed(self, patch: Patch, before: Sequence[Patch], said: Sequence[Patch]) -> list[Patch] | None:
        """Return which of the patches ``before`` it this one does not apply without; None when it does not apply at
        all.

        ``said`` are those that it requires already: they stay.
        """
        try:
            self.patch(patch, before)
        except ValueError:
            return None
        needed = list(before)
        for candidate in reversed(before):  # what requires another goes before it
            fewer = [other for other in needed if other is not candidate]
            if candidate not in said and self._applies(patch, fewer):
                needed = fewer
        return needed

    def _applies(self, patch: Patch, required: Sequence[Patch]) -> bool:
        try:
            return bool(self.patch(patch, required))
        except ValueError:
            return False

    def index(self, patches: Iterable[Patch]) -> AbstractContextManager[Index]:
        """Return a temporary index with the files of the base that these patches touch."""
        paths = {path for patch in patches for touch in patch.touches for path in (touch.old, touch.new) if path}
        # A file that is where a patch wants a folder has to be seen as well.
        parents = {path[:end] for path in paths for end, sign in enumerate(path) if sign == "/"}
        entries = {path: self.entries[path] for path in sorted(paths | parents) if path in self.entries}
        return self.repository.small_index(entries)


def unmailable(message: str) -> str:
    """Return what ``git am`` would not take over from a commit message; empty where all of it comes back.

    >>> unmailable("[PATCH 1/2] Say ten\\n\\nWhy.")
    "its subject begins with '[PATCH 1/2]', a tag of mails that git am drops: reword it"
    >>> unmailable("Say ten\\n\\nAs in:\\ndiff --git a/x b/x")
    "line 4 of its message is 'diff --git a/x b/x', which ends a message for git am: indent it"
    >>> unmailable("Say ten\\n\\n  diff --git a/x b/x\\n- --- and so on")
    ''
    """
    subject, *lines = message.split("\n")
    if tag := _TAG.match(subject.strip()):
        return f"its subject begins with {tag[0]!r}, a tag of mails that git am drops: reword it"
    for number, line in enumerate(lines, 2):
        if _END.match(line):
            return f"line {number} of its message is {line.rstrip()[:60]!r}, which ends a message for git am: indent it"
    first = next((line for line in lines if line.strip()), "")
    if _HEADER.match(first):
        return f"its text begins with {first[:60]!r}, which git am reads as a header: begin it with other words"
    return ""


def _apply(index: Index, patch: Patch) -> None:
    done = index.git(*APPLY, stdin=patch.content)
    if done.status:
        raise DoesNotApplyError(f"{patch.name}: {done.complaint.splitlines()[0].removeprefix('error: ')}")


def requirements(series: Sequence[Patch]) -> dict[str, list[Patch]]:
    """Return what each patch of a series needs before it, directly or through others, in the order of the series.

    A name that the series does not have, or has later, is left out: series/header.py reports it.
    """
    found: dict[str, list[Patch]] = {}
    for place, patch in enumerate(series):
        direct = {name.removesuffix(".patch") + ".patch" for name in patch.requires}
        needed = direct | {far.name for name in direct for far in found.get(name, ())}
        found[patch.name] = [earlier for earlier in series[:place] if earlier.name in needed]
    return found
