"""The data of an attack: its target, its attempts, and their record."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from hardener.proof.redact import HIDDEN, redact

_KEPT = 1500  # characters of one message; a megabyte of padding says nothing
_MESSAGES = 40  # of one direction; fifty streams say the same fifty times


class Verdict(StrEnum):
    """The result of an attempt. A missing or unreadable answer is ``unclear``, and fails the run."""

    REFUSED = "refused"
    SUCCEEDED = "succeeded"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Judgement:
    """A verdict, and in one sentence the reason."""

    verdict: Verdict
    why: str


def refused(why: str) -> Judgement:
    """Return the judgement of a refusal."""
    return Judgement(Verdict.REFUSED, why)


def succeeded(why: str) -> Judgement:
    """Return the judgement of an attempt that succeeded."""
    return Judgement(Verdict.SUCCEEDED, why)


def unclear(why: str) -> Judgement:
    """Return the judgement of an attempt that a person has to look at."""
    return Judgement(Verdict.UNCLEAR, why)


@dataclass(frozen=True)
class Account:
    """A person's login: user and password, or (token mode) the token that the gateway gave."""

    user: str
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Target:
    """The deployment under attack. Times are seconds."""

    url: str  # of the site, without a slash at the end
    domain: str  # of the accounts: config.hosts.domain
    muc: str = ""  # where conferences are held: config.hosts.muc; empty: muc.DOMAIN or conference.DOMAIN
    account: Account | None = None
    named_hosts: bool = False  # the deployment promises: only listed persons moderate, not the account
    ports: tuple[tuple[str, int], ...] = ()  # (kind, number) beside the site's own
    ca_file: str = ""
    agent: str = ""  # the User-Agent
    patience: float = 10.0  # for an answer
    listen: float = 2.0  # for a promotion that must not come
    crowd: int = 50  # connections at once

    def host(self, prefix: str) -> str:
        """Return a host of this deployment: ``host("focus")`` is ``focus.DOMAIN``."""
        return f"{prefix}.{self.domain}" if prefix else self.domain


class Transcript:
    """The messages of an attempt, shortened and without secrets."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._sent: list[str] = []
        self._said: list[str] = []
        self._started = time.monotonic()

    def _add(self, where: list[str], text: str) -> None:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = redact(text)
        if len(where) < _MESSAGES:
            where.append(text if len(text) <= _KEPT else f"{text[:_KEPT]}… ({len(text)} characters)")

    def sent(self, text: str) -> None:
        """Note what was sent."""
        self._add(self._sent, text)

    def said(self, text: str) -> None:
        """Note what came back."""
        self._add(self._said, text)

    def attempt(self, name: str, area: str, transport: str, judgement: Judgement) -> Attempt:
        """Return the record of the finished attempt."""
        seconds = round(time.monotonic() - self._started, 3)
        sent, said = tuple(self._sent), tuple(self._said)
        return Attempt(name, area, transport, sent, said, judgement.verdict, judgement.why, seconds)


@dataclass(frozen=True)
class Attempt:
    """One way, tried once over one transport."""

    name: str
    area: str
    transport: str
    sent: tuple[str, ...]
    said: tuple[str, ...]
    verdict: Verdict
    why: str
    seconds: float


@dataclass(frozen=True)
class NotTried:
    """A way that needs what the caller has not given."""

    name: str
    area: str
    reason: str


@dataclass(frozen=True)
class Attacked:
    """A finished run."""

    target: Target
    attempts: tuple[Attempt, ...]
    not_tried: tuple[NotTried, ...]
    seconds: float

    def of(self, verdict: Verdict) -> tuple[Attempt, ...]:
        """Return the attempts that ended so."""
        return tuple(attempt for attempt in self.attempts if attempt.verdict == verdict)

    @property
    def clean(self) -> bool:
        """Return whether all attempts were refused, and at least one was made."""
        return bool(self.attempts) and len(self.of(Verdict.REFUSED)) == len(self.attempts)

    @property
    def areas(self) -> dict[str, dict[str, int]]:
        """Return how many attempts of each area ended how."""
        areas: dict[str, dict[str, int]] = {}
        for attempt in self.attempts:
            counts = areas.setdefault(attempt.area, {verdict.value: 0 for verdict in Verdict})
            counts[attempt.verdict.value] += 1
        return areas

    @property
    def summary(self) -> dict[str, Any]:
        """Return the run in figures, and by name all that is not ``refused``."""
        return {
            "url": self.target.url,
            "domain": self.target.domain,
            "muc": self.target.muc,
            "account": bool(self.target.account),
            "moderators": "named" if self.target.named_hosts else "logged-in",
            "clean": self.clean,
            "attempts": len(self.attempts),
            **{verdict.value: len(self.of(verdict)) for verdict in Verdict},
            "areas": self.areas,
            "found": [
                {key: value for key, value in asdict(attempt).items() if key not in {"sent", "said"}}
                for attempt in self.attempts
                if attempt.verdict != Verdict.REFUSED
            ],
            "not_tried": [asdict(way) for way in self.not_tried],
            "seconds": round(self.seconds, 1),
        }
