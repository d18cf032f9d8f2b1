"""What is left of a text or a value before it is logged (redact.ts, the same in both components)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

REDACT = Path(__file__).parents[3] / "overlays/jitsi-meet/react/features/hardener/redact.ts"
MAIN = """
import { readFileSync } from 'node:fs';
const { name, values } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const work = { redactedText, redacted: (value: any) => redacted(value), redactedAll: (value: any) => redactedAll(value),
    expression: (code: string) => redacted(new Function(`return ${code}`)()),
    long: ([ text, times ]: [ string, number ]) => redactedText(text.repeat(times)).includes('Zaunkoenig') };
console.log(JSON.stringify(values.map((value: any) => work[name](value) ?? null)));
"""
LIMIT = 'ulimit -t 120; exec "$0" "$@"'  # seconds of the processor: quadratic work takes hundreds
S = "Zaunkoenig-7 & Soehne"  # a secret of several words
W = "Zaunkoenig-7"  # one without spaces
PERCENT = "Zaunkoenig-7%20%26%20Soehne"

# Each holds the secret, in a form that a log could have.
TEXTS = [
    f"<password>{S}</password>",
    f"<x:room-password xmlns='urn:x' id=\"1\">{S}</x:room-password>",
    f"<iq><query xmlns='jabber:iq:auth'><password>{S}</password></query></iq>",
    f"<token><value>{S}</value></token>",
    f"<password><![CDATA[{S}]]></password>",
    f"&lt;password&gt;{S}&lt;/password&gt;",
    f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{W}</auth>",
    f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{W}</response>",
    f"<property name='token' value='{S}'/>",
    f"<conference password='{S}' room='r'/>",
    json.dumps(["password", S]),
    json.dumps([["room", "r"], ["jwt", S]]),
    json.dumps({"password": S}),
    json.dumps({"name": "password", "value": S}),
    json.dumps({"headers": {"Authorization": f"Basic {W}"}}),
    json.dumps({"password": f'with "{S}" within'}),
    json.dumps({"password": f"ends with a backslash \\{S}\\", "room": "kept"}),
    json.dumps({"body": json.dumps({"password": S})}),
    json.dumps({"body": json.dumps({"password": f'with "{S}" within'})}),
    json.dumps({"body": json.dumps({"body": json.dumps({"user": {"client_secret": S}})})}),
    json.dumps({"credentials": {"id": "alice", "word": S}}),
    json.dumps({"tokens": ["first", S]}),
    f'{{"password":"{S}',  # cut off
    f'{{"pass" : "{S}"}}',
    "{%22password%22:%22" + PERCENT + "%22}",
    "%7B%22password%22%3A%22" + PERCENT + "%22%7D",
    "%257B%2522password%2522%253A%2522" + PERCENT.replace("%", "%25") + "%2522%257D",
    f"appData.localStorageContent=%22%7B%5C%22xmpp_password_override%5C%22%3A%5C%22{PERCENT}",
    f"data='{{&quot;jwt&quot;:&quot;{S}&quot;}}'",
    f"Authorization: Basic {W}",
    f"Authorization: Bearer {W}",
    f"proxy-authorization: Digest {W}, {W}",
    f"sent 'Bearer {W}'",
    f"curl -H 'Authorization: Basic {W}' -H 'X-Api-Key: {W}'",
    f"Basic {W}=",
    f"X-Auth-Token: {S}",
    f"Cookie: a=b; session={W}",
    f"Set-Cookie: sid={W}; HttpOnly",
    f"password={S}",
    f"password = {S}",
    f"password: {S}",
    f"Passwort: {S}",
    f"user_pass={S}",
    f"userPass: {S}",
    f"roomPassword => {S}",
    f"form[password]={S}",
    f'options["password"] = "{S}"',
    f"{{ password: '{S}', room: 'r' }}",
    f"{{ password: `{S}` }}",
    f"password%3D{PERCENT}",
    f"?token={W}&lang=de",
    f"/room?code={W}&state={W}",
    f"?lang=de&key={W}",
    f"#sig={W}",
    f"secret={W}",
    f"api_key={W} apikey={W} stream-key: {W}",
    f"accessKey: {W}",
    f"otpauth://totp/Alice?secret={W}&issuer=x",
    f"otpauth:{W}",
    f"https://alice:{W}@example.org/room",
    f"https://example.org/room?anything={W}",
    f"wss://example.org/xmpp-websocket?room=r&token={W}",
    f"https%3A%2F%2Fexample.org%2Froom%3Fjwt%3D{W}",
    f"sip:alice:{W}@example.org",
    f"a=ice-pwd:{W}",
    f"PIN: {W}",
    # Nothing but a blank, a tab or a subcommand before it.
    f"password {W}",
    f"the password is {W}",
    f"Passwort lautet {W}",
    f"jwt\t{W}",
    f"password is: {W}",
    *(
        f"password{gap}{W}"
        for gap in (
            " -> ",
            " → ",
            " - ",
            "; ",
            ", ",
            "(",
            " <",
            " | ",
            "/",
            "#",
            "\xa0",
            " of alice is ",
            " for alice: ",
        )
    ),
    f"setPassword('{S}')",
    f"[password] {W}",
    f"Pass\xadwort: {W}",
    f"password '{S}' of alice",
    f'token "{S}"',
    # Characters of the name, or the marks around it, written as numbers.
    f'{{"pass\\u0077ord":"{S}"}}',
    f'{{"\\u0070\\u0061\\u0073\\u0073":"{S}"}}',
    json.dumps({"body": f'{{"pass\\u0077ord":"{S}"}}'}),
    json.dumps({"body": json.dumps({"body": f'{{"j\\u0077t":"{S}"}}'})}),
    f'{{"body":"{{\\u0022password\\u0022:\\u0022{S}\\u0022}}"}}',
    f'{{"password":"with \\u0022{S}\\u0022 within"}}',
    f"password\\u003d{S}",
    f"p\\x61ssword={S}",
    f"p%61ssword={PERCENT}",
    f"p%2561ssword%253D{PERCENT}",
    f"<p&#97;ssword>{S}</p&#x61;ssword>",
    # Marks that do not match each other.
    f"{{ password: 'it's {S}' }}",
    f"password: 'my {S}",
    f"password: 'my 'own {S}",
    f'password: ""{S}"',
    f'""password"",""{S}""',
    f"'password: {S}",
    f'"password={S}',
    f"password: \"it's {S}",
    f'Content-Disposition: form-data; name="password"\r\n\r\n{S}\r\n--',
    f"eyJhbGciOiJIUzI1NiJ9.{W}.{W}",
]
# The same, as values of other kinds than text.
VALUES: list[Any] = [
    ["password", S],
    ["jwt:", S],
    [["authorization", S]],
    {"password": S},
    {"nested": {"user-pass": S}},
    {"name": "password", "value": S},
    {"key": "jwt", "value": S},
    {"body": json.dumps({"password": S})},
    {f"password={S}": 1},
]
EXPRESSIONS = [
    f"new Map([ [ 'password', '{S}' ] ])",
    f"new Set([ 'password={S}' ])",
    f"new Error('password={S}')",
    f"new URLSearchParams({{ password: '{S}' }})",
    f"new URL('https://example.org/?x={W}')",
    f"Object.assign(Object.create(null), {{ password: '{S}' }})",
    f"Object.assign(() => 0, {{ password: '{S}' }})",
]
# Numbers are secrets as well.
NUMBERS = ['{"pass": 12345, "room": "kept"}', "pass: 12345", "pin=12345", '["password",12345]']
KEPT = {
    "Joined the room after 3 attempts, at https://example.org/room": "https://example.org/room",
    "TypeError: token is undefined\n    at f (https://example.org/libs/app.bundle.min.js:2:345)": "app.bundle.min.js:2:345)",
    '{"token":"x","room":"kept"}': '"room":"kept"',
    '{"pass": 12345, "room": "kept"}': '"room": "kept"',
    "token: undefined, room: kept": ", room: kept",
    "password=x\nnext line": "next line",
    "<password>x</password><room>kept</room>": "<room>kept</room>",
    "Basic settings are kept": "Basic settings are kept",
    '{"password":"","room":"kept"}': '"room":"kept"',
    "password: 'unclosed\nnext line with 'marks'": "next line with 'marks'",
    **{
        sentence: sentence
        for sentence in (
            "The token: is valid until tomorrow",
            "The password is too short",
            "The password was changed, please sign in again",
            "The password has 4 characters, 8 are needed",
            "Password required by room.",
            "No token was given",
            "pass 2 of 3",
            "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
            "SyntaxError: Unexpected token 'export'",
            "The cookie policy has changed",
            "Passwort: fehlt im Formular",
            "password: required",
            "Error: token: expected string",
            "Password for room 123 is set",
            "token endpoint returned 401",
            "The token, 512 bytes long, is valid",
            "Got a token for the room, joining",
        )
    },
}


@pytest.fixture(scope="module")
def redact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[Any]], list[Any]]:
    """Call a function of redact.ts with each of some values, in Node, which takes the types out."""
    folder = tmp_path_factory.mktemp("redact")
    (folder / "redact.mts").write_text(REDACT.read_text("utf-8") + MAIN, "utf-8")

    def call(name: str, values: list[Any]) -> list[Any]:
        (folder / "job.json").write_text(json.dumps({"name": name, "values": values}))
        done = run(["sh", "-c", LIMIT, node.home() / "bin" / "node", folder / "redact.mts", folder / "job.json"])
        assert not done.status, done.complaint
        return json.loads(done.stdout)

    return call


def leaks(values: list[Any], left: list[Any], secrets: tuple[str, ...] = ("Zaunkoenig", "Soehne")) -> list[Any]:
    """Return the values of which a part of the secret is left."""
    assert all(any(secret in json.dumps(value) for secret in secrets) for value in values)
    return [
        (value, rest)
        for value, rest in zip(values, left, strict=True)
        if any(secret in json.dumps(rest) for secret in secrets)
    ]


def test_no_part_of_a_secret_is_left_in_a_text(redact: Callable[[str, list[Any]], list[Any]]) -> None:
    """In the middle of a message as well."""
    texts = [*TEXTS, *(f"The server said: {text}" for text in TEXTS)]
    assert leaks(texts, redact("redactedText", texts)) == []
    assert leaks(NUMBERS, redact("redactedText", NUMBERS), ("12345",)) == []


def test_no_part_of_a_secret_is_left_in_a_value(redact: Callable[[str, list[Any]], list[Any]]) -> None:
    assert leaks(VALUES, redact("redacted", VALUES)) == []
    assert leaks(EXPRESSIONS, redact("expression", EXPRESSIONS)) == []
    assert redact("expression", ["new Uint8Array([ 1, 2, 3 ])"]) == ["[3 bytes]"]


def test_what_a_logger_is_given_piece_by_piece_is_one_text(redact: Callable[[str, list[Any]], list[Any]]) -> None:
    calls = [
        ["The password:", S],
        ["token", W],
        ["jwt =", W, "of alice"],
        ["%s has the password %s", "alice", S],
        ["Sent", {"password": S}],
    ]
    assert leaks(calls, redact("redactedAll", calls)) == []
    assert redact("redactedAll", [["Joined", "room", 3]]) == [["Joined", "room", 3]]


def test_what_is_no_secret_is_left(redact: Callable[[str, list[Any]], list[Any]]) -> None:
    for (text, kept), rest in zip(KEPT.items(), redact("redactedText", list(KEPT)), strict=True):
        assert kept in rest, text


def test_a_long_text_of_a_participant_is_read_in_one_go(redact: Callable[[str, list[Any]], list[Any]]) -> None:
    """A long text of what makes each expression begin again and again. Quadratic work on one of these takes minutes."""
    beginnings = [
        *(
            "token",
            '"token',
            "token ",
            "token=",
            '"token"',
            'token="',
            'token=\\"',
            "\\",
            '\\"',
            "eyJ",
            "//",
            "//a",
            "a://",
        ),
        *(
            "<token",
            "<token ",
            "&lt;token",
            "<auth xmpp-sasl ",
            "<auth ",
            "sip:",
            "sip:a:",
            "bearer ",
            "basic ",
            "basic a",
        ),
        *(
            "otpauth:",
            "?code=",
            "%22",
            "%25",
            "%2522token",
            "pass%25",
            "[?#",
            ":1",
            "a@",
            "token\n",
            "token\\\\\\",
            "'token',",
        ),
        *("password '", 'token="" ', "pass is ", "pw='\n", "\\u0073", "%73", "&#115;", "password ''", "password='x"),
        *("<", "&quot;", "&quot;token", "token &quot;value", "+", "token+", "token   ", "value", '"token" value'),
    ]
    assert redact("long", [[text, 300_000 // len(text)] for text in beginnings]) == [False] * len(beginnings)
