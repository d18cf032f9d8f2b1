"""Reading files of a folder that may be a whole ``/etc``, a part of it, or a copy of either.

Absolute paths in configurations and symlinks are looked for inside the folder. Nothing outside it is read, except the
nginx snippets of our own package where the folder is this machine's ``/etc``. A file that is missing, unreadable, too
large or not a regular file becomes a doubt. All limits are here.
"""

from __future__ import annotations

import os
import re
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.servercheck.model import Where
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Doubt = Callable[[Where, str, bool], None]

LARGEST = 250_000  # bytes; no configuration file is larger
TOTAL = 3_000_000  # bytes of one deployment
MOST = 20_000  # files and folders looked at
INCLUDED = 2_000  # Include lines that are followed, and files that they include, all together
LONGEST = 1_000  # bytes of a path
LINKS = 20  # links that lead to each other
SKIPPED = frozenset({".git", "node_modules", "certs", "ssl", "acme.sh", "acme-certs", "keys", "data", "transcripts"})
# Where no configuration of Debian's is: in a copy these folders have their whole path.
ELSEWHERE = frozenset("bin boot dev home lib media mnt opt proc root srv sys tmp usr var".split())
# Never configuration, and full of secrets: not read, whatever includes them.
SECRET = re.compile(r"g?shadow-?|passwd-?|sudoers|.*\.(?:key|pem|p12|pfx|jks|kdbx)")
# Debian's links in modules-enabled: each file there loads one module of nginx, and does nothing else.
PACKAGED = "/usr/share/nginx/modules-available/"
ETC = Path("/etc")
SNIPPETS = Path("/usr/share/jitsi-meet-web-hardened/nginx")  # belongs to the bundle, so not in /etc
WILDCARD = re.compile(r"[*?\[]")
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def content(path: Path) -> bytes | str:
    """Return the content of a regular file, or the reason why it is not read."""
    if SECRET.fullmatch(path.name):
        return "holds passwords or keys, and is not read"
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait
            return "is not a regular file"
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if len(found) > LARGEST:
        return f"is larger than {LARGEST} bytes: not a configuration file"
    if b"\0" in found or len(BINARY.findall(found)) > len(found) // 20:
        return "is a binary file: not a configuration file"
    return found


