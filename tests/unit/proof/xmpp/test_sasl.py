"""SCRAM: the examples of the standards, and no proof of the server but the right one."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.proof.xmpp.sasl import ROUNDS, Scram, ScramError, ScramServer, decoded
from hardener.proof.xmpp.stanzas import parse

# Mechanism, client nonce, the server's first message, the client's proof, the server's signature: RFC 5802, section 5,
# and RFC 7677, section 3; "user" with the password "pencil".
EXAMPLES = {
    "SCRAM-SHA-1": (
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "SCRAM-SHA-256": (
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}
NONCE, FIRST, FINAL, SIGNATURE = EXAMPLES["SCRAM-SHA-1"]


@pytest.mark.parametrize(("mechanism", "example"), EXAMPLES.items(), ids=EXAMPLES)
def test_the_examples_of_the_standards(mechanism: str, example: tuple[str, str, str, str]) -> None:
    nonce, challenge, final, signature = example
    client = Scram("user", "pencil", mechanism, nonce=nonce)
    assert client.first() == f"n,,n=user,r={nonce}"
    assert client.final(challenge) == final
    assert client.is_proven_by(signature)


def asked(challenge: str = FIRST) -> Scram:
    client = Scram("user", "pencil", "SCRAM-SHA-1", nonce=NONCE)
    client.first()
    client.final(challenge)
    return client


@pytest.mark.parametrize(
    "said",
    [
        "v=smF9pqV8S7suAoZWja4dJRkFsKQ=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
        f"v={EXAMPLES['SCRAM-SHA-256'][3][2:]}",
        "v=",
        "v==",
        "",
        "=",
        "e=other-error",
        "e=never-heard-of",
        f"{SIGNATURE},e=other-error",
        f"v=AAAA,{SIGNATURE}",
        f" {SIGNATURE}",
        FINAL,
    ],
)
def test_a_wrong_signature_of_the_server_proves_nothing(said: str) -> None:
    assert not asked().is_proven_by(said)


@pytest.mark.parametrize("said", ["", "v=", "v==", SIGNATURE])
def test_nothing_is_proven_before_the_client_has_asked_for_it(said: str) -> None:
    client = Scram("user", "pencil", "SCRAM-SHA-1", nonce=NONCE)
    client.first()
    assert not client.is_proven_by(said)


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "no SCRAM",
        "e=other-error",
        FIRST.replace(NONCE, "another"),
        f"r={NONCE},s=QSXCR+Q6sek8bf92,i=4096",
        FIRST.replace("i=4096", "i=1"),
        FIRST.replace("i=4096", "i=-4096"),
        FIRST.replace("i=4096", "i=2147483647"),
        FIRST.replace("i=4096", "i=many"),
        FIRST.replace("i=4096", "i="),
        FIRST.replace(",i=4096", ""),
        FIRST.replace("s=QSXCR+Q6sek8bf92", "s="),
        FIRST.replace("s=QSXCR+Q6sek8bf92", "s=????"),
        f"m=extension,{FIRST}",
        f"{FIRST},i=8192",
    ],
)
def test_a_challenge_that_is_not_valid_gets_no_proof(challenge: str) -> None:
    with pytest.raises(ScramError):
        asked(challenge)


def reference(digest: str, password: str, client: tuple[str, str, str], challenge: str) -> str:
    """Return the client's last message, from RFC 5802, section 3: of the header, the bare first message and the
    nonce.
    """
    header, bare, nonce = client
    facts = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(facts["s"]), int(facts["i"]))
    key = hmac.digest(salted, b"Client Key", digest)
    without = f"c={base64.b64encode(header.encode()).decode()},r={nonce}"
    signature = hmac.digest(hashlib.new(digest, key).digest(), f"{bare},{challenge},{without}".encode(), digest)
    proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
    return f"{without},p={base64.b64encode(proof).decode()}"


@pytest.mark.parametrize(("mechanism", "digest"), [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256")])
@pytest.mark.parametrize(
    ("authzid", "header"), [("", "n,,"), ("focus@auth.x", "n,a=focus@auth.x,"), ("a=b,c", "n,a=a=3Db=2Cc,")]
)
def test_a_name_to_act_for_is_in_the_first_message_and_in_the_proof(
    mechanism: str, digest: str, authzid: str, header: str
) -> None:
    client = Scram("a,b=c", "pencil", mechanism, authzid, nonce=NONCE)
    bare = f"n=a=2Cb=3Dc,r={NONCE}"
    assert client.first() == header + bare
    expected = reference(digest, "pencil", (header, bare, f"{NONCE}3rfcNHYJY1ZVvWVs7j"), FIRST)
    assert client.final(FIRST) == expected


TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


@settings(max_examples=20)
@given(user=TEXTS, password=TEXTS, wrong=st.booleans(), mechanism=st.sampled_from(sorted(EXAMPLES)))
def test_client_and_stub_understand_each_other(user: str, password: str, mechanism: str, *, wrong: bool) -> None:
    client = Scram(user, password + "x" * wrong, mechanism)
    server = ScramServer(mechanism, {user: password}.get)
    final = client.final(server.challenge(client.first()))
    assert server.user == user
    if wrong:
        with pytest.raises(ScramError):
            server.signature(final)
    else:
        assert client.is_proven_by(server.signature(final))


@pytest.mark.parametrize(("registered", "typed"), [("x\u00b2", "x2"), ("two\u00a0words", "two words"), ("hy\u00adphen", "hyphen"), ("Zaunko\u0308nig", "Zaunk\u00f6nig")])  # fmt: skip
def test_passwords_are_prepared_as_servers_do_it(registered: str, typed: str) -> None:
    client, server = Scram("u", typed, "SCRAM-SHA-1"), ScramServer("SCRAM-SHA-1", {"u": registered}.get)
    assert client.is_proven_by(server.signature(client.final(server.challenge(client.first()))))


def test_names_and_passwords_that_no_server_can_have_are_an_error() -> None:
    for user, password in (("", "p"), ("u", "\0"), ("u\ue000", "p")):
        with pytest.raises(ScramError):
            Scram(user, password, "SCRAM-SHA-1")


def test_a_name_that_does_not_exist_takes_as_many_steps_as_a_wrong_password() -> None:
    server = ScramServer("SCRAM-SHA-1", lambda _user: None)
    client = Scram("nobody", "", "SCRAM-SHA-1")
    challenge = server.challenge(client.first())
    assert challenge.endswith(f",i={ROUNDS}")
    with pytest.raises(ScramError):
        server.signature(client.final(challenge))


@pytest.mark.parametrize(
    "first", ["", "n,,", "n,a=focus,n=user,r=x", "p=tls-unique,,n=user,r=x", "n,,m=x,n=user,r=x", "n=user,r=x"]
)
def test_the_stub_takes_no_other_first_message(first: str) -> None:
    with pytest.raises(ScramError):
        ScramServer("SCRAM-SHA-1", {"user": "pencil"}.get).challenge(first)


def test_the_stub_takes_no_proof_without_a_challenge_and_none_twice() -> None:
    client, server = Scram("u", "p", "SCRAM-SHA-1"), ScramServer("SCRAM-SHA-1", {"u": "p"}.get)
    with pytest.raises(ScramError):
        server.signature("c=biws,r=x,p=AAAA")
    final = client.final(server.challenge(client.first()))
    server.signature(final)
    with pytest.raises(ScramError):
        server.signature(final)


@pytest.mark.parametrize(("said", "meant"), [("=", ""), ("", ""), (" YQ== ", "a"), ("/w==", "\ufffd")])
def test_what_is_said_in_base64(said: str, meant: str) -> None:
    assert decoded(parse(f"<x>{said}</x>")) == meant


@pytest.mark.parametrize("said", ["Y", "Y Q=", "YQ", "=YQ=", "?"])
def test_what_is_no_base64_is_an_error(said: str) -> None:
    with pytest.raises(ValueError, match=r"[Bb]ase64|padding|Only|Excess|Leading"):
        decoded(parse(f"<x>{said}</x>"))
