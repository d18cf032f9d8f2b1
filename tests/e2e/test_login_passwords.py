"""The right password is accepted, whatever characters it is made of: on a real Prosody, with the unpatched client as
control.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support import prosody_server
from support.prosody_server import DOMAIN, MUC, Setup

from .conftest import LOGIN, Visit, sign_in
from .test_login import PREJOIN, PROBLEM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from .conftest import Xmpp

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
# As it was registered, and as it is typed: on another keyboard, or pasted from another program.
PASSWORDS = {
    "superscripts": ("x\u00b2y\u00b3", "x\u00b2y\u00b3"),
    "micro and half": ("5\u00b5m \u00bd", "5\u00b5m \u00bd"),
    "trade mark and ellipsis": ("brand\u2122\u2026", "brand\u2122\u2026"),
    "no-break space": ("two\u00a0words", "two\u00a0words"),
    "no-break space typed as space": ("two\u202fwords", "two words"),
    "soft hyphen": ("hy\u00adphen", "hy\u00adphen"),
    "umlaut typed in two": ("Zaunk\u00f6nig", "Zaunko\u0308nig"),
    "umlaut registered in two": ("Zaunko\u0308nig", "Zaunk\u00f6nig"),
    "ligature and full width": ("\ufb01sh\uff11", "\ufb01sh\uff11"),
    "hangul": ("\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
    "arabic": ("\u0645\u0631\u062d\u0628\u0627", "\u0645\u0631\u062d\u0628\u0627"),
    "emoji": ("smile\U0001f642", "smile\U0001f642"),
    "family of emoji": ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    "later than Unicode 3.2": ("\ua69c\U0001f100", "\ua69c\U0001f100"),
    "no special preparation": ("Stra\u00dfe \u20ac", "Stra\u00dfe \u20ac"),
    "very long": ("x\u00b2" * 300, "x\u00b2" * 300),
}
# Those that reach the server rightly when what was typed is sent.
ACCEPTED_UPSTREAM = {
    "arabic",
    "no special preparation",
    "no-break space typed as space",
    "umlaut registered in two",
}
EVERYTHING = "".join(typed for name, (_, typed) in PASSWORDS.items() if name not in {"arabic", "very long"})
USERS = {
    "capital letters": ("clara", "CLARA"),
    "umlaut typed in two": ("m\u00fcller", "mu\u0308ller"),
    "capital umlaut": ("\u00f6zdemir", "\u00d6ZDEMIR"),
    "sharp s": ("strasse", "Stra\u00dfe"),
    "zero-width space": ("dora", "do\u200bra"),
    "byte order mark": ("emil", "\ufeffemil"),
    "no-break spaces around": ("frida", "\u00a0frida\u00a0"),
    "full width": ("gustav", "\uff27\uff35\uff33\uff34\uff21\uff36"),
    "full-width at sign": ("helga", f"helga\uff20{DOMAIN}"),
    "equals sign and comma": ("i=j,k", "i=j,k"),
    "no-break space inside": (r"karl\20otto", "karl\u00a0otto"),
    "arabic with domain": ("\u0639\u0644\u064a", f"\u0639\u0644\u064a@{DOMAIN}"),
}
CONNECT = """
async ({ attempts, domain, service }) => {
    const results = {};

    for (const [ name, [ user, password ] ] of Object.entries(attempts)) {
        const connection = new JitsiMeetJS.JitsiConnection(null, null,
            { hosts: { domain }, serviceUrl: service, enableWebsocketResume: false, p2p: {}, flags: {} });

        results[name] = await new Promise(resolve => {
            const { connection: events } = JitsiMeetJS.events;

            connection.addEventListener(events.CONNECTION_ESTABLISHED, () => resolve('accepted'));
            connection.addEventListener(events.CONNECTION_FAILED, resolve);
            connection.connect({ id: `${user}@${domain}`, password });
        });
        Promise.resolve(connection.disconnect()).catch(() => undefined);
    }

    return results;
}"""


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[prosody_server.Server]:
    """Provide a server with an account for each password and each name; the password of the latter is "secret"."""
    setup = Setup(everywhere='disable_sasl_mechanisms = { "PLAIN" }')
    for server in prosody_server.serve(tmp_path_factory.mktemp("passwords"), setup):
        server.register(
            {f"p{number}@{DOMAIN}": password for number, (password, _typed) in enumerate(PASSWORDS.values())}
        )
        server.register({f"{user}@{DOMAIN}": "secret" for user, _typed in USERS.values()})
        yield server


@pytest.fixture
def go(visit: Callable[..., Visit], configure: Callable[..., None]) -> Callable[..., Visit]:
    """Open a page of a variant that knows the server."""

    def open_page(variant: str, server: prosody_server.Server, path: str = ROOM) -> Visit:
        configure(hosts={"domain": DOMAIN, "muc": MUC}, websocket=_service(server), bosh=None, p2p={"enabled": False})
        return visit(variant, path, login=False)

    return open_page


def _service(server: prosody_server.Server) -> str:
    return f"{server.url.replace('http', 'ws', 1)}/xmpp-websocket"


def _unpatched(seen: Visit, server: prosody_server.Server, attempts: dict[str, Any]) -> set[str]:
    """Return which attempts a server refuses to the library as upstream has it."""
    seen.page.wait_for_function("() => window.JitsiMeetJS")
    results = seen.page.evaluate(CONNECT, {"attempts": attempts, "domain": DOMAIN, "service": _service(server)})
    return {name for name, result in results.items() if result != "accepted"}


def _try(page: Page, user: str, password: str) -> str:
    """Sign in, and out again; what the page says if it cannot."""
    page.wait_for_selector(LOGIN)
    sign_in(page, user, password)
    page.wait_for_selector(f"{PREJOIN}, {PROBLEM}")
    if page.query_selector(PROBLEM):
        return page.inner_text(PROBLEM)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign out").click()
    return ""


def test_prosody_accepts_the_password_as_it_was_registered(
    go: Callable[..., Visit], prosody: prosody_server.Server
) -> None:
    """The server keeps what SASLprep has left of it (RFC 4013); upstream's client sends what was typed, emoji as
    broken UTF-8.
    """
    attempts = {name: (f"p{number}", typed) for number, (name, (_, typed)) in enumerate(PASSWORDS.items())}
    control = _unpatched(go("unpatched", prosody, "/"), prosody, attempts)
    page = go("hardened", prosody).page
    said = {name: _try(page, user, typed) for name, (user, typed) in attempts.items()}

    assert {name: text for name, text in said.items() if text} == {}
    assert control == PASSWORDS.keys() - ACCEPTED_UPSTREAM


def test_prosody_finds_the_account_as_it_was_typed(go: Callable[..., Visit], prosody: prosody_server.Server) -> None:
    attempts = {name: (typed, "secret") for name, (_, typed) in USERS.items()}
    control = _unpatched(go("unpatched", prosody, "/"), prosody, attempts)
    page = go("hardened", prosody).page
    said = {name: _try(page, typed, "secret") for name, (_, typed) in USERS.items()}

    assert {name: text for name, text in said.items() if text} == {}
    assert {"equals sign and comma", "zero-width space"} <= control


MECHANISMS = {
    "PLAIN": Setup(everywhere='disable_sasl_mechanisms = { "SCRAM-SHA-1" }'),
    "SCRAM-SHA-256": Setup(everywhere='disable_sasl_mechanisms = { "PLAIN" }', main='password_hash = "SHA-256"'),
}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_other_mechanisms_take_the_same_passwords(go: Callable[..., Visit], tmp_path: Path, mechanism: str) -> None:
    """And no others. Upstream's library does not know SCRAM-SHA-256."""
    refused = "User name or password is wrong."
    for server in prosody_server.serve(tmp_path, MECHANISMS[mechanism]):
        server.register({f"p@{DOMAIN}": EVERYTHING, f"q@{DOMAIN}": "plain"})
        control = _unpatched(go("unpatched", server, "/"), server, {"q": ("q", "plain")})
        page = go("hardened", server).page
        assert [_try(page, "p", password) for password in (EVERYTHING + "x", EVERYTHING)] == [refused, ""]
    assert control == ({"q"} if mechanism == "SCRAM-SHA-256" else set())


