"""The subcommand of the attack suite: ``hardener attack URL --domain DOMAIN``, or ``--stack``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of
from hardener.errors import ConfigError, ScanError, UsageError
from hardener.git.sources import chosen_sources
from hardener.pipeline import proofs
from hardener.proof import stack
from hardener.proof.attack import campaign, exposure, selftest
from hardener.proof.attack.record import Account, Attacked, Target, Verdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hardener.config import Project
    from hardener.ui import UI

_WARNING = (
    "This attacks the server that you name. It opens hundreds of streams, tries wrong passwords and sends broken input,"
    " which may trigger alarms and bans. Use it only against your own server, and inform the people who monitor it."
)


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` is the parser of the option that it shares."""
    parser = subcommand("attack", _attack, "try to get into your server without a personal login", source)
    parser.epilog = _WARNING
    parser.add_argument("url", nargs="?", default="", metavar="URL", help="the site: https://meet.example.org")
    parser.add_argument(
        "--domain", default="", help="host of the accounts: config.hosts.domain of the site's config.js"
    )
    parser.add_argument(
        "--stack", action="store_true",
        help="instead of a URL: attack a test stack, then one with planted holes, which have to be found; remove both",
    )  # fmt: skip
    parser.add_argument("--site", type=Path, metavar="DIR", help="with --stack: the site (default: the last build's)")
    parser.add_argument(
        "--muc", default="", metavar="HOST", help="host of the rooms (default: muc.DOMAIN or conference.DOMAIN)"
    )
    parser.add_argument("--own-server", action="store_true", help="confirm that you may attack this server")
    parser.add_argument(
        "--user", default="", metavar="NAME", help="an ordinary account, for what only participants can try"
    )
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its password, in the first line")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="or a token (JWT) of an ordinary participant")
    parser.add_argument(
        "--moderators", choices=("logged-in", "named"), default="logged-in",
        help="what the server promises: all accounts moderate, or only those on a list (not --user)",
    )  # fmt: skip
    parser.add_argument(
        "--port", action="append", default=[], metavar="KIND=NUMBER",
        help=f"a port of the machine to try, too; 'usual' is all of: {', '.join(exposure.PORTS)}",
    )  # fmt: skip
    parser.add_argument(
        "--ca-file", default="", metavar="FILE", help="certificate authority of the site, if it is your own"
    )
    parser.add_argument(
        "--patience", type=float, default=10.0, metavar="SECONDS", help="how long to wait for an answer"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="attempts whose area or name contains a word"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(".work") / "attack", metavar="DIR", help="folder of the record"
    )


