"""The rules that turn an answer into a verdict. No sockets here.

Only what the standards name as a refusal counts as one: a server that is out of memory has not said no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.proof.attack.record import Judgement, refused, succeeded, unclear
from hardener.proof.xmpp.stanzas import condition, local

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# RFC 6120, section 6.5; temporary-auth-failure is the one that says "perhaps later".
_SASL_REFUSALS = frozenset(
    "aborted account-disabled credentials-expired encryption-required incorrect-encoding invalid-authzid"
    " invalid-mechanism malformed-request mechanism-too-weak not-authorized".split()
)
# RFC 6120, section 8.3.3, without those that say "out of order" or "later"
_STANZA_REFUSALS = frozenset(
    "bad-request conflict feature-not-implemented forbidden gone item-not-found jid-malformed not-acceptable"
    " not-allowed not-authorized policy-violation recipient-unavailable registration-required"
    " remote-server-not-found service-unavailable subscription-required unexpected-request".split()
)
# RFC 6120, section 4.9.3, likewise; XEP-0124's conditions of a terminated session beside them
_STREAM_REFUSALS = frozenset(
    "bad-format bad-namespace-prefix conflict host-gone host-unknown improper-addressing invalid-from invalid-id"
    " invalid-namespace invalid-xml not-authorized not-well-formed policy-violation restricted-xml"
    " unsupported-encoding unsupported-feature unsupported-stanza-type unsupported-version"
    " bad-request item-not-found other-request remote-stream-error".split()
)
_HTTP_REFUSALS = frozenset({400, 401, 403, 404, 405, 410, 413, 414, 426, 429, 501})
_SERVER_ERROR = 500


def of_sasl(answer: Element) -> Judgement:
    """Return the answer that ends a SASL exchange."""
    name, why = local(answer), condition(answer)
    if name == "success":
        return succeeded("the server says success")
    if name == "failure" and why in _SASL_REFUSALS:
        return refused(why)
    return unclear(f"{name}: {why or 'no condition'}")


def of_stanza(answer: Element) -> Judgement:
    """Return the answer to a stanza that must not be served: a result is a success."""
    kind, why = answer.get("type", ""), condition(answer)
    if kind == "error":
        return refused(why) if why in _STANZA_REFUSALS else unclear(f"error: {why or 'no condition'}")
    if local(answer) == "iq" and kind != "result":
        return unclear(f"iq of type {kind or 'none'}")
    return succeeded(f"the server answers with {local(answer)} of type {kind or 'none'}")


def of_closing(why: str) -> Judgement:
    """Return the judgement of a stream that the server ended; ``why`` is the condition, "" after a plain hang-up."""
    if not why:
        return refused("the server hangs up")
    return refused(why) if why in _STREAM_REFUSALS else unclear(f"the stream ends with {why}")


def of_http(status: int) -> Judgement | None:
    """Return the judgement of a status; None if the body has to be read."""
    if status in _HTTP_REFUSALS:
        return refused(f"HTTP {status}")
    if status >= _SERVER_ERROR:
        return unclear(f"HTTP {status}: something is there, and broken")
    return None


def of_page(status: int, body: bytes, tell: str, *, usual: bool) -> Judgement:
    """Return the answer to a request for something that must not be there.

    ``tell`` is in the answer of the real thing; ``usual`` says that this site answers so to any name that does not
    exist (Jitsi Meet's sites take a path for a room and send the same page for all).
    """
    judged = of_http(status)
    if judged:
        return judged
    if usual:
        return refused("the site's usual page for any name")
    if tell.encode() in body:
        return succeeded(f"HTTP {status}, and it is the real thing: {tell!r} is in it")
    return unclear(f"HTTP {status} with a page that is not the usual one")
