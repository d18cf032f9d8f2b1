"""A built site on loopback, as nginx would serve it, with what the comparison needs beside it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from hardener.proof.web.messages import Reply, Request
from hardener.proof.web.server import serving
from hardener.proof.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STARTED = "hardener: started"
OWN = "/hardener-compare/"
EMPTY, NAMES = OWN + "empty.html", OWN + "names.js"
BROKEN_WORKER, BROKEN_WORKLET = OWN + "broken-worker.js", OWN + "broken-worklet.js"
_SCRIPT = "text/javascript"
_BROKEN = b"throw new Error('planted: does not start');"
# Loaded into an audio worklet first: reports which processors the next module registers.
_NAMES = b"""const names = [], original = registerProcessor;
globalThis.registerProcessor = (name, processor) => { names.push(name); original(name, processor); };
original('hardener-names', class extends AudioWorkletProcessor {
    constructor() { super(); this.port.postMessage(names); }
    process() { return false; }
});
"""
_FILES = {
    EMPTY: ("text/html", b"<!doctype html><title>empty</title><link rel=icon href=data:,>"),
    NAMES: (_SCRIPT, _NAMES),
    BROKEN_WORKER: (_SCRIPT, _BROKEN),
    BROKEN_WORKLET: (_SCRIPT, _BROKEN),
}


def answering(site: Path) -> Callable[[Request], Reply]:
    """Return what answers for a site. With ``?started`` a script says at its end that it got there."""
    served = Site(site, headers=False)

    def answer(request: Request) -> Reply:
        path, _, query = request.target.partition("?")
        if path in _FILES:
            kind, data = _FILES[path]
            return Reply(HTTPStatus.OK, {"Content-Type": kind}, data)
        reply = served.answer(replace(request, headers={}))  # whole and not compressed
        if query == "started":
            reply.body += f"\n;setTimeout(() => self.postMessage({STARTED!r}), 0);".encode()
        return reply

    return answer


@contextlib.contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a site on loopback; gives its address."""
    with serving(answering(site)) as address:
        yield address