def _attack(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Attack and print the result. Raises UsageError and ConfigError for a wrong command line, and what the attack
    raises.
    """
    if given.stack:
        return _rehearse(given, project_of(given), ui)
    if not given.url or not given.domain:
        raise UsageError("nothing to attack", hint="hardener attack URL --domain DOMAIN, or hardener attack --stack")
    target = Target(
        url=given.url.rstrip("/"),
        domain=given.domain,
        muc=given.muc,
        account=_account(given),
        named_hosts=given.moderators == "named",
        ports=_ports(given.port),
        ca_file=given.ca_file,
        patience=given.patience,
    )
    ui.note(_WARNING)
    with ui.step("attack", target.domain) as line:
        attacked = campaign.run(target, given.out, own_server=given.own_server, only=given.only, tell=line.tell)
        line.say(f"{len(attacked.attempts)} attempts")
    _print_result(attacked, given.out, ui)
    return attacked.summary | {"exit": 0 if attacked.clean else ScanError.exit_code}


def _rehearse(given: argparse.Namespace, project: Project, ui: UI) -> dict[str, Any]:
    if given.url:
        raise UsageError("either a URL or --stack", hint="hardener attack --stack")
    flavour = stack.chosen()
    if flavour not in selftest.PLANTED:
        raise UsageError(
            f"{stack.VARIABLE}={flavour}: Prosody of this flavour lacks the module that closes the rooms",
            hint=f"{stack.VARIABLE}={' or '.join(selftest.PLANTED)}",
        )
    sources = chosen_sources(tuple(given.upstream), tuple(component.name for component in project.components))
    site = given.site or project.work / "hardened" / "site"  # what the stack serves by default
    with proofs.proving(project.root, "attack", site, whole=not given.only) as findings:
        rehearsed = selftest.rehearse(
            project, sources, ui, given.out, site=given.site, only=given.only, flavour=flavour
        )
        _fill(findings, rehearsed)
    _print_result(rehearsed.attacked, given.out / "closed", ui)
    planted = len(selftest.MUST_FIND) - len(rehearsed.missed)
    ui.print(f"control: {planted} of {len(selftest.MUST_FIND)} planted holes found", "red" if rehearsed.missed else "")
    for name in rehearsed.missed:
        ui.print(f"planted, but not found: {name}", "red")
    return {
        "closed": rehearsed.attacked.summary,
        "planted": rehearsed.control.summary,
        "missed": list(rehearsed.missed),
        "exit": 0 if rehearsed.clean else ScanError.exit_code,
    }


def _fill(findings: proofs.Findings, rehearsed: selftest.Rehearsed) -> None:
    attacked = rehearsed.attacked
    findings.passed = len(attacked.of(Verdict.REFUSED))
    findings.failed += [
        f"{attempt.area}, {attempt.name} ({attempt.transport}): {attempt.verdict}"
        for attempt in attacked.attempts
        if attempt.verdict != Verdict.REFUSED
    ]
    findings.failed += [f"planted, but not found: {name}" for name in rehearsed.missed]
    findings.skipped += [proofs.Skip(f"{skip.area}, {skip.name}", skip.reason) for skip in attacked.not_tried]


def _print_result(attacked: Attacked, out: Path, ui: UI) -> None:
    heads = ("", "attempts", *(verdict.value for verdict in Verdict), "not tried")
    ui.table("Ways in without a personal login", heads, campaign.rows(attacked))
    for attempt in (*attacked.of(Verdict.SUCCEEDED), *attacked.of(Verdict.UNCLEAR)):
        ui.print(f"{attempt.verdict}: {attempt.area}, {attempt.name} ({attempt.transport}): {attempt.why}", "red")
    for reason in dict.fromkeys(skipped.reason for skipped in attacked.not_tried):
        count = sum(skipped.reason == reason for skipped in attacked.not_tried)
        ui.note(f"{count} attempts not made: {reason}")
    words = "every attempt was refused" if attacked.clean else "attempts succeeded, or their answers are unclear"
    ui.print(f"{words}: {out / 'attempts.ndjson'}", "green" if attacked.clean else "red")


def _account(given: argparse.Namespace) -> Account | None:
    if given.token_file:
        return Account(given.user, token=_first_line(given.token_file))
    if bool(given.user) != bool(given.password_file):
        raise UsageError("an account is a name and a password", hint="--user NAME --password-file FILE")
    return Account(given.user, _first_line(given.password_file)) if given.user else None


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{os.fspath(file)} cannot be read: {error}", hint="a text file with the secret alone"
        ) from error
    if not lines or not lines[0].strip():
        raise ConfigError(f"{os.fspath(file)} is empty", hint="a text file with the secret in its first line")
    return lines[0].strip()


def _ports(words: list[str]) -> tuple[tuple[str, int], ...]:
    """Return the ports to try, from the command line.

    >>> _ports(["c2s=15222", "jvb=8080"])
    (('c2s', 15222), ('jvb', 8080))
    """
    ports: dict[str, int] = {}
    for word in words:
        kind, sign, number = word.partition("=")
        if word == "usual":
            ports |= {name: usual for name, (usual, _what) in exposure.PORTS.items()}
        elif sign and kind in exposure.PORTS and number.isdigit():
            ports[kind] = int(number)
        else:
            raise UsageError(
                f"--port {word!r} is not KIND=NUMBER", hint=f"kinds: {', '.join(exposure.PORTS)}, or 'usual'"
            )
    return tuple(ports.items())
