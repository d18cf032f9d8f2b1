"""A request as it comes in, the content that is found for it, and the answer that goes out."""

from __future__ import annotations

import http
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Request:
    """A request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    origin: str = "http://localhost"  # for the address of a folder


@dataclass
class Content:
    """A body and what is known of its file, before conditions, compression and ranges."""

    status: int
    kind: str  # media type
    body: bytes
    etag: str = ""
    modified: str = ""
    encoding: str = ""
    vary: bool = False
    location: str = ""


@dataclass
class Reply:
    """An answer. ``streamed``: nginx does not know its length beforehand."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    streamed: bool = False


def page(status: int, location: str = "") -> Content:
    """Return the page of an error for which the site has no file."""
    words = f"{status} {http.HTTPStatus(status).phrase}"
    body = f"<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<h1>{words}</h1>\r\n</body>\r\n</html>\r\n"
    return Content(status, "text/html", body.encode(), location=location)
