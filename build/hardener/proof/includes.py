"""Server-side includes as nginx fills them in (ngx_http_ssi_module), for servers of our own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_INCLUDE = re.compile(rb"""<!--#\s*include\s+virtual=["']([^"']+)["']\s*-->""")
_ECHO = re.compile(rb"""<!--#\s*echo\s+var=["']\w+["'](?:\s+default=["']([^"']*)["'])?\s*-->""")


def expand(site: Path, data: bytes, depth: int = 0) -> bytes:
    """Return a file with its server-side includes (echo with default, include virtual) filled in."""

    def include(found: re.Match[bytes]) -> bytes:
        path = site / found[1].decode().lstrip("/")
        return expand(site, path.read_bytes(), depth + 1) if path.is_file() and depth < 4 else b""  # noqa: PLR2004

    return _ECHO.sub(lambda found: found[1] or b"", _INCLUDE.sub(include, data))
