"""Reading files of a folder that may be a whole ``/etc``, a part of it, or a copy of either.

Absolute paths in configurations and symlinks are looked for inside the folder; nothing outside it is read. What is not
there, not readable or too large is told.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.servercheck.model import Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST = 2_000_000  # bytes; no configuration file is larger
MOST = 20_000  # files looked at
SKIPPED = frozenset({".git", "node_modules", "certs", "ssl", "acme.sh", "acme-certs", "keys", "data", "transcripts"})


class Folder:
    """A folder and the names of its files. ``doubt(where, reason)`` is told what cannot be read."""

    def __init__(self, root: Path, doubt: Callable[[Where, str], None]) -> None:
        self.root = Path(os.path.realpath(root))
        self.shown = root
        self.doubt = doubt
        self.read_files: list[str] = []
        self.paths = sorted(self._walk())

    def _walk(self) -> Iterator[Path]:
        seen = 0
        for folder, names, files in os.walk(self.root, onerror=self._unreadable):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            for name in files:
                seen += 1
                if seen > MOST:
                    self.doubt(
                        Where(os.fspath(self.shown)),
                        f"more than {MOST} files: name the folder of the deployment itself",
                    )
                    return
                yield Path(folder, name)

    def _unreadable(self, error: OSError) -> None:
        self.doubt(Where(error.filename or os.fspath(self.shown)), f"cannot be read: {error.strerror}")

    def name(self, path: Path) -> str:
        """How the file is called in findings: as the user named the folder."""
        return (
            os.fspath(self.shown / path.relative_to(self.root)) if path.is_relative_to(self.root) else os.fspath(path)
        )

    def find(self, *patterns: str) -> list[Path]:
        """Files whose path inside the folder matches one of the patterns (from the right, as Path.match)."""
        return [one for one in self.paths if any(one.match(pattern) for pattern in patterns)]

    def read(self, path: Path) -> bytes | None:
        """The content, with symlinks followed inside the folder only; None if it cannot be had (and was told)."""
        inside = self._inside(path)
        if inside is None:
            self.doubt(Where(self.name(path)), "is a link to something outside of the folder, which was not read")
            return None
        try:
            if inside.stat().st_size > LARGEST:
                self.doubt(Where(self.name(path)), f"is larger than {LARGEST} bytes: not a configuration file")
                return None
            content = inside.read_bytes()
        except OSError as error:
            self.doubt(Where(self.name(path)), f"cannot be read: {error.strerror}")
            return None
        self.read_files.append(self.name(path))
        return content

    def _inside(self, path: Path) -> Path | None:
        for _ in range(20):
            if not path.is_symlink():
                real = Path(os.path.realpath(path))
                return real if real.is_relative_to(self.root) else None
            target = Path(path.readlink())
            found = self.candidates(os.fspath(target), path.parent)
            if not found:
                return None
            path = found[0]
        return None

    def candidates(self, pattern: str, beside: Path) -> list[Path]:
        """Files that a path or wildcard in the configuration means: from ``beside``, absolute ones by their end."""
        if not Path(pattern).is_absolute():
            return self._glob(beside, pattern)
        parts = Path(pattern).parts[1:]
        bases = [self.root, *(one for one in beside.parents if one.is_relative_to(self.root)), beside]
        for start in range(len(parts)):
            for base in bases:
                if found := self._glob(base, os.fspath(Path(*parts[start:]))):
                    return found
        return []

    def _glob(self, base: Path, pattern: str) -> list[Path]:
        if "\0" in pattern:
            return []
        try:
            found = sorted(base.glob(pattern)) if any(sign in pattern for sign in "*?[") else [base / pattern]
            return [
                one
                for one in found
                if (one.is_file() or one.is_symlink()) and Path(os.path.normpath(one)).is_relative_to(self.root)
            ]
        except (ValueError, OSError, NotImplementedError):
            return []

    def include(self, pattern: str, where: Where, *, needed: bool, upwards: bool = False) -> list[tuple[str, bytes]]:
        """The files of an Include line, with their names. ``needed``: a missing one is told.

        ``upwards``: relative to a folder above (nginx: that of nginx.conf) instead of the one of the file itself.
        """
        beside = self._beside(where.file)
        bases = [beside, *(one for one in beside.parents if one.is_relative_to(self.root))] if upwards else [beside]
        found = next((files for base in bases if (files := self.candidates(pattern, base))), [])
        if not found and needed and not any(sign in pattern for sign in "*?["):
            self.doubt(where, f"includes {pattern}, which is not here")
        contents = [(self.name(one), self.read(one)) for one in found]
        return [(name, content) for name, content in contents if content is not None]

    def _beside(self, name: str) -> Path:
        """The folder of a file that ``name`` named."""
        try:
            return (self.root / Path(name).relative_to(self.shown)).parent
        except ValueError:
            return self.root
