"""Keys and stamps: what makes an interrupted build resume and a second run short.

A step's *key* is the hash of all that it reads. Its *stamp* names the key of the step's output. A stamp is
removed before the output is touched and written after the output is complete. So a run killed at any point leaves
either a complete output with its stamp, or an output that the next run makes again.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from hardener.system.disk import read_json, write_json


def home() -> Path:
    """Return the user's cache directory for hardener (``$XDG_CACHE_HOME/hardener``, XDG Base Directory 0.8)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path in the variable is invalid and is to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "hardener"


def key(*parts: Any) -> str:
    """Return the SHA-256 over the parts (JSON values, bytes as hex, paths as text) in canonical JSON: sorted keys."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else os.fspath(value)


def digest(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest_of(module: str) -> str:
    """Digest of one of our own modules (pass ``__file__``), for the key of the step that it is."""
    return file_digest(Path(module))


def folder_digest(path: Path, *, pattern: str = "**/*") -> str:
    """Return the SHA-256 over names and contents of a folder's files that match the glob; a missing folder is empty."""
    names = sorted((file.relative_to(path), file) for file in path.glob(pattern) if file.is_file())
    return key([(name.as_posix(), file_digest(file)) for name, file in names if "__pycache__" not in name.parts])


class Stamp:
    """The key of a step's output, and the step's small facts (sizes, counts)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def facts(self, wanted: str) -> dict[str, Any] | None:
        """Return the facts of the output if it has that key, else None."""
        stored = read_json(self.path)
        if isinstance(stored, dict) and stored.get("key") == wanted and isinstance(stored.get("facts"), dict):
            return dict(stored["facts"])
        return None

    def last(self) -> dict[str, Any]:
        """Return the facts of the output, whichever key it has; empty if there is none."""
        stored = read_json(self.path)
        return dict(stored["facts"]) if isinstance(stored, dict) and isinstance(stored.get("facts"), dict) else {}

    def clear(self) -> None:
        """Remove the stamp, before the output is touched."""
        self.path.unlink(missing_ok=True)

    def set(self, key: str, facts: dict[str, Any]) -> None:
        """Write the stamp, once the output is complete."""
        write_json(self.path, {"key": key, "facts": facts})