class Folder:
    """A folder and the names of its files. ``doubt(where, reason, vital)`` receives what cannot be read."""

    def __init__(self, root: Path, doubt: Doubt) -> None:
        self.root = Path(os.path.realpath(root))
        self.shown = root
        self.doubt = doubt
        self.read_files: list[str] = []
        self.size = 0
        self.full = False
        self.included = 0
        self.unreadable: list[Path] = []
        self.live = os.fspath(self.root) == "/" or self.root.is_relative_to(ETC)
        self.paths = sorted(self._walk())
        self.relative = [path.relative_to(self.root).as_posix() for path in self.paths]

    def _walk(self) -> Iterator[Path]:
        seen = 0
        for folder, names, files in os.walk(self.root, onerror=self._unreadable):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            seen += 1 + len(files)
            if seen > MOST:
                reason = f"more than {MOST} files: name the folder of the deployment itself"
                self.doubt(Where(os.fspath(self.shown)), reason, True)
                return
            yield from (Path(folder, name) for name in files)

    def _unreadable(self, error: OSError) -> None:
        path = Path(error.filename or self.root)
        self.unreadable.append(path)
        self.doubt(Where(self.name(path)), f"cannot be read: {error.strerror}", path == self.root)

    def name(self, path: Path) -> str:
        """Return how the file is called in findings: as the user named the folder."""
        return (
            os.fspath(self.shown / path.relative_to(self.root)) if path.is_relative_to(self.root) else os.fspath(path)
        )

    def find(self, *patterns: str) -> list[Path]:
        """Return the files whose path inside the folder ends in one of the patterns (``nginx/conf.d/*.conf``)."""
        return [
            path
            for path, relative in zip(self.paths, self.relative, strict=True)
            if any(_expression(pattern).search(relative) for pattern in patterns)
        ]

    def was_read(self, path: Path) -> bool:
        """Return whether the file has been read, by this name or through a link."""
        return self.name(path) in self.read_files

    def text(self, path: Path) -> str:
        """Return a file of the folder as text; empty where :meth:`read` has nothing."""
        return (self.read(path) or b"").decode("utf-8", "replace")

    def read(self, path: Path) -> bytes | None:
        """Return the content, with symlinks followed inside the folder only; None if there is none (a doubt then)."""
        for _ in range(LINKS):
            inside = self._inside(path)
            if inside is None:
                if not (path.is_symlink() and os.fspath(path.readlink()).startswith(PACKAGED)):
                    reason = "is a link to something outside of the folder, which was not read"
                    self.doubt(Where(self.name(path)), reason, False)
                return None
            found = content(inside)
            if isinstance(found, bytes) and self.size + len(found) > TOTAL:
                if self.full:
                    return None
                self.full = True
                found = f"was not read: more than {TOTAL} bytes of configuration; name the deployment's own folder"
            if isinstance(found, str):
                self.doubt(Where(self.name(path)), found, self.size + LARGEST > TOTAL)
                return None
            target = self._link_as_text(inside, found)
            if target is None:
                self.size += len(found)
                self.read_files += [self.name(path)] + ([self.name(inside)] if inside != path else [])
                return found
            path = target
        return None

    def _belongs(self, path: Path) -> bool:
        return path.is_relative_to(self.root) or (self.live and path.is_relative_to(SNIPPETS))

    def _inside(self, path: Path) -> Path | None:
        for _ in range(LINKS):
            if not path.is_symlink():
                real = Path(os.path.realpath(path))
                return real if self._belongs(real) else None
            found = self.candidates(os.fspath(path.readlink()), path.parent)
            if not found:
                return None
            path = found[0]
        return None

    def _link_as_text(self, path: Path, text: bytes) -> Path | None:
        """Return the target of a link that a copy without links holds as a file with the target's path in it."""
        line = text.rstrip(b"\r\n")
        if len(line) > LONGEST or b"/" not in line or re.search(rb"\s|[*?\[]", line):
            return None
        found = [
            candidate
            for candidate in self.candidates(os.fsdecode(line), path.parent)
            if candidate != path and disk.is_file(candidate)
        ]
        return found[0] if found else None

    def candidates(self, pattern: str, beside: Path) -> list[Path]:
        """Return the files that a path or wildcard in the configuration means.

        Relative ones start at ``beside``. Of absolute ones the end is looked for inside the folder, as it may be a copy
        of any part of the machine. At least one folder of the path has to be there: a wildcard that is cut down to its
        last part would take foreign files. The first folder that exists is the right one, empty or not.
        """
        path = Path(pattern)
        if not path.is_absolute():
            return self._glob(beside, pattern)
        if self.live:
            return self._glob(Path("/"), os.fspath(path)[1:])
        parts = path.parts[1:]
        if not parts:
            return []
        bases = self._bases(beside)
        wild = next((number for number, part in enumerate(parts) if WILDCARD.search(part)), len(parts) - 1)
        for start in self._starts(parts, wild):
            for base in bases:
                folder = base.joinpath(*parts[start:wild])
                rest = os.fspath(Path(*parts[start:]))
                if wild == len(parts) - 1 and not WILDCARD.search(parts[-1]):
                    if found := self._glob(base, rest):
                        return found
                elif disk.is_folder(folder):
                    return self._glob(base, rest)
        # The copy of one folder may have any name: a file beside the one that names it.
        return [] if WILDCARD.search(pattern) or beside != self.root else self._glob(beside, parts[-1])

    def _bases(self, beside: Path) -> list[Path]:
        return [self.root, *(parent for parent in beside.parents if parent.is_relative_to(self.root)), beside]

    def _starts(self, parts: tuple[str, ...], end: int) -> range:
        """Return how many folders of an absolute path may be cut off: none if a copy of /etc lacks it."""
        return range(min(1, end) if parts[0] in ELSEWHERE and parts[:3] != ("usr", "local", "etc") else end)

    def covers(self, pattern: str, beside: Path) -> bool:
        """Return whether the files that a wildcard means would be here if there were any."""
        path = Path(pattern)
        if not path.is_absolute():
            return Path(os.path.normpath(beside / path)).is_relative_to(self.root)
        if self.live:
            return self._belongs(path)
        parts = path.parts[1:]
        return any(
            disk.is_folder(base / parts[start])
            for start in self._starts(parts, len(parts) - 1)
            for base in self._bases(beside)
        )

    def _glob(self, base: Path, pattern: str) -> list[Path]:
        if "\0" in pattern or "**" in pattern:
            return []
        try:
            found = sorted(base.glob(pattern)) if WILDCARD.search(pattern) else [base / pattern]
            return [
                path
                for path in found
                if (path.is_symlink() or (path.exists() and not path.is_dir()))
                and self._belongs(Path(os.path.normpath(path)))
            ]
        except (ValueError, OSError, NotImplementedError, IndexError, re.error, RecursionError):
            return []

    def include(self, pattern: str, where: Where, *, needed: bool, main: str = "") -> list[tuple[str, bytes]]:
        """Return the files of an Include line, with their names. ``needed``: a missing one is a doubt.

        ``main``: relative paths start at the folder above that has this file (``nginx.conf``), or at the nearest folder
        above where they exist; else at the folder of the file itself.
        """
        if not self._may_include(where):
            return []
        beside = self.beside(where.file)
        bases = [beside]
        if main and not Path(pattern).is_absolute():
            above = [folder for folder in (beside, *beside.parents) if folder.is_relative_to(self.root)]
            bases = [folder for folder in above if disk.is_file(folder / main)][:1] or above[:2]
        found = next((files for base in bases if (files := self.candidates(pattern, base))), [])
        if not found and WILDCARD.search(pattern) and not any(self.covers(pattern, base) for base in bases):
            self.doubt(where, f"includes {pattern}, whose folder is not here", True)
        elif not found and needed and not WILDCARD.search(pattern):
            self.doubt(where, f"includes {pattern}, which is not here", True)
        contents = []
        for path in found:
            if not self._may_include(where):
                break
            contents.append((self.name(path), self.read(path)))
        return [(name, text) for name, text in contents if text is not None]

    def _may_include(self, where: Where) -> bool:
        """Count an Include line or a file; the first one over the limit becomes a doubt."""
        self.included += 1
        if self.included == INCLUDED + 1:
            self.doubt(where, f"more than {INCLUDED} includes: what follows was not read", True)
        return self.included <= INCLUDED

    def beside(self, name: str) -> Path:
        """Return the folder of a file that ``name`` named."""
        try:
            return (self.root / Path(name).relative_to(self.shown)).parent
        except ValueError:
            return self.root


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    words = re.split(r"(\*)", pattern)
    return re.compile("(?:^|/)" + "".join("[^/]*" if word == "*" else re.escape(word) for word in words) + r"\Z")
