"""Ways in without any account: mechanisms, tokens, other hosts, registration, and stanzas that come too early."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hardener.proof.attack import tokens, verdict
from hardener.proof.attack.record import Judgement, Target, Verdict, refused, succeeded
from hardener.proof.attack.session import Scene, Way
from hardener.proof.xmpp import sasl
from hardener.proof.xmpp.client import PING, Client, Refused
from hardener.proof.xmpp.muc import MUC, moderates, presence
from hardener.proof.xmpp.stanzas import BIND, DISCO, DISCO_ITEMS, SESSION
from hardener.proof.xmpp.streams import Closed

if TYPE_CHECKING:
    from collections.abc import Iterator

REGISTER = "jabber:iq:register"
WRONG = "definitely-wrong"

# Hosts that Jitsi's own templates, its manual and well-known guides give to guests and machines.
_GUEST_HOSTS = ("guest", "guests", "anonymous", "anon", "public", "visitors", "v0", "v1", "lobby", "jitsi", "jaas")
_SERVICE_HOSTS: tuple[str, ...] = (
    "auth",
    "recorder",
    "hidden",
    "jigasi",
    "jibri",
    "transcriber",
    "focus",
    "jvb",
    "videobridge",
)
_SERVICE_HOSTS += ("internal.auth", "internal-muc", "internal", "muc", "conference", "breakout", "admin", "proxy")
_STOCK_HOSTS = (
    "localhost",
    "meet.jitsi",
    "guest.meet.jitsi",
    "auth.meet.jitsi",
    "recorder.meet.jitsi",
    "hidden.meet.jitsi",
)


def ways(target: Target) -> Iterator[Way]:
    """Yield all of them, for one deployment."""
    yield from _mechanisms(target)
    for host in sorted(
        {target.host(label) for label in (*_GUEST_HOSTS, *_SERVICE_HOSTS)} | {*_STOCK_HOSTS} - {target.domain}
    ):
        yield Way("other hosts", f"host {host}", partial(_other_host, host=host))
    yield Way("other hosts", "stream without a host", partial(_other_host, host=""))
    for name in tokens.forged(target.domain, "", 0):
        for carrier in _CARRIERS:
            yield Way("tokens", f"{name} token by {carrier}", partial(_token, name=name, carrier=carrier))
    yield Way("registration", "register before login", _register)
    yield Way("registration", "register is on offer", _register_offered)
    for name in _early(target, "", ""):
        yield Way("before login", name, partial(_too_early, name=name))
    yield Way("before login", "join a room", _join_without_login)
    yield Way("before login", "success said by the client", _own_success)
    yield Way("before login", "restart instead of login", _restart)


# --- mechanisms


def _mechanisms(target: Target) -> Iterator[Way]:
    for number, (name, _mechanism, _initial) in enumerate(_bad_logins(target, "")):
        yield Way("logins", name, partial(_bad_login, number=number))
    for name in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
        yield Way("logins", f"{name}, wrong password", partial(_bad_scram, mechanism=name))
        yield Way("logins", f"{name}, empty proof", partial(_bad_scram, mechanism=name, proof=False))
    yield Way("logins", "DIGEST-MD5, wrong password", _bad_digest)
    yield Way("logins", "ANONYMOUS by SASL2", _sasl2)
    yield Way("logins", "jabber:iq:auth, wrong password", _legacy_auth)


def _bad_logins(target: Target, mark: str) -> tuple[tuple[str, str, str | None], ...]:
    """Return name, mechanism and first message of logins that need one message."""
    user = target.account.user if target.account else "admin"
    focus = f"focus@{target.host('auth')}"
    return (
        ("ANONYMOUS", "ANONYMOUS", None),
        ("ANONYMOUS with a trace", "ANONYMOUS", "focus"),
        ("PLAIN, unknown user", "PLAIN", sasl.plain(f"nobody-{mark}", WRONG)),
        ("PLAIN, wrong password", "PLAIN", sasl.plain(user, WRONG)),
        ("PLAIN, empty password", "PLAIN", sasl.plain(user, "")),
        ("PLAIN, nothing at all", "PLAIN", sasl.plain("", "")),
        ("PLAIN, in the name of focus", "PLAIN", sasl.plain(user, WRONG, focus)),
        ("PLAIN, service account with a stock password", "PLAIN", sasl.plain("focus", "passw0rd")),
        ("EXTERNAL", "EXTERNAL", focus),
        ("EXTERNAL, no name", "EXTERNAL", ""),
        ("OAUTHBEARER, foreign token", "OAUTHBEARER", sasl.oauthbearer("mallory")),
        ("X-OAUTH2, foreign token", "X-OAUTH2", sasl.plain(user, "mallory")),
        ("a mechanism that does not exist", "X-NOBODY", "x"),
    )


def _bad_login(scene: Scene, number: int) -> Judgement:
    _name, mechanism, initial = _bad_logins(scene.target, scene.mark)[number]
    return verdict.of_sasl(scene.guest().exchange(mechanism, initial))


def _bad_scram(scene: Scene, mechanism: str, *, proof: bool = True) -> Judgement:
    user = scene.target.account.user if scene.target.account else "admin"
    client = sasl.Scram(user, WRONG, mechanism)

    def answer(challenge: str) -> str:
        final = client.final(challenge)
        return final if proof else f"{final.rpartition(',p=')[0]},p="

    return verdict.of_sasl(scene.guest().exchange(mechanism, client.first(), answer))


def _bad_digest(scene: Scene) -> Judgement:
    host = scene.target.domain
    answer = partial(sasl.digest_md5, user=f"nobody-{scene.mark}", password=WRONG, host=host)
    return verdict.of_sasl(scene.guest().exchange("DIGEST-MD5", None, answer))


def _sasl2(scene: Scene) -> Judgement:
    guest = scene.guest()
    guest.stream.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'/>")
    return verdict.of_sasl(guest.wait("success", "failure", "continue"))


def _legacy_auth(scene: Scene) -> Judgement:
    fields = f"<username>nobody-{scene.mark}</username><password>{WRONG}</password><resource>x</resource>"
    return verdict.of_stanza(scene.guest().iq("set", "", f"<query xmlns='jabber:iq:auth'>{fields}</query>"))


# --- other hosts of the same server


def _other_host(scene: Scene, host: str) -> Judgement:
    """Try other hosts: without a password and, where services have accounts, by guessing theirs."""
    guest = scene.stream()
    client = Client(guest, guest.open(host), host)
    judged = verdict.of_sasl(client.exchange("ANONYMOUS", None))
    if judged.verdict != Verdict.REFUSED:
        return judged
    answering = client.features.get("from", "") or host
    if client.mechanisms and host:
        return succeeded(f"{answering} takes logins from the public: {', '.join(client.mechanisms)}")
    return refused(f"{judged.why}; no other login there")


# --- tokens

_CARRIERS = ("query", "OAUTHBEARER", "PLAIN")


def _token(scene: Scene, name: str, carrier: str) -> Judgement:
    text = tokens.forged(scene.target.domain, scene.room.partition("@")[0], int(time.time()))[name]
    if carrier == "query":
        return verdict.of_sasl(scene.guest(query=f"token={text}").exchange("ANONYMOUS", None))
    user = scene.target.account.user if scene.target.account and scene.target.account.user else "admin"
    initial = sasl.oauthbearer(text) if carrier == "OAUTHBEARER" else sasl.plain(user, text)
    return verdict.of_sasl(scene.guest().exchange(carrier, initial))


# --- registration


def register_query(mark: str) -> str:
    """Return a request for an account of that name."""
    name = f"attack-{mark}"
    return f"<query xmlns='{REGISTER}'><username>{name}</username><password>{mark}-Pw</password></query>"


def _register(scene: Scene) -> Judgement:
    judged = verdict.of_stanza(scene.guest().iq("set", "", register_query(scene.mark)))
    if judged.verdict != Verdict.SUCCEEDED:
        return judged
    return succeeded(f"an account attack-{scene.mark} has been made; {_unregister(scene)}")


def _unregister(scene: Scene) -> str:
    """Take the account away again, as its owner may."""
    client = scene.guest()
    try:
        client.log_in(f"attack-{scene.mark}", f"{scene.mark}-Pw")
    except (Refused, Closed):
        return "it cannot be logged in with, so remove it by hand"
    client.bind(scene.mark)
    try:
        answer = client.iq("set", "", f"<query xmlns='{REGISTER}'><remove/></query>").get("type", "")
    except Closed:
        answer = "result"  # the stream of an account that is gone ends
    return "it is gone again" if answer == "result" else "remove it by hand"


def _register_offered(scene: Scene) -> Judgement:
    guest = scene.guest()
    if guest.offers("register"):
        return succeeded("the stream features offer registration")
    return verdict.of_stanza(guest.iq("get", "", f"<query xmlns='{REGISTER}'/>"))


# --- before login


def _early(target: Target, room: str, mark: str) -> dict[str, str]:
    """Return requests that only a logged-in person may make, by name."""

    def iq(kind: str, to: str, payload: str) -> str:
        address = f" to={quoteattr(to)}" if to else ""
        return f"<iq xmlns='jabber:client' type='{kind}' id='early'{address}>{payload}</iq>"

    focus = "<conference xmlns='http://jitsi.org/protocol/focus'"
    return {
        "bind a resource": iq("set", "", f"<bind xmlns='{BIND}'><resource>{mark}</resource></bind>"),
        "open a session": iq("set", "", f"<session xmlns='{SESSION}'/>"),
        "ping the server": iq("get", target.domain, f"<ping xmlns='{PING}'/>"),
        "list the rooms": iq("get", target.muc, f"<query xmlns='{DISCO_ITEMS}'/>"),
        "look at a room": iq("get", room, f"<query xmlns='{DISCO}'/>"),
        "ask the focus for a conference": iq(
            "set", target.host("focus"), f"{focus} room={quoteattr(room)} machine-uid='x'/>"
        ),
        "ask for TURN credentials": iq("get", target.domain, "<services xmlns='urn:xmpp:extdisco:2'/>"),
        "make a room's owner": iq(
            "set", room, f"<query xmlns='{MUC}#admin'><item affiliation='owner' jid='x@y'/></query>"
        ),
    }


def _too_early(scene: Scene, name: str) -> Judgement:
    guest = scene.guest()
    guest.stream.send(_early(scene.target, scene.room, scene.mark)[name])
    while True:
        element = guest.wait("iq")
        if element.get("id") == "early":
            return verdict.of_stanza(element)


def _join_without_login(scene: Scene) -> Judgement:
    guest = scene.guest()
    guest.stream.send(presence(f"{scene.room}/mallory", f"<x xmlns='{MUC}'/>"))
    element = guest.wait("presence")
    judged = verdict.of_stanza(element)
    if moderates(element):
        return succeeded("in the room, as its moderator")
    return judged


def _own_success(scene: Scene) -> Judgement:
    guest = scene.guest()
    guest.stream.send(f"<success xmlns='{sasl.SASL}'/>")
    return _binds(scene, guest)


def _restart(scene: Scene) -> Judgement:
    """Restart a stream without a login, and try whether the server treats it as logged in."""
    guest = scene.guest()
    guest.stream.restart(scene.target.domain)
    try:
        return _binds(scene, guest)
    except TimeoutError:  # Prosody takes the second head for the beginning of a stanza that never ends
        return refused("the server keeps silent from then on")


def _binds(scene: Scene, guest: Client) -> Judgement:
    payload = f"<bind xmlns='{BIND}'><resource>{scene.mark}</resource></bind>"
    return verdict.of_stanza(guest.iq("set", "", payload))
