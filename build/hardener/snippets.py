"""The nginx snippets of build/nginx for one deployment: which pages of other origins may embed its meetings.

One list drives all that a browser and the client look at: ``frame-ancestors``; ``X-Frame-Options``, which has no list
and so goes; ``Cross-Origin-Resource-Policy`` of external_api.js, which has no list either, so everybody may load that
public file; and the origins that the client listens to, which index.html gets through server-side includes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Sequence

_BESIDE = Path(__file__).parent
# In a checkout build/nginx lies beside the package; a wheel carries it inside.
NGINX = next(path for path in (_BESIDE.parent / "nginx", _BESIDE / "nginx") if path.is_dir())
# Beside https what browsers trust without it: a page in development.
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_ORIGIN = re.compile(rf"(?:https://(?:{_LABEL}\.)*{_LABEL}|http://localhost)(?::[1-9][0-9]{{0,4}})?")
HEADERS, _SITE = "security-headers.conf", "site.conf"
_API = "location = /external_api.js {\n    include hardener/security-headers.conf;\n"
_OWN = re.compile(r"^add_header (?:X-Frame-Options|Cross-Origin-Resource-Policy) .*\n", re.MULTILINE)


def write(target: Path, embedders: Sequence[str]) -> tuple[str, ...]:
    """Write all snippets to ``target``; returns their names. Raises UsageError for what is not a web origin."""
    files = texts(embedders)
    disk.write_all({target / name: text.encode() for name, text in files.items()})
    return tuple(sorted(files))


def texts(embedders: Sequence[str]) -> dict[str, str]:
    """Return all snippets by their names. Raises UsageError for what is not a web origin."""
    for origin in embedders:
        if not _ORIGIN.fullmatch(origin):
            raise UsageError(
                f"{origin} is not an origin that may embed meetings",
                hint="write only scheme and host: https://portal.example.org",
            )
    files = {path.relative_to(NGINX).as_posix(): path.read_text("utf-8") for path in NGINX.rglob("*.conf")}
    if embedders:
        _allow(files, " ".join(embedders))
    return files


def _allow(files: dict[str, str], embedders: str) -> None:
    files["api-headers.conf"] = (
        _OWN.sub("", files[HEADERS]) + "add_header Cross-Origin-Resource-Policy cross-origin always;\n"
    )
    files[HEADERS] = re.sub(r"^add_header X-Frame-Options .*\n", "", files[HEADERS], flags=re.MULTILINE).replace(
        "frame-ancestors 'self'", f"frame-ancestors 'self' {embedders}"
    )
    files[_SITE] = (
        files[_SITE]
        .replace('set $hardener_embedders "";', f'set $hardener_embedders "{embedders}";')
        .replace(_API, _API.replace("security-headers", "api-headers"))
    )
