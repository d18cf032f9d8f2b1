"""Sensors over a visit of the running service: headers of each class of paths, logins without an account."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named
from hardener.proof.redact import HIDDEN
from hardener.servercheck.rules.web import EXPECTED, loose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.assessment.conditions import Metrics

DOCUMENTS = ("index", "room")
# Values with which the whole address, and so the name of the room, is sent to others.
_TELLING = frozenset({"", "unsafe-url", "no-referrer-when-downgrade"})
_LONG = 15_552_000  # seconds: half a year
_HOST = re.compile(r"(?:(?:https?|wss?)://)?((?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::(?:\d+|\*))?(?:/.*)?")


def facts_of(subject: Subject, step: str) -> Any:
    """Return what a step of the visit found. Raises MissingError without a visit."""
    if step not in subject.visited:
        raise MissingError(
            "no running service was visited (hardener assess service)",
            "Es wurde kein laufender Dienst besucht (hardener assess service).",
        )
    return subject.visited[step]


def headers(subject: Subject) -> Measured:
    """Judge nothing: count the classes of paths that lack a header, or have a weak one."""
    answers: Mapping[str, Mapping[str, Any]] = facts_of(subject, "headers")
    cleartext = facts_of(subject, "cleartext")
    documents = [answers[name]["headers"] for name in DOCUMENTS]
    policies = [page.get("content-security-policy", "") for page in documents]
    weak = {
        name: found for name, policy in zip(DOCUMENTS, policies, strict=True) if policy and (found := _weak(policy))
    }
    foreign = sorted({host for policy in policies for host in _foreign(policy, subject.own_names)})
    ages = [_age(page.get("strict-transport-security", "")) for page in documents]
    wanted = ("content-security-policy", *EXPECTED)
    lacking = {
        name: [header for header in wanted if header not in answer["headers"]]
        for name, answer in answers.items()
        if not answer["foreign"]
    }
    dropped = {name: missing for name, missing in lacking.items() if missing}
    metrics: Metrics = {
        "headers.csp_missing": policies.count(""),
        "headers.csp_weak": len(weak),
        "headers.csp_foreign": len(foreign),
        "headers.no_hsts": sum(age <= 0 for age in ages),
        "headers.hsts_short": sum(0 < age < _LONG for age in ages),
        "headers.referrer_telling": sum(_telling(page.get("referrer-policy", "")) for page in documents),
        "headers.no_permissions": sum("permissions-policy" not in page for page in documents),
        "headers.dropped": len(dropped),
        "headers.led_away": sum(1 for answer in answers.values() if answer["foreign"]),
    }
    if cleartext["asked"]:
        metrics["headers.cleartext"] = int(not cleartext["encrypted"])
    versions = facts_of(subject, "tls")
    if versions["asked"] or versions["old"]:
        metrics["headers.old_tls"] = len(versions["old"])
    evidence = {"answers": answers, "dropped": dropped, "weak": weak, "foreign": foreign, "port80": cleartext}
    return Measured(metrics, evidence | {"old_tls": versions["old"]})


def _weak(policy: str) -> list[str]:
    """Return what makes a policy weak. A browser obeys all of several policies, so the best one counts.

    >>> _weak("frame-ancestors 'self'"), _weak("default-src 'self'"), _weak("script-src *, default-src 'none'")
    (['no default-src'], [], [])
    """
    found = []
    for part in policy.split(","):
        names = {words[0].lower() for directive in part.split(";") if (words := directive.split())}
        restricts = "default-src" in names or {"script-src", "connect-src"} <= names
        found.append([*loose(part), *([] if restricts else ["no default-src"])])
    return min(found, key=len)


def _foreign(policy: str, own: set[str]) -> list[str]:
    """Return the hosts in all of a service's policies that are not its own.

    >>> _foreign("connect-src 'self' wss://a.example cdn.example; report-to x", {"a.example"})
    ['cdn.example']
    >>> _foreign("connect-src https://[redacted]:443 wss://[own]; report-uri /r?token=[redacted]", set())
    ['[redacted]']
    """
    words = [word.lower() for directive in re.split("[;,]", policy) for word in directive.split()[1:]]
    hidden = [HIDDEN for word in words if HIDDEN in re.split("[/?#]", word.rpartition("://")[2])[0]]
    hosts = [match[1] for word in words if (match := _HOST.fullmatch(word))] + hidden
    return [host for host in dict.fromkeys(hosts) if host not in own]


def _age(header: str) -> int:
    """Return the seconds of Strict-Transport-Security; 0 where it has no effect.

    >>> _age("max-age=63072000; includeSubDomains"), _age('max-age="9"'), _age("max-age=x"), _age("")
    (63072000, 9, 0, 0)
    """
    match = re.search(r'(?:^|;)\s*max-age\s*=\s*"?(\d{1,12})"?\s*(?:;|$)', header, re.IGNORECASE)
    return int(match[1]) if match else 0


def _telling(header: str) -> bool:
    """Return whether the policy lets whole addresses go to others; of several words the last known one counts."""
    words = [word.strip().lower() for word in header.split(",")]
    return words[-1] in _TELLING


def xmpp(subject: Subject) -> Measured:
    """Count what the XMPP server answered to attempts without an account, and to attacks if they were permitted."""
    facts = facts_of(subject, "logins")
    if facts["elsewhere"]:
        raise MissingError(
            "config.js names another host for XMPP than that of the service, so nothing was tried there",
            "Die config.js nennt für XMPP einen anderen Host als den des Dienstes; dort wurde nichts versucht.",
        )
    if not facts["domain"]:
        raise MissingError(
            "config.js names no XMPP host as a constant (hosts.domain)",
            "Die config.js nennt keinen XMPP-Host als Konstante (hosts.domain).",
        )
    attempts, attack = facts["attempts"], subject.visited.get("attack")
    more = attack or {"attempts": 0, "entered": 0, "unclear": 0}
    metrics: Metrics = {
        "xmpp.attempts": len(attempts) + more["attempts"],
        "xmpp.answered": sum(tried["answered"] for tried in attempts),
        "xmpp.admitted": sum(tried["verdict"] == "succeeded" for tried in attempts) + more["entered"],
        "xmpp.unclear": sum(tried["verdict"] == "unclear" for tried in attempts) + more["unclear"],
        "xmpp.registration": sum(tried["registration"] for tried in attempts),
    }
    first = facts["first"]
    if first and first["verdict"] != "unclear":
        metrics["xmpp.first_moderates"] = int(first["verdict"] == "succeeded")
    if attack:
        metrics |= {"xmpp.not_tried": attack["not_tried"], "xmpp.moderators": attack["moderators"]}
        if facts["first"]:  # made with the test account
            metrics["xmpp.promoted"] = attack["promoted"]
    return Measured(metrics, facts | ({"attack": attack} if attack else {}))


def planted(subject: Subject, folder: Path) -> Subject:
    """Return a subject whose visit found what is planted."""
    found = json.loads((folder / "visit.json").read_text("utf-8"))
    return replace(subject, visited=found)


_POLICY = {"content-security-policy": "default-src 'self' 'unsafe-eval'; connect-src https://planted.example"}
_BARE: dict[str, Any] = {"status": 200, "headers": {}, "foreign": ""}
_PLANTED = {
    "headers": {"index": _BARE | {"headers": _POLICY}, "room": _BARE},
    "cleartext": {"asked": True, "encrypted": False},
    "tls": {"asked": True, "old": ["TLS 1.0"]},
    "logins": {
        "elsewhere": "",
        "domain": True,
        "attempts": [{"answered": True, "verdict": "succeeded", "registration": True}],
        "first": {"verdict": "succeeded"},
    },
    "attack": {"attempts": 8, "entered": 1, "promoted": 1, "unclear": 1, "not_tried": 1, "moderators": "named"},
}
HEADERS = Sensor(
    "headers",
    named(
        "headers",
        *"csp_missing csp_weak csp_foreign no_hsts hsts_short referrer_telling no_permissions dropped led_away".split(),
        *("cleartext", "old_tls"),
    ),
    {"en": "Headers that the running service sends", "de": "Kopfzeilen des laufenden Dienstes"},
    headers,
    {"visit.json": json.dumps(_PLANTED)},
    "headers.csp_missing == 1 and headers.csp_weak == 1 and headers.csp_foreign == 1 and headers.no_hsts == 2"
    " and headers.dropped == 2 and headers.cleartext == 1 and headers.old_tls == 1",
    planted,
)
XMPP = Sensor(
    "xmpp",
    named(
        "xmpp", *"attempts answered admitted unclear registration first_moderates promoted not_tried moderators".split()
    ),
    {
        "en": "Logins without an account at the running service",
        "de": "Anmeldungen ohne Konto am laufenden Dienst",
    },
    xmpp,
    {"visit.json": json.dumps(_PLANTED)},
    "xmpp.admitted == 2 and xmpp.registration == 1 and xmpp.first_moderates == 1 and xmpp.promoted == 1 and"
    " xmpp.attempts == 9 and xmpp.unclear == 1 and xmpp.not_tried == 1 and xmpp.moderators == named",
    planted,
)
