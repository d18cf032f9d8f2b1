"""``hardener attack``: every way in, one after the other; before and after it a look whether the server lives."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from hardener.errors import ConfigError, StackError, UsageError
from hardener.proof.attack import authenticated, exposure, robustness, spoofs, unauthenticated
from hardener.proof.attack.record import Attacked, Attempt, Judgement, NotTried, Target, refused, succeeded, unclear
from hardener.proof.attack.session import Scene, Way
from hardener.proof.attack.verdict import of_closing
from hardener.proof.xmpp.stanzas import DISCO, condition
from hardener.proof.xmpp.streams import TRANSPORTS, Closed, Garbled
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_RECORD = ("attempts.ndjson", "summary.json")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MISSING = {
    "account": "no account was given: --user and --password-file, or --token-file",
    "named-hosts": "every account may moderate here; for a deployment with a list of hosts: --moderators named",
}


def run(
    target: Target,
    out: Path,
    *,
    own_server: bool = False,
    only: Sequence[str] = (),
    tell: Callable[[str, float], None] = lambda _text, _share: None,
) -> Attacked:
    """Try all ways in (or those whose area or name holds one of ``only``) and write what came of them to ``out``:
    ``attempts.ndjson`` with every stanza, secrets redacted, and ``summary.json``.

    ``own_server`` is the caller's word that the server is theirs; without it only this machine is attacked. Raises
    UsageError without that word, StackError where the server does not answer, ConfigError where it does not know the
    account or the rooms' host.
    """
    host = urlsplit(target.url).hostname
    if not own_server and host not in _LOOPBACK:
        raise UsageError(
            f"{host} is not this machine: attack only your own server, and inform the people who monitor it",
            hint="--own-server, if it is yours",
        )
    for name in _RECORD:  # of an earlier run, which proves nothing about this server
        (out / name).unlink(missing_ok=True)
    started = time.monotonic()
    target = _ready(target)
    chosen = [way for way in ways(target) if not only or any(word in f"{way.area}: {way.name}" for word in only)]
    if not chosen:
        raise UsageError(f"no way in is called {' or '.join(only)}", hint="words of an area or a name: --only tokens")
    attempts: list[Attempt] = []
    for number, way in enumerate(chosen):
        if not _missing(way, target):
            tell(way.name, number / len(chosen))
            attempts += [attempt(way, target, transport) for transport in way.transports]
    attempts += [attempt(_ALIVE, target, transport) for transport in _ALIVE.transports]
    not_tried = tuple(NotTried(way.name, way.area, _missing(way, target)) for way in chosen if _missing(way, target))
    attacked = Attacked(target, tuple(attempts), not_tried, time.monotonic() - started)
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(asdict(tried), ensure_ascii=False) + "\n" for tried in attempts)
    disk.write_all(
        {
            out / _RECORD[0]: lines.encode("utf-8", "backslashreplace"),
            out / _RECORD[1]: disk.json_bytes(attacked.summary),
        }
    )
    return attacked


def ways(target: Target) -> Iterator[Way]:
    """Yield every way in, in the order in which they are tried."""
    for room in (unauthenticated, robustness, authenticated, spoofs, exposure):
        yield from room.ways(target)


def _missing(way: Way, target: Target) -> str:
    """Return what a way needs and the caller has not given; "" if it can be tried."""
    if way.needs and not target.account:
        return _MISSING["account"]
    return _MISSING["named-hosts"] if way.needs == "named-hosts" and not target.named_hosts else ""


def attempt(way: Way, target: Target, transport: str) -> Attempt:
    """Try one way over one transport."""
    scene = Scene(target, transport)
    try:
        judgement = way.run(scene)
    except Closed as end:
        judgement = of_closing(end.condition)
    except TimeoutError:
        judgement = unclear(f"no answer within {target.patience:g} s")
    except requests.RequestException as error:
        judgement = unclear(f"no HTTP answer: {error}")
    except (Garbled, OSError, ValueError) as error:
        judgement = unclear(str(error) or type(error).__name__)
    except ConfigError as error:
        judgement = unclear(error.message)
    finally:
        scene.close()
    return scene.transcript.attempt(way.name, way.area, transport, judgement)


def _alive(scene: Scene) -> Judgement:
    """Check that the server still takes a stream; if not, a person without an account has silenced it."""
    try:
        scene.guest()
    except (Closed, OSError):
        return succeeded("the server does not answer any more")
    return refused("the server is still there")


_ALIVE = Way("many connections", "all of this together", _alive)


def _ready(target: Target) -> Target:
    """Return the target, looked at: both transports answer, the account works, the rooms' host is known and there."""
    for transport in TRANSPORTS:
        scene = Scene(target, transport)
        try:
            scene.guest()
        except ssl.SSLError as error:
            raise StackError(
                f"{target.url}: {error}", hint="a certificate of your own authority: --ca-file FILE.pem"
            ) from error
        except (Closed, Garbled, OSError) as error:
            raise StackError(
                f"{target.url} opens no stream to {target.domain} over {transport}: {error or type(error).__name__}",
                hint="is it running? --domain is config.hosts.domain of the site's config.js",
            ) from error
        finally:
            scene.close()
    hosts = (target.muc,) if target.muc else (target.host("muc"), target.host("conference"))
    if not target.account:
        return replace(target, muc=hosts[0])
    return replace(target, muc=_rooms_host(target, hosts))


def _rooms_host(target: Target, hosts: tuple[str, ...]) -> str:
    scene = Scene(target, next(iter(TRANSPORTS)))
    why = ""
    try:
        client = scene.client()
        for host in hosts:
            answer = client.iq("get", host, f"<query xmlns='{DISCO}'/>")
            if answer.get("type") == "result":
                return host
            why = condition(answer)
    except (Closed, Garbled, OSError) as error:
        why = str(error) or type(error).__name__
    finally:
        scene.close()
    raise ConfigError(
        f"there are no rooms on {' or '.join(hosts)}: {why}",
        hint="--muc HOST, which is config.hosts.muc of the site's config.js",
    )


def rows(attacked: Attacked) -> list[tuple[Any, ...]]:
    """Return a table: area, attempts, refused, succeeded, unclear, not tried."""
    skipped = [way.area for way in attacked.not_tried]
    areas = dict.fromkeys([*attacked.areas, *skipped])
    none = {"refused": 0, "succeeded": 0, "unclear": 0}
    counts = {area: attacked.areas.get(area, none) for area in areas}
    return [
        (area, sum(count.values()), count["refused"], count["succeeded"], count["unclear"], skipped.count(area))
        for area, count in counts.items()
    ]
