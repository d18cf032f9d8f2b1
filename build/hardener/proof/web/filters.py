"""From a content to an answer: conditions, headers, compression and ranges, in the order of nginx's filters."""

from __future__ import annotations

import gzip
import http
import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from hardener.proof.web.locations import State
from hardener.proof.web.messages import Reply, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.proof.web.locations import Snippets
    from hardener.proof.web.messages import Content, Request

_CHARSET = {"text/html", "text/plain", "application/javascript"}  # to which nginx adds the charset
_ALSO = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308}  # statuses to which headers without 'always' are added
_COMPRESSED = {200, 403, 404}
_BOUNDARY = "hardener-part"


def finished(snippets: Snippets, request: Request, state: State, content: Content) -> Reply:
    """Return the answer with a content."""
    status = _condition(request, content) if content.status == http.HTTPStatus.OK else 0
    if status == http.HTTPStatus.PRECONDITION_FAILED:
        content = replace(page(status), vary=content.vary)
    reply = Reply(status or content.status)
    for header in state.location.headers:
        if header.always or reply.status in _ALSO:
            reply.headers[header.name] = snippets.fill(state, header.value).decode("latin-1")
    if content.location:
        reply.headers["Location"] = content.location
    if status == http.HTTPStatus.NOT_MODIFIED:
        reply.headers |= _validators(content) | ({"Vary": "Accept-Encoding"} if content.vary else {})
        return reply
    empty = content.etag.endswith('-0"')  # nginx looks for no includes there
    reply.body, reply.streamed = content.body, snippets.includes(state, content.kind) and not empty
    charset = f"; charset={snippets.words['charset'][0]}" if content.kind in _CHARSET and not content.location else ""
    reply.headers["Content-Type"] = content.kind + charset
    if not reply.streamed:
        reply.headers |= _validators(content)
    if content.encoding:
        reply.headers["Content-Encoding"] = content.encoding
    _compress(snippets, request, state, content, reply)
    if reply.streamed or reply.status != http.HTTPStatus.OK or content.encoding:
        return reply
    return _part(snippets, request, reply, content)


def takes_gzip(request: Request) -> bool:
    """Return whether a browser takes gzip.

    >>> from hardener.proof.web.messages import Request
    >>> [takes_gzip(Request("GET", "/", {"accept-encoding": text})) for text in ("br, gzip", "gzip;q=0.0", "x-gzip")]
    [True, False, False]
    """
    wanted = request.headers.get("accept-encoding", "")
    found = re.search(r"(?:^|[\s,])gzip(?=[\s,;]|$)\s*(?:;\s*q\s*=\s*([0-9.]+))?", wanted, re.IGNORECASE)
    return found is not None and (found[1] is None or found[1].strip("0.") != "")


def _validators(content: Content) -> dict[str, str]:
    return {"Last-Modified": content.modified, "ETag": content.etag} if content.etag else {}


def _compress(snippets: Snippets, request: Request, state: State, content: Content, reply: Reply) -> None:
    vary = content.vary
    if (
        "gzip" in state.location.flags
        and reply.status in _COMPRESSED
        and not content.encoding
        and (reply.streamed or len(reply.body) >= int(snippets.words["gzip_min_length"][0]))
        and content.kind in ("text/html", *snippets.words["gzip_types"])
    ):
        vary = True
        if takes_gzip(request):
            reply.body = gzip.compress(reply.body, 6, mtime=0)
            reply.headers["Content-Encoding"] = "gzip"
            reply.streamed = True
            if "ETag" in reply.headers:
                reply.headers["ETag"] = f"W/{content.etag}"
    if vary and "gzip_vary" in state.location.flags:
        reply.headers["Vary"] = "Accept-Encoding"


def _condition(request: Request, content: Content) -> int:
    """Return 304 or 412 where a condition of the request says so, else 0."""
    wanted = request.headers.get
    if (since := wanted("if-unmodified-since")) and _is_older(since, content.modified):
        return http.HTTPStatus.PRECONDITION_FAILED
    if (tags := wanted("if-match")) and not _names(tags, content.etag, weak=False):
        return http.HTTPStatus.PRECONDITION_FAILED
    since, tags = wanted("if-modified-since"), wanted("if-none-match")
    changed = (since and since != content.modified) or (tags and not _names(tags, content.etag, weak=True))
    return http.HTTPStatus.NOT_MODIFIED if (since or tags) and not changed else 0


def _is_older(since: str, modified: str) -> bool:
    try:
        return parsedate_to_datetime(since) < parsedate_to_datetime(modified)
    except (ValueError, TypeError):
        return True


def _names(tags: str, etag: str, *, weak: bool) -> bool:
    found = [tag.strip() for tag in tags.split(",")]
    return found == ["*"] or etag in ([tag.removeprefix("W/") for tag in found] if weak else found)


def _part(snippets: Snippets, request: Request, reply: Reply, content: Content) -> Reply:
    """Cut the wanted ranges out of a whole answer."""
    wanted, size = request.headers.get("range", ""), len(reply.body)
    current = request.headers.get("if-range", content.etag) in {content.etag, content.modified}
    ranges = _ranges(wanted[6:], size) if wanted.lower().startswith("bytes=") and current else None
    if ranges is None:
        reply.headers["Accept-Ranges"] = "bytes"
        return reply
    if not ranges:
        return _out_of_range(snippets, reply.headers, size)
    reply.status = http.HTTPStatus.PARTIAL_CONTENT
    if len(ranges) == 1:
        ((start, end),) = ranges
        reply.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        reply.body = reply.body[start:end]
        return reply
    head = f"\r\n--{_BOUNDARY}\r\nContent-Type: {reply.headers['Content-Type']}\r\nContent-Range: bytes "
    parts = [f"{head}{start}-{end - 1}/{size}\r\n\r\n".encode() + reply.body[start:end] for start, end in ranges]
    reply.body = b"".join(parts) + f"\r\n--{_BOUNDARY}--\r\n".encode()
    reply.headers["Content-Type"] = f"multipart/byteranges; boundary={_BOUNDARY}"
    return reply


def _out_of_range(snippets: Snippets, headers: Mapping[str, str], size: int) -> Reply:
    of_file = {"Last-Modified", "ETag", "Content-Encoding", "Content-Type"}
    kept = {name: value for name, value in headers.items() if name not in of_file}
    refused = page(http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    more = {"Content-Type": "text/html; charset=utf-8", "Content-Range": f"bytes */{size}"}
    streamed = snippets.includes(State(b"", location=snippets.server), refused.kind)
    return Reply(refused.status, kept | more, refused.body, streamed=streamed)


def _ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """Return the ranges of a header; [] where none can be had, None where the whole file is to be sent.

    >>> _ranges("0-3, -2", 10), _ranges("10-", 10), _ranges("0-9,0-9", 10)
    ([(0, 4), (8, 10)], [], None)
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r" *(?:(\d{1,18}) *- *(\d{1,18})?|-(\d{1,18})) *", part)
        if not match:
            return []
        start, end = int(match[1] or 0), min(int(match[2]) + 1, size) if match[2] else size
        if match[3]:
            start = max(size - int(match[3]), 0)
        if start < end:
            found.append((start, end))
        elif start == 0:
            return None
    return None if sum(end - start for start, end in found) > size else found
