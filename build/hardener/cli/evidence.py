"""The subcommand of the evidence run: ``hardener evidence``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import ScanError, StackError, UnreachableError
from hardener.pipeline import proofs
from hardener.proof import stack
from hardener.proof.stack import staging
from hardener.proof.stack.contexts import DOCKER
from hardener.proof.stack.docker import NoDockerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from hardener.proof.evidence.relay import Real
    from hardener.ui import UI

# What is shown of the client must not rest on the server: participants may send what they like.
_LAX = {"XMPP_MUC_CONFIGURATION": 'modules_disabled = { "muc_known_stanzas" }'}


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` is the parser of the option that it shares."""
    parser = subcommand(
        "evidence", _evidence, "visit a built site in a sealed network and record which hosts it contacts", source
    )
    parser.add_argument("site", type=Path, metavar="DIR", help="an unpacked site")
    parser.add_argument("--control", type=Path, metavar="DIR", help="the unpatched site, where contacts must be found")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="journeys, attacks or JOURNEY+ATTACK")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the record goes (default: .work/evidence)")
    real = parser.add_mutually_exclusive_group()
    real.add_argument(
        "--stack",
        action="store_true",
        help="end with 8 if calls on real servers are not possible (default: skip and report them)",
    )
    real.add_argument("--no-stack", action="store_true", help="leave out calls on real servers")


def _evidence(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Visit the site, and the control if there is one; exit code 7 where a verdict is not clean or proves nothing."""
    try:
        from hardener.proof.evidence import campaign  # noqa: PLC0415 (Playwright is a tool of the tests, not of a build)
        from hardener.proof.evidence import report as reporting  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StackError(f"{error.name} is not installed", hint="uv sync (the dev group brings it)") from error
    out = given.out or project_of(given).work / "evidence"
    answer: dict[str, Any] = {"exit": 0}
    whole = bool(given.control) and not given.only and not given.no_stack
    root = project_of(given).root if whole else Path()
    with proofs.proving(root, "evidence", given.site, whole=whole) as findings:
        wanted = campaign.needs_servers(given.only)
        with _servers(given, ui) if wanted else contextlib.nullcontext((None, "")) as (real, missing):
            result = campaign.run(given.site, out / "site", ui, given.only, real, missing)
            answer["site"] = result.summary
            sides = [result.summary]
            if given.control:
                control = campaign.run(given.control, out / "control", ui, given.only, real, missing)
                answer["control"] = control.summary
                sides.append(control.summary)
        problems = campaign.weak_control(sides[1]) if given.control else []
        _fill(findings, result.summary, problems)
    for problem in problems:
        ui.print(problem, "red")
    heads = ("", "site", "control")[: len(sides) + 1]
    ui.table("Whom the browser talked to", heads, [row[: len(heads)] for row in reporting.compare(sides[0], sides[-1])])
    for name, *hosts in reporting.contacts(sides[0], sides[-1]):
        ui.print(f"{name}\n    site:    {hosts[0]}" + (f"\n    control: {hosts[1]}" if given.control else ""))
    if result.summary["unproven"]:
        ui.note(f"ended early, so they prove less: {', '.join(result.summary['unproven'])}")
    if skipped := result.summary["skipped"]:
        ui.note(f"{len(skipped)} calls on real servers were skipped: {skipped[0]['reason']}")
    for reason in result.summary["void_because"]:
        ui.print(reason, "red")
    ui.print(f"{result.summary['verdict']}: {out / 'site' / 'index.html'}", "green" if result.clean else "red")
    if problems or not result.clean:
        answer["exit"] = ScanError.exit_code
    return answer


def _fill(findings: proofs.Findings, summary: dict[str, Any], problems: list[str]) -> None:
    """Fill in what the run found: a run that ended early counts as skipped, because it proves less."""
    findings.passed = summary["totals"]["completed"]
    findings.failed += problems
    if summary["verdict"] != "clean":
        findings.failed += [f"the verdict is {summary['verdict']}", *summary["void_because"]]
    findings.skipped += [proofs.Skip(skip["run"], skip["reason"]) for skip in summary["skipped"]]
    findings.skipped += [proofs.Skip(run, "it ended early") for run in summary["unproven"]]


@contextlib.contextmanager
def _servers(given: argparse.Namespace, ui: UI) -> Iterator[tuple[Real | None, str]]:
    """Yield real servers for the time of the run, in a stack of its own; or none, and why."""
    from hardener.proof.evidence.relay import Real  # noqa: PLC0415 (as above)

    if given.no_stack:
        yield None, "--no-stack was given"
        return
    here = project_of(given)
    name = stack.default_name(here.root) + "-evidence"  # a person's own stack is left alone
    try:
        try:
            running = staging.up(here, name, ui, site=given.site, sources=sources_of(given, here), settings=_LAX)
        except (NoDockerError, UnreachableError) as error:
            if given.stack:
                raise
            yield None, f"{error.message} ({error.hint})"
            return
        config = (DOCKER / "web" / "config.js").read_text(encoding="utf-8")
        yield Real(running.url, running.domain, running.users, config), ""
    finally:
        with stack.lock():
            stack.down(name, staging.folder(here, name))
