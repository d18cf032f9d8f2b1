"""The files of a package or an image: a site and what is installed beside it, packed so that equal files give equal
bytes.

``pipeline/package.py`` packs the archive of a build from files on the disk. The packers here have contents in memory
that no file on the disk has, such as rewritten snippets.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.policy.addresses import MAP_SUFFIX
from hardener.snippets import NGINX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

WEB_ROOT = "usr/share/jitsi-meet"
# The archive's own additions: Debian has the licence elsewhere, and config.js is the operator's.
_NOT_SERVED = frozenset({"config.js", "LICENSE"})
_INCLUDE = re.compile(r"^(\s*include )hardener/", re.MULTILINE)


def served(site: Path) -> dict[str, bytes]:
    """Return the files of a built site that belong into a web root: path below it -> content, without source maps.

    Raises UsageError for a name with a line break, another control character or bytes that are not UTF-8.
    """
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.suffix != MAP_SUFFIX)
    names = {path.relative_to(site).as_posix(): path for path in files}
    for name in names:
        if not name.isprintable():  # md5sums of dpkg has a name in each line, and archives have UTF-8
            raise UsageError(f"the site has a file {name!r}", hint="give it a name that a package can hold")
    return {name: path.read_bytes() for name, path in names.items() if name not in _NOT_SERVED}


def snippets(folder: str, local: str) -> dict[str, str]:
    """Return the nginx snippets for the absolute path ``folder``: file name -> text.

    nginx resolves a relative path at the place of its main file, which belongs to the operator. What an operator may
    add (brotli) is included from ``local``.
    """
    texts = {path.name: path.read_text("utf-8") for path in sorted(NGINX.rglob("*.conf"))}
    rewritten = {name: _INCLUDE.sub(rf"\g<1>{folder}/", text) for name, text in texts.items()}
    return {name: text.replace(f"{folder}/brotl[i].conf", f"{local}/brotl[i].conf") for name, text in rewritten.items()}


def tar(files: Mapping[str, bytes], mtime: int, *, prefix: str = "", folders: Iterable[str] = ()) -> bytes:
    """Return a tar archive of files and of the folders that lead to them, sorted; ``folders`` are further, empty ones.

    Scripts (``*.sh``, and files without a suffix that begin with ``#!``) have the mode 0755, other files 0644. Owner is
    root, the time of each entry is ``mtime``. With ``prefix`` (``./``) the root folder is an entry, too.
    """
    parents = folders_of([*files, *(f"{name}/." for name in folders)])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as archive:
        if prefix:
            archive.addfile(_entry(prefix, mtime, 0o755, tarfile.DIRTYPE))
        for name in sorted({*files, *parents}, key=str.encode):
            if name not in files:
                archive.addfile(_entry(f"{prefix}{name}", mtime, 0o755, tarfile.DIRTYPE))
                continue
            content = files[name]
            script = name.endswith(".sh") or ("." not in name.rpartition("/")[2] and content.startswith(b"#!"))
            entry = _entry(f"{prefix}{name}", mtime, 0o755 if script else 0o644, tarfile.REGTYPE)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def folders_of(names: Iterable[str]) -> set[str]:
    """Return the folders that lead to these paths."""
    return {str(folder) for name in names for folder in _above(name)}


def _above(name: str) -> list[PurePosixPath]:
    """Return the folders that lead to a path, and the folder itself for a path that ends with ``/.``.

    >>> [str(path) for path in _above("a/b/c")], [str(path) for path in _above("a/b/.")]
    (['a/b', 'a'], ['a/b', 'a'])
    """
    path = PurePosixPath(name)
    return [path, *path.parents][0 if name.endswith("/.") else 1 : -1]


def _entry(name: str, mtime: int, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mtime, entry.mode = kind, mtime, mode
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