FILL = """password => {
    document.getElementById('personal-login-password').value = password ?? `pw${String.fromCharCode(0xd83d)}`;
}"""
# (user name, password); None means half of an emoji, which no keyboard types.
NOT_ALLOWED = {
    "control character": ("alice", "pw\x07"),
    "direction mark": ("alice", "\u200epw"),
    "nothing but a soft hyphen": ("alice", "\u00ad"),
    "private character": ("alice", "pw\ue000"),
    "both directions of writing": ("alice", "pw\u0645"),
    "half an emoji": ("alice", None),
    "control character in the name": ("ali\x07ce", "pw"),
    "replacement character in the name": ("ali\ufffdce", "pw"),
    "both directions in the name": ("ali\u0645", "pw"),
    "nothing but a zero-width space as name": ("\u200b", "pw"),
}


@pytest.mark.parametrize(
    ("language", "start"),
    [
        ("en", ("The user name contains", "The password contains")),
        ("de", ("Der Benutzername enth", "Das Passwort enth")),
    ],
)
def test_what_no_server_can_have_gets_a_message_of_its_own(
    visit: Callable[..., Visit], open_house: Xmpp, language: str, start: tuple[str, str]
) -> None:
    """And is not sent; the control is a wrong password, which is."""
    page = visit("hardened", f"{ROOM}?lang={language}", login=False).page
    page.wait_for_selector(LOGIN)
    for user, password in NOT_ALLOWED.values():
        page.fill("#personal-login-user", user)
        page.evaluate(FILL, password)
        page.click('[data-testid="personal-login.submit"]')
        page.wait_for_function(
            "([ selector, text ]) => document.querySelector(selector)?.innerText.startsWith(text)",
            arg=[PROBLEM, start[user == "alice"]],
        )
    assert open_house.conversations == []
    sign_in(page, "alice", "wrong")
    page.wait_for_selector("text=/User name or password is wrong|Benutzername oder Passwort ist falsch/")

    assert len(open_house.conversations) == 1
